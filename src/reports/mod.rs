//! Reports: one file each, with its parameters, its row type and its one query. Rendering is shared and
//! knows nothing of any report.

pub mod identified_clusters;

use actix_web::get;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::http::{Answer, Problem, Shape};

/// The routes of this resource.
pub fn routes(config: &mut ServiceConfig) {
    config.service(list_reports).configure(identified_clusters::routes);
}

/// One report of the menu.
#[derive(Debug, Serialize, ToSchema)]
pub struct Report {
    /// Its name.
    #[schema(value_type = String, example = "identified-clusters")]
    pub name: &'static str,
    /// Where it is.
    #[schema(value_type = String, example = "/api/v1/reports/identified-clusters")]
    pub path: &'static str,
    /// Its title in Persian.
    #[schema(value_type = String, example = "خوشه‌های شناسایی‌شده")]
    pub title_fa: &'static str,
    /// Its title in English.
    #[schema(value_type = String, example = "Identified clusters")]
    pub title_en: &'static str,
    /// The query parameters that it takes.
    #[schema(value_type = Vec<String>, example = json!(["province", "as_of", "known_at", "calendar", "format"]))]
    pub parameters: &'static [&'static str],
    /// The values of `format`.
    #[schema(value_type = Vec<String>, example = json!(["json", "csv"]))]
    pub formats: &'static [&'static str],
    /// What its columns mean.
    #[schema(value_type = Vec<Column>)]
    pub columns: &'static [Column],
}

/// A column of a report.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReportColumn)]
pub struct Column {
    /// Its name in JSON and CSV.
    #[schema(value_type = String, example = "name_fa")]
    pub name: &'static str,
    /// What it means, in Persian.
    #[schema(value_type = String, example = "نام خوشه")]
    pub title_fa: &'static str,
    /// What it means, in English.
    #[schema(value_type = String, example = "Name of the cluster")]
    pub title_en: &'static str,
}

/// The menu of reports.
#[derive(Debug, Serialize, ToSchema)]
pub struct Menu {
    /// The reports.
    items: Vec<Report>,
}

/// List reports
///
/// The menu: every report with its parameters, formats and columns in both languages.
#[utoipa::path(responses((status = 200, body = Menu)), security(("oauth2" = ["reports:read"])))]
#[get("/reports")]
pub async fn list_reports(shape: Shape) -> Result<Answer, Problem> {
    shape.items(&Menu { items: vec![identified_clusters::REPORT] })
}
