//! The part of the change log that was visible at a moment.
//!
//! On PostgreSQL this is a snapshot: the transactions that had ended by then. A snapshot that is stored
//! outside of the database needs a second bound, the number of its newest entry. A server that crashes, or
//! one that takes over from it, may reuse the numbers of transactions that were rolled back shortly before: a
//! rollback does not wait for the disk or a standby. The snapshot would count the new ones as seen. Numbers
//! of entries are not reused after one that exists: the WAL advances the sequence before it commits an entry.
//! A snapshot stored in the database, as those of webhooks are, needs no such bound: its own commit follows
//! the ends of all transactions that it saw, and is lost if they are.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::sql::Composer;

/// Maximum number of running transactions in a snapshot, so that a cursor stays short. Later ones count as
/// not yet seen.
const MOST_RUNNING: usize = 100;

/// The part of the log that was visible at a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Seen {
    /// All before is seen.
    pub(super) first_unseen: i64,
    /// Nothing from here on is seen.
    pub(super) next: i64,
    /// Transactions in between that were still running.
    running: Vec<i64>,
    /// The number of the newest entry that was seen; none where the snapshot is kept in the database.
    pub(super) newest: Option<i64>,
}

/// The text is not a snapshot.
#[derive(Debug)]
pub struct NotSeen;

impl fmt::Display for NotSeen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this does not say what was seen")
    }
}

impl From<Seen> for String {
    fn from(seen: Seen) -> Self {
        seen.to_string()
    }
}

impl TryFrom<String> for Seen {
    type Error = NotSeen;

    fn try_from(text: String) -> Result<Self, NotSeen> {
        text.parse()
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.snapshot())?;
        self.newest.map_or(Ok(()), |newest| write!(f, ":{newest}"))
    }
}

impl FromStr for Seen {
    type Err = NotSeen;

    fn from_str(text: &str) -> Result<Self, NotSeen> {
        let number = |text: &str| text.parse::<i64>().ok().filter(|number| *number >= 0).ok_or(NotSeen);
        let parts: Vec<_> = text.split(':').collect();
        let (first_unseen, next, running, newest) = match parts[..] {
            [first_unseen, next, running] => (first_unseen, next, running, None),
            [first_unseen, next, running, newest] => (first_unseen, next, running, Some(number(newest)?)),
            _ => return Err(NotSeen),
        };
        let running =
            running.split(',').filter(|part| !part.is_empty()).map(number).collect::<Result<Vec<_>, _>>()?;
        let seen = Self { first_unseen: number(first_unseen)?, next: number(next)?, running, newest };
        let in_between = |running: &i64| (seen.first_unseen..seen.next).contains(running);
        let is_sound = seen.first_unseen <= seen.next
            && seen.running.is_sorted_by(|a, b| a < b)
            && seen.running.iter().all(in_between);
        if is_sound { Ok(seen) } else { Err(NotSeen) }
    }
}

impl Seen {
    /// In the format of `pg_snapshot`, without the newest entry, as stored in the database.
    pub fn snapshot(&self) -> String {
        let running = self.running.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
        format!("{}:{}:{running}", self.first_unseen, self.next)
    }

    /// The same with as many running transactions as it may name, where it names more.
    pub(super) fn shortened(&self) -> Option<Self> {
        let next = *self.running.get(MOST_RUNNING)?;
        Some(Self { next, running: self.running[..MOST_RUNNING].to_vec(), ..self.clone() })
    }
}

/// The condition that an entry `c` was seen at one moment, and not at an earlier one.
pub(super) fn is_seen(sql: &mut Composer, until: &Seen, since: Option<&Seen>) -> String {
    let next = sql.bind(until.next);
    if !sql.is_postgres() {
        let since = since.map(|since| format!(" AND c.seq >= {}", sql.bind(since.next))).unwrap_or_default();
        return format!("c.seq < {next}{since}");
    }
    // The first comparison is for the index.
    let until = format!("c.transaction_id < {next} AND {}", was_visible(sql, until));
    let Some(since) = since else { return until };
    let is_later = may_be_later(sql, since);
    format!("{until} AND NOT ({}) AND {is_later}", was_visible(sql, since))
}

/// The condition that an entry `c` was visible in a snapshot (PostgreSQL).
fn was_visible(sql: &mut Composer, seen: &Seen) -> String {
    let snapshot = sql.bind(seen.snapshot());
    let newest = seen.newest.map(|newest| format!("c.seq <= {} AND ", sql.bind(newest))).unwrap_or_default();
    format!(
        "{newest}pg_visible_in_snapshot(CAST(CAST(c.transaction_id AS text) AS xid8), CAST({snapshot} AS pg_snapshot))"
    )
}

/// Indexable condition that holds for each entry `c` that was not visible in a snapshot (PostgreSQL).
fn may_be_later(sql: &mut Composer, seen: &Seen) -> String {
    let first = format!("c.transaction_id >= {}", sql.bind(seen.first_unseen));
    seen.newest.map_or_else(|| first.clone(), |newest| format!("({first} OR c.seq > {})", sql.bind(newest)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_was_seen_comes_back_as_it_went() {
        for text in ["10:10:", "10:20:10,14,15", "0:1:", "10:20:10,14,15:7", "1:1::0"] {
            assert_eq!(text.parse::<Seen>().unwrap().to_string(), text);
        }
        for wrong in [
            "",
            "10",
            "10:9:",
            "10:20:9",
            "10:20:20",
            "10:20:14,12",
            "10:20:x",
            "-1:2:",
            "1:2:1:",
            "1:2::-1",
            "1:2:1:3:4",
        ] {
            assert!(wrong.parse::<Seen>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_kept_in_the_database_is_a_snapshot() {
        assert_eq!("10:20:10,14:7".parse::<Seen>().unwrap().snapshot(), "10:20:10,14");
    }

    #[test]
    fn a_snapshot_of_many_transactions_ends_before_the_last_of_them() {
        let of = |count: i64| {
            let running: Vec<_> = (0..count).map(|number| (10 + number * 2).to_string()).collect();
            format!("10:1000:{}:7", running.join(",")).parse::<Seen>().unwrap()
        };
        assert_eq!(of(100).shortened(), None);
        let shorter = of(101).shortened().unwrap();
        assert_eq!((shorter.next, shorter.running.len(), shorter.running.last()), (210, 100, Some(&208)));
        assert_eq!(shorter.to_string().parse::<Seen>().unwrap(), shorter, "it is sound");
    }
}
