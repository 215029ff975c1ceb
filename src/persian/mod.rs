//! Persian data: the calendar, the comparison of texts, and the national identity numbers.
//!
//! This module is independent of HTTP and of tables. Text is stored as its source wrote it ([`text::nfc`]);
//! it is compared, made unique and searched through derived forms ([`text::fold`], [`text::key`],
//! [`text::words`]). A [`Date`] is a day; its calendar is chosen where it is written ([`calendar::using`]). A
//! [`PersianPeriod`] has a single written form, also in its column.

pub mod calendar;
pub mod period;
pub mod text;

pub use calendar::{Calendar, Date};
pub use period::{PersianPeriod, Quarter};
