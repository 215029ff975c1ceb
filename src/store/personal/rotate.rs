//! Key rotation of personal values: values encrypted with a former key are re-encrypted in batches, while the
//! service runs.

use sea_orm::{
    ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    prelude::{ColumnTrait, Uuid},
    sea_query::{Alias, Expr, ExprTrait, Query},
};

use super::{
    Column, Entity, Model,
    adopt::{ROOT, name_of_head},
    keys::{self, Key, Keyring},
};
use crate::{
    problem::Problem,
    store::{Database, WriteTransaction, connection, fault, idempotent_answer, record::Unique, secret},
};

/// Values per transaction.
const TURN: u64 = 500;

/// The fields that are found by a blind index, with the table that has it.
const INDEXED: &[(&str, &str, &str)] =
    &[("cda", "cda", "national_code"), ("organisation", "organisation", "legal_id")];

/// Re-encrypts all values with the current key, and deletes the key stored in the database. Returns the
/// number of values; resumes after an interruption.
///
/// # Errors
/// The configuration gives no key, or not the former one; a value occurs twice; the database does not answer.
pub async fn rotate(db: &Database) -> Result<u64, Problem> {
    if !keys::is_configured() {
        return Err(Problem::internal(
            "set KHOOSHEH_PERSONAL_KEY_FILE to a file with the new key: without one the database keeps the key itself",
        ));
    }
    let keyring = Keyring::of(db).await?;
    let mut done = 0;
    loop {
        let count = turn(db, &keyring).await?;
        done += count;
        if count == 0 {
            break;
        }
        connection::let_others_write(db).await;
    }
    evidence(db, keyring.current()).await?;
    idempotent_answer::seal_all(db).await?;
    forget_kept(db).await?;
    if let Err(error) = super::adopt::release(db).await {
        tracing::warn!(%error, "what was encrypted with a former key may still be in the files of the database");
    }
    Ok(done)
}

async fn turn(db: &Database, keyring: &Keyring) -> Result<u64, Problem> {
    let (transaction, key) = (connection::begin_to_rebuild(db).await?, keyring.current());
    let former = Entity::find()
        .filter(Column::KeyId.ne(key.id()))
        .order_by_asc(Column::KeyId)
        .order_by_asc(Column::Token)
        .limit(TURN);
    let rows = former.all(&*transaction).await?;
    for row in &rows {
        value(&transaction, row, key).await?;
    }
    transaction.commit().await?;
    Ok(rows.len() as u64)
}

/// Re-encrypts a value, and updates the blind index of its record.
async fn value(db: &WriteTransaction, row: &Model, key: &Key) -> Result<(), Problem> {
    let bytes = keys::open(&**db, &row.token, &row.sealed).await?;
    let text =
        super::Committed::read(&bytes).and_then(|committed| committed.value.as_str().map(str::to_owned));
    let sealed = Query::update()
        .table(Entity)
        .values([(Column::Sealed, key.seal(&row.token, bytes)?.into()), (Column::KeyId, key.id().into())])
        .and_where(Column::Token.eq(row.token.as_str()))
        .to_owned();
    db.execute(&sealed).await?;
    let indexed =
        INDEXED.iter().find(|(resource, _, field)| *resource == row.resource && *field == row.field);
    let (Some((_, table, field)), Some(text)) = (indexed, text) else { return Ok(()) };
    let found = Query::update()
        .table(Alias::new(*table))
        .value(Alias::new(format!("{field}_index")), key.index(field, &text))
        .and_where(Expr::col(Alias::new("id")).eq(row.record_id))
        .and_where(Expr::col(Alias::new(*field)).eq(row.token.as_str()))
        .to_owned();
    db.execute(&found).await.map_err(|error| fault::of_write(error, NO_UNIQUE))?;
    Ok(())
}

const NO_UNIQUE: &[Unique] = &[];

/// Re-encrypts the former root and the former heads.
async fn evidence(db: &Database, key: &Key) -> Result<(), Problem> {
    let transaction = connection::begin_to_rebuild(db).await?;
    let is_former = Expr::col(Alias::new("key_id")).ne(key.id());
    let roots = Query::select()
        .columns(["id", "sealed"].map(Alias::new))
        .from(Alias::new("former_root"))
        .and_where(is_former.clone())
        .to_owned();
    for row in transaction.query_all(&roots).await? {
        let (id, sealed): (Uuid, String) = (row.try_get("", "id")?, row.try_get("", "sealed")?);
        let bytes = keys::open(&*transaction, ROOT, &sealed).await?;
        let condition = Expr::col(Alias::new("id")).eq(id);
        seal_row(&transaction, "former_root", key.seal(ROOT, bytes)?, key, condition).await?;
    }
    let columns = ["resource", "record_id", "sealed"].map(Alias::new);
    let heads =
        Query::select().columns(columns).from(Alias::new("former_head")).and_where(is_former).to_owned();
    for row in transaction.query_all(&heads).await? {
        let (resource, id): (String, Uuid) = (row.try_get("", "resource")?, row.try_get("", "record_id")?);
        let (name, sealed) = (name_of_head(&resource, id), row.try_get::<String>("", "sealed")?);
        let bytes = keys::open(&*transaction, &name, &sealed).await?;
        let condition =
            Expr::col(Alias::new("resource")).eq(resource).and(Expr::col(Alias::new("record_id")).eq(id));
        seal_row(&transaction, "former_head", key.seal(&name, bytes)?, key, condition).await?;
    }
    Ok(transaction.commit().await?)
}

async fn seal_row(
    db: &WriteTransaction,
    table: &'static str,
    sealed: String,
    key: &Key,
    condition: sea_orm::sea_query::SimpleExpr,
) -> Result<(), Problem> {
    let values = [(Alias::new("sealed"), sealed.into()), (Alias::new("key_id"), key.id().into())];
    db.execute(&Query::update().table(Alias::new(table)).values(values).and_where(condition).to_owned())
        .await?;
    Ok(())
}

/// Deletes the key stored in the database once no waiting import file needs it.
async fn forget_kept(db: &Database) -> Result<(), Problem> {
    let transaction = db.begin_to_write().await?;
    let part = Query::select().expr(Expr::val(1)).from(Alias::new("import_part")).limit(1).to_owned();
    if transaction.query_one(&part).await?.is_none() {
        secret::Entity::delete_by_id(secret::PERSONAL.to_owned()).exec(&*transaction).await?;
    }
    Ok(transaction.commit().await?)
}
