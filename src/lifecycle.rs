//! States, and the one way in which they change.

use sea_orm::ActiveEnum;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    http::{Problem, Text, Violation, catalogue},
    persian::Date,
    store::{
        Record, Transaction,
        status_event::{self, Event},
    },
};

/// The states of a kind of record.
pub trait State: ActiveEnum<Value = String> + Copy + PartialEq {
    /// The states that may follow this one.
    fn next(self) -> &'static [Self];

    /// Whether going from this state to another one needs a reason.
    fn needs_reason(self, to: Self) -> bool;

    /// The name, such as `in_development`.
    fn name(self) -> String {
        self.to_value()
    }
}

/// A record that has a state.
pub trait Stateful: Record {
    /// Its states.
    type State: State;

    /// Where it stands.
    fn state(&self) -> Self::State;

    /// The states that may follow.
    fn allowed(&self) -> Vec<Self::State> {
        self.state().next().to_vec()
    }

    /// Enters a state that may follow, on a day.
    fn enter(&mut self, state: Self::State, on: Date);
}

/// A state that may follow.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AllowedTransition<S> {
    /// What to send as `to`.
    pub to: S,
}

impl<S> AllowedTransition<S> {
    /// What may follow for a record.
    pub fn of<R: Stateful<State = S>>(row: &R) -> Vec<Self> {
        row.allowed().into_iter().map(|to| Self { to }).collect()
    }
}

/// A change of state.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Transition<S> {
    /// The new state, one of the record's `allowed_transitions`.
    pub to: S,
    /// The day from which it was so, today when left out: not in the future, and not before the change before it.
    #[serde(default)]
    pub effective_on: Option<Date>,
    /// The decision behind it.
    #[serde(default)]
    pub decision_id: Option<Uuid>,
    /// Why. Some states need it.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 2000, pattern = "\\S", example = "مصوبهٔ کارگروه استانی")]
    pub reason: Option<String>,
}

/// Applies a transition that the rules allow, with what comes along with it, and records since when it holds.
pub async fn change<R: Stateful>(
    transaction: &Transaction,
    before: &R,
    transition: Transition<R::State>,
    adjust: impl FnOnce(&mut R),
) -> Result<R, Problem> {
    let (from, to) = (before.state(), transition.to);
    let allowed = before.allowed();
    if !allowed.contains(&to) {
        let allowed: Vec<String> = allowed.into_iter().map(State::name).collect();
        return Err(Problem::new(&catalogue::TRANSITION_NOT_ALLOWED)
            .detail(Text::new(
                format!("از «{}» نمی‌توان به «{}» رفت.", from.name(), to.name()),
                format!("'{}' cannot follow '{}'.", to.name(), from.name()),
            ))
            .member("allowed", json!(allowed)));
    }
    let effective_on = transition.effective_on.unwrap_or_else(Date::today_in_iran);
    let mut row = before.clone();
    row.enter(to, effective_on);
    adjust(&mut row);
    // First of all, so that whoever lost a race learns that (412), and not what the winner's change makes wrong.
    let row = transaction.transition(before, row).await?;
    let mut faults = Vec::new();
    if effective_on > Date::today_in_iran() {
        faults.push(Violation::body(
            "/effective_on",
            "in_future",
            Text::new("تاریخ تغییر وضعیت نمی‌تواند در آینده باشد.", "A change of state cannot lie in the future."),
        ));
    }
    if let Some(latest) = status_event::latest(&**transaction, before).await?.filter(|latest| effective_on < *latest) {
        let day = latest.naive();
        faults.push(Violation::body(
            "/effective_on",
            "too_early",
            Text::new(format!("تغییر وضعیت پیشین در {day} (میلادی) بوده است."), format!("The change of state before it was on {day}.")),
        ));
    }
    if from.needs_reason(to) && transition.reason.is_none() {
        faults.push(Violation::body("/reason", "required", Text::new("برای این گذار دلیل لازم است.", "This transition needs a reason.")));
    }
    if !faults.is_empty() {
        return Err(Problem::invalid(faults));
    }
    let event = Event { from: &from.name(), to: &to.name(), effective_on, decision_id: transition.decision_id, reason: transition.reason };
    status_event::record(transaction, before, event).await?;
    Ok(row)
}
