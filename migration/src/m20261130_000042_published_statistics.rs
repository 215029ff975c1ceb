//! Published statistics: the quarters that were published, their tables, and the firms that they were made
//! of.

crate::migration! {
    up: "
CREATE TABLE statistics_release (
    quarter {key} PRIMARY KEY,
    as_of {date} NOT NULL,
    published_at {timestamp} NOT NULL,
    digest text NOT NULL,
    basis {bytes} NOT NULL
);
CREATE UNIQUE INDEX statistics_release_by_day ON statistics_release (as_of);
CREATE TABLE statistics_programme (
    quarter {key} NOT NULL REFERENCES statistics_release (quarter),
    province {key} NOT NULL REFERENCES province (code),
    clusters bigint NOT NULL,
    in_development bigint NOT NULL,
    developed bigint NOT NULL,
    running_projects bigint NOT NULL,
    closed_projects bigint NOT NULL,
    PRIMARY KEY (quarter, province)
);
CREATE TABLE statistics_cell (
    quarter {key} NOT NULL REFERENCES statistics_release (quarter),
    level {key} NOT NULL,
    area {key} NOT NULL,
    industry {key} NOT NULL,
    enterprises bigint,
    employment bigint,
    PRIMARY KEY (quarter, level, area, industry)
)",
    down: "DROP TABLE statistics_cell; DROP TABLE statistics_programme; DROP TABLE statistics_release"
}
