//! From where sessions are used and until when, and which passwords have to be changed. Nobody is asked to
//! change a password of before.

crate::migration! {
    up: "
ALTER TABLE session ADD COLUMN last_used_at {timestamp};
ALTER TABLE session ADD COLUMN expires_at {timestamp};
ALTER TABLE session ADD COLUMN address {key};
ALTER TABLE session ADD COLUMN user_agent text;
UPDATE session SET
    last_used_at = COALESCE((SELECT max(used_at) FROM refresh_token WHERE session_id = session.id), created_at),
    expires_at = COALESCE((SELECT max(expires_at) FROM refresh_token WHERE session_id = session.id), created_at);
ALTER TABLE account ADD COLUMN must_change_password boolean NOT NULL DEFAULT false",
    down: "
ALTER TABLE account DROP COLUMN must_change_password;
ALTER TABLE session DROP COLUMN user_agent;
ALTER TABLE session DROP COLUMN address;
ALTER TABLE session DROP COLUMN expires_at;
ALTER TABLE session DROP COLUMN last_used_at"
}
