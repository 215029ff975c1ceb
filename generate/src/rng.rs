//! Reproducible randomness, and ids made of it.

use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use uuid::{Builder, Uuid};

use khoosheh::{
    persian::text,
    personal::{LegalId, NationalCode},
};

/// A seeded random generator, also of unique ids.
pub struct Rng {
    rng: StdRng,
    ids: u32,
    people: u32,
    firms: u32,
}

impl Rng {
    /// The same seed gives the same values.
    pub fn new(seed: u64) -> Self {
        Self { rng: StdRng::seed_from_u64(seed), ids: 0, people: 0, firms: 0 }
    }

    /// A number within bounds.
    pub fn between(&mut self, bounds: RangeInclusive<i64>) -> i64 {
        self.rng.random_range(bounds)
    }

    /// The same of 32 bits.
    pub fn int(&mut self, bounds: RangeInclusive<i32>) -> i32 {
        self.rng.random_range(bounds)
    }

    /// True with a probability in per cent.
    pub fn percent(&mut self, times: i64) -> bool {
        self.between(1..=100) <= times
    }

    /// One of several.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.rng.random_range(0..of.len())]
    }

    /// The place of one of several, by their weights.
    pub fn weighted(&mut self, weights: &[u32]) -> usize {
        let mut at = self.rng.random_range(0..weights.iter().sum::<u32>().max(1));
        weights
            .iter()
            .position(|weight| at.checked_sub(*weight).map(|rest| at = rest).is_none())
            .unwrap_or_default()
    }

    /// An id of version 7 (RFC 9562) of a moment, to the microsecond. Of two ids of one moment the later one
    /// is the greater.
    pub fn id(&mut self, at: DateTime<Utc>) -> Uuid {
        self.ids += 1;
        let millis = u64::try_from(at.timestamp_millis()).unwrap_or_default();
        // The twelve bits after the version are the fraction of the millisecond; after the variant come a
        // counter and random bits.
        let fraction = u64::from(at.timestamp_subsec_micros() % 1_000) * 4_096 / 1_000;
        let tail = u128::from(fraction) << 64
            | u128::from(self.ids) << 30
            | u128::from(self.rng.random::<u32>() >> 2);
        let bytes = tail.to_be_bytes();
        let mut rest = [0; 10];
        rest.copy_from_slice(&bytes[6..]);
        Builder::from_unix_timestamp_millis(millis, &rest).into_uuid()
    }

    /// A number that rises.
    pub fn count(&mut self) -> u32 {
        self.ids += 1;
        self.ids
    }

    /// A new national code.
    pub fn national_code(&mut self) -> NationalCode {
        self.people += 1;
        NationalCode(checked(format!("{:09}", 410_000_000 + self.people * 37), text::is_national_code))
    }

    /// The national id of a firm that is not there yet.
    pub fn legal_id(&mut self) -> LegalId {
        self.firms += 1;
        LegalId(checked(format!("14{:08}", 10_000_000 + self.firms * 11), text::is_legal_id))
    }
}

/// A number with its check digit.
fn checked(body: String, is_right: fn(&str) -> bool) -> String {
    let digits = (0..10).map(|digit| format!("{body}{digit}"));
    digits.into_iter().find(|number| is_right(number)).unwrap_or(body)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn ids_rise_with_time_and_are_of_version_7() {
        let (mut rng, mut before) = (Rng::new(1), Uuid::nil());
        for micros in [0, 0, 1, 999, 1_000, 1_000, 5_000_000] {
            let at = DateTime::from_timestamp_micros(1_400_000_000_000_000 + micros).unwrap();
            let id = rng.id(at);
            assert!(
                id > before && id.get_version_num() == 7 && id.get_variant() == uuid::Variant::RFC4122,
                "{id}"
            );
            before = id;
        }
    }

    #[test]
    fn identities_are_valid_and_differ() {
        let mut rng = Rng::new(1);
        let codes: std::collections::BTreeSet<_> = (0..1_000).map(|_| rng.national_code().0).collect();
        let ids: std::collections::BTreeSet<_> = (0..1_000).map(|_| rng.legal_id().0).collect();
        assert_eq!((codes.len(), ids.len()), (1_000, 1_000));
        assert!(codes.iter().all(|code| text::is_national_code(code)));
        assert!(ids.iter().all(|id| text::is_legal_id(id)));
    }

    #[test]
    fn weights_are_kept() {
        let mut rng = Rng::new(1);
        let mut counts = [0; 3];
        for _ in 0..10_000 {
            counts[rng.weighted(&[1, 0, 9])] += 1;
        }
        assert!(counts[1] == 0 && (800..1_200).contains(&counts[0]), "{counts:?}");
    }
}
