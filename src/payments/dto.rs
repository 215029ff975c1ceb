//! DTOs of payments: representation and input.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::entity::Model;
use crate::{
    milestones::dto::Milestone,
    persian::Date,
    problem::{Problem, Text, Violation},
    projects::{
        belonging, dates,
        dto::{Line, Project},
    },
    provinces::ProvinceCode,
    store::{Input, RecordInfo, external_ref::ExternalRefs},
    values::Amount,
};

/// A payment (پرداخت) from a line of a project's budget.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Payment {
    #[serde(flatten)]
    info: RecordInfo,
    /// The project.
    project_id: Uuid,
    /// The province, which is that of the project.
    province: ProvinceCode,
    /// Budget line.
    #[schema(example = "cda_fee")]
    line: Line,
    /// Amount in whole rials.
    #[schema(example = "450000000")]
    amount_irr: Amount,
    /// The day of the payment.
    paid_on: Date,
    /// Milestone that is paid for.
    #[schema(required, example = json!(null))]
    milestone_id: Option<Uuid>,
    /// The number of the payment document.
    #[schema(example = "1393/2208")]
    document_no: String,
    /// Payee, in Persian.
    #[schema(required, example = "عامل توسعهٔ نمونه")]
    payee_fa: Option<String>,
    /// The day on which it was reconciled with the bank statement.
    #[schema(required, example = "2014-04-04")]
    reconciled_on: Option<Date>,
    /// Note.
    #[schema(required, example = "قسط نخست قرارداد")]
    note: Option<String>,
    /// The project; with `include=project`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub project: Option<Project>,
    /// Milestone that is paid for; with `include=milestone`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub milestone: Option<Milestone>,
}

impl From<&Model> for Payment {
    fn from(row: &Model) -> Self {
        let input = PaymentInput::from(row);
        Self {
            info: row.into(),
            project_id: row.project_id,
            province: ProvinceCode(row.province.clone()),
            line: input.line,
            amount_irr: input.amount_irr,
            paid_on: input.paid_on,
            milestone_id: input.milestone_id,
            document_no: input.document_no,
            payee_fa: input.payee_fa,
            reconciled_on: input.reconciled_on,
            note: input.note,
            project: None,
            milestone: None,
        }
    }
}

/// Input of a payment. `project_id`, `line`, `amount_irr`, `paid_on` and `document_no` are required.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "project_id": "0193f0a0-0000-7000-8000-000000000000", "line": "cda_fee", "amount_irr": "450000000", "paid_on": "2014-03-20",
    "document_no": "1393/2208", "payee_fa": "عامل توسعهٔ نمونه", "reconciled_on": "2014-04-04",
}))]
pub struct PaymentInput {
    /// The project: needed for a new payment. It never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<Uuid>,
    /// Budget line.
    #[schema(example = "cda_fee")]
    pub line: Line,
    /// Amount in whole rials: at most the remaining budget of the line.
    #[schema(value_type = String, format = "int64", pattern = "^[1-9][0-9]{0,17}$", example = "450000000")]
    pub amount_irr: Amount,
    /// The day of the payment, not in the future.
    pub paid_on: Date,
    /// Milestone of the project that is paid for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub milestone_id: Option<Uuid>,
    /// The number of the payment document.
    #[schema(min_length = 1, max_length = 100, pattern = "\\S", format = "name", example = "1393/2208")]
    pub document_no: String,
    /// Payee, in Persian.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "[\\p{L}\\p{N}]",
        format = "name",
        example = "عامل توسعهٔ نمونه"
    )]
    pub payee_fa: Option<String>,
    /// The day on which it was reconciled with the bank statement: not before the payment, and not in the
    /// future.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "2014-04-04")]
    pub reconciled_on: Option<Date>,
    /// Note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 2000, pattern = "\\S", example = "قسط نخست قرارداد")]
    pub note: Option<String>,
    /// Identifiers of the payment in other systems.
    #[serde(default)]
    pub external_refs: ExternalRefs,
}

impl From<&Model> for PaymentInput {
    fn from(row: &Model) -> Self {
        let row = row.clone();
        Self {
            project_id: Some(row.project_id),
            line: row.line,
            amount_irr: Amount(row.amount_irr),
            paid_on: row.paid_on.into(),
            milestone_id: row.milestone_id,
            document_no: row.document_no,
            payee_fa: row.payee_fa,
            reconciled_on: row.reconciled_on.map(Date::from),
            note: row.note,
            external_refs: row.external_refs,
        }
    }
}

impl Input<Model> for PaymentInput {
    fn external_refs(&mut self) -> &mut ExternalRefs {
        &mut self.external_refs
    }

    fn onto_row(self, row: &Model) -> Result<Model, Problem> {
        let (paid_on, reconciled_on) = (self.paid_on.naive(), self.reconciled_on.map(Date::naive));
        let mut faults: Vec<_> = belonging::misnamed(self.project_id, row.project_id).into_iter().collect();
        for (pointer, day) in [("/paid_on", Some(self.paid_on)), ("/reconciled_on", self.reconciled_on)] {
            if day.is_some_and(|day| day > Date::today_in_iran()) {
                let detail = Text::new(
                    "آنچه رخ داده نمی‌تواند در آینده باشد.",
                    "What has happened cannot lie in the future.",
                );
                faults.push(Violation::body(pointer, "in_future", detail));
            }
        }
        if reconciled_on.is_some_and(|day| day < paid_on) {
            let detail =
                Text::new("مغایرت‌گیری پیش از پرداخت نیست.", "It is not reconciled before it is paid.");
            faults.push(Violation::body("/reconciled_on", "too_early", detail));
        }
        dates::all_or_none(faults)?;
        Ok(Model {
            project_id: self.project_id.unwrap_or(row.project_id),
            line: self.line,
            amount_irr: self.amount_irr.0,
            paid_on,
            milestone_id: self.milestone_id,
            document_no: self.document_no,
            payee_fa: self.payee_fa,
            reconciled_on,
            note: self.note,
            external_refs: self.external_refs,
            ..row.clone()
        })
    }
}

/// Filters of the list of payments.
#[derive(Debug, Deserialize, IntoParams)]
pub struct PaymentFilter {
    /// The payments of this project.
    pub project_id: Option<Uuid>,
    /// From any of these budget lines.
    #[param(style = Form, explode = false, min_items = 1, max_items = 4)]
    pub line: Option<Vec<Line>>,
    /// Any of these provinces.
    #[param(style = Form, explode = false, min_items = 1, max_items = 31)]
    pub province: Option<Vec<ProvinceCode>>,
    /// The payments for this milestone.
    pub milestone_id: Option<Uuid>,
    /// Paid on this day or later.
    pub paid_from: Option<Date>,
    /// Paid before this day.
    pub paid_before: Option<Date>,
    /// With `true` only payments reconciled with the bank statement; with `false` only the others.
    pub reconciled: Option<bool>,
}
