//! Projects and what belongs to them. The province of a project is that of its cluster, and what belongs to a
//! project has its province: the foreign keys over both columns hold them together.

crate::migration! {
    up: "
CREATE UNIQUE INDEX cluster_id_province ON cluster (id, province);
CREATE TABLE project (
    {record},
    code {key} NOT NULL,
    cluster_id {uuid} NOT NULL,
    organisation_id {uuid} NOT NULL REFERENCES organisation (id),
    province {key} NOT NULL,
    title_fa text NOT NULL,
    title_en text,
    title_order {key} NOT NULL,
    contract_no text,
    contract_start {date},
    contract_end {date},
    planned_months integer NOT NULL,
    budget {json} NOT NULL,
    vision text,
    state {key} NOT NULL,
    suspended_from {key},
    FOREIGN KEY (cluster_id, province) REFERENCES cluster (id, province)
);
CREATE UNIQUE INDEX project_code ON project (code);
CREATE UNIQUE INDEX project_id_province ON project (id, province);
CREATE UNIQUE INDEX project_live ON project (cluster_id)
    WHERE deleted_at IS NULL AND state NOT IN ('draft', 'closed', 'terminated');
CREATE INDEX project_by_cluster ON project (cluster_id, id);
CREATE INDEX project_by_organisation ON project (organisation_id, id);
CREATE INDEX project_by_title ON project (title_order, id);
CREATE INDEX project_by_province ON project (province, id);
CREATE INDEX project_by_province_code ON project (province, code, id);
CREATE INDEX project_by_state ON project (state, id);
CREATE INDEX project_by_contract_end ON project (COALESCE(contract_end, '9999-12-31'), id);
CREATE INDEX project_by_created_at ON project (created_at, id);
CREATE INDEX project_by_updated_at ON project (updated_at, id);
CREATE TABLE assignment (
    {record},
    project_id {uuid} NOT NULL,
    province {key} NOT NULL,
    cda_id {uuid} NOT NULL,
    role {key} NOT NULL,
    valid_from {date} NOT NULL,
    valid_to {date},
    contract_no text,
    end_reason text,
    FOREIGN KEY (project_id, province) REFERENCES project (id, province),
    FOREIGN KEY (cda_id, province) REFERENCES cda (id, province)
);
CREATE INDEX assignment_by_project ON assignment (project_id, id);
CREATE INDEX assignment_by_cda ON assignment (cda_id, project_id);
CREATE TABLE supervision (
    {record},
    project_id {uuid} NOT NULL,
    province {key} NOT NULL,
    kind {key} NOT NULL,
    organisation_id {uuid} REFERENCES organisation (id),
    account_id {uuid} REFERENCES account (id),
    person_name text,
    valid_from {date} NOT NULL,
    valid_to {date},
    contract_no text,
    FOREIGN KEY (project_id, province) REFERENCES project (id, province)
);
CREATE INDEX supervision_by_project ON supervision (project_id, id);
CREATE INDEX supervision_by_account ON supervision (account_id, project_id);
CREATE INDEX supervision_by_organisation ON supervision (organisation_id, id);
CREATE TABLE partner (
    {record},
    project_id {uuid} NOT NULL,
    province {key} NOT NULL,
    organisation_id {uuid} NOT NULL REFERENCES organisation (id),
    role text NOT NULL,
    FOREIGN KEY (project_id, province) REFERENCES project (id, province)
);
CREATE INDEX partner_by_project ON partner (project_id, id);
CREATE INDEX partner_by_organisation ON partner (organisation_id, id);
CREATE TABLE phase (
    {record},
    project_id {uuid} NOT NULL,
    province {key} NOT NULL,
    phase {key} NOT NULL,
    planned_start {date} NOT NULL,
    planned_end {date} NOT NULL,
    actual_start {date},
    actual_end {date},
    FOREIGN KEY (project_id, province) REFERENCES project (id, province)
);
CREATE UNIQUE INDEX phase_of_project ON phase (project_id, phase) WHERE deleted_at IS NULL;
CREATE INDEX phase_by_project ON phase (project_id, id)",
    down: "
DELETE FROM external_ref WHERE resource IN ('project', 'assignment', 'supervision', 'partner', 'phase');
DELETE FROM search_term WHERE resource = 'project';
DELETE FROM status_event WHERE resource = 'project';
DELETE FROM change_log WHERE resource IN ('project', 'assignment', 'supervision', 'partner', 'phase');
DELETE FROM code_counter WHERE prefix LIKE 'project %';
DELETE FROM idempotent_answer;
DROP TABLE phase;
DROP TABLE partner;
DROP TABLE supervision;
DROP TABLE assignment;
DROP TABLE project;
DROP INDEX cluster_id_province"
}
