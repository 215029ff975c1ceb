//! Development of a cluster after its first claims: states, lineage, and networks.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use uuid::Uuid;

use super::{
    clusters::Story,
    generator::{Generator, Why, year_of},
    projects,
    works::CRITERIA,
};
use khoosheh::{
    clusters::{
        assessment::PriorityScores,
        claims,
        entity::Model,
        feasibility_studies::{self, Criterion, Outcome},
        lineage,
        networks::{self},
        rules::State,
    },
    decisions::{dto::Body, entity as decisions},
    persian::Date,
    problem::Problem,
    values::{Amount, List, Name},
};

/// Final stage of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClusterOutcome {
    /// It was only named.
    Candidate,
    /// It was identified.
    Identified,
    /// It has a priority.
    Prioritised,
    /// Its feasibility is being studied.
    Feasibility,
    /// Its development is not feasible.
    NotFeasible,
    /// Its development is feasible, and has not begun.
    Feasible,
    /// It is developed by projects.
    Developing,
    /// It went into another one.
    Merged,
    /// It became two others.
    Split,
    /// It was given up.
    Withdrawn,
}

/// The outcomes of clusters, and how many of a hundred have each.
pub const OUTCOMES: [(ClusterOutcome, u32); 10] = [
    (ClusterOutcome::Developing, 80),
    (ClusterOutcome::Candidate, 2),
    (ClusterOutcome::Identified, 4),
    (ClusterOutcome::Prioritised, 3),
    (ClusterOutcome::Feasibility, 2),
    (ClusterOutcome::NotFeasible, 2),
    (ClusterOutcome::Feasible, 3),
    (ClusterOutcome::Merged, 2),
    (ClusterOutcome::Split, 1),
    (ClusterOutcome::Withdrawn, 1),
];

impl Story<'_> {
    /// One source or two, which do not always agree.
    pub fn claims(&self, generator: &mut Generator, row: &Model, found: NaiveDate) -> Result<(), Problem> {
        let claim = |source: String, on: NaiveDate, name: String| claims::Model {
            cluster_id: row.id,
            province: row.province.clone(),
            source_title: source,
            claimed_on: Some(on.into()),
            claimed_name: Some(name),
            ..Default::default()
        };
        let on = found - TimeDelta::days(generator.rng.between(20..=50));
        let first = claim(format!("شرکت شهرک‌های صنعتی {}", self.place().name_fa), on, row.name_fa.clone());
        generator.tell(first, on, 0..=20, row.created_at)?;
        if generator.rng.percent(55) {
            let on = (found + TimeDelta::days(generator.rng.between(-200..=400))).min(generator.last_day);
            let name =
                if generator.rng.percent(30) { row.products.0[0].0.clone() } else { row.name_fa.clone() };
            generator.tell(
                claim(format!("ادارهٔ کل صنعت، معدن و تجارت {}", self.place().name_fa), on, name),
                on,
                10..=120,
                row.created_at,
            )?;
        }
        Ok(())
    }

    /// Records the states from the priority to the outcome.
    pub fn go_up(
        &mut self,
        generator: &mut Generator,
        row: &mut Model,
        found: NaiveDate,
        outcome: ClusterOutcome,
        projects: usize,
        members: &[Uuid],
    ) -> Result<(), Problem> {
        if outcome == ClusterOutcome::Withdrawn {
            let on = found + TimeDelta::days(generator.rng.between(200..=800));
            return generator.enter(
                row,
                State::Withdrawn,
                on,
                5..=60,
                Why::because("واحدهای خوشه تعطیل شده‌اند"),
            );
        }
        if matches!(outcome, ClusterOutcome::Merged | ClusterOutcome::Split) {
            return self.end(generator, row, found, outcome);
        }
        let prioritised = found + TimeDelta::days(generator.rng.between(60..=240));
        let decision = self.decision(generator, row, prioritised, "اولویت‌بندی خوشه")?;
        let [importance, promotability, viability, sustainability] =
            std::array::from_fn(|_| generator.rng.int(45..=95));
        row.priority_scores = Some(PriorityScores { importance, promotability, viability, sustainability });
        let at = generator.learned(prioritised, 1..=20, row.updated_at);
        generator.change(row, at)?;
        generator.enter(row, State::Prioritised, prioritised, 1..=20, Why::decided(decision))?;
        if outcome == ClusterOutcome::Prioritised {
            return projects::drafts(generator, self.place(), row, prioritised, projects);
        }
        let begun = prioritised + TimeDelta::days(generator.rng.between(20..=90));
        let mut study = feasibility_studies::Model {
            cluster_id: row.id,
            province: row.province.clone(),
            executor_id: if generator.rng.percent(50) {
                self.place().company
            } else {
                *generator.rng.pick(&self.place().helpers)
            },
            ..Default::default()
        };
        study = generator.learn(study, begun, 0..=10, row.updated_at)?;
        generator.enter(row, State::Feasibility, begun, 11..=30, Why::default())?;
        if outcome == ClusterOutcome::Feasibility {
            generator.keep(study);
            return projects::drafts(generator, self.place(), row, begun, projects);
        }
        let approved = begun + TimeDelta::days(generator.rng.between(60..=180));
        let decision = self.decision(generator, row, approved, "نتیجهٔ امکان‌سنجی خوشه")?;
        let is_feasible = outcome != ClusterOutcome::NotFeasible;
        study.result = Some(if is_feasible { Outcome::Positive } else { Outcome::Negative });
        (study.approved_on, study.decision_id) = (Some(approved.into()), Some(decision));
        let score = if is_feasible { 55..=95 } else { 10..=45 };
        study.criteria = List(
            CRITERIA
                .iter()
                .map(|name| Criterion {
                    criterion: Name((*name).to_owned()),
                    score: generator.rng.int(score.clone()),
                    note: None,
                })
                .collect(),
        );
        let at = generator.learned(approved, 1..=20, study.updated_at);
        generator.change(&mut study, at)?;
        let known = study.updated_at;
        generator.keep(study);
        let to = if is_feasible { State::Feasible } else { State::NotFeasible };
        let at = generator.learned(approved, 5..=30, row.updated_at.max(known));
        generator.enter_with(row, to, approved, at, Why::default(), |_| {})?;
        match outcome {
            ClusterOutcome::Developing => {
                projects::sequence(generator, self.place(), row, approved, projects, members)
            }
            _ => projects::drafts(generator, self.place(), row, approved, projects),
        }
    }

    /// A decision of the provincial committee about the cluster.
    fn decision(
        &self,
        generator: &mut Generator,
        row: &Model,
        on: NaiveDate,
        title_fa: &str,
    ) -> Result<Uuid, Problem> {
        let decision = decisions::Model {
            body: Body::ProvincialCommittee,
            meeting_no: Some(format!("{}/{}", year_of(on), generator.rng.between(1..=24))),
            decided_on: on.into(),
            title_fa: title_fa.to_owned(),
            province: Some(row.province.clone()),
            cluster_id: Some(row.id),
            ..Default::default()
        };
        Ok(generator.tell(decision, on, 0..=3, row.created_at)?.0)
    }

    /// It went into another cluster, or into two of them, which are there already.
    fn end(
        &mut self,
        generator: &mut Generator,
        row: &mut Model,
        found: NaiveDate,
        outcome: ClusterOutcome,
    ) -> Result<(), Problem> {
        let (kind, count, state) = if outcome == ClusterOutcome::Merged {
            (lineage::Kind::MergedInto, 1, State::Merged)
        } else {
            (lineage::Kind::SplitInto, 2, State::Split)
        };
        let others: Vec<(Uuid, NaiveDate)> = self.standing().take(count).collect();
        let earliest = others.iter().map(|(_, identified)| *identified).max().unwrap_or(found).max(found);
        let on = (earliest + TimeDelta::days(generator.rng.between(100..=700))).min(generator.last_day);
        let mut known: DateTime<Utc> = row.updated_at;
        for (other, _) in others {
            let entry = lineage::Model {
                cluster_id: row.id,
                province: row.province.clone(),
                kind,
                other_cluster_id: Some(other),
                effective_on: on.into(),
                source_title: Some("صورت‌جلسهٔ کارگروه خوشه‌های استان".to_owned()),
                ..Default::default()
            };
            known = generator.tell(entry, on, 2..=30, known)?.1;
        }
        let at = generator.learned(on, 5..=60, known);
        generator.enter_with(row, state, on, at, Why::default(), |_| {})
    }

    /// It had another name before.
    pub fn renamed(&self, generator: &mut Generator, row: &Model, found: NaiveDate) -> Result<(), Problem> {
        let on = found + TimeDelta::days(generator.rng.between(30..=400));
        let entry = lineage::Model {
            cluster_id: row.id,
            province: row.province.clone(),
            kind: lineage::Kind::Renamed,
            former_name: Some(Name(format!("{} {}", row.products.0[0].0, self.place().name_fa))),
            effective_on: on.into(),
            source_title: Some("صورت‌جلسهٔ کارگروه خوشه‌های استان".to_owned()),
            ..Default::default()
        };
        generator.tell(entry, on, 5..=60, row.created_at).map(|_| ())
    }

    pub fn networks(
        &self,
        generator: &mut Generator,
        row: &Model,
        found: NaiveDate,
        members: &[Uuid],
    ) -> Result<(), Problem> {
        const KINDS: [(networks::Kind, &str); 4] = [
            (networks::Kind::Horizontal, "شبکهٔ همکاری"),
            (networks::Kind::Vertical, "شبکهٔ تأمین"),
            (networks::Kind::ExportConsortium, "کنسرسیوم صادراتی"),
            (networks::Kind::RawMaterial, "شبکهٔ خرید مواد اولیه"),
        ];
        for _ in 0..generator.rng.between(0..=2) {
            let (kind, name) = *generator.rng.pick(&KINDS);
            let formed = generator.day(found, generator.last_day);
            let size = usize::try_from(generator.rng.between(3..=12)).unwrap_or_default().min(members.len());
            let network = networks::Model {
                cluster_id: row.id,
                province: row.province.clone(),
                kind,
                name_fa: format!("{name} {}", row.name_fa),
                formed_on: Some(formed.into()),
                dissolved_on: (generator.rng.percent(15).then(|| generator.day(formed, generator.last_day)))
                    .map(Date::from),
                members: List(members[..size].to_vec()),
                cost_irr: Some(Amount(generator.rng.between(2..=90) * 100_000_000)),
                private_share_bp: Some(generator.rng.int(10..=90) * 100),
                ..Default::default()
            };
            generator.tell(network, formed, 10..=90, row.created_at)?;
        }
        Ok(())
    }
}
