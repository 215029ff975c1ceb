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
    /// Its scope.
    pub scope: Scope,
    /// Its permissions.
    pub permissions: Vec<String>,
    /// Its CDA record, if it is a CDA.
    pub cda_id: Option<Uuid>,
    /// The session of its token, where there is one.
    pub session_id: Option<Uuid>,
    /// Whether it has to change its password before anything else.
    pub must_change_password: bool,
}

impl Caller {
    /// Whether the caller holds a permission.
    pub fn may(&self, permission: &str) -> bool {
        self.permissions.iter().any(|held| held == permission)
    }

    /// The service itself, for the command line and at startup.
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
