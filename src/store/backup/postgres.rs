//! PostgreSQL: its own `pg_dump` and `pg_restore`, which must not be older than the server.

use std::{
    fs::OpenOptions,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, IsolationLevel,
    SqlxPostgresConnector, Statement, TransactionTrait,
};
use sqlx::postgres::{PgPoolOptions, PgSslMode};

use super::Failure;
use crate::{config::Config, store::servers};

/// Debian's directory of PostgreSQL programs, one subdirectory per version.
const OF_DEBIAN: &str = "/usr/lib/postgresql";

async fn open(config: &Config) -> Result<DatabaseConnection, sqlx::Error> {
    let options = servers::options(&config.database_url).await?.application_name("khoosheh backup");
    Ok(SqlxPostgresConnector::from_sqlx_postgres_pool(
        PgPoolOptions::new().max_connections(1).connect_lazy_with(options),
    ))
}

async fn text(db: &impl ConnectionTrait, sql: &str) -> Result<String, DbErr> {
    let row = db.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
    row.ok_or_else(|| DbErr::RecordNotFound(sql.to_owned()))?.try_get_by_index(0)
}

/// The major version of the server.
async fn major(db: &impl ConnectionTrait) -> Result<u32, Failure> {
    Ok(text(db, "SELECT current_setting('server_version_num')").await?.parse::<u32>()? / 10_000)
}

pub async fn check_tools(config: &Config) -> Result<(), Failure> {
    let db = open(config).await?;
    let major = major(&db).await?;
    db.close().await?;
    tool("pg_dump", major, config)?;
    tool("pg_restore", major, config)?;
    Ok(())
}

pub async fn copy<T>(
    config: &Config,
    part: &Path,
    read: impl AsyncFnOnce(&DatabaseTransaction) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let db = open(config).await?;
    let pg_dump = tool("pg_dump", major(&db).await?, config)?;
    let transaction =
        db.begin_with_config(Some(IsolationLevel::RepeatableRead), Some(AccessMode::ReadOnly)).await?;
    // It waits for the dump, however long that takes.
    transaction
        .execute_unprepared(
            "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0",
        )
        .await?;
    let snapshot = text(&transaction, "SELECT pg_export_snapshot()").await?;
    let mut command = command(&pg_dump, config).await?;
    command.args(["--format=custom", "--no-password"]).arg(format!("--snapshot={snapshot}"));
    command.stdout(OpenOptions::new().write(true).open(part)?);
    run(command, "pg_dump").await?;
    let seen = read(&transaction).await?;
    transaction.rollback().await?;
    db.close().await?;
    Ok(seen)
}

pub async fn check_empty(config: &Config) -> Result<(), Failure> {
    // Objects of extensions do not count.
    let sql = "SELECT COALESCE((SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) FROM pg_class c \
               JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') \
               AND n.nspname !~ '^pg_(toast|temp)' AND NOT EXISTS (SELECT 1 FROM pg_depend d \
               WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e') ORDER BY 1 LIMIT 1), '')";
    let db = open(config).await?;
    let found = text(&db, sql).await?;
    db.close().await?;
    if found.is_empty() {
        return Ok(());
    }
    Err(format!(
        "the database {} holds {found} already: a backup is restored into an empty database only",
        config.database_url
    )
    .into())
}

pub async fn put_back<T>(
    config: &Config,
    part: &Path,
    finish: impl AsyncFnOnce(&DatabaseTransaction) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let db = open(config).await?;
    let pg_restore = tool("pg_restore", major(&db).await?, config)?;
    let database = text(&db, "SELECT current_database()").await?;
    let mut command = command(&pg_restore, config).await?;
    command.args([
        "--no-owner",
        "--no-privileges",
        "--exit-on-error",
        "--single-transaction",
        "--no-password",
    ]);
    // A bare name with a `=` would be parsed as a connection string.
    command
        .arg(format!("--dbname=dbname='{}'", database.replace('\\', "\\\\").replace('\'', "\\'")))
        .arg(part);
    command.stdout(Stdio::null());
    run(command, "pg_restore").await?;
    let transaction = db.begin().await?;
    transaction.execute_unprepared("SET LOCAL statement_timeout = 0").await?;
    // The programs of PostgreSQL have committed already.
    let begun =
        |error: Failure| format!("{error}; drop the database {} and begin again", config.database_url);
    let done = finish(&transaction).await.map_err(begun)?;
    transaction.commit().await?;
    // There are no statistics yet.
    db.execute_unprepared("ANALYZE").await?;
    db.close().await?;
    Ok(done)
}

/// A command for a PostgreSQL program on the configured server. Connection parameters are in its environment:
/// arguments are visible to everybody on the machine.
async fn command(program: &Path, config: &Config) -> Result<Command, Failure> {
    let url = &config.database_url;
    let options = servers::options(url).await?;
    let mut command = Command::new(program);
    for name in ["PGHOSTADDR", "PGSERVICE", "PGSERVICEFILE"] {
        command.env_remove(name);
    }
    let host = options
        .get_socket()
        .map_or_else(|| options.get_host().to_owned(), |socket| socket.display().to_string());
    command
        .env("PGHOST", host)
        .env("PGPORT", options.get_port().to_string())
        .env("PGUSER", options.get_username());
    command.env("PGDATABASE", options.get_database().unwrap_or(options.get_username()));
    command
        .env("PGSSLMODE", ssl_mode(options.get_ssl_mode()))
        .env("PGAPPNAME", "khoosheh backup")
        .env("PGCONNECT_TIMEOUT", "10");
    for (parameter, variable) in
        [("sslrootcert", "PGSSLROOTCERT"), ("sslcert", "PGSSLCERT"), ("sslkey", "PGSSLKEY")]
    {
        command.envs(url.parameter(parameter).map(|value| (variable, value)));
    }
    command.envs(options.get_options().map(|options| ("PGOPTIONS", options.to_owned())));
    command.envs(url.password().map(|password| ("PGPASSWORD", password.reveal().to_owned())));
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    Ok(command)
}

fn ssl_mode(mode: PgSslMode) -> &'static str {
    match mode {
        PgSslMode::Disable => "disable",
        PgSslMode::Allow => "allow",
        PgSslMode::Prefer => "prefer",
        PgSslMode::Require => "require",
        PgSslMode::VerifyCa => "verify-ca",
        PgSslMode::VerifyFull => "verify-full",
    }
}

async fn run(mut command: Command, name: &str) -> Result<(), Failure> {
    let output = tokio::task::spawn_blocking(move || command.output())
        .await?
        .map_err(|error| format!("{name} cannot be run: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{name} has failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr).trim())
        .into())
}

/// Finds a program of at least the server's version: in `postgres_tools` if that is set, otherwise in `PATH`,
/// otherwise the newest of Debian's.
fn tool(name: &str, server: u32, config: &Config) -> Result<PathBuf, Failure> {
    let folders = folders(config);
    let mut newest = None;
    for path in folders.iter().map(|folder| folder.join(name)).filter(|path| path.is_file()) {
        match version(&path) {
            Some(version) if version >= server => return Ok(path),
            found => newest = newest.max(found),
        }
    }
    let place = match &config.postgres_tools {
        Some(folder) => format!("in {} (postgres_tools)", folder.display()),
        None => format!("on PATH or in {OF_DEBIAN}/*/bin"),
    };
    let install =
        format!("install the client programs of PostgreSQL {server} (Debian: postgresql-client-{server})");
    Err(match newest {
        Some(version) => format!(
            "the {name} {place} is of version {version}, and the server of version {server}: {install}"
        )
        .into(),
        None => {
            format!("there is no {name} {place}, by which PostgreSQL is backed up and restored: {install}")
                .into()
        }
    })
}

fn folders(config: &Config) -> Vec<PathBuf> {
    if let Some(folder) = &config.postgres_tools {
        return vec![folder.clone()];
    }
    let mut folders: Vec<PathBuf> = std::env::var_os("PATH").iter().flat_map(std::env::split_paths).collect();
    let versions = std::fs::read_dir(OF_DEBIAN).into_iter().flatten().flatten();
    let mut versions: Vec<u32> =
        versions.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    versions.sort_by_key(|version| std::cmp::Reverse(*version));
    folders.extend(versions.iter().map(|version| Path::new(OF_DEBIAN).join(version.to_string()).join("bin")));
    folders
}

/// The major version that a program reports: 15 for `pg_dump (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`.
fn version(program: &Path) -> Option<u32> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (_, version) = text.split_once("(PostgreSQL) ")?;
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}
