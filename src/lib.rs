//! Khoosheh (خوشه, "cluster"): the system of record for industrial-cluster development.
//!
//! Dependencies point one way: `main → cli → server → api → resources → http → accounts → store → policy →
//! persian`. Shared modules never import a resource; inside a resource, `mod → record → dto → entity`.

pub mod accounts;
pub mod api;
pub mod api_clients;
pub mod attachments;
pub mod backup;
pub mod cdas;
pub mod changes;
pub mod checks;
pub mod cli;
pub mod client;
pub mod clock;
pub mod clusters;
pub mod config;
pub mod decisions;
pub mod demo;
pub mod documentation;
pub mod enterprises;
pub mod erasures;
pub mod history;
pub mod http;
pub mod imports;
pub mod indicators;
pub mod industries;
pub mod lifecycle;
pub mod measurements;
pub mod milestones;
pub mod operation;
pub mod organisations;
pub mod payments;
pub mod persian;
pub mod personal;
pub mod policy;
pub mod presentation;
pub mod problem;
pub mod progress_reports;
pub mod projects;
pub mod provinces;
pub mod public;
pub mod reports;
pub mod security_events;
pub mod server;
pub mod sign_in;
pub mod statistics;
pub mod store;
pub mod users;
pub mod values;
pub mod webhooks;
