//! Access tokens: JWTs after RFC 9068, signed with Ed25519 (RFC 8037).

use std::{
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, Instant},
};

use jsonwebtoken::{Algorithm, Header, Validation};
use moka::sync::Cache;
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    account,
    failures::Attempts,
    session,
    signing_key::{self, Keys, LEEWAY},
};
use crate::{
    clock::new_id,
    config::Config,
    policy::Caller,
    problem::Problem,
    store::{Database, now, sealed::SealingKey},
};

/// The audience of our tokens.
const AUDIENCE: &str = "khoosheh";

/// Time for which verified tokens are cached: the maximum delay after which a disabled account or an ended
/// session is refused on all instances.
const REMEMBERED: Duration = Duration::from_secs(5);

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: Uuid,
    client_id: String,
    iat: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
    exp: i64,
    jti: Uuid,
    scope: String,
    roles: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    province: Option<String>,
    sid: Uuid,
}

/// Minimum interval of database lookups for unknown keys: anybody can make up a token.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Reasons for refusing a token.
enum Refusal {
    /// Unknown key.
    UnknownKey,
    /// Foreign, malformed or expired token.
    Invalid,
}

/// Cache key of a token.
fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Signs and verifies access tokens.
pub struct Authenticator {
    issuer: String,
    lifetime: i64,
    session_days: i64,
    sealing: Vec<SealingKey>,
    keys: RwLock<Arc<Keys>>,
    looked_at: Mutex<Option<Instant>>,
    remembered: Cache<[u8; 32], (Arc<Caller>, i64)>,
    attempts: Attempts,
}

impl Authenticator {
    /// Loads the keys, and creates the first one if there is none.
    ///
    /// # Errors
    /// A key is encrypted with a key that is not configured.
    pub async fn load(db: &Database, config: &Config) -> Result<Self, Problem> {
        let sealing = signing_key::sealing_keys(&config.secrets.signing_key_encryption)?;
        match signing_key::prepare(db, &sealing).await {
            // On a standby, the primary creates it. Without any key, loading fails.
            Err(problem) if problem.is_temporary() => {
                tracing::warn!(%problem, "the signing keys are used as they are")
            }
            outcome => outcome?,
        }
        let keys = Keys::load(db, &sealing).await?;
        if keys.signing().is_none() {
            return Err(Problem::internal("there is no signing key, and the database takes no writes"));
        }
        Ok(Self {
            issuer: config.public_url.trim_end_matches('/').to_owned(),
            lifetime: config.access_token_seconds,
            session_days: config.session_days,
            sealing,
            keys: RwLock::new(Arc::new(keys)),
            looked_at: Mutex::default(),
            remembered: Cache::builder().max_capacity(10_000).time_to_live(REMEMBERED).build(),
            attempts: Attempts::default(),
        })
    }

    /// Reloads the keys if those in the database have changed. If the new ones cannot be read, the former
    /// ones are kept.
    pub async fn follow_keys(&self, db: &Database) -> Result<(), Problem> {
        if self.keys().are_current(db).await? {
            return Ok(());
        }
        let keys = Keys::load(db, &self.sealing).await?;
        if keys.signing().is_some() {
            *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
            self.forget();
            tracing::info!("the keys that sign tokens have changed");
        }
        Ok(())
    }

    fn keys(&self) -> Arc<Keys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The public keys (RFC 7517).
    pub fn key_set(&self) -> Value {
        self.keys().published()
    }

    /// Logins in progress, and failures.
    pub fn attempts(&self) -> &Attempts {
        &self.attempts
    }

    /// The issuer, which is the address of the service.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// An access token for an account with these of its permissions, and its lifetime in seconds, at most
    /// that of its session.
    pub fn issue(
        &self,
        account: &account::Model,
        session: Option<&session::Model>,
        scope: &str,
    ) -> Result<(String, i64), Problem> {
        let issued_at = now().timestamp();
        let left =
            session.map_or(i64::MAX, |session| session.ends_at(self.session_days).timestamp() - issued_at);
        let lifetime = self.lifetime.min(left).max(1);
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: AUDIENCE.to_owned(),
            sub: account.id,
            client_id: account.username.clone(),
            iat: issued_at,
            nbf: None,
            exp: issued_at + lifetime,
            jti: new_id(),
            scope: scope.to_owned(),
            roles: vec![account.role.name()],
            province: account.province.as_deref().map(str::to_owned),
            sid: session.map_or(session::NONE, |session| session.id),
        };
        let keys = self.keys();
        let (id, key) = keys.signing().ok_or_else(|| Problem::internal("there is no signing key"))?;
        let header =
            Header { typ: Some("at+jwt".into()), kid: Some(id.to_owned()), ..Header::new(Algorithm::EdDSA) };
        Ok((jsonwebtoken::encode(&header, &claims, key).map_err(Problem::internal)?, lifetime))
    }

    /// The caller of a token; none if the token, its account or its session is not valid.
    pub async fn caller(&self, db: &Database, token: &str) -> Result<Option<Arc<Caller>>, Problem> {
        if let Some((caller, expires)) = self.remembered.get(&hash(token)) {
            return Ok((now().timestamp() < expires).then_some(caller));
        }
        self.caller_now(db, token).await
    }

    /// The caller without the cache, even if another instance has ended the session just now.
    pub async fn caller_now(&self, db: &Database, token: &str) -> Result<Option<Arc<Caller>>, Problem> {
        let Some(claims) = self.claims(db, token).await? else { return Ok(None) };
        let Some(account) =
            account::Entity::find_by_id(claims.sub).one(db).await?.filter(account::Model::is_usable)
        else {
            return Ok(None);
        };
        if claims.sid == session::NONE {
            // No session that a new password could end.
            if account.updated_at.timestamp() > claims.iat {
                return Ok(None);
            }
        } else {
            let session = session::Entity::find_by_id(claims.sid).one(db).await?;
            if session.is_none_or(|session| {
                session.has_ended(self.session_days) || session.account_id != claims.sub
            }) {
                return Ok(None);
            }
        }
        let granted: Vec<&str> = claims.scope.split(' ').collect();
        let caller = account.into_caller(|permission| granted.contains(&permission.as_str()));
        let caller = Arc::new(Caller {
            session_id: Some(claims.sid).filter(|session| *session != session::NONE),
            ..caller
        });
        self.remembered.insert(hash(token), (caller.clone(), claims.exp));
        Ok(Some(caller))
    }

    /// The session and the account that a valid access token belongs to.
    pub async fn session_of(&self, db: &Database, token: &str) -> Result<Option<(Uuid, Uuid)>, Problem> {
        Ok(self.claims(db, token).await?.map(|claims| (claims.sid, claims.sub)))
    }

    /// Clears the token cache, so that a change of an account takes effect here at once.
    pub fn forget(&self) {
        self.remembered.invalidate_all();
    }

    /// The claims of a valid token. Another instance may have signed it with a key that is not loaded here
    /// yet.
    async fn claims(&self, db: &Database, token: &str) -> Result<Option<Claims>, Problem> {
        match self.verify(token) {
            Err(Refusal::UnknownKey) if self.may_look_again() => {
                self.follow_keys(db).await?;
                Ok(self.verify(token).ok())
            }
            verified => Ok(verified.ok()),
        }
    }

    fn may_look_again(&self) -> bool {
        let mut looked_at = self.looked_at.lock().unwrap_or_else(PoisonError::into_inner);
        let may = looked_at.is_none_or(|looked_at| looked_at.elapsed() >= LOOK_AGAIN);
        if may {
            *looked_at = Some(Instant::now());
        }
        may
    }

    fn verify(&self, token: &str) -> Result<Claims, Refusal> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| Refusal::Invalid)?;
        if header.typ.as_deref() != Some("at+jwt") {
            return Err(Refusal::Invalid);
        }
        let keys = self.keys();
        let key =
            keys.verifying(header.kid.as_deref().ok_or(Refusal::Invalid)?).ok_or(Refusal::UnknownKey)?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        // Checked by the database clock below.
        validation.validate_exp = false;
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[&self.issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        let claims =
            jsonwebtoken::decode::<Claims>(token, key, &validation).map_err(|_| Refusal::Invalid)?.claims;
        let (now, soon) = (now().timestamp(), (now() + LEEWAY).timestamp());
        let has_begun = claims.iat <= soon && claims.nbf.is_none_or(|begins| begins <= soon);
        if has_begun && now < claims.exp { Ok(claims) } else { Err(Refusal::Invalid) }
    }
}
