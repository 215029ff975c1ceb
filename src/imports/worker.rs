//! Import workers: one turn at a time, each in a transaction with its rows, their results and the progress of
//! the import. A completed turn is never repeated, even after a crash.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, Set,
    sea_query::{LockBehavior, LockType},
};
use uuid::Uuid;

use super::{
    apply::{Applied, Applier, Done},
    dto::{Mode, Outcome, State},
    entity::{self, Column, Entity, Model, part, row},
    intake::MOST_ROWS_AT_ONCE,
    source::Source,
};
use crate::{
    accounts::account,
    http::contract::Contract,
    policy::Caller,
    problem::{Problem, problem_types},
    store::{Database, Transaction, bulk, connection},
    values::List,
};

/// Maximum duration of a turn, which ends after the current row: others wait for its locks.
const TURN: Duration = Duration::from_millis(300);
/// Number of failed rows after which the rest is skipped: the file must be of another kind, and a stored
/// result is longer than its row.
const MOST_FAILED: i64 = 10_000;
/// Polling interval of an idle worker.
const PAUSE: Duration = Duration::from_millis(500);
/// Number of waiting imports examined to find one without a worker.
const CANDIDATES: u64 = 16;

/// Works on all imports, as long as the process runs.
pub async fn work(db: Database, contract: actix_web::web::Data<Contract>) {
    loop {
        match connection::in_time(turn(&db, &contract, None)).await {
            Ok(true) => connection::let_others_write(&db).await,
            Ok(false) => tokio::time::sleep(PAUSE).await,
            Err(problem) => {
                tracing::warn!(%problem, "imports wait");
                tokio::time::sleep(2 * PAUSE).await;
            }
        }
    }
}

/// Works on one import until it ends, and reports the progress after each turn.
pub async fn work_on(
    id: Uuid,
    db: &Database,
    contract: &Contract,
    mut tell: impl FnMut(&Model),
) -> Result<Model, Problem> {
    loop {
        let is_mine = match turn(db, contract, Some(id)).await {
            Err(problem) if problem.is_temporary() => false,
            turn => turn?,
        };
        let import =
            Entity::find_by_id(id).one(db).await?.ok_or_else(|| Problem::new(&problem_types::NOT_FOUND))?;
        tell(&import);
        if import.state.is_final() {
            return Ok(import);
        }
        if !is_mine {
            // A server on the same database works on it, or the database is busy.
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Processes some rows of the import that has waited longest and has no other worker. Returns whether there
/// was one.
async fn turn(db: &Database, contract: &Contract, only: Option<Uuid>) -> Result<bool, Problem> {
    let open = Entity::find().filter(entity::is_open()).order_by_asc(Column::TouchedAt);
    let open = only.iter().fold(open, |open, id| open.filter(Column::Id.eq(*id))).limit(CANDIDATES);
    let mut away = None;
    for import in open.all(db).await? {
        let done = AssertUnwindSafe(Box::pin(turn_on(&import, db, contract))).catch_unwind().await;
        match done.unwrap_or_else(|_| Err(Problem::internal("an import has panicked"))) {
            Ok(true) => return Ok(true),
            Ok(false) => {}
            // An import that cannot continue for now does not block the others.
            Err(problem) if problem.is_temporary() => away = Some(problem),
            Err(problem) => {
                give_up(import.id, problem.code(), db).await?;
                return Ok(true);
            }
        }
    }
    away.map_or(Ok(false), Err)
}

/// Runs a turn; false if another worker is on it.
async fn turn_on(import: &Model, db: &Database, contract: &Contract) -> Result<bool, Problem> {
    let author = author(import, db).await?;
    let transaction = Transaction::begin(db, author, import.request_id.clone()).await?;
    let free = Entity::find_by_id(import.id).filter(entity::is_open());
    let claimed =
        free.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked).one(&*transaction).await;
    let outcome = match claimed {
        Ok(Some(import)) => Turn { import, contract, transaction: &transaction }.take().await.map(|()| true),
        Ok(None) => Ok(false),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(true) => transaction.commit().await.map(|()| true),
        other => {
            transaction.roll_back().await;
            other
        }
    }
}

/// The author of the rows: the current account, limited to the permissions it had when it sent the file.
async fn author(import: &Model, db: &Database) -> Result<Arc<Caller>, Problem> {
    if import.account_id.is_nil() {
        return Ok(Caller::service());
    }
    let forbidden = || Problem::new(&problem_types::FORBIDDEN);
    let account = account::Entity::find_by_id(import.account_id)
        .one(db)
        .await?
        .filter(account::Model::is_usable)
        .ok_or_else(forbidden)?;
    let caller = account.into_caller(|permission| import.permissions.0.contains(permission));
    if import.resource.is_open_to(|permission| caller.may(permission)) {
        Ok(Arc::new(caller))
    } else {
        Err(forbidden())
    }
}

/// Ends an import that cannot continue.
async fn give_up(id: Uuid, code: &str, db: &Database) -> Result<(), Problem> {
    let transaction = db.begin_to_write().await?;
    let ended = entity::ActiveModel {
        state: Set(State::Failed),
        problem: Set(Some(code.to_owned())),
        finished_at: Set(Some(crate::store::now())),
        ..Default::default()
    };
    let open = Entity::update_many().set(ended).filter(Column::Id.eq(id)).filter(entity::is_open());
    open.exec(&transaction).await?;
    drop_parts(id, &transaction).await?;
    Ok(transaction.commit().await?)
}

async fn drop_parts(id: Uuid, db: &impl ConnectionTrait) -> Result<(), DbErr> {
    part::Entity::delete_many().filter(part::Column::ImportId.eq(id)).exec(db).await.map(|_| ())
}

/// A turn at a locked import.
struct Turn<'a> {
    import: Model,
    contract: &'a Contract,
    transaction: &'a Transaction,
}

/// Reasons for a rollback.
enum Undone {
    /// It only validates, or is atomic and a row has failed.
    Rehearsed(Applied),
    Problem(Problem),
}

impl From<Problem> for Undone {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl Turn<'_> {
    async fn take(mut self) -> Result<(), Problem> {
        let (applied, is_kept) = if self.import.is_whole() {
            match self.transaction.savepoint(async |_| self.whole().await).await {
                Ok(applied) => (applied, true),
                Err(Undone::Rehearsed(applied)) => (applied, false),
                Err(Undone::Problem(problem)) => return Err(problem),
            }
        } else {
            (self.apply(TURN).await?, true)
        };
        self.note(&applied, is_kept);
        bulk::insert_all(&**self.transaction, self.told(applied, is_kept)).await?;
        if self.import.state.is_final() {
            drop_parts(self.import.id, &**self.transaction).await?;
        }
        let active = self.import.into_active_model().reset_all();
        Entity::update(active).exec(&**self.transaction).await?;
        Ok(())
    }

    /// Applies all rows; rolls back for a validation, or if one of them fails.
    async fn whole(&self) -> Result<Applied, Undone> {
        if self.import.mode == Mode::Validate {
            self.transaction.dry_run();
        }
        let all = self.apply(connection::longest_write(&**self.transaction)).await?;
        if all.end.bytes < self.import.bytes_total as usize || all.rows.len() > MOST_ROWS_AT_ONCE {
            return Err(Problem::new(&problem_types::TOO_MUCH_AT_ONCE).into());
        }
        let fails = all.rows.iter().any(|(_, done)| done.outcome == Outcome::Failed);
        if self.import.mode == Mode::Validate || fails { Err(Undone::Rehearsed(all)) } else { Ok(all) }
    }

    async fn apply(&self, longest: Duration) -> Result<Applied, Problem> {
        let until = Instant::now() + longest;
        let source = Source::new(&self.import, self.contract, self.transaction);
        Applier::new(&self.import, self.contract, self.transaction, until)?.apply(source).await
    }

    /// Updates the progress of the import.
    fn note(&mut self, applied: &Applied, is_kept: bool) {
        let now = self.transaction.now();
        let count = |outcome| applied.rows.iter().filter(|(_, done)| done.outcome == outcome).count() as i64;
        let import = &mut self.import;
        import.created += count(Outcome::Created);
        import.updated += count(Outcome::Updated);
        import.unchanged += count(Outcome::Unchanged);
        import.failed += count(Outcome::Failed);
        import.rows_done += applied.rows.len() as i64;
        (import.bytes_done, import.lines_done) = (applied.end.bytes as i64, applied.end.lines as i64);
        import.touched_at = now;
        import.started_at = import.started_at.or(Some(now));
        import.state = match import.bytes_done >= import.bytes_total {
            true if import.mode == Mode::Apply && !is_kept => State::Refused,
            true => State::Finished,
            false => State::Running,
        };
        if import.state == State::Running && import.failed > MOST_FAILED {
            import.state = State::Failed;
            import.problem = Some(problem_types::TOO_MANY_FAILED_ROWS.code.to_owned());
        }
        import.finished_at = import.state.is_final().then_some(now);
    }

    /// Results of the rows, as stored.
    fn told(&self, applied: Applied, is_kept: bool) -> Vec<row::ActiveModel> {
        let first = self.import.rows_done - applied.rows.len() as i64 + 1;
        let import = self.import.id;
        let told = |(number, (line, done)): (i64, (usize, Done))| {
            let is_there = is_kept || done.outcome != Outcome::Created;
            row::ActiveModel {
                import_id: Set(import),
                number: Set(number),
                line: Set(line as i64),
                reference: Set(done.key),
                outcome: Set(done.outcome),
                record_id: Set(done.record.filter(|_| is_there)),
                errors: Set(List(done.faults)),
            }
        };
        (first..).zip(applied.rows).map(told).collect()
    }
}
