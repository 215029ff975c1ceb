//! The catalogue of indicators. The codes of those that are in force differ from one another.

crate::migration! {
    up: "
CREATE TABLE indicator (
    {record},
    code {key} NOT NULL,
    theme {key} NOT NULL,
    name_fa text NOT NULL,
    name_en text,
    name_order {key} NOT NULL,
    unit_fa text NOT NULL,
    unit_en text,
    direction {key} NOT NULL,
    frequency {key} NOT NULL,
    formula_fa text,
    formula_en text,
    decimals integer NOT NULL,
    is_active boolean NOT NULL
);
CREATE UNIQUE INDEX indicator_code ON indicator (code) WHERE deleted_at IS NULL;
CREATE INDEX indicator_by_code ON indicator (code, id);
CREATE INDEX indicator_by_name ON indicator (name_order, id);
CREATE INDEX indicator_by_theme ON indicator (theme, id);
CREATE INDEX indicator_by_frequency ON indicator (frequency, id);
CREATE INDEX indicator_by_activity ON indicator (is_active, id);
CREATE INDEX indicator_by_created_at ON indicator (created_at, id);
CREATE INDEX indicator_by_updated_at ON indicator (updated_at, id)",
    down: "
DELETE FROM external_ref WHERE resource = 'indicator';
DELETE FROM search_term WHERE resource = 'indicator';
DELETE FROM change_log WHERE resource = 'indicator';
DELETE FROM idempotent_answer;
DROP TABLE indicator"
}
