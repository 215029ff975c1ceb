//! The demonstration: one account per role, the clusters of Lorestan with the worked example of the stone
//! cluster's development project, and a second province, in an embedded database.

mod lorestan;
mod programme;
mod stone_project;

use sea_orm::{EntityTrait, PaginatorTrait};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{
    accounts::{
        account::{self, Kind, Scopes},
        password,
    },
    api_clients,
    clusters::{self, rules::State},
    config::Config,
    lifecycle::{State as _, Stateful},
    persian::{Calendar, Date, calendar},
    policy::{Caller, Role},
    problem::{Problem, Text, Violation},
    store::{
        Database, Files, Input, Record, Transaction,
        status_event::{self, Event},
    },
    values::ProvinceCode,
};

/// The accounts of people: name, display name, role, province.
const ACCOUNTS: &[(&str, &str, Role, Option<&str>)] = &[
    ("admin", "مدیر سامانه", Role::NationalAdmin, None),
    ("isipo", "سازمان صنایع کوچک و شهرک‌های صنعتی ایران", Role::NationalManager, None),
    ("ministry", "وزارت صنعت، معدن و تجارت", Role::NationalViewer, None),
    ("auditor", "حسابرس سامانه", Role::Auditor, None),
    ("lorestan", "شرکت شهرک‌های صنعتی لرستان", Role::ProvincialManager, Some("IR-15")),
    ("kerman", "شرکت شهرک‌های صنعتی کرمان", Role::ProvincialManager, Some("IR-08")),
    ("lorestan-viewer", "استانداری لرستان", Role::ProvincialViewer, Some("IR-15")),
    ("supervisor", "ناظر پروژه‌های لرستان", Role::Supervisor, Some("IR-15")),
    ("cda", "عامل توسعهٔ خوشهٔ سنگ لرستان", Role::Cda, Some("IR-15")),
];

/// The clusters of the second province, which make the scope visible: an illustration, from no source.
const KERMAN: &[(&str, &str, &str)] =
    &[("پسته", "Pistachio", "0125"), ("فرش دستباف", "Hand-woven carpets", "1393")];

/// Reason given for state changes without a source.
const ILLUSTRATION: &str = "دادهٔ نمونه";

/// Reason for refusing a demonstration: it creates accounts with a shared password.
pub fn refusal(config: &Config) -> Option<&'static str> {
    if config.database_url.file().is_none() {
        return Some("demo works on SQLite only: its accounts have no place in a production database");
    }
    if !config.bind.ip().is_loopback() {
        return Some("demo listens on a loopback address only: its accounts share one password");
    }
    None
}

/// Fills a new database, unless it has accounts already; returns whether it was filled.
pub async fn fill(db: &Database, password: &str) -> Result<bool, Problem> {
    if account::Entity::find().count(db).await? > 0 {
        return Ok(false);
    }
    let hash = password::hash_now(password).map_err(Problem::internal)?;
    let transaction = Transaction::begin(db, Caller::service(), "demo".to_owned()).await?;
    let mut accounts = std::collections::HashMap::new();
    for (username, display_name, role, province) in ACCOUNTS {
        let row = account::Model {
            username: (*username).to_owned(),
            display_name: (*display_name).to_owned(),
            role: *role,
            province: province.map(ProvinceCode::from),
            password_hash: hash.clone(),
            ..account::Model::default()
        };
        accounts.insert(*username, transaction.insert(row).await?);
    }
    let scopes = Role::Integrator.permissions().iter().map(|scope| (*scope).to_owned()).collect();
    let client = api_clients::entity::Model {
        kind: Kind::Client,
        username: "integrator".to_owned(),
        display_name: "سامانهٔ شرکت شهرک‌های صنعتی لرستان".to_owned(),
        province: Some("IR-15".into()),
        scopes: Scopes(scopes),
        password_hash: hash,
        ..api_clients::entity::Model::default()
    };
    transaction.insert(client).await?;
    lorestan::load(&transaction).await?;
    for (name_fa, name_en, isic) in KERMAN {
        let cluster = json!({
            "province": "IR-08", "name_fa": name_fa, "name_en": name_en, "isic": [{ "code": isic }],
            "identified_precision": "not_later_than", "identified_not_later_than": "1394-12-29",
        });
        let cluster: clusters::entity::Model =
            insert::<clusters::dto::ClusterInput, _>(&transaction, cluster, Default::default()).await?;
        record(&transaction, &cluster, State::Identified, "1394-12-29", ILLUSTRATION).await?;
    }
    stone_project::load(&transaction, &accounts["cda"], &accounts["supervisor"]).await?;
    transaction.commit().await?;
    Ok(true)
}

/// Adds the programme at work to a database that was just filled, with its documents.
pub async fn enrich(db: &Database, files: &Files) -> Result<(), Problem> {
    let transaction = Transaction::begin(db, Caller::service(), "demo".to_owned()).await?;
    programme::load(&transaction, files).await?;
    transaction.commit().await
}

/// Inserts a record from a client's input, with Persian dates, onto the row given by its address.
async fn insert<I: Input<R>, R: Record>(
    transaction: &Transaction,
    input: Value,
    onto: R,
) -> Result<R, Problem> {
    transaction.insert(persian::<I>(input)?.onto_row(&onto)?).await
}

/// Records a state as of a Persian day according to a source: history from before the service is not
/// validated by its rules.
async fn record<R: Stateful>(
    transaction: &Transaction,
    row: &R,
    to: R::State,
    on: &str,
    reason: &str,
) -> Result<R, Problem> {
    record_with(transaction, row, to, on, reason, |_| {}).await
}

/// The same, with related changes.
async fn record_with<R: Stateful>(
    transaction: &Transaction,
    row: &R,
    to: R::State,
    on: &str,
    reason: &str,
    adjust: impl FnOnce(&mut R),
) -> Result<R, Problem> {
    let (effective_on, mut moved) = (day(on)?, row.clone());
    moved.apply_state(to, effective_on);
    adjust(&mut moved);
    let moved = transaction.transition(row, moved).await?;
    let event = Event {
        from: row.state().name(),
        to: to.name(),
        effective_on,
        decision_id: None,
        reason: Some(reason.to_owned()),
    };
    status_event::record(transaction, &moved, &event).await?;
    Ok(moved)
}

fn persian<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    calendar::using(Calendar::Persian, || serde_json::from_value(value)).map_err(Problem::internal)
}

fn day(text: &str) -> Result<Date, Problem> {
    calendar::using(Calendar::Persian, || Date::parse(text)).map_err(|error| {
        Problem::invalid(vec![Violation::body(
            "",
            "wrong_format",
            Text::new(error.detail_fa(), error.detail_en()),
        )])
    })
}
