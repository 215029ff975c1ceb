//! Accounts of people and of API clients.

use macros::record;
use std::collections::{BTreeSet, HashMap};

use sea_orm::{FromJsonQueryResult, QuerySelect, entity::prelude::*};
use serde::{Deserialize, Serialize};

use crate::{
    policy::{Caller, Role, Scope},
    store::{Transaction, personal::Commitments, security_event},
    values::ProvinceCode,
};

/// An account.
#[record(table = "account")]
pub struct Model {
    /// A person or a system.
    pub kind: Kind,
    /// The user name or client id, in lower case.
    pub username: String,
    /// The name that people see.
    pub display_name: String,
    /// Its role.
    pub role: Role,
    /// Its province, where it belongs to one.
    pub province: Option<ProvinceCode>,
    /// The scopes granted to an API client.
    pub scopes: Scopes,
    /// The password or client secret, hashed with argon2id (PHC string).
    pub password_hash: String,
    /// Whether it is disabled.
    pub disabled: bool,
    /// The CDA that the person is.
    pub cda_id: Option<Uuid>,
    /// The commitments to the names of the person.
    pub commitments: Option<Commitments>,
    /// Whether the password was set by somebody else, and has to be changed before anything else.
    pub must_change_password: bool,
}

/// Types of account holders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum Kind {
    /// A person, who logs in with a password.
    #[default]
    Person,
    /// A system, which gets tokens with its secret.
    Client,
}

/// Granted scopes: of an API client, or of a token on whose behalf work continues later.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Scopes(pub Vec<String>);

impl Model {
    /// Scope of the account.
    pub fn scope(&self) -> Scope {
        self.province.clone().map_or(Scope::Nation, |province| Scope::Province(province.0))
    }

    /// The account as a caller, with those of its permissions that were granted.
    pub fn into_caller(self, is_granted: impl Fn(&String) -> bool) -> Caller {
        Caller {
            id: self.id,
            scope: self.scope(),
            permissions: self.permissions().into_iter().filter(is_granted).collect(),
            role: self.role,
            username: self.username,
            cda_id: self.cda_id,
            session_id: None,
            must_change_password: self.must_change_password,
        }
    }

    /// Names of the account, which are refused in passwords.
    pub fn names(&self) -> Vec<String> {
        vec![self.username.clone(), self.display_name.clone()]
    }

    /// Sets the password hash. A password set by somebody else has to be changed at the first login.
    pub fn set_password(&mut self, hash: String, is_set_by_owner: bool) {
        self.password_hash = hash;
        self.must_change_password = !is_set_by_owner;
    }

    /// Whether it can be used.
    pub fn is_usable(&self) -> bool {
        !self.disabled && self.deleted_at.is_none()
    }

    /// Whether it has lost, since `before`, rights that running sessions still grant.
    pub fn loses_sessions(&self, before: &Self) -> bool {
        !self.is_usable()
            || before.password_hash != self.password_hash
            || before.role != self.role
            || before.province != self.province
            || before.cda_id != self.cda_id
            || before.scopes != self.scopes
    }

    /// Its permissions.
    pub fn permissions(&self) -> Vec<String> {
        let of_role = self.role.permissions().iter().map(|permission| (*permission).to_owned());
        match self.kind {
            Kind::Person => of_role.collect(),
            Kind::Client => of_role.filter(|permission| self.scopes.0.contains(permission)).collect(),
        }
    }
}

/// Adds a new or changed account to the security log; for a change, with the changed fields that affect its
/// permissions.
pub fn note_change(transaction: &Transaction, resource: &str, id: Uuid, changed: Option<&[(&str, bool)]>) {
    let event = match changed {
        None => transaction.event(security_event::Kind::AccountCreated),
        Some(parts) => {
            let names: Vec<_> =
                parts.iter().filter(|(_, is_changed)| *is_changed).map(|(name, _)| *name).collect();
            let reason = if names.is_empty() { "other".to_owned() } else { names.join(",") };
            transaction.event(security_event::Kind::AccountChanged).because(reason)
        }
    };
    transaction.note(event.about(resource, id));
}

/// Adds a deleted account to the security log.
pub fn note_deletion(transaction: &Transaction, resource: &str, id: Uuid) {
    transaction.note(transaction.event(security_event::Kind::AccountDeleted).about(resource, id));
}

/// Display names of some accounts, by id.
pub async fn display_names(
    db: &impl ConnectionTrait,
    ids: BTreeSet<Uuid>,
) -> Result<HashMap<Uuid, String>, DbErr> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let named = Entity::find()
        .select_only()
        .column(Column::Id)
        .column(Column::DisplayName)
        .filter(Column::Id.is_in(ids));
    Ok(named.into_tuple().all(db).await?.into_iter().collect())
}

/// The account of a user name or client id.
pub async fn by_username(db: &impl ConnectionTrait, username: &str) -> Result<Option<Model>, DbErr> {
    if username.contains('\0') {
        return Ok(None);
    }
    Entity::find().filter(Column::Username.eq(username.to_lowercase())).one(db).await
}
