//! The clusters of a province, one after another, with their members.

use chrono::{DateTime, NaiveDate, TimeDelta};
use uuid::Uuid;

use super::{
    generator::{Generator, Why, persian},
    institutions::Place,
    outcomes::{ClusterOutcome, OUTCOMES},
    projects, register,
    sizes::Sizes,
    vocabulary::{INDUSTRIES, Industry},
};
use khoosheh::{
    clusters::{
        assessment::{Category, Finding, FirmsBySize},
        entity::Model,
        identified::Precision,
        rules::State,
    },
    industries::{IsicClass, classes::Isic},
    persian::{Date, calendar::Period, text},
    problem::Problem,
    values::{Amount, List, Name},
};

/// The story of the clusters of a province, one after another.
pub struct Story<'a> {
    place: &'a Place,
    size: Sizes,
    /// Number of clusters generated.
    told: usize,
    /// Number of projects and members still to be generated.
    projects: usize,
    members: usize,
    /// Number of firms that are members of the generated clusters.
    enrolled: usize,
    /// Generated clusters that still exist, with their day of identification.
    standing: Vec<(Uuid, NaiveDate)>,
}

impl<'a> Story<'a> {
    /// Begins. A third of the firms are members of clusters.
    pub fn begin(place: &'a Place, size: &Sizes) -> Self {
        Self {
            place,
            size: *size,
            told: 0,
            projects: size.projects,
            members: size.enterprises / 3,
            enrolled: 0,
            standing: Vec::new(),
        }
    }

    /// The province.
    pub fn place(&self) -> &'a Place {
        self.place
    }

    /// Generated clusters that still exist, with their day of identification, newest first.
    pub fn standing(&self) -> impl Iterator<Item = (Uuid, NaiveDate)> {
        self.standing.iter().rev().copied()
    }

    /// Number of firms that are members of the generated clusters.
    pub fn enrolled(&self) -> usize {
        self.enrolled
    }

    /// Tells of the next cluster; false where there is none. The first one of a province is developed, and
    /// the last one has all projects that are left.
    pub fn go_on(&mut self, generator: &mut Generator) -> Result<bool, Problem> {
        let left = self.size.clusters - self.told;
        if left == 0 {
            return Ok(false);
        }
        let (outcome, _) = OUTCOMES[generator.rng.weighted(&OUTCOMES.map(|(_, weight)| weight))];
        let outcome = match outcome {
            _ if self.told == 0 || left == 1 => ClusterOutcome::Developing,
            ClusterOutcome::Merged | ClusterOutcome::Split if self.standing.len() < 2 => {
                ClusterOutcome::Identified
            }
            outcome => outcome,
        };
        let share = self.projects.div_ceil(left);
        // Clusters without development leave their share to the others.
        let projects = match outcome {
            ClusterOutcome::Developing if left == 1 => self.projects,
            ClusterOutcome::Developing => (share * 4 / 3).min(self.projects),
            ClusterOutcome::Candidate
            | ClusterOutcome::Merged
            | ClusterOutcome::Split
            | ClusterOutcome::Withdrawn => 0,
            _ => usize::from(generator.rng.percent(40)).min(self.projects),
        };
        let members = self.members / left;
        self.projects -= projects;
        self.members -= members;
        self.told += 1;
        self.enrolled += members;
        self.cluster(generator, outcome, projects, members)?;
        Ok(true)
    }

    fn cluster(
        &mut self,
        generator: &mut Generator,
        outcome: ClusterOutcome,
        projects: usize,
        members: usize,
    ) -> Result<(), Problem> {
        let industry = &INDUSTRIES[generator.rng.weighted(&self.place.industries)];
        let first = persian(1388, 1, 1);
        let last =
            if outcome == ClusterOutcome::Developing { persian(1393, 12, 29) } else { persian(1402, 12, 29) };
        let found = generator.day(first, last.min(generator.last_day - TimeDelta::days(900)));
        let mut row = self.candidate(generator, industry, found, outcome)?;
        self.claims(generator, &row, found)?;
        if outcome != ClusterOutcome::Candidate {
            let known = row.updated_at;
            let at = generator.learned(found, 5..=60, known);
            generator.enter_with(&mut row, State::Identified, found, at, Why::default(), |_| {})?;
        }
        let members = register::members(generator, self.place, &row, industry, members)?;
        if !matches!(outcome, ClusterOutcome::Candidate | ClusterOutcome::Identified) {
            self.go_up(generator, &mut row, found, outcome, projects, &members)?;
        } else {
            projects::drafts(generator, self.place, &row, found, projects)?;
        }
        if members.len() >= 4 && !matches!(outcome, ClusterOutcome::Candidate | ClusterOutcome::Identified) {
            self.networks(generator, &row, found, &members)?;
        }
        if generator.rng.percent(4) {
            self.renamed(generator, &row, found)?;
        }
        if !matches!(
            outcome,
            ClusterOutcome::Candidate
                | ClusterOutcome::Merged
                | ClusterOutcome::Split
                | ClusterOutcome::Withdrawn
        ) {
            self.standing.push((row.id, found));
        }
        generator.keep(row);
        Ok(())
    }

    /// The cluster as it was first heard of.
    fn candidate(
        &mut self,
        generator: &mut Generator,
        industry: &Industry,
        found: NaiveDate,
        outcome: ClusterOutcome,
    ) -> Result<Model, Problem> {
        let county = *generator.rng.pick(self.place.counties);
        let (name_fa, name_key) = self.name(generator, industry, county);
        let code = generator.known.counters.give_out("cluster", self.place.code.trim_start_matches("IR-"));
        let mut counties = vec![Name(county.to_owned())];
        let other = *generator.rng.pick(self.place.counties);
        counties.extend((other != county).then(|| Name(other.to_owned())));
        let employed = generator.rng.int(60..=4_000);
        let mut isic = vec![Isic { code: IsicClass(industry.class.to_owned()), primary: true }];
        let second = generator.rng.pick(INDUSTRIES).class;
        isic.extend(
            (second != industry.class && generator.rng.percent(20))
                .then(|| Isic { code: IsicClass(second.to_owned()), primary: false }),
        );
        let mut row = Model {
            code,
            name_order: text::order(&name_fa),
            name_key,
            name_en: generator.rng.percent(60).then(|| industry.name_en.to_owned()),
            name_fa,
            province: self.place.code.clone().into(),
            counties: List(counties),
            products: List(vec![Name(industry.name_fa.to_owned())]),
            primary_isic: industry.class.to_owned(),
            isic: List(isic),
            employment_total: Some(employed),
            employment_female: Some(employed * generator.rng.int(3..=40) / 100),
            annual_turnover_irr: Some(Amount(generator.rng.between(20..=9_000) * 1_000_000_000)),
            export_usd: (generator.rng.percent(55).then(|| generator.rng.between(10..=9_000) * 1_000))
                .map(Amount),
            firms_by_size: Some(FirmsBySize {
                micro: generator.rng.int(10..=120),
                small: generator.rng.int(3..=40),
                medium: generator.rng.int(0..=8),
                large: generator.rng.int(0..=2),
            }),
            challenges: List(vec![
                Finding {
                    category: Category::Technology, text: "ماشین‌آلات قدیمی است".to_owned()
                },
                Finding {
                    category: Category::MarketKnowledge,
                    text: "شناخت بازارهای هدف اندک است".to_owned(),
                },
            ]),
            opportunities: List(vec![Finding {
                category: Category::Networks,
                text: "خرید مشترک مواد اولیه".to_owned(),
            }]),
            ..Model::default()
        };
        if outcome != ClusterOutcome::Candidate {
            let precision = [
                Precision::Day,
                Precision::Month,
                Precision::Quarter,
                Precision::Year,
                Precision::NotLaterThan,
            ];
            let precision = precision[generator.rng.weighted(&[40, 15, 10, 15, 20])];
            let end = precision.period().map_or_else(
                || Date::from(found).end_of(Period::Year),
                |period| Date::from(found).end_of(period),
            );
            row.identified_precision = Some(precision);
            row.identified_on = precision.period().map(|_| found.into());
            row.identified_not_later_than = Some(end);
        }
        generator.learn(row, found - TimeDelta::days(60), 0..=40, DateTime::default())
    }

    /// A name that no cluster of the province has yet.
    fn name(&self, generator: &mut Generator, industry: &Industry, county: &str) -> (String, String) {
        let plain = format!("{} {county}", industry.name_fa);
        let names = std::iter::once(plain.clone()).chain((2..).map(|number| format!("{plain} {number}")));
        let free = names
            .into_iter()
            .map(|name| (text::key(&name), name))
            .find(|(key, _)| !generator.known.is_taken(&self.place.code, key));
        let (key, name) = free.unwrap_or_default();
        generator.known.cluster_names.insert((self.place.code.clone(), key.clone()));
        (name, key)
    }
}
