//! Clusters identified by a day, with their state on it, sources and lineage.

use actix_web::{HttpResponse, get};
use sea_orm::{
    DatabaseTransaction, FromQueryResult,
    prelude::{Json, Uuid},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Column, Common, Entry, Kind, NoParameters, NoTotals, Question, Report, ReportResponse, RowSink, list,
};
use crate::{
    clusters::{identified::Precision, lineage::Kind as LineageKind, rules::State},
    http::authorization::Format,
    persian::Date,
    problem::Problem,
    provinces::ProvinceCode,
    store::temporal_relations::{CLAIM, LINEAGE},
    values::Location,
};

/// The report.
pub struct IdentifiedClusters;

/// A cluster that had been identified.
#[derive(Debug, Serialize, ToSchema)]
pub struct IdentifiedCluster {
    /// The cluster.
    id: Uuid,
    /// Its code.
    #[schema(example = "15-0001")]
    code: String,
    /// Its name in Persian.
    #[schema(example = "سنگ")]
    name_fa: String,
    /// Its name in English.
    #[schema(required, example = "Stone")]
    name_en: Option<String>,
    /// Its province.
    province: ProvinceCode,
    /// Its main class of ISIC Rev. 4.
    primary_isic: PrimaryIsic,
    /// Its state on that day.
    state: State,
    /// The day it was identified, or a day in that month, quarter or year: see `identified_precision`.
    #[schema(required, example = json!(null))]
    identified_on: Option<Date>,
    /// Precision of that day.
    #[schema(required, example = "not_later_than")]
    identified_precision: Option<Precision>,
    /// The day by which it was identified at the latest: it determines whether the cluster counts.
    identified_not_later_than: Date,
    /// Sources of the identification.
    #[schema(example = json!(["Provincial company: industrial clusters of Lorestan identified up to late 1392"]))]
    sources: Vec<String>,
    /// Lineage up to that day: merged with others, split off, renamed.
    lineage: Vec<LineageKind>,
    /// Location.
    #[schema(required)]
    location: Option<Location>,
}

/// A class of ISIC with its title.
#[derive(Debug, Serialize, ToSchema)]
pub struct PrimaryIsic {
    /// The code.
    #[schema(example = "2396")]
    code: String,
    /// The title in English.
    #[schema(example = "Cutting, shaping and finishing of stone")]
    title_en: String,
}

/// The row of the query.
#[derive(FromQueryResult)]
pub struct Row {
    id: Uuid,
    code: String,
    name_fa: String,
    name_en: Option<String>,
    province: String,
    isic_code: String,
    isic_title: String,
    state: State,
    identified_on: Option<Date>,
    identified_precision: Option<Precision>,
    identified_not_later_than: Date,
    sources: Json,
    lineage: Json,
    latitude: Option<f64>,
    longitude: Option<f64>,
}

impl Report for IdentifiedClusters {
    const ENTRY: Entry = Entry {
        name: "identified-clusters",
        title_fa: "خوشه‌های شناسایی‌شده",
        title_en: "Identified clusters",
        formats: &[Format::Json, Format::Csv, Format::Xlsx, Format::GeoJson],
        parameters: &[],
        reads: &["cluster", "cluster_claim", "lineage_entry"],
        columns: &[
            Column::new("id", Kind::Id, "شناسهٔ خوشه", "Id of the cluster"),
            Column::new("code", Kind::Text, "کد خوشه", "Code of the cluster"),
            Column::new("name_fa", Kind::Text, "نام خوشه", "Name of the cluster in Persian"),
            Column::new("name_en", Kind::Text, "نام انگلیسی", "Name of the cluster in English"),
            Column::new("province", Kind::Word, "استان", "Province"),
            Column::new("primary_isic.code", Kind::Text, "رشتهٔ اصلی (ISIC)", "Primary class of ISIC Rev. 4"),
            Column::new("primary_isic.title_en", Kind::Text, "عنوان رشتهٔ اصلی", "Title of the primary class"),
            Column::new("state", Kind::Word, "وضعیت در آن روز", "State on that day"),
            Column::new("identified_on", Kind::Day, "تاریخ شناسایی", "Day of identification"),
            Column::new("identified_precision", Kind::Word, "دقت تاریخ", "Precision of that day"),
            Column::new(
                "identified_not_later_than",
                Kind::Day,
                "کران بالای تاریخ شناسایی",
                "Identified on this day at the latest",
            ),
            Column::new("sources", Kind::Text, "منابع", "Sources"),
            Column::new("lineage", Kind::Word, "تبار خوشه", "What became of it"),
            Column::new("location.latitude", Kind::Number, "عرض جغرافیایی", "Latitude"),
            Column::new("location.longitude", Kind::Number, "طول جغرافیایی", "Longitude"),
        ],
    };
    type Parameters = NoParameters;
    type Item = IdentifiedCluster;
    type Totals = NoTotals;

    async fn tell(
        question: &Question<Self>,
        db: &DatabaseTransaction,
        out: &mut RowSink<Self>,
    ) -> Result<(), Problem> {
        let mut sql = question.composer();
        let day = sql.day(question.as_of.naive());
        let (clusters, claims, lineage) = (
            question.clusters(&mut sql),
            question.known(&CLAIM, &mut sql),
            question.known(&LINEAGE, &mut sql),
        );
        let (titles, kinds) =
            (sql.array_of("l.source_title", "l.id"), sql.array_of("e.kind", "e.effective_on, e.id"));
        let query = format!(
            "SELECT c.*, i.code AS isic_code, i.title_en AS isic_title, \
               COALESCE(s.titles, '[]') AS sources, COALESCE(w.kinds, '[]') AS lineage \
             FROM {clusters} c JOIN industry i ON i.code = c.primary_isic \
               LEFT JOIN (SELECT l.cluster_id, {titles} AS titles FROM {claims} l GROUP BY l.cluster_id) s ON s.cluster_id = c.id \
               LEFT JOIN (SELECT e.cluster_id, {kinds} AS kinds FROM {lineage} e WHERE e.effective_on <= {day} GROUP BY e.cluster_id) w \
                 ON w.cluster_id = c.id \
             WHERE c.identified_not_later_than <= {day} AND c.state NOT IN ('merged', 'split', 'withdrawn') ORDER BY c.province, c.code"
        );
        out.rows::<Row>(db, sql.statement(query)).await
    }
}

impl From<Row> for IdentifiedCluster {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            code: row.code,
            name_fa: row.name_fa,
            name_en: row.name_en,
            province: ProvinceCode(row.province),
            primary_isic: PrimaryIsic { code: row.isic_code, title_en: row.isic_title },
            state: row.state,
            identified_on: row.identified_on,
            identified_precision: row.identified_precision,
            identified_not_later_than: row.identified_not_later_than,
            sources: list(row.sources),
            lineage: list(row.lineage),
            location: row
                .latitude
                .zip(row.longitude)
                .map(|(latitude, longitude)| Location { latitude, longitude }),
        }
    }
}

/// Identified clusters
///
/// The clusters that had been identified by `as_of`. A cluster counts when its identification date, or that
/// date's upper bound, is not after the day, and it was not merged, split or withdrawn by then.
#[utoipa::path(params(Common), responses((status = 200, body = ReportResponse<IdentifiedCluster, NoTotals>)), security(("oauth2" = ["reports:read"])))]
#[get("/reports/identified-clusters")]
pub async fn get_identified_clusters(
    question: Question<IdentifiedClusters>,
) -> Result<HttpResponse, Problem> {
    question.answer().await
}
