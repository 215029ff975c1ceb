//! Payments: table and queries.

use sea_orm::entity::prelude::*;

use crate::{
    lifecycle::State as _,
    milestones::entity as milestones,
    problem::{Problem, Text, Violation, problem_types},
    projects::{belonging, budget, dto::Line, entity as projects, rules::State},
    store::Transaction,
};

crate::store::record_table! {
    /// A payment.
    "payment" {
        /// The project.
        project_id: Uuid,
        /// The code of its province, which is the project's.
        province: String,
        /// Budget line.
        line: Line,
        /// Amount in rials.
        amount_irr: i64,
        /// The day of the payment.
        paid_on: ChronoDate,
        /// Milestone that is paid for.
        milestone_id: Option<Uuid>,
        /// The number of the payment document.
        document_no: String,
        /// Payee.
        payee_fa: Option<String>,
        /// The day on which it was reconciled with the bank statement.
        reconciled_on: Option<ChronoDate>,
        /// Note.
        note: Option<String>,
    }
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
        if self.amount_irr <= remaining {
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
