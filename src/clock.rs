//! Current time and new ids, by a clock that all instances share: that of the database. Between two
//! synchronizations elapsed time is added, so that changes of the machine's clock have no effect.
//! `clippy.toml` bans other sources of either.

#![allow(clippy::disallowed_methods, reason = "this is the one place")]

use std::{
    sync::{
        Mutex, PoisonError, RwLock,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use uuid::{ContextV7, Timestamp, Uuid};

/// An answer of the shared clock.
#[derive(Clone, Copy)]
struct Comparison {
    at: Instant,
    told: DateTime<Utc>,
    /// Round-trip time of the answer: the time in it is uncertain by half of that.
    on_its_way: Duration,
}

/// The surest answer of late; none where there is no other clock than the machine's.
static COMPARED: RwLock<Option<Comparison>> = RwLock::new(None);

/// The last moment that was given, in microseconds since 1970.
static LAST: AtomicI64 = AtomicI64::new(0);

/// Smaller differences are due to the way to the database rather than to the clocks.
const NOTICED: Duration = Duration::from_millis(100);

/// Maximum drift of a machine's clock: one part in this many.
const DRIFT: u32 = 10_000;

/// Smaller corrections never turn the clock back: it slows down until it is right.
const SMALL: i64 = 1_000_000;

impl Comparison {
    fn now(self) -> DateTime<Utc> {
        self.told + delta(self.at.elapsed())
    }

    /// Present uncertainty, as the round-trip time of an equally certain answer.
    fn uncertain(self) -> Duration {
        self.on_its_way + self.at.elapsed() / DRIFT
    }
}

fn delta(passed: Duration) -> TimeDelta {
    TimeDelta::from_std(passed).unwrap_or_default()
}

fn compared() -> Option<Comparison> {
    *COMPARED.read().unwrap_or_else(PoisonError::into_inner)
}

/// Current time in UTC, truncated to the microseconds that both databases store. Strictly increasing, unless
/// the clock was set back by more than a second.
pub fn now() -> DateTime<Utc> {
    let now = compared().map_or_else(Utc::now, Comparison::now).trunc_subsecs(6);
    let micros = now.timestamp_micros();
    let next = |last: i64| if micros <= last && last - micros < SMALL { last + 1 } else { micros };
    let last =
        LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last))).unwrap_or_default();
    DateTime::from_timestamp_micros(next(last)).unwrap_or(now)
}

/// A new id (UUIDv7, RFC 9562), by the same clock: later ones of this process sort behind it.
pub fn new_id() -> Uuid {
    static COUNTER: Mutex<ContextV7> = Mutex::new(ContextV7::new());
    let now = now();
    let counter = COUNTER.lock().unwrap_or_else(PoisonError::into_inner);
    Uuid::new_v7(Timestamp::from_unix(
        &*counter,
        now.timestamp().unsigned_abs(),
        now.timestamp_subsec_nanos(),
    ))
}

/// Synchronizes with a time of the shared clock, whose answer took `on_its_way`. Returns by how much the
/// clock of this process was behind, if the difference is too large for the round trip.
pub fn compare(told: DateTime<Utc>, on_its_way: Duration) -> Option<TimeDelta> {
    let new = Comparison { at: Instant::now(), told: told + delta(on_its_way / 2), on_its_way };
    let old = compared();
    let behind = new.told - old.map_or_else(Utc::now, Comparison::now);
    let uncertain = on_its_way + old.map_or(Duration::ZERO, Comparison::uncertain);
    let is_noticed = behind.abs() >= delta(NOTICED.max(uncertain));
    if is_noticed || old.is_none_or(|old| on_its_way <= old.uncertain()) {
        *COMPARED.write().unwrap_or_else(PoisonError::into_inner) = Some(new);
    }
    is_noticed.then_some(behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_correction_never_turns_the_clock_back() {
        let first = now();
        compare(first - TimeDelta::milliseconds(50), Duration::ZERO);
        let (second, third) = (now(), now());
        assert!(first < second && second < third, "{first} {second} {third}");
        // An answer with a long round trip is less precise than the last one.
        assert_eq!(compare(third + TimeDelta::milliseconds(400), Duration::from_secs(1)), None);
        assert!(now() - third < TimeDelta::milliseconds(300));
    }

    #[test]
    fn ids_are_of_their_moment_and_in_its_order() {
        let (before, ids) = (now(), (0..1_000).map(|_| new_id()).collect::<Vec<_>>());
        assert!(ids.is_sorted_by(|one, next| one < next));
        let (seconds, nanoseconds) =
            ids[0].get_timestamp().map(|moment| moment.to_unix()).unwrap_or_default();
        let moment = DateTime::from_timestamp(seconds.cast_signed(), nanoseconds).unwrap_or_default();
        assert!((moment - before).abs() < TimeDelta::milliseconds(100), "{moment}, not {before}");
    }
}
