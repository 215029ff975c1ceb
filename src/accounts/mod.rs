//! Accounts of people and of other systems: passwords, sessions, signing keys, access tokens.

pub mod account;
pub mod failures;
pub mod password;
pub mod session;
pub mod signing_key;
pub mod token;

pub use self::token::Authenticator;
