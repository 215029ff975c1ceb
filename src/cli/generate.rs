//! `khoosheh generate`: made data of a whole country.

use std::io::Write;

use clap::Args;

use super::{Outcome, open, scale};
use crate::{config::Config, demo, persian::Date, problem::Problem, server, store::Database};

/// The seed of the data that is made where none is given.
pub const SEED: u64 = 42;

#[derive(Args)]
pub struct Generate {
    /// Size: 1.0 is a whole country, with 3,000 clusters, 20,000 projects and a million milestones.
    #[arg(long, default_value = "1.0", value_parser = scale)]
    scale: f64,
    /// Random seed: the same seed gives the same data.
    #[arg(long, default_value_t = SEED)]
    seed: u64,
}

pub async fn run(Generate { scale, seed }: Generate, config: Config) -> Outcome {
    let db = open(&config, 1).await?;
    server::migrate(&db).await?;
    if demo::scale::is_in_use(&db).await? {
        return Err("the database holds clusters already: made data is not mixed with others".into());
    }
    for (table, count) in made(&db, scale, seed).await? {
        writeln!(std::io::stdout(), "{count:>10} {table}")?;
    }
    Ok(())
}

/// Generates data beside the demonstration, or in a database without clusters.
pub async fn made(db: &Database, scale: f64, seed: u64) -> Result<demo::scale::Counts, Problem> {
    demo::scale::fill(db, demo::scale::Plan { scale, seed, today: Date::today_in_iran().naive() }).await
}
