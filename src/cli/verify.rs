//! `khoosheh verify`: verifies the integrity of the database and the files.

use std::{io::Write, path::PathBuf};

use clap::Args;

use super::{Outcome, open};
use crate::{
    api, attachments,
    backup::manifest::Manifest,
    config::Config,
    server,
    store::{
        personal::adopt::{self, Evidence},
        verify,
    },
};

#[derive(Args)]
pub struct Verify {
    /// The manifest of a backup: the database has to hold the very records and versions that it was of.
    #[arg(long)]
    manifest: Option<PathBuf>,
    /// Expected root of the records, from an earlier `verify` or the manifest of a backup.
    #[arg(long, value_name = "HEX", visible_alias = "against")]
    root: Option<String>,
    /// Do not read the attached files.
    #[arg(long)]
    without_files: bool,
}

pub async fn run(arguments: Verify, config: Config) -> Outcome {
    let manifest = arguments.manifest.map(|path| Manifest::read(&path)).transpose()?;
    let db = open(&config, 1).await?;
    server::check_migrated(&db).await?;
    let (mut whole, mut faults) = (Vec::new(), Vec::new());
    if let Some(Evidence { taken_at, root }) = adopt::evidence(&db).await? {
        whole.push(format!(
            "before their personal values were committed to, at {taken_at}, the root of the {} histories was {}",
            root.chains, root.sha256
        ));
    }
    match verify::verify(&db, api::kinds()).await {
        Ok(intact) => {
            whole.extend(intact.sentences());
            let differs = arguments.root.filter(|root| !root.eq_ignore_ascii_case(&intact.root));
            faults.extend(differs.map(|root| format!("the root is {}, and not {root}", intact.root)));
            if let Some(Manifest { root, created_at, .. }) = manifest {
                if root.sha256 == intact.root {
                    whole.push(format!("it is that of the backup of {created_at}"));
                } else {
                    let (now, then) = (
                        format!("{} of {} chains", intact.root, intact.chains),
                        format!("{} of {} chains", root.sha256, root.chains),
                    );
                    faults.push(format!(
                        "it is not that of the backup of {created_at}: the root is {now}, and was {then}"
                    ));
                }
            }
        }
        Err(failure) => faults.extend(failure.0.iter().map(ToString::to_string)),
    }
    if !arguments.without_files {
        match attachments::verify::verify(&db, &config).await {
            Ok(files) => whole.insert(whole.len().saturating_sub(1), files.to_string()),
            Err(fault) => faults.push(fault.to_string()),
        }
    }
    if faults.is_empty() {
        Ok(writeln!(std::io::stdout(), "{}", whole.join("\n"))?)
    } else {
        Err(faults.join("\nkhoosheh: ").into())
    }
}
