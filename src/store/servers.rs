//! PostgreSQL servers of a connection URL: selects one of several, and detects a connection pooler that does
//! not keep sessions.

use std::time::Duration;

use sea_orm::{DbErr, RuntimeErr};
use sqlx::{Connection, Executor, PgConnection, Row, postgres::PgConnectOptions};

use super::{Database, connection};
use crate::config::{DatabaseUrl, Wanted};

/// Timeout of a server before the next one is tried.
const PATIENCE: Duration = Duration::from_secs(2);
/// Interval between checks of the server in use.
const PAUSE: Duration = Duration::from_secs(1);

/// Whether a server meets the requirement.
///
/// # Errors
/// It does not answer.
pub(super) async fn is_wanted(connection: &mut PgConnection, wanted: Wanted) -> Result<bool, sqlx::Error> {
    if wanted == Wanted::Any {
        return Ok(true);
    }
    // Settings of the session itself reveal nothing about the server.
    let sql = "SELECT pg_is_in_recovery(), pg_is_in_recovery() OR (SELECT reset_val = 'on' AND source <> 'client' \
               FROM pg_settings WHERE name = 'default_transaction_read_only')";
    let row = connection.fetch_one(sql).await?;
    Ok(wanted.holds(row.try_get(0)?, row.try_get(1)?))
}

/// Connection options of the server to use: the only one, or the first that is suitable.
///
/// # Errors
/// None of several servers is suitable.
pub(super) async fn options(url: &DatabaseUrl) -> Result<PgConnectOptions, sqlx::Error> {
    if url.hosts().is_empty() { connection::postgres_options(url) } else { find(url).await }
}

/// The server to use: the first that answers and is suitable.
///
/// # Errors
/// There is none; the error is that of the last one tried.
async fn find(url: &DatabaseUrl) -> Result<PgConnectOptions, sqlx::Error> {
    let wanted = match url.wanted() {
        Wanted::PreferStandby => vec![Wanted::Standby, Wanted::Any],
        wanted => vec![wanted],
    };
    let mut last = sqlx::Error::PoolTimedOut;
    for wanted in wanted {
        for (host, port) in url.hosts() {
            let options = connection::postgres_options(url)?.host(host).port(*port);
            match tokio::time::timeout(PATIENCE, look(&options, wanted)).await {
                Ok(Ok(true)) => return Ok(options),
                Ok(Ok(false)) | Err(_) => {}
                Ok(Err(error)) => last = error,
            }
        }
    }
    Err(last)
}

async fn look(options: &PgConnectOptions, wanted: Wanted) -> Result<bool, sqlx::Error> {
    let mut connection = PgConnection::connect_with(options).await?;
    let is_wanted = is_wanted(&mut connection, wanted).await?;
    connection.close().await?;
    Ok(is_wanted)
}

/// Directs new connections to the server to use, if the address names several.
///
/// # Errors
/// None of them is suitable.
pub async fn choose(url: &DatabaseUrl, databases: &[Database]) -> Result<(), DbErr> {
    if url.hosts().is_empty() {
        return Ok(());
    }
    let found = find(url).await.map_err(|error| DbErr::Conn(RuntimeErr::SqlxError(error.into())))?;
    databases.iter().for_each(|database| database.move_to(found.get_host(), found.get_port()));
    Ok(())
}

/// Switches to another server whenever the one in use stops answering or is no longer suitable.
pub async fn follow(url: DatabaseUrl, databases: Vec<Database>) {
    if url.hosts().is_empty() {
        return;
    }
    // If no server has the preferred role, any available one is used.
    let wanted = if url.wanted() == Wanted::PreferStandby { Wanted::Any } else { url.wanted() };
    let mut connection: Option<PgConnection> = None;
    loop {
        tokio::time::sleep(PAUSE).await;
        if let Some(used) = &mut connection {
            if tokio::time::timeout(PATIENCE, answers(used, wanted))
                .await
                .is_ok_and(|good| good.unwrap_or(false))
            {
                continue;
            }
            databases.iter().for_each(Database::give_up);
        }
        connection = None;
        let Ok(found) = find(&url).await else {
            tracing::warn!("none of the servers of the database is what is wanted");
            continue;
        };
        databases.iter().for_each(|database| database.move_to(found.get_host(), found.get_port()));
        connection = tokio::time::timeout(PATIENCE, PgConnection::connect_with(&found))
            .await
            .ok()
            .and_then(Result::ok);
    }
}

async fn answers(connection: &mut PgConnection, wanted: Wanted) -> Result<bool, sqlx::Error> {
    connection.ping().await?;
    is_wanted(connection, wanted).await
}

/// Refuses a connection pooler that does not keep sessions apart, such as PgBouncer with transaction pooling:
/// locks and settings would silently apply to other clients.
///
/// # Errors
/// The reason, for the operator; or the server does not answer.
pub async fn check_sessions(url: &DatabaseUrl) -> Result<(), DbErr> {
    if url.file().is_some() {
        return Ok(());
    }
    let failed = |error: sqlx::Error| match error.as_database_error() {
        Some(fault) if fault.message().contains("unsupported startup parameter") => refused(),
        _ => DbErr::Conn(RuntimeErr::SqlxError(error.into())),
    };
    let options = options(url).await.map_err(failed)?.options([("statement_timeout", "31s")]);
    let connect = async || {
        let connected = tokio::time::timeout(PATIENCE, PgConnection::connect_with(&options)).await;
        connected.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map_err(failed)
    };
    let (mut one, mut other) = (connect().await?, connect().await?);
    let (of_one, of_other) =
        (process(&mut one).await.map_err(failed)?, process(&mut other).await.map_err(failed)?);
    let mut is_kept = of_one != of_other;
    for _ in 0..4 {
        is_kept &= process(&mut one).await.map_err(failed)? == of_one
            && process(&mut other).await.map_err(failed)? == of_other;
    }
    let told = one
        .fetch_one("SHOW statement_timeout")
        .await
        .and_then(|row| row.try_get::<String, _>(0))
        .map_err(failed)?;
    let _ = (one.close().await, other.close().await);
    if is_kept && told == "31s" { Ok(()) } else { Err(refused()) }
}

/// The id of the server process behind a connection.
async fn process(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    connection.fetch_one("SELECT pg_backend_pid()").await?.try_get(0)
}

fn refused() -> DbErr {
    DbErr::Custom(
        "between the service and PostgreSQL stands a pooler that does not keep sessions (PgBouncer with pool_mode = transaction, or one that drops \
         startup parameters): locks and limits would be lost without an error. Connect to the server itself, or through pool_mode = session with \
         startup parameters passed on; the service pools its own connections"
            .to_owned(),
    )
}
