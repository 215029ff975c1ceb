//! `khoosheh import`: a file of records, with the rights of the service itself.

use std::{io::Write, path::PathBuf};

use clap::Args;

use super::{Outcome, named, open};
use crate::{
    api,
    config::Config,
    imports::{
        columns::Resource,
        dto::{Mode, Order, State},
        entity::row as import_row,
        fault,
        file::Format,
        intake::Intake,
        worker,
    },
    persian::Calendar,
    policy::Caller,
    server,
    store::{ExternalRef, Transaction, connection},
};

#[derive(Args)]
pub struct Import {
    /// The file: `.ndjson` and `.jsonl` hold one JSON object a line, all others are tables with headings.
    file: PathBuf,
    /// Resource of the records: clusters, enterprises, cdas, projects, milestones, measurements or payments.
    #[arg(long, value_parser = named::<Resource>)]
    resource: Resource,
    /// The other system, whose keys the rows have, such as `lorestan-erp`.
    #[arg(long, value_parser = system)]
    system: String,
    /// Only validate the rows and report the results.
    #[arg(long)]
    validate: bool,
    /// Write all rows or none.
    #[arg(long)]
    atomic: bool,
    /// The calendar of the dates: gregorian or persian.
    #[arg(long, default_value = "gregorian", value_parser = named::<Calendar>)]
    calendar: Calendar,
}

fn system(text: &str) -> Result<String, String> {
    let reference = ExternalRef::parse(text.to_owned(), "any".to_owned());
    reference.map(|reference| reference.system).map_err(|_| {
        "a system has 1 to 64 of a-z, 0-9 and . _ -, and begins with a letter or digit".to_owned()
    })
}

/// Maximum number of failed rows to list.
const LISTED: u64 = 50;

pub async fn run(arguments: Import, config: Config) -> Outcome {
    let db = open(&config, 1).await?;
    server::check_migrated(&db).await?;
    let contract = api::contract()?;
    let mut intake = Intake::begin()?;
    let mut file = std::fs::File::open(&arguments.file)
        .map_err(|error| format!("{}: {error}", arguments.file.display()))?;
    std::io::copy(&mut file, &mut intake)?;
    let is_ndjson = arguments
        .file
        .extension()
        .is_some_and(|end| ["ndjson", "jsonl"].iter().any(|known| end.eq_ignore_ascii_case(known)));
    let order = Order {
        resource: arguments.resource,
        mode: if arguments.validate { Mode::Validate } else { Mode::Apply },
        atomic: arguments.atomic,
        system: arguments.system,
    };
    let transaction = Transaction::begin(&db, Caller::service(), "command line".to_owned()).await?;
    let format = if is_ndjson { Format::Ndjson } else { Format::Csv };
    let begun = intake.keep(&order, format, arguments.calendar, &contract, &transaction).await?;
    transaction.commit().await?;
    let ended = worker::work_on(begun.id, &db, &contract, |import| {
        show_progress(import.bytes_done, import.bytes_total)
    })
    .await?;
    eprintln!();
    connection::refresh_statistics(&db).await?;
    let failed = import_row::failed(&db, ended.id, LISTED).await?;
    for row in &failed {
        let told = fault::told(&row.errors.0).map(|text| text.en.into_owned()).unwrap_or_default();
        eprintln!("line {} ({}): {told}", row.line, row.reference.as_deref().unwrap_or("no key"));
    }
    if ended.failed > failed.len() as i64 {
        eprintln!("and {} more", ended.failed - failed.len() as i64);
    }
    let state = sea_orm::ActiveEnum::to_value(&ended.state);
    let counts = format!(
        "{} created, {} updated, {} unchanged, {} failed",
        ended.created, ended.updated, ended.unchanged, ended.failed
    );
    writeln!(std::io::stdout(), "{state}: {counts}")?;
    match ended.state {
        State::Finished if ended.failed == 0 => Ok(()),
        State::Failed => {
            Err(format!("the import was given up: {}", ended.problem.unwrap_or_default()).into())
        }
        _ => Err("some rows were refused".into()),
    }
}

/// Draws a progress bar, on a terminal only.
fn show_progress(done: i64, total: i64) {
    use std::io::IsTerminal;
    const WIDTH: i64 = 40;
    if std::io::stderr().is_terminal() {
        let filled = (done * WIDTH / total.max(1)) as usize;
        eprint!(
            "\r[{:<width$}] {:>3} %",
            "#".repeat(filled),
            done * 100 / total.max(1),
            width = WIDTH as usize
        );
    }
}
