//! An answer that is complete before its first byte is sent, so that nothing else waits for its reader: in
//! memory if short, otherwise in a temporary file.

use std::{fs::File, io::Write, os::unix::fs::FileExt, sync::Arc};

use actix_web::{
    HttpResponse, HttpResponseBuilder,
    body::SizedStream,
    web::{self, Bytes},
};
use futures_util::{Stream, StreamExt, stream};
use uuid::Uuid;

use super::{
    temporary,
    upload_quota::{UploadQuota, UploadShare},
};
use crate::problem::{Problem, Text, problem_types};

/// The most bytes of an answer that are kept in memory.
const MOST_IN_MEMORY: usize = 256 * 1024;
/// Read buffer size in bytes.
const PART: usize = 32 * 1024;

/// The bounds of answers in files that an account has not read.
#[derive(Debug)]
pub struct SpoolQuota(UploadQuota);

impl Default for SpoolQuota {
    /// 16 answers and 256 MiB for each account.
    fn default() -> Self {
        Self(UploadQuota::new(16, 256 * 1024 * 1024))
    }
}

impl SpoolQuota {
    /// Quota share for one more answer of an account.
    ///
    /// # Errors
    /// 429 where the account has as many already.
    pub fn begin(&self, account: Uuid) -> Result<UploadShare, Problem> {
        self.0.begin(account).map_err(unread)
    }
}

fn unread(_: Problem) -> Problem {
    let detail = Text::new(
        "پاسخ‌های نخواندهٔ این حساب بیش از اندازه است؛ نخست آن‌ها را بخوانید.",
        "Too many answers to this account are unread: read them first.",
    );
    Problem::new(&problem_types::TOO_MANY_REQUESTS).detail(detail).retry_after(5)
}

/// An answer in the making.
#[derive(Debug, Default)]
pub struct Spool {
    memory: Vec<u8>,
    file: Option<File>,
    /// The bytes of the file.
    length: u64,
}

impl Spool {
    /// Adds bytes.
    ///
    /// # Errors
    /// 503 where the temporary file cannot be written.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        self.memory.extend_from_slice(bytes);
        if self.memory.len() <= MOST_IN_MEMORY {
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(temporary::file()?),
        };
        file.write_all(&self.memory).map_err(temporary::refused)?;
        self.length += self.memory.len() as u64;
        self.memory.clear();
        Ok(())
    }

    /// A file that is an answer already, from its beginning.
    ///
    /// # Errors
    /// 503 where its length cannot be read.
    pub fn of_file(file: File) -> Result<Self, Problem> {
        let length = file.metadata().map_err(temporary::refused)?.len();
        Ok(Self { memory: Vec::new(), file: Some(file), length })
    }

    /// The answer with this body. A file counts in the quota of its account until it is read or dropped.
    ///
    /// # Errors
    /// 429 if the account has too many unread bytes of such answers; 503 if the file cannot be written.
    pub fn answer(
        mut self,
        mut response: HttpResponseBuilder,
        mut share: UploadShare,
    ) -> Result<HttpResponse, Problem> {
        let Some(mut file) = self.file.take() else { return Ok(response.body(self.memory)) };
        let length = self.length + self.memory.len() as u64;
        share.cover(length).map_err(unread)?;
        file.write_all(&self.memory).map_err(temporary::refused)?;
        let parts = parts(file).inspect(move |_| {
            let _ = &share;
        });
        Ok(response.body(SizedStream::new(length, parts)))
    }
}

/// The bytes of a file from its beginning.
fn parts(file: File) -> impl Stream<Item = Result<Bytes, Problem>> {
    stream::try_unfold((Arc::new(file), 0), |(file, at)| async move {
        let of_part = file.clone();
        let read = web::block(move || {
            let mut part = vec![0; PART];
            let length = of_part.read_at(&mut part, at)?;
            part.truncate(length);
            Ok::<_, std::io::Error>(part)
        });
        let part = read.await.map_err(Problem::internal)?.map_err(temporary::refused)?;
        let next = at + part.len() as u64;
        Ok((!part.is_empty()).then(|| (Bytes::from(part), (file, next))))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[actix_web::test]
    async fn answers_in_files_are_bounded_until_they_are_read() {
        let quota = SpoolQuota(UploadQuota::new(3, 1_000_000));
        let (account, other) = (Uuid::nil(), Uuid::max());
        let made = |account| {
            let mut spool = Spool::default();
            spool.write(&vec![7; 600_000]).unwrap();
            quota.begin(account).and_then(|share| spool.answer(HttpResponse::Ok(), share))
        };
        let first = made(account).unwrap().into_body();
        assert_eq!(
            made(account).err().map(|problem| problem.code()),
            Some(problem_types::TOO_MANY_REQUESTS.code),
            "too many bytes"
        );
        drop(made(other).unwrap());
        let shares: Vec<_> = (0..2).map(|_| quota.begin(account).unwrap()).collect();
        assert_eq!(
            quota.begin(account).err().map(|problem| problem.code()),
            Some(problem_types::TOO_MANY_REQUESTS.code),
            "too many answers"
        );
        drop(shares);
        // Quota is returned after reading, and after dropping.
        assert_eq!(actix_web::body::to_bytes(first).await.unwrap().len(), 600_000);
        drop(made(account).unwrap());
        // One in memory counts among neither.
        let mut short = Spool::default();
        short.write(b"short").unwrap();
        let _short: Vec<_> = [Spool::default(), short]
            .into_iter()
            .map(|spool| spool.answer(HttpResponse::Ok(), quota.begin(account).unwrap()))
            .collect();
        assert!(made(account).is_ok());
    }

    #[actix_web::test]
    async fn an_answer_is_whole_in_memory_and_beyond() {
        for parts in [0, 1, 3, 40] {
            let mut spool = Spool::default();
            let mut expected = Vec::new();
            for number in 0..parts {
                let part = vec![number as u8; 50_000];
                spool.write(&part).unwrap();
                expected.extend(part);
            }
            assert_eq!(spool.file.is_some(), expected.len() > MOST_IN_MEMORY);
            let share = SpoolQuota::default().begin(Uuid::nil()).unwrap();
            let body = spool.answer(HttpResponse::Ok(), share).unwrap().into_body();
            assert_eq!(actix_web::body::to_bytes(body).await.unwrap(), expected);
        }
    }
}
