//! The states of a progress report and the rules by which they change, as `domain.md` lists them.

use std::collections::HashMap;

use uuid::Uuid;

use super::entity::Model;
pub use super::entity::State;
use crate::{
    lifecycle::{Guard, Need, Step, Who},
    persian::Date,
    problem::{Problem, problem_types},
};

const WRITER: Who = Who::Holder("progress-reports:write");
const REVIEWER: Who = Who::Holder("progress-reports:review");
const PROVINCE: Who = Who::Holder("progress-reports:approve");
const NATION: Who = Who::National("progress-reports:approve");

/// A review finds a report good.
const fn passes(from: &'static [State], to: State, who: Who) -> Step<Model> {
    Step { from, to, who, needs: &[], guards: &[] }
}

/// The same review sends it back.
const fn returns(from: &'static [State], who: Who) -> Step<Model> {
    Step { from, to: State::Returned, who, needs: &[Need::Reason], guards: &[] }
}

/// Transition table.
pub const STEPS: &[Step<Model>] = &[
    Step {
        from: &[State::Draft, State::Returned],
        to: State::Submitted,
        who: WRITER,
        needs: &[],
        guards: &[QUARTER_OVER],
    },
    passes(&[State::Submitted], State::SupervisorReviewed, REVIEWER),
    returns(&[State::Submitted], REVIEWER),
    passes(&[State::SupervisorReviewed], State::ProvinceApproved, PROVINCE),
    returns(&[State::SupervisorReviewed], PROVINCE),
    passes(&[State::ProvinceApproved], State::NationallyAccepted, NATION),
    returns(&[State::ProvinceApproved], NATION),
];

const QUARTER_OVER: Guard<Model> = Guard {
    code: "quarter_not_over",
    fa: "فصل گزارش هنوز به پایان نرسیده است.",
    en: "The quarter of the report is not over yet.",
    pointer: Some("/quarter"),
    holds: |row, facts| row.period_end < facts.on,
};

/// Facts that the guards check.
pub struct Facts {
    on: Date,
}

/// The facts of some reports on a day.
pub fn facts(rows: &[Model], on: Date) -> HashMap<Uuid, Facts> {
    rows.iter().map(|row| (row.id, Facts { on })).collect()
}

/// 409 for a report that is under review or accepted: its content stays.
pub fn check_open(row: &Model) -> Result<(), Problem> {
    if matches!(row.state, State::Draft | State::Returned) {
        Ok(())
    } else {
        Err(Problem::new(&problem_types::REPORT_LOCKED))
    }
}

/// 409 for a report that was handed in: it stays for good.
pub fn check_draft(row: &Model) -> Result<(), Problem> {
    if row.state == State::Draft { Ok(()) } else { Err(Problem::new(&problem_types::REPORT_LOCKED)) }
}
