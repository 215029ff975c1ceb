//! `khoosheh backup`: the database and the files, while the service runs.

use std::{io::Write, path::PathBuf};

use clap::Args;

use super::Outcome;
use crate::{backup, config::Config, store::inspect};

#[derive(Args)]
pub struct Backup {
    /// The folder to make; it is missing or empty.
    folder: PathBuf,
}

pub async fn run(Backup { folder }: Backup, config: Config) -> Outcome {
    inspect::database(&config.database_url).await?;
    let manifest = backup::create(&config, &folder).await?;
    let (files, root) = (&manifest.files, &manifest.root);
    let mut out = std::io::stdout();
    writeln!(
        out,
        "backed up to {}: {}, {} files ({} bytes)",
        folder.display(),
        manifest.database.server,
        files.count,
        files.bytes
    )?;
    writeln!(out, "the root of {} chains is {}", root.chains, root.sha256)?;
    if files.missing.is_empty() && files.damaged.is_empty() {
        return Ok(());
    }
    for (names, fault) in [(&files.missing, "missing"), (&files.damaged, "damaged")] {
        for name in names {
            eprintln!("{fault}: {name}");
        }
    }
    let count = files.missing.len() + files.damaged.len();
    Err(format!("{count} attached files could not be backed up; the manifest names them, and all else is in the backup").into())
}
