//! The row that readiness writes, to see that writing works.

crate::migration! {
    up: "
CREATE TABLE write_probe (
    id integer PRIMARY KEY,
    written_at {timestamp} NOT NULL)",
    down: "
DROP TABLE write_probe"
}
