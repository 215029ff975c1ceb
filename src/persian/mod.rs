//! What is Persian about the data: the calendar, the comparison of texts, and the national identity
//! numbers.
//!
//! Nothing here knows of HTTP or the store. Text is kept as its source wrote it ([`text::nfc`]); it
//! is compared, made unique and searched through derived forms ([`text::fold`], [`text::key`],
//! [`text::words`]). A [`Date`] is a day; which calendar it is written in is decided where it is
//! written ([`calendar::using`]).

pub mod calendar;
pub mod text;

pub use calendar::{Calendar, Date};
