//! Signing keys of access tokens. All instances share them through the database, where they are encrypted
//! with a key from the configuration.
//!
//! A new key is published before it signs, so that everybody who caches the published keys knows it by then;
//! the former one verifies until the tokens that it has signed have expired. So a rotation ends no sessions.

use aws_lc_rs::{rand::SystemRandom, signature::Ed25519KeyPair};
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, jwk::Jwk};
use sea_orm::{ActiveValue::Set, QueryOrder, entity::prelude::*, sea_query::Condition};
use serde_json::{Value, json};

use crate::{
    clock::new_id,
    config::{Config, Secret},
    policy::Caller,
    problem::Problem,
    store::{
        Database, Transaction, lock, now,
        sealed::{self, SealingKey, Unread},
        security_event,
    },
};

/// A key.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "signing_key")]
pub struct Model {
    /// The `kid`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// Private key (PKCS #8), encrypted if the configuration has a key for that.
    pub pkcs8: Vec<u8>,
    /// Creation time.
    pub created_at: DateTimeUtc,
    /// Start of signing, until that of a later key; if none, the creation time.
    pub active_from: Option<DateTimeUtc>,
    /// End of verification; unlimited if none.
    pub verifies_until: Option<DateTimeUtc>,
}

/// No relations.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Time between publication and first use of a key: longer than the published keys may be cached (300 s).
pub const PUBLISHED_BEFORE: TimeDelta = TimeDelta::seconds(360);

/// Maximum difference between the clocks of instances.
pub const LEEWAY: TimeDelta = TimeDelta::seconds(10);

/// The name of the lock under which keys are made and sealed.
const LOCK: &str = "signing keys";

/// The variable of the configuration.
pub const VARIABLE: &str = "KHOOSHEH_SIGNING_KEY_ENCRYPTION";

impl Model {
    /// Start of signing.
    pub fn begins(&self) -> DateTime<Utc> {
        self.active_from.unwrap_or(self.created_at)
    }

    /// Whether it is encrypted in the database.
    pub fn is_sealed(&self) -> bool {
        sealed::is_sealed(&self.pkcs8)
    }
}

/// Configured keys that encrypt signing keys: the first encrypts, all decrypt.
pub fn sealing_keys(secrets: &[Secret]) -> Result<Vec<SealingKey>, Problem> {
    secrets.iter().map(|secret| SealingKey::derive(secret, "signing keys of access tokens")).collect()
}

/// A key that can be used.
struct Key {
    row: Model,
    signing: EncodingKey,
    verifying: DecodingKey,
    published: Value,
}

impl Key {
    fn new(row: Model, sealing: &[SealingKey]) -> Result<Self, Problem> {
        let pkcs8 = if row.is_sealed() {
            sealed::open(sealing, &row.id, &row.pkcs8).map_err(|unread| {
                Problem::internal(match unread {
                    Unread::OtherKey => format!(
                        "the signing key {} is encrypted with a key that {VARIABLE} does not give",
                        row.id
                    ),
                    Unread::Damaged => format!("the signing key {} is damaged", row.id),
                })
            })?
        } else {
            row.pkcs8.clone()
        };
        let signing = EncodingKey::from_ed_der(&pkcs8);
        let mut jwk = Jwk::from_encoding_key(&signing, Algorithm::EdDSA).map_err(Problem::internal)?;
        jwk.common.key_id = Some(row.id.clone());
        let verifying = DecodingKey::from_jwk(&jwk).map_err(Problem::internal)?;
        let mut published = serde_json::to_value(&jwk).map_err(Problem::internal)?;
        published["use"] = json!("sig");
        Ok(Self { row, signing, verifying, published })
    }

    fn verifies_at(&self, moment: DateTime<Utc>) -> bool {
        self.row.verifies_until.is_none_or(|until| moment < until)
    }
}

/// The keys as they were read.
pub struct Keys(Vec<Key>);

impl Keys {
    /// Reads the keys, the latest to sign first.
    ///
    /// # Errors
    /// A key that cannot be opened.
    pub async fn load(db: &Database, sealing: &[SealingKey]) -> Result<Self, Problem> {
        let mut rows = rows(db).await?;
        rows.sort_by_key(|row| std::cmp::Reverse((row.begins(), row.id.clone())));
        Ok(Self(rows.into_iter().map(|row| Key::new(row, sealing)).collect::<Result<_, _>>()?))
    }

    /// Whether they equal those in the database.
    pub async fn are_current(&self, db: &Database) -> Result<bool, DbErr> {
        let rows = rows(db).await?;
        Ok(rows.len() == self.0.len() && self.0.iter().all(|key| rows.contains(&key.row)))
    }

    /// The key that signs at present, with its id.
    pub fn signing(&self) -> Option<(&str, &EncodingKey)> {
        let now = now();
        let begun = self.0.iter().find(|key| key.row.begins() <= now);
        begun.or(self.0.last()).map(|key| (key.row.id.as_str(), &key.signing))
    }

    /// The key that verifies tokens with this `kid`.
    pub fn verifying(&self, id: &str) -> Option<&DecodingKey> {
        self.0.iter().find(|key| key.row.id == id && key.verifies_at(now())).map(|key| &key.verifying)
    }

    /// The public keys (RFC 7517), including those that do not sign yet.
    pub fn published(&self) -> Value {
        let now = now();
        json!({ "keys": self.0.iter().filter(|key| key.verifies_at(now)).map(|key| &key.published).collect::<Vec<_>>() })
    }
}

/// All keys, oldest first.
pub async fn rows(db: &impl ConnectionTrait) -> Result<Vec<Model>, DbErr> {
    Entity::find().order_by_asc(Column::CreatedAt).order_by_asc(Column::Id).all(db).await
}

/// Creates the first key if there is none, and re-encrypts those not encrypted with the first configured key.
/// Of several instances that start at once, one does this.
pub async fn prepare(db: &Database, sealing: &[SealingKey]) -> Result<(), Problem> {
    let is_right = |rows: &[Model]| {
        !rows.is_empty()
            && rows.iter().all(|row| sealing.first().is_none_or(|key| key.has_sealed(&row.pkcs8)))
    };
    if is_right(&rows(db).await?) {
        return Ok(());
    }
    let transaction = Transaction::begin(db, Caller::service(), String::new()).await?;
    lock::for_transaction(&*transaction, LOCK).await?;
    let present = rows(&*transaction).await?;
    if present.is_empty() {
        add(&transaction, sealing, transaction.now()).await?;
    }
    for row in present {
        let Some(first) = sealing.first().filter(|key| !key.has_sealed(&row.pkcs8)) else { continue };
        let clear = if row.is_sealed() {
            sealed::open(sealing, &row.id, &row.pkcs8).ok()
        } else {
            Some(row.pkcs8.clone())
        };
        // A key that cannot be opened is reported when it is used.
        let Some(clear) = clear else { continue };
        let sealed = ActiveModel {
            id: Set(row.id.clone()),
            pkcs8: Set(first.seal(&row.id, &clear)?),
            ..Default::default()
        };
        Entity::update(sealed).exec(&*transaction).await?;
    }
    transaction.commit().await
}

async fn add(
    transaction: &Transaction,
    sealing: &[SealingKey],
    active_from: DateTime<Utc>,
) -> Result<String, Problem> {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).map_err(Problem::internal)?;
    let id = new_id().simple().to_string();
    let kept =
        sealing.first().map_or_else(|| Ok(pkcs8.as_ref().to_vec()), |key| key.seal(&id, pkcs8.as_ref()))?;
    let key = ActiveModel {
        id: Set(id.clone()),
        pkcs8: Set(kept),
        created_at: Set(transaction.now()),
        active_from: Set(Some(active_from)),
        verifies_until: Set(None),
    };
    Entity::insert(key).exec_without_returning(&**transaction).await?;
    Ok(id)
}

/// Result of a rotation.
#[derive(Debug)]
pub struct Rotated {
    /// Start of signing.
    pub id: String,
    /// End of verification with the other keys.
    pub active_from: DateTime<Utc>,
    /// Until when the others verify.
    pub verify_until: DateTime<Utc>,
}

/// Creates a key that signs after a delay; the others verify until their tokens have expired. If they are
/// compromised they verify nothing from now on, and the new one signs at once: access tokens become invalid,
/// and sessions continue with their refresh tokens.
pub async fn rotate(
    db: &Database,
    config: &Config,
    after: TimeDelta,
    is_compromised: bool,
) -> Result<Rotated, Problem> {
    let sealing = sealing_keys(&config.secrets.signing_key_encryption)?;
    let transaction = Transaction::begin(db, Caller::service(), "command line".to_owned()).await?;
    lock::for_transaction(&*transaction, LOCK).await?;
    let now = transaction.now();
    let active_from = if is_compromised { now } else { now + after };
    let verify_until = if is_compromised {
        now
    } else {
        active_from + TimeDelta::seconds(config.access_token_seconds) + LEEWAY
    };
    let later =
        Condition::any().add(Column::VerifiesUntil.is_null()).add(Column::VerifiesUntil.gt(verify_until));
    Entity::update_many()
        .col_expr(Column::VerifiesUntil, Expr::value(verify_until))
        .filter(later)
        .exec(&*transaction)
        .await?;
    let id = add(&transaction, &sealing, active_from).await?;
    transaction.note(transaction.event(security_event::Kind::KeysRotated).because(if is_compromised {
        "compromised"
    } else {
        "planned"
    }));
    transaction.commit().await?;
    Ok(Rotated { id, active_from, verify_until })
}

/// Deletes keys whose verification ended more than a day ago.
pub async fn forget_old(db: &impl ConnectionTrait) -> Result<u64, DbErr> {
    let ended = Column::VerifiesUntil.lt(now() - TimeDelta::days(1));
    Ok(Entity::delete_many().filter(ended).exec(db).await?.rows_affected)
}
