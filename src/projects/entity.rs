//! Projects: table and queries.

use macros::record;
use sea_orm::{
    DeriveActiveEnum, EnumIter,
    entity::prelude::*,
    prelude::StringLen,
    sea_query::{Condition, ExprTrait, IntoColumnRef, Query, SelectStatement},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{assignments, dates::Span, supervisions};
use crate::{
    lifecycle::{self, AllowedTransition},
    persian::Date,
    policy::{Caller, Role},
    problem::{Problem, problem_types},
    provinces::ProvinceCode,
    store::Transaction,
    values::{Amount, List},
};

/// A cluster development project (پروژهٔ توسعهٔ خوشه): a planned effort of a provincial company, directed by
/// one CDA, to raise a cluster's dynamism and competitiveness.
#[record(table = "project", shown, input = ProjectInput)]
#[input(about = "Input of a project. Only `cluster_id`, `organisation_id` and `title_fa` are required.")]
pub struct Model {
    /// The code in the programme; given out by the service when left out.
    #[view(example = "15-P-0001")]
    #[input(optional, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$", nullable = false)]
    pub code: String,
    /// The cluster that it develops.
    pub cluster_id: Uuid,
    /// Organisation that carries it out: of the same province, or a national one.
    pub organisation_id: Uuid,
    /// The province, which is that of the cluster.
    #[shown]
    pub province: ProvinceCode,
    /// The title in Persian.
    #[schema(example = "پروژهٔ توسعهٔ خوشهٔ سنگ لرستان")]
    #[input(min_length = 1, max_length = 300, pattern = "[\\p{L}\\p{N}]", format = "name")]
    pub title_fa: String,
    /// The title in English.
    #[schema(example = "Development of the stone cluster of Lorestan")]
    #[input(min_length = 1, max_length = 300, pattern = "[\\p{L}\\p{N}]", format = "name")]
    pub title_en: Option<String>,
    /// The Persian title in the form that sorts as a dictionary does.
    #[kept]
    pub title_order: String,
    /// The number of the contract.
    #[schema(example = "1393/112")]
    #[input(min_length = 1, max_length = 100, pattern = "\\S", format = "name")]
    pub contract_no: Option<String>,
    /// The first day of the contract.
    pub contract_start: Option<Date>,
    /// The last day of the contract. Phases and milestones lie within it.
    #[schema(example = "2017-03-20")]
    pub contract_end: Option<Date>,
    /// Planned duration in months; 36 by default.
    #[schema(minimum = 1, example = 36)]
    #[input(default = "typical_months", maximum = 240)]
    pub planned_months: i32,
    /// The approved budget; each line once.
    #[input(default, max_items = 4)]
    pub budget: List<BudgetLine>,
    /// Vision for the cluster.
    #[schema(example = "قطب صادرات سنگ تزئینی کشور")]
    #[input(min_length = 1, max_length = 4000, pattern = "\\S")]
    pub vision: Option<String>,
    /// Organisation that receives the results of the project, such as an association: of the same province,
    /// or national.
    #[view(example = json!(null))]
    pub receiving_organisation_id: Option<Uuid>,
    /// State. It changes only by `POST /projects/{id}/transitions`.
    #[shown]
    pub state: State,
    /// Allowed transitions, each with its unmet conditions. Not part of the history, because they depend on
    /// other records.
    #[computed]
    #[schema(example = json!([{"to": "approved", "needs": ["decision_id"], "missing": []}]))]
    pub allowed_transitions: Vec<AllowedTransition<State>>,
    /// State before the suspension.
    #[kept]
    pub suspended_from: Option<State>,
}

/// Three years, as the programme has it.
fn typical_months() -> i32 {
    36
}

impl Model {
    /// The days of the contract, within which the phases and milestones lie.
    pub fn contract(&self) -> Span {
        Span { from: self.contract_start, to: self.contract_end }
    }
}

/// Condition that a project in a column is the caller's own work today: assigned to it for a CDA or a
/// supervisor, any for everybody else.
pub fn assigned_to(caller: &Caller, project: impl IntoColumnRef) -> Condition {
    let assigned = match caller.role {
        Role::Cda => assigned_to_cda(caller.cda_id.unwrap_or_default()),
        Role::Supervisor => today(supervisions::Entity, supervisions::Column::AccountId.eq(caller.id)),
        _ => return Condition::all(),
    };
    Condition::all().add(Expr::col(project).in_subquery(assigned))
}

pub(super) fn assigned_to_cda(cda: Uuid) -> SelectStatement {
    today(assignments::Entity, assignments::Column::CdaId.eq(cda))
}

/// The projects in live rows of an entity that are valid today.
fn today(entity: impl EntityTrait, whose: Expr) -> SelectStatement {
    let day = Date::today_in_iran().naive();
    Query::select()
        .column("project_id")
        .from(entity)
        .and_where(whose)
        .and_where(Expr::col("deleted_at").is_null())
        .and_where(Expr::col("valid_from").lte(day))
        .cond_where(Condition::any().add(Expr::col("valid_to").is_null()).add(Expr::col("valid_to").gte(day)))
        .to_owned()
}

/// 403 for a CDA or a supervisor who is not assigned to the project today.
pub async fn check_assigned(transaction: &Transaction, project: Uuid) -> Result<(), Problem> {
    if !matches!(transaction.author().role, Role::Cda | Role::Supervisor) {
        return Ok(());
    }
    let own = Entity::find_by_id(project)
        .filter(assigned_to(transaction.author(), Column::Id))
        .one(&**transaction)
        .await?;
    own.map(|_| ()).ok_or_else(|| Problem::new(&problem_types::NOT_ASSIGNED))
}

/// A line of the approved budget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetLine {
    /// Purpose of the line.
    #[schema(example = "cda_fee")]
    pub line: Line,
    /// The approved amount, in whole rials.
    pub amount_irr: Amount,
}

/// States of a project.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = ProjectState)]
pub enum State {
    /// Draft.
    #[default]
    Draft,
    /// Approved by decision.
    Approved,
    /// Under contract.
    Contracted,
    /// The diagnostic study is under way; trust building has begun.
    Diagnostic,
    /// The action plan is being made.
    Planning,
    /// The action plan is being carried out.
    Implementing,
    /// The results are being evaluated.
    Evaluating,
    /// Handed over to the receiving body.
    HandedOver,
    /// Closed with the completion licence.
    Closed,
    /// Resting; it goes back to the state that it was suspended from.
    Suspended,
    /// Ended before reaching its goal.
    Terminated,
}

impl lifecycle::State for State {}

impl State {
    /// The states of a live project, in their order.
    pub const LIVE: &'static [Self] = &[
        Self::Approved,
        Self::Contracted,
        Self::Diagnostic,
        Self::Planning,
        Self::Implementing,
        Self::Evaluating,
        Self::HandedOver,
    ];

    /// Whether the plan is open: milestones can be added, changed and cancelled.
    pub fn is_open(self) -> bool {
        use State::*;
        matches!(self, Draft | Approved | Contracted | Diagnostic | Planning | Implementing)
    }
}

/// The lines of a budget.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    EnumIter,
    DeriveActiveEnum,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = BudgetLineName)]
pub enum Line {
    /// The fee of the CDA.
    #[default]
    CdaFee,
    /// Supervision.
    Supervision,
    /// Subprojects of the action plan.
    Subproject,
    /// Training.
    Training,
}

impl Line {
    /// The name, such as `cda_fee`.
    pub fn name(self) -> String {
        self.to_value()
    }
}
