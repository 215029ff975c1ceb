//! `khoosheh statistics`: the statistics that are published each quarter.

use std::io::Write;

use clap::Subcommand;

use super::{Outcome, open};
use crate::{
    config::Config,
    persian::Date,
    server,
    statistics::{due, publish},
};

#[derive(Subcommand)]
pub enum Statistics {
    /// Publish the most recently ended quarter, without waiting for late data. Published statistics never
    /// change; repeating it does nothing.
    Publish,
}

pub async fn run(command: Statistics, config: Config) -> Outcome {
    let db = open(&config, 2).await?;
    server::check_migrated(&db).await?;
    match command {
        Statistics::Publish => {
            let quarter = due(Date::today_in_iran(), 0);
            let done = if publish(&db, quarter).await? {
                "is published"
            } else {
                "was published before, and stays as it is"
            };
            Ok(writeln!(std::io::stdout(), "{quarter} {done}")?)
        }
    }
}
