//! Secrets that the service makes for itself and all instances share, such as the key that seals cursors.

crate::migration! {
    up: "
CREATE TABLE service_secret (
    name {key} PRIMARY KEY,
    value {bytes} NOT NULL,
    created_at {timestamp} NOT NULL
)",
    down: "DROP TABLE service_secret"
}
