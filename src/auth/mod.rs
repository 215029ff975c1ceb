//! Authentication and authorization: accounts, passwords, tokens, roles and scopes.

pub mod account;
pub mod endpoints;
pub mod failures;
pub mod grants;
pub mod own_sessions;
pub mod password;
pub mod policy;
pub mod session;
pub mod signing_key;
pub mod token;

use std::sync::Arc;

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use uuid::Uuid;

pub use policy::{Role, Scope};
pub use token::Authenticator;

use crate::{
    http::{Call, Ready},
    problem::Problem,
};

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
    /// The caller of an account, with its granted permissions.
    pub fn of(account: account::Model, is_granted: impl Fn(&String) -> bool) -> Self {
        Self {
            id: account.id,
            scope: account.scope(),
            permissions: account.permissions().into_iter().filter(is_granted).collect(),
            role: account.role,
            username: account.username,
            cda_id: account.cda_id,
            session_id: None,
            must_change_password: account.must_change_password,
        }
    }

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

/// The caller as an extractor.
pub struct CurrentCaller(pub Arc<Caller>);

impl std::ops::Deref for CurrentCaller {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl FromRequest for CurrentCaller {
    type Error = Problem;
    type Future = Ready<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(Call::of(request).and_then(|call| call.caller()).map(Self))
    }
}
