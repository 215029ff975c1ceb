//! The record made of table and representations: scope, sort keys, search terms, rules between records.

use std::collections::HashMap;

use sea_orm::{entity::prelude::*, sea_query::Condition};

use super::{
    dto::{Cda, CdaFilter},
    entity::{ActiveModel, Column, Model},
    rules::{self, State},
};
use crate::{
    accounts::account,
    lifecycle::{self, Stateful, Step},
    persian::{Date, text},
    personal::{ERASED, ERASED_NAME, NationalCode},
    problem::{Problem, problem_types},
    provinces,
    store::{
        Reading, Record, Transaction,
        personal::{Apart, Sealed},
        record::Unique,
        search,
    },
};

impl Record for Model {
    type Active = ActiveModel;
    type View = Cda;

    const RESOURCE: &'static str = "cda";
    const DERIVED: &'static [&'static str] = &["allowed_transitions"];
    const REFERRED_BY: &'static [(&'static str, &'static str)] =
        &[("assignment", "cda_id"), ("account", "cda_id")];
    const UNIQUE_IN_PROVINCE: bool = true;
    const UNIQUE: &'static [Unique] = &[Unique {
        index: "cda_national_code_in_province",
        columns: "cda.national_code_index, cda.province",
        pointer: "/national_code",
        code: "duplicate",
        fa: "این کد ملی از پیش ثبت شده است.",
        en: "This national code is registered already.",
    }];

    fn province(&self) -> Option<&str> {
        Some(&self.province)
    }

    fn address(&self) -> String {
        format!("cdas/{}", self.id)
    }

    /// Without the national code: whoever sees it masked could guess it digit by digit.
    fn terms(&self) -> Vec<(&'static str, String)> {
        search::words([Some(&self.name_fa), self.name_en.as_ref()])
    }

    fn apart(&mut self) -> Option<Apart<'_>> {
        let sealed = vec![
            Sealed {
                field: "national_code",
                value: Some(&mut self.national_code.0),
                index: Some(&mut self.national_code_index),
            },
            Sealed { field: "mobile", value: self.mobile.as_mut().map(|mobile| &mut mobile.0), index: None },
            Sealed { field: "email", value: self.email.as_mut().map(|email| &mut email.0), index: None },
        ];
        Some(Apart { commitments: &mut self.commitments, sealed })
    }

    fn erase(&mut self) {
        self.national_code = NationalCode(ERASED.to_owned());
        (self.name_fa, self.name_order) = (ERASED_NAME.to_owned(), text::order(ERASED_NAME));
        (self.name_en, self.mobile, self.email, self.education) = (None, None, None, None);
        self.external_refs.0.clear();
    }

    async fn views(rows: &[Self], reading: &Reading<'_>) -> Result<Vec<Cda>, Problem> {
        let mut allowed = lifecycle::allowed(&reading.db, rows).await?;
        let view = |row: &Self| {
            let mut view = row.view();
            view.allowed_transitions = allowed.remove(&row.id).unwrap_or_default();
            view
        };
        Ok(rows.iter().map(view).collect())
    }

    /// A CDA whose account belongs to a province stays there.
    async fn before_write(
        &mut self,
        before: Option<&Self>,
        transaction: &Transaction,
    ) -> Result<(), Problem> {
        if before.is_some_and(|before| before.certificates != self.certificates) {
            transaction.lock::<Self>(self.id).await?;
            rules::check_certificates(transaction, self).await?;
        }
        if before.is_none_or(|before| before.province == self.province) {
            return Ok(());
        }
        transaction.lock::<Self>(self.id).await?;
        let tied = account::Entity::find()
            .filter(account::Column::CdaId.eq(self.id))
            .filter(account::Column::DeletedAt.is_null());
        match tied.one(&**transaction).await? {
            Some(_) => Err(Problem::new(&problem_types::MOVED_AWAY)),
            None => Ok(()),
        }
    }
}

impl Stateful for Model {
    type State = State;
    type Facts = rules::Facts;

    const STEPS: &'static [Step<Self>] = rules::STEPS;

    fn state(&self) -> State {
        self.state
    }

    fn apply_state(&mut self, state: State, _: Date) {
        self.state = state;
    }

    async fn facts(
        db: &impl ConnectionTrait,
        rows: &[Self],
        on: Date,
    ) -> Result<HashMap<Uuid, rules::Facts>, Problem> {
        rules::facts(db, rows, on).await
    }
}

impl CdaFilter {
    /// Condition for the matching rows.
    pub fn condition(&self) -> Condition {
        Condition::all()
            .add_option(self.state.as_ref().map(|states| Column::State.is_in(states.iter().copied())))
            .add_option(self.province.as_ref().map(|list| Column::Province.is_in(provinces::codes(list))))
    }
}
