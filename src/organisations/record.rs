//! The record made of table and representations: scope, sort keys, search terms, rules between records.

use sea_orm::{entity::prelude::*, sea_query::Condition};

use super::{
    dto::{Kind, Organisation, OrganisationFilter},
    entity::{ActiveModel, Column, Model},
};
use crate::{
    problem::{Problem, problem_types},
    provinces,
    store::{
        Include, Reading, Record, Transaction,
        personal::{Apart, Sealed},
        record::Unique,
        search,
    },
};

impl Record for Model {
    type Active = ActiveModel;
    type View = Organisation;

    const RESOURCE: &'static str = "organisation";
    const NATIONAL_FOR_ALL: bool = true;
    const INCLUDES: &'static [Include] =
        &[Include::new("parent", "the organisation that it is a part of", "organisations:read")];
    const REFERRED_BY: &'static [(&'static str, &'static str)] = &[
        ("organisation", "parent_id"),
        ("project", "organisation_id"),
        ("project", "receiving_organisation_id"),
        ("partner", "organisation_id"),
        ("supervision", "organisation_id"),
        ("enterprise", "organisation_id"),
        ("feasibility_study", "executor_id"),
    ];
    const UNIQUE: &'static [Unique] = &[Unique {
        index: "organisation_legal_id_index",
        columns: "organisation.legal_id_index",
        pointer: "/legal_id",
        code: "duplicate",
        fa: "این شناسهٔ ملی از پیش ثبت شده است.",
        en: "This national id is registered already.",
    }];

    fn province(&self) -> Option<&str> {
        self.province.as_deref()
    }

    fn address(&self) -> String {
        format!("organisations/{}", self.id)
    }

    fn terms(&self) -> Vec<(&'static str, String)> {
        search::words([Some(&self.name_fa), self.name_en.as_ref()])
    }

    fn apart(&mut self) -> Option<Apart<'_>> {
        let sealed = vec![
            Sealed {
                field: "legal_id",
                value: self.legal_id.as_mut().map(|id| &mut id.0),
                index: Some(&mut self.legal_id_index),
            },
            Sealed { field: "phone", value: self.phone.as_mut().map(|phone| &mut phone.0), index: None },
            Sealed { field: "email", value: self.email.as_mut().map(|email| &mut email.0), index: None },
        ];
        Some(Apart { commitments: &mut self.commitments, sealed })
    }

    fn erase(&mut self) {
        (self.legal_id, self.phone, self.email) = (None, None, None);
    }

    async fn views(rows: &[Self], reading: &Reading<'_>) -> Result<Vec<Organisation>, Problem> {
        let parents = reading.included::<Self>("parent", rows.iter().map(|row| row.parent_id)).await?;
        let view = |row: &Self| {
            let mut view = row.view();
            view.parent = row.parent_id.and_then(|id| parents.get(&id).cloned()).map(Box::new);
            view
        };
        Ok(rows.iter().map(view).collect())
    }

    /// No organisation is a part of itself, however far up; one that a province works with does not leave it;
    /// and the firm behind an enterprise stays one.
    async fn before_write(
        &mut self,
        before: Option<&Self>,
        transaction: &Transaction,
    ) -> Result<(), Problem> {
        if before.is_some_and(|before| before.province != self.province) {
            transaction.check_users(self).await?;
        }
        if self.kind != Kind::Firm && before.is_some_and(|before| before.kind == Kind::Firm) {
            transaction.lock::<Self>(self.id).await?;
            if transaction.is_referred("enterprise", "organisation_id", self.id).await? {
                return Err(
                    Problem::new(&problem_types::STILL_REFERRED_TO).member("referred_by", vec!["enterprise"])
                );
            }
        }
        if before.is_none_or(|before| before.parent_id != self.parent_id) && self.parent_id.is_some() {
            self.check_parents(transaction).await?;
        }
        Ok(())
    }
}

impl OrganisationFilter {
    /// Condition for the matching rows.
    pub fn condition(&self) -> Condition {
        Condition::all()
            .add_option(self.kind.as_ref().map(|kinds| Column::Kind.is_in(kinds.iter().copied())))
            .add_option(self.province.as_ref().map(|list| Column::Province.is_in(provinces::codes(list))))
            .add_option(self.parent_id.map(|parent| Column::ParentId.eq(parent)))
    }
}
