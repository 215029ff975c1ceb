//! Attachments (پیوست): documents and evidence. A record announces a file, which is then uploaded; both steps
//! are repeatable.

pub mod content;
pub mod dto;
pub mod entity;
pub mod media_type;
mod record;
pub mod subjects;
pub mod verify;

use actix_web::{HttpRequest, HttpResponse, get, patch, post, put, web};
use sea_orm::{ActiveEnum, sea_query::Condition};

use self::{
    dto::{Attachment, AttachmentFilter, AttachmentInput},
    entity::Model,
    media_type::FileContent,
};
use crate::{
    config::Config,
    http::{
        Answer, Body, Patch, Referred, Routes, Upload, Visible, Write,
        resource::{self, Collection, Resource, Standard, Words},
    },
    policy::Caller,
    problem::Problem,
    store::{Files, Input},
};

/// The routes of this resource.
pub fn routes(config: &mut Routes<'_>) {
    config
        .service(resource::collection::<Model>().only(&[
            Standard::List,
            Standard::GetByReference,
            Standard::Get,
            Standard::Delete,
            Standard::History,
        ]))
        .service(create_attachment)
        .service(put_attachment_by_reference)
        .service(update_attachment)
        .service(get_attachment_content)
        .service(put_attachment_content);
}

impl Resource for Model {
    type Input = AttachmentInput;

    const WORDS: Words = Words {
        path: "/attachments",
        one: "attachment",
        many: "attachments",
        a: "an attachment",
        reads: "attachments:read",
        writes: "attachments:write",
        about: &[
            (
                Standard::List,
                "List attachments",
                "What is attached to records of the caller's province, and to national ones, which exist for \
                 everybody.",
            ),
            (
                Standard::Delete,
                "Delete an attachment",
                "Leaves a tombstone; the file itself is kept. Repeating it is no error.",
            ),
        ],
    };
}

impl Collection for Model {
    type Filter = AttachmentFilter;

    fn condition(filter: &AttachmentFilter, _: &Caller) -> Condition {
        filter.condition()
    }
}

/// Announce an attachment
///
/// The first of two steps: describe the file, with its size and its SHA-256. The second is `PUT
/// /attachments/{id}/content`, and each may be repeated after a broken connection. CDAs may attach only to
/// records of projects assigned to them.
#[utoipa::path(request_body = AttachmentInput, responses((status = 201, body = Attachment)), security(("oauth2" = ["attachments:write"])))]
#[post("/attachments")]
pub async fn create_attachment(
    input: Body<AttachmentInput>,
    limits: web::Data<Config>,
    write: Write,
) -> Result<Answer, Problem> {
    let nothing = Model::default();
    write.create(input.0.check_size(&nothing, &limits)?.onto_row(&nothing)?).await
}

/// Change an attachment
///
/// A JSON Merge Patch. Once the content is there, subject, SHA-256, size and media type cannot change.
#[utoipa::path(request_body = AttachmentInput, responses((status = 200, body = Attachment)), security(("oauth2" = ["attachments:write"])))]
#[patch("/attachments/{id}")]
pub async fn update_attachment(
    attachment: Visible<Model>,
    patch: Patch,
    limits: web::Data<Config>,
    write: Write,
) -> Result<Answer, Problem> {
    let input: AttachmentInput = patch.onto(&*attachment)?;
    write.update(&*attachment, input.check_size(&attachment, &limits)?.onto_row(&attachment)?).await
}

/// Create or replace an attachment by another system's reference
///
/// Creates the attachment with this reference (201), or replaces it (200), which needs `If-Match`. Omitted
/// fields are cleared; the reference itself is always kept.
#[utoipa::path(
    request_body = AttachmentInput,
    responses((status = 200, body = Attachment, description = "Replaced"), (status = 201, body = Attachment, description = "Created")),
    security(("oauth2" = ["attachments:write"])),
)]
#[put("/attachments/by-ref/{system}/{key}")]
pub async fn put_attachment_by_reference(
    attachment: Referred<Model>,
    input: Body<AttachmentInput>,
    limits: web::Data<Config>,
    write: Write,
) -> Result<Answer, Problem> {
    let input = input.0.check_size(attachment.found().unwrap_or(&Model::default()), &limits)?;
    write.put(attachment, input).await
}

/// Download the content
///
/// The file as it was sent, to be saved under its name: never compressed, displayed or run. Its ETag is its
/// SHA-256, by which the stored file is verified before its first byte is sent: 500 (`file_damaged`) if it is
/// missing or has changed. 404 before it has been received.
#[utoipa::path(
    responses((status = 200, body = FileContent, content_type = "application/octet-stream", description = "The file")),
    security(("oauth2" = ["attachments:read"])),
)]
#[get("/attachments/{id}/content")]
pub async fn get_attachment_content(
    attachment: Visible<Model>,
    request: HttpRequest,
    files: web::Data<Files>,
) -> Result<HttpResponse, Problem> {
    attachment.send(&request, &files).await
}

/// Send the content
///
/// The bytes of the file, in the media type of the attachment. Size, SHA-256 and type must be those announced
/// (422), otherwise nothing changes. It needs no `If-Match`, because the SHA-256 identifies the content;
/// sending it again changes nothing. A slow connection may take its time: the service gives up (408) if
/// nothing arrives for some seconds, or less than 8 KiB a second.
#[utoipa::path(
    request_body(content = FileContent, content_type = "application/octet-stream"),
    responses((status = 200, body = Attachment, description = "The content is there")),
    security(("oauth2" = ["attachments:write"])),
)]
#[put("/attachments/{id}/content")]
pub async fn put_attachment_content(
    attachment: Visible<Model>,
    upload: Upload,
    files: web::Data<Files>,
    limits: web::Data<Config>,
    write: Write,
) -> Result<Answer, Problem> {
    upload.check_media_type(&attachment.media_type.to_value())?;
    write.ask(async |transaction| attachment.check_author(transaction).await).await?;
    let content = attachment.receive(upload, &files, &limits).await?;
    write
        .ensure(attachment.id, async |present: &Model, transaction| {
            present.completed_by(&content, &files, transaction).await
        })
        .await
}
