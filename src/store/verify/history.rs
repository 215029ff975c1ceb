//! Recomputes each chain of the change log, and compares it with the record.

use std::collections::HashMap;

use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect,
    entity::prelude::*,
    sea_query::{ExprTrait, Query},
};
use serde_json::Value;

use super::super::schema::{self, Schema};
use super::{
    Area, Fault, Intact, Kind, Row,
    chain::{BrokenLink, Chain},
    change_log::{self, Column},
};

/// Entries per page.
const PAGE: u64 = 200;

/// Walks all chains in the order of kinds, which are sorted, of records and of versions. In a database that
/// is newer than the program there may be kinds that it does not know.
pub(super) async fn check(
    moment: &DatabaseTransaction,
    kinds: &[Kind],
    intact: &mut Intact,
) -> Result<(), Fault> {
    for kind in kinds {
        let mut walk = Walk { kind, intact, open: None };
        walk.entries(moment).await?;
        walk.rows(moment, kinds).await?;
    }
    if matches!(schema::look(moment).await.map_err(unread)?, Schema::Fits { is_newer: true }) {
        return Ok(());
    }
    let unknown =
        change_log::Entity::find().filter(Column::Resource.is_not_in(kinds.iter().map(|kind| kind.resource)));
    let unknown =
        unknown.order_by_asc(Column::Resource).order_by_asc(Column::RecordId).order_by_asc(Column::Version);
    match unknown.one(moment).await.map_err(unread)? {
        Some(entry) => Err(broken_at(
            &entry.resource,
            entry.record_id,
            BrokenLink::at(entry.version, "there is no such kind of record"),
        )),
        None => Ok(()),
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
    async fn entries(&mut self, db: &impl ConnectionTrait) -> Result<(), Fault> {
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
                    self.open =
                        Some(Open { id: entry.record_id, chain: Chain::default(), newest: Value::Null, row });
                }
                let Some(open) = &mut self.open else { continue };
                open.chain.add(&entry).map_err(|link| broken(self.kind, open.id, link))?;
                open.newest = entry.data;
                self.intact.entries += 1;
            }
        }
        self.close()
    }

    /// The next entries. One that cannot even be read is named.
    async fn page(
        &self,
        db: &impl ConnectionTrait,
        (id, version): (Uuid, i64),
    ) -> Result<Vec<change_log::Model>, Fault> {
        let later = Column::RecordId.gt(id).or(Column::RecordId.eq(id).and(Column::Version.gt(version)));
        let query = change_log::Entity::find()
            .filter(Column::Resource.eq(self.kind.resource))
            .filter(Column::RecordId.gte(id))
            .filter(later);
        let query = query.order_by_asc(Column::RecordId).order_by_asc(Column::Version).limit(PAGE);
        let mut entries = Vec::new();
        for result in db.query_all(&sea_orm::QueryTrait::into_query(query)).await.map_err(unread)? {
            let entry = change_log::Model::from_query_result(&result, "");
            let unreadable =
                |error: DbErr| match (result.try_get("", "record_id"), result.try_get("", "version")) {
                    (Ok(id), Ok(version)) => broken(
                        self.kind,
                        id,
                        BrokenLink::at(version, format!("the entry cannot be read: {error}")),
                    ),
                    _ => unread(error),
                };
            entries.push(entry.map_err(unreadable)?);
        }
        Ok(entries)
    }

    /// The rows of the records whose entries begin in a page.
    async fn rows_of(
        &self,
        db: &impl ConnectionTrait,
        page: &[change_log::Model],
    ) -> Result<HashMap<Uuid, Row>, Fault> {
        let ids = page.iter().map(|entry| entry.record_id);
        let query = Query::select()
            .expr(Expr::cust("*"))
            .from(self.kind.table)
            .and_where(Expr::col("id").is_in(ids))
            .to_owned();
        let mut rows = HashMap::new();
        for result in db.query_all(&query).await.map_err(unread)? {
            let id = result.try_get("", "id").map_err(unread)?;
            let unreadable = |error| {
                broken(self.kind, id, BrokenLink::at(1, format!("the record itself cannot be read: {error}")))
            };
            rows.insert(id, (self.kind.read)(&result).map_err(unreadable)?);
        }
        Ok(rows)
    }

    /// Compares the record with its newest entry at the end of the chain. Fields in only one of them were
    /// added or removed by a version of the service.
    fn close(&mut self) -> Result<(), Fault> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let last = open.chain.version();
        let Some(row) = open.row else {
            return Err(broken(self.kind, open.id, BrokenLink::at(last, "the record itself is missing")));
        };
        open.chain.check_end(&row).map_err(|link| broken(self.kind, open.id, link))?;
        let differing = |(name, value): &(&String, &Value)| {
            open.newest.get(name.as_str()).is_some_and(|said| said != *value)
        };
        if let Some((name, _)) = row.data.as_object().into_iter().flatten().find(differing) {
            return Err(broken(
                self.kind,
                open.id,
                BrokenLink::at(last, format!("the record itself has another {name}")),
            ));
        }
        self.intact.chains += 1;
        Ok(())
    }

    /// No row is without an entry. Kinds that share a table share their rows.
    async fn rows(&self, db: &impl ConnectionTrait, kinds: &[Kind]) -> Result<(), Fault> {
        let table = self.kind.table;
        let resources = kinds.iter().filter(|kind| kind.table == table).map(|kind| kind.resource);
        let entry = Query::select()
            .expr(Expr::val(1))
            .from(change_log::Entity)
            .and_where(Column::Resource.is_in(resources))
            .and_where(Expr::col((change_log::Entity, Column::RecordId)).equals((table, "id")))
            .to_owned();
        let bare = Query::select()
            .column("id")
            .from(table)
            .and_where(Expr::exists(entry).not())
            .order_by("id", sea_orm::Order::Asc)
            .limit(1)
            .to_owned();
        match db.query_one(&bare).await.map_err(unread)? {
            Some(result) => Err(broken(
                self.kind,
                result.try_get("", "id").map_err(unread)?,
                BrokenLink::at(1, "the entry is missing"),
            )),
            None => Ok(()),
        }
    }
}

fn broken(kind: &Kind, record_id: Uuid, link: BrokenLink) -> Fault {
    broken_at(kind.resource, record_id, link)
}

fn broken_at(resource: &str, record_id: Uuid, BrokenLink { version, what }: BrokenLink) -> Fault {
    Fault::at(Area::History, format!("{resource} {record_id}, version {version}"), what)
}

fn unread(error: DbErr) -> Fault {
    Fault::unread(Area::History)(error)
}
