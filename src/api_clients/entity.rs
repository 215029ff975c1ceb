//! The accounts of systems as records. They share the table of [`crate::accounts::account`], which getting tokens
//! needs.

use sea_orm::entity::prelude::*;

use crate::{
    accounts::account::{Kind, Scopes},
    policy::Role,
};

crate::store::record_table! {
    /// The account of a system.
    "account" {
        /// Always a system.
        kind: Kind,
        /// The client id.
        username: String,
        /// The name that people see.
        display_name: String,
        /// Always an integrator.
        role: Role,
        /// Its province, where it belongs to one.
        province: Option<String>,
        /// The scopes that it was granted.
        scopes: Scopes,
        /// The client secret, hashed with argon2id (PHC string).
        password_hash: String,
        /// Whether it is disabled.
        disabled: bool,
    }
}
