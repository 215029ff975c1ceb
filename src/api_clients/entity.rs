//! The accounts of systems as records. They share the table of [`crate::accounts::account`], which getting tokens
//! needs.

use macros::record;
use sea_orm::entity::prelude::*;

use crate::{
    accounts::account::{Kind, Scopes},
    policy::Role,
    provinces::ProvinceCode,
};

/// The account of a system.
#[record(table = "account", sort(client_id = username, created_at, updated_at))]
pub struct Model {
    /// Always a system.
    pub kind: Kind,
    /// The client id.
    pub username: String,
    /// The name that people see.
    pub display_name: String,
    /// Always an integrator.
    pub role: Role,
    /// Its province, where it belongs to one.
    pub province: Option<ProvinceCode>,
    /// The scopes that it was granted.
    pub scopes: Scopes,
    /// The client secret, hashed with argon2id (PHC string).
    pub password_hash: String,
    /// Whether it is disabled.
    pub disabled: bool,
}
