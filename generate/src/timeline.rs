//! Timeline of a project.

use chrono::{NaiveDate, TimeDelta};

use super::generator::Generator;
use khoosheh::projects::phases::PhaseName;

/// Planned and actual days of a project.
#[derive(Clone, Copy)]
pub struct Timeline {
    /// Planned duration in months.
    pub months: i64,
    /// It was written down.
    pub drafted: NaiveDate,
    /// It was approved.
    pub approved: NaiveDate,
    /// Day of the contract.
    pub contracted: NaiveDate,
    /// The first day of the contract.
    pub start: NaiveDate,
    /// The last day of the contract.
    pub contract_end: NaiveDate,
    /// The diagnostic study began.
    pub diagnostic: NaiveDate,
    /// The action plan was begun.
    pub planning: NaiveDate,
    /// The first baseline was frozen.
    pub frozen: NaiveDate,
    /// The action plan was begun to be carried out.
    pub implementing: NaiveDate,
    /// The evaluation began.
    pub evaluating: NaiveDate,
    /// It was handed over.
    pub handed_over: NaiveDate,
    /// It was closed.
    pub closed: NaiveDate,
    /// From when to when it rested.
    pub rest: Option<(NaiveDate, NaiveDate)>,
    /// Whether its suspension is recorded.
    pub has_rested: bool,
    /// Its ending.
    pub ending: Ending,
    /// The last day on which something happens in it.
    horizon: NaiveDate,
    /// Duration of work, in percent of the usual.
    pub slowness: i64,
}

/// Endings of a project.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With its completion licence.
    Closed,
    /// Before its aim, on a day.
    Terminated(NaiveDate),
}

impl Timeline {
    /// Creates the timeline of a project of this duration, of a cluster available from a day on. Its last
    /// project is terminated less often.
    pub fn new(generator: &mut Generator, free_from: NaiveDate, months: i64, is_last: bool) -> Self {
        let mut days = |least: i64, most: i64| TimeDelta::days(generator.rng.between(least..=most));
        let drafted = free_from + days(0, 10);
        let approved = drafted + days(5, 25);
        let contracted = approved + days(10, 30);
        let start = contracted + days(1, 15);
        let length = TimeDelta::days(months * 304 / 10);
        let part = |percent: i32| length * percent / 100;
        let diagnostic = start + days(0, 5);
        let planning = start + part(14) + days(-5, 20);
        let frozen = planning + part(7) + days(0, 15);
        let implementing = frozen + days(1, 7);
        let contract_end = start + length - TimeDelta::days(1);
        let evaluating = contract_end - part(9) + days(-5, 40);
        let handed_over = evaluating + part(5) + days(5, 20);
        let closed = handed_over + days(10, 40);
        let slowness = days(20, 180).num_days();
        let rest = generator.rng.percent(7).then(|| {
            let from = generator.day(start + part(5), contract_end - part(25));
            (from, from + TimeDelta::days(generator.rng.between(40..=150)))
        });
        let is_terminated = generator.rng.percent(if is_last { 8 } else { 22 });
        let ending = if is_terminated {
            Ending::Terminated(generator.day(approved + TimeDelta::days(5), contract_end - part(10)))
        } else {
            Ending::Closed
        };
        let horizon = match ending {
            Ending::Terminated(on) => on.min(generator.last_day),
            Ending::Closed => generator.last_day,
        };
        let mut line = Self {
            months,
            drafted,
            approved,
            contracted,
            start,
            contract_end,
            diagnostic,
            planning,
            frozen,
            implementing,
            evaluating,
            handed_over,
            closed,
            rest,
            has_rested: false,
            ending,
            horizon,
            slowness,
        };
        let shifted = |day: NaiveDate| line.after_rest(day);
        let [diagnostic, planning, frozen, implementing, evaluating, handed_over, closed] =
            [diagnostic, planning, frozen, implementing, evaluating, handed_over, closed].map(shifted);
        line = Self { diagnostic, planning, frozen, implementing, evaluating, handed_over, closed, ..line };
        line
    }

    /// Shifts a day within or after the suspension by its length.
    pub fn after_rest(&self, day: NaiveDate) -> NaiveDate {
        match self.rest {
            Some((from, to)) if day > from => day + (to - from),
            _ => day,
        }
    }

    /// Whether a day is in the past, and the project was still running.
    pub fn has_happened(&self, day: NaiveDate) -> bool {
        day <= self.horizon
    }

    /// The day on which it is over, past or future.
    pub fn over(&self) -> Option<NaiveDate> {
        match self.ending {
            Ending::Closed => Some(self.closed),
            Ending::Terminated(on) => Some(on),
        }
    }

    /// Moves the evaluation, and what follows it, after the acceptance of the last milestone.
    pub fn evaluate_after(&mut self, day: NaiveDate) {
        let delay = (day - self.evaluating).max(TimeDelta::zero());
        for later in [&mut self.evaluating, &mut self.handed_over, &mut self.closed] {
            *later += delay;
        }
    }

    /// The first and the last day of a phase as planned.
    pub fn planned(&self, phase: PhaseName) -> (NaiveDate, NaiveDate) {
        let length = self.contract_end - self.start;
        let at = |percent: i32| self.start + length * percent / 100;
        let day = TimeDelta::days(1);
        match phase {
            PhaseName::Diagnostic => (self.start, at(14)),
            PhaseName::TrustBuilding => (self.start, self.contract_end),
            PhaseName::ActionPlan => (at(14) + day, at(23)),
            PhaseName::Implementation => (at(23) + day, at(86)),
            PhaseName::Evaluation => (at(86) + day, at(94)),
            PhaseName::Handover => (at(94) + day, self.contract_end),
        }
    }
}
