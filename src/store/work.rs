//! Cancellable database work.
//!
//! The caller of the work holds it. When it is dropped, because the client has gone, the time is up or the
//! server stops, its running statement is ended. SQLite runs a statement on a thread of this process and asks
//! every few instructions whether to continue: it asks the work that took the connection. PostgreSQL needs
//! none of this: it ends a statement whose connection is closed (`trust.rs`), and one that takes too long by
//! itself.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

tokio::task_local! {
    static PRESENT: Arc<Goes>;
}

/// Some work; its end is the end of its statements.
#[derive(Debug)]
#[must_use = "work that is dropped is abandoned"]
pub(super) struct Work(Arc<Goes>);

/// Whether some work continues.
#[derive(Debug)]
pub(super) struct Goes {
    is_abandoned: AtomicBool,
    until: Option<Instant>,
    /// The work of which this is a part.
    whole: Option<Arc<Self>>,
}

impl Goes {
    /// Whether somebody waits for it, and it has time left.
    pub(super) fn on(&self) -> bool {
        !self.is_abandoned.load(Ordering::Relaxed)
            && self.until.is_none_or(|until| Instant::now() < until)
            && self.whole.as_ref().is_none_or(|whole| whole.on())
    }
}

impl Work {
    /// Begins work with an optional time limit, as part of the current work of this task.
    pub(super) fn begin(limit: Option<Duration>) -> Self {
        Self::within(present(), limit)
    }

    /// Begins work that may outlive the current work of this task: its holder may hand it on.
    pub(super) fn apart(limit: Duration) -> Self {
        Self::within(None, Some(limit))
    }

    fn within(whole: Option<Arc<Goes>>, limit: Option<Duration>) -> Self {
        let until = limit.map(|limit| Instant::now() + limit);
        Self(Arc::new(Goes { is_abandoned: AtomicBool::new(false), until, whole }))
    }

    /// Runs a part of the work: connections taken meanwhile, also in another task, belong to it.
    pub(super) fn part<T>(&self, part: impl Future<Output = T>) -> impl Future<Output = T> {
        PRESENT.scope(self.0.clone(), part)
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.0.is_abandoned.store(true, Ordering::Relaxed);
    }
}

/// The work that is under way in this task.
pub(super) fn present() -> Option<Arc<Goes>> {
    PRESENT.try_with(Clone::clone).ok()
}

/// Runs a future in another task as part of the current work.
pub(super) fn carried<T>(part: impl Future<Output = T>) -> impl Future<Output = T> {
    let present = present();
    async move {
        match present {
            Some(work) => PRESENT.scope(work, part).await,
            None => part.await,
        }
    }
}

/// Runs cancellable work: its statements end when it is dropped.
pub async fn abandonable<T>(work: impl Future<Output = T>) -> T {
    let whole = Work::begin(None);
    whole.part(work).await
}

/// The same with a time limit.
pub(super) async fn limited<T>(limit: Duration, work: impl Future<Output = T>) -> T {
    let whole = Work::begin(Some(limit));
    whole.part(work).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use sea_orm::{ConnectionTrait, DbBackend, Statement};

    use super::*;
    use crate::{problem::Problem, store::connection};

    #[tokio::test]
    async fn a_part_ends_with_the_whole_and_with_its_time() {
        let whole = Work::begin(None);
        let (part, late) = whole.part(async { (Work::begin(None), Work::begin(Some(Duration::ZERO))) }).await;
        assert!(part.0.on());
        assert!(!late.0.on(), "its time is up");
        assert!(present().is_none(), "nothing is under way outside");
        drop(whole);
        assert!(!part.0.on(), "the whole is abandoned");
    }

    #[tokio::test]
    async fn sqlite_ends_a_statement_whose_time_is_up() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let db = connection::connect(&format!("sqlite://{}", file.path().display()).parse().unwrap(), 1)
            .await
            .unwrap();
        let slow = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000000) SELECT MAX(i) FROM n";
        let statement = |sql| Statement::from_string(DbBackend::Sqlite, sql);
        let begun = Instant::now();
        let error = limited(Duration::from_millis(200), db.query_one_raw(statement(slow))).await.unwrap_err();
        assert!(begun.elapsed() < Duration::from_millis(1_500), "after {:?}", begun.elapsed());
        assert!(Problem::from(error).is_temporary(), "a 503, and no 500");
        assert!(db.query_one_raw(statement("SELECT 1")).await.unwrap().is_some(), "the connection goes on");
        db.close().await.unwrap();
    }
}
