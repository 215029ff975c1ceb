//! SQLite: its backup API, within one read transaction of the source.
//!
//! By default the API restarts whenever another process has written between two steps, and never ends under
//! load. An open read transaction keeps its snapshot, so that each page is copied once; meanwhile the log
//! grows. `VACUUM INTO` would give the same snapshot, but writes each row anew: a copy of pages is faster,
//! and keeps row ids.

use std::{
    fs::File,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, backup::Backup};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, SqlxSqliteConnector, TransactionTrait,
};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use super::Failure;

/// Pages copied per step.
const PAGES: i32 = 1_024;

/// Time to wait for other processes.
const PATIENCE: Duration = Duration::from_secs(10);

pub async fn copy<T>(
    database: &Path,
    part: &Path,
    read: impl AsyncFnOnce(&DatabaseTransaction) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let (from, to) = (database.to_owned(), part.to_owned());
    tokio::task::spawn_blocking(move || copy_pages(&from, &to))
        .await?
        .map_err(|error| format!("the database cannot be copied: {error}"))?;
    let options = SqliteConnectOptions::new().filename(part).read_only(true).immutable(true);
    let db = pool(options);
    let transaction = db.begin().await?;
    let seen = read(&transaction).await?;
    transaction.rollback().await?;
    db.close().await?;
    Ok(seen)
}

fn copy_pages(from: &Path, to: &Path) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let source = Connection::open_with_flags(
        from,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    source.busy_timeout(PATIENCE)?;
    source.execute_batch("BEGIN")?;
    // The snapshot is taken by the first read.
    source.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
    let mut copy =
        Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    Backup::new(&source, &mut copy)?.run_to_completion(PAGES, Duration::ZERO, None)?;
    source.execute_batch("ROLLBACK")?;
    // A single file, without a log beside it.
    copy.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get::<_, String>(0))?;
    let found: String = copy.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found != "ok" {
        return Err(format!("it is damaged: {found}").into());
    }
    copy.close().map_err(|(_, error)| error)?;
    Ok(())
}

pub fn check_empty(database: &Path) -> Result<(), Failure> {
    for path in [database.to_owned(), beside(database, "", "-wal"), beside(database, "", "-journal")] {
        match path.metadata() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("{} cannot be looked at: {error}", path.display()).into()),
            Ok(metadata) if metadata.is_file() && metadata.len() == 0 => {}
            Ok(_) => {
                return Err(format!(
                    "there is {} already: a backup is restored into an empty database only",
                    path.display()
                )
                .into());
            }
        }
    }
    Ok(())
}

/// `.NAME.restoring` for `NAME`, in the same folder, or the same with another beginning and end.
fn beside(database: &Path, before: &str, after: &str) -> PathBuf {
    database.with_file_name(format!("{before}{}{after}", database.file_name().unwrap_or_default().display()))
}

pub async fn put_back<T>(
    database: &Path,
    part: &Path,
    finish: impl AsyncFnOnce(&DatabaseTransaction) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let unfinished = beside(database, ".", ".restoring");
    let outcome = finish_beside(&unfinished, part, finish).await;
    let done = match outcome {
        Ok(done) => std::fs::rename(&unfinished, database).map(|()| done).map_err(Failure::from),
        Err(error) => Err(error),
    };
    if done.is_err() {
        let _ = std::fs::remove_file(&unfinished);
        return done;
    }
    let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()?;
    done
}

/// Finishes the database at a temporary path, invisible until it is complete.
async fn finish_beside<T>(
    unfinished: &Path,
    part: &Path,
    finish: impl AsyncFnOnce(&DatabaseTransaction) -> Result<T, Failure>,
) -> Result<T, Failure> {
    // It inherits the permissions of the part, which only its owner can read.
    std::fs::copy(part, unfinished)
        .map_err(|error| format!("{} cannot be written: {error}", unfinished.display()))?;
    let db = pool(SqliteConnectOptions::new().filename(unfinished).foreign_keys(true));
    let transaction = db.begin().await?;
    let done = finish(&transaction).await?;
    // The statistics in the backup, if any, may be outdated.
    transaction.execute_unprepared("ANALYZE").await?;
    transaction.commit().await?;
    db.close().await?;
    File::open(unfinished)?.sync_all()?;
    Ok(done)
}

fn pool(options: SqliteConnectOptions) -> DatabaseConnection {
    SqlxSqliteConnector::from_sqlx_sqlite_pool(
        SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options),
    )
}
