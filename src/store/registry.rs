//! The registry: all kinds of record that have a history, and the OpenAPI document. The floors above the
//! resources make it (`api.rs`), and hand it down as data of the application.

use std::ops::Deref;

use serde_json::Value;

use super::verify::Kind;

/// All kinds of record, and the document that describes their operations.
pub struct Registry {
    /// The kinds of record.
    pub kinds: Vec<Kind>,
    /// The OpenAPI document.
    pub document: &'static Value,
}

impl Deref for Registry {
    type Target = [Kind];

    fn deref(&self) -> &[Kind] {
        &self.kinds
    }
}
