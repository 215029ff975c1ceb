//! State machines: states, rules of transition, and their execution.
//!
//! The rules of a kind of record are one table, [`Stateful::STEPS`]: source and target states, who may
//! perform the transition, required fields and guards. From it come the transition itself, the
//! `allowed_transitions` of each record, the descriptions in the OpenAPI document and the diagrams in
//! `docs/states.md` ([`machine`]).

pub mod machine;
pub mod step;

use std::{collections::HashMap, future::Future};

use sea_orm::{ActiveEnum, ConnectionTrait};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

pub use self::step::{Guard, Need, Step, Who};
use crate::{
    persian::Date,
    problem::{Missing, Problem, Text, Violation, problem_types},
    store::{
        Record, Transaction, decision,
        status_event::{self, Event},
    },
};

/// The states of a kind of record. The default is the first one.
pub trait State: ActiveEnum<Value = String> + Copy + Default + PartialEq + 'static {
    /// The name, such as `in_development`.
    fn name(self) -> String {
        self.to_value()
    }
}

/// A record that has a state.
pub trait Stateful: Record {
    /// Its states.
    type State: State;
    /// Facts that the guards check besides the row itself.
    type Facts;

    /// The rules of its states.
    const STEPS: &'static [Step<Self>];

    /// Current state.
    fn state(&self) -> Self::State;

    /// Enters a state that may follow, on a day.
    fn apply_state(&mut self, state: Self::State, on: Date);

    /// Whether a step starts from the current state.
    fn is_open(&self, step: &Step<Self>) -> bool {
        step.from.contains(&self.state())
    }

    /// Facts about each of some rows on a day, in a constant number of statements.
    fn facts(
        db: &impl ConnectionTrait,
        rows: &[Self],
        on: Date,
    ) -> impl Future<Output = Result<HashMap<Uuid, Self::Facts>, Problem>>;

    /// Hook before a step: locks the records that the guards check, and refuses callers who do not work on
    /// this one.
    fn lock_related(&self, transaction: &Transaction) -> impl Future<Output = Result<(), Problem>> {
        transaction.lock::<Self>(self.id())
    }

    /// Hook after a step: changes related records, with the same effective date.
    fn after_transition(
        &self,
        _from: Self::State,
        _event: &Event,
        _: &Transaction,
    ) -> impl Future<Output = Result<(), Problem>> {
        std::future::ready(Ok(()))
    }
}

/// An allowed transition, with its unmet conditions.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AllowedTransition<S> {
    /// Value of `to` in the request.
    pub to: S,
    /// Fields that the request needs besides.
    #[schema(example = json!([]))]
    pub needs: Vec<Need>,
    /// Unmet conditions; while there are any, the transition is refused.
    #[schema(example = json!([]))]
    pub missing: Vec<Missing>,
}

/// Allowed transitions of each of some records today.
pub async fn allowed<R: Stateful>(
    db: &impl ConnectionTrait,
    rows: &[R],
) -> Result<HashMap<Uuid, Vec<AllowedTransition<R::State>>>, Problem> {
    let facts = R::facts(db, rows, Date::today_in_iran()).await?;
    let of_row = |row: &R| {
        let facts = facts.get(&row.id());
        let allowed = open_steps(row).map(|step| AllowedTransition {
            to: step.to,
            needs: step.needs.to_vec(),
            missing: facts.map(|facts| step.missing(row, facts)).unwrap_or_default(),
        });
        (row.id(), allowed.collect())
    };
    Ok(rows.iter().map(of_row).collect())
}

/// A change of state.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Transition<S> {
    /// The new state, one of the record's `allowed_transitions`.
    pub to: S,
    /// The day from which it was so, today when left out: not in the future, and not before the change before
    /// it.
    #[serde(default)]
    pub effective_on: Option<Date>,
    /// The decision behind it. Some states need it.
    #[serde(default)]
    pub decision_id: Option<Uuid>,
    /// Reason, required for some states.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 2000, pattern = "\\S", example = "مصوبهٔ کارگروه استانی")]
    pub reason: Option<String>,
}

/// Applies an allowed transition together with related changes, and records its effective date.
///
/// Errors in this order: 409 if no step leads there, 412 if the record was changed concurrently, 403 if the
/// caller may not perform it, 409 with every unmet guard, 422 for missing fields of the request.
pub async fn change<R: Stateful>(
    transaction: &Transaction,
    before: &R,
    transition: Transition<R::State>,
    adjust: impl FnOnce(&mut R),
) -> Result<R, Problem> {
    let step = open_steps(before).find(|step| step.to == transition.to);
    let Some(step) = step else { return Err(no_step(before, transition.to)) };
    transaction.lock_version(before).await?;
    before.lock_related(transaction).await?;
    step.who.check(transaction.author())?;
    take(transaction, before, step, transition, adjust).await
}

/// Performs an automatic step, which follows from the change of another record.
pub async fn follow<R: Stateful>(
    transaction: &Transaction,
    before: &R,
    to: R::State,
    event: &Event,
) -> Result<(), Problem> {
    let step = R::STEPS.iter().find(|step| step.to == to && before.is_open(step) && step.who.is_nobody());
    let Some(step) = step else { return Err(no_step(before, to)) };
    let transition = Transition {
        to,
        effective_on: Some(event.effective_on),
        decision_id: event.decision_id,
        reason: event.reason.clone(),
    };
    take(transaction, before, step, transition, |_| {}).await.map(|_| ())
}

/// Steps from the current state of a row that can be requested.
fn open_steps<R: Stateful>(row: &R) -> impl Iterator<Item = &'static Step<R>> {
    R::STEPS.iter().filter(|step| row.is_open(step) && !step.who.is_nobody())
}

fn no_step<R: Stateful>(row: &R, to: R::State) -> Problem {
    let allowed: Vec<String> = open_steps(row).map(|step| step.to.name()).collect();
    let (from, to) = (row.state().name(), to.name());
    Problem::new(&problem_types::TRANSITION_NOT_ALLOWED)
        .detail(Text::new(
            format!("از «{from}» نمی‌توان به «{to}» رفت."),
            format!("'{to}' cannot follow '{from}'."),
        ))
        .member("allowed", json!(allowed))
}

async fn take<R: Stateful>(
    transaction: &Transaction,
    before: &R,
    step: &Step<R>,
    transition: Transition<R::State>,
    adjust: impl FnOnce(&mut R),
) -> Result<R, Problem> {
    let effective_on = transition.effective_on.unwrap_or_else(Date::today_in_iran);
    let facts =
        R::facts(&**transaction, std::slice::from_ref(before), effective_on).await?.remove(&before.id());
    let facts = facts.ok_or_else(|| Problem::internal("there are no facts of a row that is there"))?;
    let missing = step.missing(before, &facts);
    let mut faults = check_day(transaction, before, effective_on).await?;
    faults.extend(step.needs.iter().filter(|need| !need.is_met_by(&transition)).map(|need| need.violation()));
    faults.extend(decision::check(transaction, transition.decision_id, before.province()).await?);
    if !missing.is_empty() {
        return Err(faults.into_iter().fold(Problem::missing(missing), Problem::violation));
    }
    if !faults.is_empty() {
        return Err(Problem::invalid(faults));
    }
    let mut row = before.clone();
    row.apply_state(transition.to, effective_on);
    adjust(&mut row);
    let row = transaction.transition(before, row).await?;
    let event = Event {
        from: before.state().name(),
        to: transition.to.name(),
        effective_on,
        decision_id: transition.decision_id,
        reason: transition.reason,
    };
    status_event::record(transaction, &row, &event).await?;
    row.after_transition(before.state(), &event, transaction).await?;
    Ok(row)
}

/// A status date is neither in the future nor before the one preceding it (rule 5 of `domain.md`).
async fn check_day<R: Stateful>(
    transaction: &Transaction,
    row: &R,
    day: Date,
) -> Result<Vec<Violation>, Problem> {
    let mut faults = Vec::new();
    if day > Date::today_in_iran() {
        let detail = Text::new(
            "تاریخ تغییر وضعیت نمی‌تواند در آینده باشد.",
            "A change of state cannot lie in the future.",
        );
        faults.push(Violation::body("/effective_on", "in_future", detail));
    }
    if let Some(latest) = status_event::latest(&**transaction, row).await?.filter(|latest| day < *latest) {
        let latest = latest.naive();
        let detail = Text::new(
            format!("تغییر وضعیت پیشین در {latest} (میلادی) بوده است."),
            format!("The change of state before it was on {latest}."),
        );
        faults.push(Violation::body("/effective_on", "too_early", detail));
    }
    Ok(faults)
}
