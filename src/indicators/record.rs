//! The record made of table and representations: scope, sort keys, search terms, rules between records.

use std::collections::HashSet;

use sea_orm::{entity::prelude::*, sea_query::Condition};

use super::{
    dto::{IndicatorFilter, IndicatorInput},
    entity::{ActiveModel, Column, Model},
};
use crate::{
    policy::{Caller, Scope},
    problem::Problem,
    store::{Database, Input, Record, Transaction, change_log, record::Unique, search},
};

impl Record for Model {
    type Active = ActiveModel;
    type View = Self;

    const RESOURCE: &'static str = "indicator";
    const NATIONAL_FOR_ALL: bool = true;
    const REFERRED_BY: &'static [(&'static str, &'static str)] = &[("measurement", "indicator_id")];
    const UNIQUE: &'static [Unique] = &[Unique {
        index: "indicator_code",
        columns: "indicator.code",
        pointer: "/code",
        code: "duplicate",
        fa: "این کد آزاد نیست.",
        en: "This code is not free.",
    }];

    /// The catalogue is everybody's.
    fn visible_to(_: &Scope) -> Condition {
        Condition::all()
    }

    fn province(&self) -> Option<&str> {
        None
    }

    fn address(&self) -> String {
        format!("indicators/{}", self.id)
    }

    fn terms(&self) -> Vec<(&'static str, String)> {
        search::words([Some(&self.name_fa), self.name_en.as_ref(), Some(&self.code)])
    }

    /// Validates that an indicator with measurements keeps its frequency, and enough decimals for them.
    async fn before_write(
        &mut self,
        before: Option<&Self>,
        transaction: &Transaction,
    ) -> Result<(), Problem> {
        match before {
            Some(before) if before.frequency != self.frequency || before.decimals > self.decimals => {
                transaction.check_unreferred(before).await
            }
            _ => Ok(()),
        }
    }
}

impl IndicatorFilter {
    /// Condition for the matching rows.
    pub fn condition(&self) -> Condition {
        Condition::all()
            .add_option(self.theme.as_ref().map(|themes| Column::Theme.is_in(themes.iter().copied())))
            .add_option(
                self.frequency
                    .as_ref()
                    .map(|frequencies| Column::Frequency.is_in(frequencies.iter().copied())),
            )
            .add_option(self.is_active.map(|is_active| Column::IsActive.eq(is_active)))
    }
}

/// Adds the indicators of `data/indicators.csv` whose codes were never used: changes, renames and deletions
/// by the nation are kept.
pub async fn load(db: &Database) -> Result<(), Problem> {
    let transaction = Transaction::begin(db, Caller::service(), "migrate".to_owned()).await?;
    // One lock for all: several instances may load at once.
    transaction.lock::<Model>(Uuid::nil()).await?;
    let entries = change_log::Entity::find()
        .filter(change_log::Column::Resource.eq(Model::RESOURCE))
        .all(&*transaction)
        .await?;
    let known: HashSet<&str> = entries.iter().filter_map(|entry| entry.data["code"].as_str()).collect();
    let file = include_str!("../../data/indicators.csv");
    for input in csv::Reader::from_reader(file.as_bytes()).deserialize::<IndicatorInput>() {
        let input = input.map_err(Problem::internal)?;
        if !known.contains(input.code.as_str()) {
            transaction.insert(input.onto_row(&Model::default())?).await?;
        }
    }
    transaction.commit().await
}
