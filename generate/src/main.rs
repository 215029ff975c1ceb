//! The command `generate`: made data of a whole country.

use std::{io::Write, path::PathBuf, process::ExitCode};

use clap::Parser;
use khoosheh::{
    cli::{self, Outcome},
    persian::Date,
    server,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Fill a database with made data of a whole country, for trials under load. It is that of the service:
/// `DATABASE_URL`, and the keys of the service where it has some.
#[derive(Parser)]
struct Generate {
    /// A TOML file with the configuration of the service.
    #[arg(long, env = "KHOOSHEH_CONFIG")]
    config: Option<PathBuf>,
    /// Size: 1.0 is a whole country, with 3,000 clusters, 20,000 projects and a million milestones.
    #[arg(long, default_value = "1.0", value_parser = scale)]
    scale: f64,
    /// Random seed: the same seed gives the same data.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Put the data beside that of the demonstration. Otherwise a database that holds clusters is refused.
    #[arg(long)]
    beside: bool,
}

fn main() -> ExitCode {
    match actix_web::rt::System::new().block_on(run(Generate::parse())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("generate: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Generate) -> Outcome {
    let config = cli::load(arguments.config.as_deref())?;
    let db = cli::open(&config, 1).await?;
    server::migrate(&db).await?;
    if !arguments.beside && generate::is_in_use(&db).await? {
        return Err(
            "the database holds clusters already: made data is put beside others only with --beside".into()
        );
    }
    let Generate { scale, seed, .. } = arguments;
    let today = Date::today_in_iran().naive();
    for (table, count) in generate::fill(&db, generate::Plan { scale, seed, today }).await? {
        writeln!(std::io::stdout(), "{count:>10} {table}")?;
    }
    Ok(())
}

fn scale(text: &str) -> Result<f64, String> {
    let scale = text.parse::<f64>().ok().filter(|scale| (0.0..=10.0).contains(scale));
    scale.ok_or_else(|| "a scale lies between 0 and 10".to_owned())
}
