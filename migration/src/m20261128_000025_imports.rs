//! Imports: what was sent, how far it is, and what became of each row.

crate::migration! {
    up: "
CREATE TABLE import (
    id {uuid} PRIMARY KEY,
    account_id {uuid} NOT NULL,
    province {key} REFERENCES province (code),
    permissions {json} NOT NULL,
    request_id text NOT NULL,
    resource text NOT NULL,
    format text NOT NULL,
    mode text NOT NULL,
    is_atomic boolean NOT NULL,
    system text NOT NULL,
    calendar text NOT NULL,
    headings {json} NOT NULL,
    delimiter integer NOT NULL,
    state {key} NOT NULL,
    problem text,
    bytes_total bigint NOT NULL,
    bytes_done bigint NOT NULL,
    lines_done bigint NOT NULL,
    rows_done bigint NOT NULL,
    created bigint NOT NULL,
    updated bigint NOT NULL,
    unchanged bigint NOT NULL,
    failed bigint NOT NULL,
    created_at {timestamp} NOT NULL,
    touched_at {timestamp} NOT NULL,
    started_at {timestamp},
    finished_at {timestamp}
);
CREATE INDEX import_state ON import (state, touched_at);
CREATE INDEX import_account ON import (account_id, id);
CREATE INDEX import_province ON import (province, id);
CREATE TABLE import_part (
    import_id {uuid} NOT NULL REFERENCES import (id),
    number integer NOT NULL,
    content {bytes} NOT NULL,
    PRIMARY KEY (import_id, number)
);
CREATE TABLE import_row (
    import_id {uuid} NOT NULL REFERENCES import (id),
    number bigint NOT NULL,
    line bigint NOT NULL,
    reference {key},
    outcome {key} NOT NULL,
    record_id {uuid},
    errors {json} NOT NULL,
    PRIMARY KEY (import_id, number)
);
CREATE INDEX import_row_outcome ON import_row (import_id, outcome, number);
CREATE INDEX import_row_reference ON import_row (import_id, reference)",
    down: "DROP TABLE import_row; DROP TABLE import_part; DROP TABLE import"
}
