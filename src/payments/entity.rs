//! Payments: table and queries.

use macros::record;
use sea_orm::entity::prelude::*;

use crate::{
    lifecycle::State as _,
    milestones::entity as milestones,
    persian::Date,
    problem::{Problem, Text, Violation, problem_types},
    projects::{belonging, budget, dto::Line, entity as projects, rules::State},
    provinces::ProvinceCode,
    store::Transaction,
    values::Amount,
};

/// A payment (پرداخت) from a line of a project's budget.
#[record(table = "payment", shown, input = PaymentInput, sort(paid_on, amount_irr, created_at, updated_at))]
#[input(
    about = "Input of a payment. `project_id`, `line`, `amount_irr`, `paid_on` and `document_no` are required.",
    example = json!({
    "project_id": "0193f0a0-0000-7000-8000-000000000000", "line": "cda_fee", "amount_irr": "450000000", "paid_on": "2014-03-20",
    "document_no": "1393/2208", "payee_fa": "عامل توسعهٔ نمونه", "reconciled_on": "2014-04-04",
})
)]
pub struct Model {
    /// The project: needed for a new payment. It never changes.
    #[input(optional)]
    pub project_id: Uuid,
    /// The province, which is that of the project.
    #[shown]
    pub province: ProvinceCode,
    /// Budget line.
    #[schema(example = "cda_fee")]
    pub line: Line,
    /// Amount in whole rials: at most the remaining budget of the line.
    #[schema(example = "450000000")]
    #[input(value_type = String, format = "int64", pattern = "^[1-9][0-9]{0,17}$")]
    pub amount_irr: Amount,
    /// The day of the payment, not in the future.
    pub paid_on: Date,
    /// Milestone of the project that is paid for.
    #[view(example = json!(null))]
    pub milestone_id: Option<Uuid>,
    /// The number of the payment document.
    #[schema(example = "1393/2208")]
    #[input(min_length = 1, max_length = 100, pattern = "\\S", format = "name")]
    pub document_no: String,
    /// Payee, in Persian.
    #[schema(example = "عامل توسعهٔ نمونه")]
    #[input(min_length = 1, max_length = 200, pattern = "[\\p{L}\\p{N}]", format = "name")]
    pub payee_fa: Option<String>,
    /// The day on which it was reconciled with the bank statement: not before the payment, and not in the
    /// future.
    #[schema(example = "2014-04-04")]
    pub reconciled_on: Option<Date>,
    /// Note.
    #[schema(example = "قسط نخست قرارداد")]
    #[input(min_length = 1, max_length = 2000, pattern = "\\S")]
    pub note: Option<String>,
}

impl Model {
    /// The project, locked; 409 if it takes no payments.
    pub(super) async fn open_project(&self, transaction: &Transaction) -> Result<projects::Model, Problem> {
        let project = belonging::own_project(transaction, self.project_id).await?;
        if !matches!(project.state, State::Draft | State::Approved | State::Closed) {
            return Ok(project);
        }
        let state = project.state.name();
        let detail = Text::new(
            format!("وضعیت پروژه «{state}» است و در آن پرداخت نه ثبت می‌شود، نه تغییر می‌کند و نه حذف می‌شود."),
            format!("The project is '{state}': payments are neither recorded nor changed nor deleted."),
        );
        Err(Problem::new(&problem_types::PROJECT_NOT_OPEN).detail(detail))
    }

    /// A payment is for a milestone of its own project.
    pub(super) async fn check_milestone(&self, transaction: &Transaction) -> Result<(), Problem> {
        let Some(id) = self.milestone_id else { return Ok(()) };
        let milestone: milestones::Model = transaction.referred(id, "/milestone_id").await?;
        if milestone.project_id == self.project_id {
            return Ok(());
        }
        let detail = Text::new("چنین نقطهٔ عطفی در این پروژه نیست.", "The project has no such milestone.");
        Err(Problem::invalid(vec![Violation::body("/milestone_id", "unknown_record", detail)]))
    }

    /// Rule 8 of `domain.md`.
    pub(super) async fn check_budget(
        &self,
        transaction: &Transaction,
        project: &projects::Model,
    ) -> Result<(), Problem> {
        let remaining = budget::remaining(transaction, project, self.line, self.id).await?;
        if self.amount_irr.0 <= remaining {
            return Ok(());
        }
        let line = self.line.name();
        let detail = Text::new(
            format!("از مبلغ مصوب ردیف {line} تنها {remaining} ریال مانده است."),
            format!("Of the approved amount of the line {line} only {remaining} rials are left."),
        );
        Err(Problem::new(&problem_types::BUDGET_EXCEEDED).detail(detail.clone()).violation(Violation::body(
            "/amount_irr",
            "too_large",
            detail,
        )))
    }
}
