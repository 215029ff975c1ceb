//! Milestones. The province of a milestone is that of its project.

crate::migration! {
    up: "
CREATE TABLE milestone (
    {record},
    project_id {uuid} NOT NULL,
    province {key} NOT NULL,
    phase {key} NOT NULL,
    pillar {key},
    title_fa text NOT NULL,
    title_en text,
    weight_bp integer NOT NULL,
    planned_start {date},
    due_on {date} NOT NULL,
    state {key} NOT NULL,
    accepted_on {date},
    accepted_fraction_bp integer NOT NULL,
    predecessors {json} NOT NULL,
    budget_irr bigint,
    evidence_required boolean NOT NULL,
    FOREIGN KEY (project_id, province) REFERENCES project (id, province)
);
CREATE INDEX milestone_by_project ON milestone (project_id, due_on, id);
CREATE INDEX milestone_by_due_on ON milestone (due_on, id);
CREATE INDEX milestone_by_province ON milestone (province, due_on, id);
CREATE INDEX milestone_by_province_id ON milestone (province, id);
CREATE INDEX milestone_by_state ON milestone (state, due_on, id);
CREATE INDEX milestone_by_created_at ON milestone (created_at, id);
CREATE INDEX milestone_by_updated_at ON milestone (updated_at, id);
CREATE INDEX milestone_by_province_updated_at ON milestone (province, updated_at, id)",
    down: "
DELETE FROM external_ref WHERE resource = 'milestone';
DELETE FROM search_term WHERE resource = 'milestone';
DELETE FROM status_event WHERE resource = 'milestone';
DELETE FROM change_log WHERE resource = 'milestone';
DELETE FROM idempotent_answer;
DROP TABLE milestone"
}
