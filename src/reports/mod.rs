//! Reports: one file each, with its parameters, its row type, its one query and its chart.
//!
//! A report implements [`Report`]; a [`Question`] holds the parameters of a request, and [`answer`] writes
//! the rows as JSON, CSV, a workbook, a chart or GeoJSON, independently of the report.

pub mod answer;
pub mod budget;
pub mod cda_portfolio;
pub mod chart;
pub mod cluster_candidates;
pub mod column;
pub mod due_reports;
pub mod funnel;
pub mod identified_clusters;
pub mod indicators;
pub mod industry_by_province;
pub mod networks;
pub mod overdue_milestones;
pub mod plan;
pub mod project_status;
pub mod province_league;
pub mod question;
pub mod reconciled;
pub mod reconciliation;
pub mod reporting_compliance;
pub mod s_curve;
pub mod suppression;
pub mod value;

use actix_web::{get, web};
use sea_orm::DatabaseTransaction;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use utoipa::ToSchema;

use self::chart::Chart;
pub use self::{
    answer::{ReportResponse, RowSink},
    column::Column,
    question::{Common, NoParameters, Question},
};
pub use crate::http::sheet::Kind;
use crate::{
    http::{Answer, Routes, Shape, authorization::Format},
    problem::Problem,
    store::registry::Registry,
};

/// The routes of this resource.
pub fn routes(config: &mut Routes<'_>) {
    config
        .service(list_reports)
        .service(identified_clusters::get_identified_clusters)
        .service(funnel::get_funnel)
        .service(province_league::get_province_league)
        .service(reconciliation::get_reconciliation)
        .service(project_status::get_project_status)
        .service(s_curve::get_s_curve)
        .service(overdue_milestones::get_overdue_milestones)
        .service(cda_portfolio::get_cda_portfolio)
        .service(reporting_compliance::get_reporting_compliance)
        .service(indicators::get_indicators)
        .service(networks::get_networks)
        .service(budget::get_budget)
        .service(industry_by_province::get_industry_by_province)
        .service(cluster_candidates::get_cluster_candidates);
}

/// Every report, in the order of the menu.
#[rustfmt::skip]
const ENTRIES: &[&Entry] = &[
    &identified_clusters::IdentifiedClusters::ENTRY,
    &funnel::Funnel::ENTRY,
    &province_league::ProvinceLeague::ENTRY,
    &reconciliation::Reconciliation::ENTRY,
    &project_status::ProjectStatus::ENTRY,
    &s_curve::SCurve::ENTRY,
    &overdue_milestones::OverdueMilestones::ENTRY,
    &cda_portfolio::CdaPortfolio::ENTRY,
    &reporting_compliance::ReportingCompliance::ENTRY,
    &indicators::Indicators::ENTRY,
    &networks::Networks::ENTRY,
    &budget::Budgets::ENTRY,
    &industry_by_province::IndustryByProvince::ENTRY,
    &cluster_candidates::ClusterCandidates::ENTRY,
];

/// A report.
pub trait Report: Sized + 'static {
    /// Name, titles and columns.
    const ENTRY: Entry;
    /// Whether it reads everything that the caller may see, independent of the requested provinces: to
    /// compare them with it.
    const LOOKS_BEYOND: bool = false;
    /// Parameters in addition to [`Common`]; [`NoParameters`] for none.
    type Parameters: DeserializeOwned;
    /// One row.
    type Item: Serialize;
    /// Totals of the rows; [`NoTotals`] for none.
    type Totals: Totals<Self::Item>;
    /// Whether its chart shows rows; otherwise no rows are kept for it.
    const CHARTS_ROWS: bool = true;

    /// Dependencies of the answer other than the records that it reads.
    fn edition(_: &Question<Self>, _: &DatabaseTransaction) -> impl Future<Output = Result<String, Problem>> {
        std::future::ready(Ok(String::new()))
    }

    /// Writes its rows to `out`.
    fn tell(
        question: &Question<Self>,
        db: &DatabaseTransaction,
        out: &mut RowSink<Self>,
    ) -> impl Future<Output = Result<(), Problem>>;

    /// Its chart, if [`Entry::formats`] has one.
    fn chart(_: &Question<Self>, _: &[Self::Item], _: &Self::Totals) -> Option<Chart> {
        None
    }
}

/// Totals of the rows of a report.
pub trait Totals<I>: Default + Serialize {
    /// Adds a row.
    fn add(&mut self, item: &I);

    /// Computes derived totals, such as ratios.
    fn finish(&mut self) {}
}

/// Totals of a report without any.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct NoTotals {}

impl<I> Totals<I> for NoTotals {
    fn add(&mut self, _: &I) {}
}

/// The values of a JSON array in a column of a row.
pub fn list<T: DeserializeOwned>(array: Value) -> Vec<T> {
    serde_json::from_value(array).unwrap_or_default()
}

/// Catalogue entry of a report.
#[derive(Debug)]
pub struct Entry {
    /// Its name, also in its path.
    pub name: &'static str,
    /// Its title in Persian.
    pub title_fa: &'static str,
    /// Its title in English.
    pub title_en: &'static str,
    /// Available formats.
    pub formats: &'static [Format],
    /// The Persian titles of its own parameters, by name.
    pub parameters: &'static [(&'static str, &'static str)],
    /// The kinds of records that it reads.
    pub reads: &'static [&'static str],
    /// Columns in order, with their meanings.
    pub columns: &'static [Column],
}

/// Formats of a report that is only a table.
pub const TABLE: &[Format] = &[Format::Json, Format::Csv, Format::Xlsx];

/// Formats of a report with a chart.
pub const WITH_CHART: &[Format] = &[Format::Json, Format::Csv, Format::Xlsx, Format::Svg];

/// The formats of a report by its path; none where there is no such report.
pub fn formats(path: &str) -> Option<&'static [Format]> {
    let name = path.strip_prefix("/reports/")?;
    ENTRIES.iter().find(|entry| entry.name == name).map(|entry| entry.formats)
}

/// The Persian titles of the parameters that reports share.
const SHARED_PARAMETERS: &[(&str, &str)] = &[
    ("province", "استان"),
    ("industry", "رشتهٔ صنعتی (ISIC)"),
    ("as_of", "روز گزارش"),
    ("known_at", "دانسته تا زمان"),
    ("period", "دوره"),
    ("calendar", "گاه‌شمار"),
    ("format", "قالب"),
    ("fields", "ستون‌ها"),
    ("bom", "نشانهٔ ترتیب بایت‌ها در CSV"),
];

/// The menu of reports.
#[derive(Debug, Serialize, ToSchema)]
pub struct Menu {
    /// The reports.
    items: Vec<MenuEntry>,
}

/// One report of the menu.
#[derive(Debug, Serialize, ToSchema)]
pub struct MenuEntry {
    /// Its name.
    #[schema(value_type = String, example = "identified-clusters")]
    name: &'static str,
    /// Path.
    #[schema(example = "/api/v1/reports/identified-clusters")]
    path: String,
    /// Its title in Persian.
    #[schema(value_type = String, example = "خوشه‌های شناسایی‌شده")]
    title_fa: &'static str,
    /// Its title in English.
    #[schema(value_type = String, example = "Identified clusters")]
    title_en: &'static str,
    /// Its query parameters.
    parameters: Vec<MenuParameter>,
    /// The values of `format`.
    #[schema(value_type = Vec<String>, example = json!(["json", "csv", "xlsx"]))]
    formats: Vec<&'static str>,
    /// Columns with their meanings.
    #[schema(value_type = Vec<Column>)]
    columns: &'static [Column],
}

/// A parameter of a report.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReportParameter)]
pub struct MenuParameter {
    /// Its name in the query string.
    #[schema(example = "as_of")]
    name: String,
    /// Persian title.
    #[schema(value_type = String, example = "روز گزارش")]
    title_fa: &'static str,
    /// Meaning, in English.
    #[schema(example = "The day that the report speaks of.")]
    title_en: String,
    /// Its values as a JSON schema.
    #[schema(value_type = Object)]
    schema: Value,
}

/// List reports
///
/// The menu: every report with its parameters, formats and columns in both languages.
#[utoipa::path(responses((status = 200, body = Menu)), security(("oauth2" = ["reports:read"])))]
#[get("/reports")]
pub async fn list_reports(shape: Shape, registry: web::Data<Registry>) -> Result<Answer, Problem> {
    shape
        .items(&Menu { items: ENTRIES.iter().map(|entry| MenuEntry::of(entry, registry.document)).collect() })
}

/// Resolves a reference of the document.
fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    value["$ref"]
        .as_str()
        .and_then(|reference| document.pointer(reference.trim_start_matches('#')))
        .unwrap_or(value)
}

impl MenuEntry {
    fn of(entry: &'static Entry, document: &Value) -> Self {
        let path = format!("{}/reports/{}", crate::http::document::PREFIX, entry.name);
        let listed = document["paths"][&path]["get"]["parameters"].as_array().into_iter().flatten();
        let listed = listed.map(|parameter| resolve(document, parameter));
        let parameters = listed.filter(|parameter| parameter["in"] == "query").map(|parameter| {
            let name = parameter["name"].as_str().unwrap_or_default();
            let titles = SHARED_PARAMETERS.iter().chain(entry.parameters);
            MenuParameter {
                name: name.to_owned(),
                title_fa: titles.into_iter().find(|(known, _)| *known == name).map_or("", |(_, title)| title),
                title_en: parameter["description"].as_str().unwrap_or_default().to_owned(),
                schema: resolve(document, &parameter["schema"]).clone(),
            }
        });
        Self {
            parameters: parameters.collect(),
            path,
            name: entry.name,
            title_fa: entry.title_fa,
            title_en: entry.title_en,
            formats: entry.formats.iter().map(|format| format.name()).collect(),
            columns: entry.columns,
        }
    }
}
