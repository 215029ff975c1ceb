//! The tables of Khoosheh: one file per change, each with the way up and the way down, in plain SQL.
//!
//! A statement is written once for both databases. What they spell differently stands in braces and is
//! filled in by [`spell`], so that this file is the only place of the crate that knows which one is there.

#![allow(missing_docs)]

pub use sea_orm_migration::prelude::{MigratorTrait, SchemaManager};
use sea_orm_migration::{
    prelude::{DbErr, MigrationTrait, async_trait},
    sea_orm::{ConnectionTrait, DbBackend},
};

mod m20261123_000001_code_lists;
mod m20261123_000002_accounts;
mod m20261123_000003_records;
mod m20261123_000004_clusters;
mod m20261124_000005_organisations;
mod m20261124_000006_cdas;
mod m20261124_000007_projects;
mod m20261124_000008_milestones;
mod m20261124_000009_decisions;
mod m20261124_000010_cluster_side;
mod m20261124_000011_enterprises;
mod m20261124_000012_attachments;
mod m20261124_000013_indicators;
mod m20261124_000014_measurements;
mod m20261124_000015_payments;
mod m20261124_000016_progress_reports;
mod m20261124_000017_baselines;
mod m20261124_000018_joint_actions;
mod m20261124_000019_revisions;
mod m20261124_000020_open_milestones;
mod m20261124_000021_earned_value;
mod m20261128_000022_known_versions;
mod m20261128_000023_claims_of_provinces;
mod m20261128_000024_summaries_by_days;
mod m20261128_000025_imports;
mod m20261128_000026_webhooks;
mod m20261129_000027_webhook_grants;
mod m20261130_000028_service_secrets;
mod m20261130_000029_restorations;
mod m20261130_000030_write_probe;
mod m20261130_000031_checksums_of_answers;
mod m20261130_000034_short_terms;
mod m20261130_000035_personal_values_breaking;
mod m20261130_000036_codes_in_provinces;
mod m20261130_000039_signing_keys;
mod m20261130_000040_security_events;
mod m20261130_000041_history_of_all;
mod m20261130_000042_published_statistics;
mod m20261130_000044_own_sessions;

/// How the name of a migration ends after which programs of before cannot serve the database.
pub const BREAKING: &str = "_breaking";

/// Every change of the tables, oldest first.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261123_000001_code_lists::Migration),
            Box::new(m20261123_000002_accounts::Migration),
            Box::new(m20261123_000003_records::Migration),
            Box::new(m20261123_000004_clusters::Migration),
            Box::new(m20261124_000005_organisations::Migration),
            Box::new(m20261124_000006_cdas::Migration),
            Box::new(m20261124_000007_projects::Migration),
            Box::new(m20261124_000008_milestones::Migration),
            Box::new(m20261124_000009_decisions::Migration),
            Box::new(m20261124_000010_cluster_side::Migration),
            Box::new(m20261124_000011_enterprises::Migration),
            Box::new(m20261124_000012_attachments::Migration),
            Box::new(m20261124_000013_indicators::Migration),
            Box::new(m20261124_000014_measurements::Migration),
            Box::new(m20261124_000015_payments::Migration),
            Box::new(m20261124_000016_progress_reports::Migration),
            Box::new(m20261124_000017_baselines::Migration),
            Box::new(m20261124_000018_joint_actions::Migration),
            Box::new(m20261124_000019_revisions::Migration),
            Box::new(m20261124_000020_open_milestones::Migration),
            Box::new(m20261124_000021_earned_value::Migration),
            Box::new(m20261128_000022_known_versions::Migration),
            Box::new(m20261128_000023_claims_of_provinces::Migration),
            Box::new(m20261128_000024_summaries_by_days::Migration),
            Box::new(m20261128_000025_imports::Migration),
            Box::new(m20261128_000026_webhooks::Migration),
            Box::new(m20261129_000027_webhook_grants::Migration),
            Box::new(m20261130_000028_service_secrets::Migration),
            Box::new(m20261130_000029_restorations::Migration),
            Box::new(m20261130_000030_write_probe::Migration),
            Box::new(m20261130_000031_checksums_of_answers::Migration),
            Box::new(m20261130_000034_short_terms::Migration),
            Box::new(m20261130_000035_personal_values_breaking::Migration),
            Box::new(m20261130_000036_codes_in_provinces::Migration),
            Box::new(m20261130_000039_signing_keys::Migration),
            Box::new(m20261130_000040_security_events::Migration),
            Box::new(m20261130_000041_history_of_all::Migration),
            Box::new(m20261130_000042_published_statistics::Migration),
            Box::new(m20261130_000044_own_sessions::Migration),
        ]
    }
}

/// The columns that every record has: identity, version, who and when, tombstone, and the hash of its
/// newest history entry.
const RECORD: &str = "
    id {uuid} PRIMARY KEY,
    version bigint NOT NULL,
    created_at {timestamp} NOT NULL,
    created_by {uuid} NOT NULL,
    updated_at {timestamp} NOT NULL,
    updated_by {uuid} NOT NULL,
    deleted_at {timestamp},
    external_refs {json} NOT NULL,
    history_hash text NOT NULL";

/// Runs SQL statements, separated by `;`, in the words of the connected database.
pub(crate) async fn run(manager: &SchemaManager<'_>, sql: &str) -> Result<(), DbErr> {
    for statement in sql.split(';').map(str::trim).filter(|s| !s.is_empty()) {
        let statement = spell(manager.get_database_backend(), statement);
        manager.get_connection().execute_unprepared(&statement).await?;
    }
    Ok(())
}

/// `{key}` is text that compares and sorts by bytes, the same on both databases.
fn spell(backend: DbBackend, sql: &str) -> String {
    let postgres = backend == DbBackend::Postgres;
    [
        ("record", RECORD, RECORD),
        ("uuid", "uuid", "blob"),
        ("timestamp", "timestamptz", "timestamp_text"),
        ("date", "date", "date_text"),
        ("json", "jsonb", "json_text"),
        ("bytes", "bytea", "blob"),
        ("double", "double precision", "double"),
        ("key", "text COLLATE \"C\"", "text"),
        // PostgreSQL hands out sequence numbers before the commit: a reader of the log needs the transaction
        // too.
        (
            "transaction",
            "bigint NOT NULL DEFAULT (pg_current_xact_id()::text::bigint)",
            "bigint NOT NULL DEFAULT 0",
        ),
        ("with_changed_at", " INCLUDE (changed_at)", ""),
        ("counter", "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "integer PRIMARY KEY AUTOINCREMENT"),
    ]
    .iter()
    .fold(sql.to_owned(), |text, (name, on_postgres, on_sqlite)| {
        text.replace(&format!("{{{name}}}"), if postgres { on_postgres } else { on_sqlite })
    })
}

/// Declares a migration from its two scripts.
macro_rules! migration {
    (up: $up:expr, down: $down:expr) => {
        #[derive(sea_orm_migration::prelude::DeriveMigrationName)]
        pub struct Migration;

        #[sea_orm_migration::prelude::async_trait::async_trait]
        impl sea_orm_migration::prelude::MigrationTrait for Migration {
            async fn up(
                &self,
                manager: &crate::SchemaManager,
            ) -> Result<(), sea_orm_migration::prelude::DbErr> {
                crate::run(manager, $up).await
            }

            async fn down(
                &self,
                manager: &crate::SchemaManager,
            ) -> Result<(), sea_orm_migration::prelude::DbErr> {
                crate::run(manager, $down).await
            }

            fn use_transaction(&self) -> Option<bool> {
                Some(true)
            }
        }
    };
}
pub(crate) use migration;
