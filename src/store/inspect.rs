//! Read-only inspection of a database and a file storage: creates no file, folder or table.

use std::{io::Read, path::Path, time::Duration};

use object_store::ObjectStoreExt;
use rustix::fs::{Access, access};
use sqlx::{Connection, Executor, PgConnection, Row, SqliteConnection, sqlite::SqliteConnectOptions};

use super::{
    files::{self, Files},
    schema, servers,
};
use crate::config::{Config, DatabaseUrl};

/// Timeout of a server.
const PATIENCE: Duration = Duration::from_secs(5);

/// Header of every SQLite file.
const SQLITE: &[u8; 16] = b"SQLite format 3\0";

/// Inspection result of a database.
#[derive(Debug)]
pub struct Look {
    /// Its kind and version, such as `PostgreSQL 15.14`.
    pub version: String,
    /// Whether nothing can be written, as on a standby.
    pub is_read_only: bool,
    /// Number of migrations not applied yet.
    pub missing: usize,
    /// Number of applied migrations that this build does not have.
    pub unknown: usize,
}

/// Checks the path of an embedded database; a missing file is an error if `creates` is false. Servers are not
/// checked.
pub fn check_file(url: &DatabaseUrl, creates: bool) -> Result<(), String> {
    let Some(path) = url.file() else { return Ok(()) };
    let shown = path.display();
    let metadata = match path.metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let folder =
                path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            return match (folder.is_dir(), creates) {
                (false, _) => Err(format!(
                    "there is no folder {} for the database: check the path in database_url",
                    folder.display()
                )),
                (true, false) => Err(format!("there is no database {shown}: check the path in database_url")),
                (true, true) => Ok(()),
            };
        }
        Err(error) => return Err(format!("the database {shown} cannot be looked at: {error}")),
        Ok(metadata) => metadata,
    };
    if metadata.is_dir() {
        return Err(format!("{shown} is a folder, not a database: check the path in database_url"));
    }
    let mut begin = Vec::new();
    let file =
        std::fs::File::open(path).and_then(|file| file.take(SQLITE.len() as u64).read_to_end(&mut begin));
    file.map_err(|error| format!("the database {shown} cannot be read: {error}"))?;
    // An empty file is an empty database.
    if !begin.is_empty() && begin != SQLITE {
        return Err(format!("{shown} is not a database of SQLite: check the path in database_url"));
    }
    Ok(())
}

/// Inspects a database. The error is for the operator, and contains no secrets.
pub async fn database(url: &DatabaseUrl) -> Result<Look, String> {
    check_file(url, false)?;
    let look = async {
        match url.file() {
            Some(path) => of_sqlite(path).await,
            None => of_postgres(url).await,
        }
    };
    match tokio::time::timeout(PATIENCE, look).await {
        Ok(look) => look.map_err(|error| format!("the database {url} does not serve: {error}")),
        Err(_) => Err(format!("the database {url} does not answer within {} seconds", PATIENCE.as_secs())),
    }
}

async fn of_postgres(url: &DatabaseUrl) -> Result<Look, sqlx::Error> {
    let mut connection = PgConnection::connect_with(&servers::options(url).await?).await?;
    let row = connection
        .fetch_one("SELECT current_setting('server_version'), current_setting('transaction_read_only')")
        .await?;
    let (version, read_only): (String, String) = (row.try_get(0)?, row.try_get(1)?);
    let applied = match connection.fetch_all("SELECT version FROM seaql_migrations").await {
        Ok(rows) => rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?,
        Err(error) if is_undefined_table(&error) => Vec::new(),
        Err(error) => return Err(error),
    };
    connection.close().await?;
    Ok(Look::new(format!("PostgreSQL {version}"), read_only == "on", &applied))
}

fn is_undefined_table(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "42P01")
}

async fn of_sqlite(path: &Path) -> Result<Look, sqlx::Error> {
    // A process that has the database open keeps a log beside it. Without a log none has to be created,
    // because nobody writes.
    let is_open =
        path.with_file_name(format!("{}-wal", path.file_name().unwrap_or_default().display())).exists();
    let options = SqliteConnectOptions::new().filename(path).read_only(true).immutable(!is_open);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    let version: String = connection.fetch_one("SELECT sqlite_version()").await?.try_get(0)?;
    let tables = connection.fetch_all("SELECT 1 FROM sqlite_schema WHERE name = 'seaql_migrations'").await?;
    let mut applied: Vec<String> = Vec::new();
    if !tables.is_empty() {
        let rows = connection.fetch_all("SELECT version FROM seaql_migrations").await?;
        applied = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    }
    connection.close().await?;
    Ok(Look::new(format!("SQLite {version}"), access(path, Access::WRITE_OK).is_err(), &applied))
}

impl Look {
    fn new(version: String, is_read_only: bool, applied: &[String]) -> Self {
        let known = schema::known();
        let missing = known.iter().filter(|name| !applied.contains(name)).count();
        let unknown = applied.iter().filter(|name| !known.contains(name)).count();
        Self { version, is_read_only, missing, unknown }
    }
}

/// Inspects the file storage; returns its description. The error is for the operator, and contains no
/// secrets.
pub async fn files(config: &Config) -> Result<String, String> {
    let url = &config.attachments_url;
    let Some(folder) = url.strip_prefix("file://") else {
        let files = Files::bucket(config)
            .map_err(|error| format!("the bucket {url} cannot be used: {}", files::without_body(&error)))?;
        let found =
            tokio::time::timeout(PATIENCE, files.store.head(&object_store::path::Path::from("khoosheh")))
                .await;
        return match found {
            Err(_) => Err(format!("the bucket {url} does not answer within {} seconds", PATIENCE.as_secs())),
            Ok(Ok(_) | Err(object_store::Error::NotFound { .. })) => Ok(format!("the bucket {url} answers")),
            Ok(Err(error)) => {
                Err(format!("the bucket {url} does not serve: {}", files::without_body(&error)))
            }
        };
    };
    let folder = Path::new(folder);
    let existing = folder
        .ancestors()
        .find(|path| path.exists())
        .filter(|path| !path.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    if !existing.is_dir() {
        return Err(format!("files cannot be kept at {url}: {} is no folder", existing.display()));
    }
    if let Err(error) = access(existing, Access::WRITE_OK | Access::EXEC_OK) {
        return Err(format!(
            "files cannot be kept at {url}: {} cannot be written to: {error}",
            existing.display()
        ));
    }
    Ok(if existing == folder {
        format!("the folder {url} can be written to")
    } else {
        format!("the folder {url} is missing: `serve` makes it")
    })
}
