//! Accounts of people and of API clients.

use sea_orm::{FromJsonQueryResult, entity::prelude::*};
use serde::{Deserialize, Serialize};

use super::policy::{Role, Scope};

crate::store::record_table! {
    /// An account.
    "account" {
        /// A person or a system.
        kind: Kind,
        /// The user name or client id, in lower case.
        username: String,
        /// The name that people see.
        display_name: String,
        /// Its role.
        role: Role,
        /// Its province, where it belongs to one.
        province: Option<String>,
        /// The scopes granted to an API client.
        scopes: Scopes,
        /// The password or client secret, hashed with argon2id (PHC string).
        password_hash: String,
        /// Whether it is shut out.
        disabled: bool,
        /// The CDA that the person is.
        cda_id: Option<Uuid>,
    }
}

/// Who is behind an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum Kind {
    /// A person, who logs in with a password.
    #[default]
    Person,
    /// A system, which gets tokens with its secret.
    Client,
}

/// Scopes that were granted: to an API client, or to a token for which something goes on to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Scopes(pub Vec<String>);

impl Model {
    /// The part of the country that exists for the account.
    pub fn scope(&self) -> Scope {
        self.province.clone().map_or(Scope::Nation, Scope::Province)
    }

    /// Whether it may be used at all.
    pub fn is_usable(&self) -> bool {
        !self.disabled && self.deleted_at.is_none()
    }

    /// Whether it has lost, since `before`, something that running sessions still grant.
    pub fn loses_sessions(&self, before: &Self) -> bool {
        !self.is_usable()
            || before.password_hash != self.password_hash
            || before.role != self.role
            || before.province != self.province
            || before.cda_id != self.cda_id
            || before.scopes != self.scopes
    }

    /// What it may do.
    pub fn permissions(&self) -> Vec<String> {
        let of_role = self.role.permissions().iter().map(|permission| (*permission).to_owned());
        match self.kind {
            Kind::Person => of_role.collect(),
            Kind::Client => of_role.filter(|permission| self.scopes.0.contains(permission)).collect(),
        }
    }
}

/// The account of a user name or client id.
pub async fn by_username(db: &impl ConnectionTrait, username: &str) -> Result<Option<Model>, DbErr> {
    if username.contains('\0') {
        return Ok(None);
    }
    Entity::find().filter(Column::Username.eq(username.to_lowercase())).one(db).await
}
