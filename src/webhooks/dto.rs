//! DTOs of webhooks: representation and input.

pub use super::entity::{Model as Webhook, WebhookInput};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    destination,
    entity::{DisabledReason, Model},
};
use crate::{
    accounts::account::Scopes,
    changes::kinds::{Entry, KINDS},
    personal,
    policy::Caller,
    problem::{Problem, Text, Violation},
    provinces::ProvinceCode,
    store::{Fields, Input, now},
    values::List,
};

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
    fn onto_row(mut self, row: &Model) -> Result<Model, Problem> {
        if !row.id.is_nil() && self.province != row.province {
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
        let resources = KINDS.iter().map(|entry| entry.kind).filter(|kind| self.resources.contains(kind));
        self.resources = List(resources.collect());
        Ok(Model { disabled_reason, disabled_at, ..self.over(row) })
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
