//! The record made of table and representations: scope, sort keys, search terms, rules between records.

use sea_orm::{PaginatorTrait, entity::prelude::*, sea_query::Condition};

use super::{
    dto::WebhookFilter,
    entity::{ActiveModel, Column, Entity, MOST, Model},
};
use crate::{
    problem::{Problem, problem_types},
    provinces,
    store::{Record, Transaction, outbox, search},
};

impl Record for Model {
    type Active = ActiveModel;
    type View = Self;

    const RESOURCE: &'static str = "webhook";

    fn province(&self) -> Option<&str> {
        self.province.as_deref()
    }

    fn address(&self) -> String {
        format!("webhooks/{}", self.id)
    }

    fn terms(&self) -> Vec<(&'static str, String)> {
        search::words([Some(&self.url), self.description.as_ref()])
    }

    /// A new webhook starts at the current end of the change log.
    async fn before_write(
        &mut self,
        before: Option<&Self>,
        transaction: &Transaction,
    ) -> Result<(), Problem> {
        if before.is_some_and(|before| !before.is_active) && self.is_active {
            outbox::begin_anew(&**transaction, self.id).await?;
        }
        if before.is_none() {
            transaction.lock_named("webhooks", Uuid::nil()).await?;
            let own = self
                .province
                .as_ref()
                .map_or_else(|| Column::Province.is_null(), |own| Column::Province.eq(own.clone()));
            let others =
                Entity::find().filter(own).filter(Column::DeletedAt.is_null()).count(&**transaction).await?;
            if others >= MOST {
                return Err(Problem::new(&problem_types::TOO_MANY_WEBHOOKS));
            }
            outbox::open(&**transaction, self.id).await?;
        }
        Ok(())
    }
}

impl WebhookFilter {
    /// Condition for the matching rows.
    pub fn condition(&self) -> Condition {
        Condition::all()
            .add_option(self.province.as_ref().map(|list| Column::Province.is_in(provinces::codes(list))))
            .add_option(self.is_active.map(|is_active| Column::IsActive.eq(is_active)))
    }
}
