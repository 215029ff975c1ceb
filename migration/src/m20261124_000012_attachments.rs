//! Attachments. What one is attached to is named by kind and id; it belongs to the cluster, the project and
//! the province of that, which the foreign keys over both columns hold together.

crate::migration! {
    up: "
CREATE TABLE attachment (
    {record},
    subject_kind {key} NOT NULL,
    subject_id {uuid} NOT NULL,
    cluster_id {uuid},
    project_id {uuid},
    province {key} REFERENCES province (code),
    kind {key} NOT NULL,
    title_fa text NOT NULL,
    file_name text NOT NULL,
    media_type {key} NOT NULL,
    sha256 {key} NOT NULL,
    size_bytes bigint NOT NULL,
    decision_id {uuid},
    note text,
    received_at {timestamp},
    FOREIGN KEY (cluster_id, province) REFERENCES cluster (id, province),
    FOREIGN KEY (project_id, province) REFERENCES project (id, province)
);
CREATE INDEX attachment_by_subject ON attachment (subject_id, id);
CREATE INDEX attachment_by_subject_kind ON attachment (subject_kind, id);
CREATE INDEX attachment_by_cluster ON attachment (cluster_id, id);
CREATE INDEX attachment_by_project ON attachment (project_id, id);
CREATE INDEX attachment_by_province ON attachment (province, id);
CREATE INDEX attachment_by_province_updated_at ON attachment (province, updated_at, id);
CREATE INDEX attachment_by_kind ON attachment (kind, id);
CREATE INDEX attachment_by_decision ON attachment (decision_id, id);
CREATE INDEX attachment_incomplete ON attachment (id) WHERE received_at IS NULL;
CREATE INDEX attachment_by_created_at ON attachment (created_at, id);
CREATE INDEX attachment_by_updated_at ON attachment (updated_at, id)",
    down: "
DELETE FROM external_ref WHERE resource = 'attachment';
DELETE FROM search_term WHERE resource = 'attachment';
DELETE FROM change_log WHERE resource = 'attachment';
DELETE FROM idempotent_answer;
DROP TABLE attachment"
}
