//! Amounts held concurrently, such as connections per address or bytes per account. Each is released when
//! dropped.
//!
//! They are per instance, like the resources that they limit: sockets, memory and temporary files.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The amounts that each key holds. A key that holds nothing is forgotten.
#[derive(Debug)]
pub struct Tally<K: Eq + Hash>(Mutex<HashMap<K, u64>>);

impl<K: Eq + Hash> Default for Tally<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash> Tally<K> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nothing is held.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }
}

impl<K: Eq + Hash + Clone> Tally<K> {
    /// An amount of nothing, which may grow.
    pub fn begin(self: &Arc<Self>, key: K) -> Held<K> {
        Held { tally: self.clone(), key, amount: 0 }
    }

    /// Takes an amount for a key; none if `fits` returns false for what the key already holds.
    pub fn take(self: &Arc<Self>, key: K, amount: u64, fits: impl FnOnce(u64) -> bool) -> Option<Held<K>> {
        let mut held = self.begin(key);
        held.grow(amount, fits).then_some(held)
    }
}

/// An amount of a key.
#[derive(Debug)]
pub struct Held<K: Eq + Hash> {
    tally: Arc<Tally<K>>,
    key: K,
    amount: u64,
}

impl<K: Eq + Hash> Held<K> {
    /// The amount held.
    pub fn amount(&self) -> u64 {
        self.amount
    }

    /// Releases a part.
    pub fn release(&mut self, amount: u64) {
        self.amount -= amount;
        let mut all = self.tally.lock();
        let Some(held) = all.get_mut(&self.key) else { return };
        *held -= amount;
        if *held == 0 {
            all.remove(&self.key);
        }
    }
}

impl<K: Eq + Hash + Clone> Held<K> {
    /// Takes more; false if `fits` returns false for what else the key holds.
    pub fn grow(&mut self, more: u64, fits: impl FnOnce(u64) -> bool) -> bool {
        let mut all = self.tally.lock();
        let held = all.get(&self.key).copied().unwrap_or_default();
        let grows = fits(held - self.amount);
        // An announced length may be any number.
        let more = more.min(u64::MAX - held);
        if grows && more > 0 {
            all.insert(self.key.clone(), held + more);
            self.amount += more;
        }
        grows
    }
}

impl<K: Eq + Hash> Drop for Held<K> {
    fn drop(&mut self) {
        self.release(self.amount);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn amounts_are_held_by_key_and_given_back() {
        let tally = Arc::new(Tally::default());
        let mut first = tally.take("a", 3, |others| others == 0).unwrap();
        let second = tally.take("a", u64::MAX, |others| others == 3).unwrap();
        assert_eq!(second.amount(), u64::MAX - 3);
        assert!(tally.take("a", 1, |others| others < 4).is_none());
        assert!(tally.take("b", 1, |others| others == 0).is_some());
        drop(second);
        assert!(first.grow(2, |others| others == 0));
        first.release(4);
        assert!(tally.take("a", 0, |others| others == 1).is_some());
        drop(first);
        assert!(tally.is_empty());
    }
}
