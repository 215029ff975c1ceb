//! How far each kind of record is in each province; where a record has come from.

crate::migration! {
    up: "
ALTER TABLE change_log ADD COLUMN moved_from {key};
CREATE INDEX change_log_newest ON change_log (resource, transaction_id, seq);
CREATE INDEX change_log_newest_of_province ON change_log (resource, province, transaction_id, seq);
CREATE INDEX change_log_moved ON change_log (resource, moved_from, transaction_id, seq) WHERE moved_from IS NOT NULL",
    down: "
DROP INDEX change_log_moved;
DROP INDEX change_log_newest_of_province;
DROP INDEX change_log_newest;
ALTER TABLE change_log DROP COLUMN moved_from"
}
