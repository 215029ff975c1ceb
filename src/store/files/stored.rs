//! Verified reads of stored files: the whole content is checked against its record before the first byte is
//! sent.

use std::{fmt, fs::File, os::unix::fs::FileExt, sync::Arc};

use actix_web::web::Bytes;
use futures_util::{
    Stream, StreamExt, TryStreamExt,
    stream::{self, BoxStream, Fuse},
};
use object_store::{GetOptions, GetResultPayload, ObjectStore, ObjectStoreExt, path::Path as Name};
use sha2::{Digest, Sha256};

use super::{Files, away};
use crate::{problem::Problem, values::hex};

/// Maximum size in bytes of a file kept in memory between check and answer; larger files are read twice.
pub const SMALL: u64 = 1024 * 1024;

/// Read buffer size in bytes, for each answer in progress.
const PART: usize = 64 * 1024;

/// Recorded properties of a stored file.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The SHA-256 of its content, in hexadecimal: its name in the store.
    pub sha256: String,
    /// Size in bytes.
    pub size: u64,
}

/// Ways in which a stored file differs from its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// It is not in the store.
    Missing,
    /// It has another number of bytes.
    Size {
        /// Recorded size in bytes.
        recorded: u64,
        /// Actual size in bytes, as far as counted.
        found: u64,
    },
    /// The content differs.
    Content,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("it is missing"),
            Self::Size { recorded, found } => write!(f, "it has {found} bytes and not {recorded}"),
            Self::Content => f.write_str("its SHA-256 is not the one that was recorded"),
        }
    }
}

/// Errors of reading a stored file.
#[derive(Debug)]
pub enum ReadError {
    /// It is not the one that was stored.
    Damaged(Damage),
    /// The store did not answer.
    Away(Problem),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(damage) => damage.fmt(f),
            Self::Away(problem) => problem.fmt(f),
        }
    }
}

impl std::error::Error for ReadError {}

impl From<object_store::Error> for ReadError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => Self::Damaged(Damage::Missing),
            // Another file has replaced it between two reads.
            object_store::Error::Precondition { .. } => Self::Damaged(Damage::Content),
            error => Self::Away(away(error)),
        }
    }
}

/// Content of a file in order.
pub type Parts = BoxStream<'static, Result<Bytes, ReadError>>;

/// A file of the store whose size is the recorded one.
struct Found {
    parts: Parts,
    /// The open file of a folder: it is read twice, and cannot be replaced meanwhile.
    file: Option<Arc<File>>,
    /// Entity tag of the object in a bucket; detects changes.
    e_tag: Option<String>,
}

impl Files {
    /// The unverified bytes under a name, for a caller that checks them.
    pub async fn bytes(&self, name: &str) -> Result<Parts, ReadError> {
        let found = self.store.get(&Name::from(name)).await?;
        Ok(found.into_stream().map_err(ReadError::from).boxed())
    }

    /// Checks that the file exists with the recorded size, without reading its content.
    pub async fn find(&self, recorded: &Recorded) -> Result<(), ReadError> {
        let found = self.store.head(&Name::from(recorded.sha256.as_str())).await?;
        recorded.check_size(found.size)
    }

    /// Checks the file with its content, in constant memory; `progress` is called for each part.
    pub async fn check(&self, recorded: &Recorded, progress: impl Fn()) -> Result<(), ReadError> {
        check(self.get(recorded, None).await?.parts, recorded, progress).await
    }

    /// The content after a successful check. A file larger than a mebibyte is read again to be sent: if it
    /// changes meanwhile, it ends with an error before its last part.
    pub async fn read(&self, recorded: &Recorded, progress: impl Fn()) -> Result<Parts, ReadError> {
        let found = self.get(recorded, None).await?;
        if recorded.size <= SMALL {
            let parts: Vec<Bytes> = found.parts.try_collect().await?;
            check(stream::iter(parts.clone()).map(Ok).boxed(), recorded, progress).await?;
            return Ok(stream::iter(parts).map(Ok).boxed());
        }
        check(found.parts, recorded, progress).await?;
        let again = match found.file {
            Some(file) => parts_of(file),
            None => self.get(recorded, found.e_tag).await?.parts,
        };
        Ok(Checked::new(again, recorded.clone()).parts().boxed())
    }

    async fn get(&self, recorded: &Recorded, if_match: Option<String>) -> Result<Found, ReadError> {
        let options = GetOptions { if_match, ..GetOptions::default() };
        let found = self.store.get_opts(&Name::from(recorded.sha256.as_str()), options).await?;
        recorded.check_size(found.meta.size)?;
        let e_tag = found.meta.e_tag.clone();
        Ok(match found.payload {
            GetResultPayload::File(file, _) => {
                let file = Arc::new(file);
                Found { parts: parts_of(file.clone()), file: Some(file), e_tag }
            }
            GetResultPayload::Stream(parts) => {
                Found { parts: parts.map_err(ReadError::from).boxed(), file: None, e_tag }
            }
        })
    }
}

impl Recorded {
    fn check_size(&self, found: u64) -> Result<(), ReadError> {
        if found == self.size {
            Ok(())
        } else {
            Err(ReadError::Damaged(Damage::Size { recorded: self.size, found }))
        }
    }
}

/// Reads a file to its end, and checks it against its record.
async fn check(parts: Parts, recorded: &Recorded, progress: impl Fn()) -> Result<(), ReadError> {
    let mut checked = Checked::new(parts, recorded.clone());
    while checked.next().await?.is_some() {
        progress();
    }
    Ok(())
}

/// Parts of a file; the last one is held back until all are verified.
struct Checked {
    parts: Fuse<Parts>,
    recorded: Recorded,
    hash: Sha256,
    size: u64,
    held: Option<Bytes>,
}

impl Checked {
    fn new(parts: Parts, recorded: Recorded) -> Self {
        Self { parts: parts.fuse(), recorded, hash: Sha256::new(), size: 0, held: None }
    }

    async fn next(&mut self) -> Result<Option<Bytes>, ReadError> {
        while let Some(part) = self.parts.try_next().await? {
            self.size += part.len() as u64;
            if self.size > self.recorded.size {
                self.recorded.check_size(self.size)?;
            }
            self.hash.update(&part);
            if let Some(before) = self.held.replace(part) {
                return Ok(Some(before));
            }
        }
        self.recorded.check_size(self.size)?;
        let is_right = hex(&self.hash.clone().finalize()) == self.recorded.sha256;
        if is_right { Ok(self.held.take()) } else { Err(ReadError::Damaged(Damage::Content)) }
    }

    fn parts(self) -> impl Stream<Item = Result<Bytes, ReadError>> {
        stream::try_unfold(self, |mut checked| async move {
            Ok(checked.next().await?.map(|part| (part, checked)))
        })
    }
}

/// The bytes of an open file from its beginning, independently of its position.
fn parts_of(file: Arc<File>) -> Parts {
    let read = |(file, at): (Arc<File>, u64)| async move {
        let read = tokio::task::spawn_blocking(move || {
            let mut part = vec![0; PART];
            let length = file.read_at(&mut part, at)?;
            part.truncate(length);
            Ok::<_, std::io::Error>((file, part))
        });
        let failed = |error: &dyn fmt::Display| ReadError::Away(away(error));
        let (file, part) = read.await.map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
        let next = at + part.len() as u64;
        Ok((!part.is_empty()).then(|| (Bytes::from(part), (file, next))))
    };
    stream::try_unfold((file, 0), read).boxed()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn recorded(content: &[u8]) -> Recorded {
        Recorded { sha256: hex(&Sha256::digest(content)), size: content.len() as u64 }
    }

    async fn sent(parts: &[&'static [u8]], recorded: &Recorded) -> (Vec<u8>, Option<Damage>) {
        let parts = parts.iter().map(|part| Ok(Bytes::from_static(part))).collect::<Vec<_>>();
        let (mut sent, mut checked) =
            (Vec::new(), Checked::new(stream::iter(parts).boxed(), recorded.clone()));
        loop {
            match checked.next().await {
                Ok(Some(part)) => sent.extend(part),
                Ok(None) => return (sent, None),
                Err(ReadError::Damaged(damage)) => return (sent, Some(damage)),
                Err(error) => panic!("{error}"),
            }
        }
    }

    #[actix_web::test]
    async fn nothing_is_whole_that_has_changed_on_its_way() {
        let whole = recorded(b"onetwothree");
        assert_eq!(sent(&[b"one", b"two", b"three"], &whole).await, (b"onetwothree".to_vec(), None));
        assert_eq!(
            sent(&[b"one", b"TWO", b"three"], &whole).await,
            (b"oneTWO".to_vec(), Some(Damage::Content))
        );
        assert_eq!(
            sent(&[b"one", b"two"], &whole).await,
            (b"one".to_vec(), Some(Damage::Size { recorded: 11, found: 6 }))
        );
        // Even if the client has received all announced bytes before the file ends.
        assert_eq!(
            sent(&[b"ONE", b"twothree", b"!"], &whole).await,
            (b"ONE".to_vec(), Some(Damage::Size { recorded: 11, found: 12 }))
        );
        assert_eq!(sent(&[], &recorded(b"")).await, (Vec::new(), None));
    }

    #[actix_web::test]
    async fn a_file_that_changes_after_the_check_breaks_off() {
        let folder = tempfile::tempdir().unwrap();
        let store = object_store::local::LocalFileSystem::new_with_prefix(folder.path()).unwrap();
        let files = Files { store: Arc::new(store), part: PART };
        let mut content = vec![7; 3 * SMALL as usize];
        let recorded = recorded(&content);
        let path = folder.path().join(&recorded.sha256);
        std::fs::write(&path, &content).unwrap();
        let whole: Vec<Bytes> = files.read(&recorded, || {}).await.unwrap().try_collect().await.unwrap();
        assert_eq!(whole.concat(), content);
        let mut parts = Box::pin(files.read(&recorded, || {}).await.unwrap());
        parts.next().await.unwrap().unwrap();
        *content.last_mut().unwrap() = 8;
        std::fs::write(&path, &content).unwrap();
        let rest: Vec<_> = parts.collect().await;
        assert!(matches!(rest.last(), Some(Err(ReadError::Damaged(Damage::Content)))));
        let sent: usize = rest.iter().flatten().map(Bytes::len).sum();
        assert!(sent + PART < content.len(), "the last part is never sent");
    }
}
