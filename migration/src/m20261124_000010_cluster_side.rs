//! How clusters are assessed, and what belongs to them. What belongs to a cluster has its province: the
//! foreign keys over both columns hold them together.

crate::migration! {
    up: "
ALTER TABLE cluster ADD COLUMN challenges {json} NOT NULL DEFAULT '[]';
ALTER TABLE cluster ADD COLUMN opportunities {json} NOT NULL DEFAULT '[]';
ALTER TABLE cluster ADD COLUMN firms_by_size {json};
ALTER TABLE cluster ADD COLUMN priority_scores {json};
CREATE TABLE feasibility_study (
    {record},
    cluster_id {uuid} NOT NULL,
    province {key} NOT NULL,
    executor_id {uuid} NOT NULL REFERENCES organisation (id),
    criteria {json} NOT NULL,
    result {key},
    approved_on {date},
    decision_id {uuid} REFERENCES decision (id),
    FOREIGN KEY (cluster_id, province) REFERENCES cluster (id, province)
);
CREATE INDEX feasibility_study_by_cluster ON feasibility_study (cluster_id, id);
CREATE INDEX feasibility_study_by_executor ON feasibility_study (executor_id, id);
CREATE INDEX feasibility_study_by_decision ON feasibility_study (decision_id, id);
CREATE TABLE lineage_entry (
    {record},
    cluster_id {uuid} NOT NULL,
    province {key} NOT NULL,
    kind {key} NOT NULL,
    other_cluster_id {uuid},
    former_name text,
    effective_on {date} NOT NULL,
    source_title text,
    note text,
    decision_id {uuid} REFERENCES decision (id),
    FOREIGN KEY (cluster_id, province) REFERENCES cluster (id, province),
    FOREIGN KEY (other_cluster_id, province) REFERENCES cluster (id, province)
);
CREATE INDEX lineage_entry_by_cluster ON lineage_entry (cluster_id, id);
CREATE INDEX lineage_entry_by_effective_on ON lineage_entry (effective_on, id);
CREATE INDEX lineage_entry_by_other_cluster ON lineage_entry (other_cluster_id, id);
CREATE INDEX lineage_entry_by_decision ON lineage_entry (decision_id, id);
CREATE TABLE value_chain_stage (
    {record},
    cluster_id {uuid} NOT NULL,
    province {key} NOT NULL,
    stage {key} NOT NULL,
    name_fa text NOT NULL,
    name_en text,
    position integer NOT NULL,
    feeds {json} NOT NULL,
    enterprises {json} NOT NULL,
    FOREIGN KEY (cluster_id, province) REFERENCES cluster (id, province)
);
CREATE INDEX value_chain_stage_by_cluster ON value_chain_stage (cluster_id, id);
CREATE INDEX value_chain_stage_by_position ON value_chain_stage (cluster_id, position, id);
CREATE TABLE network (
    {record},
    cluster_id {uuid} NOT NULL,
    province {key} NOT NULL,
    kind {key} NOT NULL,
    name_fa text NOT NULL,
    name_en text,
    formed_on {date},
    dissolved_on {date},
    members {json} NOT NULL,
    purpose text,
    cost_irr bigint,
    private_share_bp integer,
    FOREIGN KEY (cluster_id, province) REFERENCES cluster (id, province)
);
CREATE INDEX network_by_cluster ON network (cluster_id, id)",
    down: "
DELETE FROM external_ref WHERE resource IN ('feasibility_study', 'lineage_entry', 'value_chain_stage', 'network');
DELETE FROM search_term WHERE resource IN ('value_chain_stage', 'network');
DELETE FROM change_log WHERE resource IN ('feasibility_study', 'lineage_entry', 'value_chain_stage', 'network');
DELETE FROM idempotent_answer;
DROP TABLE network;
DROP TABLE value_chain_stage;
DROP TABLE lineage_entry;
DROP TABLE feasibility_study;
ALTER TABLE cluster DROP COLUMN priority_scores;
ALTER TABLE cluster DROP COLUMN firms_by_size;
ALTER TABLE cluster DROP COLUMN opportunities;
ALTER TABLE cluster DROP COLUMN challenges"
}
