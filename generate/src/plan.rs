//! Plan of a project: milestones, re-baselines, and days of completion.

use chrono::{NaiveDate, TimeDelta};

use super::{
    generator::Generator,
    timeline::Timeline,
    works::{MILESTONES, RETURNED},
};
use khoosheh::{
    milestones::rules::State,
    projects::{phases::PhaseName, pillar::Pillar},
};

/// The milestones of a project and their course.
#[derive(Default)]
pub struct Plan {
    /// The milestones, phase by phase, each phase by the days on which work is to begin.
    pub items: Vec<Item>,
    /// The re-baselines in order.
    pub rebaselines: Vec<Rebaseline>,
}

/// A milestone.
pub struct Item {
    /// Its phase.
    pub phase: PhaseName,
    /// Its pillar.
    pub pillar: Option<Pillar>,
    /// Its title.
    pub title_fa: &'static str,
    /// Its weight at first, in basis points.
    pub weight_bp: i32,
    /// The day on which work is to begin.
    pub planned_start: NaiveDate,
    /// Due day in the first plan.
    pub due_on: NaiveDate,
    /// The place of the milestone that it waits for.
    pub predecessor: Option<usize>,
    /// Its states, unless it is cancelled before.
    pub steps: Vec<Step>,
    /// Weight and day after all re-baselines, and whether one has cancelled it.
    present: (i32, NaiveDate),
    is_cancelled: bool,
}

/// A milestone enters a state.
pub struct Step {
    /// The state.
    pub to: State,
    /// Since when.
    pub on: NaiveDate,
    /// Accepted fraction, in basis points.
    pub fraction_bp: i32,
    /// Reason.
    pub reason: Option<&'static str>,
}

/// A re-baseline.
pub struct Rebaseline {
    /// Day from which it is in force.
    pub on: NaiveDate,
    /// Changes; each milestone at most once.
    pub changes: Vec<Change>,
}

/// Change of a milestone by a re-baseline.
pub struct Change {
    /// Its place.
    pub item: usize,
    /// Its new weight.
    pub weight_bp: Option<i32>,
    /// Its new day.
    pub due_on: Option<NaiveDate>,
    /// Whether it is cancelled.
    pub cancelled: bool,
}

impl Plan {
    /// A plan within the phases of a project, whose weights total 10,000.
    pub fn new(generator: &mut Generator, line: &Timeline) -> Self {
        let mut items: Vec<Item> = Vec::new();
        for (phase, titles) in MILESTONES {
            let (first, last) = line.planned(*phase);
            // The phase parallel to all others is planned for the time after the plan is made.
            let first = if *phase == PhaseName::TrustBuilding {
                line.planned(PhaseName::Implementation).0
            } else {
                first
            };
            let mut days: Vec<NaiveDate> =
                titles.iter().map(|_| generator.day(first, last - (last - first) / 4)).collect();
            days.sort();
            for ((title_fa, pillar), planned_start) in titles.iter().zip(days) {
                let due_on = (planned_start + TimeDelta::days(generator.rng.between(10..=110))).min(last);
                items.push(Item {
                    phase: *phase,
                    pillar: *pillar,
                    title_fa,
                    weight_bp: generator.rng.int(80..=330),
                    planned_start,
                    due_on,
                    predecessor: None,
                    steps: Vec::new(),
                    present: (0, due_on),
                    is_cancelled: false,
                });
            }
        }
        make_whole(&mut items);
        let mut plan = Self { items, rebaselines: Vec::new() };
        plan.link(generator);
        for (times, percent) in [(28, 30), (35, 48)] {
            if !generator.rng.percent(times) {
                break;
            }
            let on =
                line.after_rest(line.implementing + (line.contract_end - line.implementing) * percent / 100);
            if line.has_happened(on) {
                plan.change(generator, line, on);
            }
        }
        plan.work(generator, line);
        plan
    }

    /// The day on which the last milestone is accepted.
    pub fn accepted_on(&self) -> Option<NaiveDate> {
        self.items
            .iter()
            .filter(|item| !item.is_cancelled)
            .filter_map(|item| item.steps.last())
            .map(|step| step.on)
            .max()
    }

    /// Links a quarter of the implementation milestones to an earlier one as predecessor.
    fn link(&mut self, generator: &mut Generator) {
        for place in 0..self.items.len() {
            let item = &self.items[place];
            let earlier: Vec<usize> = (0..place)
                .filter(|other| {
                    let other = &self.items[*other];
                    other.phase == PhaseName::Implementation && other.due_on < item.planned_start
                })
                .collect();
            if item.phase == PhaseName::Implementation && !earlier.is_empty() && generator.rng.percent(25) {
                self.items[place].predecessor = Some(*generator.rng.pick(&earlier));
            }
        }
    }

    /// Creates a re-baseline, which moves weights and days, and sometimes cancels a milestone: only of those
    /// whose work has not begun.
    fn change(&mut self, generator: &mut Generator, line: &Timeline, on: NaiveDate) {
        let ahead = |item: &Item| {
            item.phase == PhaseName::Implementation && item.planned_start > on && !item.is_cancelled
        };
        let mut places: Vec<usize> =
            (0..self.items.len()).filter(|place| ahead(&self.items[*place])).collect();
        let mut changes = Vec::new();
        while let (Some(from), Some(to)) = (places.pop(), places.pop()) {
            let cancelled = generator.rng.percent(25);
            let weight = self.items[from].present.0;
            let moved = if cancelled { weight } else { weight / 3 };
            self.items[from].is_cancelled = cancelled;
            if !cancelled {
                self.items[from].present.0 -= moved;
            }
            self.items[to].present.0 += moved;
            let (_, last) = line.planned(PhaseName::Implementation);
            let due_on =
                (self.items[to].present.1 + TimeDelta::days(generator.rng.between(10..=70))).min(last);
            self.items[to].present.1 = due_on;
            changes.push(Change {
                item: from,
                weight_bp: (!cancelled).then_some(weight - moved),
                due_on: None,
                cancelled,
            });
            changes.push(Change {
                item: to,
                weight_bp: Some(self.items[to].present.0),
                due_on: Some(due_on),
                cancelled: false,
            });
            if changes.len() >= 8 {
                break;
            }
        }
        if !changes.is_empty() {
            self.rebaselines.push(Rebaseline { on, changes });
        }
    }

    /// Schedules work on each milestone: start, submission and acceptance.
    fn work(&mut self, generator: &mut Generator, line: &Timeline) {
        for place in 0..self.items.len() {
            let item = &self.items[place];
            let waits_for =
                item.predecessor.map(|before| &self.items[before]).filter(|before| !before.is_cancelled);
            let ready = waits_for.and_then(|before| before.steps.last()).map(|step| step.on);
            let is_before = matches!(item.phase, PhaseName::Diagnostic | PhaseName::ActionPlan);
            let earliest = if is_before { line.start } else { line.implementing };
            self.items[place].steps =
                steps(generator, line, (item.planned_start.max(earliest), item.present.1), ready);
        }
    }
}

/// Steps of a milestone with a planned start and a due day, which waits for its predecessor. About half are
/// on time.
fn steps(
    generator: &mut Generator,
    line: &Timeline,
    (begin, due): (NaiveDate, NaiveDate),
    ready: Option<NaiveDate>,
) -> Vec<Step> {
    let mut days = |least: i64, most: i64| TimeDelta::days(generator.rng.between(least..=most));
    let limit = line.contract_end + TimeDelta::days(45);
    let begin = line.after_rest(begin + days(0, 12));
    let slow = |delay: TimeDelta| delay * i32::try_from(line.slowness).unwrap_or(100) / 100;
    let delay = match days(1, 100).num_days() {
        1..=55 => days(-12, 3),
        56..=85 => slow(days(5, 45)),
        _ => slow(days(45, 140)),
    };
    let begin = begin.max(ready.unwrap_or(begin));
    let submitted = line.after_rest(due + delay).min(limit).max(begin + days(2, 20));
    let accepted = submitted + days(2, 18);
    let step = |to, on| Step { to, on, fraction_bp: 0, reason: None };
    let mut steps = vec![step(State::InProgress, begin), step(State::Submitted, submitted)];
    let mut on = accepted;
    if generator.rng.percent(7) {
        steps.push(Step { reason: Some(*generator.rng.pick(RETURNED)), ..step(State::Returned, accepted) });
        on = accepted + TimeDelta::days(generator.rng.between(6..=40));
        steps.extend([
            step(State::InProgress, accepted + TimeDelta::days(2)),
            step(State::Submitted, on - TimeDelta::days(2)),
        ]);
    }
    let fraction_bp = if generator.rng.percent(8) { generator.rng.int(10..=19) * 500 } else { 10_000 };
    steps.push(Step { fraction_bp, ..step(State::Accepted, on) });
    if generator.rng.percent(1) {
        steps.push(Step {
            reason: Some("بازبینی سازمان"),
            ..step(State::InProgress, on + TimeDelta::days(10))
        });
        steps.push(step(State::Submitted, on + TimeDelta::days(30)));
        steps.push(Step { fraction_bp: 10_000, ..step(State::Accepted, on + TimeDelta::days(36)) });
    }
    steps
}

/// Brings the weights to a total of 10,000.
fn make_whole(items: &mut [Item]) {
    let total: i32 = items.iter().map(|item| item.weight_bp).sum();
    let mut left = 10_000;
    for item in items.iter_mut() {
        item.weight_bp = item.weight_bp * 10_000 / total;
        left -= item.weight_bp;
    }
    for item in items.iter_mut().take(usize::try_from(left).unwrap_or_default()) {
        item.weight_bp += 1;
    }
    items.iter_mut().for_each(|item| item.present.0 = item.weight_bp);
}
