//! Generator of the data: the order and times of records, and their history.

use std::{
    collections::{BTreeMap, HashSet},
    ops::RangeInclusive,
    sync::Arc,
};

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use uuid::Uuid;

use super::rng::Rng;
use khoosheh::{
    clusters::entity as clusters,
    indicators::entity as indicators,
    lifecycle::{State, Stateful},
    persian::Date,
    problem::Problem,
    store::{
        Annals, Database, Record, bulk::Bulk, code::Counters, personal::keys::Keyring, status_event::Event,
    },
};

/// The tables in the order in which they refer to one another.
const TABLES: &[&str] = &[
    "change_log",
    "status_event",
    "search_term",
    "external_ref",
    "organisation",
    "cda",
    "cluster",
    "enterprise",
    "project",
    "decision",
    "cluster_claim",
    "lineage_entry",
    "feasibility_study",
    "network",
    "assignment",
    "supervision",
    "partner",
    "phase",
    "milestone",
    "baseline",
    "measurement",
    "progress_report",
    "payment",
    "joint_action",
];

/// Request id of the generated history.
const REQUEST: &str = "generate";

/// Existing data of the database that generation continues from.
pub struct Known {
    /// The counts of codes.
    pub counters: Counters,
    /// The names of clusters in the form that is unique in a province.
    pub cluster_names: HashSet<(String, String)>,
    /// The catalogue of indicators.
    pub indicators: Vec<indicators::Model>,
    /// The keys of personal values.
    pub keyring: Arc<Keyring>,
}

impl Known {
    /// Whether a cluster of a province has a name.
    pub fn is_taken(&self, province: &str, key: &str) -> bool {
        self.cluster_names.contains(&(province.to_owned(), key.to_owned()))
    }

    /// Reads the existing data.
    pub async fn read(db: &Database) -> Result<Self, Problem> {
        use sea_orm::{QueryOrder, prelude::*};
        let clusters = clusters::Entity::find().all(db).await?;
        let active = indicators::Entity::find()
            .filter(indicators::Column::DeletedAt.is_null())
            .filter(indicators::Column::IsActive.eq(true));
        Ok(Self {
            counters: Counters::read(db).await?,
            cluster_names: clusters
                .into_iter()
                .map(|cluster| (cluster.province.0, cluster.name_key))
                .collect(),
            indicators: active.order_by_asc(indicators::Column::Code).all(db).await?,
            keyring: Arc::new(Keyring::of(db).await?),
        })
    }
}

/// Reason for a change of state.
#[derive(Clone, Copy, Default)]
pub struct Why {
    /// The decision behind it.
    pub decision: Option<Uuid>,
    /// The reason that was given.
    pub reason: Option<&'static str>,
}

impl Why {
    /// By decision.
    pub fn decided(decision: Uuid) -> Self {
        Self { decision: Some(decision), reason: None }
    }

    /// For a reason.
    pub fn because(reason: &'static str) -> Self {
        Self { decision: None, reason: Some(reason) }
    }
}

/// Generates records and their history, in the order of their dependencies.
pub struct Generator {
    /// Chance.
    pub rng: Rng,
    /// Existing data.
    pub known: Known,
    /// The last day on which something has happened.
    pub last_day: NaiveDate,
    annals: Annals,
    /// The first and the last moment at which something was recorded.
    recorded: (DateTime<Utc>, DateTime<Utc>),
}

impl Generator {
    /// Begins: nothing happens on the day `today` or later.
    pub fn new(seed: u64, today: NaiveDate, known: Known) -> Self {
        let begun = persian(1390, 1, 20);
        // Midnight in Iran is half past eight in UTC.
        let midnight = |day: NaiveDate| (day.and_time(NaiveTime::MIN) - TimeDelta::minutes(210)).and_utc();
        let annals = annals(&known);
        Self {
            rng: Rng::new(seed),
            known,
            last_day: today - Days::new(1),
            annals,
            recorded: (midnight(begun), midnight(today)),
        }
    }

    /// A recording time some days after an event: after the previous one, and in office hours. Later ones are
    /// recorded today.
    pub fn learned(
        &mut self,
        day: NaiveDate,
        lag: RangeInclusive<i64>,
        before: DateTime<Utc>,
    ) -> DateTime<Utc> {
        let (first, last) = self.recorded;
        let hours = TimeDelta::seconds(self.rng.between(4 * 3_600..=12 * 3_600))
            + TimeDelta::microseconds(self.rng.between(0..=999_999));
        let found = day.and_time(NaiveTime::MIN).and_utc() + TimeDelta::days(self.rng.between(lag)) + hours;
        let next = before + TimeDelta::seconds(self.rng.between(40..=3_000));
        found.max(first + hours).max(next).min(last)
    }

    /// Creates a record of which a moment is known.
    pub fn create<R: Record>(&mut self, row: R, at: DateTime<Utc>) -> Result<R, Problem> {
        let id = self.rng.id(at);
        self.annals.create(row, id, at)
    }

    /// Creates a record of a day.
    pub fn learn<R: Record>(
        &mut self,
        row: R,
        day: NaiveDate,
        lag: RangeInclusive<i64>,
        before: DateTime<Utc>,
    ) -> Result<R, Problem> {
        let at = self.learned(day, lag, before);
        self.create(row, at)
    }

    /// Creates a record that never changes; returns its id and time.
    pub fn tell<R: Record>(
        &mut self,
        row: R,
        day: NaiveDate,
        lag: RangeInclusive<i64>,
        before: DateTime<Utc>,
    ) -> Result<(Uuid, DateTime<Utc>), Problem> {
        let mut row = self.learn(row, day, lag, before)?;
        let told = (row.id(), *row.columns_mut().created_at);
        self.keep(row);
        Ok(told)
    }

    /// Records the changes of a row since it was last written.
    pub fn change<R: Record>(&mut self, row: &mut R, at: DateTime<Utc>) -> Result<(), Problem> {
        self.annals.update(row, at)
    }

    /// Records a state since a day, with related changes.
    pub fn enter_with<R: Stateful>(
        &mut self,
        row: &mut R,
        to: R::State,
        on: NaiveDate,
        at: DateTime<Utc>,
        why: Why,
        adjust: impl FnOnce(&mut R),
    ) -> Result<(), Problem> {
        let (from, id) = (row.state().name(), self.rng.id(at));
        row.apply_state(to, on.into());
        adjust(row);
        let event = Event {
            from,
            to: to.name(),
            effective_on: on.into(),
            decision_id: why.decision,
            reason: why.reason.map(str::to_owned),
        };
        self.annals.transition(row, id, event, at)
    }

    /// Records that a record is in a state since a day, some days later.
    pub fn enter<R: Stateful>(
        &mut self,
        row: &mut R,
        to: R::State,
        on: NaiveDate,
        lag: RangeInclusive<i64>,
        why: Why,
    ) -> Result<(), Problem> {
        let before = *row.columns_mut().updated_at;
        let at = self.learned(on, lag, before);
        self.enter_with(row, to, on, at, why, |_| {})
    }

    /// Adds the final row of a record.
    pub fn keep<R: Record>(&mut self, row: R) {
        self.annals.keep(row);
    }

    /// Number of generated rows that are not handed over yet.
    pub fn told(&self) -> usize {
        self.annals.len()
    }

    /// Hands over the rows generated since the last time.
    pub fn hand_over(&mut self) -> Bulk {
        std::mem::replace(&mut self.annals, annals(&self.known)).into_bulk()
    }

    /// A full name.
    pub fn name(&mut self) -> String {
        use super::vocabulary::{FIRST_NAMES, LAST_NAMES};
        format!("{} {}", self.rng.pick(FIRST_NAMES), self.rng.pick(LAST_NAMES))
    }

    /// A day within some days.
    pub fn day(&mut self, first: NaiveDate, last: NaiveDate) -> NaiveDate {
        first + TimeDelta::days(self.rng.between(0..=(last - first).num_days().max(0)))
    }
}

fn annals(known: &Known) -> Annals {
    Annals::new(TABLES, Uuid::nil(), REQUEST, known.keyring.clone())
}

/// A day of the Persian calendar that is there.
pub fn persian(year: i32, month: u8, day: u8) -> NaiveDate {
    Date::from_persian(year, month, day).unwrap_or(Date::FIRST).naive()
}

/// The Persian year of a day.
pub fn year_of(day: NaiveDate) -> i32 {
    Date::from(day).persian().0
}

/// Number of rows of each table.
pub type Counts = BTreeMap<&'static str, usize>;
