//! Recurring records of a project: measurements, progress reports, payments and joint actions.

use chrono::{NaiveDate, TimeDelta};

use super::{
    generator::{Generator, Why, year_of},
    milestones::Accepted,
    projects::Project,
    works::{ISSUES, JOINT_ACTIONS, NARRATIVES, RETURNED},
};
use khoosheh::{
    indicators::{
        dto::{Direction, Frequency},
        entity as indicators,
    },
    measurements::{dto::Kind, entity as measurements},
    payments::entity as payments,
    persian::{Date, PersianPeriod, Quarter},
    problem::Problem,
    progress_reports::{dto::Issue, entity as reports, rules::State},
    projects::{
        dto::Line,
        joint_actions::{self},
        pillar::Pillar,
    },
    values::{Amount, Decimal, List},
};

/// Tells of all of it.
pub fn tell(generator: &mut Generator, project: &Project, accepted: &[Accepted]) -> Result<(), Problem> {
    measurements(generator, project)?;
    reports(generator, project)?;
    payments(generator, project, accepted)?;
    joint_actions(generator, project)
}

/// The period of this length that contains a day.
fn period(day: NaiveDate, months: u8) -> PersianPeriod {
    let (year, month, _) = Date::from(day).persian();
    let number = (month - 1) / months + 1;
    let name = match months {
        1 => format!("{year}-{number:02}"),
        3 => format!("{year}-Q{number}"),
        6 => format!("{year}-H{number}"),
        _ => format!("{year}"),
    };
    name.parse().unwrap_or_default()
}

/// The periods of this length from one day to another.
fn periods(first: NaiveDate, last: NaiveDate, months: u8) -> Vec<PersianPeriod> {
    let next = |period_before: &PersianPeriod| {
        Some(period(period_before.last_day().naive() + TimeDelta::days(1), months))
    };
    std::iter::successors(Some(period(first, months)), next)
        .take_while(|period| period.first_day().naive() <= last)
        .collect()
}

/// The last day on which the project had something to report of.
fn last_day(generator: &Generator, project: &Project) -> NaiveDate {
    project.timeline.over().map_or(generator.last_day, |over| over.min(generator.last_day))
}

/// Four indicators, each with its baseline, its target, and the actual value of each period.
fn measurements(generator: &mut Generator, project: &Project) -> Result<(), Problem> {
    let line = &project.timeline;
    if !line.has_happened(line.diagnostic) {
        return Ok(());
    }
    let usual: Vec<indicators::Model> = generator
        .known
        .indicators
        .iter()
        .filter(|indicator| indicator.frequency != Frequency::Month)
        .cloned()
        .collect();
    for part in usual.chunks(usual.len().div_ceil(4).max(1)) {
        let indicator = generator.rng.pick(part).clone();
        let (start, end) = (line.start, line.handed_over.min(last_day(generator, project)));
        let months = indicator.frequency.months();
        let step = 10_i64.pow(6 - u32::try_from(indicator.decimals).unwrap_or_default().min(6));
        let begin = generator.rng.between(10..=400);
        let aim = match indicator.direction {
            Direction::Up => begin * generator.rng.between(115..=180) / 100 + 1,
            Direction::Down => begin * generator.rng.between(60..=90) / 100,
        };
        let before = period(start - TimeDelta::days(i64::from(months) * 30), months);
        let mut told = vec![
            (Kind::Baseline, before, begin, start),
            (Kind::Target, period(line.contract_end, months), aim, start),
        ];
        let actual: Vec<_> = periods(before.last_day().naive() + TimeDelta::days(1), end, months);
        let count = i64::try_from(actual.len()).unwrap_or(1);
        for (place, period) in (1..).zip(actual) {
            let reached = begin + (aim - begin) * place / count + generator.rng.between(-5..=5);
            told.push((Kind::Actual, period, reached.max(0), period.last_day().naive().min(end)));
        }
        for (kind, period, value, day) in told {
            let row = measurements::Model {
                project_id: project.row.id,
                province: project.row.province.clone(),
                indicator_id: indicator.id,
                kind,
                period,
                period_start: period.first_day(),
                period_end: period.last_day(),
                value: Decimal(value * step),
                source: generator.rng.percent(10).then(|| "پرسش‌نامهٔ واحدها".to_owned()),
                ..Default::default()
            };
            generator.tell(row, day, 1..=30, project.row.created_at)?;
        }
    }
    Ok(())
}

/// A report for each quarter: most in time, some late, some sent back, some missing.
fn reports(generator: &mut Generator, project: &Project) -> Result<(), Problem> {
    let line = &project.timeline;
    if !line.has_happened(line.diagnostic) {
        return Ok(());
    }
    let end = last_day(generator, project);
    for quarter in periods(line.diagnostic, end, 3) {
        let over = quarter.last_day().naive();
        if generator.rng.percent(5) {
            continue;
        }
        let issues = generator.rng.percent(30).then(|| *generator.rng.pick(ISSUES));
        let issues =
            issues.map(|(text, action)| Issue { text: text.to_owned(), action: Some(action.to_owned()) });
        let row = reports::Model {
            project_id: project.row.id,
            province: project.row.province.clone(),
            quarter: Quarter(quarter),
            period_start: quarter.first_day(),
            period_end: over.into(),
            narrative_fa: (*generator.rng.pick(NARRATIVES)).to_owned(),
            issues: List(issues.into_iter().collect()),
            ..Default::default()
        };
        let mut row = generator.learn(row, over.min(end), -12..=0, project.row.created_at)?;
        for (to, on, reason) in way(generator, over) {
            if on > generator.last_day {
                break;
            }
            generator.enter(&mut row, to, on, 0..=3, Why { decision: None, reason })?;
        }
        generator.keep(row);
    }
    Ok(())
}

/// The way of a report of a quarter that was over on a day. A few stay somewhere for good.
fn way(generator: &mut Generator, over: NaiveDate) -> Vec<(State, NaiveDate, Option<&'static str>)> {
    let mut on = over
        + TimeDelta::days(if generator.rng.percent(75) {
            generator.rng.between(2..=15)
        } else {
            generator.rng.between(16..=70)
        });
    let mut way = vec![(State::Submitted, on, None)];
    let mut later = |generator: &mut Generator, most: i64| {
        on += TimeDelta::days(generator.rng.between(2..=most));
        on
    };
    if generator.rng.percent(9) {
        way.push((State::Returned, later(generator, 12), Some(*generator.rng.pick(RETURNED))));
        way.push((State::Submitted, later(generator, 25), None));
    }
    way.push((State::SupervisorReviewed, later(generator, 15), None));
    if generator.rng.percent(4) {
        way.push((State::Returned, later(generator, 12), Some(*generator.rng.pick(RETURNED))));
        way.push((State::Submitted, later(generator, 25), None));
        way.push((State::SupervisorReviewed, later(generator, 15), None));
    }
    way.push((State::ProvinceApproved, later(generator, 20), None));
    way.push((State::NationallyAccepted, later(generator, 30), None));
    if generator.rng.percent(5) {
        way.truncate(usize::try_from(generator.rng.between(0..=3)).unwrap_or_default());
    }
    way
}

/// Creates instalments from each line of the budget, nine tenths of it in total; those that are due have been
/// paid.
fn payments(generator: &mut Generator, project: &Project, accepted: &[Accepted]) -> Result<(), Problem> {
    let line = &project.timeline;
    let end = last_day(generator, project);
    let mut due: Vec<(Line, i64, NaiveDate, Option<&Accepted>)> = Vec::new();
    let regular = |first: NaiveDate, count: i32| {
        (1..=count).map(move |place| first + (line.closed - TimeDelta::days(8) - first) * place / count)
    };
    due.extend(regular(line.contracted, 5).map(|day| (Line::CdaFee, 5, day, None)));
    due.extend(regular(line.contracted, 2).map(|day| (Line::Supervision, 2, day, None)));
    due.extend(
        accepted
            .iter()
            .step_by(9)
            .map(|milestone| (Line::Subproject, 6, milestone.on + TimeDelta::days(3), Some(milestone))),
    );
    due.extend(
        accepted
            .iter()
            .skip(4)
            .step_by(20)
            .map(|milestone| (Line::Training, 3, milestone.on + TimeDelta::days(3), Some(milestone))),
    );
    for (budget_line, count, paid_on, milestone) in due.into_iter().filter(|(_, _, day, _)| *day < end) {
        let reconciled_on = paid_on + TimeDelta::days(generator.rng.between(3..=35));
        // Before a project is closed all is reconciled.
        let reconciled_on = Some(if line.has_happened(line.closed) {
            reconciled_on.min(end - TimeDelta::days(1))
        } else {
            reconciled_on
        });
        let reconciled_on = reconciled_on.filter(|day| *day <= end && *day >= paid_on);
        let at_once = generator.rng.percent(60);
        let row = payments::Model {
            project_id: project.row.id,
            province: project.row.province.clone(),
            line: budget_line,
            amount_irr: Amount(project.row.budget.approved(budget_line) * 9 / 10 / count),
            paid_on: paid_on.into(),
            milestone_id: milestone.map(|milestone| milestone.id),
            document_no: format!("{}/{}", year_of(paid_on), generator.rng.between(1_000..=99_999)),
            reconciled_on: reconciled_on.filter(|_| at_once).map(Date::from),
            ..Default::default()
        };
        let mut row = generator.learn(
            row,
            reconciled_on.filter(|_| at_once).unwrap_or(paid_on),
            0..=2,
            project.row.created_at,
        )?;
        if let Some(day) = reconciled_on.filter(|_| !at_once) {
            row.reconciled_on = Some(day.into());
            let at = generator.learned(day, 0..=2, row.updated_at);
            generator.change(&mut row, at)?;
        }
        generator.keep(row);
    }
    Ok(())
}

fn joint_actions(generator: &mut Generator, project: &Project) -> Result<(), Problem> {
    let line = &project.timeline;
    let end = last_day(generator, project).min(line.evaluating);
    if !line.has_happened(line.implementing) || end <= line.implementing || project.members.len() < 3 {
        return Ok(());
    }
    for _ in 0..generator.rng.between(0..=2) {
        let started_on = generator.day(line.implementing, end);
        let size = usize::try_from(generator.rng.between(2..=8)).unwrap_or(2).min(project.members.len());
        let from = usize::try_from(generator.rng.between(0..=100)).unwrap_or_default()
            % (project.members.len() - size + 1);
        let row = joint_actions::Model {
            project_id: project.row.id,
            province: project.row.province.clone(),
            title_fa: (*generator.rng.pick(JOINT_ACTIONS)).to_owned(),
            pillar: Some(*generator.rng.pick(&[Pillar::Networking, Pillar::Bds, Pillar::SupportInstitution])),
            participants: List(project.members[from..from + size].to_vec()),
            started_on: Some(started_on.into()),
            ended_on: (Some((started_on + TimeDelta::days(generator.rng.between(5..=60))).min(end))
                .filter(|_| generator.rng.percent(85)))
            .map(Date::from),
            cost_irr: Some(Amount(generator.rng.between(5..=200) * 10_000_000)),
            private_share_bp: Some(generator.rng.int(20..=90) * 100),
            ..Default::default()
        };
        generator.tell(row, started_on, 5..=40, project.row.created_at)?;
    }
    Ok(())
}
