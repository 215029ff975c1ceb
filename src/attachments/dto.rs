//! DTOs of attachments: representation and input.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

pub use super::entity::Kind;
use super::{entity::Model, media_type::MediaType, subjects::SubjectKind};
use crate::{
    problem::{Problem, Text, Violation},
    provinces::ProvinceCode,
    store::{Input, RecordInfo, external_ref::ExternalRefs},
};

/// An attachment (پیوست): a document or a piece of evidence, with the record that it belongs to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Attachment {
    #[serde(flatten)]
    info: RecordInfo,
    /// Kind of the record that it is attached to.
    #[schema(example = "project")]
    subject_kind: SubjectKind,
    /// Record that it is attached to.
    subject_id: Uuid,
    /// The project that the record belongs to, if it belongs to one.
    #[schema(required)]
    project_id: Option<Uuid>,
    /// The province that the record belongs to; null for a national one.
    #[schema(required)]
    province: Option<ProvinceCode>,
    /// Kind of document.
    #[schema(example = "minutes")]
    kind: Kind,
    /// The title in Persian, as given.
    #[schema(example = "صورت‌جلسهٔ کمیتهٔ راهبری")]
    title_fa: String,
    /// File name, also offered at the download.
    #[schema(example = "صورت‌جلسه.txt")]
    file_name: String,
    /// Media type of the file.
    #[schema(example = "text/plain")]
    media_type: MediaType,
    /// The SHA-256 of the content, in hexadecimal.
    #[schema(example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    sha256: String,
    /// Size of the content in bytes.
    #[schema(minimum = 1, example = 4)]
    size_bytes: i64,
    /// The decision that endorses it. The endorsed diagnostic study or action plan is one that has it.
    #[schema(required, example = json!(null))]
    decision_id: Option<Uuid>,
    /// Note.
    #[schema(required)]
    note: Option<String>,
    /// Whether the content has been received; until then it is only announced.
    #[schema(example = false)]
    is_complete: bool,
    /// Time at which the content arrived.
    #[schema(required, example = json!(null))]
    received_at: Option<DateTime<Utc>>,
}

impl From<&Model> for Attachment {
    fn from(row: &Model) -> Self {
        let input = AttachmentInput::from(row);
        Self {
            info: row.into(),
            subject_kind: input.subject_kind,
            subject_id: input.subject_id,
            project_id: row.project_id,
            province: row.province.clone().map(ProvinceCode),
            kind: input.kind,
            title_fa: input.title_fa,
            file_name: input.file_name,
            media_type: input.media_type,
            sha256: input.sha256,
            size_bytes: input.size_bytes,
            decision_id: input.decision_id,
            note: input.note,
            is_complete: row.is_complete(),
            received_at: row.received_at,
        }
    }
}

/// Input of an attachment. `decision_id`, `note` and `external_refs` are optional. Fields that describe the
/// content and the subject cannot change once the content is there.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "subject_kind": "project", "subject_id": "0193f0a0-0000-7000-8000-000000000000", "kind": "minutes",
    "title_fa": "صورت‌جلسهٔ کمیتهٔ راهبری", "file_name": "صورت‌جلسه.txt", "media_type": "text/plain",
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "size_bytes": 4,
}))]
pub struct AttachmentInput {
    /// Kind of the record that it is attached to.
    #[schema(example = "project")]
    pub subject_kind: SubjectKind,
    /// Record that it is attached to.
    pub subject_id: Uuid,
    /// Kind of document.
    #[schema(example = "minutes")]
    pub kind: Kind,
    /// The title in Persian.
    #[schema(
        min_length = 1,
        max_length = 300,
        pattern = "[\\p{L}\\p{N}]",
        format = "name",
        example = "صورت‌جلسهٔ کمیتهٔ راهبری"
    )]
    pub title_fa: String,
    /// File name without a path, with an extension of its media type, such as `.txt`.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "^[^\\s\\u0000-\\u001f\\u007f-\\u009f\\u202a-\\u202e\\u2066-\\u2069/\\\\][^\\u0000-\\u001f\\u007f-\\u009f\\u202a-\\u202e\\u2066-\\u2069/\\\\]*$",
        example = "صورت‌جلسه.txt"
    )]
    pub file_name: String,
    /// Media type of the file. Its first bytes must agree.
    #[schema(example = "text/plain")]
    pub media_type: MediaType,
    /// SHA-256 of the content, in hexadecimal.
    #[schema(
        pattern = "^[0-9a-f]{64}$",
        example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    )]
    pub sha256: String,
    /// Size of the content in bytes. The service may have a lower limit: 25 MiB, unless it is configured
    /// otherwise.
    #[schema(minimum = 1, maximum = 5_368_709_120_i64, example = 4)]
    pub size_bytes: i64,
    /// The decision that endorses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision_id: Option<Uuid>,
    /// Note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 4000, pattern = "\\S")]
    pub note: Option<String>,
    /// Identifiers of the attachment in other systems.
    #[serde(default)]
    pub external_refs: ExternalRefs,
}

impl From<&Model> for AttachmentInput {
    fn from(row: &Model) -> Self {
        let row = row.clone();
        Self {
            subject_kind: row.subject_kind,
            subject_id: row.subject_id,
            kind: row.kind,
            title_fa: row.title_fa,
            file_name: row.file_name,
            media_type: row.media_type,
            sha256: row.sha256,
            size_bytes: row.size_bytes,
            decision_id: row.decision_id,
            note: row.note,
            external_refs: row.external_refs,
        }
    }
}

impl Input<Model> for AttachmentInput {
    fn external_refs(&mut self) -> &mut ExternalRefs {
        &mut self.external_refs
    }

    fn onto_row(self, row: &Model) -> Result<Model, Problem> {
        let changes = [
            ("/subject_kind", self.subject_kind != row.subject_kind),
            ("/subject_id", self.subject_id != row.subject_id),
            ("/media_type", self.media_type != row.media_type),
            ("/sha256", self.sha256 != row.sha256),
            ("/size_bytes", self.size_bytes != row.size_bytes),
        ];
        let immutable = |(pointer, _)| {
            let detail = Text::new(
                "محتوای این پیوست رسیده است و این فیلد دیگر تغییر نمی‌کند.",
                "The content is there: this does not change any more.",
            );
            Violation::body(pointer, "immutable", detail)
        };
        let mut faults: Vec<_> =
            changes.into_iter().filter(|(_, differs)| *differs && row.is_complete()).map(immutable).collect();
        let media_type = if row.is_complete() { row.media_type } else { self.media_type };
        if !media_type.fits(&self.file_name) {
            let endings = media_type.endings().join(", .");
            let detail = Text::new(
                format!("پسوند نام این نوع پرونده باید یکی از این‌ها باشد: .{endings}"),
                format!("The name of a file of this type ends in one of these: .{endings}"),
            );
            faults.push(Violation::body("/file_name", "wrong_ending", detail));
        }
        if !faults.is_empty() {
            return Err(Problem::invalid(faults));
        }
        Ok(Model {
            subject_kind: self.subject_kind,
            subject_id: self.subject_id,
            kind: self.kind,
            title_fa: self.title_fa,
            file_name: self.file_name,
            media_type: self.media_type,
            sha256: self.sha256,
            size_bytes: self.size_bytes,
            decision_id: self.decision_id,
            note: self.note,
            external_refs: self.external_refs,
            ..row.clone()
        })
    }
}

/// Filters of the list of attachments.
#[derive(Debug, Deserialize, IntoParams)]
pub struct AttachmentFilter {
    /// Attached to any of these kinds of records.
    #[param(style = Form, explode = false, min_items = 1, max_items = 11)]
    pub subject_kind: Option<Vec<SubjectKind>>,
    /// Attached to this record.
    pub subject_id: Option<Uuid>,
    /// Attached to this project, or to one of its records.
    pub project_id: Option<Uuid>,
    /// Any of these kinds.
    #[param(style = Form, explode = false, min_items = 1, max_items = 8)]
    pub kind: Option<Vec<Kind>>,
    /// Any of these provinces. Attachments of national records have none.
    #[param(style = Form, explode = false, min_items = 1, max_items = 31)]
    pub province: Option<Vec<ProvinceCode>>,
    /// With `true` only those with content; with `false` only the others.
    pub is_complete: Option<bool>,
}
