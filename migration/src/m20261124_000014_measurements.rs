//! Measurements. A value is kept in millionths, so that it stays exact; a period with its first and its last
//! day.

crate::migration! {
    up: "
CREATE TABLE measurement (
    {record},
    project_id {uuid} NOT NULL,
    province {key} NOT NULL,
    indicator_id {uuid} NOT NULL REFERENCES indicator (id),
    kind {key} NOT NULL,
    period {key} NOT NULL,
    period_start {date} NOT NULL,
    period_end {date} NOT NULL,
    value bigint NOT NULL,
    source text,
    note text,
    FOREIGN KEY (project_id, province) REFERENCES project (id, province)
);
CREATE UNIQUE INDEX measurement_of_period ON measurement (project_id, indicator_id, kind, period) WHERE deleted_at IS NULL;
CREATE INDEX measurement_by_project ON measurement (project_id, period_end, id);
CREATE INDEX measurement_by_indicator ON measurement (indicator_id, period_end, id);
CREATE INDEX measurement_by_kind ON measurement (kind, period_end, id);
CREATE INDEX measurement_by_period_end ON measurement (period_end, id);
CREATE INDEX measurement_by_province ON measurement (province, period_end, id);
CREATE INDEX measurement_by_province_id ON measurement (province, id);
CREATE INDEX measurement_by_created_at ON measurement (created_at, id);
CREATE INDEX measurement_by_updated_at ON measurement (updated_at, id);
CREATE INDEX measurement_by_province_updated_at ON measurement (province, updated_at, id)",
    down: "
DELETE FROM external_ref WHERE resource = 'measurement';
DELETE FROM search_term WHERE resource = 'measurement';
DELETE FROM change_log WHERE resource = 'measurement';
DELETE FROM idempotent_answer;
DROP TABLE measurement"
}
