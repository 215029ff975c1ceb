//! Which version of a record was the newest at a moment is answered by the index alone, without reading the
//! wide rows of the log.

crate::migration! {
    up: "
DROP INDEX change_log_record;
CREATE UNIQUE INDEX change_log_record ON change_log (resource, record_id, version){with_changed_at}",
    down: "
DROP INDEX change_log_record;
CREATE UNIQUE INDEX change_log_record ON change_log (resource, record_id, version)"
}
