//! The states of a cluster, as `domain.md` lists them.

use sea_orm::{DeriveActiveEnum, EnumIter, prelude::StringLen};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{dto::ClusterTransition, entity::Model, identified::Precision};
use crate::{
    http::{Problem, Text, Violation, catalogue},
    persian::Date,
    store::{
        Transaction,
        status_event::{self, Event},
    },
};

/// Where a cluster stands in the programme.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = ClusterState)]
pub enum State {
    /// Named by somebody, not yet identified.
    #[default]
    Candidate,
    /// Identified as a cluster.
    Identified,
    /// Prioritised by the provincial committee.
    Prioritised,
    /// A feasibility study is under way.
    Feasibility,
    /// The study found it feasible.
    Feasible,
    /// The study found it not feasible.
    NotFeasible,
    /// A development project is running.
    InDevelopment,
    /// Its project is closed with the completion licence.
    Developed,
    /// Merged into another cluster.
    Merged,
    /// Split into several clusters.
    Split,
    /// Withdrawn from the programme.
    Withdrawn,
}

impl State {
    /// The states that may follow this one.
    pub fn next(self) -> &'static [Self] {
        use State::*;
        match self {
            Candidate => &[Identified, Merged, Split, Withdrawn],
            Identified => &[Prioritised, Merged, Split, Withdrawn],
            Prioritised => &[Feasibility, Merged, Split, Withdrawn],
            Feasibility => &[Feasible, NotFeasible, Merged, Split, Withdrawn],
            Feasible => &[InDevelopment, Merged, Split, Withdrawn],
            NotFeasible => &[Prioritised, Merged, Split, Withdrawn],
            InDevelopment => &[Developed, Feasible, Merged, Split, Withdrawn],
            Developed => &[Merged, Split, Withdrawn],
            Merged | Split | Withdrawn => &[],
        }
    }

    /// Whether entering the state needs a reason.
    pub fn needs_reason(self) -> bool {
        matches!(self, Self::Merged | Self::Split | Self::Withdrawn)
    }

    /// The name, such as `in_development`.
    pub fn name(self) -> String {
        sea_orm::ActiveEnum::to_value(&self)
    }
}

/// Applies a transition that the rules allow, and records since when it holds.
pub async fn change_state(transaction: &Transaction, cluster: &Model, transition: ClusterTransition) -> Result<Model, Problem> {
    let (from, to) = (cluster.state, transition.to);
    if !from.next().contains(&to) {
        let allowed: Vec<String> = from.next().iter().map(|state| state.name()).collect();
        return Err(Problem::new(&catalogue::TRANSITION_NOT_ALLOWED)
            .detail(Text::new(
                format!("از «{}» نمی‌توان به «{}» رفت.", from.name(), to.name()),
                format!("'{}' cannot follow '{}'.", to.name(), from.name()),
            ))
            .member("allowed", json!(allowed)));
    }
    let effective_on = transition.effective_on.unwrap_or_else(Date::today_in_iran);
    let mut row = cluster.clone();
    row.state = to;
    if to == State::Identified && row.identified_not_later_than.is_none() {
        row.identified_on = Some(effective_on.naive());
        row.identified_precision = Some(Precision::Day);
        row.identified_not_later_than = Some(effective_on.naive());
    }
    // First of all, so that whoever lost a race learns that (412), and not what the winner's change makes wrong.
    let row = transaction.transition(cluster, row).await?;
    let mut faults = Vec::new();
    if effective_on > Date::today_in_iran() {
        faults.push(Violation::body(
            "/effective_on",
            "in_future",
            Text::new("تاریخ تغییر وضعیت نمی‌تواند در آینده باشد.", "A change of state cannot lie in the future."),
        ));
    }
    if let Some(latest) = status_event::latest(&**transaction, cluster).await?.filter(|latest| effective_on < *latest) {
        let day = latest.naive();
        faults.push(Violation::body(
            "/effective_on",
            "too_early",
            Text::new(format!("تغییر وضعیت پیشین در {day} (میلادی) بوده است."), format!("The change of state before it was on {day}.")),
        ));
    }
    if to.needs_reason() && transition.reason.is_none() {
        faults.push(Violation::body("/reason", "required", Text::new("برای این گذار دلیل لازم است.", "This transition needs a reason.")));
    }
    if !faults.is_empty() {
        return Err(Problem::invalid(faults));
    }
    let event = Event { from: &from.name(), to: &to.name(), effective_on, decision_id: transition.decision_id, reason: transition.reason };
    status_event::record(transaction, cluster, event).await?;
    Ok(row)
}
