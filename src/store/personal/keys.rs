//! Keys of personal values: the encryption key and the key of the blind index are derived from one secret of
//! 32 bytes.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use aws_lc_rs::{hkdf, hmac};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sea_orm::{
    ConnectionTrait, DbErr,
    sea_query::{Alias, Query},
};

use crate::{
    config::Secret,
    problem::Problem,
    store::{sealed::Cipher, secret},
    values::hex,
};

/// Length of the secret in bytes.
pub const LENGTH: usize = 32;

/// A key with its two parts.
pub struct Key {
    id: String,
    cipher: Cipher,
    index: hmac::Key,
}

/// Length of derived bytes.
struct Bytes(usize);

impl hkdf::KeyType for Bytes {
    fn len(&self) -> usize {
        self.0
    }
}

impl Key {
    /// The key of a secret of [`LENGTH`] bytes.
    ///
    /// # Errors
    /// The library refuses it.
    pub fn new(secret: &[u8]) -> Result<Self, Problem> {
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, b"khoosheh personal values").extract(secret);
        let derive = |purpose: &str, length: usize| {
            let mut bytes = vec![0; length];
            let info = [purpose.as_bytes()];
            root.expand(&info, Bytes(length))
                .and_then(|derived| derived.fill(&mut bytes))
                .map_err(Problem::internal)?;
            Ok::<_, Problem>(bytes)
        };
        Ok(Self {
            id: hex(&derive("id", 8)?),
            cipher: Cipher::new(&derive("seal", LENGTH)?)?,
            index: hmac::Key::new(hmac::HMAC_SHA256, &derive("index", LENGTH)?),
        })
    }

    /// Parses a secret from the configuration: 64 hexadecimal digits.
    ///
    /// # Errors
    /// It is malformed.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fault = || "is to be 64 hexadecimal digits, as `openssl rand -hex 32` makes them".to_owned();
        let text = text.trim();
        if text.len() != 2 * LENGTH || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(fault());
        }
        let digits = text
            .as_bytes()
            .chunks(2)
            .map(|pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()));
        let secret = digits.collect::<Option<Vec<u8>>>().ok_or_else(fault)?;
        Self::new(&secret).map_err(|error| error.to_string())
    }

    /// Identifier of the key; reveals nothing about the secret.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Encrypts bytes for a name: `key id.nonce and ciphertext in base64url`.
    pub fn seal(&self, name: &str, bytes: Vec<u8>) -> Result<String, Problem> {
        Ok(format!("{}.{}", self.id, URL_SAFE_NO_PAD.encode(self.cipher.seal(name.as_bytes(), bytes)?)))
    }

    /// Decrypts; none if the bytes were changed or belong to another name.
    fn open(&self, name: &str, sealed: &str) -> Option<Vec<u8>> {
        self.cipher.open(name.as_bytes(), &URL_SAFE_NO_PAD.decode(sealed).ok()?)
    }

    /// Blind index of a value of a kind: HMAC-SHA-256 in base64url.
    pub fn index(&self, kind: &str, value: &str) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.index, format!("{}:{kind}{value}", kind.len()).as_bytes()))
    }
}

/// Keys seen by this process, by id: opening a value does not depend on its database.
static KNOWN: RwLock<BTreeMap<String, Arc<Key>>> = RwLock::new(BTreeMap::new());

/// The keys of the configuration, the one that encrypts first.
static CONFIGURED: RwLock<Vec<Arc<Key>>> = RwLock::new(Vec::new());

fn known(id: &str) -> Option<Arc<Key>> {
    KNOWN.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
}

fn learn(key: Key) -> Arc<Key> {
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    known.entry(key.id.clone()).or_insert_with(|| Arc::new(key)).clone()
}

/// Configures the keys: the encrypting one, then former ones that only open older values.
///
/// # Errors
/// One of them is malformed.
pub fn configure(key: Option<&Secret>, former: &[Secret]) -> Result<(), String> {
    let Some(key) = key else { return Ok(()) };
    let keys = std::iter::once(key).chain(former).map(|secret| Key::parse(secret.reveal()).map(learn));
    *CONFIGURED.write().unwrap_or_else(PoisonError::into_inner) = keys.collect::<Result<_, _>>()?;
    Ok(())
}

/// Whether the configuration gives a key.
pub fn is_configured() -> bool {
    !CONFIGURED.read().unwrap_or_else(PoisonError::into_inner).is_empty()
}

/// The keys of a database: the encrypting one, and former ones that only open older values.
pub struct Keyring(Vec<Arc<Key>>);

impl Keyring {
    /// The configured keys, and the key stored in the database if it was served without a configured one.
    ///
    /// # Errors
    /// There is no key at all, or the database does not answer.
    pub async fn of(db: &impl ConnectionTrait) -> Result<Self, Problem> {
        let mut keys = CONFIGURED.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(kept) = secret::find(db, secret::PERSONAL).await? {
            keys.push(learn(Key::new(&kept)?));
        }
        if keys.is_empty() {
            return Err(Problem::internal(
                "there is no key of personal values: set KHOOSHEH_PERSONAL_KEY_FILE, or run `khoosheh migrate up`",
            ));
        }
        Ok(Self(keys))
    }

    /// The key that encrypts.
    pub fn current(&self) -> &Key {
        &self.0[0]
    }

    /// Whether values may have the index of a former key.
    pub fn has_former(&self) -> bool {
        self.0.len() > 1
    }

    /// Blind indexes of a value of a kind, one for each key, current or former.
    pub fn indexes(&self, kind: &str, value: &str) -> Vec<String> {
        self.0.iter().map(|key| key.index(kind, value)).collect()
    }
}

/// Checks readiness: no history is without commitments, and there is a key for each value.
///
/// # Errors
/// It is not ready, and the message says how to fix that; or the database does not answer.
pub async fn check(db: &impl ConnectionTrait) -> Result<(), Problem> {
    if super::adopt::is_pending(db).await? {
        return Err(Problem::internal(
            "personal values stand in histories in clear: run `khoosheh migrate up`",
        ));
    }
    let keyring = Keyring::of(db).await?;
    let ids =
        Query::select().distinct().column(Alias::new("key_id")).from(Alias::new("personal_value")).to_owned();
    for row in db.query_all(&ids).await? {
        let id: String = row.try_get("", "key_id")?;
        if keyring.0.iter().all(|key| key.id != id) {
            let given = keyring.current().id();
            let fault = format!(
                "personal values are encrypted with the key {id}, and the configuration gives {given}: set KHOOSHEH_PERSONAL_KEY_FILE, or \
                 KHOOSHEH_FORMER_PERSONAL_KEYS_FILE, to the file with it"
            );
            return Err(Problem::internal(fault));
        }
    }
    Ok(())
}

/// Opens a value sealed for a name with a known key. The key stored in the database is read when needed.
///
/// # Errors
/// The key is missing, the text was changed, or the database does not answer.
pub async fn open(db: &impl ConnectionTrait, name: &str, sealed: &str) -> Result<Vec<u8>, DbErr> {
    let (id, text) =
        sealed.split_once('.').ok_or_else(|| DbErr::Custom("a sealed value is none".to_owned()))?;
    if known(id).is_none()
        && let Some(kept) = secret::find(db, secret::PERSONAL).await?
    {
        learn(Key::new(&kept).map_err(|error| DbErr::Custom(error.to_string()))?);
    }
    let key = known(id).ok_or_else(|| {
        DbErr::Custom(format!("the key {id} of personal values is not in the configuration"))
    })?;
    key.open(name, text)
        .ok_or_else(|| DbErr::Custom("a personal value was changed past the service".to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_key_opens_what_it_has_sealed_and_nothing_else() {
        let (key, other) = (Key::new(&[7; LENGTH]).unwrap(), Key::new(&[8; LENGTH]).unwrap());
        let sealed = key.seal("a name", b"0012345679".to_vec()).unwrap();
        let (id, text) = sealed.split_once('.').unwrap();
        assert_eq!((id, key.open("a name", text).unwrap().as_slice()), (key.id(), b"0012345679".as_slice()));
        assert_eq!(key.open("another name", text), None);
        assert_eq!(other.open("a name", text), None);
        assert_ne!(
            sealed,
            key.seal("a name", b"0012345679".to_vec()).unwrap(),
            "each has a nonce of its own"
        );
    }

    #[test]
    fn the_index_depends_on_key_kind_and_value() {
        let (key, other) = (Key::new(&[7; LENGTH]).unwrap(), Key::new(&[8; LENGTH]).unwrap());
        let index = key.index("national_code", "0012345679");
        assert_eq!(index, key.index("national_code", "0012345679"));
        for different in [
            key.index("legal_id", "0012345679"),
            key.index("national_code", "0012345687"),
            other.index("national_code", "0012345679"),
        ] {
            assert_ne!(index, different);
        }
    }

    #[test]
    fn a_key_is_written_in_hexadecimal_digits() {
        assert_eq!(Key::parse(&"07".repeat(LENGTH)).unwrap().id(), Key::new(&[7; LENGTH]).unwrap().id());
        for wrong in ["", "07", &"0g".repeat(LENGTH), &"07".repeat(LENGTH + 1), &"é".repeat(LENGTH)] {
            assert!(Key::parse(wrong).is_err(), "{wrong}");
        }
    }
}
