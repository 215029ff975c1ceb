//! `GET /security-events`: the security log, for auditors.

use actix_web::get;
use chrono::{DateTime, Utc};
use sea_orm::{EntityTrait, QueryFilter, prelude::Uuid, sea_query::Condition};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::{
    http::{Answer, Database, Page, Paging, Query, Shape, SortKey, page::Listed},
    problem::Problem,
    store::{
        SqlKind,
        security_event::{Column, Entity, Kind, Model},
    },
};

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig) {
    config.service(list_security_events);
}

/// An event of the security log.
#[derive(Debug, Serialize, ToSchema)]
pub struct SecurityEvent {
    /// Its id. Ids are in the order of events.
    id: Uuid,
    /// When.
    occurred_at: DateTime<Utc>,
    /// Kind of event.
    kind: Kind,
    /// Why, as a code: of a failed login `unknown_account`, `wrong_secret`, `disabled` or `wrong_grant`; of a
    /// login `password_change_required` where somebody else has set the password; of an ended session `one`
    /// or `others` where its owner has ended it, `too_old` where it has lasted as long as it may; of a
    /// refusal the code of the problem; of a changed account what was changed, with commas; of an export the
    /// format; of personal data `webhook` where one was sent it. Null where there is none.
    #[schema(required, example = "wrong_secret")]
    reason: Option<String>,
    /// The account that did it, or was meant; null where there is none of the name.
    #[schema(required)]
    account_id: Option<Uuid>,
    /// Its user name or client id at that time.
    #[schema(required, example = "lorestan")]
    username: Option<String>,
    /// The person for whom an API client says that it acts, as its own register knows them (`Acting-For`);
    /// masked where that is personal data.
    #[schema(required, example = json!(null))]
    acting_for: Option<String>,
    /// The address that it came from; null at the command line.
    #[schema(required, example = "192.0.2.17")]
    address: Option<String>,
    /// The beginning of the SHA-256 of the `User-Agent`, in hexadecimal.
    #[schema(required, example = "9f86d081884c7d65")]
    user_agent: Option<String>,
    /// The `X-Request-Id` of the request; of what was sent to a webhook, `webhook` and the `webhook-id`.
    #[schema(example = "0193f0a0-0000-7000-8000-00000000abcd")]
    request_id: String,
    /// The operation of this document.
    #[schema(required, example = "create_token")]
    operation: Option<String>,
    /// The kind of record that it is about.
    #[schema(required, example = json!(null))]
    resource: Option<String>,
    /// The record.
    #[schema(required, example = json!(null))]
    record_id: Option<Uuid>,
    /// Number of personal values shown in clear; null for other kinds of events.
    #[schema(required, minimum = 0, example = json!(null))]
    count: Option<i64>,
}

impl From<Model> for SecurityEvent {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            occurred_at: row.occurred_at,
            kind: row.kind,
            reason: row.reason,
            account_id: row.account_id,
            username: row.username,
            acting_for: row.acting_for,
            address: row.address,
            user_agent: row.user_agent,
            request_id: row.request_id,
            operation: row.operation,
            resource: row.resource,
            record_id: row.record_id,
            count: row.count,
        }
    }
}

impl Listed for Model {
    const SORT_KEYS: &'static [SortKey<Self>] = &[
        SortKey {
            name: "occurred_at",
            sql: "security_event.occurred_at",
            kind: SqlKind::Timestamp,
            value: |row| row.occurred_at.into(),
        },
        SortKey { name: "id", sql: "security_event.id", kind: SqlKind::Uuid, value: |row| row.id.into() },
    ];
}

/// Filters of the list of security events.
#[derive(Debug, Deserialize, IntoParams)]
pub struct SecurityEventFilter {
    /// Of any of these kinds.
    #[param(inline, style = Form, explode = false, min_items = 1, max_items = 14)]
    kind: Option<Vec<Kind>>,
    /// Of this account.
    account_id: Option<Uuid>,
    /// From this address, as it is in the log.
    #[param(max_length = 45, pattern = "^[0-9A-Fa-f:.]+$")]
    address: Option<String>,
    /// In this request.
    #[param(max_length = 100, pattern = "^[!-~]( ?[!-~])*$")]
    request_id: Option<String>,
    /// About this kind of record.
    #[param(max_length = 100, pattern = "^[a-z_]+$")]
    resource: Option<String>,
    /// About this record.
    record_id: Option<Uuid>,
    /// At this moment or later.
    since: Option<DateTime<Utc>>,
    /// Before this moment.
    until: Option<DateTime<Utc>>,
}

impl SecurityEventFilter {
    fn condition(&self) -> Condition {
        use sea_orm::ColumnTrait;
        Condition::all()
            .add_option(self.kind.as_ref().map(|kinds| Column::Kind.is_in(kinds.iter().copied())))
            .add_option(self.account_id.map(|id| Column::AccountId.eq(id)))
            .add_option(self.address.as_ref().map(|address| Column::Address.eq(address)))
            .add_option(self.request_id.as_ref().map(|id| Column::RequestId.eq(id)))
            .add_option(self.resource.as_ref().map(|resource| Column::Resource.eq(resource)))
            .add_option(self.record_id.map(|id| Column::RecordId.eq(id)))
            .add_option(self.since.map(|since| Column::OccurredAt.gte(since)))
            .add_option(self.until.map(|until| Column::OccurredAt.lt(until)))
    }
}

/// List the events of the security log
///
/// Logins, failed logins with their reason, accounts that were closed for an address, sessions that were
/// ended, refusals (403), refresh tokens that were used again, changes of accounts, reads of personal data,
/// exports, erasures; oldest first, `sort=-id` gives the newest first. No secret and no personal data is in
/// it. What happened in a request is here within a second; kept for `security_event_days` of the
/// configuration.
#[utoipa::path(params(SecurityEventFilter, Paging<Model>), responses((status = 200, body = Page<SecurityEvent>)), security(("oauth2" = ["security-events:read"])))]
#[get("/security-events")]
pub async fn list_security_events(
    filter: Query<SecurityEventFilter>,
    paging: Paging<Model>,
    shape: Shape,
    db: Database,
) -> Result<Answer, Problem> {
    let page = paging.fetch(db.get_ref(), Entity::find().filter(filter.condition())).await?;
    let items = page.items.iter().cloned().map(SecurityEvent::from).collect();
    shape.page(&page.with(items))
}
