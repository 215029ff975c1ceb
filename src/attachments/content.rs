//! The content of an attachment, on its way in and out.

use actix_web::{HttpRequest, HttpResponse, body::SizedStream, http::header};
use chrono::{DateTime, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sea_orm::ActiveEnum;
use sha2::{Digest, Sha256};

use super::{
    dto::AttachmentInput,
    entity::Model,
    media_type::{MediaType, Sniffer},
};
use crate::{
    config::Config,
    http::{Problem, Text, Upload, Violation, catalogue, shape},
    store::Files,
    values::hex,
};

/// What has come in.
pub struct Content {
    sha256: String,
    size_bytes: i64,
    /// What it was said to be, if its bytes agree.
    media_type: Option<MediaType>,
}

impl AttachmentInput {
    /// 422 for a file that is larger than the service takes, other than one that was announced under a higher limit.
    pub fn check_size(self, row: &Model, config: &Config) -> Result<Self, Problem> {
        let limit = config.attachment_limit;
        if self.size_bytes == row.size_bytes || self.size_bytes.unsigned_abs() <= limit {
            return Ok(self);
        }
        let detail = Text::new(format!("بیشترین مقدار پذیرفته {limit} است."), format!("The greatest accepted value is {limit}."));
        Err(Problem::invalid(vec![Violation::body("/size_bytes", "too_large", detail)]))
    }
}

impl Model {
    /// Receives the content into the store, where it stays only if it is what the record announces. What is there already is
    /// only held against the record.
    pub async fn receive(&self, mut upload: Upload, files: &Files, config: &Config) -> Result<Content, Problem> {
        let limit = self.size_bytes.unsigned_abs().min(config.attachment_limit);
        let (mut hash, mut sniffer, mut size_bytes) = (Sha256::new(), Sniffer::default(), 0);
        let mut incoming = (!self.is_complete()).then(|| files.begin(&self.sha256));
        while let Some(bytes) = upload.next(limit).await? {
            hash.update(&bytes);
            sniffer.look(&bytes);
            size_bytes += bytes.len() as i64;
            if let Some(incoming) = &mut incoming {
                incoming.put(bytes).await?;
            }
        }
        let media_type = sniffer.agrees(self.media_type).then_some(self.media_type);
        let content = Content { sha256: hex(&hash.finalize()), size_bytes, media_type };
        self.check_content(&content)?;
        if let Some(incoming) = incoming {
            incoming.finish().await?;
        }
        Ok(content)
    }

    /// The record with its content, if it is the one announced by now.
    pub fn completed_by(&self, content: &Content, now: DateTime<Utc>) -> Result<Self, Problem> {
        self.check_content(content)?;
        Ok(Self { received_at: self.received_at.or(Some(now)), ..self.clone() })
    }

    /// 422 for a content that is not the one announced.
    fn check_content(&self, content: &Content) -> Result<(), Problem> {
        let violation = |code, fa: String, en: String| Violation::body("", code, Text::new(fa, en));
        let mut faults = Vec::new();
        if content.size_bytes != self.size_bytes {
            let (came, announced) = (content.size_bytes, self.size_bytes);
            faults.push(violation(
                "wrong_size",
                format!("{announced} بایت اعلام شده بود و {came} بایت رسید."),
                format!("{announced} bytes were announced, and {came} have come."),
            ));
        } else if content.sha256 != self.sha256 {
            let came = &content.sha256;
            faults.push(violation(
                "wrong_sha256",
                format!("SHA-256 محتوای رسیده {came} است، نه آنچه اعلام شده بود."),
                format!("The SHA-256 of what has come is {came}, which is not the one announced."),
            ));
        }
        if content.media_type != Some(self.media_type) {
            let said = self.media_type.to_value();
            faults.push(violation(
                "wrong_type_of_content",
                format!("محتوای رسیده از نوع {said} نیست."),
                format!("What has come is not of the type {said}."),
            ));
        }
        if faults.is_empty() { Ok(()) } else { Err(Problem::invalid(faults)) }
    }

    /// The content, to be kept as a file and never shown or run by a browser.
    pub async fn send(&self, request: &HttpRequest, files: &Files) -> Result<HttpResponse, Problem> {
        if !self.is_complete() {
            let detail = Text::new("محتوای این پیوست هنوز نرسیده است.", "The content of this attachment has not come yet.");
            return Err(Problem::new(&catalogue::NOT_FOUND).detail(detail));
        }
        let tag = format!("\"{}\"", self.sha256);
        let is_known = shape::knows(request, &tag);
        let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        response
            .insert_header((header::ETAG, tag))
            .insert_header((header::CACHE_CONTROL, "private, no-cache"))
            .insert_header((header::VARY, "Authorization"))
            .insert_header((header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'"))
            .insert_header((header::ACCEPT_RANGES, "none"));
        if is_known {
            return Ok(response.finish());
        }
        let bytes = files.read(&self.sha256).await?;
        response
            .insert_header((header::CONTENT_TYPE, self.media_type.to_value()))
            .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename*=UTF-8''{}", escaped(&self.file_name))));
        Ok(response.body(SizedStream::new(self.size_bytes.unsigned_abs(), bytes)))
    }
}

/// A value of an extended parameter (RFC 8187, section 3.2).
fn escaped(text: &str) -> impl std::fmt::Display {
    const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, ESCAPED)
}
