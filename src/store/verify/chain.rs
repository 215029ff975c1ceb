//! The chain of one record.

use super::{Row, change_log};

/// A broken chain link: the first bad version and the fault.
#[derive(Debug)]
pub struct BrokenLink {
    pub(super) version: i64,
    pub(super) what: String,
}

impl BrokenLink {
    pub(super) fn at(version: i64, what: impl Into<String>) -> Self {
        Self { version, what: what.into() }
    }
}

/// The verified part of a record's chain.
#[derive(Debug, Default)]
pub struct Chain {
    version: i64,
    hash: String,
}

impl Chain {
    /// Checks the next entry: consecutive version, hash of the previous entry, and its own hash.
    pub fn add(&mut self, entry: &change_log::Model) -> Result<(), BrokenLink> {
        let version = self.version + 1;
        if entry.version < version {
            return Err(BrokenLink::at(entry.version, "versions begin with 1"));
        }
        if entry.version > version {
            return Err(BrokenLink::at(version, "the entry is missing"));
        }
        if entry.previous_hash != self.hash {
            return Err(BrokenLink::at(version, "the entry does not carry the hash of the one before"));
        }
        if entry.compute_hash() != entry.hash {
            return Err(BrokenLink::at(version, "the hash is not that of what the entry says"));
        }
        *self = Self { version, hash: entry.hash.clone() };
        Ok(())
    }

    /// Whether it has an entry, and its last one is that of this hash.
    pub fn ends_in(&self, hash: &str) -> bool {
        self.version > 0 && self.hash == hash
    }

    /// The version of its last entry.
    pub(super) fn version(&self) -> i64 {
        self.version
    }

    /// Checks that the record has the version and the hash of its newest entry.
    pub(super) fn check_end(&self, row: &Row) -> Result<(), BrokenLink> {
        let last = self.version;
        match row.version {
            version if version > last => Err(BrokenLink::at(last + 1, "the entry is missing")),
            version if version < last => {
                Err(BrokenLink::at(last, format!("the record itself is in version {version}")))
            }
            _ if !self.ends_in(&row.history_hash) => {
                Err(BrokenLink::at(last, "the record itself carries another hash"))
            }
            _ => Ok(()),
        }
    }
}
