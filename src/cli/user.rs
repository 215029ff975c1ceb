//! `khoosheh user`: accounts, above all the first one.

use std::io::{IsTerminal, Write};

use actix_web::http::Method;
use clap::{Args, Subcommand};
use sea_orm::{ConnectionTrait, EntityTrait, PaginatorTrait};
use serde_json::json;

use super::{Outcome, named, open};
use crate::{
    accounts::{account, password},
    api,
    config::Config,
    persian::Calendar,
    policy::{Caller, Role},
    store::{Input, Transaction},
    users::dto::UserInput,
};

#[derive(Subcommand)]
pub enum User {
    /// Create an account. Its password is read from standard input, otherwise a random one is generated and
    /// printed. It has to be changed at the first login, unless it is the first account and the password
    /// comes from standard input.
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
    /// Set a new password, from standard input or a random one, and end all sessions. It is to be changed at
    /// the first login.
    Password(Username),
    /// Shut an account out and end all its sessions.
    Disable(Username),
}

#[derive(Args)]
pub struct Username {
    /// The user name.
    username: String,
}

pub async fn run(command: User, config: Config) -> Outcome {
    let db = &open(&config, 1).await?;
    // Interactive input comes before the transaction, which others wait for.
    let (name, new_hash) = match command {
        User::Create { name, role, province, display_name } => {
            let mut input = json!({ "username": name.username, "display_name": display_name.unwrap_or(name.username), "role": role });
            if let Some(province) = province {
                input["province"] = json!(province);
            }
            let contract = api::contract()?;
            let operation =
                contract.operation(&Method::POST, "/api/v1/users").ok_or("the document has no users")?;
            operation
                .body(&mut input, Calendar::Gregorian)
                .map_err(|problem| format!("{input} cannot be created: {problem}"))?;
            let mut row = serde_json::from_value::<UserInput>(input)?.onto_row(&account::Model::default())?;
            let (new, is_given) = new_password()?;
            // Who makes the first account makes their own.
            let is_own = is_given && account::Entity::find().count(db).await? == 0;
            row.set_password(password::hash(accepted(new, &row, None)?).await?, is_own);
            let transaction = Transaction::begin(db, Caller::service(), "command line".to_owned()).await?;
            transaction.insert(row).await?;
            return Ok(transaction.commit().await?);
        }
        User::Password(name) => {
            let before = found(db, &name.username).await?;
            let new = accepted(new_password()?.0, &before, Some(&before.password_hash))?;
            (name.username, Some(password::hash(new).await?))
        }
        User::Disable(name) => (name.username, None),
    };
    let transaction = Transaction::begin(db, Caller::service(), "command line".to_owned()).await?;
    let before = found(&*transaction, &name).await?;
    let mut row = before.clone();
    match new_hash {
        Some(hash) => row.set_password(hash, false),
        None => row.disabled = true,
    }
    transaction.update(&before, row).await?;
    Ok(transaction.commit().await?)
}

/// The account of a name.
async fn found(db: &impl ConnectionTrait, name: &str) -> Result<account::Model, Box<dyn std::error::Error>> {
    let found = account::by_username(db, name).await?;
    Ok(found
        .filter(|account| account.deleted_at.is_none())
        .ok_or_else(|| format!("there is no account {name}"))?)
}

/// A new password of an account, where it may be one.
fn accepted(new: String, account: &account::Model, present: Option<&str>) -> Result<String, &'static str> {
    match password::refusal(&new, &account.names(), present) {
        None => Ok(new),
        Some(password::Refusal::Weak) => Err(
            "the password is easily guessed: put some words together that have nothing to do with each other",
        ),
        Some(password::Refusal::Present) => Err("the password is the present one"),
    }
}

/// The password and whether it was given: a line of standard input unless that is a terminal, otherwise a
/// random password, printed once.
fn new_password() -> Result<(String, bool), Box<dyn std::error::Error>> {
    let mut given = String::new();
    if !std::io::stdin().is_terminal() {
        std::io::stdin().read_line(&mut given)?;
    }
    let given = given.trim_end_matches(['\r', '\n']);
    if given.is_empty() {
        let random = password::random();
        writeln!(std::io::stdout(), "password: {random}")?;
        return Ok((random, false));
    }
    if given.chars().count() < password::MIN_LENGTH {
        return Err(format!("a password has {} characters at least", password::MIN_LENGTH).into());
    }
    Ok((given.to_owned(), true))
}
