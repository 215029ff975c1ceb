//! From when on a key signs access tokens, and until when it verifies them; and failed logins by account and
//! address together.

crate::migration! {
    up: "
ALTER TABLE signing_key ADD COLUMN active_from {timestamp};
ALTER TABLE signing_key ADD COLUMN verifies_until {timestamp};
ALTER TABLE login_failure ADD COLUMN address {key};
CREATE INDEX login_failure_address ON login_failure (address, failed_at)",
    down: "
DROP INDEX login_failure_address;
ALTER TABLE login_failure DROP COLUMN address;
ALTER TABLE signing_key DROP COLUMN verifies_until;
ALTER TABLE signing_key DROP COLUMN active_from"
}
