//! The registry: all kinds of record that have a history. The floors above the resources list them
//! (`api.rs`), and hand the list down as data of the application.

use std::ops::Deref;

use super::verify::Kind;

/// All kinds of record.
pub struct Registry(pub Vec<Kind>);

impl Deref for Registry {
    type Target = [Kind];

    fn deref(&self) -> &[Kind] {
        &self.0
    }
}
