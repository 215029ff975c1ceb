//! Projects: table and queries.

use sea_orm::{
    DeriveActiveEnum, EnumIter, FromJsonQueryResult,
    entity::prelude::*,
    prelude::StringLen,
    sea_query::{Condition, ExprTrait, IntoColumnRef, Query, SelectStatement},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{assignments, dates::Span, supervisions};
use crate::{
    lifecycle,
    persian::Date,
    policy::{Caller, Role},
    problem::{Problem, problem_types},
    store::Transaction,
    values::Amount,
};

crate::store::record_table! {
    /// A project.
    "project" {
        /// Its code.
        code: String,
        /// The cluster that it develops.
        cluster_id: Uuid,
        /// Organisation that carries it out.
        organisation_id: Uuid,
        /// The code of its province, which is its cluster's.
        province: String,
        /// Its Persian title as given.
        title_fa: String,
        /// Its English title.
        title_en: Option<String>,
        /// The Persian title in the form that sorts as a dictionary does.
        title_order: String,
        /// The number of the contract.
        contract_no: Option<String>,
        /// The first day of the contract.
        contract_start: Option<ChronoDate>,
        /// The last day of the contract.
        contract_end: Option<ChronoDate>,
        /// Planned duration in months.
        planned_months: i32,
        /// The approved budget.
        budget: Budget,
        /// Vision for the cluster.
        vision: Option<String>,
        /// State.
        state: State,
        /// State before the suspension.
        suspended_from: Option<State>,
        /// Organisation that receives the results.
        receiving_organisation_id: Option<Uuid>,
    }
}

/// The budget in its column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Budget(pub Vec<BudgetLine>);

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
