//! Writes rows as records, each validated by the rules of the resource as if it had been sent alone.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::Instant,
};

use actix_web::http::Method;
use futures_util::future::{self, LocalBoxFuture};
use sea_orm::{
    QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Alias, Expr, ExprTrait, LockType},
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    columns::{KEY, Resource},
    dto::Outcome,
    entity,
    fault::{self, Fault},
    file::{Place, Row},
    intake::MOST_ROWS_AT_ONCE,
    references::{self, Known},
    source::Source,
};
use crate::{
    cdas::{self, dto::CdaInput},
    clusters::{self, dto::ClusterInput},
    enterprises::{self, dto::EnterpriseInput},
    http::{
        body::merge,
        contract::{Contract, Operation},
        document::PREFIX,
    },
    measurements::{self, dto::MeasurementInput},
    milestones::{self, dto::MilestoneInput},
    payments::{self, dto::PaymentInput},
    persian::{calendar, text},
    personal,
    problem::{Problem, Text, problem_types},
    projects::{self, dto::ProjectInput},
    store::{
        ExternalRef, Input, Inserts, Record, Transaction, connection, external_ref,
        personal as personal_values, visible_rows,
    },
};

/// Result of a row.
pub struct Done {
    /// Key of the record in the other system.
    pub key: Option<String>,
    /// Outcome.
    pub outcome: Outcome,
    /// The record.
    pub record: Option<Uuid>,
    /// Errors.
    pub faults: Vec<Fault>,
}

impl Done {
    fn failed(key: Option<String>, faults: Vec<Fault>) -> Self {
        Self { key, outcome: Outcome::Failed, record: None, faults }
    }
}

/// Results of some rows, each with its line, and the start of the rows after them.
pub struct Applied {
    /// In the order of the file.
    pub rows: Vec<(usize, Done)>,
    /// Position of the next row.
    pub end: Place,
}

impl Applied {
    /// Replaces the results of some rows.
    fn tell(&mut self, done: Vec<(usize, Done)>) {
        for (number, done) in done {
            self.rows[number].1 = done;
        }
    }
}

/// Maximum number of rows of a turn: their outcomes are kept together.
const MOST_ROWS: usize = 5_000;

/// The members that a table has in several columns.
const IN_PARTS: [&str; 2] = ["location", "firms_by_size"];

/// Applies rows of one import in one transaction.
pub struct Applier<'a> {
    import: &'a entity::Model,
    operation: &'a Operation,
    transaction: &'a Transaction,
    /// End of the transaction's time.
    until: Instant,
}

/// A row that passed its own validation, and the record before it.
struct Prepared<R> {
    said: Said,
    before: Option<R>,
    row: R,
}

/// Content of a row: its key, the request body, and the columns it has.
struct Said {
    key: String,
    body: Value,
    given: HashSet<String>,
}

/// Records related to some rows.
struct Around<R> {
    /// The existing records of the rows themselves, by key.
    present: HashMap<String, R>,
    /// Records that the rows refer to.
    known: Known,
}

/// New records in progress: each row, by its number, and its result so far.
type Fresh<R> = Vec<(usize, Said, Result<R, Problem>)>;

/// New records with their insert statements.
struct Ready<R> {
    fresh: Fresh<R>,
    inserts: Inserts,
}

impl<R> Default for Ready<R> {
    fn default() -> Self {
        Self { fresh: Vec::new(), inserts: Inserts::default() }
    }
}

impl<'a> Applier<'a> {
    /// An applier for an import, in a transaction of its sender, with a time limit.
    pub fn new(
        import: &'a entity::Model,
        contract: &'a Contract,
        transaction: &'a Transaction,
        until: Instant,
    ) -> Result<Self, Problem> {
        let path = format!("{PREFIX}/{}", import.resource.path());
        let operation = contract
            .operation(&Method::POST, &path)
            .ok_or_else(|| Problem::internal(format!("the document has no {path}")))?;
        Ok(Self { import, operation, transaction, until })
    }

    /// Applies rows in order until there are no more, or the time is up.
    pub async fn apply(&self, source: Source<'_>) -> Result<Applied, Problem> {
        // Boxed, because each is too large for the stack.
        let applied: LocalBoxFuture<'_, _> = match self.import.resource {
            Resource::Clusters => Box::pin(self.apply_as::<clusters::entity::Model, ClusterInput>(source)),
            Resource::Enterprises => {
                Box::pin(self.apply_as::<enterprises::entity::Model, EnterpriseInput>(source))
            }
            Resource::Cdas => Box::pin(self.apply_as::<cdas::entity::Model, CdaInput>(source)),
            Resource::Projects => Box::pin(self.apply_as::<projects::entity::Model, ProjectInput>(source)),
            Resource::Milestones => {
                Box::pin(self.apply_as::<milestones::entity::Model, MilestoneInput>(source))
            }
            Resource::Measurements => {
                Box::pin(self.apply_as::<measurements::entity::Model, MeasurementInput>(source))
            }
            Resource::Payments => Box::pin(self.apply_as::<payments::entity::Model, PaymentInput>(source)),
        };
        applied.await
    }

    /// Pipelines new records that do not depend on each other in three stages, each with some rows: validate,
    /// prepare, write. While the database writes some, the next ones are prepared and those after them
    /// validated.
    async fn apply_as<R: Record + Default + PartialEq, I: Input<R>>(
        &self,
        mut source: Source<'_>,
    ) -> Result<Applied, Problem> {
        let mut applied = Applied { rows: Vec::new(), end: self.import.place() };
        let mut seen = HashSet::new();
        let (mut completed, mut ready) = (Vec::new(), Ready::default());
        while !self.is_time(&applied) {
            let Some((rows, end)) = source.next().await? else { break };
            let around = self.look_around::<R>(&rows, &mut seen).await?;
            // Existing records are changed at once, and in order.
            if !around.present.is_empty() {
                self.finish(std::mem::take(&mut completed), std::mem::take(&mut ready), &mut applied).await?;
            }
            let (created, next) = future::join(self.create(std::mem::take(&mut ready)), async {
                let next = self.make_ready(std::mem::take(&mut completed)).await?;
                Ok::<_, Problem>((
                    next,
                    self.apply_some::<R, I>(rows, end, around, &mut seen, &mut applied).await?,
                ))
            })
            .await;
            let (next, new) = next?;
            applied.tell(created?);
            (completed, ready) = (self.complete(new).await, next);
        }
        self.finish(completed, ready, &mut applied).await?;
        Ok(applied)
    }

    /// Whether the locks have been held long enough, or are too many already. At least one row is always
    /// done.
    fn is_time(&self, applied: &Applied) -> bool {
        let rows = applied.rows.len();
        let is_much = if self.import.is_whole() {
            rows > MOST_ROWS_AT_ONCE
        } else {
            rows >= MOST_ROWS || self.transaction.holds_many_locks()
        };
        rows > 0 && (is_much || Instant::now() > self.until)
    }

    /// Applies the following rows, up to a place, until the time is up. New records that can be created
    /// together are left.
    async fn apply_some<R: Record + Default + PartialEq, I: Input<R>>(
        &self,
        rows: Vec<Row>,
        end: Place,
        Around { mut present, known }: Around<R>,
        seen: &mut HashSet<String>,
        applied: &mut Applied,
    ) -> Result<Vec<(usize, Prepared<R>)>, Problem> {
        let mut together = Vec::new();
        for row in rows {
            if self.is_time(applied) {
                return Ok(together);
            }
            // Lets the database task run.
            tokio::task::yield_now().await;
            let (line, end) = (row.line, row.end);
            let outcome = match self.prepare::<R, I>(row, &known, seen, &mut present).await? {
                Ok(prepared) if prepared.before.is_none() && self.import.resource.stands_alone() => {
                    together.push((applied.rows.len(), prepared));
                    Done::failed(None, Vec::new())
                }
                Ok(prepared) => self.write(prepared).await?,
                Err(failed) => failed,
            };
            applied.rows.push((line, outcome));
            applied.end = end;
        }
        // Skips trailing empty rows.
        applied.end = end;
        Ok(together)
    }

    /// Validates new records against the rules that need other records, which are locked from then on.
    async fn complete<R: Record>(&self, new: Vec<(usize, Prepared<R>)>) -> Fresh<R> {
        let (said, rows): (Vec<_>, Vec<_>) =
            new.into_iter().map(|(number, prepared)| ((number, prepared.said), prepared.row)).unzip();
        let completed = self.transaction.complete_all(rows).await;
        said.into_iter().zip(completed).map(|((number, said), row)| (number, said, row)).collect()
    }

    /// Prepares new records for writing.
    async fn make_ready<R: Record>(&self, mut fresh: Fresh<R>) -> Result<Ready<R>, Problem> {
        let inserts =
            self.transaction.inserts(fresh.iter_mut().filter_map(|(.., row)| row.as_mut().ok())).await?;
        Ok(Ready { fresh, inserts })
    }

    /// Inserts new records in few statements; one by one if the database refuses that.
    async fn create<R: Record + PartialEq>(
        &self,
        Ready { fresh, inserts }: Ready<R>,
    ) -> Result<Vec<(usize, Done)>, Problem> {
        if fresh.is_empty() {
            return Ok(Vec::new());
        }
        let written =
            match self.transaction.savepoint(async |transaction| transaction.execute(inserts).await).await {
                Err(problem) if problem.is_temporary() => return Err(problem),
                written => written,
            };
        if written.is_err() {
            // Another import has just created some of them: the next turn will find them.
            let keys = fresh.iter().map(|(_, said, _)| said.key.clone()).collect();
            if !self.present::<R>(&keys).await?.is_empty() {
                return Err(Problem::new(&problem_types::UNAVAILABLE));
            }
        }
        let mut done = Vec::with_capacity(fresh.len());
        for (number, said, row) in fresh {
            let outcome = match row {
                Ok(row) if written.is_err() => self.write(Prepared { said, before: None, row }).await?,
                row => self.done(said, Outcome::Created, row)?,
            };
            done.push((number, outcome));
        }
        Ok(done)
    }

    /// Runs the last two stages for the rows in progress.
    async fn finish<R: Record + PartialEq>(
        &self,
        completed: Fresh<R>,
        ready: Ready<R>,
        applied: &mut Applied,
    ) -> Result<(), Problem> {
        let (created, next) = future::join(self.create(ready), self.make_ready(completed)).await;
        applied.tell(created?);
        applied.tell(self.create(next?).await?);
        Ok(())
    }

    /// Looks up all records that the rows refer to, in a constant number of statements. Adds the keys of
    /// earlier rows to those seen.
    async fn look_around<R: Record>(
        &self,
        rows: &[Row],
        seen: &mut HashSet<String>,
    ) -> Result<Around<R>, Problem> {
        let contents = rows.iter().filter_map(|row| row.content.as_ref().ok());
        // An invalid key refers to no record.
        let keys: BTreeSet<String> =
            contents.clone().filter_map(key_of).filter(|key| !key.contains('\0')).collect();
        if keys.is_empty() {
            return Ok(Around { present: HashMap::new(), known: Known::default() });
        }
        connection::plan_afresh(self.transaction).await?;
        if !self.import.is_whole() {
            seen.extend(entity::row::seen(&**self.transaction, self.import.id, &keys).await?);
        }
        let present = self.present::<R>(&keys).await?;
        let others = self.import.resource.references().filter(|reference| !reference.is_list);
        let known = Known::of(contents, others, &self.import.system, self.transaction).await?;
        // Rows written one by one run lookups in between.
        if self.import.resource.stands_alone() {
            connection::keep_plans(self.transaction).await?;
        }
        Ok(Around { present, known })
    }

    /// Records by their keys in the other system, locked until the end of the transaction.
    async fn present<R: Record>(&self, keys: &BTreeSet<String>) -> Result<HashMap<String, R>, Problem> {
        let named =
            external_ref::of_keys(&**self.transaction, R::RESOURCE, &self.import.system, keys).await?;
        // By their ids: for one statement with both, PostgreSQL may scan all records.
        let id = Expr::col((R::Entity::default(), Alias::new("id")));
        let mut rows = visible_rows::<R>(&self.transaction.author().scope)
            .filter(id.clone().is_in(named.iter().map(|(_, id)| *id)))
            .order_by_asc(id)
            .lock(LockType::NoKeyUpdate)
            .all(&**self.transaction)
            .await?;
        personal_values::reveal(&**self.transaction, &mut rows).await?;
        let rows: HashMap<Uuid, R> = rows.into_iter().map(|row| (row.id(), row)).collect();
        Ok(named.into_iter().filter_map(|(key, id)| Some((key, rows.get(&id)?.clone()))).collect())
    }

    /// Validates a row against all rules that do not need other records.
    async fn prepare<R: Record + Default + PartialEq, I: Input<R>>(
        &self,
        row: Row,
        known: &Known,
        seen: &mut HashSet<String>,
        present: &mut HashMap<String, R>,
    ) -> Result<Result<Prepared<R>, Done>, Problem> {
        let mut content = match row.content {
            Ok(content) => content,
            Err(fault) => return Ok(Err(Done::failed(None, vec![fault]))),
        };
        let given: HashSet<String> = content.keys().cloned().collect();
        let key = match self.check_key(&mut content, seen) {
            Ok(reference) => reference.key,
            Err((key, fault)) => return Ok(Err(Done::failed(key, vec![fault]))),
        };
        // A row may refer to a record of its own kind created by an earlier row.
        let siblings = self
            .import
            .resource
            .references()
            .filter(|reference| reference.is_list && given.contains(reference.column));
        let siblings =
            Known::of(std::iter::once(&content), siblings, &self.import.system, self.transaction).await?;
        let mut faults: Vec<Fault> = references::name_province(&mut content).err().into_iter().collect();
        faults.extend(references::resolve(
            &mut content,
            self.import.resource,
            &[known, &siblings],
            self.transaction.author(),
        ));
        if !faults.is_empty() {
            return Ok(Err(Done::failed(Some(key), faults)));
        }
        let before = present.remove(&key);
        let mut body = before
            .as_ref()
            .map_or(Ok(json!({})), |before| self.written::<R, I>(before))
            .map_err(Problem::internal)?;
        list_budget(&mut content, &body);
        merge(&mut body, Value::Object(content));
        if let Some(members) = body.as_object_mut() {
            // All of its parts were cleared.
            members.retain(|name, member| !IN_PARTS.contains(&name.as_str()) || member != &json!({}));
        }
        let checked = self.operation.body(&mut body, self.import.calendar);
        let input = checked.and_then(|()| {
            let typed = calendar::using(self.import.calendar, || I::deserialize(&body));
            typed.map_err(|error| {
                Problem::new(&problem_types::VALIDATION_FAILED)
                    .detail(Text::new(error.to_string(), error.to_string()))
            })
        });
        let row = input.and_then(|mut input| {
            input
                .external_refs()
                .add(ExternalRef { system: self.import.system.clone(), key: key.clone() })?;
            input.onto_row(before.as_ref().unwrap_or(&R::default()))
        });
        let said = Said { key, body, given };
        match row {
            Ok(row) => Ok(Ok(Prepared { said, before, row })),
            Err(problem) => self.refused(said, problem).map(Err),
        }
    }

    /// The unique key of a row: no earlier row has it. The error contains the key, if there is one.
    fn check_key(
        &self,
        content: &mut Map<String, Value>,
        seen: &mut HashSet<String>,
    ) -> Result<ExternalRef, (Option<String>, Fault)> {
        let key = key_of(content);
        let given = content.shift_remove(KEY);
        let fault = |code, fa: &'static str, en: &'static str| Fault::new(Some(KEY), code, Text::new(fa, en));
        let Some(key) = key else {
            return Err((
                None,
                match given {
                    None | Some(Value::Null | Value::String(_)) => {
                        fault("required", "این فیلد لازم است.", "This field is required.")
                    }
                    Some(_) => fault(
                        "wrong_type",
                        "شناسه باید متن باشد، یا عددی صحیح تا ۱۹ رقم.",
                        "A key is a text, or a whole number of up to 19 digits.",
                    ),
                },
            ));
        };
        let Ok(reference) = ExternalRef::parse(self.import.system.clone(), key.clone()) else {
            let shown = fault::kept(&key);
            let (fa, en) = (
                "شناسه ۱ تا ۲۰۰ نویسه دارد، بدون / ? # % \\ و نویسه‌های کنترلی.",
                "A key has 1 to 200 characters, without / ? # % \\ and control characters.",
            );
            return Err((Some(shown), fault("wrong_pattern", fa, en)));
        };
        if !seen.insert(key.clone()) {
            let (fa, en) = ("این شناسه پیش‌تر در همین پرونده آمده است.", "A row before has the same key.");
            return Err((Some(key), fault("repeated_key", fa, en)));
        }
        Ok(reference)
    }

    /// A record as it was written, in the calendar of the file.
    fn written<R: Record, I: Input<R>>(&self, row: &R) -> Result<Value, serde_json::Error> {
        personal::in_clear(|| calendar::using(self.import.calendar, || serde_json::to_value(I::from(row))))
    }

    /// Writes one row, or returns its errors.
    async fn write<R: Record + PartialEq>(
        &self,
        Prepared { said, before, row }: Prepared<R>,
    ) -> Result<Done, Problem> {
        let (outcome, written) = match &before {
            Some(before) if *before == row => (Outcome::Unchanged, Ok(row)),
            Some(before) => (
                Outcome::Updated,
                Box::pin(
                    self.transaction.savepoint(async |transaction| transaction.update(before, row).await),
                )
                .await,
            ),
            None => (
                Outcome::Created,
                Box::pin(self.transaction.savepoint(async |transaction| transaction.insert(row).await)).await,
            ),
        };
        self.done(said, outcome, written)
    }

    /// Result of a row after its write.
    fn done<R: Record>(
        &self,
        said: Said,
        outcome: Outcome,
        written: Result<R, Problem>,
    ) -> Result<Done, Problem> {
        match written {
            Ok(row) => Ok(Done { key: Some(said.key), outcome, record: Some(row.id()), faults: Vec::new() }),
            Err(problem) => self.refused(said, problem),
        }
    }

    /// Result of a rejected row; an error if the row is not at fault.
    fn refused(&self, Said { key, body, given }: Said, problem: Problem) -> Result<Done, Problem> {
        if problem.is_temporary() {
            return Err(problem);
        }
        let faults = Fault::of(&problem, &body, self.import.resource, |column| given.contains(column));
        Ok(Done::failed(Some(key), faults))
    }
}

/// Key of a row's record in the other system.
fn key_of(row: &Map<String, Value>) -> Option<String> {
    match row.get(KEY)? {
        Value::String(key) => Some(text::nfc(key.trim()).into_owned()).filter(|key| !key.is_empty()),
        // Larger numbers have lost digits.
        Value::Number(key) if key.is_i64() || key.is_u64() => Some(key.to_string()),
        _ => None,
    }
}

/// Replaces the budget lines of the record that the row has as columns; other lines stay.
fn list_budget(row: &mut Map<String, Value>, body: &Value) {
    let Some(Value::Object(given)) = row.get("budget") else { return };
    let mut lines: Vec<Value> = body["budget"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|line| !given.contains_key(line["line"].as_str().unwrap_or_default()))
        .cloned()
        .collect();
    lines.extend(
        given
            .iter()
            .filter(|(_, amount)| !amount.is_null())
            .map(|(line, amount)| json!({ "line": line, "amount_irr": amount })),
    );
    row.insert("budget".to_owned(), Value::Array(lines));
}
