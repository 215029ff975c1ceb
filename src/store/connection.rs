//! Database connections, and the start of transactions.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};

use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    IsolationLevel, RuntimeErr, Statement,
};
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::{
    database::{Database, STATEMENT_TIMEOUT, WriteTransaction},
    servers,
    trust::Trust,
    work::{self, Work},
};
use crate::{
    clock,
    config::{DatabaseUrl, Secret},
    problem::{Problem, problem_types},
};

/// Timeout of a long read: on PostgreSQL per statement, on SQLite as a whole.
const LONG_READ_TIMEOUT: Duration = Duration::from_secs(60);
/// Timeout of a statement that reads the whole database (PostgreSQL).
const PATIENCE: Duration = Duration::from_secs(600);
/// Maximum time that a writer waits for another one (SQLite).
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens pools whose connections are made at first use: `connections` for reading, and half as many for
/// writing. SQLite has one writer at a time; waiting writers are served in order. Each worker has pools of
/// its own, so that connections stay on their thread. A missing file is not created.
///
/// # Errors
/// A file that is missing or cannot be opened (SQLite).
pub async fn connect(url: &DatabaseUrl, connections: u32) -> Result<Database, DbErr> {
    let writers = if url.file().is_some() { 1 } else { connections.div_ceil(2) };
    pools(url, connections, writers, BUSY_TIMEOUT).await
}

/// The same; a file that is missing is made.
///
/// # Errors
/// A file that cannot be made or opened (SQLite).
pub async fn create(url: &DatabaseUrl, connections: u32) -> Result<Database, DbErr> {
    if let Some(path) = url.file() {
        // An empty file is an empty database.
        let made = std::fs::OpenOptions::new().append(true).create(true).open(path);
        made.map_err(|error| DbErr::Conn(RuntimeErr::Internal(format!("{}: {error}", path.display()))))?;
    }
    connect(url, connections).await
}

/// One connection of each kind, for a probe that does not wait long for other writers.
///
/// # Errors
/// As of [`connect`].
pub async fn connect_to_probe(url: &DatabaseUrl) -> Result<Database, DbErr> {
    pools(url, 1, 1, Duration::from_secs(1)).await
}

/// Connections for reading alone, made when they are first used.
///
/// # Errors
/// As of [`connect`].
pub(super) async fn connect_to_read(url: &DatabaseUrl, connections: u32) -> Result<Database, DbErr> {
    let trust = Trust::in_database(url);
    let reads = pool(url, connections, Use::Reading, BUSY_TIMEOUT, &trust).await?;
    Ok(Database::new(reads.clone(), reads, trust))
}

async fn pools(
    url: &DatabaseUrl,
    readers: u32,
    writers: u32,
    busy_timeout: Duration,
) -> Result<Database, DbErr> {
    let trust = Trust::in_database(url);
    let reads = pool(url, readers, Use::Reading, busy_timeout, &trust).await?;
    let writes = pool(url, writers, Use::Writing, busy_timeout, &trust).await?;
    let database = Database::new(reads, writes, trust);
    // If none is found yet, callers that wait for the database will retry.
    let _ = servers::choose(url, std::slice::from_ref(&database)).await;
    Ok(database)
}

/// Purpose of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Reading,
    Writing,
}

async fn pool(
    url: &DatabaseUrl,
    connections: u32,
    purpose: Use,
    busy_timeout: Duration,
    trust: &Arc<Trust>,
) -> Result<DatabaseConnection, DbErr> {
    let is_writing = purpose == Use::Writing;
    let waits_in_turn = is_writing && url.file().is_some();
    // The options are logged at trace level, so they must not contain the password.
    let mut options = ConnectOptions::new(url.without_password());
    let (for_postgres, for_sqlite) = (trust.clone(), trust.clone());
    let (password, wanted) = (url.password().cloned(), url.wanted());
    options
        .max_connections(connections)
        .min_connections(0)
        .connect_lazy(true)
        .connect_timeout(Duration::from_secs(3))
        .acquire_timeout(if waits_in_turn { busy_timeout } else { Duration::from_secs(3) })
        .test_before_acquire(false)
        .statement_timeout(STATEMENT_TIMEOUT)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(move |options| {
            use sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
            let options = options
                // Never created implicitly: a service whose file is gone would continue with an empty one.
                .create_if_missing(false)
                .journal_mode(SqliteJournalMode::Wal)
                // In WAL mode, anything less than FULL may lose the last commits at a power failure.
                .synchronous(SqliteSynchronous::Full)
                .busy_timeout(busy_timeout)
                // Deleted data is overwritten, so that erased values are in no page.
                .pragma("secure_delete", "ON")
                .foreign_keys(true);
            if is_writing { options } else { options.pragma("query_only", "ON") }
        })
        .map_sqlx_postgres_opts(move |options| {
            let options = with_password(
                in_clear_on_this_machine(options).application_name("khoosheh"),
                password.as_ref(),
            );
            if is_writing { options } else { options.options([("default_transaction_read_only", "on")]) }
        })
        .map_sqlx_postgres_pool_opts(move |options| for_postgres.postgres(options, wanted))
        .map_sqlx_sqlite_pool_opts(move |options| for_sqlite.sqlite(options, is_writing));
    let mut db = sea_orm::Database::connect(options).await?;
    db.set_metric_callback(|info| {
        metrics::histogram!("database_statement_seconds", "failed" => info.failed.to_string())
            .record(info.elapsed.as_secs_f64());
    });
    Ok(db)
}

/// The driver's options for a server, the password among them.
pub(super) fn postgres_options(url: &DatabaseUrl) -> Result<PgConnectOptions, sqlx::Error> {
    Ok(with_password(in_clear_on_this_machine(url.without_password().parse()?), url.password()))
}

fn with_password(options: PgConnectOptions, password: Option<&Secret>) -> PgConnectOptions {
    password.into_iter().fold(options, |options, password| options.password(password.reveal()))
}

/// Disables encryption for connections within the machine, unless the address requests it: sqlx 0.9.0 sends
/// encrypted parameters in pieces, each of which the system delays for up to 40 ms on its way to a local
/// server (Nagle; sqlx issue 4335).
fn in_clear_on_this_machine(options: PgConnectOptions) -> PgConnectOptions {
    let host = options.get_host();
    let is_here = host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    if is_here && matches!(options.get_ssl_mode(), PgSslMode::Prefer) {
        options.ssl_mode(PgSslMode::Disable)
    } else {
        options
    }
}

/// Makes SQLite check the statistics of all tables, which PostgreSQL does by itself. By default SQLite checks
/// only the tables that this connection has read, which are few.
///
/// # Errors
/// The database does not answer.
pub async fn keep_statistics(db: &Database) -> Result<(), DbErr> {
    if db.get_database_backend() == DbBackend::Sqlite {
        db.writes().execute_unprepared("PRAGMA analysis_limit = 1000; PRAGMA optimize = 0x10002").await?;
    }
    Ok(())
}

/// Updates the planner statistics after a large write. SQLite samples some thousand rows of each index, and
/// blocks other writers meanwhile.
///
/// # Errors
/// The database does not answer.
pub async fn refresh_statistics(db: &Database) -> Result<(), DbErr> {
    let transaction = begin_to_rebuild(db).await?;
    if transaction.get_database_backend() == DbBackend::Sqlite {
        transaction.execute_unprepared("PRAGMA analysis_limit = 4000").await?;
    }
    transaction.execute_unprepared("ANALYZE").await?;
    transaction.commit().await
}

/// Corrects the clock of this process by that of PostgreSQL, which all instances share.
///
/// # Errors
/// The database does not answer.
pub async fn follow_clock(db: &impl ConnectionTrait) -> Result<(), DbErr> {
    if db.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let asked = Instant::now();
    let row = db
        .query_one_raw(Statement::from_string(DbBackend::Postgres, "SELECT clock_timestamp() AS told"))
        .await?;
    let Some(told) = row.map(|row| row.try_get::<DateTime<Utc>>("", "told")).transpose()? else {
        return Ok(());
    };
    if let Some(behind) = clock::compare(told, asked.elapsed()) {
        tracing::warn!(
            "the clock of this machine differs from that of the database by {} s: it is corrected here",
            behind.as_seconds_f64()
        );
    }
    Ok(())
}

/// Makes a transaction plan each statement for the current state of the tables, until [`keep_plans`].
/// PostgreSQL caches the plans of a connection: one made while a table was nearly empty, or for any values,
/// would read all of it for each of many rows inserted.
pub async fn plan_afresh(transaction: &DatabaseTransaction) -> Result<(), DbErr> {
    set_plans(transaction, "force_custom_plan").await
}

/// Makes a transaction cache its plans again: those of foreign-key checks, which run for each row, would take
/// longer to make than to use.
pub async fn keep_plans(transaction: &DatabaseTransaction) -> Result<(), DbErr> {
    set_plans(transaction, "DEFAULT").await
}

async fn set_plans(transaction: &DatabaseTransaction, mode: &str) -> Result<(), DbErr> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        transaction.execute_unprepared(&format!("SET LOCAL plan_cache_mode = {mode}")).await?;
    }
    Ok(())
}

/// Maximum duration of a bulk write transaction, because others wait for it. On SQLite all writers wait, for
/// at most 10 s; on PostgreSQL only writers of the same rows, for at most 30 s.
pub fn longest_write(db: &impl ConnectionTrait) -> Duration {
    Duration::from_secs(if db.get_database_backend() == DbBackend::Sqlite { 7 } else { 20 })
}

/// Limits a turn of background work to longer than any statement may take: a server that vanishes would
/// otherwise be waited for forever.
///
/// # Errors
/// That of the work, or 503.
pub async fn in_time<T>(turn: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    let late = |_| Err(Problem::new(&problem_types::UNAVAILABLE));
    tokio::time::timeout(Duration::from_secs(660), work::abandonable(turn)).await.unwrap_or_else(late)
}

/// Pause between two large writes: on SQLite, waiting writers retry every 100 ms at the latest.
pub async fn let_others_write(db: &Database) {
    if db.get_database_backend() == DbBackend::Sqlite {
        tokio::time::sleep(Duration::from_millis(120)).await;
    }
}

/// Begins a read transaction of any duration that sees one snapshot; on SQLite every transaction does.
pub async fn begin_to_read(db: &Database) -> Result<DatabaseTransaction, DbErr> {
    let is_postgres = db.get_database_backend() == DbBackend::Postgres;
    db.begin_to_read(is_postgres.then_some(IsolationLevel::RepeatableRead)).await
}

/// Begins a long read for a waiting client. It ends with its work, which on SQLite has a time limit as a
/// whole, and continues after the request has the head of its answer, while the body is read.
pub(super) async fn begin_long_read(db: &Database) -> Result<(DatabaseTransaction, Work), DbErr> {
    let work = Work::apart(LONG_READ_TIMEOUT);
    let transaction = work.part(begin_to_read(db)).await?;
    limit_statements(&transaction, LONG_READ_TIMEOUT).await?;
    Ok((transaction, work))
}

/// Begins a read of the whole database, for the operator.
pub async fn begin_to_survey(db: &Database) -> Result<DatabaseTransaction, DbErr> {
    let transaction = begin_to_read(db).await?;
    limit_statements(&transaction, PATIENCE).await?;
    Ok(transaction)
}

/// Begins a large write transaction, which may take long.
pub async fn begin_to_rebuild(db: &Database) -> Result<WriteTransaction, DbErr> {
    let transaction = db.begin_to_write().await?;
    limit_statements(&transaction, PATIENCE).await?;
    Ok(transaction)
}

/// Sets the maximum duration of each statement of a transaction (PostgreSQL).
async fn limit_statements(transaction: &DatabaseTransaction, limit: Duration) -> Result<(), DbErr> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        transaction
            .execute_unprepared(&format!("SET LOCAL statement_timeout = {}", limit.as_millis()))
            .await?;
    }
    Ok(())
}
