//! Long reads: reports and point-in-time views. They have connections of their own, so that they never take
//! those of other reads; and each account has a limit, so that it cannot block others.
//!
//! The limit is per process, like that of requests: with N instances an account may run N times as many.

use std::{
    collections::HashMap,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sea_orm::{DatabaseTransaction, DbErr};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use super::{Database, connection, work::Work};
use crate::{
    config::DatabaseUrl,
    problem::{Problem, problem_types},
};

/// Maximum number of running long reads per account.
const RUNNING: usize = 2;
/// Maximum number of waiting ones besides.
const WAITING: usize = 4;
/// So long they do.
const PATIENCE: Duration = Duration::from_secs(10);
/// `Retry-After` in seconds.
const PAUSE: u64 = 10;

/// The long reads of this process.
#[derive(Debug)]
pub struct LongReads {
    db: Database,
    /// One permit per connection.
    places: Arc<Semaphore>,
    accounts: Arc<Accounts>,
}

/// Accounts with long reads.
#[derive(Debug, Default)]
struct Accounts(Mutex<HashMap<Uuid, Account>>);

/// An account and its long reads.
#[derive(Debug)]
struct Account {
    /// Number of reads requested, including running ones.
    asked: usize,
    turns: Arc<Semaphore>,
}

impl Accounts {
    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Account>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one more; none if the account has too many already.
    fn enter(self: &Arc<Self>, id: Uuid) -> Option<(Asked, Arc<Semaphore>)> {
        let mut accounts = self.lock();
        let account = accounts
            .entry(id)
            .or_insert_with(|| Account { asked: 0, turns: Arc::new(Semaphore::new(RUNNING)) });
        if account.asked >= RUNNING + WAITING {
            return None;
        }
        account.asked += 1;
        Some((Asked { accounts: self.clone(), id }, account.turns.clone()))
    }
}

/// A long read requested by an account; dropped when done.
#[derive(Debug)]
struct Asked {
    accounts: Arc<Accounts>,
    id: Uuid,
}

impl Drop for Asked {
    fn drop(&mut self) {
        let mut accounts = self.accounts.lock();
        if let Some(account) = accounts.get_mut(&self.id) {
            account.asked -= 1;
            if account.asked == 0 {
                accounts.remove(&self.id);
            }
        }
    }
}

impl LongReads {
    /// Opens a pool with this number of connections, made at first use.
    ///
    /// # Errors
    /// A file that is missing or cannot be opened (SQLite).
    pub async fn open(url: &DatabaseUrl, connections: u32) -> Result<Self, DbErr> {
        let db = connection::connect_to_read(url, connections).await?;
        Ok(Self { db, places: Arc::new(Semaphore::new(connections as usize)), accounts: Arc::default() })
    }

    /// Its connections.
    pub fn database(&self) -> Database {
        self.db.clone()
    }

    /// Begins a long read of an account, in its turn.
    ///
    /// # Errors
    /// 429 if the account has too many already, or its earlier ones have not ended in time; 503 if those of
    /// others have not, or the database does not answer.
    pub async fn begin(&self, account: Uuid) -> Result<LongRead, Problem> {
        let too_many = || Problem::new(&problem_types::TOO_MANY_LONG_READS).retry_after(PAUSE);
        let (asked, turns) = self.accounts.enter(account).ok_or_else(too_many)?;
        let end = tokio::time::Instant::now() + PATIENCE;
        let turn = tokio::time::timeout_at(end, turns.acquire_owned())
            .await
            .map_err(|_| too_many())?
            .map_err(Problem::internal)?;
        let place = tokio::time::timeout_at(end, self.places.clone().acquire_owned()).await;
        let place = place
            .map_err(|_| Problem::new(&problem_types::UNAVAILABLE).retry_after(PAUSE))?
            .map_err(Problem::internal)?;
        let (transaction, work) = connection::begin_long_read(&self.db).await?;
        Ok(LongRead { transaction, _work: work, turn: Turn { _place: place, _turn: turn, _asked: asked } })
    }
}

/// A long read: a transaction with one snapshot, and the turn of its account until dropped.
#[derive(Debug)]
pub struct LongRead {
    transaction: DatabaseTransaction,
    _work: Work,
    turn: Turn,
}

/// The turn of an account among the long reads. It outlasts the transaction while the answer is being made.
#[derive(Debug)]
pub struct Turn {
    _place: OwnedSemaphorePermit,
    _turn: OwnedSemaphorePermit,
    _asked: Asked,
}

impl LongRead {
    /// Ends the transaction, but keeps the turn.
    pub fn end(self) -> Turn {
        self.turn
    }
}

impl Deref for LongRead {
    type Target = DatabaseTransaction;

    fn deref(&self) -> &DatabaseTransaction {
        &self.transaction
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use sea_orm::{ConnectionTrait, DbBackend, Statement};

    use super::*;
    use crate::store::work;

    #[tokio::test]
    async fn a_long_read_goes_on_after_the_request_that_began_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let reads = LongReads::open(&format!("sqlite://{}", file.path().display()).parse().unwrap(), 1)
            .await
            .unwrap();
        let read = work::abandonable(reads.begin(Uuid::nil())).await.unwrap();
        let many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000) SELECT MAX(i) AS i FROM n";
        let row = read.query_one_raw(Statement::from_string(DbBackend::Sqlite, many)).await.unwrap();
        assert_eq!(row.unwrap().try_get::<i64>("", "i").unwrap(), 100_000);
    }

    #[tokio::test]
    async fn a_turn_outlasts_the_transaction_of_its_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let reads = LongReads::open(&format!("sqlite://{}", file.path().display()).parse().unwrap(), 1)
            .await
            .unwrap();
        let turn = reads.begin(Uuid::nil()).await.unwrap().end();
        assert!(reads.places.try_acquire().is_err(), "its place is taken while the answer is made");
        assert_eq!(reads.accounts.lock()[&Uuid::nil()].asked, 1);
        drop(turn);
        assert!(reads.places.try_acquire().is_ok() && reads.accounts.lock().is_empty());
        reads.begin(Uuid::nil()).await.unwrap();
    }

    #[test]
    fn an_account_has_so_many_and_is_forgotten_after_the_last() {
        let accounts = Arc::new(Accounts::default());
        let mut asked: Vec<_> =
            std::iter::repeat_with(|| accounts.enter(Uuid::nil())).take(RUNNING + WAITING).collect();
        assert!(asked.iter().all(Option::is_some));
        assert!(accounts.enter(Uuid::nil()).is_none(), "one more is too many");
        assert!(accounts.enter(Uuid::max()).is_some(), "another account has its own");
        asked.pop();
        assert!(accounts.enter(Uuid::nil()).is_some(), "there is room again");
        asked.clear();
        assert!(accounts.lock().is_empty());
    }
}
