//! Secrets and signatures after Standard Webhooks (https://www.standardwebhooks.com): HMAC-SHA256 over id,
//! moment and body.

use std::fmt;

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, TimeDelta, Utc};
use rand::RngExt;
use sea_orm::FromJsonQueryResult;
use serde::{Deserialize, Serialize};

/// Time for which the former secret also signs after a new one is made.
const OVERLAP: TimeDelta = TimeDelta::hours(24);

/// Maximum number of signing secrets: more frequent changes drop the oldest early.
const MOST: usize = 5;

/// Prefix of secrets, common to all libraries.
const PREFIX: &str = "whsec_";

/// A secret. It is kept in clear, because signing needs it, and is shown only in the answer that creates it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    secret: String,
    /// End of its validity; the newest one has none.
    expires_at: Option<DateTime<Utc>>,
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Secret").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// The secrets of a webhook, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Secrets(Vec<Secret>);

impl Secrets {
    /// Adds a new secret of 192 random bits, and returns it. Former ones end with the overlap.
    pub fn renew(&mut self, now: DateTime<Utc>) -> String {
        let secret = format!("{PREFIX}{}", STANDARD.encode(rand::rng().random::<[u8; 24]>()));
        self.0.retain(|old| old.expires_at.is_none_or(|end| end > now));
        for old in &mut self.0 {
            old.expires_at.get_or_insert(now + OVERLAP);
        }
        self.0.insert(0, Secret { secret: secret.clone(), expires_at: None });
        self.0.truncate(MOST);
        secret
    }

    /// The header `webhook-signature`: a signature by each secret that has not ended, the newest first.
    pub fn sign(&self, id: &str, now: DateTime<Utc>, body: &str) -> String {
        let current = self.0.iter().filter(|secret| secret.expires_at.is_none_or(|end| end > now));
        let signatures = current.map(|secret| {
            // Stored secrets were encoded above.
            let key = STANDARD.decode(secret.secret.trim_start_matches(PREFIX)).unwrap_or_default();
            let tag = hmac::sign(
                &hmac::Key::new(hmac::HMAC_SHA256, &key),
                format!("{id}.{}.{body}", now.timestamp()).as_bytes(),
            );
            format!("v1,{}", STANDARD.encode(tag))
        });
        signatures.collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// The example of the reference library.
    #[test]
    fn the_example_of_the_standard_comes_out() {
        let secrets = Secrets(vec![Secret {
            secret: "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD".into(),
            expires_at: None,
        }]);
        let moment = DateTime::from_timestamp(1_649_367_553, 0).unwrap();
        let signature = secrets.sign(
            "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
            moment,
            r#"{"email":"test@example.com","username":"test_user"}"#,
        );
        assert_eq!(signature, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=");
    }

    #[test]
    fn an_old_secret_signs_for_a_day() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let mut secrets = Secrets::default();
        let (first, second) = (secrets.renew(now), secrets.renew(now));
        assert_ne!(first, second);
        assert_eq!(secrets.sign("id", now + TimeDelta::hours(23), "").split(' ').count(), 2);
        assert_eq!(secrets.sign("id", now + TimeDelta::hours(24), "").split(' ').count(), 1);
        assert!(!format!("{secrets:?}").contains("whsec_"));
        for _ in 0..10 {
            secrets.renew(now);
        }
        assert_eq!(secrets.sign("id", now, "").split(' ').count(), MOST);
    }
}
