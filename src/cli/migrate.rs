//! `khoosheh migrate`: the tables of the database.

use std::io::Write;

use clap::Subcommand;

use super::{Outcome, create, open};
use crate::{
    config::Config,
    erasures, server,
    store::{
        personal::{self, adopt::Evidence},
        root::Root,
        schema,
    },
};

#[derive(Subcommand)]
pub enum Migrate {
    /// Apply all missing migrations.
    Up,
    /// Revert the last migration, and delete its data.
    Down,
    /// List the applied migrations.
    Status,
}

pub async fn run(direction: Migrate, config: Config) -> Outcome {
    let db = match direction {
        Migrate::Up => create(&config, 2).await?,
        Migrate::Down | Migrate::Status => open(&config, 2).await?,
    };
    match direction {
        Migrate::Up => {
            server::migrate(&db).await?;
            erasures::list::apply(&db, &config).await?;
            if let Some(Evidence { taken_at, root }) = personal::adopt::evidence(&db).await? {
                let Root { sha256, chains } = root;
                writeln!(
                    std::io::stdout(),
                    "the root of the {chains} histories before their personal values were committed to, at {taken_at}: {sha256}"
                )?;
            }
        }
        Migrate::Down => schema::migrate_down(&db).await?,
        Migrate::Status => {}
    }
    for migration in schema::migrations(&db).await? {
        let state = match migration.state {
            schema::State::Applied => "applied",
            schema::State::Missing => "missing",
            schema::State::Newer => "newer  ",
        };
        writeln!(std::io::stdout(), "{state} {}", migration.name)?;
    }
    Ok(())
}
