//! The personal values: each is the one that its record and its history commit to, and none is missing that
//! was not erased.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, DatabaseTransaction, prelude::Uuid, sea_query::Expr};

use super::{Area, Fault, Intact, Kind, moment};
use crate::store::{
    Database,
    personal::{self, verify::Said},
};

/// Records per page.
const PAGE: u64 = 500;

/// Goes through the records that have personal values.
pub(super) async fn check(db: &Database, kinds: &[Kind], intact: &mut Intact) -> Result<(), Fault> {
    let moment = moment(db, Area::Personal).await?;
    for kind in kinds.iter().filter(|kind| !personal::fields(kind.resource).is_empty()) {
        of_kind(&moment, kind, kinds, intact).await?;
    }
    Ok(())
}

async fn of_kind(
    moment: &DatabaseTransaction,
    kind: &Kind,
    kinds: &[Kind],
    intact: &mut Intact,
) -> Result<(), Fault> {
    let unread = Fault::unread(Area::Personal);
    let mut after = None;
    loop {
        let query = kind.rows_after(after, kinds, PAGE).expr(Expr::cust("*")).to_owned();
        let results = moment.query_all(&query).await.map_err(&unread)?;
        let mut records: BTreeMap<Uuid, Said> = BTreeMap::new();
        for result in &results {
            records.insert(
                result.try_get("", "id").map_err(&unread)?,
                (kind.personal)(result).map_err(&unread)?,
            );
        }
        let checked = personal::verify::check(moment, kind.resource, &records).await.map_err(&unread)?;
        intact.values +=
            checked.map_err(|(id, what)| Fault::of_record(Area::Personal, kind.resource, id, what))?;
        after = records.last_key_value().map(|(id, _)| *id);
        if (results.len() as u64) < PAGE {
            return Ok(());
        }
    }
}
