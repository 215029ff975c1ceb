//! The security log: logins, refusals, changes of accounts, reads of personal data.

crate::migration! {
    up: "
CREATE TABLE security_event (
    id {uuid} PRIMARY KEY,
    occurred_at {timestamp} NOT NULL,
    kind {key} NOT NULL,
    reason {key},
    account_id {uuid},
    username {key},
    acting_for {key},
    address {key},
    user_agent {key},
    request_id {key} NOT NULL,
    operation {key},
    resource {key},
    record_id {uuid},
    count bigint
);
CREATE INDEX security_event_occurred_at ON security_event (occurred_at, id);
CREATE INDEX security_event_kind ON security_event (kind, id);
CREATE INDEX security_event_account ON security_event (account_id, id);
CREATE INDEX security_event_address ON security_event (address, id);
CREATE INDEX security_event_record ON security_event (record_id, id);
CREATE INDEX security_event_request ON security_event (request_id, id)",
    down: "DROP TABLE security_event"
}
