//! Logging in and out (OAuth 2), and the sessions of the caller.

pub mod endpoints;
mod grants;
mod own_sessions;
