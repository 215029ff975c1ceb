//! The database of the service: separate pools for reading and for writing, so that waiting writers block no
//! readers, and write transactions.

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult, IsolationLevel,
    QueryResult, RuntimeErr, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
    prelude::async_trait::async_trait,
};
use sqlx::Executor;

use super::{
    fault,
    trust::{FileIdentity, Pools, Trust},
    work::{self, Work},
};

/// Statement timeout: a longer statement would outlive its request.
pub(super) const STATEMENT_TIMEOUT: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 30 });

/// Two connection pools. Statements run directly on the database read.
#[derive(Clone, Debug)]
pub struct Database {
    pools: Arc<Pools>,
    trust: Arc<Trust>,
}

impl Database {
    pub(super) fn new(reads: DatabaseConnection, writes: DatabaseConnection, trust: Arc<Trust>) -> Self {
        let pools = Pools { reads, writes };
        Self { pools: trust.watch(pools), trust }
    }

    /// Closes the idle connections of this process to an embedded database while all are being closed.
    pub fn let_go(&self) {
        self.trust.let_go();
    }

    /// The same with one pool for all purposes, and single statements that may write: for a single user.
    pub fn unguarded(self) -> Self {
        Self::new(self.pools.writes.clone(), self.pools.writes.clone(), self.trust)
    }

    /// Directs all new connections to another server, and drops the existing ones.
    pub(super) fn move_to(&self, host: &str, port: u16) {
        let mut is_moved = false;
        for connections in [&self.pools.reads, &self.pools.writes] {
            let pool = connections.get_postgres_connection_pool();
            let options = pool.connect_options();
            if options.get_host() != host || options.get_port() != port {
                tracing::warn!(host, port, "the database is reached at another server from now on");
                pool.set_connect_options(options.as_ref().clone().host(host).port(port));
                is_moved = true;
            }
        }
        if is_moved {
            self.trust.lose();
        }
    }

    /// Drops all existing connections.
    pub(super) fn give_up(&self) {
        self.trust.lose();
    }

    /// Connections for reading, which the database itself prevents from writing.
    pub fn reads(&self) -> &DatabaseConnection {
        &self.pools.reads
    }

    /// Begins a transaction that reads.
    ///
    /// # Errors
    /// No connection could be had.
    pub async fn begin_to_read(
        &self,
        isolation_level: Option<IsolationLevel>,
    ) -> Result<DatabaseTransaction, DbErr> {
        self.begin(&self.pools.reads, TransactionOptions { isolation_level, ..Default::default() }).await
    }

    /// Begins in a separate task: sqlx 0.9 does not count a transaction cancelled while it begins, and would
    /// hand its connection to others while it is open (sqlx issue 4385). A connection that could not begin
    /// may be in any state.
    async fn begin(
        &self,
        connections: &DatabaseConnection,
        options: TransactionOptions,
    ) -> Result<DatabaseTransaction, DbErr> {
        let connections = connections.clone();
        let begun =
            tokio::spawn(work::carried(async move { connections.begin_with_options(options).await })).await;
        let begun = begun.unwrap_or_else(|error| Err(DbErr::Conn(RuntimeErr::Internal(error.to_string()))));
        begun.inspect_err(|error| self.trust.lose_after(error))
    }

    /// Single statements that write.
    pub fn writes(&self) -> Writes<'_> {
        Writes { connections: &self.pools.writes, trust: &self.trust }
    }

    /// The connections for writing themselves.
    pub fn write_connections(&self) -> &DatabaseConnection {
        &self.pools.writes
    }

    fn check(&self) -> Result<(), DbErr> {
        Ok(())
    }

    async fn observe<T>(&self, statement: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
        self.trust.observe(work::limited(STATEMENT_TIMEOUT, statement).await)
    }

    /// Closes all connections.
    ///
    /// # Errors
    /// A connection that could not be closed in order.
    pub async fn close(self) -> Result<(), DbErr> {
        self.pools.reads.close_by_ref().await?;
        self.pools.writes.close_by_ref().await
    }

    /// Begins a write transaction. A deferred SQLite transaction that starts to write later would fail
    /// instead of waiting for its turn.
    ///
    /// # Errors
    /// No connection is available, or the database takes no writes.
    pub async fn begin_to_write(&self) -> Result<WriteTransaction, DbErr> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        let work = Work::begin(None);
        let inner = work.part(self.begin(&self.pools.writes, options)).await?;
        let file = self.trust.present_file()?;
        Ok(WriteTransaction {
            inner,
            trust: self.trust.clone(),
            file,
            is_lost: AtomicBool::new(false),
            _work: work,
        })
    }
}

/// Single statements that write, each in a transaction of its own.
#[derive(Debug)]
pub struct Writes<'a> {
    connections: &'a DatabaseConnection,
    trust: &'a Trust,
}

impl Writes<'_> {
    fn check(&self) -> Result<(), DbErr> {
        Ok(())
    }

    async fn observe<T>(&self, statement: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
        self.trust.observe(work::limited(STATEMENT_TIMEOUT, statement).await)
    }

    /// Runs a maintenance statement, such as `VACUUM`, which may take long and runs outside of transactions.
    ///
    /// # Errors
    /// The database refuses it, or does not answer.
    pub async fn maintain(&self, statement: String) -> Result<(), DbErr> {
        if self.connections.get_database_backend() == DbBackend::Sqlite {
            return self.trust.observe(self.connections.execute_unprepared(&statement).await).map(|_| ());
        }
        let failed = |error: sqlx::Error| DbErr::Exec(RuntimeErr::SqlxError(error.into()));
        let mut connection =
            self.connections.get_postgres_connection_pool().acquire().await.map_err(failed)?;
        connection.execute("SET statement_timeout = 0").await.map_err(failed)?;
        let outcome = connection.execute(sqlx::AssertSqlSafe(statement)).await.map_err(failed);
        connection.execute("RESET statement_timeout").await.map_err(failed)?;
        outcome.map(|_| ())
    }
}

/// A write transaction. Commits go to the file at the configured address.
///
/// After an error on which SQLite may have rolled back by itself
/// (<https://www.sqlite.org/lang_transaction.html>, "Response To Errors Within A Transaction"), all later
/// statements fail too: they would be written outside of any transaction.
#[derive(Debug)]
pub struct WriteTransaction {
    inner: DatabaseTransaction,
    trust: Arc<Trust>,
    file: Option<FileIdentity>,
    is_lost: AtomicBool,
    _work: Work,
}

impl WriteTransaction {
    /// Commits durably.
    ///
    /// # Errors
    /// Nothing may be acknowledged: the database may have refused the commit, or its file is no longer at its
    /// address.
    pub async fn commit(self) -> Result<(), DbErr> {
        self.check()?;
        let committed = self.inner.commit().await;
        committed.inspect_err(|_| self.trust.lose())?;
        if self.file == self.trust.present_file()? { Ok(()) } else { Err(self.trust.moved()) }
    }

    /// Rolls back, so that others can go on before the caller is answered: a transaction that is only dropped
    /// keeps its locks until its connection is used again.
    pub async fn roll_back(self) {
        if let Err(error) = self.inner.rollback().await {
            self.trust.lose();
            tracing::warn!(%error, "a transaction was not rolled back; its connection is given up");
        }
    }

    /// Fails if the transaction may have ended.
    fn check(&self) -> Result<(), DbErr> {
        if self.is_lost.load(Ordering::Relaxed) {
            return Err(DbErr::Conn(RuntimeErr::Internal(
                "the database has taken the transaction back".to_owned(),
            )));
        }
        Ok(())
    }

    async fn observe<T>(&self, statement: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
        let outcome = statement.await;
        if outcome.as_ref().is_err_and(fault::may_roll_back) {
            self.is_lost.store(true, Ordering::Relaxed);
        }
        self.trust.observe(outcome)
    }
}

impl Deref for WriteTransaction {
    type Target = DatabaseTransaction;

    fn deref(&self) -> &DatabaseTransaction {
        &self.inner
    }
}

/// Forwards statements to a field, and inspects the errors.
macro_rules! observed {
    ($type:ty, $($inner:ident).+) => {
        #[async_trait]
        impl ConnectionTrait for $type {
            fn get_database_backend(&self) -> DbBackend {
                self.$($inner).+.get_database_backend()
            }

            async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
                self.check()?;
                self.observe(self.$($inner).+.execute_raw(statement)).await
            }

            async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
                self.check()?;
                self.observe(self.$($inner).+.execute_unprepared(sql)).await
            }

            async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
                self.check()?;
                self.observe(self.$($inner).+.query_one_raw(statement)).await
            }

            async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
                self.check()?;
                self.observe(self.$($inner).+.query_all_raw(statement)).await
            }
        }
    };
}

observed!(Database, pools.reads);
observed!(Writes<'_>, connections);
observed!(WriteTransaction, inner);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::store::connection;

    use sea_orm::ConnectionTrait;

    /// For PostgreSQL, a test of the service covers this.
    #[tokio::test]
    async fn upkeep_of_sqlite_takes_as_long_as_it_takes() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let db = connection::connect(&format!("sqlite://{}", file.path().display()).parse().unwrap(), 1)
            .await
            .unwrap();
        let slow = |name: &str| {
            let numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 12000000) SELECT MAX(i) AS i FROM n";
            format!("CREATE TABLE {name} AS {numbers}")
        };
        assert!(
            db.writes().execute_unprepared(&slow("limited")).await.is_err(),
            "a statement of this length is ended"
        );
        db.writes().maintain(slow("upkeep")).await.unwrap();
        db.close().await.unwrap();
    }
}
