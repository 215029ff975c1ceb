//! The record made of table and representations: scope, sort keys, search terms, rules between records.

use sea_orm::{
    entity::prelude::*,
    sea_query::{Condition, Query},
};

use super::{
    dto::{Measurement, MeasurementFilter},
    entity::{ActiveModel, Column, Model},
};
use crate::{
    indicators::entity as indicators,
    problem::Problem,
    projects::{self, belonging, dates},
    provinces,
    store::{Include, Reading, Record, Transaction, record::Unique, search},
};

impl Record for Model {
    type Active = ActiveModel;
    type View = Measurement;

    const RESOURCE: &'static str = "measurement";
    const REFERRED_BY: &'static [(&'static str, &'static str)] = &[("attachment", "subject_id")];
    const INCLUDES: &'static [Include] = &[
        Include::new("indicator", "the indicator", "indicators:read"),
        Include::new("project", "the project", "projects:read"),
    ];
    const UNIQUE: &'static [Unique] = &[Unique {
        index: "measurement_of_period",
        columns: "measurement.project_id, measurement.indicator_id, measurement.kind, measurement.period",
        pointer: "/period",
        code: "duplicate",
        fa: "مقداری از همین نوع برای این شاخص و دوره ثبت شده است.",
        en: "The indicator has a value of this kind for the period already.",
    }];

    fn province(&self) -> Option<&str> {
        Some(&self.province)
    }

    fn address(&self) -> String {
        format!("measurements/{}", self.id)
    }

    fn terms(&self) -> Vec<(&'static str, String)> {
        search::words([self.source.as_ref(), self.note.as_ref()])
    }

    async fn views(rows: &[Self], reading: &Reading<'_>) -> Result<Vec<Measurement>, Problem> {
        let indicators = rows.iter().map(|row| row.indicator_id);
        let indicators = reading.included::<indicators::Model>("indicator", indicators).await?;
        let projects = rows.iter().map(|row| row.project_id);
        let projects = reading.included::<projects::entity::Model>("project", projects).await?;
        let view = |row: &Self| {
            let mut view = row.view();
            view.indicator = indicators.get(&row.indicator_id).cloned();
            view.project = projects.get(&row.project_id).cloned();
            view
        };
        Ok(rows.iter().map(view).collect())
    }

    async fn before_write(
        &mut self,
        before: Option<&Self>,
        transaction: &Transaction,
    ) -> Result<(), Problem> {
        self.province = belonging::own_project(transaction, self.project_id).await?.province;
        for row in before.into_iter().chain([&*self]) {
            row.check_unlocked(transaction).await?;
        }
        let indicator: indicators::Model = transaction.referred(self.indicator_id, "/indicator_id").await?;
        dates::all_or_none(self.misfits(before, &indicator))
    }

    async fn before_delete(&self, transaction: &Transaction) -> Result<(), Problem> {
        belonging::own_project(transaction, self.project_id).await?;
        self.check_unlocked(transaction).await
    }
}

impl MeasurementFilter {
    /// Condition for the matching rows.
    pub fn condition(&self) -> Condition {
        let of_themes = self.theme.as_ref().map(|themes| {
            let of_themes = Query::select()
                .column(indicators::Column::Id)
                .from(indicators::Entity)
                .and_where(indicators::Column::Theme.is_in(themes.iter().copied()))
                .to_owned();
            Column::IndicatorId.in_subquery(of_themes)
        });
        Condition::all()
            .add_option(self.project_id.map(|id| Column::ProjectId.eq(id)))
            .add_option(self.indicator_id.map(|id| Column::IndicatorId.eq(id)))
            .add_option(of_themes)
            .add_option(self.kind.as_ref().map(|kinds| Column::Kind.is_in(kinds.iter().copied())))
            .add_option(self.province.as_ref().map(|list| Column::Province.is_in(provinces::codes(list))))
            .add_option(self.period_from.map(|day| Column::PeriodEnd.gte(day.naive())))
            .add_option(self.period_before.map(|day| Column::PeriodEnd.lt(day.naive())))
    }
}
