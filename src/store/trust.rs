//! Trust in connections. A pool hands out no connection that may be in an open transaction unnoticed, that
//! its server may go on refusing, or whose file is no longer at the configured path.
//!
//! SQLite rolls back by itself when a disk is full or fails. sqlx 0.9 still counts an open transaction if the
//! rollback that follows fails too: the next `BEGIN` becomes a `SAVEPOINT`, the next `COMMIT` a `RELEASE`,
//! and nothing is committed.

use std::{
    collections::BTreeMap,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use sea_orm::{DatabaseConnection, DbErr, RuntimeErr};
use sqlx::{
    Connection, Executor, PgConnection, Postgres, Sqlite, pool::PoolOptions, sqlite::SqliteConnection,
};

use super::{fault, servers, work};
use crate::config::{DatabaseUrl, Wanted};

/// Trust in the connections to a database. All connections of the process to an embedded database share it.
#[derive(Debug, Default)]
pub struct Trust {
    state: Mutex<State>,
    /// The file of an embedded database.
    path: Option<PathBuf>,
    /// Held by the one that empties the log of connections which are being closed.
    emptying: tokio::sync::Mutex<()>,
}

/// Pools of one holder for a database.
#[derive(Debug)]
pub struct Pools {
    pub reads: DatabaseConnection,
    pub writes: DatabaseConnection,
}

#[derive(Debug, Default)]
struct State {
    /// Connections made before are dropped.
    since: Option<Instant>,
    file: Option<FileIdentity>,
    /// The file or its log was removed under open connections: no new ones are opened until all are closed.
    /// Writes through an open one are lost, and the last one to close deletes the log of the file that has
    /// replaced it.
    is_closing: bool,
    /// Number of open connections of each pool.
    open: Vec<Weak<AtomicUsize>>,
    pools: Vec<Weak<Pools>>,
    closed_at: Option<Instant>,
}

impl State {
    fn is_kept(&self, age: Duration) -> bool {
        self.since.is_none_or(|since| Instant::now().checked_sub(age).is_some_and(|made| made >= since))
    }
}

/// Idle time after which a connection may have been cut, and is checked.
const IDLE: Duration = Duration::from_secs(15);

/// Time within which a live, idle server answers.
const ANSWERS: Duration = Duration::from_millis(500);

/// Interval at which PostgreSQL checks that the client of a running statement is still connected, in
/// milliseconds.
const LOOKS: u32 = 250;

/// First version of PostgreSQL that supports this.
const LOOKS_SINCE: u32 = 140_000;

/// Number of instructions between two interrupt checks of SQLite: some thousand checks a second.
const INSTRUCTIONS: i32 = 10_000;

/// Maximum time for closing a connection.
const CLOSING: Duration = Duration::from_millis(200);

/// The files of an embedded database, by device and inode: the database itself, and its write-ahead log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileIdentity {
    database: (u64, u64),
    log: Option<(u64, u64)>,
}

impl FileIdentity {
    fn of(path: &Path) -> Option<Self> {
        let identity = |path: &Path| std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        Some(Self { database: identity(path)?, log: identity(Path::new(&log)) })
    }
}

impl Trust {
    /// Trust in a database.
    pub fn in_database(url: &DatabaseUrl) -> Arc<Self> {
        url.file().map_or_else(Arc::default, |path| Self::in_file(path.to_owned()))
    }

    fn in_file(path: PathBuf) -> Arc<Self> {
        static FILES: Mutex<BTreeMap<PathBuf, Weak<Trust>>> = Mutex::new(BTreeMap::new());
        let mut files = FILES.lock().unwrap_or_else(PoisonError::into_inner);
        files.retain(|_, trust| trust.strong_count() > 0);
        if let Some(trust) = files.get(&path).and_then(Weak::upgrade) {
            return trust;
        }
        let trust = Arc::new(Self { path: Some(path.clone()), ..Self::default() });
        files.insert(path, Arc::downgrade(&trust));
        trust
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tracks these connections for as long as they exist.
    pub fn watch(&self, pools: Pools) -> Arc<Pools> {
        let pools = Arc::new(pools);
        if self.path.is_some() {
            let mut state = self.state();
            state.pools.retain(|pools| pools.strong_count() > 0);
            state.pools.push(Arc::downgrade(&pools));
        }
        pools
    }

    /// Closes idle connections while all are being closed.
    pub fn let_go(&self) {
        if self.is_closing() {
            let watched: Vec<Arc<Pools>> = self.state().pools.iter().filter_map(Weak::upgrade).collect();
            for connections in watched.iter().flat_map(|pools| [&pools.reads, &pools.writes]) {
                let pool = connections.get_sqlite_connection_pool();
                // Each is checked when it is returned.
                while pool.try_acquire().is_some() {}
            }
        }
    }

    /// Distrusts all existing connections; each is closed at its next use.
    pub fn lose(&self) {
        let mut state = self.state();
        state.since = Some(Instant::now());
        // The log goes with the last of them.
        state.file = state.file.map(|file| FileIdentity { log: None, ..file });
    }

    /// The same after an error of beginning a transaction, unless the error does not concern the connection:
    /// there was none, or others write.
    pub fn lose_after(&self, error: &DbErr) {
        if !matches!(error, DbErr::ConnectionAcquire(_)) && !fault::is_busy(error) {
            self.lose();
        }
    }

    /// Returns a result unchanged; after an error that a connection may repeat, all are distrusted.
    pub fn observe<T>(&self, outcome: Result<T, DbErr>) -> Result<T, DbErr> {
        outcome.inspect_err(|error| {
            if fault::spoils_connections(error) {
                self.lose();
            }
        })
    }

    /// The file that the address names at present; none on a server.
    ///
    /// # Errors
    /// The file or its log is gone.
    pub fn present_file(&self) -> Result<Option<FileIdentity>, DbErr> {
        let Some(path) = &self.path else { return Ok(None) };
        let file = FileIdentity::of(path).filter(|_| !self.is_closing());
        file.map(Some).ok_or_else(|| self.moved())
    }

    /// The error of a file that is not the one that was opened.
    pub fn moved(&self) -> DbErr {
        DbErr::Conn(RuntimeErr::Internal("the file of the database was removed or replaced".to_owned()))
    }

    /// Whether all connections are to be closed before any is made again.
    pub fn is_closing(&self) -> bool {
        self.state().is_closing
    }

    /// Whether a connection of this age is still good.
    fn holds(&self, age: Duration) -> bool {
        let mut state = self.state();
        if let Some(path) = &self.path {
            let present = FileIdentity::of(path);
            let is_same = |file: FileIdentity| {
                present.is_some_and(|present| {
                    file.database == present.database && (file.log.is_none() || file.log == present.log)
                })
            };
            if !state.is_closing && !state.file.is_none_or(is_same) {
                tracing::error!(
                    "the file of the database or its log was removed or replaced while in use: all connections to it are closed"
                );
                state.is_closing = true;
            }
            if state.is_closing {
                return false;
            }
            if state.is_kept(age) {
                state.file = present;
            }
        }
        state.is_kept(age)
    }

    /// Whether a new connection may be used.
    fn admit(&self, open: &AtomicUsize) -> bool {
        let mut state = self.state();
        if state.is_closing {
            let others: usize =
                state.open.iter().filter_map(Weak::upgrade).map(|open| open.load(Ordering::Relaxed)).sum();
            if others > 0 || state.closed_at.is_some_and(|at| at.elapsed() < CLOSING) {
                return false;
            }
            tracing::warn!("the database is opened anew");
            (state.is_closing, state.file) = (false, None);
        }
        open.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// Checkpoints the log of a connection that is to be closed, if the log no longer exists under its name.
    /// SQLite does this when the last connection closes, but if several close at the same time each assumes
    /// that another is the last.
    async fn empty_log(&self, connection: &mut SqliteConnection) {
        if self.is_closing() {
            let _turn = self.emptying.lock().await;
            let emptied = async {
                connection.lock_handle().await?.remove_progress_handler();
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").await
            };
            if let Err(error) = emptied.await {
                tracing::warn!(%error, "a log that was removed or replaced while in use could not be written into the database");
            }
        }
    }

    fn dismiss(&self, open: &AtomicUsize) {
        open.fetch_sub(1, Ordering::Relaxed);
        self.state().closed_at = Some(Instant::now());
    }

    /// Pool options for PostgreSQL: no connections to an unsuitable server, and none kept with an open
    /// transaction.
    pub fn postgres(
        self: &Arc<Self>,
        options: PoolOptions<Postgres>,
        wanted: Wanted,
    ) -> PoolOptions<Postgres> {
        let options = options.after_connect(move |connection, _| {
            Box::pin(async move {
                let refused = || {
                    sqlx::Error::Protocol("this server is not what target_session_attrs asks for".to_owned())
                };
                if wanted != Wanted::PreferStandby && !servers::is_wanted(connection, wanted).await? {
                    return Err(refused());
                }
                end_with_connection(connection).await;
                Ok(())
            })
        });
        let trust = self.clone();
        let options = options.before_acquire(move |connection, about| {
            let holds = trust.holds(about.age);
            Box::pin(async move {
                if holds && about.idle_for >= IDLE {
                    connection.ping().await?;
                }
                Ok(holds)
            })
        });
        let trust = self.clone();
        options.after_release(move |connection, about| {
            let holds = trust.holds(about.age);
            Box::pin(async move {
                // A connection that still works for a cancelled request does not answer: closing it ends the
                // work. Nor does one that vanished, and a caller waiting for it would occupy its place in the
                // pool.
                let is_kept = holds && !connection.is_in_transaction();
                Ok(is_kept
                    && tokio::time::timeout(ANSWERS, connection.ping())
                        .await
                        .is_ok_and(|answered| answered.is_ok()))
            })
        })
    }

    /// Pool options for SQLite: writing connections are checked after each use. The others hold the log open,
    /// so that its identity can be checked; none is closed for being idle.
    pub fn sqlite(self: &Arc<Self>, options: PoolOptions<Sqlite>, writes: bool) -> PoolOptions<Sqlite> {
        let open = Arc::new(AtomicUsize::new(0));
        let mut state = self.state();
        state.open.retain(|open| open.strong_count() > 0);
        state.open.push(Arc::downgrade(&open));
        drop(state);
        let options = options.idle_timeout(None).max_lifetime(None);
        let (trust, count) = (self.clone(), open.clone());
        let options = options.after_connect(move |connection, _| {
            // A log created just now, after that of the others was removed, is not theirs.
            trust.holds(Duration::ZERO);
            let counted = trust.admit(&count).then(|| Counted {
                trust: trust.clone(),
                open: count.clone(),
                is_used: false,
            });
            let closing = || sqlx::Error::Protocol("the connections of before are being closed".to_owned());
            Box::pin(async move {
                let counted = counted.ok_or_else(closing)?;
                end_with_work(connection).await?;
                counted.goes_on();
                Ok(())
            })
        });
        let (trust, count) = (self.clone(), open.clone());
        let options = options.before_acquire(move |connection, about| {
            let (holds, counted) = (
                trust.holds(about.age),
                Counted { trust: trust.clone(), open: count.clone(), is_used: false },
            );
            Box::pin(async move {
                if holds {
                    end_with_work(connection).await?;
                    counted.goes_on();
                } else {
                    counted.trust.empty_log(connection).await;
                }
                Ok(holds)
            })
        });
        let trust = self.clone();
        options.after_release(move |connection, about| {
            let (trust, open) = (trust.clone(), open.clone());
            Box::pin(async move {
                let is_kept = is_at_rest(connection, writes).await.unwrap_or(false) && trust.holds(about.age);
                if !is_kept {
                    trust.empty_log(connection).await;
                    trust.dismiss(&open);
                }
                Ok(is_kept)
            })
        })
    }
}

/// An open connection about to be used; dropped if it is closed instead, also because its caller has gone.
struct Counted {
    trust: Arc<Trust>,
    open: Arc<AtomicUsize>,
    is_used: bool,
}

impl Counted {
    /// Marks it as used.
    fn goes_on(mut self) {
        self.is_used = true;
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if !self.is_used {
            self.trust.dismiss(&self.open);
        }
    }
}

/// Makes PostgreSQL end its work for a connection that is closed, by its holder or by the end of this
/// process: otherwise it notices only when it sends something. Servers that cannot do this end statements by
/// timeout.
async fn end_with_connection(connection: &mut PgConnection) {
    if connection.server_version_num().is_some_and(|version| version >= LOOKS_SINCE) {
        let set = sqlx::AssertSqlSafe(format!("SET client_connection_check_interval = {LOOKS}"));
        if let Err(error) = connection.execute(set).await {
            tracing::debug!(%error, "the server does not look for closed connections while it works");
        }
    }
}

/// Makes SQLite end the statements of a connection with the work that took it.
async fn end_with_work(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let mut handle = connection.lock_handle().await?;
    match work::present() {
        Some(work) => handle.set_progress_handler(INSTRUCTIONS, move || work.on()),
        None => handle.remove_progress_handler(),
    }
    Ok(())
}

/// Whether a connection is in no transaction: neither by sqlx's count nor, if it writes, by SQLite itself,
/// which refuses nested transactions.
async fn is_at_rest(connection: &mut SqliteConnection, writes: bool) -> Result<bool, sqlx::Error> {
    if writes && connection.execute("BEGIN; ROLLBACK").await.is_err() {
        return Ok(false);
    }
    if connection.is_in_transaction() {
        // A rollback may be pending.
        connection.ping().await?;
    }
    Ok(!connection.is_in_transaction())
}
