//! Manifest of a backup: its source, and the hashes of its parts. It contains no secrets.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    store::{
        backup::{Failure, Kind},
        root::Root,
    },
    values::hex,
};

/// The name of its file.
pub const NAME: &str = "manifest.json";

/// The list of the attached files, as `sha256sum --check` reads it.
pub const LIST: &str = "files.sha256";

/// The folder of the attached files.
pub const FILES: &str = "files";

/// The shape of backups that this build makes, and the newest one that it reads.
pub const FORMAT: u32 = 1;

/// A manifest.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The shape of the backup.
    pub format: u32,
    /// The version of the program that made it.
    pub version: String,
    /// Start of the backup: everything acknowledged before is in it.
    pub created_at: DateTime<Utc>,
    /// The source database.
    pub database: Database,
    /// The root of all record chains.
    pub root: Root,
    /// The database and the list of files.
    pub parts: Vec<Part>,
    /// The attached files.
    pub files: Files,
}

/// The database that a backup is of.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Database {
    /// Its kind.
    pub kind: Kind,
    /// Its name and version.
    pub server: String,
    /// The changes of the tables that were applied.
    pub migrations: Vec<String>,
}

/// A file of the backup itself.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// Size in bytes.
    pub bytes: u64,
    /// The SHA-256 of its content, in hexadecimal.
    pub sha256: String,
}

/// The attached files.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Files {
    /// Number of files.
    pub count: u64,
    /// Total size in bytes.
    pub bytes: u64,
    /// Files that could not be read from the store: they are not in the backup.
    pub missing: Vec<String>,
    /// Files whose content did not match their name: they are not in the backup.
    pub damaged: Vec<String>,
}

impl Part {
    /// Measures a file of a backup.
    pub fn measure(folder: &Path, name: &str) -> Result<Self, Failure> {
        let path = folder.join(name);
        let (bytes, sha256) =
            hash(&path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
        Ok(Self { name: name.to_owned(), bytes, sha256 })
    }
}

impl Manifest {
    /// Reads a manifest. One of a shape that this build does not know is refused.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
            version: String,
        }
        let unreadable =
            |error: &dyn std::fmt::Display| format!("{} cannot be read: {error}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| unreadable(&error))?;
        let Format { format, version } = serde_json::from_str(&text).map_err(|error| unreadable(&error))?;
        if format > FORMAT {
            return Err(format!(
                "{}: the backup was made by a newer version ({version}), which has to restore it",
                path.display()
            )
            .into());
        }
        Ok(serde_json::from_str(&text).map_err(|error| unreadable(&error))?)
    }

    /// Verifies all parts and files of a backup by their hashes; returns the names of the files.
    pub fn check(&self, folder: &Path) -> Result<Vec<String>, Failure> {
        for name in [self.database.kind.part(), LIST] {
            let part = self
                .parts
                .iter()
                .find(|part| part.name == name)
                .ok_or_else(|| format!("the manifest names no {name}"))?;
            if Part::measure(folder, name)? != *part {
                return Err(format!(
                    "{} is not what the manifest says: it was changed or damaged",
                    folder.join(name).display()
                )
                .into());
            }
        }
        let list = std::fs::read_to_string(folder.join(LIST))?;
        let names: Vec<String> =
            list.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
        for name in &names {
            let path = file(folder, name);
            let found = hash(&path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
            if found.1 != *name {
                return Err(format!(
                    "{} is not what its name says: it was changed or damaged",
                    path.display()
                )
                .into());
            }
        }
        Ok(names)
    }
}

/// Path of an attached file in a backup.
pub fn file(folder: &Path, name: &str) -> PathBuf {
    folder.join(FILES).join(name)
}

/// The size and the SHA-256 of a file.
fn hash(path: &Path) -> std::io::Result<(u64, String)> {
    let (mut file, mut hash, mut bytes) = (File::open(path)?, Sha256::new(), 0);
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((bytes, hex(&hash.finalize()))),
            count => {
                hash.update(&buffer[..count]);
                bytes += count as u64;
            }
        }
    }
}
