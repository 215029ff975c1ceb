//! Organisations. A national id is unique among the living.

crate::migration! {
    up: "
CREATE TABLE organisation (
    {record},
    kind {key} NOT NULL,
    name_fa text NOT NULL,
    name_en text,
    name_order {key} NOT NULL,
    province {key} REFERENCES province (code),
    legal_id {key},
    parent_id {uuid} REFERENCES organisation (id),
    phone text,
    email text,
    website text,
    address text
);
CREATE UNIQUE INDEX organisation_legal_id ON organisation (legal_id) WHERE deleted_at IS NULL;
CREATE INDEX organisation_by_name ON organisation (name_order, id);
CREATE INDEX organisation_by_province ON organisation (province, name_order, id);
CREATE INDEX organisation_by_kind ON organisation (kind, name_order, id);
CREATE INDEX organisation_by_parent ON organisation (parent_id, id);
CREATE INDEX organisation_by_created_at ON organisation (created_at, id);
CREATE INDEX organisation_by_updated_at ON organisation (updated_at, id)",
    down: "
DELETE FROM external_ref WHERE resource = 'organisation';
DELETE FROM search_term WHERE resource = 'organisation';
DELETE FROM change_log WHERE resource = 'organisation';
DELETE FROM idempotent_answer;
DROP TABLE organisation"
}
