//! Connecting to a database, and bringing its tables up to date.

use std::{net::IpAddr, time::Duration};

use migration::{Migrator, MigratorTrait};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, IsolationLevel, SqliteTransactionMode,
    Statement, TransactionOptions, TransactionTrait,
};
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::lock;

/// A statement that takes longer would outlive the request that waits for it (PostgreSQL).
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);

/// A pool of so many connections, made when they are first used. Each worker has its own pool, so that no
/// connection wanders between threads.
pub async fn connect(url: &str, connections: u32) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(sqlite_creates_its_file(url));
    options
        .max_connections(connections)
        .min_connections(0)
        .connect_lazy(true)
        .connect_timeout(Duration::from_secs(3))
        .acquire_timeout(Duration::from_secs(3))
        .test_before_acquire_if_idle_for(Duration::from_secs(15))
        .statement_timeout(STATEMENT_TIMEOUT)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(|options| {
            use sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
            options
                .journal_mode(SqliteJournalMode::Wal)
                // With WAL, anything less than FULL may lose the last commits when the power fails.
                .synchronous(SqliteSynchronous::Full)
                .busy_timeout(Duration::from_secs(10))
                .foreign_keys(true)
                .optimize_on_close(true, None)
        })
        .map_sqlx_postgres_opts(|options| in_clear_on_this_machine(options).application_name("khoosheh"));
    let mut db = Database::connect(options).await?;
    db.set_metric_callback(|info| {
        metrics::histogram!("database_statement_seconds", "failed" => info.failed.to_string()).record(info.elapsed.as_secs_f64());
    });
    Ok(db)
}

/// Nothing is encrypted that does not leave the machine, unless the address asks for it: sqlx 0.9.0 sends encrypted parameters in pieces,
/// of which the system holds back each for up to 40 ms on its way to a server beside (Nagle; sqlx issue 4335).
fn in_clear_on_this_machine(options: PgConnectOptions) -> PgConnectOptions {
    let host = options.get_host();
    let is_here = host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    if is_here && matches!(options.get_ssl_mode(), PgSslMode::Prefer) { options.ssl_mode(PgSslMode::Disable) } else { options }
}

/// `mode=rwc` creates the file where it is missing.
fn sqlite_creates_its_file(url: &str) -> String {
    if url.starts_with("sqlite:") && !url.contains("mode=") {
        let separator = if url.contains('?') { '&' } else { '?' };
        return format!("{url}{separator}mode=rwc");
    }
    url.to_owned()
}

/// Brings the tables up to date, in one transaction. Several instances may do so at once: one does, the others wait.
pub async fn migrate(db: &DatabaseConnection) -> Result<(), DbErr> {
    let transaction = begin_to_rebuild(db).await?;
    lock::for_transaction(&transaction, "migrate").await?;
    Migrator::up(&transaction, None).await?;
    transaction.commit().await
}

/// Begins a transaction that will write. A deferred SQLite transaction that turns writer half way would fail
/// instead of waiting for its turn.
pub async fn begin_to_write(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let options = TransactionOptions { sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate), ..Default::default() };
    db.begin_with_options(options).await
}

/// Has a transaction plan its statements for the tables as they are by then, until [`keep_plans`]. PostgreSQL keeps the plans of a connection:
/// one that was made while a table was nearly empty, or for any values, would go on to read all of it for each of many rows that make it grow.
pub async fn plan_afresh(transaction: &DatabaseTransaction) -> Result<(), DbErr> {
    set_plans(transaction, "force_custom_plan").await
}

/// Has it keep its plans again: those of the checks of foreign keys, which are made for each row, would take longer to make than to use.
pub async fn keep_plans(transaction: &DatabaseTransaction) -> Result<(), DbErr> {
    set_plans(transaction, "DEFAULT").await
}

async fn set_plans(transaction: &DatabaseTransaction, mode: &str) -> Result<(), DbErr> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        transaction.execute_unprepared(&format!("SET LOCAL plan_cache_mode = {mode}")).await?;
    }
    Ok(())
}

/// How long a transaction may write that does a large piece of work at once: others wait for it. On SQLite everybody does who writes, and
/// gives up after 10 s; on PostgreSQL those do who want the same rows, and give up after 30 s.
pub fn longest_write(db: &impl ConnectionTrait) -> Duration {
    Duration::from_secs(if db.get_database_backend() == DbBackend::Sqlite { 7 } else { 20 })
}

/// Between two large writes: on SQLite, those who wait for their turn to write look for it every 100 ms at the latest.
pub async fn let_others_write(db: &DatabaseConnection) {
    if db.get_database_backend() == DbBackend::Sqlite {
        tokio::time::sleep(Duration::from_millis(120)).await;
    }
}

/// Begins a transaction that reads, however long it takes, what was there at its beginning; on SQLite every one does.
pub async fn begin_to_read(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let is_postgres = db.get_database_backend() == DbBackend::Postgres;
    let options = TransactionOptions { isolation_level: is_postgres.then_some(IsolationLevel::RepeatableRead), ..Default::default() };
    db.begin_with_options(options).await
}

/// The same for a report, which may take as long as its reader needs.
pub async fn begin_to_report(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    patient(begin_to_read(db).await?).await
}

/// Begins a transaction that writes much, and may take long.
pub async fn begin_to_rebuild(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    patient(begin_to_write(db).await?).await
}

async fn patient(transaction: DatabaseTransaction) -> Result<DatabaseTransaction, DbErr> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        transaction.execute_unprepared("SET LOCAL statement_timeout = '10min'").await?;
    }
    Ok(transaction)
}

/// Whether the tables are those that this build expects. It only reads, so that a health check writes nothing
/// and an account without rights on the schema can serve.
pub async fn is_migrated(db: &DatabaseConnection) -> Result<bool, DbErr> {
    db.query_one_raw(Statement::from_string(db.get_database_backend(), "SELECT 1")).await?;
    let applied = Statement::from_string(db.get_database_backend(), "SELECT count(*) AS applied FROM seaql_migrations");
    // Where the table is missing, nothing is applied.
    let count = db.query_one_raw(applied).await.ok().flatten().and_then(|row| row.try_get::<i64>("", "applied").ok());
    Ok(count == i64::try_from(Migrator::migrations().len()).ok())
}

/// Takes back the last change of the tables.
pub async fn migrate_down(db: &DatabaseConnection) -> Result<(), DbErr> {
    let transaction = begin_to_rebuild(db).await?;
    lock::for_transaction(&transaction, "migrate").await?;
    Migrator::down(&transaction, Some(1)).await?;
    transaction.commit().await
}

/// The names of all changes of the tables, and whether they are applied.
pub async fn migrations(db: &DatabaseConnection) -> Result<Vec<(String, bool)>, DbErr> {
    let applied = Migrator::get_applied_migrations(db).await?;
    let is_applied = |name: &str| applied.iter().any(|migration| migration.name() == name);
    Ok(Migrator::migrations().iter().map(|migration| (migration.name().to_owned(), is_applied(migration.name()))).collect())
}
