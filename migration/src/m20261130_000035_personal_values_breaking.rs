//! Personal values in a table of their own: what records and their history keep is a commitment to each. The
//! roots and heads of the histories as they were before, as evidence. What was erased. A program of before
//! would take a commitment for the value. On the way down the service itself gives the values back first;
//! what was erased stays erased.

crate::migration! {
    up: "
CREATE TABLE personal_value (
    token {key} PRIMARY KEY,
    resource {key} NOT NULL,
    record_id {uuid} NOT NULL,
    field {key} NOT NULL,
    key_id {key} NOT NULL,
    sealed text NOT NULL,
    name text
);
CREATE INDEX personal_value_of_record ON personal_value (resource, record_id);
CREATE INDEX personal_value_by_key ON personal_value (key_id, token);
CREATE TABLE former_root (
    id {uuid} PRIMARY KEY,
    taken_at {timestamp} NOT NULL,
    chains bigint NOT NULL,
    key_id {key} NOT NULL,
    sealed text NOT NULL
);
CREATE TABLE former_head (
    resource {key} NOT NULL,
    record_id {uuid} NOT NULL,
    key_id {key} NOT NULL,
    sealed text NOT NULL,
    PRIMARY KEY (resource, record_id)
);
CREATE TABLE erasure (
    id {uuid} PRIMARY KEY,
    resource {key} NOT NULL,
    record_id {uuid} NOT NULL,
    erased_at {timestamp} NOT NULL,
    erased_by {uuid} NOT NULL,
    request_id text NOT NULL,
    reason text NOT NULL
);
CREATE INDEX erasure_of_record ON erasure (resource, record_id);
ALTER TABLE cda ADD COLUMN commitments {json};
ALTER TABLE cda ADD COLUMN national_code_index {key};
DROP INDEX cda_national_code;
CREATE UNIQUE INDEX cda_national_code_index ON cda (national_code_index) WHERE deleted_at IS NULL;
ALTER TABLE organisation ADD COLUMN commitments {json};
ALTER TABLE organisation ADD COLUMN legal_id_index {key};
DROP INDEX organisation_legal_id;
CREATE UNIQUE INDEX organisation_legal_id_index ON organisation (legal_id_index) WHERE deleted_at IS NULL;
ALTER TABLE supervision ADD COLUMN commitments {json};
ALTER TABLE account ADD COLUMN commitments {json}",
    down: "
DELETE FROM idempotent_answer;
ALTER TABLE account DROP COLUMN commitments;
ALTER TABLE supervision DROP COLUMN commitments;
DROP INDEX organisation_legal_id_index;
CREATE UNIQUE INDEX organisation_legal_id ON organisation (legal_id) WHERE deleted_at IS NULL;
ALTER TABLE organisation DROP COLUMN legal_id_index;
ALTER TABLE organisation DROP COLUMN commitments;
DROP INDEX cda_national_code_index;
CREATE UNIQUE INDEX cda_national_code ON cda (national_code) WHERE deleted_at IS NULL AND national_code <> '**********';
ALTER TABLE cda DROP COLUMN national_code_index;
ALTER TABLE cda DROP COLUMN commitments;
DROP TABLE erasure;
DROP TABLE former_head;
DROP TABLE former_root;
DROP TABLE personal_value"
}
