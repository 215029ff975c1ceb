//! Enterprises. One that belongs to a cluster is of its province; a firm is at most one living enterprise.

crate::migration! {
    up: "
CREATE TABLE enterprise (
    {record},
    organisation_id {uuid} REFERENCES organisation (id),
    cluster_id {uuid},
    name_fa text NOT NULL,
    name_en text,
    name_order {key} NOT NULL,
    province {key} NOT NULL REFERENCES province (code),
    county text,
    latitude {double},
    longitude {double},
    isic {json} NOT NULL,
    primary_isic {key} NOT NULL REFERENCES industry (code),
    size {key},
    employment_total integer,
    employment_female integer,
    member_from {date},
    member_to {date},
    FOREIGN KEY (cluster_id, province) REFERENCES cluster (id, province)
);
CREATE UNIQUE INDEX enterprise_organisation ON enterprise (organisation_id) WHERE deleted_at IS NULL;
CREATE INDEX enterprise_by_cluster ON enterprise (cluster_id, id);
CREATE INDEX enterprise_by_name ON enterprise (name_order, id);
CREATE INDEX enterprise_by_province ON enterprise (province, id);
CREATE INDEX enterprise_by_province_isic ON enterprise (province, primary_isic, id);
CREATE INDEX enterprise_by_size ON enterprise (size, id);
CREATE INDEX enterprise_by_employment ON enterprise (COALESCE(employment_total, -1), id);
CREATE INDEX enterprise_by_created_at ON enterprise (created_at, id);
CREATE INDEX enterprise_by_updated_at ON enterprise (updated_at, id)",
    down: "
DELETE FROM external_ref WHERE resource = 'enterprise';
DELETE FROM search_term WHERE resource = 'enterprise';
DELETE FROM change_log WHERE resource = 'enterprise';
DELETE FROM idempotent_answer;
DROP TABLE enterprise"
}
