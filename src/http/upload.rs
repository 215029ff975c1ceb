//! File uploads: bytes are passed on as they arrive, without a time limit as long as they arrive.

use std::time::Duration;

use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload, http::header, web};
use futures_util::StreamExt;
use tokio::time::Instant;

use super::{
    Call, Ready,
    body::{self, RawBody},
    data,
    request_middleware::Deadline,
    upload_quota::{UploadQuota, UploadShare},
};
use crate::{
    config::Config,
    problem::{Problem, problem_types},
};

/// Minimum average rate in bytes per second: 64 kbit/s, which the worst mobile network carries.
const PACE: u64 = 8 * 1024;

/// The file that a client sends.
pub struct Upload {
    request: HttpRequest,
    payload: Payload,
    /// Maximum silence of the client.
    patience: Duration,
    started: Instant,
    received: u64,
    share: UploadShare,
}

impl FromRequest for Upload {
    type Error = Problem;
    type Future = Ready<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let mut upload = || {
            let config = data::<Config>(request)?;
            let quota = data::<UploadQuota>(request)?;
            Ok(Self {
                request: request.clone(),
                payload: payload.take(),
                patience: config.body_timeout(),
                started: Instant::now(),
                received: 0,
                share: (**quota).begin(Call::of(request)?.caller()?.id)?,
            })
        };
        std::future::ready(upload())
    }
}

impl Upload {
    /// The media type of the file, one of the document; 415 otherwise.
    pub fn media_type(&self) -> Result<String, Problem> {
        body::accepted_media_type(&self.request, &Call::of(&self.request)?)
    }

    /// Checks that the media type is one of the document, and this one; 415 otherwise.
    pub fn check_media_type(&self, expected: &str) -> Result<(), Problem> {
        let given = self.media_type()?;
        if given == expected { Ok(()) } else { Err(body::unsupported(expected.to_owned())) }
    }

    /// Stores the hash of the whole file, which identifies a repeated request.
    pub fn recognise(&self, hash: impl AsRef<[u8]>) {
        self.request.extensions_mut().insert(RawBody(web::Bytes::copy_from_slice(hash.as_ref())));
    }

    /// The next bytes; none at the end. 413 above the limit, announced or actual; 408 if they arrive too
    /// slowly; 429 if the account uploads too much concurrently, by the announced size before the first byte
    /// and by the actual one.
    pub async fn next(&mut self, limit: u64) -> Result<Option<web::Bytes>, Problem> {
        let announced = self
            .request
            .headers()
            .get(header::CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if announced.is_some_and(|length| length > limit) {
            return Err(body::too_large(limit));
        }
        self.share.cover(announced.unwrap_or(0))?;
        let silent = Instant::now() + self.patience;
        let behind = self.started + self.patience + Duration::from_secs(self.received / PACE);
        let next = tokio::time::timeout_at(silent.min(behind), self.payload.next())
            .await
            .map_err(|_| body::too_slow())?;
        Deadline::of(&self.request).renew();
        let Some(bytes) = next.transpose().map_err(|_| Problem::new(&problem_types::MALFORMED_REQUEST))?
        else {
            return Ok(None);
        };
        self.received += bytes.len() as u64;
        if self.received > limit {
            return Err(body::too_large(limit));
        }
        self.share.cover(self.received)?;
        Ok(Some(bytes))
    }
}
