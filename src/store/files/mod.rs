//! File storage: a local folder, or a bucket of an S3-compatible store. A file is stored under the SHA-256 of
//! its content, so that storing it again changes nothing, and becomes visible only when complete. Reads
//! verify it ([`stored`]).

mod stored;

use std::{collections::BTreeSet, path::Path, sync::Arc, time::Duration};

use actix_web::web::Bytes;
use futures_util::TryStreamExt;
use object_store::{
    BackoffConfig, ClientOptions, ObjectStore, ObjectStoreExt, RetryConfig, aws::AmazonS3Builder,
    buffered::BufWriter, local::LocalFileSystem, path::Path as Name, prefix::PrefixStore,
};
use tokio::io::AsyncWriteExt;

use crate::{
    config::Config,
    problem::{Problem, Text, problem_types},
};

pub use stored::{Damage, Parts, ReadError, Recorded, SMALL};

/// Minimum part size of an S3 multipart upload, in bytes.
const PART_OF_S3: usize = 5 * 1024 * 1024;
/// Write buffer size for a folder, in bytes.
const PART_OF_FOLDER: usize = 256 * 1024;

/// File storage.
#[derive(Clone)]
pub struct Files {
    pub(super) store: Arc<dyn ObjectStore>,
    /// Number of bytes buffered before they are sent to the store.
    part: usize,
}

impl Files {
    /// Opens the configured file storage; creates a missing folder.
    pub fn open(config: &Config) -> Result<Self, Problem> {
        if let Some(folder) = folder_of(config) {
            std::fs::create_dir_all(folder).map_err(|error| unusable(config, error))?;
        }
        let opened = folder_of(config).map_or_else(|| Self::bucket(config), Self::folder);
        opened.map_err(|error| unusable(config, without_body(&error)))
    }

    /// Opens existing storage; none if its folder is missing.
    pub fn open_existing(config: &Config) -> Result<Option<Self>, Problem> {
        let is_missing = folder_of(config).is_some_and(|folder| !folder.exists());
        if is_missing { Ok(None) } else { Self::open(config).map(Some) }
    }

    /// Name of a file other than these, if there is one.
    pub async fn other_than(&self, names: &BTreeSet<String>) -> Result<Option<String>, Problem> {
        let is_other = |name: &String| !names.contains(name);
        let files = self.store.list(None).map_ok(|file| file.location.to_string());
        let mut others = std::pin::pin!(files.try_filter(|name| std::future::ready(is_other(name))));
        others.try_next().await.map_err(away)
    }

    fn folder(folder: &Path) -> Result<Self, object_store::Error> {
        // Acknowledged data is on the disk, as with the database.
        let store = LocalFileSystem::new_with_prefix(folder)?.with_fsync(true);
        Ok(Self { store: Arc::new(store), part: PART_OF_FOLDER })
    }

    pub(super) fn bucket(config: &Config) -> Result<Self, object_store::Error> {
        let address = config.attachments_url.trim_start_matches("s3://");
        let (bucket, prefix) = address.split_once('/').unwrap_or((address, ""));
        // A request waits for it, and has a timeout itself. Downloads by slow clients have no total limit.
        let client = ClientOptions::new()
            .with_allow_http(true)
            .with_timeout_disabled()
            .with_read_timeout(config.request_timeout());
        let backoff = BackoffConfig { max_backoff: Duration::from_secs(2), ..BackoffConfig::default() };
        let mut builder = AmazonS3Builder::from_env()
            .with_bucket_name(bucket)
            .with_client_options(client)
            .with_retry(RetryConfig { backoff, max_retries: 3, retry_timeout: config.request_timeout() / 2 });
        for (name, secret) in &config.secrets.bucket {
            builder = builder.with_config(name.to_lowercase().parse()?, secret.reveal());
        }
        if let Some(endpoint) = &config.attachments_endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        if let Some(region) = &config.attachments_region {
            builder = builder.with_region(region);
        }
        Ok(Self { store: Arc::new(PrefixStore::new(builder.build()?, prefix)), part: PART_OF_S3 })
    }

    /// Removes a file; a missing one is no error.
    ///
    /// # Errors
    /// 503 where the store does not answer.
    pub async fn remove(&self, name: &str) -> Result<(), Problem> {
        match self.store.delete(&Name::from(name)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(away(error)),
        }
    }

    /// Begins to store a file under a name. It is invisible until finished.
    pub fn begin(&self, name: &str) -> Incoming {
        let writer =
            BufWriter::with_capacity(self.store.clone(), Name::from(name), self.part).with_max_concurrency(1);
        Incoming { writer: Some(writer) }
    }
}

/// The folder of the configuration, where it names one.
fn folder_of(config: &Config) -> Option<&Path> {
    config.attachments_url.strip_prefix("file://").map(Path::new)
}

fn unusable(config: &Config, error: impl std::fmt::Display) -> Problem {
    Problem::internal(format!("the files cannot be kept at {}: {error}", config.attachments_url))
}

/// An upload into the store. If dropped before its end, it leaves nothing behind.
pub struct Incoming {
    writer: Option<BufWriter>,
}

impl Incoming {
    /// Adds bytes; waits if the store is slow.
    pub async fn put(&mut self, bytes: Bytes) -> Result<(), Problem> {
        match &mut self.writer {
            Some(writer) => writer.put(bytes).await.map_err(away),
            None => Ok(()),
        }
    }

    /// Completes the upload: durable, and visible under its name.
    pub async fn finish(mut self) -> Result<(), Problem> {
        match self.writer.take() {
            Some(mut writer) => writer.shutdown().await.map_err(away),
            None => Ok(()),
        }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if let (Some(mut writer), Ok(runtime)) = (self.writer.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move { writer.abort().await });
        }
    }
}

/// The code of an error, without the body of the answer, which contains keys and signatures.
pub(super) fn without_body(error: &impl std::fmt::Display) -> String {
    let text = error.to_string();
    let Some((begin, body)) = text.split_once('<') else { return text };
    let code =
        body.split_once("<Code>").and_then(|(_, rest)| rest.split_once('<')).map_or("", |(code, _)| code);
    format!("{begin}{code}")
}

/// 503: details are only in the log.
fn away(error: impl std::fmt::Display) -> Problem {
    tracing::error!(error = without_body(&error), "the store of files failed");
    let detail = Text::new(
        "مخزن پرونده‌ها موقتاً در دسترس نیست؛ کمی بعد دوباره بکوشید.",
        "The store of files is away for a moment; try again a little later.",
    );
    Problem::new(&problem_types::UNAVAILABLE).detail(detail).retry_after(2)
}
