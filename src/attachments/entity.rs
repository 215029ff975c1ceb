//! Attachments: table and queries.

use crate::store::Record;
use sea_orm::QuerySelect;
use std::collections::BTreeSet;

use sea_orm::{DeriveActiveEnum, EnumIter, entity::prelude::*, prelude::StringLen};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{media_type::MediaType, subjects::SubjectKind};
use crate::{
    problem::{Problem, problem_types},
    projects,
    store::Transaction,
};

crate::store::record_table! {
    /// An attachment.
    "attachment" {
        /// Kind of the record that it is attached to.
        subject_kind: SubjectKind,
        /// Record that it is attached to.
        subject_id: Uuid,
        /// The cluster of that record, if it belongs to no project.
        cluster_id: Option<Uuid>,
        /// The project of that record.
        project_id: Option<Uuid>,
        /// The code of that record's province; none for a national one.
        province: Option<String>,
        /// Kind of document.
        kind: Kind,
        /// Its Persian title as given.
        title_fa: String,
        /// File name.
        file_name: String,
        /// Media type.
        media_type: MediaType,
        /// The SHA-256 of the content, in hexadecimal: its name in the store of files.
        sha256: String,
        /// Size of the content in bytes.
        size_bytes: i64,
        /// The decision that endorses it.
        decision_id: Option<Uuid>,
        /// Note.
        note: Option<String>,
        /// Time at which the content arrived.
        received_at: Option<ChronoDateTimeUtc>,
    }
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
