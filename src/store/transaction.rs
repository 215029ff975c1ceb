//! Transactions: the only way to change records.

use std::{
    any::Any,
    collections::{BTreeSet, HashMap},
    ops::Deref,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use chrono::{DateTime, Utc};
use indexmap::IndexSet;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect, Statement,
    StatementBuilder,
    sea_query::{Alias, Expr, ExprTrait, LockType, Query, SelectStatement},
};
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::{
    Database, Record, WriteTransaction, bulk,
    change_log::{self, ChangeKind, Entry},
    earned_value::summary,
    external_ref, fault, lock, now,
    personal::{self, keys::Keyring},
    record::{Unique, visible_rows},
    search,
    security_event::{self, Origin},
};
use crate::{
    checks,
    clock::new_id,
    policy::Caller,
    problem::{Problem, problem_types},
};

/// A transaction with its author, time and request.
pub struct Transaction {
    inner: WriteTransaction,
    author: Arc<Caller>,
    request_id: String,
    now: DateTime<Utc>,
    moved: Mutex<BTreeSet<Uuid>>,
    /// Names of the locks held, in the order of locking.
    locks: Mutex<IndexSet<String>>,
    /// Whether it must roll back.
    is_rehearsal: AtomicBool,
    /// Origin of the request, for the security log.
    origin: Origin,
    /// Security events to record at commit.
    events: Mutex<Vec<security_event::Model>>,
    /// Cache of [`Transaction::referred`], used while records with the same references are created together.
    /// Its records are locked until the end.
    found: Mutex<Option<Found>>,
    /// Keys of personal values, loaded at first use.
    keyring: OnceCell<Keyring>,
}

/// PostgreSQL has room for 6,400 locks of all transactions by default. A transaction that can end does so at
/// this many,
const MANY_LOCKS: usize = 1_000;
/// and has at most this many.
const MOST_LOCKS: usize = 3_000;

type Found = HashMap<Uuid, Box<dyn Any + Send>>;

/// Insert statements, each with the unique indexes of its table.
#[derive(Default)]
pub struct Inserts(Vec<(Statement, &'static [Unique])>);

impl Inserts {
    fn add<A: ActiveModelTrait>(
        &mut self,
        db: &impl ConnectionTrait,
        rows: Vec<A>,
        unique: &'static [Unique],
    ) -> Result<(), DbErr> {
        let statements = bulk::inserts(db.get_database_backend(), rows)?;
        self.0.extend(statements.into_iter().map(|statement| (statement, unique)));
        Ok(())
    }
}

impl Deref for Transaction {
    type Target = WriteTransaction;

    fn deref(&self) -> &WriteTransaction {
        &self.inner
    }
}

impl Transaction {
    /// Begins a write transaction.
    pub async fn begin(db: &Database, author: Arc<Caller>, request_id: String) -> Result<Self, Problem> {
        let inner = db.begin_to_write().await?;
        Ok(Self {
            inner,
            author,
            origin: Origin { request_id: request_id.clone(), ..Origin::default() },
            events: Mutex::default(),
            request_id,
            now: now(),
            moved: Mutex::default(),
            locks: Mutex::default(),
            is_rehearsal: AtomicBool::new(false),
            found: Mutex::default(),
            keyring: OnceCell::new(),
        })
    }

    /// Begins a write transaction for a request with an origin.
    pub fn from(self, origin: Origin) -> Self {
        Self { origin, ..self }
    }

    /// A security event caused by the author of the transaction.
    pub fn event(&self, kind: security_event::Kind) -> security_event::Model {
        security_event::Model::new(kind, &self.origin).by(&self.author, &self.origin)
    }

    /// Adds a security event, recorded at commit.
    pub fn note(&self, event: security_event::Model) {
        self.events().push(event);
    }

    fn events(&self) -> MutexGuard<'_, Vec<security_event::Model>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Updates the summaries, records the security events, and commits.
    pub async fn commit(self) -> Result<(), Problem> {
        let moved = self.moved.into_inner().unwrap_or_default();
        summary::refresh(&self.inner, &moved).await?;
        let events = self.events.into_inner().unwrap_or_else(PoisonError::into_inner);
        security_event::insert(&self.inner, events.clone()).await?;
        self.inner.commit().await?;
        events.iter().for_each(security_event::Model::tell);
        Ok(())
    }

    /// Rolls back, so that others can go on before the caller is answered.
    pub async fn roll_back(self) {
        self.inner.roll_back().await;
    }

    /// The keys of personal values.
    pub async fn keyring(&self) -> Result<&Keyring, Problem> {
        self.keyring.get_or_try_init(|| Keyring::of(&self.inner)).await
    }

    /// Creates the commitments of a row before it is written.
    async fn commit_to<R: Record>(
        &self,
        row: &mut R,
        before: Option<&R>,
    ) -> Result<Vec<personal::ActiveModel>, Problem> {
        if personal::fields(R::RESOURCE).is_empty() {
            return Ok(Vec::new());
        }
        if personal::names_another(row, before) && !self.author.may(crate::personal::PERMISSION) {
            // The existence of a record with this number is personal data too.
            return Err(Problem::insufficient_scope(&[crate::personal::PERMISSION]));
        }
        let keyring = self.keyring().await?;
        let kept = personal::commit(keyring, row, before)?;
        if row.deleted_at().is_none() && personal::is_taken(&self.inner, keyring, row).await? {
            let duplicate = Problem::new(&problem_types::DUPLICATE);
            return Err(R::UNIQUE
                .iter()
                .fold(duplicate, |problem, unique| problem.violation(unique.violation())));
        }
        Ok(kept)
    }

    /// Time of the write.
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// Id of the request.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// The author.
    pub fn author(&self) -> &Caller {
        &self.author
    }

    /// Locks everything that belongs to a record until the end of the transaction.
    pub async fn lock<R: Record>(&self, id: Uuid) -> Result<(), Problem> {
        self.lock_named(R::RESOURCE, id).await
    }

    /// The same for a record of which only the kind is known.
    pub async fn lock_named(&self, resource: &str, id: Uuid) -> Result<(), Problem> {
        let name = format!("{resource} {id}");
        if self.is_rehearsal.load(Ordering::Relaxed) || self.locks().contains(&name) {
            return Ok(());
        }
        if self.locks().len() >= MOST_LOCKS {
            return Err(Problem::new(&problem_types::TOO_MUCH_AT_ONCE));
        }
        lock::for_transaction(&self.inner, &name).await?;
        self.locks().insert(name);
        Ok(())
    }

    /// Takes no locks from here on; the transaction must roll back.
    pub fn dry_run(&self) {
        self.is_rehearsal.store(true, Ordering::Relaxed);
    }

    /// Whether so many locks are held that the transaction should end.
    pub fn holds_many_locks(&self) -> bool {
        self.locks().len() > MANY_LOCKS
    }

    fn locks(&self) -> MutexGuard<'_, IndexSet<String>> {
        self.locks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A live record that exists for the author, locked until the end of the transaction; 404 otherwise.
    pub async fn present<R: Record>(&self, id: Uuid) -> Result<R, Problem> {
        let mut found = visible_rows::<R>(&self.author.scope)
            .filter(R::is(id))
            .lock(LockType::NoKeyUpdate)
            .one(&self.inner)
            .await?;
        personal::reveal(&self.inner, found.as_mut_slice()).await?;
        found.ok_or_else(|| Problem::new(&problem_types::NOT_FOUND))
    }

    /// The record to refer to, if it exists for the author; 422 at `pointer` otherwise. It cannot be deleted
    /// before the end of the transaction.
    pub async fn referred<R: Record>(&self, id: Uuid, pointer: &str) -> Result<R, Problem> {
        let known = self.found().as_ref().and_then(|found| found.get(&id)?.downcast_ref::<R>().cloned());
        if let Some(known) = known {
            return Ok(known);
        }
        self.lock::<R>(id).await?;
        let mut found = visible_rows::<R>(&self.author.scope).filter(R::is(id)).one(&self.inner).await?;
        personal::reveal(&self.inner, found.as_mut_slice()).await?;
        let row = found.ok_or_else(|| Problem::invalid(vec![checks::unknown_record(pointer)]))?;
        if let Some(found) = self.found().as_mut() {
            found.insert(id, Box::new(row.clone()));
        }
        Ok(row)
    }

    /// Runs `work` in a savepoint; rolls back to it on error.
    pub async fn savepoint<T, E: From<Problem>>(
        &self,
        work: impl AsyncFnOnce(&Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let (held, noted) = (self.locks().len(), self.events().len());
        self.inner.execute_unprepared("SAVEPOINT attempt").await.map_err(Problem::from)?;
        let outcome = work(self).await;
        let end = if outcome.is_ok() {
            "RELEASE SAVEPOINT attempt"
        } else {
            "ROLLBACK TO SAVEPOINT attempt; RELEASE SAVEPOINT attempt"
        };
        self.inner.execute_unprepared(end).await.map_err(Problem::from)?;
        if outcome.is_err() {
            // The rollback has released the locks of the work.
            self.locks().truncate(held);
            self.events().truncate(noted);
            *self.found() = None;
        }
        outcome
    }

    fn found(&self) -> MutexGuard<'_, Option<Found>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Creates a record, and sets its columns of identity and version.
    pub async fn insert<R: Record>(&self, row: R) -> Result<R, Problem> {
        let mut row = self.complete(row).await?;
        self.execute(self.inserts(std::iter::once(&mut row)).await?).await?;
        Ok(row)
    }

    /// Validates new records whose rules do not depend on each other; returns a result for each. They must be
    /// written in this transaction.
    pub async fn complete_all<R: Record>(&self, rows: Vec<R>) -> Vec<Result<R, Problem>> {
        self.found().get_or_insert_default();
        let mut completed = Vec::with_capacity(rows.len());
        for row in rows {
            completed.push(self.complete(row).await);
        }
        completed
    }

    /// Completes a new record, except for its history.
    async fn complete<R: Record>(&self, mut row: R) -> Result<R, Problem> {
        let columns = row.columns_mut();
        *columns.id = new_id();
        *columns.version = 1;
        *columns.created_at = self.now;
        *columns.created_by = self.author.id;
        *columns.updated_at = self.now;
        *columns.updated_by = self.author.id;
        row.before_write(None, self).await?;
        self.check_scope(&row)?;
        Ok(row)
    }

    /// Builds as few statements as possible that insert new, valid records with their history. Queries only
    /// the keys of personal values, and yields to other tasks between two rows.
    pub async fn inserts<'a, R: Record>(
        &self,
        rows: impl Iterator<Item = &'a mut R>,
    ) -> Result<Inserts, Problem> {
        let (mut entries, mut active, mut terms, mut references) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut kept = Vec::new();
        for (number, row) in rows.enumerate() {
            if number > 0 {
                tokio::task::yield_now().await;
            }
            kept.extend(self.commit_to(row, None).await?);
            let entry = self.entry(row, ChangeKind::Created, "")?;
            *row.columns_mut().history_hash = entry.hash.clone();
            self.note_value(row, None);
            entries.push(entry.into_new());
            active.push(personal::stored(row).into_active_model().reset_all());
            terms.extend(search::of_record(row));
            references.extend(external_ref::of_record(row));
        }
        let mut inserts = Inserts::default();
        inserts.add(&self.inner, kept, &[])?;
        inserts.add(&self.inner, entries, &[])?;
        inserts.add(&self.inner, active, R::UNIQUE)?;
        inserts.add(&self.inner, terms, &[])?;
        inserts.add(&self.inner, references, EXTERNAL_REF)?;
        Ok(inserts)
    }

    /// Inserts new records. Fails if the database refuses one; the transaction must then roll back.
    pub async fn execute(&self, Inserts(inserts): Inserts) -> Result<(), Problem> {
        for (statement, unique) in inserts {
            self.inner.execute_raw(statement).await.map_err(|error| fault::of_write(error, unique))?;
        }
        Ok(())
    }

    /// Updates a record read before; 412 if it has been changed meanwhile.
    pub async fn update<R: Record>(&self, before: &R, row: R) -> Result<R, Problem> {
        self.change(before, row, ChangeKind::Updated).await
    }

    /// Changes the state of a record read before.
    pub async fn transition<R: Record>(&self, before: &R, row: R) -> Result<R, Problem> {
        self.change(before, row, ChangeKind::Transitioned).await
    }

    /// Soft-deletes a record: leaves a tombstone.
    pub async fn delete<R: Record>(&self, before: &R) -> Result<R, Problem> {
        let mut row = before.clone();
        *row.columns_mut().deleted_at = Some(self.now);
        self.change(before, row, ChangeKind::Deleted).await
    }

    /// Erases the personal data of a record, even of a deleted one, without checking its rules.
    pub async fn erase<R: Record>(&self, before: &R) -> Result<R, Problem> {
        let mut row = before.clone();
        row.erase();
        self.stamp(before, &mut row);
        self.lock_version(before).await?;
        let kind = if row.deleted_at().is_some() { ChangeKind::Deleted } else { ChangeKind::Updated };
        self.write(before, row, kind).await
    }

    /// Runs a statement that does not change a record.
    pub async fn execute_statement(&self, statement: &impl StatementBuilder) -> Result<(), Problem> {
        self.inner.execute(statement).await?;
        Ok(())
    }

    fn stamp<R: Record>(&self, before: &R, row: &mut R) {
        let columns = row.columns_mut();
        *columns.version = before.version() + 1;
        *columns.updated_at = self.now;
        *columns.updated_by = self.author.id;
        *self.found() = None;
    }

    async fn change<R: Record>(&self, before: &R, mut row: R, kind: ChangeKind) -> Result<R, Problem> {
        self.stamp(before, &mut row);
        // The row first: of concurrent writers with the same version, all but one fail here, before any other
        // rule is checked.
        self.lock_version(before).await?;
        self.check_scope(before)?;
        if kind == ChangeKind::Deleted {
            self.check_unreferred(before).await?;
            before.before_delete(self).await?;
        } else {
            self.check_scope(&row)?;
            row.before_write(Some(before), self).await?;
            self.check_scope(&row)?;
        }
        self.write(before, row, kind).await
    }

    /// Writes the next version of a record, with its history.
    async fn write<R: Record>(&self, before: &R, mut row: R, kind: ChangeKind) -> Result<R, Problem> {
        let kept = self.commit_to(&mut row, Some(before)).await?;
        row.columns_mut().history_hash.clear();
        let mut entry = self.entry(&row, kind, before.history_hash())?;
        entry.moved_from =
            before.province().filter(|before| row.province() != Some(before)).map(str::to_owned);
        *row.columns_mut().history_hash = entry.hash.clone();
        let active = personal::stored(&row).into_active_model().reset_all();
        let updated = R::Entity::update_many().set(active).filter(R::is(before.id())).exec(&self.inner).await;
        updated.map_err(|error| fault::of_write(error, R::UNIQUE))?;
        bulk::insert_all(&self.inner, kept).await?;
        bulk::insert_all(&self.inner, vec![entry.into_new()]).await?;
        self.note_value(&row, Some(before));
        if before.terms() != row.terms()
            || before.external_refs() != row.external_refs()
            || kind == ChangeKind::Deleted
        {
            self.unindex(&row).await?;
            if kind != ChangeKind::Deleted {
                self.index(&row).await?;
            }
        }
        Ok(row)
    }

    fn note_value<R: Record>(&self, row: &R, before: Option<&R>) {
        if let (Some(project), Ok(mut moved)) = (row.affects_earned_value(before), self.moved.lock()) {
            moved.insert(project);
        }
    }

    /// 403 if the record is visible, but not writable for the author.
    fn check_scope<R: Record>(&self, row: &R) -> Result<(), Problem> {
        if row.is_writable_in(&self.author.scope) {
            Ok(())
        } else {
            Err(Problem::new(&problem_types::OUTSIDE_SCOPE))
        }
    }

    /// 409 while live records refer to it. New references are blocked until the end of the transaction.
    pub async fn check_unreferred<R: Record>(&self, row: &R) -> Result<(), Problem> {
        if R::REFERRED_BY.is_empty() {
            return Ok(());
        }
        self.lock::<R>(row.id()).await?;
        let mut tables = Vec::new();
        for (table, column) in R::REFERRED_BY {
            if !tables.contains(table) && self.is_referred(table, column, row.id()).await? {
                tables.push(*table);
            }
        }
        if tables.is_empty() {
            Ok(())
        } else {
            Err(Problem::new(&problem_types::STILL_REFERRED_TO).member("referred_by", tables))
        }
    }

    /// Locks a row of any version. Row locks come before other locks.
    pub async fn lock_row<R: Record>(&self, id: Uuid) -> Result<(), Problem> {
        self.version_of::<R>(id).await?;
        Ok(())
    }

    /// Whether a live row of a table refers to a record.
    pub async fn is_referred(
        &self,
        table: &'static str,
        column: &'static str,
        id: Uuid,
    ) -> Result<bool, Problem> {
        Ok(self.inner.query_one(&referring(table, column, id)).await?.is_some())
    }

    /// 409 while live records of other provinces refer to a record that moves into a province. Records of its
    /// own kind may.
    pub async fn check_users<R: Record>(&self, row: &R) -> Result<(), Problem> {
        let Some(own) = row.province() else { return Ok(()) };
        self.lock::<R>(row.id()).await?;
        for (table, column) in R::REFERRED_BY.iter().filter(|(table, _)| *table != R::RESOURCE) {
            let elsewhere = referring(table, column, row.id())
                .and_where(Expr::col(Alias::new("province")).ne(own))
                .to_owned();
            if self.inner.query_one(&elsewhere).await?.is_some() {
                return Err(Problem::new(&problem_types::MOVED_AWAY));
            }
        }
        Ok(())
    }

    /// Locks the row in the version read before; 412 with the current ETag if it has changed since.
    pub async fn lock_version<R: Record>(&self, before: &R) -> Result<(), Problem> {
        let present = self.version_of::<R>(before.id()).await?;
        if present == Some(before.version()) { Ok(()) } else { Err(Problem::stale(present)) }
    }

    /// The current version of a locked row.
    async fn version_of<R: Record>(&self, id: Uuid) -> Result<Option<i64>, DbErr> {
        let version = Query::select()
            .column(Alias::new("version"))
            .from(R::Entity::default())
            .and_where(R::is(id))
            // Not `FOR UPDATE`: transactions that only refer to the row would wait for it.
            .lock(LockType::NoKeyUpdate)
            .to_owned();
        self.inner.query_one(&version).await?.map(|row| row.try_get("", "version")).transpose()
    }

    fn entry<R: Record>(
        &self,
        row: &R,
        kind: ChangeKind,
        previous_hash: &str,
    ) -> Result<change_log::Model, Problem> {
        let made = Entry { at: self.now, by: self.author.id, request_id: &self.request_id };
        change_log::entry(row, kind, previous_hash.to_owned(), made)
    }

    async fn index<R: Record>(&self, row: &R) -> Result<(), Problem> {
        bulk::insert_all(&self.inner, search::of_record(row)).await?;
        let references = bulk::insert_all(&self.inner, external_ref::of_record(row)).await;
        references.map_err(|error| fault::of_write(error, EXTERNAL_REF))
    }

    async fn unindex<R: Record>(&self, row: &R) -> Result<(), Problem> {
        search::Entity::delete_many()
            .filter(search::Column::Resource.eq(R::RESOURCE))
            .filter(search::Column::RecordId.eq(row.id()))
            .exec(&self.inner)
            .await?;
        external_ref::Entity::delete_many()
            .filter(external_ref::Column::Resource.eq(R::RESOURCE))
            .filter(external_ref::Column::RecordId.eq(row.id()))
            .exec(&self.inner)
            .await?;
        Ok(())
    }
}

/// A live row of a table that refers to a record.
fn referring(table: &'static str, column: &'static str, id: Uuid) -> SelectStatement {
    Query::select()
        .expr(Expr::val(1))
        .from(Alias::new(table))
        .and_where(Expr::col(Alias::new(column)).eq(id))
        .and_where(Expr::col(Alias::new("deleted_at")).is_null())
        .limit(1)
        .to_owned()
}

const EXTERNAL_REF: &[Unique] = &[Unique {
    index: "external_ref_pkey",
    columns: "external_ref.resource, external_ref.system, external_ref.reference",
    pointer: "/external_refs",
    code: "duplicate",
    fa: "این شناسهٔ بیرونی آزاد نیست.",
    en: "This external reference is not free.",
}];
