//! `khoosheh keys`: the keys that sign access tokens, and the one that encrypts personal values.

use std::io::Write;

use chrono::TimeDelta;
use clap::Subcommand;

use super::{Outcome, open};
use crate::{accounts::signing_key, config::Config, server, store::personal};

#[derive(Subcommand)]
pub enum Keys {
    /// Make a new key, without ending sessions: it is published at once and signs after a delay, and the
    /// former keys verify until their tokens have expired. Running instances load it by themselves.
    Rotate {
        /// Seconds until the new key signs. Everybody who caches the published keys has to know it by then:
        /// they may be cached for 300 seconds.
        #[arg(long, default_value_t = signing_key::PUBLISHED_BEFORE.num_seconds(), value_parser = clap::value_parser!(i64).range(0..=86_400))]
        after: i64,
        /// The former keys are compromised: they verify nothing from now on, and the new one signs at once.
        /// All access tokens become invalid; sessions continue with their refresh tokens.
        #[arg(long, conflicts_with = "after")]
        compromised: bool,
    },
    /// List the keys that sign access tokens, oldest first.
    List,
    /// Encrypt all personal values with the configured key, while the service runs. Resumes after an
    /// interruption.
    RotatePersonal,
}

pub async fn run(command: Keys, config: Config) -> Outcome {
    let db = open(&config, 1).await?;
    let mut out = std::io::stdout();
    match command {
        Keys::Rotate { after, compromised } => {
            let rotated = signing_key::rotate(&db, &config, TimeDelta::seconds(after), compromised).await?;
            writeln!(
                out,
                "{} signs from {} on; the keys of before verify until {}",
                rotated.id, rotated.active_from, rotated.verify_until
            )?;
        }
        Keys::List => {
            for key in signing_key::rows(&db).await? {
                let until = key
                    .verifies_until
                    .map_or_else(|| "without end".to_owned(), |until| format!("until {until}"));
                let kept = if key.is_sealed() { "encrypted" } else { "not encrypted" };
                writeln!(
                    out,
                    "{} made {}, signs from {} on, verifies {until}, {kept}",
                    key.id,
                    key.created_at,
                    key.begins()
                )?;
            }
        }
        Keys::RotatePersonal => {
            server::check_migrated(&db).await?;
            let count = personal::rotate::rotate(&db).await?;
            writeln!(
                out,
                "{count} personal values were encrypted anew: the former key is not needed any more, but for backups of before"
            )?;
        }
    }
    Ok(())
}
