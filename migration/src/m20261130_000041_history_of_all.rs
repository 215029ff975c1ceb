//! The history of all records is found by its author, its day and its request.

crate::migration! {
    up: "
CREATE INDEX change_log_author ON change_log (changed_by, seq);
CREATE INDEX change_log_changed_at ON change_log (changed_at, seq);
CREATE INDEX change_log_request ON change_log (request_id, seq)",
    down: "
DROP INDEX change_log_request;
DROP INDEX change_log_changed_at;
DROP INDEX change_log_author"
}
