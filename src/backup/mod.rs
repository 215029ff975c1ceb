//! Online backups: the database and the attached files as of one moment.
//!
//! The database is copied first, then the files of its attachments. A file is stored under the hash of its
//! content and never removed, so that a later copy still has the content of that moment.

pub mod manifest;
pub mod restore;

use std::{
    collections::BTreeSet,
    fs::{DirBuilder, File, OpenOptions},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};

use self::manifest::{Database, Manifest, Part};
pub use self::restore::restore;
use crate::{
    attachments,
    config::Config,
    store::{
        Files,
        backup::{self, Failure, Kind},
        now, root,
    },
    values::hex,
};

/// Backs up into a folder that is missing or empty. The folder appears when the backup is complete.
pub async fn create(config: &Config, folder: &Path) -> Result<Manifest, Failure> {
    let is_free = match std::fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    if !is_free {
        return Err(format!(
            "{} is there already: a backup goes into a folder that is missing or empty",
            folder.display()
        )
        .into());
    }
    backup::check_tools(config).await?;
    let unfinished = unfinished(folder)?;
    let in_the_way = |error| format!("{} cannot be made: {error}", unfinished.display());
    DirBuilder::new().mode(0o700).create(&unfinished).map_err(in_the_way)?;
    let outcome = fill(config, &unfinished).await.and_then(|manifest| {
        std::fs::rename(&unfinished, folder)?;
        sync(unfinished.parent().unwrap_or(folder))?;
        Ok(manifest)
    });
    if outcome.is_err() {
        let _ = std::fs::remove_dir_all(&unfinished);
    }
    outcome
}

/// `.NAME.unfinished` beside the folder. Two concurrent backups into the same folder conflict here.
fn unfinished(folder: &Path) -> Result<PathBuf, Failure> {
    let absolute = std::path::absolute(folder)?;
    let name = absolute.file_name().ok_or_else(|| format!("{} is no name of a folder", folder.display()))?;
    Ok(absolute.with_file_name(format!(".{}.unfinished", name.display())))
}

async fn fill(config: &Config, folder: &Path) -> Result<Manifest, Failure> {
    let (kind, created_at) = (Kind::of(config), now());
    drop(new_file(&folder.join(kind.part()))?);
    let (database, root, names) = backup::copy(config, &folder.join(kind.part()), async |db| {
        let database =
            Database { kind, server: backup::server(db).await?, migrations: backup::migrations(db).await? };
        Ok((database, root::root(db).await?, attachments::entity::contents(db).await?))
    })
    .await?;
    File::open(folder.join(kind.part()))?.sync_all()?;
    let files = copy_files(config, folder, &names).await?;
    let parts = vec![Part::measure(folder, kind.part())?, Part::measure(folder, manifest::LIST)?];
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let manifest = Manifest { format: manifest::FORMAT, version, created_at, database, root, parts, files };
    let mut file = new_file(&folder.join(manifest::NAME))?;
    writeln!(file, "{}", serde_json::to_string_pretty(&manifest)?)?;
    file.sync_all()?;
    sync(folder)?;
    Ok(manifest)
}

/// Copies the files, and writes the list of the intact ones.
async fn copy_files(
    config: &Config,
    folder: &Path,
    names: &BTreeSet<String>,
) -> Result<manifest::Files, Failure> {
    DirBuilder::new().mode(0o700).create(folder.join(manifest::FILES))?;
    let mut list = new_file(&folder.join(manifest::LIST))?;
    let (store, mut files) = (Files::open_existing(config)?, manifest::Files::default());
    for name in names {
        let to = manifest::file(folder, name);
        let copied = match &store {
            Some(store) => copy_file(store, name, &to).await?,
            None => Copied::Missing,
        };
        match copied {
            Copied::Whole(bytes) => {
                writeln!(list, "{name}  {}/{name}", manifest::FILES)?;
                (files.count, files.bytes) = (files.count + 1, files.bytes + bytes);
                continue;
            }
            Copied::Missing => files.missing.push(name.clone()),
            Copied::Damaged => files.damaged.push(name.clone()),
        }
        let _ = std::fs::remove_file(&to);
    }
    list.sync_all()?;
    sync(&folder.join(manifest::FILES))?;
    Ok(files)
}

enum Copied {
    Whole(u64),
    Missing,
    Damaged,
}

/// Errors are those of the backup's own disk: files that the store cannot read count as missing.
async fn copy_file(store: &Files, name: &str, to: &Path) -> Result<Copied, Failure> {
    let Ok(bytes) = store.bytes(name).await else { return Ok(Copied::Missing) };
    let (mut file, mut hash, mut size, mut bytes) = (new_file(to)?, Sha256::new(), 0, bytes);
    loop {
        match bytes.try_next().await {
            Ok(Some(piece)) => {
                hash.update(&piece);
                file.write_all(&piece)?;
                size += piece.len() as u64;
            }
            Ok(None) => break,
            Err(_) => return Ok(Copied::Missing),
        }
    }
    file.sync_all()?;
    Ok(if hex(&hash.finalize()) == name { Copied::Whole(size) } else { Copied::Damaged })
}

/// A new file of its owner alone: a backup holds everything, the keys among it.
fn new_file(path: &Path) -> Result<File, Failure> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.map_err(|error| format!("{} cannot be made: {error}", path.display()).into())
}

/// Makes the names in a folder durable.
fn sync(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}
