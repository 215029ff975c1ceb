//! Decisions. A provincial one is of the province of what it is about: the foreign keys over both columns
//! hold them together. A national one has no province, and may be about any.

crate::migration! {
    up: "
CREATE TABLE decision (
    {record},
    body {key} NOT NULL,
    meeting_no text,
    decided_on {date} NOT NULL,
    title_fa text NOT NULL,
    text_fa text,
    province {key} REFERENCES province (code),
    cluster_id {uuid} REFERENCES cluster (id),
    project_id {uuid} REFERENCES project (id),
    FOREIGN KEY (cluster_id, province) REFERENCES cluster (id, province),
    FOREIGN KEY (project_id, province) REFERENCES project (id, province)
);
CREATE INDEX decision_by_decided_on ON decision (decided_on, id);
CREATE INDEX decision_by_body ON decision (body, decided_on, id);
CREATE INDEX decision_by_province ON decision (province, decided_on, id);
CREATE INDEX decision_by_cluster ON decision (cluster_id, id);
CREATE INDEX decision_by_project ON decision (project_id, id);
CREATE INDEX decision_by_created_at ON decision (created_at, id);
CREATE INDEX decision_by_updated_at ON decision (updated_at, id);
CREATE INDEX status_event_decision ON status_event (decision_id)",
    down: "
DROP INDEX status_event_decision;
DELETE FROM external_ref WHERE resource = 'decision';
DELETE FROM search_term WHERE resource = 'decision';
DELETE FROM change_log WHERE resource = 'decision';
DELETE FROM idempotent_answer;
DROP TABLE decision"
}
