//! The command line, one file per command.

mod backup;
mod demo;
mod documents;
mod erase;
mod import;
mod keys;
mod migrate;
mod restore;
mod serve;
mod statistics;
mod summaries;
mod user;
mod verify;

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{CommandFactory, Parser, Subcommand};
use rustix::fs::Mode;
use tracing::{Metadata, field::Field};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::filter_fn,
    layer::{Context, SubscriberExt},
    util::SubscriberInitExt,
};

use crate::{
    config::{Config, LogFormat, Secrets},
    store::{Database, connection, inspect, personal, security_event},
};

/// Khoosheh: the system of record for industrial-cluster development.
#[derive(Parser)]
#[command(name = "khoosheh", version, about)]
struct CommandLine {
    /// A TOML file with the configuration.
    #[arg(long, global = true, env = "KHOOSHEH_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Try it: an embedded database with the clusters of Lorestan and one account per role.
    Demo(demo::Demo),
    /// Run the service.
    Serve(serve::Serve),
    /// Bring the tables of the database up to date, or take them back.
    #[command(subcommand)]
    Migrate(migrate::Migrate),
    /// Import a file of records of another system, like `POST /imports`, with the rights of the service
    /// itself. Failed rows are listed and were not written.
    Import(import::Import),
    /// Verify the history of every record, and name the first link that is broken.
    Verify(verify::Verify),
    /// Back up the database and the attached files, while the service runs.
    Backup(backup::Backup),
    /// Restore a backup into an empty database and an empty store of files. All sessions are ended.
    Restore(restore::Restore),
    /// The statistics that are published each quarter.
    #[command(subcommand)]
    Statistics(statistics::Statistics),
    /// Erase the personal data of a record permanently. The record and its history stay, and remain
    /// verifiable.
    Erase(erase::Erase),
    /// The summaries that reports read and every write updates.
    #[command(subcommand)]
    Summaries(summaries::Summaries),
    /// Print the OpenAPI document; no database is needed.
    Openapi,
    /// Print the tables and diagrams of states, as `docs/states.md` has them; no database is needed.
    States,
    /// Keep accounts, above all the first one.
    #[command(subcommand)]
    User(user::User),
    /// The keys that sign access tokens.
    #[command(subcommand)]
    Keys(keys::Keys),
}

/// The outcome of a command.
pub type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Runs the command that the arguments of the process name.
pub fn main() -> ExitCode {
    let line = CommandLine::parse();
    // Files created here, such as a database, its log or a backup, are accessible only to their owner.
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    match actix_web::rt::System::new().block_on(run(line)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("khoosheh: {error}");
            ExitCode::FAILURE
        }
    }
}

/// All commands with their arguments, as `--help` shows them.
pub fn command() -> clap::Command {
    CommandLine::command()
}

/// The configuration of the service, from the environment and perhaps a TOML file. The keys of personal
/// values are those of this process from then on.
pub fn load(file: Option<&Path>) -> Result<Config, String> {
    let config = Config::load(file)?;
    let Secrets { personal_key, former_personal_keys, .. } = &config.secrets;
    personal::keys::configure(personal_key.as_ref(), former_personal_keys)
        .map_err(|fault| format!("a key of personal values {fault}"))?;
    Ok(config)
}

async fn run(line: CommandLine) -> Outcome {
    let load = || load(line.config.as_deref());
    match line.command {
        Command::Openapi => documents::openapi(),
        Command::States => documents::states(),
        Command::Demo(arguments) => demo::run(arguments, load()?).await,
        Command::Serve(arguments) => serve::run(arguments, load()?).await,
        Command::Migrate(direction) => migrate::run(direction, load()?).await,
        Command::Import(arguments) => import::run(arguments, load()?).await,
        Command::Verify(arguments) => verify::run(arguments, load()?).await,
        Command::Backup(arguments) => backup::run(arguments, load()?).await,
        Command::Restore(arguments) => restore::run(arguments, load()?).await,
        Command::Statistics(command) => statistics::run(command, load()?).await,
        Command::Erase(arguments) => erase::run(arguments, load()?).await,
        Command::Summaries(command) => summaries::run(command, load()?).await,
        Command::User(command) => user::run(command, load()?).await,
        Command::Keys(command) => keys::run(command, load()?).await,
    }
}

/// A pool on the database of the configuration, which is there and answers.
pub async fn open(config: &Config, connections: u32) -> Result<Database, Box<dyn std::error::Error>> {
    inspect::database(&config.database_url).await?;
    Ok(connection::connect(&config.database_url, connections).await?)
}

/// The same; creates the file of an embedded database if it is missing.
async fn create(config: &Config, connections: u32) -> Result<Database, Box<dyn std::error::Error>> {
    inspect::check_file(&config.database_url, true)?;
    if config.database_url.file().is_none() {
        return open(config, connections).await;
    }
    Ok(connection::create(&config.database_url, connections).await?)
}

fn named<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(serde_json::Value::from(text)).map_err(|error| error.to_string())
}

fn log_to_stderr(config: &Config) {
    let filter = || EnvFilter::try_new(&config.log_filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let is_security = |metadata: &Metadata<'_>| metadata.target() == security_event::TARGET;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match config.log_format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    tracing_subscriber::registry()
        .with(lines.with_filter(filter()).with_filter(filter_fn(move |metadata| !is_security(metadata))))
        .with(SecurityLines.with_filter(filter()).with_filter(filter_fn(is_security)))
        .init();
}

/// Format of the security log: each line is one JSON object, whatever the format of the other lines.
struct SecurityLines;

impl<S: tracing::Subscriber> Layer<S> for SecurityLines {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        event.record(&mut |field: &Field, value: &dyn std::fmt::Debug| {
            if field.name() == "event" {
                let _ = writeln!(std::io::stderr().lock(), "{value:?}");
            }
        });
    }
}
