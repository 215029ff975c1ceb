//! Progress reports. A quarter is kept with its first and its last day.

crate::migration! {
    up: "
CREATE TABLE progress_report (
    {record},
    project_id {uuid} NOT NULL,
    province {key} NOT NULL,
    quarter {key} NOT NULL,
    period_start {date} NOT NULL,
    period_end {date} NOT NULL,
    narrative_fa text NOT NULL,
    issues {json} NOT NULL,
    state {key} NOT NULL,
    submitted_on {date},
    accepted_on {date},
    FOREIGN KEY (project_id, province) REFERENCES project (id, province)
);
CREATE UNIQUE INDEX progress_report_of_quarter ON progress_report (project_id, quarter) WHERE deleted_at IS NULL;
CREATE INDEX progress_report_by_project ON progress_report (project_id, period_end, id);
CREATE INDEX progress_report_by_quarter ON progress_report (quarter, id);
CREATE INDEX progress_report_by_state ON progress_report (state, period_end, id);
CREATE INDEX progress_report_by_period_end ON progress_report (period_end, id);
CREATE INDEX progress_report_by_province ON progress_report (province, period_end, id);
CREATE INDEX progress_report_by_province_id ON progress_report (province, id);
CREATE INDEX progress_report_by_created_at ON progress_report (created_at, id);
CREATE INDEX progress_report_by_updated_at ON progress_report (updated_at, id);
CREATE INDEX progress_report_by_province_updated_at ON progress_report (province, updated_at, id)",
    down: "
DELETE FROM external_ref WHERE resource = 'progress_report';
DELETE FROM search_term WHERE resource = 'progress_report';
DELETE FROM status_event WHERE resource = 'progress_report';
DELETE FROM change_log WHERE resource = 'progress_report';
DELETE FROM idempotent_answer;
DROP TABLE progress_report"
}
