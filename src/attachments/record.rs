//! The record made of table and representations: scope, sort keys, search terms, rules between records.

use sea_orm::{entity::prelude::*, sea_query::Condition};

use super::{
    dto::{Attachment, AttachmentFilter},
    entity::{ActiveModel, Column, Model},
};
use crate::{
    checks, clock,
    personal::ERASED_NAME,
    problem::Problem,
    provinces,
    store::{Record, Transaction, decision, search},
};

impl Record for Model {
    type Active = ActiveModel;
    type View = Attachment;

    const RESOURCE: &'static str = "attachment";
    const NATIONAL_FOR_ALL: bool = true;

    fn province(&self) -> Option<&str> {
        self.province.as_deref()
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
