//! DTOs of attachments: representation and input.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

pub use super::entity::{AttachmentInput, Kind};
use super::{entity::Model, subjects::SubjectKind};
use crate::{
    problem::{Problem, Text, Violation},
    provinces::ProvinceCode,
    store::{Fields, Input},
};

/// An attachment (پیوست): a document or a piece of evidence, with the record that it belongs to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Attachment {
    #[serde(flatten)]
    #[schema(inline)]
    row: Model,
    #[schema(ignore)]
    is_complete: bool,
}

impl From<&Model> for Attachment {
    fn from(row: &Model) -> Self {
        Self { row: row.clone(), is_complete: row.is_complete() }
    }
}

impl Input<Model> for AttachmentInput {
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
        Ok(self.over(row))
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
