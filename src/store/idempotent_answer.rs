//! Stored answers of requests with an `Idempotency-Key`.

use std::collections::BTreeSet;

use chrono::{SecondsFormat, TimeDelta};
use sea_orm::{IntoActiveModel, entity::prelude::*};
use sha2::{Digest, Sha256};

use super::{
    Database,
    change_log::{add_part, canonical},
    connection, now,
    personal::keys::{self, Key, Keyring},
};
use crate::{problem::Problem, values::hex};

/// First answer to a request.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotent_answer")]
pub struct Model {
    /// The account that owns the key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: Uuid,
    /// The key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub idempotency_key: String,
    /// The hash of method, address and body.
    pub fingerprint: String,
    /// The answer.
    pub answer: Json,
    /// Time of the answer.
    pub created_at: DateTimeUtc,
    /// SHA-256 over all of it, in hexadecimal; none in rows of older versions.
    pub checksum: Option<String>,
}

/// No relations.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Member of a stored answer that contains it encrypted.
const SEALED: &str = "sealed";

/// Retention of an answer.
const KEPT: TimeDelta = TimeDelta::hours(24);

impl Model {
    /// Whether the answer is still valid for repeated requests.
    pub fn is_current(&self) -> bool {
        now() - self.created_at < KEPT
    }

    /// Whether the answer is intact; true if it has no checksum.
    pub fn is_whole(&self) -> bool {
        self.checksum.as_ref().is_none_or(|checksum| *checksum == self.compute_checksum())
    }

    /// Decrypts the answer, which may contain personal values.
    ///
    /// # Errors
    /// The key is missing, or it was changed outside the service.
    pub async fn opened(&self, db: &impl ConnectionTrait) -> Result<Json, DbErr> {
        let Some(sealed) = self.answer[SEALED].as_str() else { return Ok(self.answer.clone()) };
        let bytes = keys::open(db, &self.name(), sealed).await?;
        serde_json::from_slice(&bytes).map_err(|error| DbErr::Custom(error.to_string()))
    }

    fn seal(&mut self, key: &Key) -> Result<(), Problem> {
        let sealed = key.seal(&self.name(), self.answer.to_string().into_bytes())?;
        self.answer = serde_json::json!({ SEALED: sealed });
        self.checksum = Some(self.compute_checksum());
        Ok(())
    }

    /// Associated data of the encryption.
    fn name(&self) -> String {
        format!("answer {} {}", self.account_id, self.idempotency_key)
    }

    /// Stores the answer, encrypted and with its checksum.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn keep(mut self, db: &impl ConnectionTrait, keyring: &Keyring) -> Result<(), Problem> {
        self.seal(keyring.current())?;
        Entity::insert(self.into_active_model().reset_all()).exec_without_returning(db).await?;
        Ok(())
    }

    fn compute_checksum(&self) -> String {
        let mut hash = Sha256::new();
        let created_at = self.created_at.to_rfc3339_opts(SecondsFormat::Micros, true);
        for part in [
            self.account_id.to_string().as_str(),
            &self.idempotency_key,
            &self.fingerprint,
            &canonical(&self.answer),
            &created_at,
        ] {
            add_part(&mut hash, part);
        }
        hex(&hash.finalize())
    }
}

/// Encrypts stored answers from before encryption, or with a former key.
///
/// # Errors
/// There is no key, or the database does not answer.
pub async fn seal_all(db: &Database) -> Result<(), Problem> {
    let transaction = connection::begin_to_rebuild(db).await?;
    let all = Entity::find().all(&*transaction).await?;
    if !all.is_empty() {
        let keyring = Keyring::of(&*transaction).await?;
        for mut kept in all {
            let is_current =
                kept.answer[SEALED].as_str().is_some_and(|sealed| sealed.starts_with(keyring.current().id()));
            // One whose key is lost, or that was changed, is refused when it is requested.
            if let (false, Ok(answer)) = (is_current || !kept.is_whole(), kept.opened(&*transaction).await) {
                kept.answer = answer;
                kept.seal(keyring.current())?;
                kept.into_active_model().reset_all().update(&*transaction).await?;
            }
        }
    }
    Ok(transaction.commit().await?)
}

/// Whether one of some texts occurs in a JSON value, or in JSON nested as text.
fn says(value: &Json, said: &BTreeSet<String>) -> bool {
    match value {
        Json::String(text) => said.iter().any(|said| text.contains(said.as_str())),
        Json::Array(items) => items.iter().any(|item| says(item, said)),
        Json::Object(members) => members.values().any(|member| says(member, said)),
        _ => false,
    }
}

/// Deletes the answers that contain one of some texts.
///
/// # Errors
/// The database does not answer.
pub async fn forget_about(db: &impl ConnectionTrait, said: &BTreeSet<String>) -> Result<(), DbErr> {
    for kept in Entity::find().all(db).await? {
        // One that cannot be opened has unknown content, and can never be returned.
        let is_about = kept.opened(db).await.map_or(true, |answer| says(&answer, said));
        if is_about {
            Entity::delete_by_id((kept.account_id, kept.idempotency_key)).exec(db).await?;
        }
    }
    Ok(())
}

/// Deletes expired answers.
pub async fn forget_old(db: &impl ConnectionTrait) -> Result<u64, DbErr> {
    let old = Entity::delete_many().filter(Column::CreatedAt.lt(now() - KEPT)).exec(db).await?;
    Ok(old.rows_affected)
}
