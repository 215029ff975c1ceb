//! Quota of concurrent uploads per account: files, and bytes buffered before they are complete.

use std::sync::Arc;

use uuid::Uuid;

use super::tally::{Held, Tally};
use crate::problem::{Problem, Text, problem_types};

/// `Retry-After` in seconds.
const RETRY_AFTER: u64 = 5;

/// Limits per account, and its current uploads.
#[derive(Debug)]
pub struct UploadQuota {
    most_files: u64,
    most_bytes: u64,
    files: Arc<Tally<Uuid>>,
    bytes: Arc<Tally<Uuid>>,
}

/// Limits of request bodies other than files, which are in memory until complete.
#[derive(Debug)]
pub struct BodyQuota(pub UploadQuota);

impl Default for BodyQuota {
    /// 16 MiB for each account, in any number of bodies.
    fn default() -> Self {
        Self(UploadQuota::new(usize::MAX, 16 * 1024 * 1024))
    }
}

impl UploadQuota {
    /// Limits of concurrent files and bytes per account. A single file may be larger: it has a limit of its
    /// own.
    pub fn new(most_files: usize, most_bytes: u64) -> Self {
        Self { most_files: most_files as u64, most_bytes, files: Arc::default(), bytes: Arc::default() }
    }

    /// Counts one more file of an account until its share is dropped.
    ///
    /// # Errors
    /// 429 where the account sends as many already.
    pub fn begin(&self, account: Uuid) -> Result<UploadShare, Problem> {
        let most = self.most_files;
        let file = self.files.take(account, 1, |others| others < most).ok_or_else(|| {
            refused(Text::new(
                format!("این حساب هم‌اکنون {most} پرونده می‌فرستد؛ تا پایان یکی از آن‌ها صبر کنید."),
                format!("This account is sending {most} files already: let one of them end first."),
            ))
        })?;
        Ok(UploadShare { most_bytes: self.most_bytes, bytes: self.bytes.begin(account), _file: file })
    }
}

/// Share of one upload in its account's quota. It is released when dropped.
#[derive(Debug)]
pub struct UploadShare {
    most_bytes: u64,
    bytes: Held<Uuid>,
    _file: Held<Uuid>,
}

impl UploadShare {
    /// Counts the total bytes, announced or received.
    ///
    /// # Errors
    /// 429 if they exceed the limit together with other uploads of the account.
    pub fn cover(&mut self, bytes: u64) -> Result<(), Problem> {
        let (most, all) = (self.most_bytes, bytes.max(self.bytes.amount()));
        if self
            .bytes
            .grow(all - self.bytes.amount(), |others| others == 0 || others.saturating_add(all) <= most)
        {
            return Ok(());
        }
        Err(refused(Text::new(
            format!("این حساب هم‌زمان بیش از {most} بایت می‌فرستد؛ تا پایان ارسال‌های دیگر صبر کنید."),
            format!(
                "This account is sending more than {most} bytes at the same time: let its other uploads end first."
            ),
        )))
    }
}

fn refused(detail: Text) -> Problem {
    Problem::new(&problem_types::TOO_MANY_REQUESTS)
        .detail(detail)
        .retry_after(RETRY_AFTER)
        .header(actix_web::http::header::CONNECTION, "close")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn files_and_bytes_of_an_account_are_bounded_together_and_given_back() {
        let quota = UploadQuota::new(2, 100);
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mut first = quota.begin(one).unwrap();
        first.cover(150).unwrap();
        let mut second = quota.begin(one).unwrap();
        assert_eq!(
            second.cover(1).unwrap_err().code(),
            "too_many_requests",
            "a large file leaves no room beside it"
        );
        assert_eq!(quota.begin(one).unwrap_err().code(), "too_many_requests");
        quota.begin(other).unwrap().cover(100).unwrap();
        drop(first);
        second.cover(90).unwrap();
        let mut third = quota.begin(one).unwrap();
        assert!(third.cover(11).is_err());
        third.cover(10).unwrap();
        drop((second, third));
        assert!(quota.files.is_empty() && quota.bytes.is_empty());
    }
}
