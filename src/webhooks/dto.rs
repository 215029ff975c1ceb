//! DTOs of webhooks: representation and input.

use chrono::{DateTime, Utc};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    destination,
    entity::{DisabledReason, Model, Resources},
};
use crate::{
    accounts::account::Scopes,
    changes::kinds::{Entry, KINDS, Kind},
    personal,
    policy::Caller,
    problem::{Problem, Text, Violation},
    provinces::ProvinceCode,
    store::{Input, RecordInfo, external_ref::ExternalRefs, now},
};

/// A webhook: an address that receives events about changes.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Webhook {
    #[serde(flatten)]
    info: RecordInfo,
    /// Destination address of the events.
    #[schema(example = "https://erp.example.ir/khoosheh")]
    url: String,
    /// Kinds of records whose changes are sent.
    #[schema(example = json!(["cluster", "project"]))]
    resources: Vec<Kind>,
    /// Purpose of the webhook.
    #[schema(required, example = "سامانهٔ شرکت شهرک‌های صنعتی لرستان")]
    description: Option<String>,
    /// Province whose changes are sent; null for the nation.
    #[schema(required)]
    province: Option<ProvinceCode>,
    /// Owner: the account that created the webhook. Events contain what this account may see, within the
    /// permissions of its token at creation, and as long as the account has them. A change by somebody else
    /// never widens this.
    account_id: Uuid,
    /// Whether events are sent. Changes made while the webhook is switched off are sent once it is switched
    /// on again.
    #[schema(example = true)]
    is_active: bool,
    /// Reason why it is switched off; null while it is on.
    #[schema(required, example = json!(null))]
    disabled_reason: Option<DisabledReason>,
    /// Time at which it was switched off; null while it is on.
    #[schema(required, example = json!(null))]
    disabled_at: Option<DateTime<Utc>>,
}

impl From<&Model> for Webhook {
    fn from(row: &Model) -> Self {
        let input = WebhookInput::from(row);
        Self {
            info: row.into(),
            url: input.url,
            resources: input.resources,
            description: input.description,
            province: input.province,
            account_id: row.account_id,
            is_active: input.is_active,
            disabled_reason: row.disabled_reason,
            disabled_at: row.disabled_at,
        }
    }
}

/// A webhook with its secret, which is shown only once.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookWithSecret {
    #[serde(flatten)]
    webhook: Webhook,
    /// The secret that signs the events, in the format of the Standard Webhooks libraries. It is shown only
    /// once: the answer to a repeated request (`Idempotency-Key`) lacks it. In that case make a new one.
    #[schema(required = false, nullable = false, example = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")]
    secret: Option<String>,
}

/// Input of a webhook. The service generates the secret.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookInput {
    /// Destination address: `https`, without user, password and fragment. Private and special addresses, and
    /// `http`, are refused, except for networks that the configuration of the service allows.
    #[schema(
        min_length = 10,
        max_length = 2000,
        pattern = "^[Hh][Tt][Tt][Pp][Ss]?://[^\\s]+$",
        example = "https://erp.example.ir/khoosheh"
    )]
    pub url: String,
    /// Kinds of records whose changes are sent. You need permission to read them.
    #[schema(min_items = 1, max_items = 30, example = json!(["cluster", "project"]))]
    pub resources: Vec<Kind>,
    /// Purpose of the webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(
        min_length = 1,
        max_length = 500,
        pattern = "\\S",
        example = "سامانهٔ شرکت شهرک‌های صنعتی لرستان"
    )]
    pub description: Option<String>,
    /// Province whose changes are sent; by default that of your account, or the nation if it has none. It
    /// cannot be changed later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub province: Option<ProvinceCode>,
    /// Whether events are sent.
    #[serde(default = "yes")]
    #[schema(default = true, example = true)]
    pub is_active: bool,
    /// Identifiers of the webhook in other systems.
    #[serde(default)]
    pub external_refs: ExternalRefs,
}

fn yes() -> bool {
    true
}

impl From<&Model> for WebhookInput {
    fn from(row: &Model) -> Self {
        let row = row.clone();
        Self {
            url: row.url,
            resources: row.resources.0,
            description: row.description,
            province: row.province.map(ProvinceCode),
            is_active: row.is_active,
            external_refs: row.external_refs,
        }
    }
}

impl WebhookInput {
    /// The row with this input. Its creator is its owner, and events contain what the owner may see; an edit
    /// by somebody else never widens that ([`Self::granted`]). 403 if the author may not read the requested
    /// kinds, 422 if the owner may not.
    pub fn by(mut self, caller: &Caller, networks: &[IpNet], before: &Model) -> Result<Model, Problem> {
        let asked = || KINDS.iter().filter(|entry| self.resources.contains(&entry.kind));
        if let Some(entry) = asked().find(|entry| !caller.may(entry.permission)) {
            return Err(Problem::insufficient_scope(&[entry.permission]));
        }
        let (account_id, granted) = self.granted(caller, before);
        let is_granted = |permission: &str| {
            granted.as_ref().is_none_or(|granted| granted.0.iter().any(|held| held == permission))
        };
        let is_new = |entry: &&Entry| !before.resources.0.contains(&entry.kind);
        if let Some(entry) = asked().filter(is_new).find(|entry| !is_granted(entry.permission)) {
            let detail = Text::new(
                format!("صاحب این وب‌هوک اجازهٔ `{}` ندارد.", entry.permission),
                format!("The owner of this webhook lacks the permission `{}`.", entry.permission),
            );
            return Err(Problem::invalid(vec![Violation::body("/resources", "not_permitted", detail)]));
        }
        self.url = destination::checked(&self.url, networks)
            .map_err(|violation| Problem::invalid(vec![violation]))?
            .into();
        self.province =
            self.province.or_else(|| caller.scope.province().map(|own| ProvinceCode(own.to_owned())));
        Ok(Model { account_id, granted, ..self.onto_row(before)? })
    }

    /// The owner after this input, and the granted permissions. The owner renews them with the rights of the
    /// token. Anybody else who changes the address, or switches on a webhook that was switched off for its
    /// owner's lack of rights (and then owns it), leaves it the rights that both have.
    fn granted(&self, caller: &Caller, before: &Model) -> (Uuid, Option<Scopes>) {
        let own = || Scopes(caller.permissions.clone());
        if before.id.is_nil() || before.account_id == caller.id {
            return (caller.id, Some(own()));
        }
        // Nothing is known of the owner's rights at a webhook from before they were kept: personal data stays
        // masked.
        let of_both = || match &before.granted {
            Some(granted) => {
                Scopes(granted.0.iter().filter(|permission| caller.may(permission)).cloned().collect())
            }
            None => {
                Scopes(own().0.into_iter().filter(|permission| permission != personal::PERMISSION).collect())
            }
        };
        if self.is_active && before.disabled_reason == Some(DisabledReason::NotPermitted) {
            (caller.id, Some(of_both()))
        } else if self.url != before.url {
            (before.account_id, Some(of_both()))
        } else {
            (before.account_id, before.granted.clone())
        }
    }
}

impl Input<Model> for WebhookInput {
    fn external_refs(&mut self) -> &mut ExternalRefs {
        &mut self.external_refs
    }

    fn onto_row(self, row: &Model) -> Result<Model, Problem> {
        let province = self.province.map(|province| province.0);
        if !row.id.is_nil() && province != row.province {
            // Its deliveries tell of the province of before.
            let detail = Text::new(
                "استان وب‌هوک تغییر نمی‌کند؛ وب‌هوک تازه‌ای بسازید.",
                "The province of a webhook does not change: create another one.",
            );
            return Err(Problem::invalid(vec![Violation::body("/province", "immutable", detail)]));
        }
        let (disabled_reason, disabled_at) = match (self.is_active, row.disabled_at) {
            (true, _) => (None, None),
            (false, None) => (Some(DisabledReason::Requested), Some(now())),
            (false, since) => (row.disabled_reason, since),
        };
        Ok(Model {
            url: self.url,
            resources: Resources(
                KINDS.iter().map(|entry| entry.kind).filter(|kind| self.resources.contains(kind)).collect(),
            ),
            description: self.description,
            province,
            is_active: self.is_active,
            disabled_reason,
            disabled_at,
            external_refs: self.external_refs,
            ..row.clone()
        })
    }
}

/// Filters of the list of webhooks.
#[derive(Debug, Deserialize, IntoParams)]
pub struct WebhookFilter {
    /// Any of these provinces.
    #[param(style = Form, explode = false, min_items = 1, max_items = 31)]
    pub province: Option<Vec<ProvinceCode>>,
    /// Switched on, or off.
    pub is_active: Option<bool>,
}
