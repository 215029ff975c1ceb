//! `khoosheh restore`: a backup into an empty database and an empty store of files.

use std::{io::Write, path::PathBuf};

use clap::Args;

use super::Outcome;
use crate::{
    backup::{self, restore::Restored},
    config::Config,
    store::inspect,
};

#[derive(Args)]
pub struct Restore {
    /// The folder of the backup.
    folder: PathBuf,
}

pub async fn run(Restore { folder }: Restore, config: Config) -> Outcome {
    if config.database_url.file().is_none() {
        inspect::database(&config.database_url).await?;
    }
    let Restored { manifest, missing, sessions, erased } = backup::restore(&config, &folder).await?;
    let mut out = std::io::stdout();
    writeln!(
        out,
        "restored and verified: {} chains as of {}, {} files",
        manifest.root.chains, manifest.created_at, manifest.files.count
    )?;
    writeln!(out, "{sessions} sessions were ended: everybody logs in again")?;
    if let Some(count) = erased.filter(|count| *count > 0) {
        writeln!(out, "{count} records were erased again, which are on the list of erasures")?;
    }
    let lacking = manifest.files.missing.len() + manifest.files.damaged.len();
    if lacking > 0 {
        writeln!(out, "{lacking} attached files are not in the backup; its manifest names them")?;
    }
    if missing > 0 {
        writeln!(
            out,
            "the backup is older than this version by {missing} changes of the tables: run `khoosheh migrate up`"
        )?;
    }
    Ok(())
}
