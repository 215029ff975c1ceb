//! Adds commitments to histories from before there were any: each entry is rewritten with commitments in
//! place of personal values, and the chain of its record is recomputed. The former chains are kept as
//! evidence: one root over all of them, and their heads.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, EntityTrait, QueryFilter, QueryOrder, QueryResult, Statement,
    prelude::{ColumnTrait, Uuid},
    sea_query::{Alias, Expr, ExprTrait, Order, Query, SimpleExpr},
};
use serde_json::Value;

use super::{ERASED, keep, keys::Keyring};
use crate::{
    clock::new_id,
    problem::Problem,
    store::{
        Database, WriteTransaction, bulk, change_log, connection, idempotent_answer, lock, now,
        root::{self, Root},
        verify::Chain,
    },
};

/// The table of a kind of record with personal values.
struct Table {
    resource: &'static str,
    name: &'static str,
    /// Encrypted columns, and whether each has a blind index.
    sealed: &'static [(&'static str, bool)],
}

/// All of them.
const TABLES: &[Table] = &[
    Table {
        resource: "cda",
        name: "cda",
        sealed: &[("national_code", true), ("mobile", false), ("email", false)],
    },
    Table {
        resource: "organisation",
        name: "organisation",
        sealed: &[("legal_id", true), ("phone", false), ("email", false)],
    },
    Table { resource: "supervision", name: "supervision", sealed: &[] },
    Table { resource: "user", name: "account", sealed: &[] },
];

/// Records per transaction.
const TURN: u64 = 100;

/// Hash of an entry whose chain was broken before: the hash of nothing, so that the chain stays broken.
const BROKEN: &str = "0000000000000000000000000000000000000000000000000000000000000000";

impl Table {
    /// Condition that a record has no commitments yet.
    fn is_pending(&self) -> SimpleExpr {
        let pending = Expr::col(Alias::new("commitments")).is_null();
        // Accounts of systems are in the same table, and do not name natural persons.
        if self.name == "account" { pending.and(Expr::col(Alias::new("kind")).eq("person")) } else { pending }
    }

    async fn has_pending(&self, db: &impl ConnectionTrait) -> Result<bool, DbErr> {
        let pending = Query::select()
            .expr(Expr::val(1))
            .from(Alias::new(self.name))
            .and_where(self.is_pending())
            .limit(1)
            .to_owned();
        Ok(db.query_one(&pending).await?.is_some())
    }
}

/// Whether there are records whose histories have no commitments yet.
///
/// # Errors
/// The database does not answer.
pub async fn is_pending(db: &impl ConnectionTrait) -> Result<bool, DbErr> {
    for table in TABLES {
        if table.has_pending(db).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Adds commitments to all histories that have none, in batches; resumes after an interruption.
///
/// # Errors
/// There is no key, or the database does not answer.
pub async fn adopt(db: &Database) -> Result<(), Problem> {
    idempotent_answer::seal_all(db).await?;
    if !is_pending(db).await? {
        return Ok(());
    }
    let keyring = Keyring::of(db).await?;
    keep_evidence(db, &keyring).await?;
    for table in TABLES {
        while turn(db, table, &keyring).await? {}
    }
    purge(db).await.map_err(|error| {
        Problem::internal(format!(
            "the histories have their commitments, but what stood in their place may still be in the files of the database: run VACUUM (FULL) yourself ({error})"
        ))
    })
}

/// Processes a batch of records; returns whether there may be more.
async fn turn(db: &Database, table: &Table, keyring: &Keyring) -> Result<bool, Problem> {
    let transaction = connection::begin_to_rebuild(db).await?;
    lock::for_transaction(&transaction, "adopt histories").await?;
    let columns = table.sealed.iter().map(|(column, _)| Alias::new(*column));
    let pending = Query::select()
        .columns(["id", "history_hash"].map(Alias::new).into_iter().chain(columns))
        .from(Alias::new(table.name))
        .and_where(table.is_pending())
        .order_by(Alias::new("id"), Order::Asc)
        .limit(TURN)
        .to_owned();
    let rows = transaction.query_all(&pending).await?;
    for row in &rows {
        record(&transaction, table, row, keyring).await?;
    }
    transaction.commit().await?;
    Ok(!rows.is_empty())
}

/// Values of a record and their commitments, as collected from its history so far.
type Known = BTreeMap<&'static str, (Value, String)>;

/// Rewrites the history of a record. A broken chain stays broken.
async fn record(
    db: &WriteTransaction,
    table: &Table,
    row: &QueryResult,
    keyring: &Keyring,
) -> Result<(), Problem> {
    use change_log::{Column, Entity};
    let (id, own_hash): (Uuid, String) = (row.try_get("", "id")?, row.try_get("", "history_hash")?);
    let entries = Entity::find()
        .filter(Column::Resource.eq(table.resource))
        .filter(Column::RecordId.eq(id))
        .order_by_asc(Column::Version);
    let (mut known, mut kept) = (Known::new(), Vec::new());
    let (mut chain, mut is_whole, mut previous, mut newest) =
        (Chain::default(), true, String::new(), Value::Null);
    for mut entry in entries.all(db).await? {
        is_whole = is_whole && chain.add(&entry).is_ok();
        newest = entry.data.clone();
        known.retain(|field, _| entry.data.get(*field).is_some_and(|value| !value.is_null()));
        for field in super::fields(table.resource) {
            let Some(value) = entry
                .data
                .get(*field)
                .filter(|value| !value.is_null() && !super::is_erased(field, value))
                .cloned()
            else {
                continue;
            };
            if known.get(field).is_none_or(|(said, _)| *said != value) {
                let is_name = table.sealed.iter().all(|(column, _)| column != field);
                let (token, row) = keep(keyring, (table.resource, id, field), &value, is_name)?;
                kept.push(row);
                known.insert(field, (value, token));
            }
            entry.data[*field] = known[field].1.as_str().into();
        }
        entry.previous_hash = std::mem::take(&mut previous);
        entry.hash = if is_whole { entry.compute_hash() } else { BROKEN.to_owned() };
        previous.clone_from(&entry.hash);
        rewrite(db, entry).await?;
    }
    let is_said = |(column, _): &(&str, bool)| {
        Ok::<_, DbErr>(row.try_get::<Option<String>>("", column)?.as_deref() == newest[*column].as_str())
    };
    let is_as_told =
        table.sealed.iter().map(is_said).collect::<Result<Vec<_>, _>>()?.into_iter().all(|is_said| is_said);
    let head = if is_whole && chain.ends_in(&own_hash) && is_as_told { previous } else { BROKEN.to_owned() };
    bulk::insert_all(db, kept).await?;
    keep_head(db, table.resource, id, &own_hash, keyring).await?;
    write_row(db, table, id, head, &known, keyring).await
}

async fn write_row(
    db: &WriteTransaction,
    table: &Table,
    id: Uuid,
    head: String,
    known: &Known,
    keyring: &Keyring,
) -> Result<(), Problem> {
    let tokens: BTreeMap<&str, &str> =
        known.iter().map(|(field, (_, token))| (*field, token.as_str())).collect();
    let commitments = serde_json::to_value(tokens).map_err(Problem::internal)?;
    let mut update = Query::update()
        .table(Alias::new(table.name))
        .and_where(Expr::col(Alias::new("id")).eq(id))
        .to_owned();
    update.value(Alias::new("commitments"), commitments).value(Alias::new("history_hash"), head);
    for (column, has_index) in table.sealed {
        let said = known.get(column);
        if let Some((_, token)) = said {
            update.value(Alias::new(*column), token.as_str());
        }
        if let Some(value) =
            said.and_then(|(value, _)| value.as_str()).filter(|value| *has_index && *value != ERASED)
        {
            update.value(Alias::new(format!("{column}_index")), keyring.current().index(column, value));
        }
    }
    db.execute(&update).await?;
    Ok(())
}

/// Restores the values of records and histories in their former format, for reverting the migration. Erased
/// values stay erased.
///
/// # Errors
/// A key is missing, or the database does not answer.
pub async fn give_back(db: &WriteTransaction) -> Result<(), DbErr> {
    use change_log::{Column, Entity};
    for table in TABLES {
        let committed = Expr::col(Alias::new("commitments")).is_not_null();
        let rows = Query::select()
            .column(Alias::new("id"))
            .from(Alias::new(table.name))
            .and_where(committed)
            .to_owned();
        for row in db.query_all(&rows).await? {
            let id: Uuid = row.try_get("", "id")?;
            let entries = Entity::find()
                .filter(Column::Resource.eq(table.resource))
                .filter(Column::RecordId.eq(id))
                .order_by_asc(Column::Version);
            let (mut entries, mut chain, mut is_whole) = (entries.all(&**db).await?, Chain::default(), true);
            let mut is_whole_until = Vec::new();
            for entry in &entries {
                is_whole = is_whole && chain.add(entry).is_ok();
                is_whole_until.push(is_whole);
            }
            super::reveal_entries(&**db, entries.iter_mut()).await?;
            let (mut previous, mut newest) = (String::new(), Value::Null);
            for (mut entry, is_whole) in entries.into_iter().zip(is_whole_until) {
                entry.previous_hash = std::mem::take(&mut previous);
                entry.hash = if is_whole { entry.compute_hash() } else { BROKEN.to_owned() };
                (previous, newest) = (entry.hash.clone(), entry.data.clone());
                rewrite(db, entry).await?;
            }
            let mut update = Query::update()
                .table(Alias::new(table.name))
                .and_where(Expr::col(Alias::new("id")).eq(id))
                .to_owned();
            update.value(Alias::new("history_hash"), previous);
            for (column, _) in table.sealed {
                update.value(Alias::new(*column), newest[*column].as_str().map(str::to_owned));
            }
            db.execute(&update).await?;
        }
    }
    Ok(())
}

/// Overwrites an entry.
async fn rewrite(db: &WriteTransaction, entry: change_log::Model) -> Result<(), DbErr> {
    use change_log::{Column, Entity};
    let values = [
        (Column::Data, entry.data.into()),
        (Column::PreviousHash, entry.previous_hash.into()),
        (Column::Hash, entry.hash.into()),
    ];
    db.execute(&Query::update().table(Entity).values(values).and_where(Column::Seq.eq(entry.seq)).to_owned())
        .await?;
    Ok(())
}

/// State of the history before it was rewritten.
pub struct Evidence {
    /// Time at which the root was computed.
    pub taken_at: DateTime<Utc>,
    /// The root over all chains.
    pub root: Root,
}

/// Purpose for encrypting the root: with it and all records except one, that one could be computed.
pub(super) const ROOT: &str = "former root";

/// Purpose for encrypting the head of a record.
pub(super) fn name_of_head(resource: &str, id: Uuid) -> String {
    format!("former head of {resource} {id}")
}

fn columns<const N: usize>(names: [&'static str; N]) -> [Alias; N] {
    names.map(Alias::new)
}

/// Records the root over all chains, once.
async fn keep_evidence(db: &Database, keyring: &Keyring) -> Result<(), Problem> {
    let transaction = connection::begin_to_rebuild(db).await?;
    lock::for_transaction(&transaction, "adopt histories").await?;
    if evidence(&*transaction).await?.is_none() {
        let (root, key) = (root::root(&*transaction).await?, keyring.current());
        tracing::info!(
            root = root.sha256,
            chains = root.chains,
            "the root of all histories before their personal values are committed to"
        );
        let sealed = key.seal(ROOT, root.sha256.into_bytes())?;
        let values: [SimpleExpr; 5] =
            [new_id().into(), now().into(), (root.chains as i64).into(), key.id().into(), sealed.into()];
        let insert = Query::insert()
            .into_table(Alias::new("former_root"))
            .columns(columns(["id", "taken_at", "chains", "key_id", "sealed"]))
            .values_panic(values)
            .to_owned();
        transaction.execute(&insert).await?;
    }
    Ok(transaction.commit().await?)
}

/// The root of all former histories, if there is one.
///
/// # Errors
/// Its key is missing, or the database does not answer.
pub async fn evidence(db: &impl ConnectionTrait) -> Result<Option<Evidence>, DbErr> {
    let query = Query::select()
        .columns(columns(["taken_at", "chains", "sealed"]))
        .from(Alias::new("former_root"))
        .limit(1)
        .to_owned();
    let Some(row) = db.query_one(&query).await? else { return Ok(None) };
    let (chains, sealed): (i64, String) = (row.try_get("", "chains")?, row.try_get("", "sealed")?);
    let sha256 = String::from_utf8(super::keys::open(db, ROOT, &sealed).await?)
        .map_err(|error| DbErr::Custom(error.to_string()))?;
    Ok(Some(Evidence {
        taken_at: row.try_get("", "taken_at")?,
        root: Root { sha256, chains: chains as u64 },
    }))
}

/// Stores the former head of a chain.
async fn keep_head(
    db: &WriteTransaction,
    resource: &str,
    id: Uuid,
    hash: &str,
    keyring: &Keyring,
) -> Result<(), Problem> {
    let key = keyring.current();
    let sealed = key.seal(&name_of_head(resource, id), hash.as_bytes().to_vec())?;
    let values: [SimpleExpr; 4] = [resource.into(), id.into(), key.id().into(), sealed.into()];
    let insert = Query::insert()
        .into_table(Alias::new("former_head"))
        .columns(columns(["resource", "record_id", "key_id", "sealed"]))
        .values_panic(values)
        .to_owned();
    db.execute(&insert).await?;
    Ok(())
}

/// The tables that hold, or once held, personal values (PostgreSQL).
const HOLDING: [&str; 11] = [
    "personal_value",
    "change_log",
    "cda",
    "organisation",
    "supervision",
    "account",
    "search_term",
    "external_ref",
    "idempotent_answer",
    "import_row",
    "former_head",
];

/// Makes the database release the bytes of deleted data, while others read and write. On PostgreSQL those
/// between remaining rows stay in the files until they are overwritten, or `VACUUM FULL` is run.
///
/// # Errors
/// They are still in its files: on SQLite, because of a reader that outlasted the timeout.
pub(super) async fn release(db: &Database) -> Result<(), DbErr> {
    let_go(db, "VACUUM").await
}

/// Makes the database release the bytes of overwritten data, with exclusive use, for as long as it takes.
///
/// # Errors
/// They are still in its files.
pub(super) async fn purge(db: &Database) -> Result<(), DbErr> {
    if db.get_database_backend() == DbBackend::Sqlite {
        db.writes().maintain("VACUUM".to_owned()).await?;
    }
    let_go(db, "VACUUM (FULL)").await
}

/// Runs `vacuum` on PostgreSQL, table by table; on SQLite empties the log.
async fn let_go(db: &Database, vacuum: &str) -> Result<(), DbErr> {
    if db.get_database_backend() == DbBackend::Postgres {
        for table in HOLDING {
            db.writes().maintain(format!("{vacuum} {table}")).await?;
        }
        return Ok(());
    }
    let checkpoint = Statement::from_string(DbBackend::Sqlite, "PRAGMA wal_checkpoint(TRUNCATE)");
    let answer = db.writes().query_one_raw(checkpoint).await?;
    match answer.map(|row| row.try_get::<i32>("", "busy")).transpose()? {
        Some(0) | None => Ok(()),
        Some(_) => Err(DbErr::Custom("somebody reads: the log of the database is not emptied".to_owned())),
    }
}
