//! Verifies the rows of search terms and external references against the records.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, EntityName, Order, prelude::Uuid};

use super::{Area, Fault, FoundBy, Intact, Kind, moment};
use crate::store::{Database, external_ref, search};

/// Records per page.
const PAGE: u64 = 500;

/// A table derived from records.
struct Table {
    area: Area,
    name: &'static str,
    /// Its two derived columns.
    columns: [&'static str; 2],
    /// Name of a row of the table.
    row: &'static str,
    said: fn(&FoundBy) -> &BTreeSet<(String, String)>,
}

/// The first fault of each of the two tables.
pub(super) async fn check(db: &Database, kinds: &[Kind], intact: &mut Intact) -> Vec<Fault> {
    let terms = Table {
        area: Area::Terms,
        name: search::Entity.table_name(),
        columns: ["field", "term"],
        row: "a term",
        said: |row| &row.terms,
    };
    let references = Table {
        area: Area::References,
        name: external_ref::Entity.table_name(),
        columns: ["system", "reference"],
        row: "a reference",
        said: |row| &row.references,
    };
    let mut walks = [Walk::new(terms), Walk::new(references)];
    match moment(db, Area::Terms).await {
        Ok(moment) => {
            for kind in kinds {
                walk(&moment, kind, kinds, &mut walks).await;
            }
            for walk in walks.iter_mut().filter(|walk| walk.fault.is_none()) {
                walk.fault = walk
                    .of_no_kind(&moment, kinds)
                    .await
                    .unwrap_or_else(|error| Some(Fault::unread(walk.table.area)(error)));
            }
        }
        Err(fault) => walks[0].fault = Some(fault),
    }
    (intact.terms, intact.references) = (walks[0].count, walks[1].count);
    walks.into_iter().filter_map(|walk| walk.fault).collect()
}

/// Verifies the records of a kind, as long as one of the tables has no fault.
async fn walk(moment: &DatabaseTransaction, kind: &Kind, kinds: &[Kind], walks: &mut [Walk; 2]) {
    let mut after = None;
    while walks.iter().any(|walk| walk.fault.is_none()) {
        let page = page(moment, kind, kinds, after).await;
        let (records, is_last) = match page {
            Ok(page) => page,
            Err(fault) => {
                return walks.iter_mut().for_each(|walk| {
                    walk.fault = walk.fault.take().or_else(|| Some(fault.of_area(walk.table.area)))
                });
            }
        };
        let until = if is_last { None } else { records.last_key_value().map(|(id, _)| *id) };
        for walk in walks.iter_mut().filter(|walk| walk.fault.is_none()) {
            walk.fault = walk.compare(moment, kind, &records, (after, until)).await.err();
        }
        if is_last {
            return;
        }
        after = until;
    }
}

type Records = BTreeMap<Uuid, FoundBy>;

/// Error of reading a page of records; it concerns both tables.
struct Unread {
    place: Option<String>,
    error: DbErr,
}

impl Unread {
    fn of_area(&self, area: Area) -> Fault {
        match &self.place {
            Some(place) => {
                Fault::at(area, place.as_str(), format!("the record itself cannot be read: {}", self.error))
            }
            None => Fault { area, place: None, what: self.error.to_string() },
        }
    }
}

/// The next page of records of a kind, and whether it is the last.
async fn page(
    moment: &DatabaseTransaction,
    kind: &Kind,
    kinds: &[Kind],
    after: Option<Uuid>,
) -> Result<(Records, bool), Unread> {
    let unread = |error| Unread { place: None, error };
    let query = kind.rows_after(after, kinds, PAGE).expr(Expr::cust("*")).to_owned();
    let results = moment.query_all(&query).await.map_err(unread)?;
    let mut records = Records::new();
    for result in &results {
        let id: Uuid = result.try_get("", "id").map_err(unread)?;
        let unreadable = |error| Unread { place: Some(format!("{} {id}", kind.resource)), error };
        records.insert(id, (kind.found_by)(result).map_err(unreadable)?);
    }
    Ok((records, (results.len() as u64) < PAGE))
}

/// Progress through one of the tables.
struct Walk {
    table: Table,
    count: u64,
    fault: Option<Fault>,
}

impl Walk {
    fn new(table: Table) -> Self {
        Self { table, count: 0, fault: None }
    }

    /// Compares the rows of a range of ids with the records in the range.
    async fn compare(
        &mut self,
        moment: &DatabaseTransaction,
        kind: &Kind,
        records: &Records,
        (after, until): (Option<Uuid>, Option<Uuid>),
    ) -> Result<(), Fault> {
        let Table { area, name, columns: [first, second], row, said } = self.table;
        let mut query = Query::select()
            .columns([first, second, "record_id"])
            .from(name)
            .and_where(Expr::col("resource").eq(kind.resource))
            .to_owned();
        if let Some(after) = after {
            query.and_where(Expr::col("record_id").gt(after));
        }
        if let Some(until) = until {
            query.and_where(Expr::col("record_id").lte(until));
        }
        let mut kept: BTreeMap<Uuid, BTreeSet<(String, String)>> = BTreeMap::new();
        let unread = Fault::unread(area);
        for result in moment.query_all(&query).await.map_err(&unread)? {
            let id = result.try_get("", "record_id").map_err(&unread)?;
            let pair =
                (result.try_get("", first).map_err(&unread)?, result.try_get("", second).map_err(&unread)?);
            kept.entry(id).or_default().insert(pair);
            self.count += 1;
        }
        for (id, record) in records {
            let (said, kept) = (said(record), kept.remove(id).unwrap_or_default());
            let wrong = |(field, _): &(String, String), what: &str| {
                Fault::of_record(area, kind.resource, *id, format!("{row} of {field} {what}"))
            };
            if let Some(pair) = said.difference(&kept).next() {
                return Err(wrong(pair, "is missing"));
            }
            if let Some(pair) = kept.difference(said).next() {
                return Err(wrong(pair, "is not the record's"));
            }
        }
        match kept.first_key_value() {
            Some((id, _)) => Err(Fault::of_record(
                area,
                kind.resource,
                *id,
                format!("{row} of a record that is not there"),
            )),
            None => Ok(()),
        }
    }

    /// A row of a kind of record that is not there.
    async fn of_no_kind(&self, moment: &DatabaseTransaction, kinds: &[Kind]) -> Result<Option<Fault>, DbErr> {
        let known = kinds.iter().map(|kind| kind.resource);
        let mut query = Query::select().columns(["resource", "record_id"]).from(self.table.name).to_owned();
        query.and_where(Expr::col("resource").is_not_in(known)).order_by("resource", Order::Asc).limit(1);
        let Some(found) = moment.query_one(&query).await? else { return Ok(None) };
        let (resource, id): (String, Uuid) =
            (found.try_get("", "resource")?, found.try_get("", "record_id")?);
        Ok(Some(Fault::of_record(self.table.area, &resource, id, "there is no such kind of record")))
    }
}
