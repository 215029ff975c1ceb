//! Access tokens: JWTs after RFC 9068, signed with Ed25519 (RFC 8037).

use std::{collections::HashMap, sync::Arc, time::Duration};

use aws_lc_rs::{rand::SystemRandom, signature::Ed25519KeyPair};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, jwk::Jwk};
use moka::sync::Cache;
use sea_orm::{ActiveValue::Set, DatabaseConnection, QueryOrder, entity::prelude::*};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Caller, account, session};
use crate::{
    config::Config,
    http::Problem,
    store::{Transaction, now},
};

/// A key that signs access tokens. All instances share them through the database.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "signing_key")]
pub struct Model {
    /// The `kid`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// The private key (PKCS #8).
    pub pkcs8: Vec<u8>,
    /// When it was made. The newest signs; all of them verify.
    pub created_at: DateTimeUtc,
}

/// It stands alone.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The audience of our tokens.
const AUDIENCE: &str = "khoosheh";

/// Verified tokens are remembered for this long. An account that is disabled, or a session that is ended,
/// is locked out of every instance after it at the latest.
const REMEMBERED: Duration = Duration::from_secs(5);

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: Uuid,
    client_id: String,
    iat: i64,
    exp: i64,
    jti: Uuid,
    scope: String,
    roles: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    province: Option<String>,
    sid: Uuid,
}

/// Signs and verifies access tokens.
pub struct Authenticator {
    issuer: String,
    lifetime: i64,
    kid: String,
    signing: EncodingKey,
    verifying: HashMap<String, DecodingKey>,
    keys: Value,
    remembered: Cache<[u8; 32], (Arc<Caller>, i64)>,
}

impl Authenticator {
    /// Loads the keys, and makes the first one where there is none.
    pub async fn load(db: &DatabaseConnection, config: &Config) -> Result<Self, Problem> {
        let mut rows = keys(db).await?;
        if rows.is_empty() {
            make_first_key(db).await?;
            rows = keys(db).await?;
        }
        let newest = rows.first().ok_or_else(|| Problem::internal("there is no signing key"))?;
        let mut verifying = HashMap::new();
        let mut public = Vec::new();
        for row in &rows {
            let mut jwk = Jwk::from_encoding_key(&EncodingKey::from_ed_der(&row.pkcs8), Algorithm::EdDSA).map_err(Problem::internal)?;
            jwk.common.key_id = Some(row.id.clone());
            verifying.insert(row.id.clone(), DecodingKey::from_jwk(&jwk).map_err(Problem::internal)?);
            let mut jwk = serde_json::to_value(&jwk).map_err(Problem::internal)?;
            jwk["use"] = json!("sig");
            public.push(jwk);
        }
        Ok(Self {
            issuer: config.public_url.trim_end_matches('/').to_owned(),
            lifetime: config.access_token_seconds,
            kid: newest.id.clone(),
            signing: EncodingKey::from_ed_der(&newest.pkcs8),
            verifying,
            keys: json!({ "keys": public }),
            remembered: Cache::builder().max_capacity(10_000).time_to_live(REMEMBERED).build(),
        })
    }

    /// The public keys (RFC 7517).
    pub fn key_set(&self) -> &Value {
        &self.keys
    }

    /// The issuer, which is the address of the service.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Seconds that an access token lives.
    pub fn lifetime(&self) -> i64 {
        self.lifetime
    }

    /// An access token for an account, with these of its permissions.
    pub fn issue(&self, account: &account::Model, session: Uuid, scope: &str) -> Result<String, Problem> {
        let issued_at = now().timestamp();
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: AUDIENCE.to_owned(),
            sub: account.id,
            client_id: account.username.clone(),
            iat: issued_at,
            exp: issued_at + self.lifetime,
            jti: Uuid::now_v7(),
            scope: scope.to_owned(),
            roles: vec![account.role.name()],
            province: account.province.clone(),
            sid: session,
        };
        let header = Header { typ: Some("at+jwt".into()), kid: Some(self.kid.clone()), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, &claims, &self.signing).map_err(Problem::internal)
    }

    /// Who sends this token; none when it is not valid, or its account or session no longer is.
    pub async fn caller(&self, db: &DatabaseConnection, token: &str) -> Result<Option<Arc<Caller>>, Problem> {
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        if let Some((caller, expires)) = self.remembered.get(&hash) {
            return Ok((now().timestamp() < expires).then_some(caller));
        }
        let Some(claims) = self.verify(token) else { return Ok(None) };
        let Some(account) = account::Entity::find_by_id(claims.sub).one(db).await?.filter(account::Model::is_usable) else { return Ok(None) };
        let session = session::Entity::find_by_id(claims.sid).one(db).await?;
        if session.is_none_or(|session| session.revoked_at.is_some()) {
            return Ok(None);
        }
        let granted: Vec<&str> = claims.scope.split(' ').collect();
        let caller = Arc::new(Caller::of(account, |permission| granted.contains(&permission.as_str())));
        self.remembered.insert(hash, (caller.clone(), claims.exp));
        Ok(Some(caller))
    }

    /// The session that a valid access token belongs to.
    pub fn session_of(&self, token: &str) -> Option<Uuid> {
        self.verify(token).map(|claims| claims.sid)
    }

    /// Forgets what this instance remembers of tokens, so that a change of an account counts here at once.
    pub fn forget(&self) {
        self.remembered.invalidate_all();
    }

    fn verify(&self, token: &str) -> Option<Claims> {
        let header = jsonwebtoken::decode_header(token).ok()?;
        if header.typ.as_deref() != Some("at+jwt") {
            return None;
        }
        let key = self.verifying.get(header.kid.as_deref()?)?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.leeway = 0;
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[&self.issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        jsonwebtoken::decode(token, key, &validation).ok().map(|data| data.claims)
    }
}

async fn keys(db: &DatabaseConnection) -> Result<Vec<Model>, DbErr> {
    Entity::find().order_by_desc(Column::CreatedAt).order_by_desc(Column::Id).all(db).await
}

/// Of several instances that start at once, one makes the key.
async fn make_first_key(db: &DatabaseConnection) -> Result<(), Problem> {
    let transaction = Transaction::begin(db, Caller::service(), String::new()).await?;
    crate::store::lock::for_transaction(&*transaction, "first signing key").await?;
    if Entity::find().one(&*transaction).await?.is_none() {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).map_err(Problem::internal)?;
        let key = ActiveModel { id: Set(Uuid::now_v7().simple().to_string()), pkcs8: Set(pkcs8.as_ref().to_vec()), created_at: Set(now()) };
        Entity::insert(key).exec_without_returning(&*transaction).await?;
    }
    transaction.commit().await
}
