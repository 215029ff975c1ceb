//! `GET /security-events`: the security log, for auditors.

use actix_web::get;
use chrono::{DateTime, Utc};
use sea_orm::{EntityTrait, QueryFilter, prelude::Uuid, sea_query::Condition};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    http::{Answer, Database, Page, Paging, Query, Routes, Shape, SortKey, page::Listed},
    problem::Problem,
    store::{
        SqlKind,
        security_event::{Column, Entity, Kind, Model},
    },
};

/// The routes of this module.
pub fn routes(config: &mut Routes<'_>) {
    config.service(list_security_events);
}

/// An event of the security log.
#[derive(Debug, Serialize, ToSchema)]
pub struct SecurityEvent {
    /// Its id. Ids are in the order of events.
    id: Uuid,
    /// Time of the event.
    occurred_at: DateTime<Utc>,
    /// Kind of event.
    kind: Kind,
    /// Reason as a code: for a failed login `unknown_account`, `wrong_secret`, `disabled` or `wrong_grant`;
    /// for a login `password_change_required` if somebody else has set the password; for an ended session
    /// `one` or `others` if its owner has ended it, `too_old` if it has reached the maximum duration; for a
    /// refusal the code of the problem; for a changed account the changed fields, separated by commas; for an
    /// export the format; for personal data `webhook` if it was sent to one. Null if there is none.
    #[schema(required, example = "wrong_secret")]
    reason: Option<String>,
    /// Acting or affected account; null if no account has the name.
    #[schema(required)]
    account_id: Option<Uuid>,
    /// Its user name or client id at that time.
    #[schema(required, example = "lorestan")]
    username: Option<String>,
    /// Person that an API client says it acts for, identified as in its own register (`Acting-For`); masked
    /// if that is personal data.
    #[schema(required, example = json!(null))]
    acting_for: Option<String>,
    /// Client address; null at the command line.
    #[schema(required, example = "192.0.2.17")]
    address: Option<String>,
    /// The beginning of the SHA-256 of the `User-Agent`, in hexadecimal.
    #[schema(required, example = "9f86d081884c7d65")]
    user_agent: Option<String>,
    /// `X-Request-Id` of the request; for data sent to a webhook, `webhook` and the `webhook-id`.
    #[schema(example = "0193f0a0-0000-7000-8000-00000000abcd")]
    request_id: String,
    /// The operation of this document.
    #[schema(required, example = "create_token")]
    operation: Option<String>,
    /// Kind of the record concerned.
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
        SortKey::new("occurred_at", "security_event.occurred_at", SqlKind::Timestamp, |row| {
            row.occurred_at.into()
        }),
        SortKey::new("id", "security_event.id", SqlKind::Uuid, |row| row.id.into()),
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
    /// Client address, as in the log.
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
/// Logins, failed logins with their reason, accounts closed for an address, ended sessions, refusals (403),
/// reused refresh tokens, changes of accounts, reads of personal data, exports, erasures; oldest first,
/// `sort=-id` gives the newest first. It contains no secrets and no personal data. Events of a request appear
/// within a second, and are kept for `security_event_days` of the configuration.
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
