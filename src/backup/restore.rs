//! Restoring a backup into an empty database and an empty store of files.

use std::{
    collections::{BTreeSet, HashSet},
    fs::File,
    io::Read,
    path::Path,
};

use actix_web::web::Bytes;

use super::manifest::{self, Manifest};
use crate::{
    accounts::session,
    config::Config,
    erasures,
    store::{
        Files,
        backup::{self, Failure, Kind},
        connection, inspect, restoration, root, schema,
    },
};

/// Size of the chunks sent to the store, in bytes.
const PIECE: usize = 256 * 1024;

/// A backup that is restored.
#[derive(Debug)]
pub struct Restored {
    /// Manifest of the backup.
    pub manifest: Manifest,
    /// Number of migrations that the backup lacks.
    pub missing: usize,
    /// Number of sessions ended.
    pub sessions: u64,
    /// Number of records erased again; none if this has to wait for the migrations.
    pub erased: Option<usize>,
}

/// Restores a backup. Everything that can be checked in advance is checked before anything is written. Files
/// of an interrupted restore stay, and do not prevent another attempt.
pub async fn restore(config: &Config, folder: &Path) -> Result<Restored, Failure> {
    let manifest = Manifest::read(&folder.join(manifest::NAME))?;
    let missing = check_kind(config, &manifest)?;
    let names = manifest.check(folder)?;
    inspect::check_file(&config.database_url, true)?;
    backup::check_tools(config).await?;
    backup::check_empty(config).await?;
    config.erasure_list.as_deref().map(erasures::list::read).transpose()?;
    copy_files(config, folder, names).await?;
    let sessions = backup::put_back(config, &folder.join(manifest.database.kind.part()), async |db| {
        let found = root::root(db).await?;
        if found != manifest.root {
            let (found, expected) = (found.sha256, &manifest.root.sha256);
            return Err(format!("the root of what was restored is {found}, and that of the manifest {expected}: the backup is not whole").into());
        }
        restoration::keep(db, manifest.created_at, &manifest.root).await?;
        // Sessions ended since the backup would be active again.
        Ok(session::revoke_everybody(db).await?)
    })
    .await?;
    // A service that is begun before does the same; one whose tables are behind does not begin.
    let erased = if missing == 0 { Some(apply_list(config).await?) } else { None };
    Ok(Restored { manifest, missing, sessions, erased })
}

/// Repeats the erasures of the list.
async fn apply_list(config: &Config) -> Result<usize, Failure> {
    let db = connection::connect(&config.database_url, 1).await?;
    let count = erasures::list::apply(&db, config).await?;
    db.close().await?;
    Ok(count)
}

/// Refuses a backup of another database engine or of a newer version; returns the number of migrations that
/// it lacks.
fn check_kind(config: &Config, manifest: &Manifest) -> Result<usize, Failure> {
    let name = |kind| if kind == Kind::Sqlite { "SQLite" } else { "PostgreSQL" };
    let (of, into) = (manifest.database.kind, Kind::of(config));
    if of != into {
        return Err(format!("the backup is of {}, and database_url names {}", name(of), name(into)).into());
    }
    let known: HashSet<String> = schema::known().into_iter().collect();
    let applied: HashSet<String> = manifest.database.migrations.iter().cloned().collect();
    if let Some(newer) = applied.difference(&known).next() {
        let version = &manifest.version;
        return Err(format!("the backup was made by a newer version ({version}), which has to restore it: {newer} is not known here").into());
    }
    Ok(known.difference(&applied).count())
}

async fn copy_files(config: &Config, folder: &Path, names: Vec<String>) -> Result<(), Failure> {
    let names: BTreeSet<String> = names.into_iter().collect();
    if let Some(store) = Files::open_existing(config)?
        && let Some(other) = store.other_than(&names).await?
    {
        let place = &config.attachments_url;
        return Err(format!(
            "the store of files {place} holds {other} already: a backup is restored into an empty store only"
        )
        .into());
    }
    let store = Files::open(config)?;
    for name in &names {
        let (mut file, mut incoming) = (File::open(manifest::file(folder, name))?, store.begin(name));
        loop {
            let mut piece = vec![0; PIECE];
            let count = file.read(&mut piece)?;
            if count == 0 {
                break;
            }
            piece.truncate(count);
            incoming.put(Bytes::from(piece)).await?;
        }
        incoming.finish().await?;
    }
    Ok(())
}
