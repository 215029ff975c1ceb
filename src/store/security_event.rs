//! The table of the security log: logins and failed logins, refusals, changes of accounts, access to personal
//! data.
//!
//! An event contains no secrets and no personal values: people type passwords into name fields, so a name is
//! stored only if it is that of an account; a user agent is stored as a hash. Each event is also a line of
//! JSON in the log of the process, under the target [`TARGET`].

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sea_orm::{
    IntoActiveModel,
    entity::prelude::*,
    sea_query::{Alias, ExprTrait, Query, SimpleExpr},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{bulk, now};
use crate::{clock::new_id, policy::Caller};

/// The target of the lines in the log of the process.
pub const TARGET: &str = "khoosheh::security";

/// An event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, DeriveEntityModel)]
#[sea_orm(table_name = "security_event")]
pub struct Model {
    /// Its id (UUIDv7): ids are in the order of events.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Time of the event.
    pub occurred_at: DateTimeUtc,
    /// Kind of event.
    pub kind: Kind,
    /// Why, as a code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The acting or affected account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<Uuid>,
    /// Its user name or client id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The person that an API client acts for, identified as in its own register.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acting_for: Option<String>,
    /// Client address; none at the command line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The beginning of the SHA-256 of the `User-Agent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// Id of the request.
    pub request_id: String,
    /// Operation of the API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// Kind of the record concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record_id: Option<Uuid>,
    /// Number of personal values shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<i64>,
}

/// No relations.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Kinds of security events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = SecurityEventKind)]
pub enum Kind {
    /// A login that succeeded; of an API client, a token for its secret.
    Login,
    /// A failed login, with the reason.
    LoginFailed,
    /// Too many logins have failed: an account was closed for an address, or found closed.
    LoginClosed,
    /// A session was ended by the holder of its token.
    Logout,
    /// A refresh token was used again: its session is ended.
    TokenReused,
    /// A session, or all others, were ended by their owner, or one has reached the maximum duration; the
    /// reason says which.
    SessionEnded,
    /// A request was refused with 403; the reason is the code of the problem.
    Forbidden,
    /// An account of a person or of an API client was created.
    AccountCreated,
    /// An account was changed; the reason names the fields.
    AccountChanged,
    /// One was deleted.
    AccountDeleted,
    /// A new key signs access tokens.
    KeysRotated,
    /// Personal data was shown in clear, by an answer or to a webhook.
    PersonalDataRead,
    /// Data was exported as a file, such as CSV or XLSX.
    Exported,
    /// Personal data of a person was erased, with the reason.
    PersonalDataErased,
}

/// Origin of an event.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The address.
    pub address: Option<String>,
    /// The beginning of the SHA-256 of the `User-Agent`.
    pub user_agent: Option<String>,
    /// The person that an API client says it acts for.
    pub acting_for: Option<String>,
    /// Id of the request.
    pub request_id: String,
    /// Operation of the API.
    pub operation: Option<String>,
}

impl Model {
    /// An event that happens now.
    pub fn new(kind: Kind, origin: &Origin) -> Self {
        let Origin { address, user_agent, request_id, operation, .. } = origin.clone();
        Self {
            id: new_id(),
            occurred_at: now(),
            kind,
            reason: None,
            account_id: None,
            username: None,
            acting_for: None,
            address,
            user_agent,
            request_id,
            operation,
            resource: None,
            record_id: None,
            count: None,
        }
    }

    /// Sets the acting account. The service itself has none.
    pub fn by(self, caller: &Caller, origin: &Origin) -> Self {
        if caller.id.is_nil() {
            return self;
        }
        // A person acts for themselves.
        let acting_for = origin.acting_for.clone().filter(|_| caller.role == crate::policy::Role::Integrator);
        Self { acting_for, ..self.of(caller.id, &caller.username) }
    }

    /// Sets the affected account.
    pub fn of(self, account_id: Uuid, username: &str) -> Self {
        Self { account_id: Some(account_id), username: Some(username.to_owned()), ..self }
    }

    /// The reason, as a code.
    pub fn because(self, reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..self }
    }

    /// Sets the record concerned.
    pub fn about(self, resource: &str, record_id: Uuid) -> Self {
        Self { resource: Some(resource.to_owned()), record_id: Some(record_id), ..self }
    }

    /// Sets the number of values shown.
    pub fn counting(self, count: u64) -> Self {
        Self { count: Some(count.try_into().unwrap_or(i64::MAX)), ..self }
    }

    /// Writes the event to the log of the process.
    pub fn tell(&self) {
        let line = serde_json::to_string(self).unwrap_or_default();
        tracing::info!(target: TARGET, event = %line);
    }
}

/// Inserts events in one statement. Names of accounts erased in the meantime are omitted.
///
/// # Errors
/// The database does not answer.
pub async fn insert(db: &impl ConnectionTrait, mut events: Vec<Model>) -> Result<(), DbErr> {
    let accounts: BTreeSet<Uuid> =
        events.iter().filter(|event| event.username.is_some()).filter_map(|event| event.account_id).collect();
    if accounts.is_empty() {
        return bulk::insert_all(
            db,
            events.into_iter().map(|event| event.into_active_model().reset_all()).collect(),
        )
        .await;
    }
    let is_erased =
        Expr::col(Alias::new("resource")).eq("user").and(Expr::col(Alias::new("record_id")).is_in(accounts));
    let erased = Query::select()
        .column(Alias::new("record_id"))
        .from(Alias::new("erasure"))
        .and_where(is_erased)
        .to_owned();
    // Before they are written, so that no log of the database contains a name that is removed at once.
    let rows = db.query_all(&erased).await?;
    let known = rows.iter().map(|row| row.try_get("", "record_id")).collect::<Result<BTreeSet<Uuid>, _>>()?;
    events
        .iter_mut()
        .filter(|event| event.account_id.is_some_and(|id| known.contains(&id)))
        .for_each(|event| event.username = None);
    let ids: Vec<Uuid> =
        events.iter().filter(|event| event.username.is_some()).map(|event| event.id).collect();
    bulk::insert_all(db, events.into_iter().map(|event| event.into_active_model().reset_all()).collect())
        .await?;
    // An account may have been erased in between.
    forget_names(db, Column::Id.is_in(ids).and(Column::AccountId.in_subquery(erased))).await
}

/// Deletes events before a moment, in batches of some thousand, so that nobody waits long.
pub async fn forget_old(db: &impl ConnectionTrait, before: DateTime<Utc>) -> Result<u64, DbErr> {
    use sea_orm::{QueryOrder, QuerySelect, QueryTrait};
    let oldest = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::OccurredAt.lt(before))
        .order_by_asc(Column::OccurredAt)
        .limit(5_000);
    Ok(Entity::delete_many()
        .filter(Column::Id.in_subquery(oldest.into_query()))
        .exec(db)
        .await?
        .rows_affected)
}

/// Removes the account names of some events, which keep the ids.
///
/// # Errors
/// The database does not answer.
pub async fn forget_names(db: &impl ConnectionTrait, which: SimpleExpr) -> Result<(), DbErr> {
    let nameless = Entity::update_many().col_expr(Column::Username, Expr::value(Option::<String>::None));
    nameless.filter(which).exec(db).await.map(|_| ())
}
