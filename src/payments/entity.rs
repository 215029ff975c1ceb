//! Payments: table and queries.

use sea_orm::{entity::prelude::*, sea_query::Condition};

use super::dto::{Payment, PaymentFilter};
use crate::{
    http::{SortKey, page::Listed},
    lifecycle::State as _,
    milestones::entity as milestones,
    problem::{Problem, Text, Violation, problem_types},
    projects::{belonging, budget, dto::Line, entity as projects, rules::State},
    provinces,
    store::{Include, Reading, Record, SqlKind, Transaction, search},
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

impl Record for Model {
    type Active = ActiveModel;
    type View = Payment;

    const RESOURCE: &'static str = "payment";
    const DAYS: &'static [&'static str] = &["paid_on", "reconciled_on"];
    const REFERRED_BY: &'static [(&'static str, &'static str)] = &[("attachment", "subject_id")];
    const INCLUDES: &'static [Include] = &[
        Include::new("project", "the project", "projects:read"),
        Include::new("milestone", "the milestone that it is paid for", "milestones:read"),
    ];

    fn view(&self) -> Payment {
        Payment::from(self)
    }

    fn province(&self) -> Option<&str> {
        Some(&self.province)
    }

    fn address(&self) -> String {
        format!("payments/{}", self.id)
    }

    fn terms(&self) -> Vec<(&'static str, String)> {
        search::words([Some(&self.document_no), self.payee_fa.as_ref(), self.note.as_ref()])
    }

    async fn views(rows: &[Self], reading: &Reading<'_>) -> Result<Vec<Payment>, Problem> {
        let projects = match reading.includes("project") {
            true => reading.by_ids::<projects::Model>(rows.iter().map(|row| row.project_id)).await?,
            false => Default::default(),
        };
        let milestones = match reading.includes("milestone") {
            true => {
                reading.by_ids::<milestones::Model>(rows.iter().filter_map(|row| row.milestone_id)).await?
            }
            false => Default::default(),
        };
        let view = |row: &Self| {
            let mut view = row.view();
            view.project = projects.get(&row.project_id).cloned();
            view.milestone = row.milestone_id.and_then(|id| milestones.get(&id)).cloned();
            view
        };
        Ok(rows.iter().map(view).collect())
    }

    fn affects_earned_value(&self, _: Option<&Self>) -> Option<Uuid> {
        Some(self.project_id)
    }

    async fn before_write(&mut self, _: Option<&Self>, transaction: &Transaction) -> Result<(), Problem> {
        // The milestone before the project, in the same lock order as the deletion of milestones.
        self.check_milestone(transaction).await?;
        let project = self.open_project(transaction).await?;
        self.province = project.province.clone();
        self.check_budget(transaction, &project).await
    }

    async fn before_delete(&self, transaction: &Transaction) -> Result<(), Problem> {
        self.open_project(transaction).await?;
        Ok(())
    }
}

impl Model {
    /// The project, locked; 409 if it takes no payments.
    async fn open_project(&self, transaction: &Transaction) -> Result<projects::Model, Problem> {
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
    async fn check_milestone(&self, transaction: &Transaction) -> Result<(), Problem> {
        let Some(id) = self.milestone_id else { return Ok(()) };
        let milestone: milestones::Model = transaction.referred(id, "/milestone_id").await?;
        if milestone.project_id == self.project_id {
            return Ok(());
        }
        let detail = Text::new("چنین نقطهٔ عطفی در این پروژه نیست.", "The project has no such milestone.");
        Err(Problem::invalid(vec![Violation::body("/milestone_id", "unknown_record", detail)]))
    }

    /// Rule 8 of `domain.md`.
    async fn check_budget(
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

impl Listed for Model {
    const SORT_KEYS: &'static [SortKey<Self>] = &[
        SortKey {
            name: "paid_on",
            sql: "payment.paid_on",
            kind: SqlKind::Date,
            value: |row| row.paid_on.into(),
        },
        SortKey {
            name: "amount_irr",
            sql: "payment.amount_irr",
            kind: SqlKind::Integer,
            value: |row| row.amount_irr.into(),
        },
        SortKey {
            name: "created_at",
            sql: "payment.created_at",
            kind: SqlKind::Timestamp,
            value: |row| row.created_at.into(),
        },
        SortKey {
            name: "updated_at",
            sql: "payment.updated_at",
            kind: SqlKind::Timestamp,
            value: |row| row.updated_at.into(),
        },
        SortKey { name: "id", sql: "payment.id", kind: SqlKind::Uuid, value: |row| row.id.into() },
    ];
}

impl PaymentFilter {
    /// Condition for the matching rows.
    pub fn condition(&self) -> Condition {
        let reconciled =
            |is: bool| if is { Column::ReconciledOn.is_not_null() } else { Column::ReconciledOn.is_null() };
        Condition::all()
            .add_option(self.project_id.map(|id| Column::ProjectId.eq(id)))
            .add_option(self.line.as_ref().map(|lines| Column::Line.is_in(lines.iter().copied())))
            .add_option(self.province.as_ref().map(|list| Column::Province.is_in(provinces::codes(list))))
            .add_option(self.milestone_id.map(|id| Column::MilestoneId.eq(id)))
            .add_option(self.paid_from.map(|day| Column::PaidOn.gte(day.naive())))
            .add_option(self.paid_before.map(|day| Column::PaidOn.lt(day.naive())))
            .add_option(self.reconciled.map(reconciled))
    }
}
