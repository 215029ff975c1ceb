//! Sums over firms, and which of them may be known: alone, and together with all others that are known.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
};

use uuid::Uuid;

/// The fewest firms that a sum is published of (the threshold rule).
pub const FEWEST_FIRMS: usize = 3;

/// Maximum share of one firm in a published sum, in per cent: the (n, k) dominance rule with n = 1 and k =
/// 80.
pub const LARGEST_SHARE_PERCENT: i64 = 80;

/// A firm with a value. The same firm with another value, in a later quarter, is another entry.
#[derive(Clone, Copy, Debug)]
struct Entry {
    firm: u32,
    value: i64,
}

/// All firms with the values that they had in any quarter.
#[derive(Debug, Default)]
pub struct Ledger {
    firms: HashMap<Uuid, u32>,
    numbers: HashMap<(u32, i64), u32>,
    entries: Vec<Entry>,
}

impl Ledger {
    /// The number of a firm with a value of at least 0.
    pub fn enter(&mut self, firm: Uuid, value: i64) -> u32 {
        let next = self.firms.len() as u32;
        let firm = *self.firms.entry(firm).or_insert(next);
        *self.numbers.entry((firm, value)).or_insert_with(|| {
            self.entries.push(Entry { firm, value });
            self.entries.len() as u32 - 1
        })
    }

    /// The sum over some entries of one quarter.
    pub fn sum(&self, mut members: Vec<u32>) -> Sum {
        members.sort_unstable();
        let values = || members.iter().map(|member| self.entries[*member as usize].value);
        Sum { total: values().sum(), largest: values().max().unwrap_or(0), members }
    }

    /// Whether the difference of two sums reveals nothing about single firms: it is always 0, because the
    /// same firms have the same values in both; or it is of at least three firms, of which none contributes
    /// more than 80 per cent. The contribution of a firm is the change of its value.
    pub fn is_safe_difference(&self, one: &Sum, other: &Sum) -> bool {
        let mut changes: HashMap<u32, i64> = HashMap::new();
        let mut add = |member: u32, sign: i64| {
            let Entry { firm, value } = self.entries[member as usize];
            *changes.entry(firm).or_insert(0) += sign * value;
        };
        let (mut left, mut right) = (one.members.as_slice(), other.members.as_slice());
        loop {
            match (left.split_first(), right.split_first()) {
                (Some((a, rest)), Some((b, others))) if a == b => (left, right) = (rest, others),
                (Some((a, rest)), Some((b, _))) if a < b => {
                    add(*a, 1);
                    left = rest;
                }
                (Some((a, rest)), None) => {
                    add(*a, 1);
                    left = rest;
                }
                (_, Some((b, others))) => {
                    add(*b, -1);
                    right = others;
                }
                (None, None) => break,
            }
        }
        let values = || changes.values().map(|change| change.abs());
        changes.is_empty() || is_safe(changes.len(), values().max().unwrap_or(0), values().sum())
    }
}

/// Threshold and dominance. A sum of 0 is the value of each of its firms.
fn is_safe(firms: usize, largest: i64, total: i64) -> bool {
    firms >= FEWEST_FIRMS
        && total > 0
        && i128::from(largest) * 100 <= i128::from(total) * i128::from(LARGEST_SHARE_PERCENT)
}

/// The sum of a value over some firms in one quarter.
#[derive(Clone, Debug)]
pub struct Sum {
    /// The entries, in the order of their numbers.
    pub members: Vec<u32>,
    /// Total of their values.
    pub total: i64,
    largest: i64,
}

impl Sum {
    /// Whether it reveals nothing about single firms by itself.
    pub fn is_safe(&self) -> bool {
        is_safe(self.members.len(), self.largest, self.total)
    }
}

/// Publicly known sums: the published ones, and those minus their published parts, of all quarters.
#[derive(Debug, Default)]
pub struct Known {
    sums: Vec<Sum>,
    /// The sums that each entry is in.
    by_member: HashMap<u32, Vec<u32>>,
    /// The sums by the hash of their members, so that equal ones of two quarters are stored once.
    by_hash: HashMap<u64, Vec<u32>>,
}

impl Known {
    /// Number of known sums: for [`Known::forget_after`].
    pub fn len(&self) -> usize {
        self.sums.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.sums.is_empty()
    }

    /// Drops all sums except the first `count`.
    pub fn forget_after(&mut self, count: usize) {
        for sum in self.sums.drain(count..).rev() {
            for member in &sum.members {
                self.by_member.get_mut(member).and_then(Vec::pop);
            }
            self.by_hash.get_mut(&hash(&sum.members)).and_then(Vec::pop);
        }
    }

    /// Adds a sum without a check: one that is known already.
    pub fn add(&mut self, sum: Sum) {
        let (number, hash) = (self.sums.len() as u32, hash(&sum.members));
        let same = self.by_hash.entry(hash).or_default();
        if same.iter().any(|known| self.sums[*known as usize].members == sum.members) {
            return;
        }
        same.push(number);
        sum.members.iter().for_each(|member| self.by_member.entry(*member).or_default().push(number));
        self.sums.push(sum);
    }

    /// Adds a sum, unless it or its difference from a known one reveals something about single firms.
    pub fn admit(&mut self, sum: Sum, ledger: &Ledger) -> bool {
        let is_safe = sum.is_safe() && self.is_compatible(&sum, ledger);
        if is_safe {
            self.add(sum);
        }
        is_safe
    }

    /// Whether no difference from a known sum reveals anything about single firms. Two safe sums without a
    /// common entry are safe together.
    fn is_compatible(&self, sum: &Sum, ledger: &Ledger) -> bool {
        let mut common: HashMap<u32, usize> = HashMap::new();
        for number in sum.members.iter().filter_map(|member| self.by_member.get(member)).flatten() {
            *common.entry(*number).or_insert(0) += 1;
        }
        common.into_iter().all(|(number, common)| {
            let known = &self.sums[number as usize];
            // A firm is in a difference at most twice, so five entries are of at least three firms.
            let entries = sum.members.len() + known.members.len() - 2 * common;
            let (least, largest) = ((sum.total - known.total).abs(), sum.largest.max(known.largest));
            let is_surely_safe = entries >= 2 * FEWEST_FIRMS - 1
                && i128::from(largest) * 100 <= i128::from(least) * i128::from(LARGEST_SHARE_PERCENT);
            is_surely_safe || ledger.is_safe_difference(sum, known)
        })
    }
}

/// The same in every process.
fn hash(members: &[u32]) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(members)
}

/// The members of a sum that none of some parts of it has.
pub fn without<'a>(sum: &Sum, parts: impl Iterator<Item = &'a Sum>) -> Vec<u32> {
    let taken: HashSet<u32> = parts.flat_map(|part| part.members.iter().copied()).collect();
    sum.members.iter().copied().filter(|member| !taken.contains(member)).collect()
}
