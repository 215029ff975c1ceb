//! `khoosheh summaries`: the sums that reports read.

use std::io::Write;

use clap::Subcommand;

use super::{Outcome, open};
use crate::{config::Config, server, store::earned_value::summary};

#[derive(Subcommand)]
pub enum Summaries {
    /// Compare them with the records.
    Check,
    /// Make them right from the records, in turns between which others write.
    Rebuild,
}

pub async fn run(command: Summaries, config: Config) -> Outcome {
    let db = open(&config, 1).await?;
    server::check_migrated(&db).await?;
    match command {
        Summaries::Rebuild => Ok(summary::rebuild(&db).await?),
        Summaries::Check => match summary::differences(&db).await? {
            0 => Ok(writeln!(std::io::stdout(), "the summaries are those of the records")?),
            count => {
                Err(format!("{count} sums are not those of the records: run `khoosheh summaries rebuild`")
                    .into())
            }
        },
    }
}
