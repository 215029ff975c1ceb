//! Verifies the database itself: pages, indexes, and foreign keys.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use super::{Area, Fault, texts};
use crate::store::Database;
use crate::store::connection;

/// Runs the database's own checks; returns a description of them.
pub(super) async fn check(db: &Database) -> Result<String, Fault> {
    match db.get_database_backend() {
        DbBackend::Sqlite => of_sqlite(db).await,
        _ => of_postgres(db).await,
    }
}

fn damaged(place: &str, what: impl Into<String>) -> Fault {
    Fault::at(Area::Database, place, what)
}

async fn of_sqlite(db: &Database) -> Result<String, Fault> {
    let unread = Fault::unread(Area::Database);
    let said = texts(db, "PRAGMA integrity_check(1)", "integrity_check").await.map_err(&unread)?;
    if let Some(fault) = said.into_iter().find(|line| line != "ok") {
        return Err(damaged("its pages", fault));
    }
    if let Some(table) = texts(db, "SELECT \"table\" AS name FROM pragma_foreign_key_check LIMIT 1", "name")
        .await
        .map_err(&unread)?
        .pop()
    {
        return Err(damaged(&table, "a row refers to one that is not there"));
    }
    Ok("its pages, indexes and foreign keys".to_owned())
}

/// Invalid indexes, constraints that were never validated, and pages with wrong checksums in PostgreSQL: each
/// with its place and fault.
const WITHOUT_EXTENSION: [(&str, &str); 3] = [
    (
        "SELECT i.indexrelid::regclass::text AS name FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
         WHERE c.relnamespace = current_schema()::regnamespace AND NOT (i.indisvalid AND i.indisready AND i.indislive) ORDER BY 1 LIMIT 1",
        "the index is not valid",
    ),
    (
        "SELECT conrelid::regclass || ', ' || conname AS name FROM pg_constraint \
         WHERE connamespace = current_schema()::regnamespace AND NOT convalidated ORDER BY 1 LIMIT 1",
        "the constraint was not held against all rows",
    ),
    (
        "SELECT 'its pages'::text AS name FROM pg_stat_database WHERE datname = current_database() AND checksum_failures > 0",
        "PostgreSQL has met pages whose checksums are wrong",
    ),
];

/// For each foreign key its name and the query for a row that refers to one that is not there.
const FOREIGN_KEYS: &str = "
SELECT c.conrelid::regclass || ', ' || c.conname AS name, format('SELECT 1 FROM %s c WHERE %s AND NOT EXISTS (SELECT 1 FROM %s p WHERE %s) LIMIT 1',
    c.conrelid::regclass, string_agg(format('c.%I IS NOT NULL', child.attname), ' AND '),
    c.confrelid::regclass, string_agg(format('p.%I = c.%I', parent.attname, child.attname), ' AND ')) AS query
FROM pg_constraint c CROSS JOIN LATERAL unnest(c.conkey, c.confkey) AS key(child, parent)
JOIN pg_attribute child ON child.attrelid = c.conrelid AND child.attnum = key.child
JOIN pg_attribute parent ON parent.attrelid = c.confrelid AND parent.attnum = key.parent
WHERE c.contype = 'f' AND c.connamespace = current_schema()::regnamespace
GROUP BY c.oid, c.conname, c.conrelid, c.confrelid ORDER BY name";

async fn of_postgres(db: &Database) -> Result<String, Fault> {
    let unread = Fault::unread(Area::Database);
    for (sql, what) in WITHOUT_EXTENSION {
        if let Some(place) = texts(db, sql, "name").await.map_err(&unread)?.pop() {
            return Err(damaged(&place, what));
        }
    }
    let moment = connection::begin_to_survey(db).await.map_err(&unread)?;
    let (names, queries) = (
        texts(&moment, FOREIGN_KEYS, "name").await.map_err(&unread)?,
        texts(&moment, FOREIGN_KEYS, "query").await.map_err(&unread)?,
    );
    for (name, query) in names.iter().zip(&queries) {
        let orphan = Statement::from_string(DbBackend::Postgres, query.as_str());
        if moment.query_one_raw(orphan).await.map_err(&unread)?.is_some() {
            return Err(damaged(name, "a row refers to one that is not there"));
        }
    }
    let keys = format!("{} foreign keys", names.len());
    moment.commit().await.map_err(&unread)?;
    Ok(match indexes(db).await? {
        Ok(count) => format!("{count} indexes with every row of their tables, and {keys}"),
        Err(reason) => format!("{keys}; its indexes were not checked, since {reason}"),
    })
}

/// Number of indexes checked with `amcheck`, or the reason why none was.
async fn indexes(db: &Database) -> Result<Result<usize, &'static str>, Fault> {
    let unread = Fault::unread(Area::Database);
    let extension = "SELECT n.nspname || CASE WHEN has_function_privilege(format('%I.bt_index_check(regclass, boolean)', n.nspname), 'EXECUTE') \
                     THEN '' ELSE ' ' END AS name FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'amcheck'";
    let Some(schema) = texts(db, extension, "name").await.map_err(&unread)?.pop() else {
        return Ok(Err("the extension amcheck is not installed"));
    };
    if schema.ends_with(' ') {
        return Ok(Err("the account may not run bt_index_check of the extension amcheck"));
    }
    let indexes = "SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_am a ON a.oid = c.relam \
                   WHERE c.relkind = 'i' AND a.amname = 'btree' AND c.relnamespace = current_schema()::regnamespace ORDER BY name";
    let indexes = texts(db, indexes, "name").await.map_err(&unread)?;
    for index in &indexes {
        let transaction = connection::begin_to_survey(db).await.map_err(&unread)?;
        let check =
            format!("SELECT \"{schema}\".bt_index_check('{}'::regclass, true)", index.replace('\'', "''"));
        transaction
            .execute_unprepared(&check)
            .await
            .map_err(|error| damaged(index, without_frame(&error)))?;
        transaction.commit().await.map_err(&unread)?;
    }
    Ok(Ok(indexes.len()))
}

/// The message of PostgreSQL, without those of the layers between.
fn without_frame(error: &DbErr) -> String {
    let text = error.to_string();
    text.rsplit_once("database: ").map_or(text.clone(), |(_, said)| said.to_owned())
}
