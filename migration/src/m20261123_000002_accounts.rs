//! Accounts, their sessions and refresh tokens, failed logins, and the keys that sign access tokens.

crate::migration! {
    up: "
CREATE TABLE account (
    {record},
    kind text NOT NULL,
    username {key} NOT NULL,
    display_name text NOT NULL,
    role {key} NOT NULL,
    province {key} REFERENCES province (code),
    scopes {json} NOT NULL,
    password_hash text NOT NULL,
    disabled boolean NOT NULL
);
CREATE UNIQUE INDEX account_username ON account (username);
CREATE INDEX account_role ON account (role, username);
CREATE INDEX account_province ON account (province, username);
CREATE INDEX account_created_at ON account (created_at, id);
CREATE INDEX account_updated_at ON account (updated_at, id);
CREATE TABLE session (
    id {uuid} PRIMARY KEY,
    account_id {uuid} NOT NULL REFERENCES account (id),
    scope text NOT NULL,
    created_at {timestamp} NOT NULL,
    revoked_at {timestamp}
);
CREATE INDEX session_account ON session (account_id);
CREATE TABLE refresh_token (
    token_hash {key} PRIMARY KEY,
    session_id {uuid} NOT NULL REFERENCES session (id),
    expires_at {timestamp} NOT NULL,
    used_at {timestamp}
);
CREATE INDEX refresh_token_session ON refresh_token (session_id);
CREATE INDEX refresh_token_expires ON refresh_token (expires_at);
CREATE TABLE login_failure (
    id {uuid} PRIMARY KEY,
    subject {key} NOT NULL,
    failed_at {timestamp} NOT NULL
);
CREATE INDEX login_failure_subject ON login_failure (subject, failed_at);
CREATE INDEX login_failure_failed_at ON login_failure (failed_at);
CREATE TABLE signing_key (
    id {key} PRIMARY KEY,
    pkcs8 {bytes} NOT NULL,
    created_at {timestamp} NOT NULL
)",
    down: "DROP TABLE signing_key; DROP TABLE login_failure; DROP TABLE refresh_token; DROP TABLE session; DROP TABLE account"
}
