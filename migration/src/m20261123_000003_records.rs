//! What is written with every record: the change log, status events, search terms, external references,
//! code counters, and the answers kept for repeated requests.

crate::migration! {
    up: "
CREATE TABLE change_log (
    seq {counter},
    transaction_id {transaction},
    resource {key} NOT NULL,
    record_id {uuid} NOT NULL,
    version bigint NOT NULL,
    kind text NOT NULL,
    province {key},
    changed_at {timestamp} NOT NULL,
    changed_by {uuid} NOT NULL,
    request_id text NOT NULL,
    data {json} NOT NULL,
    previous_hash text NOT NULL,
    hash text NOT NULL
);
CREATE UNIQUE INDEX change_log_record ON change_log (resource, record_id, version);
CREATE INDEX change_log_order ON change_log (transaction_id, seq);
CREATE TABLE status_event (
    id {uuid} PRIMARY KEY,
    resource {key} NOT NULL,
    record_id {uuid} NOT NULL,
    from_state text NOT NULL,
    to_state text NOT NULL,
    effective_on {date} NOT NULL,
    recorded_at {timestamp} NOT NULL,
    recorded_by {uuid} NOT NULL,
    decision_id {uuid},
    reason text
);
CREATE INDEX status_event_record ON status_event (resource, record_id, effective_on, id);
CREATE TABLE search_term (
    resource {key} NOT NULL,
    field {key} NOT NULL,
    term {key} NOT NULL,
    record_id {uuid} NOT NULL,
    PRIMARY KEY (resource, field, term, record_id)
);
CREATE INDEX search_term_record ON search_term (resource, record_id);
CREATE TABLE external_ref (
    resource {key} NOT NULL,
    system {key} NOT NULL,
    reference {key} NOT NULL,
    record_id {uuid} NOT NULL,
    PRIMARY KEY (resource, system, reference)
);
CREATE INDEX external_ref_record ON external_ref (resource, record_id);
CREATE TABLE code_counter (
    prefix {key} PRIMARY KEY,
    last bigint NOT NULL
);
CREATE TABLE idempotent_answer (
    account_id {uuid} NOT NULL,
    idempotency_key {key} NOT NULL,
    fingerprint text NOT NULL,
    answer {json} NOT NULL,
    created_at {timestamp} NOT NULL,
    PRIMARY KEY (account_id, idempotency_key)
);
CREATE INDEX idempotent_answer_created_at ON idempotent_answer (created_at)",
    down: "
DROP TABLE idempotent_answer; DROP TABLE code_counter; DROP TABLE external_ref; DROP TABLE search_term;
DROP TABLE status_event; DROP TABLE change_log"
}
