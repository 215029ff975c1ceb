//! Storage: the connection, and the one way in which records change.
//!
//! A record changes through a [`Transaction`] only. It stamps version, time and author, and writes the entry
//! of the change log, the search terms and the external references with the row itself, so that no resource
//! can forget them. What SQLite and PostgreSQL do differently stands in this folder and nowhere else.

pub mod annals;
pub mod bulk;
pub mod change_log;
pub mod code;
pub mod connection;
pub mod decision;
pub mod earned_value;
pub mod external_ref;
pub mod fault;
pub mod feed;
pub mod files;
pub mod idempotent_answer;
pub mod known;
pub mod lock;
pub mod outbox;
pub mod past;
pub mod record;
pub mod revision;
pub mod search;
pub mod sql;
pub mod status_event;
pub mod transaction;
pub mod verify;

pub use annals::Annals;
pub use external_ref::ExternalRef;
pub use files::Files;
pub use past::{Past, Retrospective};
pub(crate) use record::record_table;
pub use record::{Columns, ColumnsMut, Input, Reading, Record, RecordInfo, visible_rows};
pub use sql::SqlKind;
pub use transaction::{Inserts, Transaction};

/// The present moment in UTC, cut to the microseconds that both databases keep.
pub fn now() -> chrono::DateTime<chrono::Utc> {
    use chrono::{SubsecRound, Utc};
    Utc::now().trunc_subsecs(6)
}
