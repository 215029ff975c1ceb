//! What is Persian about the data: the calendar, the comparison of texts, and the national identity
//! numbers.
//!
//! Nothing here knows of HTTP or of tables. Text is kept as its source wrote it ([`text::nfc`]); it
//! is compared, made unique and searched through derived forms ([`text::fold`], [`text::key`],
//! [`text::words`]). A [`Date`] is a day; which calendar it is written in is decided where it is
//! written ([`calendar::using`]). A [`PersianPeriod`] is written in one way only, also in its column.

pub mod calendar;
pub mod period;
pub mod text;

pub use calendar::{Calendar, Date};
pub use period::{PersianPeriod, Quarter};
