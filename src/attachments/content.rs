//! Upload and download of attachment contents.

use actix_web::{HttpRequest, HttpResponse, body::SizedStream, http::header, web};
use futures_util::{StreamExt, TryStreamExt, stream};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sea_orm::{
    ActiveEnum, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect, prelude::ColumnTrait,
    prelude::Uuid,
};
use sha2::{Digest, Sha256};

use super::{
    dto::AttachmentInput,
    entity::{Column, Entity, Model},
    media_type::{MediaType, Sniffer},
};
use crate::{
    config::Config,
    http::{
        Upload,
        compress::AsItIs,
        render,
        request_middleware::{Deadline, HeadersOnly},
    },
    problem::{Problem, Text, Violation, problem_types},
    store::{
        Database, Files, Transaction,
        files::{ReadError, Recorded, SMALL},
        lock,
    },
    values::hex,
};

/// An uploaded file.
pub struct Content {
    sha256: String,
    size_bytes: i64,
    /// The declared type, if the bytes agree.
    media_type: Option<MediaType>,
}

/// Locks a content until the end of the transaction: no new references to it, and no removal of its file.
async fn hold(transaction: &impl ConnectionTrait, sha256: &str) -> Result<(), DbErr> {
    lock::for_transaction(transaction, &format!("content {sha256}")).await
}

/// Removes the files of some attachments that no attachment refers to any more. Repeatable: an attachment
/// keeps the name of its content.
///
/// # Errors
/// The store or the database does not answer.
pub async fn remove_unreferred(db: &Database, files: &Files, attachments: &[Uuid]) -> Result<(), Problem> {
    let of_these = Entity::find().filter(Column::Id.is_in(attachments.iter().copied()));
    let contents: Vec<String> =
        of_these.select_only().column(Column::Sha256).distinct().into_tuple().all(db).await?;
    for sha256 in contents {
        let transaction = db.begin_to_write().await?;
        hold(&*transaction, &sha256).await?;
        let referring =
            Entity::find().filter(Column::Sha256.eq(&sha256)).filter(Column::ReceivedAt.is_not_null());
        let removed = match referring.one(&*transaction).await? {
            Some(_) => Ok(()),
            None => files.remove(&sha256).await,
        };
        transaction.roll_back().await;
        removed?;
    }
    Ok(())
}

impl AttachmentInput {
    /// 422 for a file above the size limit of the service, except one announced under a higher limit.
    pub fn check_size(self, row: &Model, config: &Config) -> Result<Self, Problem> {
        let limit = config.attachment_limit;
        if self.size_bytes == row.size_bytes || self.size_bytes.unsigned_abs() <= limit {
            return Ok(self);
        }
        let detail = Text::new(
            format!("بیشترین مقدار پذیرفته {limit} است."),
            format!("The greatest accepted value is {limit}."),
        );
        Err(Problem::invalid(vec![Violation::body("/size_bytes", "too_large", detail)]))
    }
}

impl Model {
    /// Receives the content into the store, where it stays only if it matches the record. Existing content is
    /// only compared with the record.
    pub async fn receive(
        &self,
        mut upload: Upload,
        files: &Files,
        config: &Config,
    ) -> Result<Content, Problem> {
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

    /// The record with its content, if this is still the announced one. The file cannot be removed before the
    /// end of the transaction.
    ///
    /// # Errors
    /// 422 for another content; 503 if the file was removed meanwhile with the last record that referred to
    /// it: it has to be sent again.
    pub async fn completed_by(
        &self,
        content: &Content,
        files: &Files,
        transaction: &Transaction,
    ) -> Result<Self, Problem> {
        self.check_content(content)?;
        if self.is_complete() {
            return Ok(self.clone());
        }
        hold(&**transaction, &self.sha256).await?;
        match files.find(&self.recorded()).await {
            Ok(()) => Ok(Self { received_at: Some(transaction.now()), ..self.clone() }),
            Err(ReadError::Away(problem)) => Err(problem),
            Err(ReadError::Damaged(damage)) => {
                tracing::warn!(attachment = %self.id, %damage, "a file was removed while it came in again");
                let detail = Text::new(
                    "پرونده هم‌زمان پاک شد؛ آن را دوباره بفرستید.",
                    "The file was removed at the same time: send it again.",
                );
                Err(Problem::new(&problem_types::UNAVAILABLE).detail(detail).retry_after(1))
            }
        }
    }

    /// 422 for a content other than the announced one.
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

    /// Recorded properties of the stored file.
    pub fn recorded(&self) -> Recorded {
        Recorded { sha256: self.sha256.clone(), size: self.size_bytes.unsigned_abs() }
    }

    /// The content as a download, which a browser never displays or runs. All of it is verified before its
    /// first byte is sent; for a HEAD, only its size.
    pub async fn send(&self, request: &HttpRequest, files: &Files) -> Result<HttpResponse, Problem> {
        if !self.is_complete() {
            let detail = Text::new(
                "محتوای این پیوست هنوز نرسیده است.",
                "The content of this attachment has not come yet.",
            );
            return Err(Problem::new(&problem_types::NOT_FOUND).detail(detail));
        }
        let tag = format!("\"{}\"", self.sha256);
        let is_known = render::knows(request, &tag);
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
        let (id, deadline, recorded) = (self.id, Deadline::of(request), self.recorded());
        let content = if HeadersOnly::is_asked_of(request) {
            files.find(&recorded).await.map(|()| stream::empty().boxed())
        } else {
            files.read(&recorded, || deadline.renew()).await
        };
        let content = content.map_err(|error| self.refusal(error))?;
        response.insert_header((header::CONTENT_TYPE, self.media_type.to_value())).insert_header((
            header::CONTENT_DISPOSITION,
            format!("attachment; filename*=UTF-8''{}", escaped(&self.file_name)),
        ));
        let is_small = recorded.size <= SMALL && !HeadersOnly::is_asked_of(request);
        if is_small {
            // In memory already, and counted as such.
            let parts: Vec<web::Bytes> = content.try_collect().await.map_err(|error| self.refusal(error))?;
            response.extensions_mut().insert(AsItIs);
            return Ok(response.body(parts.concat()));
        }
        let content = content.inspect_err(move |error| tracing::error!(attachment = %id, %error, "a stored file broke off while it was sent"));
        Ok(response.body(SizedStream::new(recorded.size, content)))
    }

    /// 500 if the stored file differs from its record, with a separate problem type and a log line.
    fn refusal(&self, error: ReadError) -> Problem {
        match error {
            ReadError::Away(problem) => problem,
            ReadError::Damaged(damage) => {
                tracing::error!(attachment = %self.id, sha256 = self.sha256, %damage, "a stored file is damaged");
                Problem::new(&problem_types::FILE_DAMAGED).cause(damage)
            }
        }
    }
}

/// A value of an extended parameter (RFC 8187, section 3.2).
fn escaped(text: &str) -> impl std::fmt::Display {
    const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, ESCAPED)
}
