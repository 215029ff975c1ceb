//! A national code is unique within a province: who registers a CDA does not learn that another province has
//! one of this code.

crate::migration! {
    up: "
CREATE UNIQUE INDEX cda_national_code_in_province ON cda (national_code_index, province) WHERE deleted_at IS NULL;
DROP INDEX cda_national_code_index",
    down: "
CREATE UNIQUE INDEX cda_national_code_index ON cda (national_code_index) WHERE deleted_at IS NULL;
DROP INDEX cda_national_code_in_province"
}
