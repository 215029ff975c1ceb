//! Idempotent writes: one transaction contains the change, its history and its answer.

use super::security_log;
use std::sync::Arc;

use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload, http::header};
use sea_orm::{EntityTrait, QueryFilter};
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    Answer, Call, Database, Precondition, Ready, Referred, Shape, body::RawBody, data, read::database,
    request_middleware::RequestId,
};
use crate::{
    lifecycle::{self, Stateful, Transition},
    personal,
    policy::Caller,
    problem::{Problem, Text, Violation, problem_types},
    store::{
        self, Input, Reading, Record, Transaction, change_log, idempotent_answer, lock, now,
        registry::Registry, verify::Kind,
    },
    values::hex,
};

/// The name of the header (IETF draft-ietf-httpapi-idempotency-key-header).
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Extractor for idempotent writes.
pub struct Write {
    request: HttpRequest,
    db: Database,
    precondition: Precondition,
    shape: Shape,
    /// The caller.
    pub caller: Arc<Caller>,
}

impl FromRequest for Write {
    type Error = Problem;
    type Future = Ready<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let write = || {
            let (db, call) = (database(request)?, Call::of(request)?);
            let (precondition, shape) = (Precondition::of(request), Shape::new(request, &call));
            Ok(Self { request: request.clone(), db, precondition, shape, caller: call.caller()? })
        };
        std::future::ready(write())
    }
}

/// An answer, and when its work was done.
enum Done {
    Now(Answer),
    Before(Answer),
}

impl Write {
    /// Creates a record (201).
    pub async fn create<R: Record>(self, row: R) -> Result<Answer, Problem> {
        self.create_with(row, Ok).await
    }

    /// Creates a record, and extends the answer.
    pub async fn create_with<R: Record>(
        self,
        row: R,
        add: impl FnOnce(Answer) -> Result<Answer, Problem>,
    ) -> Result<Answer, Problem> {
        let (shape, caller) = (self.shape.clone(), self.caller.clone());
        self.run(async |transaction| {
            let row = transaction.insert(row).await?;
            add(shape.record(&row, &reading(transaction, &caller)).await?.created(&row))
        })
        .await
    }

    /// Changes a record that was read as `before`, in a version that the caller has seen.
    pub async fn update<R: Record>(self, before: &R, row: R) -> Result<Answer, Problem> {
        self.update_with(before, row, Ok).await
    }

    /// Changes a record, and extends the answer.
    pub async fn update_with<R: Record>(
        self,
        before: &R,
        row: R,
        add: impl FnOnce(Answer) -> Result<Answer, Problem>,
    ) -> Result<Answer, Problem> {
        let (shape, caller, precondition) =
            (self.shape.clone(), self.caller.clone(), self.precondition.clone());
        self.run(async |transaction| {
            precondition.holds_for(before)?;
            add(shape.record(&transaction.update(before, row).await?, &reading(transaction, &caller)).await?)
        })
        .await
    }

    /// Changes a record that is the caller's own and has no visible ETag.
    pub async fn update_own<R: Record>(self, before: &R, row: R) -> Result<Answer, Problem> {
        self.run(async |transaction| transaction.update(before, row).await.map(|_| Answer::no_content()))
            .await
    }

    /// Checks whether the caller may write a record, before expensive work is done for it.
    pub async fn ask(
        &self,
        rule: impl AsyncFnOnce(&Transaction) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let transaction =
            Transaction::begin(self.db.get_ref(), self.caller.clone(), RequestId::of(&self.request)).await?;
        let transaction = transaction.from(security_log::origin(&self.request));
        let outcome = rule(&transaction).await;
        transaction.roll_back().await;
        outcome
    }

    /// Changes the current version of a record, whichever version the caller has seen: for idempotent
    /// changes. Writes nothing if the change makes no difference.
    pub async fn ensure<R: Record + PartialEq>(
        self,
        id: Uuid,
        change: impl AsyncFnOnce(&R, &Transaction) -> Result<R, Problem>,
    ) -> Result<Answer, Problem> {
        let (shape, caller) = (self.shape.clone(), self.caller.clone());
        self.run(async |transaction| {
            let present = transaction.present::<R>(id).await?;
            let changed = change(&present, transaction).await?;
            let row =
                if changed == present { present } else { transaction.update(&present, changed).await? };
            shape.record(&row, &reading(transaction, &caller)).await
        })
        .await
    }

    /// Creates the record of a reference (201), or replaces it (200) in a version that the caller has seen.
    pub async fn put<R: Record + Default, I: Input<R>>(
        self,
        referred: Referred<R>,
        mut input: I,
    ) -> Result<Answer, Problem> {
        let (reference, found) = referred.into_parts();
        input.external_refs().add(reference)?;
        match found {
            None => {
                self.precondition.holds_for_none()?;
                self.create(input.onto_row(&R::default())?).await
            }
            Some(before) => {
                self.precondition.holds_for(&before)?;
                let row = input.onto_row(&before)?;
                if store::personal::unique_values(&row).iter().any(|(_, value)| value.is_some())
                    && !self.caller.may(personal::PERMISSION)
                {
                    return Err(Problem::insufficient_scope(&[personal::PERMISSION]));
                }
                self.update(&before, row).await
            }
        }
    }

    /// Performs an action that does not change a record, and answers with its result.
    pub async fn perform<V: Serialize>(
        self,
        work: impl AsyncFnOnce(&Transaction) -> Result<V, Problem>,
    ) -> Result<Answer, Problem> {
        let shape = self.shape.clone();
        self.run(async |transaction| shape.value(&work(transaction).await?)).await
    }

    /// Changes the state of a record in a version that the caller has seen.
    pub async fn transition<R: Stateful>(
        self,
        before: &R,
        transition: Transition<R::State>,
    ) -> Result<Answer, Problem> {
        self.transition_with(before, transition, |_| {}).await
    }

    /// Changes the state of a record, together with related changes. The precondition is part of the work: a
    /// repeated request gets its first answer, although the version has changed.
    pub async fn transition_with<R: Stateful>(
        self,
        before: &R,
        transition: Transition<R::State>,
        adjust: impl FnOnce(&mut R),
    ) -> Result<Answer, Problem> {
        let (shape, caller, precondition) =
            (self.shape.clone(), self.caller.clone(), self.precondition.clone());
        self.run(async |transaction| {
            precondition.holds_for(before)?;
            shape
                .record(
                    &lifecycle::change(transaction, before, transition, adjust).await?,
                    &reading(transaction, &caller),
                )
                .await
        })
        .await
    }

    /// Soft-deletes a record (204). Repetition changes nothing, regardless of the ETag.
    pub async fn delete<R: Record>(self, row: &R) -> Result<Answer, Problem> {
        if row.deleted_at().is_some() {
            return Ok(Answer::no_content());
        }
        self.precondition.holds_for(row)?;
        let db = self.db.clone();
        let outcome =
            self.run(async |transaction| transaction.delete(row).await.map(|_| Answer::no_content())).await;
        if outcome.as_ref().is_err_and(|problem| problem.code() == problem_types::STALE_VERSION.code) {
            // A concurrent deletion leaves nothing to do.
            let present = R::Entity::find().filter(R::is(row.id())).one(db.get_ref()).await?;
            if present.is_none_or(|present| present.deleted_at().is_some()) {
                return Ok(Answer::no_content());
            }
        }
        outcome
    }

    /// Runs work in one transaction, and returns its answer. With an `Idempotency-Key`, the answer is stored
    /// in the same transaction for 24 hours, and a repeated request gets it without running the work again.
    pub async fn run(
        self,
        work: impl AsyncFnOnce(&Transaction) -> Result<Answer, Problem>,
    ) -> Result<Answer, Problem> {
        let key = self.idempotency_key()?;
        let transaction =
            Transaction::begin(self.db.get_ref(), self.caller.clone(), RequestId::of(&self.request)).await?;
        let transaction = transaction.from(security_log::origin(&self.request));
        let outcome = match key {
            None => work(&transaction).await.map(Done::Now),
            Some(key) => self.once(key, &transaction, work).await,
        };
        match outcome {
            Ok(Done::Now(answer)) => {
                transaction.commit().await?;
                Ok(answer)
            }
            Ok(Done::Before(answer)) => {
                transaction.roll_back().await;
                Ok(answer)
            }
            Err(problem) => {
                transaction.roll_back().await;
                Err(problem)
            }
        }
    }

    /// Runs the work, unless a request with the same key has done so.
    async fn once(
        &self,
        key: String,
        transaction: &Transaction,
        work: impl AsyncFnOnce(&Transaction) -> Result<Answer, Problem>,
    ) -> Result<Done, Problem> {
        if !lock::try_for_transaction(&**transaction, &format!("{}:{key}", self.caller.id)).await? {
            return Err(Problem::new(&problem_types::REQUEST_IN_PROGRESS).retry_after(1));
        }
        let fingerprint = self.fingerprint();
        let kept =
            idempotent_answer::Entity::find_by_id((self.caller.id, key.clone())).one(&**transaction).await?;
        match kept {
            Some(kept) if kept.is_current() => {
                if !kept.is_whole() {
                    tracing::error!(account = %kept.account_id, key = kept.idempotency_key, "a kept answer is damaged, and is not given again");
                    return Err(Problem::new(&problem_types::KEPT_ANSWER_DAMAGED));
                }
                if kept.fingerprint != fingerprint {
                    return Err(Problem::new(&problem_types::IDEMPOTENCY_KEY_REUSED));
                }
                let answer: Answer =
                    serde_json::from_value(kept.opened(&**transaction).await?).map_err(Problem::internal)?;
                // The account or the record may belong to another province by now.
                if let Some(id) = answer.record_id()
                    && !change_log::is_within(
                        &**transaction,
                        data::<Registry>(&self.request)?.iter().map(Kind::resource),
                        id,
                        &self.caller.scope,
                    )
                    .await?
                {
                    return Err(Problem::new(&problem_types::OUTSIDE_SCOPE));
                }
                Call::of(&self.request)?.shows(answer.shown());
                return Ok(Done::Before(
                    answer.with_header(header::HeaderName::from_static("idempotency-replayed"), "true"),
                ));
            }
            Some(outdated) => {
                idempotent_answer::Entity::delete_by_id((outdated.account_id, outdated.idempotency_key))
                    .exec(&**transaction)
                    .await?;
            }
            None => {}
        }
        let answer = work(transaction).await?;
        let kept = idempotent_answer::Model {
            account_id: self.caller.id,
            idempotency_key: key,
            fingerprint,
            answer: serde_json::to_value(&answer).map_err(Problem::internal)?,
            created_at: now(),
            checksum: None,
        };
        kept.keep(&**transaction, transaction.keyring().await?).await?;
        Ok(Done::Now(answer))
    }

    fn idempotency_key(&self) -> Result<Option<String>, Problem> {
        let Some(value) = self.request.headers().get(IDEMPOTENCY_KEY) else { return Ok(None) };
        if self.request.method() != actix_web::http::Method::POST {
            return Ok(None);
        }
        let key = value
            .to_str()
            .ok()
            .filter(|key| (1..=200).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()));
        key.map(|key| Some(key.to_owned())).ok_or_else(|| {
            Problem::invalid_query(vec![Violation::header(
                "Idempotency-Key",
                "wrong_pattern",
                Text::new(
                    "کلید تکرار باید ۱ تا ۲۰۰ نویسهٔ چاپی اسکی بدون فاصله باشد.",
                    "An idempotency key has 1 to 200 printable ASCII characters without spaces.",
                ),
            )])
        })
    }

    /// Fingerprint of the request: method, address, body, and whether the account may see personal data.
    fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        hash.update([u8::from(self.caller.may(personal::PERMISSION))]);
        hash.update(format!("{} {}\n", self.request.method(), self.request.uri()));
        if let Some(RawBody(body)) = self.request.extensions().get::<RawBody>() {
            hash.update(body);
        }
        hex(&hash.finalize())
    }
}

/// Read context of the author of a write, in the same transaction.
fn reading<'a>(transaction: &'a Transaction, caller: &'a Caller) -> Reading<'a> {
    Reading { db: (&***transaction).into(), scope: &caller.scope, include: Vec::new() }
}
