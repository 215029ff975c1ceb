//! Webhooks: the subscriptions, how far each has followed the changes, its deliveries, and each attempt at
//! one.

crate::migration! {
    up: "
CREATE TABLE webhook (
    {record},
    account_id {uuid} NOT NULL REFERENCES account (id),
    province {key} REFERENCES province (code),
    url text NOT NULL,
    resources {json} NOT NULL,
    description text,
    is_active boolean NOT NULL,
    disabled_reason {key},
    disabled_at {timestamp},
    secrets {json} NOT NULL
);
CREATE INDEX webhook_by_province ON webhook (province, id);
CREATE INDEX webhook_by_province_updated_at ON webhook (province, updated_at, id);
CREATE INDEX webhook_by_account ON webhook (account_id, id);
CREATE INDEX webhook_by_created_at ON webhook (created_at, id);
CREATE INDEX webhook_by_updated_at ON webhook (updated_at, id);
CREATE TABLE webhook_lane (
    webhook_id {uuid} PRIMARY KEY,
    seen text NOT NULL,
    until text,
    position bigint,
    failures bigint NOT NULL,
    served_at {timestamp} NOT NULL
);
CREATE INDEX webhook_lane_turn ON webhook_lane (served_at, webhook_id);
CREATE TABLE webhook_delivery (
    id {uuid} PRIMARY KEY,
    webhook_id {uuid} NOT NULL REFERENCES webhook (id),
    event {key} NOT NULL,
    resource {key},
    record_id {uuid},
    version bigint,
    seq bigint,
    state {key} NOT NULL,
    attempts bigint NOT NULL,
    tries bigint NOT NULL,
    next_attempt_at {timestamp},
    claimed_until {timestamp},
    created_at {timestamp} NOT NULL,
    settled_at {timestamp}
);
CREATE UNIQUE INDEX webhook_delivery_once ON webhook_delivery (webhook_id, seq);
CREATE INDEX webhook_delivery_due ON webhook_delivery (webhook_id, next_attempt_at, seq) WHERE state = 'pending' AND next_attempt_at IS NOT NULL;
CREATE INDEX webhook_delivery_order ON webhook_delivery (webhook_id, resource, record_id, seq) WHERE state = 'pending';
CREATE INDEX webhook_delivery_claimed ON webhook_delivery (webhook_id, claimed_until) WHERE claimed_until IS NOT NULL;
CREATE INDEX webhook_delivery_by_state ON webhook_delivery (webhook_id, state, id);
CREATE INDEX webhook_delivery_by_record ON webhook_delivery (webhook_id, record_id, id);
CREATE INDEX webhook_delivery_by_id ON webhook_delivery (webhook_id, id);
CREATE INDEX webhook_delivery_settled ON webhook_delivery (settled_at) WHERE settled_at IS NOT NULL;
CREATE TABLE webhook_attempt (
    delivery_id {uuid} NOT NULL REFERENCES webhook_delivery (id) ON DELETE CASCADE,
    number bigint NOT NULL,
    attempted_at {timestamp} NOT NULL,
    duration_ms bigint NOT NULL,
    status bigint,
    fault {key},
    answer text,
    PRIMARY KEY (delivery_id, number)
)",
    down: "
DELETE FROM external_ref WHERE resource = 'webhook';
DELETE FROM search_term WHERE resource = 'webhook';
DELETE FROM change_log WHERE resource = 'webhook';
DELETE FROM idempotent_answer;
DROP TABLE webhook_attempt; DROP TABLE webhook_delivery; DROP TABLE webhook_lane; DROP TABLE webhook"
}
