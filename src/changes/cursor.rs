//! Cursors of the feed: the position of a follower, encrypted and authenticated, so that nobody can forge a
//! cursor or read data of others in it.
//!
//! A cursor is `format, key, nonce, sealed place`, in base64url. The format and the key's id are in clear: a
//! cursor of another format, or of a database with another key, is valid but unusable (410); one that has our
//! key's id and cannot be opened is invalid (400).

use aws_lc_rs::aead::NONCE_LEN;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sea_orm::prelude::Uuid;
use serde::{Deserialize, Serialize, de::IgnoredAny};
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use crate::{
    problem::{Problem, problem_types},
    store::{
        Database,
        feed::{Seen, Trace},
        sealed::Cipher,
        secret,
    },
};

/// Format of cursors. The first one was unencrypted JSON.
const FORMAT: u8 = 2;
const KEY_ID: usize = 8;

/// Position of a follower.
#[derive(Debug, Serialize, Deserialize)]
pub struct Cursor {
    /// Identity of the database.
    pub lineage: String,
    /// Hash of the followed kinds and the province.
    pub question: String,
    pub place: Place,
    /// Trace of the entries seen; none if the log was empty.
    pub trace: Option<Trace>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Within the snapshot of a moment, after a record of a kind.
    Snapshot { seen: Seen, kind: usize, after: Uuid },
    /// After all that was seen at a moment.
    After { seen: Seen },
    /// Between two moments, at a position.
    Between { since: Option<Seen>, until: Seen, position: i64 },
}

impl Place {
    /// The latest moment in it.
    pub fn seen(&self) -> &Seen {
        match self {
            Self::Snapshot { seen, .. } | Self::After { seen } | Self::Between { until: seen, .. } => seen,
        }
    }
}

/// The key that encrypts cursors, loaded or created at first use, so that the rest of the service works
/// without it.
#[derive(Default)]
pub struct CursorKey(OnceCell<Seal>);

impl CursorKey {
    /// The seal of this database.
    pub async fn seal(&self, db: &Database) -> Result<&Seal, Problem> {
        self.0.get_or_try_init(|| async { Seal::new(&secret::get_or_make(db, secret::CURSORS).await?) }).await
    }
}

/// Encrypts and decrypts cursors.
pub struct Seal {
    cipher: Cipher,
    /// Prefix of each cursor: format and key id.
    head: [u8; 1 + KEY_ID],
}

impl Seal {
    fn new(secret: &[u8]) -> Result<Self, Problem> {
        let mut head = [FORMAT; 1 + KEY_ID];
        head[1..].copy_from_slice(&Sha256::digest(secret)[..KEY_ID]);
        Ok(Self { cipher: Cipher::new(secret)?, head })
    }

    /// The cursor as text.
    pub fn close(&self, cursor: &Cursor) -> Result<String, Problem> {
        let sealed = self.cipher.seal(&self.head, serde_json::to_vec(cursor).map_err(Problem::internal)?)?;
        Ok(URL_SAFE_NO_PAD.encode([&self.head[..], &sealed].concat()))
    }

    /// Opens a cursor. 410 if it has another format or key, 400 if it is invalid.
    pub fn open(&self, text: &str) -> Result<Cursor, Problem> {
        let invalid = || Problem::new(&problem_types::INVALID_CURSOR);
        let elsewhere = || Problem::new(&problem_types::RESYNC_REQUIRED);
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| invalid())?;
        if is_unsealed(&bytes) {
            return Err(elsewhere());
        }
        let (head, rest) = bytes.split_at_checked(self.head.len()).ok_or_else(invalid)?;
        if rest.len() < NONCE_LEN {
            return Err(invalid());
        }
        if head[0] != FORMAT {
            return Err(if (1..FORMAT).contains(&head[0]) { elsewhere() } else { invalid() });
        }
        if head != self.head {
            return Err(elsewhere());
        }
        let opened = self.cipher.open(&self.head, rest).ok_or_else(invalid)?;
        // It was sealed here, so unreadable content means another format.
        serde_json::from_slice(&opened).map_err(|_| elsewhere())
    }
}

/// Whether it is a cursor of the first, unencrypted format.
fn is_unsealed(bytes: &[u8]) -> bool {
    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct Unsealed {
        lineage: IgnoredAny,
        question: IgnoredAny,
        place: IgnoredAny,
    }
    serde_json::from_slice::<Unsealed>(bytes).is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn cursor(seen: &str) -> Cursor {
        let seen: Seen = seen.parse().unwrap();
        let place = Place::Between { since: Some(seen.clone()), until: seen, position: i64::MAX };
        let trace = serde_json::json!({
            "seq": i64::MAX, "resource": "progress_report", "record_id": Uuid::max(), "version": i64::MAX, "request_id": "r".repeat(100),
            "tail": "f".repeat(32)
        });
        let (lineage, question) = (format!("{}.{}", u64::MAX, u32::MAX), "0123456789abcdef".to_owned());
        Cursor { lineage, question, place, trace: serde_json::from_value(trace).unwrap() }
    }

    #[test]
    fn the_longest_cursor_is_as_long_as_the_document_allows() {
        let running: Vec<_> = (0..100_i64).map(|number| (1_000_000_000_000 + number).to_string()).collect();
        let longest = cursor(&format!("1000000000000:2000000000000:{}:{}", running.join(","), i64::MAX));
        let text = Seal::new(&[7; 32]).unwrap().close(&longest).unwrap();
        assert!(text.len() <= 5_000, "{}", text.len());
    }

    #[test]
    fn a_cursor_opens_as_it_was_and_in_no_other_way() {
        let (seal, other) = (Seal::new(&[7; 32]).unwrap(), Seal::new(&[8; 32]).unwrap());
        let text = seal.close(&cursor("10:20:14:7")).unwrap();
        assert_eq!(format!("{:?}", seal.open(&text).unwrap()), format!("{:?}", cursor("10:20:14:7")));
        assert_ne!(text, seal.close(&cursor("10:20:14:7")).unwrap(), "each has a nonce of its own");
        assert_eq!(other.open(&text).unwrap_err().code(), "resync_required", "the key of another database");
        let bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
        for place in 0..bytes.len() {
            for mask in [1, 0x80] {
                let mut damaged = bytes.clone();
                damaged[place] ^= mask;
                let code = seal.open(&URL_SAFE_NO_PAD.encode(damaged)).unwrap_err().code();
                let expected =
                    if (1..=KEY_ID).contains(&place) { "resync_required" } else { "invalid_cursor" };
                assert_eq!(code, expected, "byte {place}");
            }
            let shorter = seal.open(&URL_SAFE_NO_PAD.encode(&bytes[..place])).unwrap_err();
            assert_eq!(shorter.code(), "invalid_cursor", "{place} bytes of it");
        }
    }

    #[test]
    fn a_cursor_of_a_former_format_leads_nowhere() {
        let seal = Seal::new(&[7; 32]).unwrap();
        let former = r#"{"lineage":"f00","question":"0123456789abcdef","place":{"after":{"seen":"1:1:"}}}"#;
        let code = |bytes: &[u8]| seal.open(&URL_SAFE_NO_PAD.encode(bytes)).unwrap_err().code();
        assert_eq!(code(former.as_bytes()), "resync_required");
        assert_eq!(code(&former.as_bytes()[1..]), "invalid_cursor");
        assert_eq!(code(b"{}"), "invalid_cursor");
        let unread = seal.cipher.seal(&seal.head, b"{}".to_vec()).unwrap();
        assert_eq!(
            code(&[&seal.head[..], &unread].concat()),
            "resync_required",
            "sealed here, and not read any more"
        );
    }
}
