//! `khoosheh serve`: the service.

use std::io::Write;

use clap::Args;

use super::{Outcome, log_to_stderr};
use crate::{
    accounts::signing_key,
    config::Config,
    erasures, server,
    store::{inspect, personal},
};

#[derive(Args)]
pub struct Serve {
    /// Only show the configuration and test it: database and file storage are checked, and nothing is
    /// changed.
    #[arg(long)]
    check_config: bool,
}

pub async fn run(Serve { check_config }: Serve, config: Config) -> Outcome {
    if check_config {
        return check(&config).await;
    }
    log_to_stderr(&config);
    inspect::check_file(&config.database_url, false)?;
    if config.secrets.signing_key_encryption.is_empty() {
        let variable = signing_key::VARIABLE;
        tracing::warn!(
            "the keys that sign access tokens are not encrypted in the database: give {variable} or {variable}_FILE"
        );
    }
    let running = server::start(config).await?;
    if !personal::keys::is_configured() {
        tracing::warn!(
            "the database keeps the key of its personal values itself: set KHOOSHEH_PERSONAL_KEY_FILE, and run `khoosheh keys rotate-personal`"
        );
    }
    tracing::info!(address = %running.address, "ready");
    if let Some(address) = running.operation_address {
        tracing::info!(%address, "health and metrics are apart");
    }
    running.until_signal().await;
    Ok(())
}

async fn check(config: &Config) -> Outcome {
    let mut out = std::io::stdout();
    writeln!(out, "{}", serde_json::to_string_pretty(config)?)?;
    let mut faults = Vec::new();
    match inspect::database(&config.database_url).await {
        Err(fault) => faults.push(fault),
        Ok(look) => {
            let tables = match (look.missing, look.unknown) {
                (0, 0) => "the tables are up to date".to_owned(),
                (0, count) => {
                    format!(
                        "{count} changes of the tables are of a newer version, which this one can serve unless they are marked as breaking"
                    )
                }
                (count, _) => format!("{count} changes of the tables are missing: run `khoosheh migrate up`"),
            };
            writeln!(out, "database: {}, {tables}", look.version)?;
            if look.missing > 0 {
                faults.push(tables);
            }
            if look.is_read_only {
                writeln!(
                    out,
                    "database: it is read-only, as a standby is: the service reads, and refuses writes"
                )?;
            }
        }
    }
    match inspect::files(config).await {
        Err(fault) => faults.push(fault),
        Ok(text) => writeln!(out, "files: {text}")?,
    }
    let keys = match config.secrets.signing_key_encryption.len() {
        0 => format!("not encrypted: {} is not given", signing_key::VARIABLE),
        count => format!("encrypted in the database; {count} keys are given for that"),
    };
    writeln!(out, "keys that sign access tokens: {keys}")?;
    let kept = if personal::keys::is_configured() {
        "that of the configuration"
    } else {
        "kept by the database itself"
    };
    writeln!(out, "personal values: the key is {kept}")?;
    if let Some(fault) = config.erasure_list.as_deref().and_then(|path| erasures::list::read(path).err()) {
        faults.push(fault);
    }
    if faults.is_empty() {
        Ok(writeln!(out, "the configuration is right")?)
    } else {
        Err(faults.join("\nkhoosheh: ").into())
    }
}
