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
mod api_clients;
mod attacks;
mod auth;
mod bad_input;
mod bad_requests;
mod cdas;
mod claims;
mod cluster_rules;
mod clusters;
mod command_line;
mod concurrency;
mod every_role;
mod figures;
mod filters;
mod includes;
mod leads;
mod lists;
mod milestone_lists;
mod milestone_states;
mod milestones;
mod openapi;
mod operation;
mod organisations;
mod outage;
mod persian;
mod personal_data;
mod project_parts;
mod project_states;
mod projects;
mod reports;
mod resilience;
mod roles;
mod tokens;
mod users;
