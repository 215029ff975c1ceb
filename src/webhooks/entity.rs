//! The table of webhooks.

use macros::record;
use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{DeriveActiveEnum, EnumIter, entity::prelude::*, sea_query::Condition};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::signature::Secrets;
use crate::{
    accounts::account,
    changes::kinds::{Entry, KINDS, Kind},
    policy::Caller,
    problem::{Problem, problem_types},
    provinces::ProvinceCode,
    store::{Database, Transaction},
    values::List,
};

/// A webhook: an address that receives events about changes.
#[record(table = "webhook", shown = Webhook, input = WebhookInput, sort(created_at, updated_at))]
#[input(about = "Input of a webhook. The service generates the secret.")]
pub struct Model {
    /// Destination address: `https`, without user, password and fragment. Private and special addresses, and
    /// `http`, are refused, except for networks that the configuration of the service allows.
    #[schema(example = "https://erp.example.ir/khoosheh")]
    #[input(min_length = 10, max_length = 2000, pattern = "^[Hh][Tt][Tt][Pp][Ss]?://[^\\s]+$")]
    pub url: String,
    /// Kinds of records whose changes are sent. You need permission to read them.
    #[schema(example = json!(["cluster", "project"]))]
    #[input(min_items = 1, max_items = 30)]
    pub resources: List<Kind>,
    /// Purpose of the webhook.
    #[schema(example = "سامانهٔ شرکت شهرک‌های صنعتی لرستان")]
    #[input(min_length = 1, max_length = 500, pattern = "\\S")]
    pub description: Option<String>,
    /// Province whose changes are sent; by default that of your account, or the nation if it has none. It
    /// cannot be changed later.
    pub province: Option<ProvinceCode>,
    /// Owner: the account that created the webhook. Events contain what this account may see, within the
    /// permissions of its token at creation, and as long as the account has them. A change by somebody else
    /// never widens this.
    #[shown]
    pub account_id: Uuid,
    /// Permissions of the owner at creation: an upper limit for the webhook. None for webhooks from
    /// before these were recorded.
    #[kept]
    pub granted: Option<account::Scopes>,
    /// Whether events are sent. Changes made while the webhook is switched off are sent once it is switched
    /// on again.
    #[schema(example = true)]
    #[input(default = "yes", schema_default = true)]
    pub is_active: bool,
    /// Reason why it is switched off; null while it is on.
    #[shown]
    #[schema(example = json!(null))]
    pub disabled_reason: Option<DisabledReason>,
    /// Time at which it was switched off; null while it is on.
    #[shown]
    #[schema(example = json!(null))]
    pub disabled_at: Option<DateTime<Utc>>,
    /// Signing secrets. Never part of a representation, and therefore never of the history.
    #[kept]
    pub secrets: Secrets,
}

fn yes() -> bool {
    true
}

/// Maximum number of webhooks of a province, or of the nation: each change is checked for each of them.
pub(super) const MOST: u64 = 100;

/// Permissions to administer accounts.
const ADMINISTRATION: [&str; 2] = ["users:manage", "api-clients:manage"];

/// Reasons why a webhook is switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum DisabledReason {
    /// A user has switched it off.
    Requested,
    /// The receiver has answered with 410 (Gone).
    Gone,
    /// The receiver has failed for days.
    Failing,
    /// Its account is disabled, may no longer keep webhooks, or belongs to another province.
    NotPermitted,
}

impl Model {
    /// Webhooks that match a condition, each with its account.
    pub async fn with_accounts(
        db: &impl ConnectionTrait,
        which: Condition,
    ) -> Result<HashMap<Uuid, (Self, account::Model)>, DbErr> {
        let webhooks = Entity::find().filter(which).all(db).await?;
        let ids = webhooks.iter().map(|webhook| webhook.account_id);
        let accounts = account::Entity::find().filter(account::Column::Id.is_in(ids)).all(db).await?;
        let accounts: HashMap<Uuid, account::Model> =
            accounts.into_iter().map(|account| (account.id, account)).collect();
        let with_account = |webhook: Self| {
            accounts.get(&webhook.account_id).cloned().map(|account| (webhook.id, (webhook, account)))
        };
        Ok(webhooks.into_iter().filter_map(with_account).collect())
    }

    /// Switches the webhook off, unless it has been changed since it was read. Changes made meanwhile are
    /// sent once it is switched on again.
    pub async fn switch_off(&self, db: &Database, reason: DisabledReason) -> Result<(), Problem> {
        let transaction = Transaction::begin(db, Caller::service(), "webhooks".to_owned()).await?;
        let switched = async {
            let before = transaction.present::<Self>(self.id).await?;
            let account = account::Entity::find_by_id(before.account_id).one(&*transaction).await?;
            let is_admitted_again = reason == DisabledReason::NotPermitted
                && account.is_some_and(|account| !before.permissions(&account).is_empty());
            if before.version != self.version || is_admitted_again {
                return Ok(());
            }
            let after = Self {
                is_active: false,
                disabled_reason: Some(reason),
                disabled_at: Some(transaction.now()),
                ..before.clone()
            };
            transaction.update(&before, after).await.map(|_| ())
        };
        match switched.await {
            Ok(()) => transaction.commit().await,
            Err(problem) => {
                transaction.roll_back().await;
                // It was deleted meanwhile.
                if problem.code() == problem_types::NOT_FOUND.code { Ok(()) } else { Err(problem) }
            }
        }
    }

    /// Whether a caller may make a new secret for it: its owner, and administrators of accounts.
    pub fn may_renew_secret(&self, caller: &Caller) -> bool {
        caller.id == self.account_id || ADMINISTRATION.iter().any(|permission| caller.may(permission))
    }

    /// Permissions of the webhook: none if its account is disabled, may no longer keep webhooks, or belongs
    /// to another province.
    pub fn permissions(&self, account: &account::Model) -> Vec<String> {
        let is_granted =
            |permission: &String| self.granted.as_ref().is_none_or(|granted| granted.0.contains(permission));
        let permissions: Vec<String> = account.permissions().into_iter().filter(is_granted).collect();
        let is_elsewhere = account.province.is_some() && account.province != self.province;
        let stands =
            account.is_usable() && !is_elsewhere && permissions.iter().any(|held| held == super::PERMISSION);
        if stands { permissions } else { Vec::new() }
    }

    /// The kinds of records to send, as far as the account of the webhook may see them.
    pub fn kinds(&self, account: &account::Model) -> Vec<&'static Entry> {
        let permissions = self.permissions(account);
        let is_told = |entry: &&Entry| {
            self.resources.0.contains(&entry.kind) && permissions.iter().any(|held| held == entry.permission)
        };
        KINDS.iter().filter(is_told).collect()
    }
}
