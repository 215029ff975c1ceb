//! Provinces (ISO 3166-2:IR) and industries (ISIC Rev. 4).

crate::migration! {
    up: "
CREATE TABLE province (
    code {key} PRIMARY KEY,
    code_before_2020_11_24 {key} NOT NULL UNIQUE,
    name_fa text NOT NULL,
    name_en text NOT NULL,
    name_order {key} NOT NULL UNIQUE,
    folded text NOT NULL
);
CREATE TABLE industry (
    code {key} PRIMARY KEY,
    level text NOT NULL,
    parent {key} REFERENCES industry (code),
    title_en text NOT NULL,
    title_fa text,
    folded text NOT NULL
);
CREATE INDEX industry_parent ON industry (parent, code);
CREATE INDEX industry_level ON industry (level, code)",
    down: "DROP TABLE industry; DROP TABLE province"
}
