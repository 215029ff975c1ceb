//! Storage: database connections and [`Transaction`], the only way to change records.
//!
//! [`Transaction`] stamps version, time and author, and writes the change-log entry, the search terms and the
//! external references together with the row, so that no resource can omit them. All differences between
//! SQLite and PostgreSQL are handled in this folder.

mod author;
pub mod backup;
pub mod bulk;
pub mod change_log;
pub mod code;
pub mod connection;
pub mod database;
pub mod decision;
pub mod earned_value;
pub mod external_ref;
pub mod fault;
pub mod feed;
pub mod files;
pub mod history_seed;
pub mod idempotent_answer;
pub mod inspect;
pub mod lock;
pub mod long_read;
pub mod outbox;
pub mod personal;
pub mod point_in_time;
pub mod probe;
pub mod record;
pub mod registry;
pub mod restoration;
pub mod revision;
pub mod root;
pub mod schema;
pub mod sealed;
pub mod search;
pub mod secret;
pub mod security_event;
pub mod seen;
pub mod servers;
pub mod sql;
pub mod status_event;
pub mod temporal_relations;
pub mod transaction;
mod trust;
pub mod verify;
pub mod work;

pub use crate::clock::now;
pub use database::{Database, WriteTransaction};
pub use external_ref::ExternalRef;
pub use files::Files;
pub use history_seed::Annals;
pub use long_read::{LongRead, LongReads};
pub use point_in_time::{Past, Retrospective};
pub use record::{Columns, ColumnsMut, Fields, Include, Input, Reading, Record, RecordInfo, visible_rows};
pub use sql::{SortValue, SqlKind};
pub use transaction::{Inserts, Transaction};
