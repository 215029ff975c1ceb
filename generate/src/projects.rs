//! The projects of a cluster, one after another: at most one of them is live.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use uuid::Uuid;

use super::{
    generator::{Generator, Why, year_of},
    institutions::Place,
    milestones,
    plan::Plan,
    schedule,
    timeline::{Ending, Timeline},
};
use khoosheh::{
    clusters::{entity as clusters, rules::State as ClusterState},
    decisions::{dto::Body, entity as decisions},
    persian::text,
    problem::Problem,
    projects::{
        dto::{BudgetLine, Line},
        entity::Model,
        phases::{self, PhaseName},
        rules::State,
    },
    values::{Amount, List},
};

/// A project that is under way in the story.
pub struct Project<'a> {
    /// Province of the project.
    pub place: &'a Place,
    /// The project so far.
    pub row: Model,
    /// Timeline.
    pub timeline: Timeline,
    /// Its milestones.
    pub plan: Plan,
    /// The members of its cluster.
    pub members: &'a [Uuid],
}

/// Minimum time from one project to the next.
const SHORTEST: TimeDelta = TimeDelta::days(300);
/// Maximum duration.
const LONGEST: TimeDelta = TimeDelta::days(1_500);

/// Records the projects of a feasible cluster, one after another. About every fifth is an abandoned draft,
/// and so is one that does not fit into the time.
pub fn sequence(
    generator: &mut Generator,
    place: &Place,
    cluster: &mut clusters::Model,
    feasible_on: NaiveDate,
    count: usize,
    members: &[Uuid],
) -> Result<(), Problem> {
    let mut left = count - (0..count.saturating_sub(1)).filter(|_| generator.rng.percent(20)).count();
    let mut drafts = count - left;
    // The last project is under way today, or has just ended.
    let end = generator.last_day + TimeDelta::days(generator.rng.between(-200..=700));
    let earliest = feasible_on + TimeDelta::days(generator.rng.between(60..=200));
    let mut free_from = earliest.max(end - LONGEST * i32::try_from(left).unwrap_or(1));
    while left > 0 {
        let slot = (end - free_from) / i32::try_from(left).unwrap_or(1);
        if left > 1 && slot < SHORTEST {
            (left, drafts) = (left - 1, drafts + 1);
            continue;
        }
        let months = (slot.num_days() * 30 / 1_000).clamp(8, 48);
        let timeline = Timeline::new(generator, free_from, months, left == 1);
        left -= 1;
        match tell(generator, place, cluster, timeline, members)? {
            Some(ended_on) => free_from = ended_on + TimeDelta::days(generator.rng.between(20..=90)),
            None => {
                drafts += left;
                break;
            }
        }
    }
    self::drafts(generator, place, cluster, feasible_on, drafts)
}

/// Records drafts of a cluster. Most are of the last months, others were abandoned.
pub fn drafts(
    generator: &mut Generator,
    place: &Place,
    cluster: &clusters::Model,
    since: NaiveDate,
    count: usize,
) -> Result<(), Problem> {
    for _ in 0..count {
        let last_day = generator.last_day;
        let first =
            if generator.rng.percent(85) { since.max(last_day - TimeDelta::days(400)) } else { since };
        let day = generator.day(first, last_day);
        draft(generator, place, cluster, day)?;
    }
    Ok(())
}

fn draft(
    generator: &mut Generator,
    place: &Place,
    cluster: &clusters::Model,
    day: NaiveDate,
) -> Result<(), Problem> {
    let row = created(generator, place, cluster, day, 24)?;
    let line = Timeline::new(generator, day, i64::from(row.planned_months), true);
    let plan = Plan::new(generator, &line);
    milestones::plan_draft(generator, &row, plan, day)?;
    generator.keep(row);
    Ok(())
}

/// A new draft of a day.
fn created(
    generator: &mut Generator,
    place: &Place,
    cluster: &clusters::Model,
    day: NaiveDate,
    months: i64,
) -> Result<Model, Problem> {
    let title_fa = format!("پروژهٔ توسعهٔ خوشهٔ {}", cluster.name_fa);
    let fee = generator.rng.between(8..=40) * 100_000_000;
    let budget = [
        (Line::CdaFee, fee),
        (Line::Supervision, fee / 5),
        (Line::Subproject, fee * 3),
        (Line::Training, fee / 2),
    ];
    let row = Model {
        code: generator
            .known
            .counters
            .give_out("project", &format!("{}-P", place.code.trim_start_matches("IR-"))),
        cluster_id: cluster.id,
        organisation_id: place.company,
        province: place.code.clone().into(),
        title_order: text::order(&title_fa),
        title_fa,
        planned_months: i32::try_from(months).unwrap_or(36),
        budget: List(
            budget
                .into_iter()
                .map(|(line, amount)| BudgetLine { line, amount_irr: Amount(amount) })
                .collect(),
        ),
        vision: generator.rng.percent(40).then(|| "قطب صادرات منطقه".to_owned()),
        ..Model::default()
    };
    generator.learn(row, day, 0..=30, cluster.created_at)
}

/// Tells of a project; returns the day on which it ended, where it has.
fn tell(
    generator: &mut Generator,
    place: &Place,
    cluster: &mut clusters::Model,
    mut timeline: Timeline,
    members: &[Uuid],
) -> Result<Option<NaiveDate>, Problem> {
    if timeline.drafted >= generator.last_day {
        let last_day = generator.last_day;
        return draft(generator, place, cluster, last_day).map(|()| None);
    }
    let row = created(generator, place, cluster, timeline.drafted, timeline.months)?;
    let plan = Plan::new(generator, &timeline);
    if let Some(day) = plan.accepted_on() {
        timeline.evaluate_after(day + TimeDelta::days(9));
    }
    let mut project = Project { place, row, timeline, plan, members };
    project.approve(generator, cluster)?;
    if project.timeline.has_happened(project.timeline.contracted) && project.row.state != State::Draft {
        project.contract(generator, cluster)?;
        project.phases(generator)?;
        project.run(generator)?;
    } else {
        let plan = std::mem::take(&mut project.plan);
        milestones::plan_draft(generator, &project.row, plan, project.timeline.drafted)?;
    }
    let ended = project.end(generator, cluster)?;
    generator.keep(project.row);
    Ok(ended)
}

impl Project<'_> {
    /// It was approved. A cluster that was developed before becomes feasible anew.
    fn approve(&mut self, generator: &mut Generator, cluster: &mut clusters::Model) -> Result<(), Problem> {
        let on = self.timeline.approved;
        if !self.timeline.has_happened(on) {
            return Ok(());
        }
        let decision = self.decision(generator, Body::ProvincialCommittee, on, "اجرای پروژهٔ توسعهٔ خوشه")?;
        if cluster.state == ClusterState::Developed {
            let why =
                Why { decision: Some(decision), reason: Some("دور تازهٔ توسعهٔ خوشه") };
            generator.enter(cluster, ClusterState::Feasible, on, 1..=20, why)?;
        }
        generator.enter(&mut self.row, State::Approved, on, 4..=30, Why::decided(decision))
    }

    /// Records the contract, with people and partners.
    fn contract(&mut self, generator: &mut Generator, cluster: &mut clusters::Model) -> Result<(), Problem> {
        let on = self.timeline.contracted;
        let number = format!("{}/{}", year_of(on), generator.rng.between(100..=9_999));
        self.row.contract_no = Some(number.clone());
        (self.row.contract_start, self.row.contract_end) =
            (Some(self.timeline.start.into()), Some(self.timeline.contract_end.into()));
        let at = generator.learned(on, 1..=10, self.row.updated_at);
        generator.change(&mut self.row, at)?;
        let names = self.assign(generator, &number)?;
        self.supervise(generator, &number, &names)?;
        generator.enter(&mut self.row, State::Contracted, on, 3..=30, Why::default())?;
        let at = generator.learned(on, 3..=30, self.row.updated_at.max(cluster.updated_at));
        generator.enter_with(cluster, ClusterState::InDevelopment, on, at, Why::default(), |_| {})?;
        self.join(generator)
    }

    /// Its phases, as planned and as they were.
    fn phases(&mut self, generator: &mut Generator) -> Result<(), Problem> {
        let line = self.timeline;
        for (phase, actual) in [
            (PhaseName::Diagnostic, (line.start, line.planning)),
            (PhaseName::TrustBuilding, (line.start, line.evaluating)),
            (PhaseName::ActionPlan, (line.planning, line.implementing)),
            (PhaseName::Implementation, (line.implementing, line.evaluating)),
            (PhaseName::Evaluation, (line.evaluating, line.handed_over)),
            (PhaseName::Handover, (line.handed_over, line.closed)),
        ] {
            let (planned_start, planned_end) = line.planned(phase);
            let row = phases::Model {
                project_id: self.row.id,
                province: self.row.province.clone(),
                phase,
                planned_start: planned_start.into(),
                planned_end: planned_end.into(),
                ..Default::default()
            };
            let mut row = generator.learn(row, line.contracted, 2..=20, self.row.created_at)?;
            for (day, is_end) in [(actual.0, false), (actual.1, true)] {
                if line.has_happened(day) {
                    if is_end {
                        row.actual_end = Some(day.into());
                    } else {
                        row.actual_start = Some(day.into());
                    }
                    let at = generator.learned(day, 1..=30, row.updated_at);
                    generator.change(&mut row, at)?;
                }
            }
            generator.keep(row);
        }
        Ok(())
    }

    /// Records the course from the diagnostic study to the closing, up to the present, with all related
    /// records.
    fn run(&mut self, generator: &mut Generator) -> Result<(), Problem> {
        let line = self.timeline;
        let mut implementing_at = None;
        for (state, on) in [
            (State::Diagnostic, line.diagnostic),
            (State::Planning, line.planning),
            (State::Implementing, line.implementing),
            (State::Evaluating, line.evaluating),
            (State::HandedOver, line.handed_over),
            (State::Closed, line.closed),
        ] {
            self.rest(generator, on)?;
            if !line.has_happened(on) {
                break;
            }
            if state == State::HandedOver {
                self.row.receiving_organisation_id = Some(*generator.rng.pick(&self.place.associations));
                let at = generator.learned(on, 0..=2, self.row.updated_at);
                generator.change(&mut self.row, at)?;
            }
            generator.enter(&mut self.row, state, on, 1..=12, Why::default())?;
            if state == State::Implementing {
                implementing_at = Some(self.row.updated_at);
            }
        }
        let accepted = milestones::tell(generator, self, &self.plan, implementing_at)?;
        schedule::tell(generator, self, &accepted)
    }

    /// It was suspended before a day, and perhaps resumed.
    fn rest(&mut self, generator: &mut Generator, before: NaiveDate) -> Result<(), Problem> {
        let Some((from, to)) =
            self.timeline.rest.filter(|(from, _)| *from < before && self.timeline.has_happened(*from))
        else {
            return Ok(());
        };
        if self.row.state == State::Suspended || self.timeline.has_rested {
            return Ok(());
        }
        let was = self.row.state;
        self.timeline.has_rested = true;
        generator.enter(&mut self.row, State::Suspended, from, 1..=20, Why::because("نبود اعتبار"))?;
        if self.timeline.has_happened(to) {
            generator.enter(&mut self.row, was, to, 1..=20, Why::default())?;
        }
        Ok(())
    }

    /// It ended before its aim or with it, and the cluster with it; returns the day.
    fn end(
        &mut self,
        generator: &mut Generator,
        cluster: &mut clusters::Model,
    ) -> Result<Option<NaiveDate>, Problem> {
        let (on, to) = match self.timeline.ending {
            Ending::Terminated(on) if self.row.state != State::Draft && on <= generator.last_day => {
                let decision =
                    self.decision(generator, Body::ProvincialCommittee, on, "خاتمهٔ پروژهٔ توسعهٔ خوشه")?;
                let why = Why {
                    decision: Some(decision), reason: Some("نبود همکاری واحدهای خوشه")
                };
                generator.enter(&mut self.row, State::Terminated, on, 4..=40, why)?;
                (on, ClusterState::Feasible)
            }
            _ if self.row.state == State::Closed => (self.timeline.closed, ClusterState::Developed),
            _ => return Ok(None),
        };
        if cluster.state == ClusterState::InDevelopment {
            let at: DateTime<Utc> =
                generator.learned(on, 3..=40, self.row.updated_at.max(cluster.updated_at));
            generator.enter_with(cluster, to, on, at, Why::default(), |_| {})?;
        }
        Ok(Some(on))
    }

    /// A decision about the project.
    pub fn decision(
        &self,
        generator: &mut Generator,
        body: Body,
        on: NaiveDate,
        title_fa: &str,
    ) -> Result<Uuid, Problem> {
        let decision = decisions::Model {
            body,
            meeting_no: Some(format!("{}/{}", year_of(on), generator.rng.between(1..=24))),
            decided_on: on.into(),
            title_fa: title_fa.to_owned(),
            province: Some(self.row.province.clone()),
            project_id: Some(self.row.id),
            ..Default::default()
        };
        Ok(generator.tell(decision, on, 0..=3, self.row.created_at)?.0)
    }
}
