//! The command line of Khoosheh.

use std::{
    io::Write,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use actix_web::http::Method;
use clap::{Args, Parser, Subcommand};
use khoosheh::{
    api,
    auth::{Caller, Role, account, password},
    config::{Config, LogFormat},
    demo,
    http::Problem,
    imports::{
        columns::Resource,
        dto::{Mode, Order, State},
        entity::row as import_row,
        fault,
        file::Format,
        intake::Intake,
        worker,
    },
    persian::{Calendar, Date},
    server,
    store::{
        ExternalRef, Files, Input, Transaction, connection,
        earned_value::summary,
        verify::{self, Intact},
    },
    users::dto::UserInput,
};
use sea_orm::DatabaseConnection;
use serde_json::json;
use tracing_subscriber::EnvFilter;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
    Demo {
        /// Where to listen; a loopback address.
        #[arg(long)]
        bind: Option<SocketAddr>,
        /// The SQLite database.
        #[arg(long)]
        database_url: Option<String>,
        /// Make more data after it: such a part of a whole country, such as 0.01.
        #[arg(long, value_parser = scale)]
        scale: Option<f64>,
    },
    /// Fill a database that holds no clusters with made data, for trials under load.
    Generate {
        /// How much: 1.0 is a whole country, with 3,000 clusters, 20,000 projects and a million milestones.
        #[arg(long, default_value = "1.0", value_parser = scale)]
        scale: f64,
        /// Which of the possible ones: the same seed gives the same data.
        #[arg(long, default_value_t = SEED)]
        seed: u64,
    },
    /// Run the service.
    Serve {
        /// Only say whether the configuration is right, and what it is.
        #[arg(long)]
        check_config: bool,
    },
    /// Bring the tables of the database up to date, or take them back.
    #[command(subcommand)]
    Migrate(Migrate),
    /// Import a file of records of another system, as `POST /imports` does, with the rights of the service itself. What is listed as
    /// failed was not written.
    Import(ImportArguments),
    /// Verify the history of every record, and name the first link that is broken.
    Verify,
    /// The sums that reports read, which every write keeps up to date.
    #[command(subcommand)]
    Summaries(Summaries),
    /// Print the OpenAPI document; no database is needed.
    Openapi,
    /// Print the tables and diagrams of states, as `docs/states.md` has them; no database is needed.
    States,
    /// Keep accounts, above all the first one.
    #[command(subcommand)]
    User(User),
}

#[derive(Args)]
struct ImportArguments {
    /// The file: `.ndjson` and `.jsonl` hold one JSON object a line, all others are tables with headings.
    file: PathBuf,
    /// What it holds: clusters, enterprises, cdas, projects, milestones, measurements or payments.
    #[arg(long, value_parser = named::<Resource>)]
    resource: Resource,
    /// The other system, whose keys the rows have, such as `lorestan-erp`.
    #[arg(long, value_parser = system)]
    system: String,
    /// Only say what would become of the rows.
    #[arg(long)]
    validate: bool,
    /// Write all rows or none.
    #[arg(long)]
    atomic: bool,
    /// The calendar of the dates: gregorian or persian.
    #[arg(long, default_value = "gregorian", value_parser = named::<Calendar>)]
    calendar: Calendar,
}

#[derive(Subcommand)]
enum Migrate {
    /// Apply what is missing.
    Up,
    /// Take back the last change, and what it held.
    Down,
    /// Say what is applied.
    Status,
}

#[derive(Subcommand)]
enum Summaries {
    /// Compare them with the records.
    Check,
    /// Make them anew from the records, while writers wait.
    Rebuild,
}

#[derive(Subcommand)]
enum User {
    /// Create an account. Its password comes from standard input, else a random one is made and printed.
    Create {
        #[command(flatten)]
        name: Username,
        /// The role, such as `national_admin`.
        #[arg(long, value_parser = named::<Role>)]
        role: Role,
        /// The province, for roles that have one.
        #[arg(long)]
        province: Option<String>,
        /// The name that people see.
        #[arg(long)]
        display_name: Option<String>,
    },
    /// Set a new password, from standard input or a random one, and end all sessions.
    Password(Username),
    /// Shut an account out and end all its sessions.
    Disable(Username),
}

#[derive(Args)]
struct Username {
    /// The user name.
    username: String,
}

fn named<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(serde_json::Value::from(text)).map_err(|error| error.to_string())
}

fn system(text: &str) -> Result<String, String> {
    let reference = ExternalRef::parse(text.to_owned(), "any".to_owned());
    reference
        .map(|reference| reference.system)
        .map_err(|_| "a system has 1 to 64 of a-z, 0-9 and . _ -, and begins with a letter or digit".to_owned())
}

/// The seed of the data that is made where none is given.
const SEED: u64 = 42;

fn scale(text: &str) -> Result<f64, String> {
    let scale = text.parse::<f64>().ok().filter(|scale| (0.0..=10.0).contains(scale));
    scale.ok_or_else(|| "a scale lies between 0 and 10".to_owned())
}

fn main() -> ExitCode {
    let line = CommandLine::parse();
    let outcome = actix_web::rt::System::new().block_on(run(line));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("khoosheh: {error}");
            ExitCode::FAILURE
        }
    }
}

type Outcome = Result<(), Box<dyn std::error::Error>>;

async fn run(line: CommandLine) -> Outcome {
    match line.command {
        Command::Openapi => return Ok(writeln!(std::io::stdout(), "{:#}", api::document())?),
        Command::States => return Ok(write!(std::io::stdout(), "{}", api::states_document())?),
        _ => {}
    }
    let mut config = Config::load(line.config.as_deref())?;
    match line.command {
        Command::Openapi | Command::States => Ok(()),
        Command::Demo { bind, database_url, scale } => {
            if let Some(bind) = bind {
                config.bind = bind;
            }
            if let Some(url) = database_url {
                config.database_url = url;
            }
            demonstrate(config, scale).await
        }
        Command::Generate { scale, seed } => generate(&config, scale, seed).await,
        Command::Serve { check_config: true } => {
            let mut shown = config;
            shown.database_url = without_password(&shown.database_url);
            Ok(writeln!(std::io::stdout(), "the configuration is right:\n{}", serde_json::to_string_pretty(&shown)?)?)
        }
        Command::Serve { .. } => {
            log_to_stderr(&config);
            let running = server::start(config).await?;
            tracing::info!(address = %running.address, "ready");
            running.until_signal().await;
            Ok(())
        }
        Command::Migrate(direction) => migrate(&config, direction).await,
        Command::Import(arguments) => import(&config, arguments).await,
        Command::Verify => verify(&config).await,
        Command::Summaries(command) => keep_summaries(&config, command).await,
        Command::User(command) => keep_user(&connection::connect(&config.database_url, 1).await?, command).await,
    }
}

async fn demonstrate(mut config: Config, scale: Option<f64>) -> Outcome {
    if let Some(refusal) = demo::refusal(&config) {
        return Err(refusal.into());
    }
    if config.attachments_url == Config::default().attachments_url {
        config.attachments_url = files_beside(&config.database_url);
    }
    config.check()?;
    // A demonstration is also what tools are tried against: they ask faster than people.
    config.requests_per_minute = 600_000;
    config.public_requests_per_minute = 600_000;
    config.public_url = format!("http://{}", config.bind);
    if config.log_filter == Config::default().log_filter {
        config.log_filter = "warn".into();
    }
    log_to_stderr(&config);
    let db = connection::connect(&config.database_url, 1).await?;
    server::migrate(&db).await?;
    let given = std::env::var("KHOOSHEH_DEMO_PASSWORD").ok().filter(|password| !password.is_empty());
    let password = given.clone().unwrap_or_else(password::random);
    let is_new = demo::fill(&db, &password).await?;
    if is_new {
        demo::enrich(&db, &Files::open(&config)?).await?;
        if let Some(scale) = scale {
            made(&db, scale, SEED).await?;
        }
    }
    let running = server::start(config).await?;
    let text = match (is_new, given) {
        (true, _) => welcome(running.address, &password, "The password of all of them"),
        (false, Some(given)) => welcome(
            running.address,
            &given,
            "The data of an earlier start is kept, with the password that it was made with. KHOOSHEH_DEMO_PASSWORD now",
        ),
        (false, None) => {
            welcome(running.address, "PASSWORD", "The data of an earlier start is kept, with the password that was printed then. In its place below")
        }
    };
    writeln!(std::io::stdout(), "{text}")?;
    running.until_signal().await;
    Ok(())
}

/// `khoosheh-files` for `khoosheh.sqlite`, in the same folder.
fn files_beside(database_url: &str) -> String {
    let file = database_url.trim_start_matches("sqlite:").trim_start_matches("//").split('?').next().unwrap_or_default();
    format!("file://{}-files", Path::new(file).with_extension("").display())
}

fn welcome(address: SocketAddr, password: &str, about_password: &str) -> String {
    format!(
        "Khoosheh is ready.\n\n  \
         API            http://{address}/api/v1\n  \
         Documentation  http://{address}/docs/\n  \
         OpenAPI        http://{address}/openapi.json\n\n\
         Accounts: admin, isipo (national_manager), ministry (national_viewer), lorestan and kerman (provincial_manager),\n  \
         lorestan-viewer, supervisor, cda; API client: integrator\n\
         {about_password}: {password}\n\n\
         Try the report of the clusters of Lorestan identified by the end of 1392:\n\n  \
         curl -s -H \"Authorization: Bearer $(curl -s http://{address}/api/v1/auth/token -d grant_type=password -d username=lorestan \
         --data-urlencode 'password={password}' | sed 's/.*\"access_token\":\"\\([^\"]*\\).*/\\1/')\" \
         'http://{address}/api/v1/reports/identified-clusters?province=IR-15&as_of=1392-12-29&calendar=persian'\n"
    )
}

async fn migrate(config: &Config, direction: Migrate) -> Outcome {
    let db = connection::connect(&config.database_url, 2).await?;
    match direction {
        Migrate::Up => server::migrate(&db).await?,
        Migrate::Down => connection::migrate_down(&db).await?,
        Migrate::Status => {}
    }
    for (name, is_applied) in connection::migrations(&db).await? {
        writeln!(std::io::stdout(), "{} {name}", if is_applied { "applied" } else { "missing" })?;
    }
    Ok(())
}

async fn generate(config: &Config, scale: f64, seed: u64) -> Outcome {
    let db = connection::connect(&config.database_url, 1).await?;
    server::migrate(&db).await?;
    if demo::scale::is_in_use(&db).await? {
        return Err("the database holds clusters already: made data is not mixed with others".into());
    }
    for (table, count) in made(&db, scale, seed).await? {
        writeln!(std::io::stdout(), "{count:>10} {table}")?;
    }
    Ok(())
}

async fn made(db: &DatabaseConnection, scale: f64, seed: u64) -> Result<demo::scale::Counts, Problem> {
    demo::scale::fill(db, demo::scale::Plan { scale, seed, today: Date::today_in_iran().naive() }).await
}

/// How many failed rows are listed.
const LISTED: u64 = 50;

async fn import(config: &Config, arguments: ImportArguments) -> Outcome {
    let db = connection::connect(&config.database_url, 1).await?;
    server::check_migrated(&db).await?;
    let contract = api::contract()?;
    let mut intake = Intake::begin()?;
    let mut file = std::fs::File::open(&arguments.file).map_err(|error| format!("{}: {error}", arguments.file.display()))?;
    std::io::copy(&mut file, &mut intake)?;
    let is_ndjson = arguments.file.extension().is_some_and(|end| ["ndjson", "jsonl"].iter().any(|known| end.eq_ignore_ascii_case(known)));
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
    let ended = worker::work_on(begun.id, &db, &contract, |import| show_progress(import.bytes_done, import.bytes_total)).await?;
    eprintln!();
    let failed = import_row::failed(&db, ended.id, LISTED).await?;
    for row in &failed {
        let told = fault::told(&row.errors.0).map(|text| text.en.into_owned()).unwrap_or_default();
        eprintln!("line {} ({}): {told}", row.line, row.reference.as_deref().unwrap_or("no key"));
    }
    if ended.failed > failed.len() as i64 {
        eprintln!("and {} more", ended.failed - failed.len() as i64);
    }
    let state = sea_orm::ActiveEnum::to_value(&ended.state);
    let counts = format!("{} created, {} updated, {} unchanged, {} failed", ended.created, ended.updated, ended.unchanged, ended.failed);
    writeln!(std::io::stdout(), "{state}: {counts}")?;
    match ended.state {
        State::Finished if ended.failed == 0 => Ok(()),
        State::Failed => Err(format!("the import was given up: {}", ended.problem.unwrap_or_default()).into()),
        _ => Err("some rows were refused".into()),
    }
}

/// A bar on a line of its own, where there is somebody to see it.
fn show_progress(done: i64, total: i64) {
    use std::io::IsTerminal;
    const WIDTH: i64 = 40;
    if std::io::stderr().is_terminal() {
        let filled = (done * WIDTH / total.max(1)) as usize;
        eprint!("\r[{:<width$}] {:>3} %", "#".repeat(filled), done * 100 / total.max(1), width = WIDTH as usize);
    }
}

async fn verify(config: &Config) -> Outcome {
    let db = connection::connect(&config.database_url, 1).await?;
    server::check_migrated(&db).await?;
    let Intact { chains, entries } = verify::verify(&db, api::kinds()).await?;
    Ok(writeln!(std::io::stdout(), "the history is whole: {entries} entries in {chains} chains")?)
}

async fn keep_summaries(config: &Config, command: Summaries) -> Outcome {
    let db = connection::connect(&config.database_url, 1).await?;
    server::check_migrated(&db).await?;
    match command {
        Summaries::Rebuild => Ok(summary::rebuild(&db).await?),
        Summaries::Check => match summary::differences(&db).await? {
            0 => Ok(writeln!(std::io::stdout(), "the summaries are those of the records")?),
            count => Err(format!("{count} sums are not those of the records: run `khoosheh summaries rebuild`").into()),
        },
    }
}

async fn keep_user(db: &DatabaseConnection, command: User) -> Outcome {
    // What waits for a person is done before the transaction, which others wait for.
    let (name, new_hash) = match command {
        User::Create { name, role, province, display_name } => {
            let mut input = json!({ "username": name.username, "display_name": display_name.unwrap_or(name.username), "role": role });
            if let Some(province) = province {
                input["province"] = json!(province);
            }
            let contract = api::contract()?;
            let operation = contract.operation(&Method::POST, "/api/v1/users").ok_or("the document has no users")?;
            operation.body(&mut input, Calendar::Gregorian).map_err(|problem| format!("{input} cannot be created: {problem}"))?;
            let mut row = serde_json::from_value::<UserInput>(input)?.onto_row(&account::Model::default())?;
            row.password_hash = password::hash(new_password()?).await?;
            let transaction = Transaction::begin(db, Caller::service(), "command line".to_owned()).await?;
            transaction.insert(row).await?;
            return Ok(transaction.commit().await?);
        }
        User::Password(name) => {
            let hash = password::hash(new_password()?).await?;
            (name.username, Some(hash))
        }
        User::Disable(name) => (name.username, None),
    };
    let transaction = Transaction::begin(db, Caller::service(), "command line".to_owned()).await?;
    let found = account::by_username(&*transaction, &name).await?;
    let before = found.filter(|account| account.deleted_at.is_none()).ok_or_else(|| format!("there is no account {name}"))?;
    let mut row = before.clone();
    match new_hash {
        Some(hash) => row.password_hash = hash,
        None => row.disabled = true,
    }
    transaction.update(&before, row).await?;
    Ok(transaction.commit().await?)
}

/// A line of standard input where it is not a terminal; else a random password, printed once.
fn new_password() -> Result<String, Box<dyn std::error::Error>> {
    use std::io::IsTerminal;
    let mut given = String::new();
    if !std::io::stdin().is_terminal() {
        std::io::stdin().read_line(&mut given)?;
    }
    let given = given.trim_end_matches(['\r', '\n']);
    if given.is_empty() {
        let random = password::random();
        writeln!(std::io::stdout(), "password: {random}")?;
        return Ok(random);
    }
    if given.chars().count() < password::MIN_LENGTH {
        return Err(format!("a password has {} characters at least", password::MIN_LENGTH).into());
    }
    Ok(given.to_owned())
}

fn without_password(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if scheme + 3 < at => {
            let user = url[scheme + 3..at].split(':').next().unwrap_or_default();
            format!("{}{user}:…{}", &url[..scheme + 3], &url[at..])
        }
        _ => url.to_owned(),
    }
}

fn log_to_stderr(config: &Config) {
    let filter = EnvFilter::try_new(&config.log_filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
}
