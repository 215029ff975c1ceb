//! The milestones of a project as they were planned, frozen, changed and reached.

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use super::{
    generator::{Generator, Why},
    plan::{Item, Plan, Rebaseline},
    projects::Project,
    timeline::Timeline,
};
use khoosheh::{
    decisions::dto::Body,
    milestones::{
        baselines::{self, FrozenMilestone, PlanChange},
        entity::Model,
        rules::State,
    },
    problem::Problem,
    projects::entity as projects,
    values::{Amount, List},
};

/// A milestone that is accepted.
pub struct Accepted {
    /// The id.
    pub id: Uuid,
    /// Since when.
    pub on: NaiveDate,
}

/// Tells of the milestones of a project that is not under contract: a first plan, which may not be whole.
pub fn plan_draft(
    generator: &mut Generator,
    project: &projects::Model,
    mut plan: Plan,
    day: NaiveDate,
) -> Result<(), Problem> {
    if generator.rng.percent(30) {
        plan.items[0].weight_bp += 50;
    }
    let at = generator.learned(day, 1..=30, project.created_at);
    created(generator, project, &plan, at, None)?.into_iter().for_each(|row| generator.keep(row));
    Ok(())
}

/// Records the milestones of a project under contract, up to the present. `implementing_at` is the recording
/// time of its implementation.
pub fn tell(
    generator: &mut Generator,
    project: &Project,
    plan: &Plan,
    implementing_at: Option<DateTime<Utc>>,
) -> Result<Vec<Accepted>, Problem> {
    let line = &project.timeline;
    let is_frozen = line.has_happened(line.frozen);
    let day = if is_frozen { line.frozen } else { line.contracted };
    let at = generator.learned(day, 0..=2, project.row.created_at);
    let mut rows = created(generator, &project.row, plan, at, is_frozen.then_some(1))?;
    if is_frozen {
        let first = baselines::Model {
            number: 1,
            frozen_on: line.frozen.into(),
            milestones: frozen(&rows),
            ..new(project)
        };
        let first = generator.create(first, at)?;
        generator.keep(first);
        for (number, rebaseline) in (2..).zip(&plan.rebaselines) {
            change(generator, project, number, rebaseline, &mut rows)?;
        }
    }
    let mut accepted = Vec::new();
    for (mut row, item) in rows.into_iter().zip(&plan.items) {
        if let Some(begun_at) = implementing_at.filter(|_| row.state != State::Cancelled) {
            work(generator, line, item, &mut row, begun_at)?;
        }
        accepted.extend(row.accepted_on.map(|on| Accepted { id: row.id, on: on.naive() }));
        generator.keep(row);
    }
    Ok(accepted)
}

/// The milestones of a plan as they are entered, together with the baseline that freezes them, where there is
/// one.
fn created(
    generator: &mut Generator,
    project: &projects::Model,
    plan: &Plan,
    at: DateTime<Utc>,
    baseline_number: Option<i32>,
) -> Result<Vec<Model>, Problem> {
    let mut rows: Vec<Model> = Vec::new();
    for item in &plan.items {
        let predecessors = item.predecessor.and_then(|place| rows.get(place)).map(|before| before.id);
        let row = Model {
            project_id: project.id,
            province: project.province.clone(),
            phase: item.phase,
            pillar: item.pillar,
            title_fa: item.title_fa.to_owned(),
            weight_bp: item.weight_bp,
            planned_start: Some(item.planned_start.into()),
            due_on: item.due_on.into(),
            predecessors: List(predecessors.into_iter().collect()),
            budget_irr: (generator.rng.percent(50).then(|| generator.rng.between(2..=60) * 10_000_000))
                .map(Amount),
            baseline_number,
            ..Model::default()
        };
        rows.push(generator.create(row, at)?);
    }
    Ok(rows)
}

fn new(project: &Project) -> baselines::Model {
    baselines::Model {
        project_id: project.row.id,
        province: project.row.province.clone(),
        ..Default::default()
    }
}

/// The plan as frozen by a baseline.
fn frozen(rows: &[Model]) -> List<FrozenMilestone> {
    let mut rows: Vec<&Model> = rows.iter().filter(|row| row.state != State::Cancelled).collect();
    rows.sort_by_key(|row| (row.due_on, row.id));
    List(rows.into_iter().map(FrozenMilestone::from).collect())
}

/// Records a re-baseline with its decision and reason, and sets its number on changed milestones.
fn change(
    generator: &mut Generator,
    project: &Project,
    number: i32,
    rebaseline: &Rebaseline,
    rows: &mut [Model],
) -> Result<(), Problem> {
    const REASON: &str = "تأخیر در تأمین ماشین‌آلات";
    let decision = project.decision(generator, Body::SteeringCouncil, rebaseline.on, "بازنگری خط مبنا")?;
    let at = generator.learned(rebaseline.on, 4..=7, project.row.created_at);
    let mut changes = Vec::new();
    for change in &rebaseline.changes {
        let row = &mut rows[change.item];
        changes.push(PlanChange {
            milestone_id: row.id,
            weight_bp: change.weight_bp,
            planned_start: None,
            due_on: change.due_on.map(Into::into),
            cancelled: change.cancelled,
        });
        if change.cancelled {
            let why = Why { decision: Some(decision), reason: Some(REASON) };
            generator.enter_with(row, State::Cancelled, rebaseline.on, at, why, |_| {})?;
        } else {
            row.weight_bp = change.weight_bp.unwrap_or(row.weight_bp);
            row.due_on = change.due_on.unwrap_or(row.due_on.naive()).into();
            row.baseline_number = Some(number);
            generator.change(row, at)?;
        }
    }
    let baseline = baselines::Model {
        number,
        frozen_on: rebaseline.on.into(),
        decision_id: Some(decision),
        reason: Some(REASON.to_owned()),
        changes: List(changes),
        milestones: frozen(rows),
        ..new(project)
    };
    let baseline = generator.create(baseline, at)?;
    generator.keep(baseline);
    Ok(())
}

/// Records the past steps of a milestone. Those from before the implementation are recorded at its beginning.
fn work(
    generator: &mut Generator,
    line: &Timeline,
    item: &Item,
    row: &mut Model,
    begun_at: DateTime<Utc>,
) -> Result<(), Problem> {
    for step in item.steps.iter().take_while(|step| line.has_happened(step.on)) {
        let at = generator.learned(step.on, 0..=8, row.updated_at.max(begun_at));
        let why = Why { decision: None, reason: step.reason };
        generator
            .enter_with(row, step.to, step.on, at, why, |row| row.accepted_fraction_bp = step.fraction_bp)?;
    }
    Ok(())
}
