//! Roles, permissions, scopes, and the caller who has them.

pub mod roles;

use std::sync::Arc;

use uuid::Uuid;

pub use self::roles::{Role, Scope};

/// The account behind a request.
#[derive(Debug)]
pub struct Caller {
    /// The account.
    pub id: Uuid,
    /// Its user name or client id.
    pub username: String,
    /// Its role.
    pub role: Role,
    /// The part of the country that exists for it.
    pub scope: Scope,
    /// What it may do.
    pub permissions: Vec<String>,
    /// The CDA that it is, where it is one.
    pub cda_id: Option<Uuid>,
    /// The session of its token, where there is one.
    pub session_id: Option<Uuid>,
    /// Whether it has to change its password before it does anything else.
    pub must_change_password: bool,
}

impl Caller {
    /// Whether the caller holds a permission.
    pub fn may(&self, permission: &str) -> bool {
        self.permissions.iter().any(|held| held == permission)
    }

    /// The service itself, at the command line and at start-up.
    pub fn service() -> Arc<Self> {
        let role = Role::NationalAdmin;
        let permissions = role.permissions().iter().map(|permission| (*permission).to_owned()).collect();
        Arc::new(Self {
            id: Uuid::nil(),
            username: String::new(),
            role,
            scope: Scope::Nation,
            permissions,
            cda_id: None,
            session_id: None,
            must_change_password: false,
        })
    }
}
