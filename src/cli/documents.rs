//! `khoosheh openapi` and `khoosheh states`: documents that need neither configuration nor database.

use std::io::Write;

use super::Outcome;
use crate::api;

/// The OpenAPI document.
pub fn openapi() -> Outcome {
    Ok(writeln!(std::io::stdout(), "{:#}", api::document())?)
}

/// The tables and diagrams of states.
pub fn states() -> Outcome {
    Ok(write!(std::io::stdout(), "{}", api::states_document())?)
}
