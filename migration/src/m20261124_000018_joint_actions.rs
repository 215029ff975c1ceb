//! Joint actions of enterprises within projects.

crate::migration! {
    up: "
CREATE TABLE joint_action (
    {record},
    project_id {uuid} NOT NULL,
    province {key} NOT NULL,
    title_fa text NOT NULL,
    title_en text,
    pillar {key},
    participants {json} NOT NULL,
    started_on {date},
    ended_on {date},
    cost_irr bigint,
    private_share_bp integer,
    description text,
    FOREIGN KEY (project_id, province) REFERENCES project (id, province)
);
CREATE INDEX joint_action_by_project ON joint_action (project_id, id)",
    down: "
DELETE FROM external_ref WHERE resource = 'joint_action';
DELETE FROM search_term WHERE resource = 'joint_action';
DELETE FROM change_log WHERE resource = 'joint_action';
DELETE FROM idempotent_answer;
DROP TABLE joint_action"
}
