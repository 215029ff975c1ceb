//! The tests of the API: conversations with the running service, on SQLite and on PostgreSQL.
//!
//! Every answer that a [`support::Client`] gets is held against the OpenAPI document.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod conform;
mod process;
mod raw;
mod support;
mod sweep;

mod access;
mod attacks;
mod auth;
mod bad_input;
mod bad_requests;
mod claims;
mod cluster_rules;
mod clusters;
mod command_line;
mod concurrency;
mod filters;
mod includes;
mod lists;
mod openapi;
mod operation;
mod outage;
mod persian;
mod reports;
mod resilience;
mod tokens;
mod users;
