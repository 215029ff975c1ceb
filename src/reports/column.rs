//! Columns of reports: meaning and titles.

use serde::Serialize;
use utoipa::ToSchema;

use crate::http::sheet::Kind;

/// A column of a report.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = ReportColumn)]
pub struct Column {
    /// Its name in JSON and CSV; `a.b` for a member of a member.
    #[schema(value_type = String, example = "name_fa")]
    pub name: &'static str,
    /// Persian title, as in the heading of a sheet.
    #[schema(value_type = String, example = "نام خوشه")]
    pub title_fa: &'static str,
    /// English title.
    #[schema(value_type = String, example = "Name of the cluster")]
    pub title_en: &'static str,
    /// Type of the values.
    pub kind: Kind,
}

impl Column {
    /// A column.
    pub const fn new(name: &'static str, kind: Kind, title_fa: &'static str, title_en: &'static str) -> Self {
        Self { name, title_fa, title_en, kind }
    }
}
