//! Payments from the budget lines of projects.

crate::migration! {
    up: "
CREATE TABLE payment (
    {record},
    project_id {uuid} NOT NULL,
    province {key} NOT NULL,
    line {key} NOT NULL,
    amount_irr bigint NOT NULL,
    paid_on {date} NOT NULL,
    milestone_id {uuid} REFERENCES milestone (id),
    document_no text NOT NULL,
    payee_fa text,
    reconciled_on {date},
    note text,
    FOREIGN KEY (project_id, province) REFERENCES project (id, province)
);
CREATE INDEX payment_by_project ON payment (project_id, line, paid_on, id);
CREATE INDEX payment_by_milestone ON payment (milestone_id, id);
CREATE INDEX payment_by_line ON payment (line, paid_on, id);
CREATE INDEX payment_by_paid_on ON payment (paid_on, id);
CREATE INDEX payment_by_amount ON payment (amount_irr, id);
CREATE INDEX payment_by_reconciliation ON payment (reconciled_on, id);
CREATE INDEX payment_by_province ON payment (province, paid_on, id);
CREATE INDEX payment_by_province_id ON payment (province, id);
CREATE INDEX payment_by_created_at ON payment (created_at, id);
CREATE INDEX payment_by_updated_at ON payment (updated_at, id);
CREATE INDEX payment_by_province_updated_at ON payment (province, updated_at, id)",
    down: "
DELETE FROM external_ref WHERE resource = 'payment';
DELETE FROM search_term WHERE resource = 'payment';
DELETE FROM change_log WHERE resource = 'payment';
DELETE FROM idempotent_answer;
DROP TABLE payment"
}
