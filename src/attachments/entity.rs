//! Attachments: table and queries.

use std::collections::BTreeSet;

use sea_orm::{QuerySelect, entity::prelude::*, sea_query::Condition};

use super::{
    dto::{Attachment, AttachmentFilter, Kind},
    media_type::MediaType,
    subjects::SubjectKind,
};
use crate::{
    auth::Scope,
    checks, clock,
    http::{SortKey, page::Listed},
    personal::ERASED_NAME,
    problem::{Problem, problem_types},
    projects, provinces,
    store::{Record, SqlKind, Transaction, decision, search},
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

impl Record for Model {
    type Active = ActiveModel;
    type View = Attachment;

    const RESOURCE: &'static str = "attachment";

    fn view(&self) -> Attachment {
        Attachment::from(self)
    }

    /// Attachments of national records are visible to everybody.
    fn visible_to(scope: &Scope) -> Condition {
        scope.holds_or_national((Entity, Column::Province))
    }

    fn province(&self) -> Option<&str> {
        self.province.as_deref()
    }

    /// Only national accounts may change attachments of national records.
    fn is_writable_in(&self, scope: &Scope) -> bool {
        scope.province().is_none() || self.province() == scope.province()
    }

    fn address(&self) -> String {
        format!("attachments/{}", self.id)
    }

    fn terms(&self) -> Vec<(&'static str, String)> {
        search::words([Some(&self.title_fa), Some(&self.file_name)])
    }

    /// Erases the attachment: it is deleted, and its content has to be removed.
    fn erase(&mut self) {
        self.deleted_at.get_or_insert_with(clock::now);
        (self.title_fa, self.file_name) = (ERASED_NAME.to_owned(), "erased".to_owned());
        (self.note, self.received_at) = (None, None);
        self.external_refs.0.clear();
    }

    async fn before_write(
        &mut self,
        before: Option<&Self>,
        transaction: &Transaction,
    ) -> Result<(), Problem> {
        if before.is_none_or(|before| {
            before.subject_kind != self.subject_kind || before.subject_id != self.subject_id
        }) {
            let belonging = self.subject_kind.find(transaction, self.subject_id, "/subject_id").await?;
            (self.cluster_id, self.project_id, self.province) =
                (belonging.cluster_id, belonging.project_id, belonging.province);
        }
        for row in before.into_iter().chain([&*self]) {
            row.check_author(transaction).await?;
        }
        checks::all_or_none(
            decision::check(transaction, self.decision_id, self.province()).await?.into_iter().collect(),
        )
    }

    async fn before_delete(&self, transaction: &Transaction) -> Result<(), Problem> {
        self.check_author(transaction).await
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

impl Listed for Model {
    const SORT_KEYS: &'static [SortKey<Self>] = &[
        SortKey {
            name: "created_at",
            sql: "attachment.created_at",
            kind: SqlKind::Timestamp,
            value: |row| row.created_at.into(),
        },
        SortKey {
            name: "updated_at",
            sql: "attachment.updated_at",
            kind: SqlKind::Timestamp,
            value: |row| row.updated_at.into(),
        },
        SortKey { name: "id", sql: "attachment.id", kind: SqlKind::Uuid, value: |row| row.id.into() },
    ];
}

impl AttachmentFilter {
    /// Condition for the matching rows.
    pub fn condition(&self) -> Condition {
        let complete = |wanted: bool| {
            if wanted { Column::ReceivedAt.is_not_null() } else { Column::ReceivedAt.is_null() }
        };
        Condition::all()
            .add_option(
                self.subject_kind.as_ref().map(|kinds| Column::SubjectKind.is_in(kinds.iter().copied())),
            )
            .add_option(self.subject_id.map(|id| Column::SubjectId.eq(id)))
            .add_option(self.project_id.map(|id| Column::ProjectId.eq(id)))
            .add_option(self.kind.as_ref().map(|kinds| Column::Kind.is_in(kinds.iter().copied())))
            .add_option(self.province.as_ref().map(|list| Column::Province.is_in(provinces::codes(list))))
            .add_option(self.is_complete.map(complete))
    }
}
