//! The record made of table and representations: scope, sort keys, search terms, rules between records.

use sea_orm::{entity::prelude::*, sea_query::Condition};

use super::{
    dto::{ApiClient, ApiClientFilter},
    entity::{ActiveModel, Column, Entity, Model},
};
use crate::{
    accounts::{
        account::{self, Kind},
        session,
    },
    policy::Scope,
    problem::Problem,
    provinces,
    store::{Record, Transaction, record::Unique, search},
};

impl Record for Model {
    type Active = ActiveModel;
    type View = ApiClient;

    const RESOURCE: &'static str = "api_client";
    const UNIQUE: &'static [Unique] = &[Unique {
        index: "account_username",
        columns: "account.username",
        pointer: "/client_id",
        code: "duplicate",
        fa: "این شناسه از پیش هست.",
        en: "This client id exists already.",
    }];

    fn visible_to(scope: &Scope) -> Condition {
        scope.holds((Entity, Column::Province)).add(Column::Kind.eq(Kind::Client))
    }

    fn province(&self) -> Option<&str> {
        self.province.as_deref()
    }

    fn address(&self) -> String {
        format!("api-clients/{}", self.id)
    }

    fn terms(&self) -> Vec<(&'static str, String)> {
        search::words([Some(&self.username), Some(&self.display_name)])
    }

    /// Ends running sessions if the secret, province, scopes or disabled state changes.
    async fn before_write(
        &mut self,
        before: Option<&Self>,
        transaction: &Transaction,
    ) -> Result<(), Problem> {
        let grants =
            |row: &Self| (row.password_hash.clone(), row.province.clone(), row.scopes.clone(), row.disabled);
        if before.is_some_and(|before| grants(before) != grants(self)) {
            session::revoke_all(&**transaction, self.id).await?;
        }
        let changed = before.map(|before| {
            [
                ("client_id", before.username != self.username),
                ("secret", before.password_hash != self.password_hash),
                ("province", before.province != self.province),
                ("scopes", before.scopes != self.scopes),
                ("disabled", before.disabled != self.disabled),
            ]
        });
        account::note_change(transaction, Self::RESOURCE, self.id, changed.as_ref().map(<[_; 5]>::as_slice));
        Ok(())
    }

    async fn before_delete(&self, transaction: &Transaction) -> Result<(), Problem> {
        account::note_deletion(transaction, Self::RESOURCE, self.id);
        Ok(session::revoke_all(&**transaction, self.id).await?)
    }
}

impl ApiClientFilter {
    /// Condition for the matching rows.
    pub fn condition(&self) -> Condition {
        Condition::all()
            .add_option(self.province.as_ref().map(|list| Column::Province.is_in(provinces::codes(list))))
    }
}
