//! The clusters of a province, one after another, with their members.

use chrono::{DateTime, NaiveDate, TimeDelta};
use uuid::Uuid;

use super::{
    outcomes::{FATES, Fate},
    institutions::Place,
    projects, register,
    sizes::Sizes,
    generator::{Teller, Why, persian},
    vocabulary::{INDUSTRIES, Industry},
};
use crate::{
    clusters::{
        assessment::{Category, Finding, Findings, FirmsBySize},
        entity::{Model, Texts},
        identified::Precision,
        rules::State,
    },
    industries::{
        IsicClass,
        classes::{Classes, Isic},
    },
    persian::{Date, calendar::Period, text},
    problem::Problem,
    values::Name,
};

/// The story of the clusters of a province, one after another.
pub struct Story<'a> {
    place: &'a Place,
    size: Sizes,
    /// So many clusters are told.
    told: usize,
    /// So many projects and members are still to be told of.
    projects: usize,
    members: usize,
    /// So many firms are members of those that are told.
    enrolled: usize,
    /// The clusters that are told and still there, with the day on which they were identified.
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

    /// The clusters that are told and still there, with the day on which each was identified, newest first.
    pub fn standing(&self) -> impl Iterator<Item = (Uuid, NaiveDate)> {
        self.standing.iter().rev().copied()
    }

    /// How many firms are members of the clusters that are told.
    pub fn enrolled(&self) -> usize {
        self.enrolled
    }

    /// Tells of the next cluster; false where there is none. The first one of a province is developed, and
    /// the last one has all projects that are left.
    pub fn go_on(&mut self, teller: &mut Teller) -> Result<bool, Problem> {
        let left = self.size.clusters - self.told;
        if left == 0 {
            return Ok(false);
        }
        let (fate, _) = FATES[teller.dice.weighted(&FATES.map(|(_, weight)| weight))];
        let fate = match fate {
            _ if self.told == 0 || left == 1 => Fate::Developing,
            Fate::Merged | Fate::Split if self.standing.len() < 2 => Fate::Identified,
            fate => fate,
        };
        let share = self.projects.div_ceil(left);
        // Those that are not developed leave their share to the others.
        let projects = match fate {
            Fate::Developing if left == 1 => self.projects,
            Fate::Developing => (share * 4 / 3).min(self.projects),
            Fate::Candidate | Fate::Merged | Fate::Split | Fate::Withdrawn => 0,
            _ => usize::from(teller.dice.percent(40)).min(self.projects),
        };
        let members = self.members / left;
        self.projects -= projects;
        self.members -= members;
        self.told += 1;
        self.enrolled += members;
        self.cluster(teller, fate, projects, members)?;
        Ok(true)
    }

    fn cluster(
        &mut self,
        teller: &mut Teller,
        fate: Fate,
        projects: usize,
        members: usize,
    ) -> Result<(), Problem> {
        let industry = &INDUSTRIES[teller.dice.weighted(&self.place.industries)];
        let first = persian(1388, 1, 1);
        let last = if fate == Fate::Developing { persian(1393, 12, 29) } else { persian(1402, 12, 29) };
        let found = teller.day(first, last.min(teller.last_day - TimeDelta::days(900)));
        let mut row = self.candidate(teller, industry, found, fate)?;
        self.claims(teller, &row, found)?;
        if fate != Fate::Candidate {
            let known = row.updated_at;
            let at = teller.learned(found, 5..=60, known);
            teller.enter_with(&mut row, State::Identified, found, at, Why::default(), |_| {})?;
        }
        let members = register::members(teller, self.place, &row, industry, members)?;
        if !matches!(fate, Fate::Candidate | Fate::Identified) {
            self.go_up(teller, &mut row, found, fate, projects, &members)?;
        } else {
            projects::drafts(teller, self.place, &row, found, projects)?;
        }
        if members.len() >= 4 && !matches!(fate, Fate::Candidate | Fate::Identified) {
            self.networks(teller, &row, found, &members)?;
        }
        if teller.dice.percent(4) {
            self.renamed(teller, &row, found)?;
        }
        if !matches!(fate, Fate::Candidate | Fate::Merged | Fate::Split | Fate::Withdrawn) {
            self.standing.push((row.id, found));
        }
        teller.keep(row);
        Ok(())
    }

    /// The cluster as it was first heard of.
    fn candidate(
        &mut self,
        teller: &mut Teller,
        industry: &Industry,
        found: NaiveDate,
        fate: Fate,
    ) -> Result<Model, Problem> {
        let county = *teller.dice.pick(self.place.counties);
        let (name_fa, name_key) = self.name(teller, industry, county);
        let code = teller.known.counters.give_out("cluster", self.place.code.trim_start_matches("IR-"));
        let mut counties = vec![Name(county.to_owned())];
        let other = *teller.dice.pick(self.place.counties);
        counties.extend((other != county).then(|| Name(other.to_owned())));
        let employed = teller.dice.int(60..=4_000);
        let mut isic = vec![Isic { code: IsicClass(industry.class.to_owned()), primary: true }];
        let second = teller.dice.pick(INDUSTRIES).class;
        isic.extend(
            (second != industry.class && teller.dice.percent(20))
                .then(|| Isic { code: IsicClass(second.to_owned()), primary: false }),
        );
        let mut row = Model {
            code,
            name_order: text::order(&name_fa),
            name_key,
            name_en: teller.dice.percent(60).then(|| industry.name_en.to_owned()),
            name_fa,
            province: self.place.code.clone(),
            counties: Texts(counties),
            products: Texts(vec![Name(industry.name_fa.to_owned())]),
            primary_isic: industry.class.to_owned(),
            isic: Classes(isic),
            employment_total: Some(employed),
            employment_female: Some(employed * teller.dice.int(3..=40) / 100),
            annual_turnover_irr: Some(teller.dice.between(20..=9_000) * 1_000_000_000),
            export_usd: teller.dice.percent(55).then(|| teller.dice.between(10..=9_000) * 1_000),
            firms_by_size: Some(FirmsBySize {
                micro: teller.dice.int(10..=120),
                small: teller.dice.int(3..=40),
                medium: teller.dice.int(0..=8),
                large: teller.dice.int(0..=2),
            }),
            challenges: Findings(vec![
                Finding {
                    category: Category::Technology, text: "ماشین‌آلات قدیمی است".to_owned()
                },
                Finding {
                    category: Category::MarketKnowledge,
                    text: "شناخت بازارهای هدف اندک است".to_owned(),
                },
            ]),
            opportunities: Findings(vec![Finding {
                category: Category::Networks,
                text: "خرید مشترک مواد اولیه".to_owned(),
            }]),
            ..Model::default()
        };
        if fate != Fate::Candidate {
            let precision = [
                Precision::Day,
                Precision::Month,
                Precision::Quarter,
                Precision::Year,
                Precision::NotLaterThan,
            ];
            let precision = precision[teller.dice.weighted(&[40, 15, 10, 15, 20])];
            let end = precision.period().map_or_else(
                || Date::from(found).end_of(Period::Year),
                |period| Date::from(found).end_of(period),
            );
            row.identified_precision = Some(precision);
            row.identified_on = precision.period().map(|_| found);
            row.identified_not_later_than = Some(end.naive());
        }
        teller.learn(row, found - TimeDelta::days(60), 0..=40, DateTime::default())
    }

    /// A name that no cluster of the province has yet.
    fn name(&self, teller: &mut Teller, industry: &Industry, county: &str) -> (String, String) {
        let plain = format!("{} {county}", industry.name_fa);
        let names = std::iter::once(plain.clone()).chain((2..).map(|number| format!("{plain} {number}")));
        let free = names
            .into_iter()
            .map(|name| (text::key(&name), name))
            .find(|(key, _)| !teller.known.is_taken(&self.place.code, key));
        let (key, name) = free.unwrap_or_default();
        teller.known.cluster_names.insert((self.place.code.clone(), key.clone()));
        (name, key)
    }
}
