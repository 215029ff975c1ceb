//! CDAs, and which account is which CDA. A national code is unique among the living.

crate::migration! {
    up: "
CREATE TABLE cda (
    {record},
    national_code {key} NOT NULL,
    name_fa text NOT NULL,
    name_en text,
    name_order {key} NOT NULL,
    mobile text,
    email text,
    province {key} NOT NULL REFERENCES province (code),
    education text,
    certificates {json} NOT NULL,
    state {key} NOT NULL
);
CREATE UNIQUE INDEX cda_national_code ON cda (national_code) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX cda_id_province ON cda (id, province);
CREATE INDEX cda_by_name ON cda (name_order, id);
CREATE INDEX cda_by_province ON cda (province, name_order, id);
CREATE INDEX cda_by_state ON cda (state, id);
CREATE INDEX cda_by_created_at ON cda (created_at, id);
CREATE INDEX cda_by_updated_at ON cda (updated_at, id);
ALTER TABLE account ADD COLUMN cda_id {uuid};
CREATE INDEX account_cda ON account (cda_id)",
    down: "
DROP INDEX account_cda;
ALTER TABLE account DROP COLUMN cda_id;
DELETE FROM external_ref WHERE resource = 'cda';
DELETE FROM search_term WHERE resource = 'cda';
DELETE FROM status_event WHERE resource = 'cda';
DELETE FROM change_log WHERE resource = 'cda';
DELETE FROM idempotent_answer;
DROP TABLE cda"
}
