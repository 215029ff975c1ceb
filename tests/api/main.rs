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
mod assessments;
mod attachments;
mod attacks;
mod auth;
mod bad_input;
mod bad_requests;
mod baselines;
mod bucket;
mod cdas;
mod changes;
mod claims;
mod cluster_rules;
mod clusters;
mod command_line;
mod concurrency;
mod decisions;
mod demo;
mod enterprises;
mod every_role;
mod feasibility_studies;
mod field_day;
mod figures;
mod filters;
mod followers;
mod generate;
mod guide;
mod imports;
mod includes;
mod indicators;
mod joint_actions;
mod leads;
mod lineage;
mod lists;
mod measurements;
mod milestone_lists;
mod milestone_states;
mod milestones;
mod networks;
mod openapi;
mod operation;
mod organisations;
mod outage;
mod payments;
mod persian;
mod personal_data;
mod progress_reports;
mod project_parts;
mod project_states;
mod projects;
mod public;
mod random_walk;
mod reports;
mod resilience;
mod roles;
mod second_source;
mod story;
mod tokens;
mod users;
mod value_chain;
mod verify;
mod webhooks;
mod webhooks_instances;
mod webhooks_receivers;
mod webhooks_scopes;
