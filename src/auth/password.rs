//! Passwords: argon2id (RFC 9106) with the parameters that OWASP recommends (19 MiB, two passes).

use std::sync::LazyLock;

use actix_web::web;
use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use rand::{RngExt, distr::Alphanumeric};
use tokio::sync::Semaphore;

use crate::http::Problem;

/// The fewest characters of a password (NIST SP 800-63B asks for 8 at least, 15 where it stands alone).
pub const MIN_LENGTH: usize = 12;

/// Each hash takes 19 MiB and a core for some milliseconds: no more than this many at once.
static RUNNING: Semaphore = Semaphore::const_new(4);

/// What a login to an account that does not exist is compared with, so that it takes as long.
static NOBODY: LazyLock<String> = LazyLock::new(|| hash_now(&random()).unwrap_or_default());

/// The hash of a password as a PHC string.
pub async fn hash(password: String) -> Result<String, Problem> {
    in_background(move || hash_now(&password)).await?.map_err(Problem::internal)
}

/// Whether the password is the one behind the hash; without a hash never, but after the same time.
pub async fn verify(password: String, hash: Option<String>) -> Result<bool, Problem> {
    in_background(move || {
        let exists = hash.is_some();
        let hash = hash.unwrap_or_else(|| NOBODY.clone());
        let matches = PasswordHash::new(&hash).is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok());
        matches && exists
    })
    .await
}

/// A hash, for the command line and the demo, which have nobody waiting.
pub fn hash_now(password: &str) -> Result<String, argon2::password_hash::Error> {
    Ok(Argon2::default().hash_password(password.as_bytes())?.to_string())
}

/// A password of 143 random bits.
pub fn random() -> String {
    rand::rng().sample_iter(Alphanumeric).take(24).map(char::from).collect()
}

/// Makes the comparison hash before the first login, which would otherwise be the only slow one.
pub fn warm_up() {
    LazyLock::force(&NOBODY);
}

async fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    let _permit = RUNNING.acquire().await.map_err(Problem::internal)?;
    web::block(work).await.map_err(Problem::internal)
}
