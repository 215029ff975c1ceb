//! The table of webhooks.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::{DeriveActiveEnum, EnumIter, FromJsonQueryResult, entity::prelude::*, sea_query::Condition};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::signature::Secrets;
use crate::{
    accounts::account,
    changes::kinds::{Entry, KINDS, Kind},
    policy::Caller,
    problem::{Problem, problem_types},
    store::{Database, Transaction},
};

crate::store::record_table! {
    /// A webhook.
    "webhook" {
        /// Its owner: it sees what this account may see.
        account_id: Uuid,
        /// What the owner was granted then: the webhook is told no more. Nothing is said of those from before
        /// this was kept.
        granted: Option<account::Scopes>,
        /// The province whose changes it is told; none for the nation.
        province: Option<String>,
        /// Where the events go.
        url: String,
        /// The kinds of records that it is told of.
        resources: Resources,
        /// What it is for.
        description: Option<String>,
        /// Whether events are sent.
        is_active: bool,
        /// Why it is switched off.
        disabled_reason: Option<DisabledReason>,
        /// Since when it is switched off.
        disabled_at: Option<DateTime<Utc>>,
        /// What its events are signed with. Never part of a representation, and so of no history either.
        secrets: Secrets,
    }
}

/// So many webhooks has a province, or the nation, at the most: each change is looked at once for each.
pub(super) const MOST: u64 = 100;

/// The permissions of those who administer accounts.
const ADMINISTRATION: [&str; 2] = ["users:manage", "api-clients:manage"];

/// Kinds of records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Resources(pub Vec<Kind>);

/// Why a webhook is switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum DisabledReason {
    /// Somebody wanted it so.
    Requested,
    /// The receiver has answered with 410 (Gone).
    Gone,
    /// The receiver has failed for days.
    Failing,
    /// The account behind it is shut out, may keep no webhooks any more, or belongs to another province.
    NotPermitted,
}

impl Model {
    /// Those that a condition lets through, each with the account behind it.
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

    /// Switches it off, unless somebody has changed it since it was read. What is changed meanwhile is told
    /// once it is switched on again.
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
                // Somebody has deleted it meanwhile.
                if problem.code() == problem_types::NOT_FOUND.code { Ok(()) } else { Err(problem) }
            }
        }
    }

    /// Whether a caller may make a new secret for it: its owner, and who administers accounts.
    pub fn may_renew_secret(&self, caller: &Caller) -> bool {
        caller.id == self.account_id || ADMINISTRATION.iter().any(|permission| caller.may(permission))
    }

    /// What the account behind it may do for it: nothing where the account is shut out, may keep no webhooks
    /// any more, or belongs elsewhere.
    pub fn permissions(&self, account: &account::Model) -> Vec<String> {
        let is_granted =
            |permission: &String| self.granted.as_ref().is_none_or(|granted| granted.0.contains(permission));
        let permissions: Vec<String> = account.permissions().into_iter().filter(is_granted).collect();
        let is_elsewhere = account.province.is_some() && account.province != self.province;
        let stands =
            account.is_usable() && !is_elsewhere && permissions.iter().any(|held| held == super::PERMISSION);
        if stands { permissions } else { Vec::new() }
    }

    /// The kinds of records that it is told of, as far as the account behind it may see them.
    pub fn kinds(&self, account: &account::Model) -> Vec<&'static Entry> {
        let permissions = self.permissions(account);
        let is_told = |entry: &&Entry| {
            self.resources.0.contains(&entry.kind) && permissions.iter().any(|held| held == entry.permission)
        };
        KINDS.iter().filter(is_told).collect()
    }
}
