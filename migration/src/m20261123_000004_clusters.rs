//! Clusters and the claims about them. A name is unique in its province by its folded form.

crate::migration! {
    up: "
CREATE TABLE cluster (
    {record},
    code {key} NOT NULL,
    name_fa text NOT NULL,
    name_en text,
    name_key {key} NOT NULL,
    name_order {key} NOT NULL,
    aliases {json} NOT NULL,
    province {key} NOT NULL REFERENCES province (code),
    counties {json} NOT NULL,
    latitude {double},
    longitude {double},
    products {json} NOT NULL,
    isic {json} NOT NULL,
    primary_isic {key} NOT NULL REFERENCES industry (code),
    state {key} NOT NULL,
    identified_on {date},
    identified_precision text,
    identified_not_later_than {date},
    employment_total integer,
    employment_female integer,
    annual_turnover_irr bigint,
    export_usd bigint
);
CREATE UNIQUE INDEX cluster_code ON cluster (code);
CREATE UNIQUE INDEX cluster_name ON cluster (province, name_key) WHERE deleted_at IS NULL;
CREATE INDEX cluster_by_name ON cluster (name_order, id);
CREATE INDEX cluster_by_province ON cluster (province, id);
CREATE INDEX cluster_by_province_code ON cluster (province, code, id);
CREATE INDEX cluster_by_province_updated_at ON cluster (province, updated_at, id);
CREATE INDEX cluster_by_state ON cluster (state, id);
CREATE INDEX cluster_by_created_at ON cluster (created_at, id);
CREATE INDEX cluster_by_updated_at ON cluster (updated_at, id);
CREATE INDEX cluster_by_identified ON cluster (COALESCE(identified_not_later_than, '9999-12-31'), id);
CREATE INDEX cluster_by_employment ON cluster (COALESCE(employment_total, -1), id);
CREATE INDEX cluster_by_turnover ON cluster (COALESCE(annual_turnover_irr, -1), id);
CREATE INDEX cluster_by_export ON cluster (COALESCE(export_usd, -1), id);
CREATE TABLE cluster_claim (
    {record},
    cluster_id {uuid} NOT NULL REFERENCES cluster (id),
    source_title text NOT NULL,
    source_url text,
    claimed_on {date},
    claimed_name text,
    note text
);
CREATE INDEX cluster_claim_cluster ON cluster_claim (cluster_id, id)",
    down: "
DELETE FROM external_ref WHERE resource IN ('cluster', 'cluster_claim');
DELETE FROM search_term WHERE resource IN ('cluster', 'cluster_claim');
DELETE FROM status_event WHERE resource = 'cluster';
DELETE FROM change_log WHERE resource IN ('cluster', 'cluster_claim');
DELETE FROM code_counter WHERE prefix LIKE 'cluster %';
DELETE FROM idempotent_answer;
DROP TABLE cluster_claim;
DROP TABLE cluster"
}
