//! Baselines; which one has fixed a milestone; which version a change of state has made; who receives what a
//! project hands over.

crate::migration! {
    up: "
CREATE TABLE baseline (
    {record},
    project_id {uuid} NOT NULL,
    province {key} NOT NULL,
    number integer NOT NULL,
    frozen_on {date} NOT NULL,
    decision_id {uuid},
    reason text,
    changes {json} NOT NULL,
    milestones {json} NOT NULL,
    FOREIGN KEY (project_id, province) REFERENCES project (id, province)
);
CREATE UNIQUE INDEX baseline_number ON baseline (project_id, number);
CREATE INDEX baseline_by_project ON baseline (project_id, id);
ALTER TABLE milestone ADD COLUMN baseline_number integer;
ALTER TABLE project ADD COLUMN receiving_organisation_id {uuid};
CREATE INDEX project_by_receiving_organisation ON project (receiving_organisation_id);
ALTER TABLE status_event ADD COLUMN version bigint NOT NULL DEFAULT 0;
UPDATE status_event SET version = COALESCE((SELECT MIN(l.version) FROM change_log l
    WHERE l.resource = status_event.resource AND l.record_id = status_event.record_id
    AND l.kind = 'transitioned' AND l.changed_at = status_event.recorded_at), 0)",
    down: "
DELETE FROM external_ref WHERE resource = 'baseline';
DELETE FROM change_log WHERE resource = 'baseline';
DELETE FROM idempotent_answer;
ALTER TABLE status_event DROP COLUMN version;
DROP INDEX project_by_receiving_organisation;
ALTER TABLE project DROP COLUMN receiving_organisation_id;
ALTER TABLE milestone DROP COLUMN baseline_number;
DROP TABLE baseline"
}
