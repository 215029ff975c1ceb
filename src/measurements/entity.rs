//! Measurements: table and queries.

use sea_orm::{
    entity::prelude::*,
    sea_query::{Condition, ExprTrait, Query},
};

use super::dto::{Kind, Measurement, MeasurementFilter};
use crate::{
    http::{SortKey, page::Listed},
    indicators::entity as indicators,
    persian::PersianPeriod,
    problem::{Problem, Text, Violation, problem_types},
    projects::{self, belonging, dates},
    provinces,
    store::{Include, Reading, Record, SqlKind, Transaction, record::Unique, search},
    values::Decimal,
};

crate::store::record_table! {
    /// A measurement.
    "measurement" {
        /// The project.
        project_id: Uuid,
        /// The code of its province, which is the project's.
        province: String,
        /// The indicator.
        indicator_id: Uuid,
        /// Kind of value.
        kind: Kind,
        /// The period.
        period: PersianPeriod,
        /// Its first day.
        period_start: ChronoDate,
        /// Its last day.
        period_end: ChronoDate,
        /// The value, in millionths.
        value: i64,
        /// Source of the value.
        source: Option<String>,
        /// Note.
        note: Option<String>,
    }
}

impl Record for Model {
    type Active = ActiveModel;
    type View = Measurement;

    const RESOURCE: &'static str = "measurement";
    const DAYS: &'static [&'static str] = &["period_start", "period_end"];
    const REFERRED_BY: &'static [(&'static str, &'static str)] = &[("attachment", "subject_id")];
    const INCLUDES: &'static [Include] = &[
        Include::new("indicator", "the indicator", "indicators:read"),
        Include::new("project", "the project", "projects:read"),
    ];
    const UNIQUE: &'static [Unique] = &[Unique {
        index: "measurement_of_period",
        columns: "measurement.project_id, measurement.indicator_id, measurement.kind, measurement.period",
        violation: || {
            let detail = Text::new(
                "مقداری از همین نوع برای این شاخص و دوره ثبت شده است.",
                "The indicator has a value of this kind for the period already.",
            );
            Violation::body("/period", "duplicate", detail)
        },
    }];

    fn view(&self) -> Measurement {
        Measurement::from(self)
    }

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
        let indicators = match reading.includes("indicator") {
            true => reading.by_ids::<indicators::Model>(rows.iter().map(|row| row.indicator_id)).await?,
            false => Default::default(),
        };
        let projects = match reading.includes("project") {
            true => reading.by_ids::<projects::entity::Model>(rows.iter().map(|row| row.project_id)).await?,
            false => Default::default(),
        };
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

impl Model {
    /// 409 for an actual value of a quarter whose project report is accepted nationally. Reads the table of
    /// reports without depending on its module.
    async fn check_unlocked(&self, transaction: &Transaction) -> Result<(), Problem> {
        if self.kind != Kind::Actual {
            return Ok(());
        }
        let accepted = Query::select()
            .expr(Expr::val(1))
            .from("progress_report")
            .and_where(Expr::col("project_id").eq(self.project_id))
            .and_where(Expr::col("state").eq("nationally_accepted"))
            .and_where(Expr::col("period_start").lte(self.period_end))
            .and_where(Expr::col("period_end").gte(self.period_end))
            .and_where(Expr::col("deleted_at").is_null())
            .to_owned();
        match transaction.query_one(&accepted).await? {
            Some(_) => Err(Problem::new(&problem_types::PERIOD_LOCKED)),
            None => Ok(()),
        }
    }

    /// Violations of the rules of the indicator.
    fn misfits(&self, before: Option<&Self>, indicator: &indicators::Model) -> Vec<Violation> {
        let mut faults = Vec::new();
        if !indicator.is_active && before.is_none_or(|before| before.indicator_id != self.indicator_id) {
            let detail =
                Text::new("این شاخص دیگر اندازه‌گیری نمی‌شود.", "The indicator is not measured any more.");
            faults.push(Violation::body("/indicator_id", "inactive", detail));
        }
        if self.kind == Kind::Actual && self.period.months() != indicator.frequency.months() {
            let (fa, en) = indicator.frequency.words();
            let detail = Text::new(
                format!("مقدار واقعی این شاخص {fa} است."),
                format!("An actual value of this indicator is that of a {en}."),
            );
            faults.push(Violation::body("/period", "wrong_frequency", detail));
        }
        let decimals = indicator.decimals;
        if usize::try_from(decimals).is_ok_and(|most| Decimal(self.value).decimals() > most) {
            let detail = Text::new(
                format!("مقدار این شاخص حداکثر {decimals} رقم اعشار دارد."),
                format!("A value of this indicator has at most {decimals} decimals."),
            );
            faults.push(Violation::body("/value", "too_many_decimals", detail));
        }
        faults
    }
}

impl Listed for Model {
    const SORT_KEYS: &'static [SortKey<Self>] = &[
        SortKey {
            name: "period_end",
            sql: "measurement.period_end",
            kind: SqlKind::Date,
            value: |row| row.period_end.into(),
        },
        SortKey {
            name: "created_at",
            sql: "measurement.created_at",
            kind: SqlKind::Timestamp,
            value: |row| row.created_at.into(),
        },
        SortKey {
            name: "updated_at",
            sql: "measurement.updated_at",
            kind: SqlKind::Timestamp,
            value: |row| row.updated_at.into(),
        },
        SortKey { name: "id", sql: "measurement.id", kind: SqlKind::Uuid, value: |row| row.id.into() },
    ];
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
