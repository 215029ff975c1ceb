//! The checksum of what is kept of an answer; none in rows of before.

crate::migration! {
    up: "ALTER TABLE idempotent_answer ADD COLUMN checksum text",
    down: "ALTER TABLE idempotent_answer DROP COLUMN checksum"
}
