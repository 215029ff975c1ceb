//! The accounts of people as records. The table itself is [`crate::auth::account`], which logging in needs.

use sea_orm::{entity::prelude::*, sea_query::Condition};

use super::dto::{User, UserFilter};
use crate::{
    auth::{
        Scope,
        account::{self, Column, Kind, Model},
        session,
    },
    cdas,
    http::{Problem, SortKey, Text, Violation, page::Listed},
    provinces,
    store::{Record, SqlKind, Transaction, record::Unique, search},
};

impl Record for Model {
    type Active = account::ActiveModel;
    type View = User;

    const RESOURCE: &'static str = "user";
    const UNIQUE: &'static [Unique] = &[Unique {
        index: "account_username",
        columns: "account.username",
        violation: || Violation::body("/username", "duplicate", Text::new("این نام کاربری از پیش هست.", "This user name exists already.")),
    }];

    fn view(&self) -> User {
        User::from(self)
    }

    fn visible_to(scope: &Scope) -> Condition {
        scope.holds((account::Entity, Column::Province)).add(Column::Kind.eq(Kind::Person))
    }

    fn province(&self) -> Option<&str> {
        self.province.as_deref()
    }

    fn address(&self) -> String {
        format!("users/{}", self.id)
    }

    fn terms(&self) -> Vec<(&'static str, String)> {
        search::words([Some(&self.username), Some(&self.display_name)])
    }

    /// The CDA of an account is one of its province. What running sessions must no longer grant ends them.
    async fn settle(&mut self, before: Option<&Self>, transaction: &Transaction) -> Result<(), Problem> {
        let is_same = |before: &Self| before.cda_id == self.cda_id && before.province == self.province;
        if let Some(cda) = self.cda_id.filter(|_| !before.is_some_and(is_same)) {
            let cda: cdas::entity::Model = transaction.referred(cda, "/cda_id").await?;
            provinces::check_same(&cda.province, self.province.as_deref(), "/cda_id")?;
        }
        if before.is_some_and(|before| self.loses_sessions(before)) {
            session::revoke_all(&**transaction, self.id).await?;
        }
        Ok(())
    }

    async fn release(&self, transaction: &Transaction) -> Result<(), Problem> {
        Ok(session::revoke_all(&**transaction, self.id).await?)
    }
}

impl Listed for Model {
    const SORT_KEYS: &'static [SortKey<Self>] = &[
        SortKey { name: "username", sql: "account.username", kind: SqlKind::Text, value: |row| row.username.as_str().into() },
        SortKey { name: "created_at", sql: "account.created_at", kind: SqlKind::Timestamp, value: |row| row.created_at.into() },
        SortKey { name: "updated_at", sql: "account.updated_at", kind: SqlKind::Timestamp, value: |row| row.updated_at.into() },
        SortKey { name: "id", sql: "account.id", kind: SqlKind::Uuid, value: |row| row.id.into() },
    ];
}

impl UserFilter {
    /// What the filter lets through.
    pub fn condition(&self) -> Condition {
        Condition::all()
            .add_option(self.role.as_ref().map(|roles| Column::Role.is_in(roles.iter().copied())))
            .add_option(self.province.as_ref().map(|list| Column::Province.is_in(provinces::codes(list))))
    }
}
