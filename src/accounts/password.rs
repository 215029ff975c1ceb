//! Passwords: argon2id (RFC 9106) with the parameters that OWASP recommends (19 MiB, two passes), and rules
//! for new ones (NIST SP 800-63B, section 3.1.1.2). Refused are 30,000 common ones, words, names, dates,
//! repetitions and sequences, and short combinations of these.

use std::sync::LazyLock;

use actix_web::web;
use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use rand::{RngExt, distr::Alphanumeric};
use tokio::sync::Semaphore;

use crate::problem::{Problem, Text, Violation};

/// Minimum length of a password (NIST SP 800-63B requires 8, or 15 as the only factor).
pub const MIN_LENGTH: usize = 12;

/// Maximum number of concurrent hashes: each takes 19 MiB and a core for some milliseconds.
static RUNNING: Semaphore = Semaphore::const_new(4);

/// Hash to compare with in a login to an unknown account, so that it takes as long.
static NOBODY: LazyLock<String> = LazyLock::new(|| hash_now(&random()).unwrap_or_default());

/// Number of guesses below which a password is trivial. With delayed logins, more guesses take longer than a
/// century.
const FEWEST_GUESSES: u64 = 100_000_000;

/// Words that are obvious for this service.
const OF_THE_SERVICE: [&str; 4] = ["khoosheh", "khushe", "isipo", "خوشه"];

/// Reasons for refusing a new password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Found with few guesses.
    Weak,
    /// The current password.
    Present,
}

impl Refusal {
    /// The violation, at the pointer of the password.
    pub fn violation(self, pointer: &str) -> Violation {
        match self {
            Self::Weak => Violation::body(
                pointer,
                "weak_password",
                Text::new(
                    "این گذرواژه آسان حدس زده می‌شود: از گذرواژه‌های رایج است یا از تکرار، توالی، نام یا تاریخ ساخته شده است. چند واژهٔ بی‌ربط کنار هم بگذارید.",
                    "This password is easily guessed: it is a common one, or made of repetitions, sequences, names or dates. Put some words together that have \
                     nothing to do with each other.",
                ),
            ),
            Self::Present => Violation::body(
                pointer,
                "present_password",
                Text::new("گذرواژهٔ تازه همان گذرواژهٔ کنونی است.", "The new password is the present one."),
            ),
        }
    }
}

/// The hash of a new password of a user with these names; 422 at the pointer if it is refused.
pub async fn hash_new(
    password: String,
    names: Vec<String>,
    present_hash: Option<String>,
    pointer: &str,
) -> Result<String, Problem> {
    let accepted = in_background(move || match refusal(&password, &names, present_hash.as_deref()) {
        Some(refusal) => Ok(Err(refusal)),
        None => hash_now(&password).map(Ok),
    });
    accepted
        .await?
        .map_err(Problem::internal)?
        .map_err(|refusal: Refusal| Problem::invalid(vec![refusal.violation(pointer)]))
}

/// Validates a new password; returns the reason for a refusal.
pub fn refusal(password: &str, names: &[String], present_hash: Option<&str>) -> Option<Refusal> {
    let names: Vec<&str> =
        names.iter().flat_map(|name| name.split_whitespace()).chain(OF_THE_SERVICE).collect();
    // In lower case, because capitals at the usual positions are easily guessed.
    if zxcvbn::zxcvbn(&password.to_lowercase(), &names).guesses() < FEWEST_GUESSES {
        return Some(Refusal::Weak);
    }
    present_hash.is_some_and(|hash| is_right(password, hash)).then_some(Refusal::Present)
}

/// The hash of a password as a PHC string.
pub async fn hash(password: String) -> Result<String, Problem> {
    in_background(move || hash_now(&password)).await?.map_err(Problem::internal)
}

/// Whether the password matches the hash; never without a hash, but after the same time.
pub async fn verify(password: String, hash: Option<String>) -> Result<bool, Problem> {
    in_background(move || {
        let exists = hash.is_some();
        let hash = hash.unwrap_or_else(|| NOBODY.clone());
        is_right(&password, &hash) && exists
    })
    .await
}

fn is_right(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

/// Hashes at once, for the command line and the demo, where blocking does not matter.
pub fn hash_now(password: &str) -> Result<String, argon2::password_hash::Error> {
    Ok(Argon2::default().hash_password(password.as_bytes())?.to_string())
}

/// A password of 143 random bits.
pub fn random() -> String {
    rand::rng().sample_iter(Alphanumeric).take(24).map(char::from).collect()
}

/// Computes the comparison hash before the first login, which would otherwise be slow.
pub fn warm_up() {
    LazyLock::force(&NOBODY);
}

async fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    let permit = RUNNING.acquire().await.map_err(Problem::internal)?;
    // The work continues after its caller has gone; so does the permit.
    let permitted = move || {
        let _permit = permit;
        work()
    };
    web::block(permitted).await.map_err(Problem::internal)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[actix_web::test]
    async fn all_that_hashes_waits_for_a_permit_and_keeps_it_to_its_end() {
        use std::time::Duration;
        let soon = Duration::from_millis(300);
        let all = RUNNING.acquire_many(4).await.unwrap();
        let (password, present) =
            ("quite another password".to_owned(), hash_now("correct horse battery staple").unwrap());
        assert!(
            tokio::time::timeout(soon, verify(password.clone(), Some(present.clone()))).await.is_err(),
            "a login"
        );
        assert!(
            tokio::time::timeout(soon, verify(password.clone(), None)).await.is_err(),
            "a login of nobody"
        );
        assert!(tokio::time::timeout(soon, hash(password.clone())).await.is_err(), "a secret");
        let new = hash_new(password, Vec::new(), Some(present), "/new_password");
        assert!(
            tokio::time::timeout(soon, new).await.is_err(),
            "a new password, held against the present one"
        );
        drop(all);
        // The caller goes; the work and its permit continue.
        let (end, ended) = std::sync::mpsc::channel::<()>();
        assert!(tokio::time::timeout(soon, in_background(move || ended.recv())).await.is_err());
        assert_eq!(RUNNING.available_permits(), 3);
        drop(end);
        let given_back = async {
            while RUNNING.available_permits() < 4 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), given_back).await.unwrap();
    }

    #[test]
    fn what_is_easily_guessed_is_refused() {
        let names = ["lorestan".to_owned(), "شرکت شهرک‌های صنعتی لرستان".to_owned()];
        for weak in [
            "aaaaaaaaaaaa",
            "password1234",
            "PASSWORD1234",
            "p@ssw0rd1234",
            "123456789012",
            "qwertyuiop12",
            "abcabcabcabc",
            "lorestan1404",
            "khoosheh1234",
            "iloveyou1234",
            "1qaz2wsx3edc",
            "letmeinletmein",
            "ababababababab",
            "administrator",
        ] {
            assert_eq!(refusal(weak, &names, None), Some(Refusal::Weak), "{weak}");
        }
        for good in [
            "correct horse battery staple",
            "a long enough password",
            "a much better password",
            "quite another password",
            "a given password",
            "the first password",
            "pX4vN0sQm7RkT2bYc9LwE1aH",
            "سنگ و کوه بلند لرستان",
        ] {
            assert_eq!(refusal(good, &names, None), None, "{good}");
        }
        let present = hash_now("correct horse battery staple").unwrap_or_default();
        assert_eq!(refusal("correct horse battery staple", &names, Some(&present)), Some(Refusal::Present));
        assert_eq!(refusal("quite another password", &names, Some(&present)), None);
    }
}
