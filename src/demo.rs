//! The demonstration: one account per role and the clusters of Lorestan, in an embedded database.

use sea_orm::{DatabaseConnection, EntityTrait, PaginatorTrait};
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    auth::{
        Role,
        account::{self, Kind, Scopes},
        password,
    },
    clusters::{
        self,
        claims::ClaimInput,
        dto::{ClusterInput, Isic},
        identified::Precision,
        rules::State,
    },
    config::Config,
    http::{Problem, Text, Violation},
    industries::IsicClass,
    persian::{Calendar, Date, calendar},
    provinces::ProvinceCode,
    store::{
        Transaction,
        external_ref::ExternalRefs,
        status_event::{self, Event},
    },
};

/// The accounts: name, display name, role, province.
const ACCOUNTS: &[(&str, &str, Role, Option<&str>)] = &[
    ("admin", "مدیر سامانه", Role::NationalAdmin, None),
    ("isipo", "سازمان صنایع کوچک و شهرک‌های صنعتی ایران", Role::NationalManager, None),
    ("ministry", "وزارت صنعت، معدن و تجارت", Role::NationalViewer, None),
    ("lorestan", "شرکت شهرک‌های صنعتی لرستان", Role::ProvincialManager, Some("IR-15")),
    ("kerman", "شرکت شهرک‌های صنعتی کرمان", Role::ProvincialManager, Some("IR-08")),
    ("lorestan-viewer", "استانداری لرستان", Role::ProvincialViewer, Some("IR-15")),
    ("supervisor", "ناظر پروژه‌های لرستان", Role::Supervisor, Some("IR-15")),
    ("cda", "عامل توسعهٔ خوشهٔ سنگ لرستان", Role::Cda, Some("IR-15")),
    ("integrator", "سامانهٔ شرکت شهرک‌های صنعتی لرستان", Role::Integrator, Some("IR-15")),
];

/// A row of `data/lorestan-1392.csv`. Dates are Persian.
#[derive(Debug, Deserialize)]
struct Row {
    province: String,
    name_fa: String,
    name_en: String,
    isic: String,
    identified_not_later_than: String,
    source: String,
    state: State,
    state_effective_on: Option<String>,
    state_source: Option<String>,
}

/// What stands in the way of a demonstration: it makes accounts with a shared password.
pub fn refusal(config: &Config) -> Option<&'static str> {
    if !config.is_sqlite() {
        return Some("demo works on SQLite only: its accounts have no place in a production database");
    }
    if !config.bind.ip().is_loopback() {
        return Some("demo listens on a loopback address only: its accounts share one password");
    }
    None
}

/// Fills a new database. One that has accounts already is left as it is; returns whether it was filled.
pub async fn fill(db: &DatabaseConnection, password: &str) -> Result<bool, Problem> {
    if account::Entity::find().count(db).await? > 0 {
        return Ok(false);
    }
    let hash = password::hash_now(password).map_err(Problem::internal)?;
    let transaction = Transaction::begin(db, Uuid::nil(), "demo".to_owned()).await?;
    for (username, display_name, role, province) in ACCOUNTS {
        transaction.insert(account_row(username, display_name, *role, *province, hash.clone())).await?;
    }
    let file = include_str!("../data/lorestan-1392.csv");
    for row in csv::Reader::from_reader(file.as_bytes()).deserialize() {
        load(&transaction, row.map_err(Problem::internal)?).await?;
    }
    transaction.commit().await?;
    Ok(true)
}

/// A new account. An integrator gets every scope that its role can have.
pub fn account_row(username: &str, display_name: &str, role: Role, province: Option<&str>, password_hash: String) -> account::Model {
    let (kind, scopes) = match role {
        Role::Integrator => (Kind::Client, role.permissions().iter().map(|scope| (*scope).to_owned()).collect()),
        _ => (Kind::Person, Vec::new()),
    };
    account::Model {
        kind,
        username: username.to_owned(),
        display_name: display_name.to_owned(),
        role,
        province: province.map(str::to_owned),
        scopes: Scopes(scopes),
        password_hash,
        ..account::Model::default()
    }
}

/// Loads one cluster: what the first source says of it, and the state that a second one reports for some.
async fn load(transaction: &Transaction, row: Row) -> Result<(), Problem> {
    let bound = persian(&row.identified_not_later_than)?;
    let input = ClusterInput {
        code: None,
        name_fa: row.name_fa.clone(),
        name_en: Some(row.name_en),
        aliases: Vec::new(),
        province: ProvinceCode(row.province),
        counties: Vec::new(),
        location: None,
        products: Vec::new(),
        isic: row.isic.split(';').map(|code| Isic { code: IsicClass(code.to_owned()), primary: false }).collect(),
        identified_on: None,
        identified_precision: Some(Precision::NotLaterThan),
        identified_not_later_than: Some(bound),
        employment_total: None,
        employment_female: None,
        annual_turnover_irr: None,
        export_usd: None,
        external_refs: ExternalRefs::default(),
    };
    let candidate = clusters::register(transaction, input.into_new_row()?).await?;
    let claim = ClaimInput { source_title: row.source.clone(), claimed_name: Some(row.name_fa.clone()), ..ClaimInput::default() };
    transaction.insert(claim.into_new_row(candidate.id)).await?;

    let (effective_on, reason) = match (row.state_effective_on.filter(|day| !day.is_empty()), row.state_source) {
        (Some(day), Some(source)) => {
            let day = persian(&day)?;
            let claim = ClaimInput { source_title: source.clone(), claimed_on: Some(day), claimed_name: Some(row.name_fa), ..ClaimInput::default() };
            transaction.insert(claim.into_new_row(candidate.id)).await?;
            (day, source)
        }
        _ => (bound, row.source),
    };
    let mut moved = candidate.clone();
    moved.state = row.state;
    transaction.transition(&candidate, moved).await?;
    let event = Event { from: &candidate.state.name(), to: &row.state.name(), effective_on, decision_id: None, reason: Some(reason) };
    status_event::record(transaction, &candidate, event).await
}

fn persian(day: &str) -> Result<Date, Problem> {
    calendar::using(Calendar::Persian, || Date::parse(day))
        .map_err(|error| Problem::invalid(vec![Violation::body("", "wrong_format", Text::new(error.detail_fa(), error.detail_en()))]))
}
