//! Khoosheh (خوشه, "cluster"): the system of record for industrial-cluster development.
//!
//! Dependencies point one way: `main → server → api → resources → {http, auth, store, persian}`. Shared
//! modules never import a resource; inside a resource, `mod → dto → entity`.

pub mod api;
pub mod api_clients;
pub mod auth;
pub mod cdas;
pub mod clusters;
pub mod config;
pub mod demo;
pub mod http;
pub mod industries;
pub mod lifecycle;
pub mod milestones;
pub mod operation;
pub mod organisations;
pub mod persian;
pub mod personal;
pub mod projects;
pub mod provinces;
pub mod reports;
pub mod server;
pub mod store;
pub mod users;
pub mod values;
