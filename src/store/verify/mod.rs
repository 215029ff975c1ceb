//! Verifies the integrity of the database: the history and the records, search terms and external references,
//! stored answers of repeated requests, and the database's own pages and indexes.
//!
//! Each area is checked separately, and reports its first fault. The history includes its
//! [root](super::root), a fingerprint of all records at one moment.

mod answers;
mod chain;
mod database;
mod found_by;
mod history;
mod personal;

use std::{collections::BTreeSet, fmt};

use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityName, QueryResult, Statement,
    prelude::Uuid,
    sea_query::{Expr, ExprTrait, Query, SelectStatement},
};
use serde_json::Value;

pub use self::chain::Chain;
use super::{
    Database, Record,
    change_log::{self, Column, FieldChange},
    connection,
    personal::verify::Said,
    root, search,
};

/// A kind of record: where its rows are.
pub struct Kind {
    resource: &'static str,
    /// The name of its table.
    pub table: &'static str,
    /// Tables and columns whose live rows prevent the deletion of a record ([`Record::REFERRED_BY`]).
    pub referred_by: &'static [(&'static str, &'static str)],
    read: fn(&QueryResult) -> Result<Row, DbErr>,
    found_by: fn(&QueryResult) -> Result<FoundBy, DbErr>,
    /// Differences between the fields before and after a change.
    pub differences: fn(&Value, &Value) -> Vec<FieldChange>,
    personal: fn(&QueryResult) -> Result<Said, DbErr>,
}

/// A current record.
struct Row {
    version: i64,
    history_hash: String,
    data: Value,
}

/// Search terms (field and term) and external references (system and key) of a record; empty if deleted.
#[derive(Default)]
struct FoundBy {
    terms: BTreeSet<(String, String)>,
    references: BTreeSet<(String, String)>,
}

impl Kind {
    /// The kind of a type of row.
    pub fn of<R: Record>() -> Self {
        let read = |result: &QueryResult| {
            let row = R::from_query_result(result, "")?;
            let data = change_log::data(&row).map_err(|error| DbErr::Custom(error.to_string()))?;
            Ok(Row { version: row.version(), history_hash: row.history_hash().to_owned(), data })
        };
        let found_by = |result: &QueryResult| {
            let row = R::from_query_result(result, "")?;
            if row.deleted_at().is_some() {
                return Ok(FoundBy::default());
            }
            let references =
                row.external_refs().iter().map(|reference| (reference.system.clone(), reference.key.clone()));
            let terms = search::terms_of(&row).into_iter().map(|(field, term)| (field.to_owned(), term));
            Ok(FoundBy { terms: terms.collect(), references: references.collect() })
        };
        Self {
            resource: R::RESOURCE,
            table: R::Entity::default().table_name(),
            referred_by: R::REFERRED_BY,
            read,
            found_by,
            differences: change_log::differences::<R>,
            personal: Said::of::<R>,
        }
    }

    /// Its name in the change log.
    pub fn resource(&self) -> &'static str {
        self.resource
    }

    /// The table that its rows are in.
    pub fn table(&self) -> &'static str {
        self.table
    }

    /// Rows of the kind in the order of their ids, after one. Kinds that share a table are distinguished by
    /// their entries.
    fn rows_after(&self, after: Option<Uuid>, kinds: &[Self], most: u64) -> SelectStatement {
        let mut query =
            Query::select().from(self.table).order_by("id", sea_orm::Order::Asc).limit(most).to_owned();
        if let Some(after) = after {
            query.and_where(Expr::col("id").gt(after));
        }
        if kinds.iter().filter(|kind| kind.table == self.table).count() > 1 {
            let entry = Query::select()
                .expr(Expr::val(1))
                .from(change_log::Entity)
                .and_where(Column::Resource.eq(self.resource))
                .and_where(Expr::col((change_log::Entity, Column::RecordId)).equals((self.table, "id")))
                .and_where(Expr::col((change_log::Entity, Column::Version)).equals((self.table, "version")))
                .to_owned();
            query.and_where(Expr::exists(entry));
        }
        query
    }
}

/// Statistics of the verified areas.
#[derive(Debug, Default)]
pub struct Intact {
    /// Number of records.
    pub chains: u64,
    /// Number of their versions.
    pub entries: u64,
    /// The hash over the heads of all chains, as [root](super::root) gives it.
    pub root: String,
    /// Number of search terms.
    pub terms: u64,
    /// Number of external references.
    pub references: u64,
    /// Number of personal values.
    pub values: u64,
    /// Number of stored answers that match their checksums.
    pub answers: u64,
    /// Number of stored answers from before there were checksums, which cannot be verified.
    pub bare_answers: u64,
    /// Description of the database checks.
    pub database: String,
}

impl Intact {
    /// A sentence for each area, and the root last.
    pub fn sentences(&self) -> Vec<String> {
        let Self { chains, entries, root, terms, references, values, answers, bare_answers, database } = self;
        let bare = if *bare_answers == 0 {
            String::new()
        } else {
            format!("; {bare_answers} more have no checksum")
        };
        vec![
            format!("the history is whole: {entries} entries in {chains} chains"),
            format!(
                "the records are found by what they say: {terms} search terms, {references} external references"
            ),
            format!("the personal values are those that are committed to: {values}"),
            format!("the kept answers are whole: {answers}{bare}"),
            format!("the database is whole: {database}"),
            format!("root: {root}"),
        ]
    }
}

/// Areas, which are verified separately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Area {
    /// The entries of all records, and the records themselves.
    History,
    /// The terms that records are found by.
    Terms,
    /// The names that other systems have for records.
    References,
    /// The personal values that records and entries commit to.
    Personal,
    /// The answers to requests that may be repeated.
    Answers,
    /// Pages, indexes and foreign keys.
    Database,
}

/// The first fault of an area.
#[derive(Debug)]
pub struct Fault {
    /// The area.
    pub area: Area,
    /// Where; none where the area could not be read.
    place: Option<String>,
    what: String,
}

impl Fault {
    fn at(area: Area, place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { area, place: Some(place.into()), what: what.into() }
    }

    fn of_record(area: Area, resource: &str, record_id: Uuid, what: impl Into<String>) -> Self {
        Self::at(area, format!("{resource} {record_id}"), what)
    }

    fn unread(area: Area) -> impl Fn(DbErr) -> Self {
        move |error| Self { area, place: None, what: error.to_string() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (area, are_wrong) = match self.area {
            Area::History => ("the history", "is broken"),
            Area::Terms => ("the search terms", "are not those of the records"),
            Area::References => ("the external references", "are not those of the records"),
            Area::Personal => ("the personal values", "are not those that are committed to"),
            Area::Answers => ("the kept answers", "are damaged"),
            Area::Database => ("the database", "is damaged"),
        };
        match &self.place {
            Some(place) => write!(f, "{area} {are_wrong} at {place}: {}", self.what),
            None => write!(f, "{area} cannot be read: {}", self.what),
        }
    }
}

/// The first fault of each area that has one.
#[derive(Debug)]
pub struct Failure(pub Vec<Fault>);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Failure {}

/// Verifies all areas, each in one snapshot, page by page.
///
/// # Errors
/// The first fault of each area that is damaged or unreadable.
pub async fn verify(db: &Database, mut kinds: Vec<Kind>) -> Result<Intact, Failure> {
    kinds.sort_by_key(|kind| kind.resource);
    let (mut intact, mut faults) = (Intact::default(), Vec::new());
    let history = async {
        let moment = moment(db, Area::History).await?;
        history::check(&moment, &kinds, &mut intact).await?;
        root::root(&moment).await.map_err(Fault::unread(Area::History))
    };
    match history.await {
        Ok(root) => intact.root = root.sha256,
        Err(fault) => faults.push(fault),
    }
    faults.extend(found_by::check(db, &kinds, &mut intact).await);
    faults.extend(personal::check(db, &kinds, &mut intact).await.err());
    let answers = async { answers::check(&moment(db, Area::Answers).await?, &mut intact).await };
    faults.extend(answers.await.err());
    match database::check(db).await {
        Ok(checked) => intact.database = checked,
        Err(fault) => faults.push(fault),
    }
    if faults.is_empty() { Ok(intact) } else { Err(Failure(faults)) }
}

/// A snapshot of the database, for as long as an area takes.
async fn moment(db: &Database, area: Area) -> Result<DatabaseTransaction, Fault> {
    connection::begin_to_read(db).await.map_err(Fault::unread(area))
}

/// Runs a statement that returns a column of texts.
async fn texts(db: &impl ConnectionTrait, sql: &str, column: &str) -> Result<Vec<String>, DbErr> {
    db.query_all_raw(Statement::from_string(db.get_database_backend(), sql))
        .await?
        .iter()
        .map(|row| row.try_get("", column))
        .collect()
}
