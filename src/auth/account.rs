//! Accounts of people and of API clients.

use sea_orm::{FromJsonQueryResult, entity::prelude::*};
use serde::{Deserialize, Serialize};

use super::policy::{Role, Scope};
use crate::store::external_ref::ExternalRefs;

/// An account.
#[derive(Clone, Debug, Default, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "account")]
pub struct Model {
    /// See [`crate::store::Columns`], as for the columns below.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Its version.
    pub version: i64,
    /// When it was created.
    pub created_at: DateTimeUtc,
    /// By which account.
    pub created_by: Uuid,
    /// When it was last changed.
    pub updated_at: DateTimeUtc,
    /// By which account.
    pub updated_by: Uuid,
    /// When it was deleted.
    pub deleted_at: Option<DateTimeUtc>,
    /// What other systems call it.
    pub external_refs: ExternalRefs,
    /// The hash of its newest history entry.
    pub history_hash: String,
    /// A person or a system.
    pub kind: Kind,
    /// The user name or client id, in lower case.
    pub username: String,
    /// The name that people see.
    pub display_name: String,
    /// Its role.
    pub role: Role,
    /// Its province, where it belongs to one.
    pub province: Option<String>,
    /// The scopes granted to an API client.
    pub scopes: Scopes,
    /// The password or client secret, hashed with argon2id (PHC string).
    pub password_hash: String,
    /// Whether it is shut out.
    pub disabled: bool,
}

/// It stands alone.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

crate::record_columns!(Model);

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

/// The scopes granted to an API client.
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
