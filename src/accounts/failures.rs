//! Protection against password guessing that never locks out the owner of an account.
//!
//! - After too many failed logins from one address, an account is closed for this address for the rest of 15
//!   minutes. Other addresses are not affected, so that nobody can lock out others. An IPv6 address counts by
//!   its /64, which belongs to one subscriber.
//! - After too many failures from any addresses, logins to the account are slowed by a growing delay; so are
//!   logins to any account from an address with many failures. A delay closes nothing.
//! - Logins of one account from one address are checked one at a time: concurrent ones do not count as
//!   failures, and many at once cannot bypass the limit.
//!
//! Names without an account are treated in the same way. Failures are stored in the database, so that they
//! count on all instances; while it takes no writes, in this process.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use moka::sync::Cache;
use sea_orm::{
    ActiveValue::Set,
    QueryOrder,
    entity::prelude::*,
    sea_query::{Condition, IntoCondition},
};
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use crate::{
    client::network_of,
    clock::new_id,
    config::Config,
    problem::{Problem, problem_types},
    store::{fault, now},
    values::hex,
};

/// A login that failed.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "login_failure")]
pub struct Model {
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Hash of the account's name, because people type passwords into the wrong field.
    pub subject: String,
    /// The hash of the address.
    pub address: Option<String>,
    /// Time of the failure.
    pub failed_at: DateTimeUtc,
}

/// No relations.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Time for which failures count.
const WINDOW: TimeDelta = TimeDelta::minutes(15);

/// Maximum time that a login waits for those before it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Initial delay. It doubles every [`STEP`] failures,
const FIRST_DELAY: Duration = Duration::from_millis(250);
const STEP: u64 = 5;

/// up to this maximum.
const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// Maximum number of delayed logins of an account at a time; further ones wait. So any number of addresses
/// can try only some passwords a second.
const DELAYED_AT_ONCE: usize = 16;

/// Minimum interval of log entries for an account closed for an address.
const TOLD_AGAIN: Duration = Duration::from_secs(60);

/// Logins in progress on this instance, and failures that could not be stored.
pub struct Attempts {
    turns: Cache<String, Arc<Mutex<()>>>,
    delayed: Cache<String, Arc<Semaphore>>,
    unwritten: Cache<String, Arc<AtomicU64>>,
    told: Cache<String, ()>,
}

impl Default for Attempts {
    fn default() -> Self {
        let window = WINDOW.to_std().unwrap_or_default();
        Self {
            turns: Cache::builder().max_capacity(100_000).time_to_idle(window).build(),
            delayed: Cache::builder().max_capacity(100_000).time_to_idle(window).build(),
            unwritten: Cache::builder().max_capacity(100_000).time_to_live(window).build(),
            told: Cache::builder().max_capacity(100_000).time_to_live(TOLD_AGAIN).build(),
        }
    }
}

/// A login whose secret may be looked at.
pub struct Attempt<'a> {
    here: &'a Attempts,
    names: Names,
    failures: u64,
    limit: u64,
    _turn: OwnedMutexGuard<()>,
    _delayed: Option<OwnedSemaphorePermit>,
}

/// Reason for refusing a login without checking its secret.
pub struct Closed {
    /// The answer: 429 with `Retry-After`.
    pub problem: Problem,
    /// Whether to add it to the security log.
    pub is_news: bool,
}

impl From<Problem> for Closed {
    fn from(problem: Problem) -> Self {
        Self { problem, is_news: false }
    }
}

impl From<DbErr> for Closed {
    fn from(error: DbErr) -> Self {
        Problem::from(error).into()
    }
}

/// Keys for counting failures.
struct Names {
    account: String,
    address: String,
    pair: String,
}

impl Names {
    fn of(username: &str, address: &str) -> Self {
        let account = hashed("account", &username.to_lowercase());
        let address = hashed("address", &network_of(address));
        Self { pair: format!("{account} {address}"), account, address }
    }

    fn of_pair(&self) -> Condition {
        Condition::all().add(Column::Subject.eq(&self.account)).add(Column::Address.eq(&self.address))
    }
}

impl Attempts {
    /// Waits for the turn of a login, and for its delay. 429 with `Retry-After` if the account is closed for
    /// the address, or too many wait.
    ///
    /// # Errors
    /// The login is refused, or the database does not answer.
    pub async fn begin(
        &self,
        db: &impl ConnectionTrait,
        config: &Config,
        username: &str,
        address: &str,
    ) -> Result<Attempt<'_>, Closed> {
        let names = Names::of(username, address);
        let turn = self.turns.get_with_by_ref(&names.pair, Arc::default).lock_owned();
        let turn = tokio::time::timeout(PATIENCE, turn).await.map_err(|_| too_many(1))?;
        let limit = config.login_failures_per_account;
        let of_pair = names.of_pair();
        let failures = count(db, of_pair.clone()).await? + self.unwritten(&names.pair);
        if failures >= limit {
            let oldest = recent(of_pair)
                .order_by_asc(Column::FailedAt)
                .one(db)
                .await?
                .map_or_else(now, |oldest| oldest.failed_at);
            let is_news = self.told.get(&names.pair).is_none();
            self.told.insert(names.pair, ());
            return Err(Closed { problem: too_many(seconds_left(oldest)), is_news });
        }
        let of_account =
            count(db, Column::Subject.eq(&names.account)).await? + self.unwritten(&names.account);
        let of_address =
            count(db, Column::Address.eq(&names.address)).await? + self.unwritten(&names.address);
        let pause = delay(of_account, limit).max(delay(of_address, config.login_failures_per_address));
        let delayed = if pause.is_zero() { None } else { Some(self.delay(&names, pause).await?) };
        Ok(Attempt { here: self, names, failures, limit, _turn: turn, _delayed: delayed })
    }

    async fn delay(&self, names: &Names, pause: Duration) -> Result<OwnedSemaphorePermit, Problem> {
        let places =
            self.delayed.get_with_by_ref(&names.account, || Arc::new(Semaphore::new(DELAYED_AT_ONCE)));
        let place = tokio::time::timeout(PATIENCE, places.acquire_owned())
            .await
            .map_err(|_| too_many(LONGEST_DELAY.as_secs()))?;
        tokio::time::sleep(pause).await;
        place.map_err(Problem::internal)
    }

    fn unwritten(&self, name: &str) -> u64 {
        self.unwritten.get(name).map_or(0, |count| count.load(Ordering::Relaxed))
    }
}

impl Attempt<'_> {
    /// Resets the failures of the account at this address after a login.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn succeeded(self, db: &impl ConnectionTrait) -> Result<(), Problem> {
        if self.failures == 0 {
            return Ok(());
        }
        self.here.unwritten.invalidate(&self.names.pair);
        match Entity::delete_many().filter(self.names.of_pair()).exec(db).await {
            Err(error) if fault::takes_no_writes(&error) => Ok(()),
            deleted => Ok(deleted.map(|_| ())?),
        }
    }

    /// Records a wrong secret; returns whether it closes the account for the address.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn failed(self, db: &impl ConnectionTrait) -> Result<bool, Problem> {
        let Names { account, address, pair } = &self.names;
        let row = ActiveModel {
            id: Set(new_id()),
            subject: Set(account.clone()),
            address: Set(Some(address.clone())),
            failed_at: Set(now()),
        };
        match Entity::insert(row).exec_without_returning(db).await {
            Err(error) if fault::takes_no_writes(&error) => {
                for name in [account, address, pair] {
                    self.here.unwritten.get_with_by_ref(name, Arc::default).fetch_add(1, Ordering::Relaxed);
                }
            }
            written => drop(written?),
        }
        let closes = self.failures + 1 >= self.limit;
        if closes {
            self.here.told.insert(pair.clone(), ());
        }
        Ok(closes)
    }
}

/// Delay of a login after so many failures, the first `free` of which cause none.
fn delay(failures: u64, free: u64) -> Duration {
    match failures.checked_sub(free) {
        None => Duration::ZERO,
        Some(more) => (FIRST_DELAY * 2_u32.pow((more / STEP).min(8) as u32)).min(LONGEST_DELAY),
    }
}

fn too_many(seconds: u64) -> Problem {
    Problem::new(&problem_types::TOO_MANY_FAILED_LOGINS).retry_after(seconds)
}

fn seconds_left(since: DateTime<Utc>) -> u64 {
    (since + WINDOW - now()).num_seconds().max(1).unsigned_abs()
}

fn recent(which: impl IntoCondition) -> Select<Entity> {
    Entity::find().filter(which).filter(Column::FailedAt.gte(now() - WINDOW))
}

async fn count(db: &impl ConnectionTrait, which: impl IntoCondition) -> Result<u64, DbErr> {
    recent(which).count(db).await
}

fn hashed(kind: &str, name: &str) -> String {
    let hash = Sha256::digest(name.as_bytes());
    format!("{kind}:{}", hex(&hash[..16]))
}

/// Deletes expired failures.
pub async fn forget_old(db: &impl ConnectionTrait) -> Result<u64, DbErr> {
    Ok(Entity::delete_many().filter(Column::FailedAt.lt(now() - WINDOW)).exec(db).await?.rows_affected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_and_end() {
        let seconds: Vec<_> = [0, 9, 10, 14, 15, 20, 25, 30, 35, 1_000]
            .map(|failures| delay(failures, 10).as_secs_f32())
            .into();
        assert_eq!(seconds, [0.0, 0.0, 0.25, 0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0]);
    }

    #[test]
    fn an_ipv6_address_counts_by_what_a_subscriber_has() {
        assert_eq!(network_of("2001:db8:1:2:3:4:5:6"), network_of("2001:db8:1:2::1"));
        assert_ne!(network_of("2001:db8:1:2::1"), network_of("2001:db8:1:3::1"));
        assert_eq!(network_of("::ffff:192.0.2.1"), network_of("192.0.2.1"));
        assert_ne!(network_of("192.0.2.1"), network_of("192.0.2.2"));
    }
}
