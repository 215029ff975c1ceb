//! When the database was restored from a backup: followers of the changes begin anew then.

crate::migration! {
    up: "
CREATE TABLE restoration (
    id {uuid} PRIMARY KEY,
    restored_at {timestamp} NOT NULL,
    backed_up_at {timestamp} NOT NULL,
    root text NOT NULL
)",
    down: "DROP TABLE restoration"
}
