//! Encryption: the cipher for all sealed data, and values encrypted in the database with a configured key.
//!
//! A sealed value is `format, key id, nonce, ciphertext`. Each purpose has a key of its own, derived from the
//! configured one (HKDF, RFC 5869), and a value opens only for its purpose (its associated data).

use aws_lc_rs::{
    aead::{AES_256_GCM_SIV, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    hkdf::{HKDF_SHA256, Salt},
};
use sha2::{Digest, Sha256};

use crate::{config::Secret, problem::Problem};

/// The first byte of a sealed value. That of a key in PKCS #8 is 0x30.
const FORMAT: u8 = 1;
const KEY_ID: usize = 8;

/// AES-256-GCM-SIV (RFC 8452) with random nonces: a repeated nonce, as may occur over the years, reveals only
/// that two texts are equal.
pub struct Cipher(RandomizedNonceKey);

impl Cipher {
    /// The cipher of a key of 32 bytes.
    ///
    /// # Errors
    /// The key has another length.
    pub fn new(key: &[u8]) -> Result<Self, Problem> {
        RandomizedNonceKey::new(&AES_256_GCM_SIV, key).map(Self).map_err(Problem::internal)
    }

    /// Nonce and ciphertext of bytes that open only with `about`, their associated data.
    ///
    /// # Errors
    /// No random nonce could be made.
    pub fn seal(&self, about: &[u8], mut clear: Vec<u8>) -> Result<Vec<u8>, Problem> {
        let nonce =
            self.0.seal_in_place_append_tag(Aad::from(about), &mut clear).map_err(Problem::internal)?;
        Ok([nonce.as_ref().as_slice(), &clear].concat())
    }

    /// Decrypts; none if the bytes were changed or sealed for something else.
    pub fn open(&self, about: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut sealed = sealed.to_vec();
        self.0
            .open_in_place(Nonce::from(nonce), Aad::from(about), &mut sealed)
            .ok()
            .map(|clear| clear.to_vec())
    }
}

/// A key that seals the values of one purpose.
pub struct SealingKey {
    cipher: Cipher,
    /// Prefix of each value: format and key id.
    head: [u8; 1 + KEY_ID],
}

/// Errors of opening a sealed value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It was sealed with a key that is not given.
    OtherKey,
    /// It was changed, or sealed for something else.
    Damaged,
}

impl SealingKey {
    /// The key of a purpose, from a secret with at least 128 bits of randomness.
    ///
    /// # Errors
    /// None that a secret can cause.
    pub fn derive(secret: &Secret, purpose: &str) -> Result<Self, Problem> {
        let mut key = [0; 32];
        let derived = Salt::new(HKDF_SHA256, b"khoosheh").extract(secret.reveal().as_bytes());
        derived
            .expand(&[purpose.as_bytes()], HKDF_SHA256)
            .and_then(|okm| okm.fill(&mut key))
            .map_err(Problem::internal)?;
        let mut head = [FORMAT; 1 + KEY_ID];
        head[1..].copy_from_slice(&Sha256::digest(key)[..KEY_ID]);
        Ok(Self { cipher: Cipher::new(&key)?, head })
    }

    /// Whether a value was sealed with this key.
    pub fn has_sealed(&self, value: &[u8]) -> bool {
        value.starts_with(&self.head)
    }

    /// Seals a value that is `about` something, such as the id of its row.
    ///
    /// # Errors
    /// No random nonce could be made.
    pub fn seal(&self, about: &str, clear: &[u8]) -> Result<Vec<u8>, Problem> {
        Ok([&self.head[..], &self.cipher.seal(about.as_bytes(), clear.to_vec())?].concat())
    }

    fn open(&self, about: &str, value: &[u8]) -> Option<Vec<u8>> {
        self.cipher.open(about.as_bytes(), value.get(self.head.len()..)?)
    }
}

/// Whether a value is sealed, by whichever key.
pub fn is_sealed(value: &[u8]) -> bool {
    value.first() == Some(&FORMAT)
}

/// Opens a value that one of the keys has sealed.
///
/// # Errors
/// The value is damaged, or none of the keys is its own.
pub fn open(keys: &[SealingKey], about: &str, value: &[u8]) -> Result<Vec<u8>, Unread> {
    let own = keys.iter().find(|key| key.has_sealed(value)).ok_or(Unread::OtherKey)?;
    own.open(about, value).ok_or(Unread::Damaged)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn key(secret: &str, purpose: &str) -> SealingKey {
        SealingKey::derive(&Secret::new(secret), purpose).unwrap()
    }

    #[test]
    fn a_value_opens_by_its_key_and_for_its_row_only() {
        let keys = [key("new", "tests"), key("old", "tests")];
        let value = keys[1].seal("row", b"clear").unwrap();
        assert!(is_sealed(&value) && !value.windows(5).any(|part| part == b"clear"));
        assert_eq!(open(&keys, "row", &value).unwrap(), b"clear");
        assert_eq!(open(&keys, "another row", &value), Err(Unread::Damaged));
        assert_eq!(open(&keys[..1], "row", &value), Err(Unread::OtherKey));
        assert_eq!(open(&[key("old", "something else")], "row", &value), Err(Unread::OtherKey));
        for place in 9..value.len() {
            let mut damaged = value.clone();
            damaged[place] ^= 1;
            assert_eq!(open(&keys, "row", &damaged), Err(Unread::Damaged), "byte {place}");
            assert!(open(&keys, "row", &value[..place]).is_err(), "{place} bytes of it");
        }
        assert_ne!(value, keys[1].seal("row", b"clear").unwrap(), "each has a nonce of its own");
    }
}
