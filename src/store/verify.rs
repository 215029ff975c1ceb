//! Whether the history is whole: each chain of the change log is computed again, and held against the record itself.

use std::{collections::HashMap, fmt};

use sea_orm::{
    ConnectionTrait, DbErr, EntityName, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QueryResult, QuerySelect,
    entity::prelude::*,
    sea_query::{ExprTrait, Query},
};
use serde_json::Value;

use super::{
    Record,
    change_log::{self, Column},
    connection,
};

/// So many entries are read at once.
const PAGE: u64 = 200;

/// A kind of record: where its rows are.
pub struct Kind {
    resource: &'static str,
    table: &'static str,
    read: fn(&QueryResult) -> Result<Row, DbErr>,
}

/// A record as it is at present.
struct Row {
    version: i64,
    history_hash: String,
    data: Value,
}

impl Kind {
    /// The kind of a type of row.
    pub fn of<R: Record>() -> Self {
        let read = |result: &QueryResult| {
            let row = R::from_query_result(result, "")?;
            let data = change_log::data(&row).map_err(|error| DbErr::Custom(error.to_string()))?;
            Ok(Row { version: row.version(), history_hash: row.history_hash().to_owned(), data })
        };
        Self { resource: R::RESOURCE, table: R::Entity::default().table_name(), read }
    }

    /// The table that its rows are in.
    pub fn table(&self) -> &'static str {
        self.table
    }
}

/// What is whole.
#[derive(Debug, Default)]
pub struct Intact {
    /// So many records.
    pub chains: u64,
    /// So many versions of them.
    pub entries: u64,
}

/// Why the history cannot be said to be whole.
#[derive(Debug)]
pub enum Failure {
    /// The first link that does not hold.
    Broken {
        /// Which kind of record.
        resource: String,
        /// The record.
        record_id: Uuid,
        /// What is wrong, from which version on.
        fault: Fault,
    },
    /// The database did not answer.
    Database(DbErr),
}

impl From<DbErr> for Failure {
    fn from(error: DbErr) -> Self {
        Self::Database(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken { resource, record_id, fault: Fault { version, what } } => {
                write!(f, "the history is broken at {resource} {record_id}, version {version}: {what}")
            }
            Self::Database(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Failure {}

/// What is wrong with a chain.
#[derive(Debug)]
pub struct Fault {
    version: i64,
    what: String,
}

impl Fault {
    fn at(version: i64, what: impl Into<String>) -> Self {
        Self { version, what: what.into() }
    }
}

/// The chain of one record, as far as its entries have been seen in their order.
#[derive(Debug, Default)]
pub struct Chain {
    version: i64,
    hash: String,
}

impl Chain {
    /// The entry is the next one, carries the hash of the one before, and says what its own hash was made of.
    pub fn add(&mut self, entry: &change_log::Model) -> Result<(), Fault> {
        let version = self.version + 1;
        if entry.version < version {
            return Err(Fault::at(entry.version, "versions begin with 1"));
        }
        if entry.version > version {
            return Err(Fault::at(version, "the entry is missing"));
        }
        if entry.previous_hash != self.hash {
            return Err(Fault::at(version, "the entry does not carry the hash of the one before"));
        }
        if entry.compute_hash() != entry.hash {
            return Err(Fault::at(version, "the hash is not that of what the entry says"));
        }
        *self = Self { version, hash: entry.hash.clone() };
        Ok(())
    }

    /// Whether it has an entry, and its last one is that of this hash.
    pub fn ends_in(&self, hash: &str) -> bool {
        self.version > 0 && self.hash == hash
    }

    /// The record is in the version of its newest entry, and carries its hash.
    fn check_end(&self, row: &Row) -> Result<(), Fault> {
        let last = self.version;
        match row.version {
            version if version > last => Err(Fault::at(last + 1, "the entry is missing")),
            version if version < last => Err(Fault::at(last, format!("the record itself is in version {version}"))),
            _ if !self.ends_in(&row.history_hash) => Err(Fault::at(last, "the record itself carries another hash")),
            _ => Ok(()),
        }
    }
}

/// Walks all chains in the order of kinds, records and versions, as they are at one moment. It holds a page at a time.
pub async fn verify(db: &DatabaseConnection, mut kinds: Vec<Kind>) -> Result<Intact, Failure> {
    kinds.sort_by_key(|kind| kind.resource);
    let db = &connection::begin_to_read(db).await?;
    let mut intact = Intact::default();
    for kind in &kinds {
        let mut walk = Walk { kind, intact: &mut intact, open: None };
        walk.entries(db).await?;
        walk.rows(db, &kinds).await?;
    }
    let unknown = change_log::Entity::find().filter(Column::Resource.is_not_in(kinds.iter().map(|kind| kind.resource)));
    match unknown.order_by_asc(Column::Resource).order_by_asc(Column::RecordId).order_by_asc(Column::Version).one(db).await? {
        Some(entry) => {
            let fault = Fault::at(entry.version, "there is no such kind of record");
            Err(Failure::Broken { resource: entry.resource, record_id: entry.record_id, fault })
        }
        None => Ok(intact),
    }
}

/// The walk through the chains of one kind.
struct Walk<'a> {
    kind: &'a Kind,
    intact: &'a mut Intact,
    open: Option<Open>,
}

/// The record whose entries are being seen.
struct Open {
    id: Uuid,
    chain: Chain,
    newest: Value,
    row: Option<Row>,
}

impl Walk<'_> {
    async fn entries(&mut self, db: &impl ConnectionTrait) -> Result<(), Failure> {
        let mut after = (Uuid::nil(), i64::MIN);
        loop {
            let page = self.page(db, after).await?;
            let Some(last) = page.last() else { break };
            after = (last.record_id, last.version);
            let mut rows = self.rows_of(db, &page).await?;
            for entry in page {
                if self.open.as_ref().is_none_or(|open| open.id != entry.record_id) {
                    self.close()?;
                    let row = rows.remove(&entry.record_id);
                    self.open = Some(Open { id: entry.record_id, chain: Chain::default(), newest: Value::Null, row });
                }
                let Some(open) = &mut self.open else { continue };
                open.chain.add(&entry).map_err(|fault| broken(self.kind, open.id, fault))?;
                open.newest = entry.data;
                self.intact.entries += 1;
            }
        }
        self.close()
    }

    /// The next entries. One that cannot even be read is named.
    async fn page(&self, db: &impl ConnectionTrait, (id, version): (Uuid, i64)) -> Result<Vec<change_log::Model>, Failure> {
        let later = Column::RecordId.gt(id).or(Column::RecordId.eq(id).and(Column::Version.gt(version)));
        let query = change_log::Entity::find().filter(Column::Resource.eq(self.kind.resource)).filter(Column::RecordId.gte(id)).filter(later);
        let query = query.order_by_asc(Column::RecordId).order_by_asc(Column::Version).limit(PAGE);
        let mut entries = Vec::new();
        for result in db.query_all(&sea_orm::QueryTrait::into_query(query)).await? {
            let entry = change_log::Model::from_query_result(&result, "");
            let unreadable = |error: DbErr| match (result.try_get("", "record_id"), result.try_get("", "version")) {
                (Ok(id), Ok(version)) => broken(self.kind, id, Fault::at(version, format!("the entry cannot be read: {error}"))),
                _ => error.into(),
            };
            entries.push(entry.map_err(unreadable)?);
        }
        Ok(entries)
    }

    /// The rows of the records whose entries begin in a page.
    async fn rows_of(&self, db: &impl ConnectionTrait, page: &[change_log::Model]) -> Result<HashMap<Uuid, Row>, Failure> {
        let ids = page.iter().map(|entry| entry.record_id);
        let query = Query::select().expr(Expr::cust("*")).from(self.kind.table).and_where(Expr::col("id").is_in(ids)).to_owned();
        let mut rows = HashMap::new();
        for result in db.query_all(&query).await? {
            let id = result.try_get("", "id")?;
            let unreadable = |error| broken(self.kind, id, Fault::at(1, format!("the record itself cannot be read: {error}")));
            rows.insert(id, (self.kind.read)(&result).map_err(unreadable)?);
        }
        Ok(rows)
    }

    /// The chain ends in the record, which says what its newest entry says. A field that only one of them has came or went
    /// with a version of the service.
    fn close(&mut self) -> Result<(), Failure> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let last = open.chain.version;
        let Some(row) = open.row else { return Err(broken(self.kind, open.id, Fault::at(last, "the record itself is missing"))) };
        open.chain.check_end(&row).map_err(|fault| broken(self.kind, open.id, fault))?;
        let differing = |(name, value): &(&String, &Value)| open.newest.get(name.as_str()).is_some_and(|said| said != *value);
        if let Some((name, _)) = row.data.as_object().into_iter().flatten().find(differing) {
            return Err(broken(self.kind, open.id, Fault::at(last, format!("the record itself has another {name}"))));
        }
        self.intact.chains += 1;
        Ok(())
    }

    /// No row is without an entry. Kinds that share a table share their rows.
    async fn rows(&self, db: &impl ConnectionTrait, kinds: &[Kind]) -> Result<(), Failure> {
        let table = self.kind.table;
        let resources = kinds.iter().filter(|kind| kind.table == table).map(|kind| kind.resource);
        let entry = Query::select()
            .expr(Expr::val(1))
            .from(change_log::Entity)
            .and_where(Column::Resource.is_in(resources))
            .and_where(Expr::col((change_log::Entity, Column::RecordId)).equals((table, "id")))
            .to_owned();
        let bare =
            Query::select().column("id").from(table).and_where(Expr::exists(entry).not()).order_by("id", sea_orm::Order::Asc).limit(1).to_owned();
        match db.query_one(&bare).await? {
            Some(result) => Err(broken(self.kind, result.try_get("", "id")?, Fault::at(1, "the entry is missing"))),
            None => Ok(()),
        }
    }
}

fn broken(kind: &Kind, record_id: Uuid, fault: Fault) -> Failure {
    Failure::Broken { resource: kind.resource.to_owned(), record_id, fault }
}
