//! Clusters by state: their number, its change since a day, and the time spent in the state.

use actix_web::{HttpResponse, get};
use sea_orm::{DatabaseTransaction, FromQueryResult, Iterable};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Column, Common, Entry, Kind, Question, Report, ReportResponse, RowSink, Totals, WITH_CHART,
    chart::{Chart, Figure, Series},
};
use crate::{
    clusters::rules::State,
    http::glossary,
    lifecycle,
    persian::{Date, calendar::Period},
    problem::{Problem, Text, Violation},
    values::Decimal,
};

/// The report.
pub struct Funnel;

/// Parameters of this report.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Parameters {
    /// The day to compare with, not after `as_of`; when left out the day before `period` begins, or the last
    /// day of the Persian year before.
    pub since: Option<Date>,
}

/// The clusters in a state.
#[derive(Debug, Serialize, ToSchema)]
pub struct FunnelState {
    /// The state.
    state: State,
    /// Number of clusters in the state on the day.
    #[schema(minimum = 0, example = 9)]
    count: i64,
    /// Number of clusters in the state on the day compared with.
    #[schema(minimum = 0, example = 11)]
    count_before: i64,
    /// The difference.
    #[schema(example = -2)]
    change: i64,
    /// The median of the days that they had been in it, for a candidate since it was registered; null where
    /// there are none.
    #[schema(required, example = "412.5")]
    median_days_in_state: Option<Decimal>,
}

/// The row of the query.
#[derive(FromQueryResult)]
struct Row {
    state: State,
    count: i64,
    count_before: i64,
    doubled_median: Option<i64>,
}

/// All clusters.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct FunnelTotals {
    /// The day that is compared with.
    #[schema(required)]
    since: Option<Date>,
    /// Number of clusters in any state on the day.
    #[schema(minimum = 0, example = 13)]
    count: i64,
    /// Number of clusters on the day compared with.
    #[schema(minimum = 0, example = 11)]
    count_before: i64,
    /// The difference.
    #[schema(example = 2)]
    change: i64,
}

impl Totals<FunnelState> for FunnelTotals {
    fn add(&mut self, state: &FunnelState) {
        self.count += state.count;
        self.count_before += state.count_before;
        self.change += state.change;
    }
}

impl Report for Funnel {
    const ENTRY: Entry = Entry {
        name: "funnel",
        title_fa: "قیف خوشه‌ها",
        title_en: "Funnel of clusters",
        formats: WITH_CHART,
        parameters: &[("since", "در مقایسه با روز")],
        reads: &["cluster"],
        columns: &[
            Column::new("state", Kind::Word, "وضعیت", "State"),
            Column::new("count", Kind::Count, "تعداد", "Count"),
            Column::new("count_before", Kind::Count, "تعداد پیشین", "Count before"),
            Column::new("change", Kind::Count, "تغییر", "Change"),
            Column::new(
                "median_days_in_state",
                Kind::Ratio,
                "میانهٔ روزها در این وضعیت",
                "Median days in the state",
            ),
        ],
    };
    type Parameters = Parameters;
    type Item = FunnelState;
    type Totals = FunnelTotals;

    async fn tell(
        question: &Question<Self>,
        db: &DatabaseTransaction,
        out: &mut RowSink<Self>,
    ) -> Result<(), Problem> {
        let since = question.since()?;
        let mut sql = question.composer();
        let (day, before) = (sql.day(question.as_of.naive()), sql.day(since.naive()));
        let (now, then) = (question.clusters(&mut sql), question.clusters_on(since, &mut sql));
        let known = question
            .known_at
            .map(|moment| format!(" AND e.recorded_at <= {}", sql.moment(moment)))
            .unwrap_or_default();
        let registered = sql.day_in_iran("c.created_at");
        let entered = format!(
            "COALESCE((SELECT MAX(e.effective_on) FROM status_event e WHERE e.resource = 'cluster' AND e.record_id = c.id \
             AND e.effective_on <= {day}{known}), {registered})"
        );
        let days = sql.days_between(&day, "x.entered");
        // A cluster registered later was not a candidate then; other states have dates of their own.
        let there = |day: &str| format!("WHERE c.state <> 'candidate' OR {registered} <= {day}");
        let (there_now, there_before) = (there(&day), there(&before));
        let query = format!(
            "WITH now_in AS (SELECT x.state, {days} AS days FROM (SELECT c.state, {entered} AS entered FROM {now} c {there_now}) x), \
             median AS (SELECT r.state, CAST(SUM(r.days) * 2 / COUNT(*) AS bigint) AS doubled_median FROM (\
               SELECT n.state, n.days, ROW_NUMBER() OVER (PARTITION BY n.state ORDER BY n.days) AS place, COUNT(*) OVER (PARTITION BY n.state) AS number \
               FROM now_in n) r WHERE r.place * 2 BETWEEN r.number AND r.number + 2 GROUP BY r.state) \
             SELECT s.state, CAST(SUM(s.now) AS bigint) AS count, CAST(SUM(s.before) AS bigint) AS count_before, MAX(m.doubled_median) AS doubled_median \
             FROM (SELECT n.state, 1 AS now, 0 AS before FROM now_in n UNION ALL SELECT c.state, 0, 1 FROM {then} c {there_before}) s \
             LEFT JOIN median m ON m.state = s.state GROUP BY s.state"
        );
        let mut rows = Row::find_by_statement(sql.statement(query)).all(db).await?;
        out.totals().since = Some(since);
        for state in State::iter() {
            let place = rows.iter().position(|row| row.state == state);
            let row = place.map_or(Row { state, count: 0, count_before: 0, doubled_median: None }, |place| {
                rows.swap_remove(place)
            });
            out.put(FunnelState::from(row)).await?;
        }
        Ok(())
    }

    fn chart(question: &Question<Self>, states: &[FunnelState], _: &FunnelTotals) -> Option<Chart> {
        // Clusters that have left the programme are not in the funnel.
        let within = || {
            states.iter().filter(|row| !matches!(row.state, State::Merged | State::Split | State::Withdrawn))
        };
        Some(Chart {
            title: Text::new(Self::ENTRY.title_fa, Self::ENTRY.title_en),
            note: question.note(),
            unit: Text::new("خوشه", "clusters"),
            figure: Figure::Bars {
                labels: within().map(|row| name(row.state)).collect(),
                series: vec![Series {
                    name: Text::new("تعداد خوشه‌ها", "Clusters"),
                    values: within().map(|row| Some(row.count as f64)).collect(),
                }],
                horizontal: true,
            },
        })
    }
}

impl Question<Funnel> {
    fn since(&self) -> Result<Date, Problem> {
        let begins = self.from().unwrap_or_else(|| self.as_of.start_of(Period::Year)).naive();
        let since = self.own.since.unwrap_or_else(|| begins.pred_opt().unwrap_or(begins).into());
        if since <= self.as_of {
            return Ok(since);
        }
        let detail = Text::new("این روز پس از روز گزارش است.", "This day is after the day of the report.");
        Err(Problem::invalid_query(vec![Violation::query("since", "too_late", detail)]))
    }
}

impl From<Row> for FunnelState {
    fn from(row: Row) -> Self {
        Self {
            state: row.state,
            count: row.count,
            count_before: row.count_before,
            change: row.count - row.count_before,
            median_days_in_state: row.doubled_median.map(|doubled| Decimal(doubled * 500_000)),
        }
    }
}

/// Name of a state: in English its code in words.
fn name(state: State) -> Text {
    let code = lifecycle::State::name(state);
    let (first, rest) = code.split_at(1);
    let english = format!("{}{}", first.to_uppercase(), rest.replace('_', " "));
    Text::new(glossary::in_persian(&code).map_or_else(|| english.clone(), str::to_owned), english)
}

/// Funnel of clusters
///
/// Every state of clusters, in the order of their life, with how many were in it on `as_of`, how many on the
/// day `since`, and for how long they had been there. A candidate counts from the day on which it was
/// registered.
#[utoipa::path(params(Common, Parameters), responses((status = 200, body = ReportResponse<FunnelState, FunnelTotals>)), security(("oauth2" = ["reports:read"])))]
#[get("/reports/funnel")]
pub async fn get_funnel(question: Question<Funnel>) -> Result<HttpResponse, Problem> {
    question.answer().await
}
