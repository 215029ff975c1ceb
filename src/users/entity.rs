//! The accounts of people as records. The table itself is [`crate::accounts::account`], which logging in needs.

use sea_orm::{entity::prelude::*, sea_query::Condition};

use super::dto::{User, UserFilter};
use crate::{
    accounts::{
        account::{self, Column, Kind, Model},
        session,
    },
    cdas,
    http::{SortKey, page::Listed},
    personal::{ERASED_NAME, ERASED_USER},
    policy::Scope,
    problem::Problem,
    provinces,
    store::{Record, SqlKind, Transaction, personal::Apart, record::Unique, search},
};

impl Record for Model {
    type Active = account::ActiveModel;
    type View = User;

    const RESOURCE: &'static str = "user";
    const REFERRED_BY: &'static [(&'static str, &'static str)] = &[("supervision", "account_id")];
    const UNIQUE: &'static [Unique] = &[Unique {
        index: "account_username",
        columns: "account.username",
        pointer: "/username",
        code: "duplicate",
        fa: "این نام کاربری از پیش هست.",
        en: "This user name exists already.",
    }];

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

    fn apart(&mut self) -> Option<Apart<'_>> {
        Some(Apart { commitments: &mut self.commitments, sealed: Vec::new() })
    }

    /// Makes logins impossible: no password has an empty hash.
    fn erase(&mut self) {
        (self.username, self.display_name) =
            (format!("{ERASED_USER}{}", self.id.simple()), ERASED_NAME.to_owned());
        self.password_hash.clear();
        self.disabled = true;
        self.external_refs.0.clear();
    }

    /// Checks that the CDA of an account is of its province. Ends sessions that grant more than the account
    /// still has.
    async fn before_write(
        &mut self,
        before: Option<&Self>,
        transaction: &Transaction,
    ) -> Result<(), Problem> {
        let is_same = |before: &Self| before.cda_id == self.cda_id && before.province == self.province;
        if let Some(cda) = self.cda_id.filter(|_| !before.is_some_and(is_same)) {
            let cda: cdas::entity::Model = transaction.referred(cda, "/cda_id").await?;
            provinces::check_same(&cda.province, self.province.as_deref(), "/cda_id")?;
        }
        if before.is_some_and(|before| self.loses_sessions(before)) {
            session::revoke_all(&**transaction, self.id).await?;
        }
        let changed = before.map(|before| {
            [
                ("username", before.username != self.username),
                ("password", before.password_hash != self.password_hash),
                ("role", before.role != self.role),
                ("province", before.province != self.province),
                ("cda_id", before.cda_id != self.cda_id),
                ("disabled", before.disabled != self.disabled),
            ]
        });
        account::note_change(transaction, Self::RESOURCE, self.id, changed.as_ref().map(<[_; 6]>::as_slice));
        Ok(())
    }

    async fn before_delete(&self, transaction: &Transaction) -> Result<(), Problem> {
        account::note_deletion(transaction, Self::RESOURCE, self.id);
        Ok(session::revoke_all(&**transaction, self.id).await?)
    }
}

impl Listed for Model {
    const SORT_KEYS: &'static [SortKey<Self>] = &[
        SortKey::new("username", "account.username", SqlKind::Text, |row| row.username.as_str().into()),
        SortKey::new("created_at", "account.created_at", SqlKind::Timestamp, |row| row.created_at.into()),
        SortKey::new("updated_at", "account.updated_at", SqlKind::Timestamp, |row| row.updated_at.into()),
        SortKey::new("id", "account.id", SqlKind::Uuid, |row| row.id.into()),
    ];
}

impl UserFilter {
    /// Condition for the matching rows.
    pub fn condition(&self) -> Condition {
        Condition::all()
            .add_option(self.role.as_ref().map(|roles| Column::Role.is_in(roles.iter().copied())))
            .add_option(self.province.as_ref().map(|list| Column::Province.is_in(provinces::codes(list))))
    }
}
