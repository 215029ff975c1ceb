//! How one answer is written, or one input read: calendar, language, and the right to clear text.

use std::cell::Cell;

use sea_orm::{DeriveActiveEnum, EnumIter, prelude::StringLen};
use serde::{Deserialize, Serialize};

/// A calendar in which dates are read and written; the `calendar` parameter of a request.
#[derive(
    Clone, Copy, Debug, Default, Eq, Hash, PartialEq, EnumIter, DeriveActiveEnum, Deserialize, Serialize,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum Calendar {
    /// The proleptic Gregorian calendar of ISO 8601.
    #[default]
    Gregorian,
    /// The Persian (solar Hijri) calendar, official in Iran.
    Persian,
}

/// The language of titles and details. `code` never depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// Persian, which is also the answer to a request that states no preference.
    #[default]
    Persian,
    /// English.
    English,
}

/// Calendar, language, and whether personal data is in clear.
///
/// serde passes no context to `Serialize` and `Deserialize`, so the presentation is in a thread-local. This is
/// sound because the work within it is an ordinary closure: it cannot await, so it begins and ends on this
/// thread without another request in between. A future that it merely creates runs later, and is not affected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Presentation {
    /// The calendar of dates.
    pub calendar: Calendar,
    /// The language of sentences.
    pub language: Language,
    /// Whether personal data is in clear; masked otherwise.
    pub in_clear: bool,
}

thread_local! {
    static CURRENT: Cell<Presentation> = const {
        Cell::new(Presentation { calendar: Calendar::Gregorian, language: Language::Persian, in_clear: false })
    };
    static SHOWN: Cell<u64> = const { Cell::new(0) };
}

impl Presentation {
    /// The innermost one on this thread; outside of any: Gregorian, Persian, masked.
    pub fn current() -> Self {
        CURRENT.get()
    }

    /// Runs `work` in this presentation. The one before is restored when `work` returns or panics.
    pub fn within<T>(self, work: impl FnOnce() -> T) -> T {
        struct Restore(Presentation);
        impl Drop for Restore {
            fn drop(&mut self) {
                CURRENT.set(self.0);
            }
        }
        let _earlier = Restore(CURRENT.replace(self));
        work()
    }

    /// The same; returns the number of personal values that were shown in clear too.
    pub fn counted<T>(self, work: impl FnOnce() -> T) -> (T, u64) {
        let before = SHOWN.replace(0);
        let done = self.within(work);
        (done, SHOWN.replace(before))
    }
}

/// Counts a personal value that is shown in clear.
pub fn count_shown() {
    SHOWN.set(SHOWN.get() + 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_within_is_shown_so_and_counted_by_itself() {
        let persian = Presentation { calendar: Calendar::Persian, in_clear: true, ..Presentation::default() };
        let ((), outer) = persian.counted(|| {
            count_shown();
            let ((), inner) = Presentation::default().counted(|| {
                assert_eq!(Presentation::current(), Presentation::default());
                count_shown();
                count_shown();
            });
            assert_eq!((inner, Presentation::current()), (2, persian));
        });
        assert_eq!((outer, Presentation::current()), (1, Presentation::default()));
    }

    #[test]
    fn a_panic_leaves_nothing_in_clear() {
        let clear = Presentation { in_clear: true, ..Presentation::default() };
        let panicked = std::panic::catch_unwind(|| clear.within(|| assert_eq!(1, 2, "on purpose")));
        assert!(panicked.is_err() && !Presentation::current().in_clear);
    }
}
