//! Attachments: table and queries.

use macros::record;
use std::collections::BTreeSet;

use sea_orm::{DeriveActiveEnum, EnumIter, QuerySelect, entity::prelude::*, prelude::StringLen};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{media_type::MediaType, subjects::SubjectKind};
use crate::{
    problem::{Problem, problem_types},
    projects,
    provinces::ProvinceCode,
    store::{Record, Transaction},
};

/// An attachment (پیوست): a document or a piece of evidence, with the record that it belongs to.
#[record(table = "attachment", shown, input = AttachmentInput, sort(created_at, updated_at))]
#[input(
    about = "Input of an attachment. `decision_id`, `note` and `external_refs` are optional. Fields that describe the content and the subject cannot change once the content is there.",
    example = json!({
    "subject_kind": "project", "subject_id": "0193f0a0-0000-7000-8000-000000000000", "kind": "minutes",
    "title_fa": "صورت‌جلسهٔ کمیتهٔ راهبری", "file_name": "صورت‌جلسه.txt", "media_type": "text/plain",
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "size_bytes": 4,
})
)]
pub struct Model {
    /// Kind of the record that it is attached to.
    #[schema(example = "project")]
    pub subject_kind: SubjectKind,
    /// Record that it is attached to.
    pub subject_id: Uuid,
    /// The cluster of that record, if it belongs to no project.
    #[kept]
    pub cluster_id: Option<Uuid>,
    /// The project that the record belongs to, if it belongs to one.
    #[shown]
    pub project_id: Option<Uuid>,
    /// The province that the record belongs to; null for a national one.
    #[shown]
    pub province: Option<ProvinceCode>,
    /// Kind of document.
    #[schema(example = "minutes")]
    pub kind: Kind,
    /// The title in Persian.
    #[schema(example = "صورت‌جلسهٔ کمیتهٔ راهبری")]
    #[input(min_length = 1, max_length = 300, pattern = "[\\p{L}\\p{N}]", format = "name")]
    pub title_fa: String,
    /// File name without a path, with an extension of its media type, such as `.txt`.
    #[schema(example = "صورت‌جلسه.txt")]
    #[input(
        min_length = 1,
        max_length = 200,
        pattern = "^[^\\s\\u0000-\\u001f\\u007f-\\u009f\\u202a-\\u202e\\u2066-\\u2069/\\\\][^\\u0000-\\u001f\\u007f-\\u009f\\u202a-\\u202e\\u2066-\\u2069/\\\\]*$"
    )]
    pub file_name: String,
    /// Media type of the file. Its first bytes must agree.
    #[schema(example = "text/plain")]
    pub media_type: MediaType,
    /// SHA-256 of the content, in hexadecimal.
    #[schema(example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    #[input(pattern = "^[0-9a-f]{64}$")]
    pub sha256: String,
    /// Size of the content in bytes. The service may have a lower limit: 25 MiB, unless it is configured
    /// otherwise.
    #[schema(minimum = 1, example = 4)]
    #[input(maximum = 5_368_709_120_i64)]
    pub size_bytes: i64,
    /// The decision that endorses it.
    #[view(example = json!(null))]
    pub decision_id: Option<Uuid>,
    /// Note.
    #[input(min_length = 1, max_length = 4000, pattern = "\\S")]
    pub note: Option<String>,
    /// Whether the content has been received; until then it is only announced.
    #[computed]
    #[schema(example = false)]
    pub is_complete: bool,
    /// Time at which the content arrived.
    #[shown]
    #[schema(example = json!(null))]
    pub received_at: Option<chrono::DateTime<chrono::Utc>>,
}

impl Model {
    /// Whether its content is there.
    pub fn is_complete(&self) -> bool {
        self.received_at.is_some()
    }

    /// Checks that it is within the author's scope; CDAs may attach only to records of projects assigned to
    /// them.
    pub async fn check_author(&self, transaction: &Transaction) -> Result<(), Problem> {
        if !self.is_writable_in(&transaction.author().scope) {
            return Err(Problem::new(&problem_types::OUTSIDE_SCOPE));
        }
        projects::entity::check_assigned(transaction, self.project_id.unwrap_or_default()).await
    }
}

/// SHA-256 of each received content, including those of deleted attachments.
pub async fn contents(db: &impl ConnectionTrait) -> Result<BTreeSet<String>, DbErr> {
    let names: Vec<String> = Entity::find()
        .select_only()
        .column(Column::Sha256)
        .distinct()
        .filter(Column::ReceivedAt.is_not_null())
        .into_tuple()
        .all(db)
        .await?;
    Ok(names.into_iter().collect())
}

/// Kinds of documents in the programme.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = AttachmentKind)]
pub enum Kind {
    /// Evidence of a result.
    Evidence,
    /// The diagnostic study of a cluster.
    DiagnosticStudy,
    /// The action plan of a project.
    ActionPlan,
    /// The licence that a project is completed.
    CompletionLicence,
    /// Source of a claim or a figure.
    SourceDocument,
    /// The minutes of a meeting.
    Minutes,
    /// A photograph.
    Photo,
    /// Other documents.
    #[default]
    Other,
}
