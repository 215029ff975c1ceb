//! Clusters and enterprises by industry and province.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, get};
use sea_orm::{DatabaseTransaction, FromQueryResult, prelude::Json};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Column, Common, Entry, Kind, Question, Report, ReportResponse, RowSink, Totals,
    chart::{Chart, Figure},
    list,
};
use crate::{
    http::authorization::Format,
    industries::Level,
    persian::PersianPeriod,
    problem::{Problem, Text},
    provinces::{ALL, ProvinceCode},
    statistics::cells::{self, COUNTRY},
    store::{sql::count_where, temporal_relations::ENTERPRISE},
    values::Location,
};

/// The report.
pub struct IndustryByProvince;

/// Parameters of this report.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Parameters {
    /// The level of ISIC; divisions when left out.
    #[param(inline)]
    pub level: Option<Level>,
    /// Whether the answer is for publication: enterprises and employment are then those of the published
    /// statistics, of the newest quarter that ends by `as_of`. Available for all industries and without
    /// `known_at`.
    pub for_publication: Option<bool>,
}

/// An industry in a province.
#[derive(Debug, Serialize, ToSchema)]
pub struct IndustryInProvince {
    /// The province.
    province: ProvinceCode,
    /// The industry.
    isic: IndustryTitle,
    /// Clusters that had been identified by the day, as the report `identified-clusters` counts them, by
    /// their primary class.
    #[schema(minimum = 0, example = 1)]
    clusters: i64,
    /// Number of them in development.
    #[schema(minimum = 0, example = 1)]
    in_development: i64,
    /// Number of them developed.
    #[schema(minimum = 0, example = 0)]
    developed: i64,
    /// Enterprises of the register by their primary class, members of clusters or not; null if suppressed.
    #[schema(required, minimum = 0, example = 14)]
    enterprises: Option<i64>,
    /// Persons employed, as far as known; null if suppressed.
    #[schema(required, minimum = 0, example = 320)]
    employment: Option<i64>,
    /// Whether enterprises, employment or both are suppressed (null). Only in an answer for publication.
    #[schema(example = false)]
    suppressed: bool,
    /// Locations of its clusters.
    locations: Vec<Location>,
}

/// An industry with its title.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct IndustryTitle {
    /// The code of ISIC Rev. 4.
    #[schema(example = "23")]
    pub code: String,
    /// The title in English.
    #[schema(example = "Manufacture of other non-metallic mineral products")]
    pub title_en: String,
}

/// The row of the query.
#[derive(FromQueryResult)]
pub struct Row {
    province: String,
    code: String,
    title_en: String,
    clusters: i64,
    in_development: i64,
    developed: i64,
    enterprises: Option<i64>,
    employment: Option<i64>,
    locations: Json,
}

/// Totals of the cells that are not suppressed.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct IndustryTotals {
    /// Identified clusters.
    #[schema(minimum = 0)]
    clusters: i64,
    /// Number in development.
    #[schema(minimum = 0)]
    in_development: i64,
    /// Number developed.
    #[schema(minimum = 0)]
    developed: i64,
    /// Enterprises of the cells in which they are not suppressed.
    #[schema(minimum = 0)]
    enterprises: i64,
    /// Persons employed in the cells in which they are not suppressed.
    #[schema(minimum = 0)]
    employment: i64,
    /// Number of cells with a suppressed value.
    #[schema(minimum = 0)]
    suppressed: i64,
}

impl Totals<IndustryInProvince> for IndustryTotals {
    fn add(&mut self, cell: &IndustryInProvince) {
        self.clusters += cell.clusters;
        self.in_development += cell.in_development;
        self.developed += cell.developed;
        self.enterprises += cell.enterprises.unwrap_or(0);
        self.employment += cell.employment.unwrap_or(0);
        self.suppressed += i64::from(cell.suppressed);
    }
}

impl Report for IndustryByProvince {
    const ENTRY: Entry = Entry {
        name: "industry-by-province",
        title_fa: "رشته‌های صنعتی در استان‌ها",
        title_en: "Industries by province",
        formats: &[Format::Json, Format::Csv, Format::Xlsx, Format::Svg, Format::GeoJson],
        parameters: &[("level", "سطح رشته"), ("for_publication", "برای انتشار")],
        reads: &["cluster", "enterprise"],
        columns: &[
            Column::new("province", Kind::Word, "استان", "Province"),
            Column::new("isic.code", Kind::Text, "کد رشته (ISIC)", "ISIC code"),
            Column::new("isic.title_en", Kind::Text, "عنوان رشته", "Industry"),
            Column::new("clusters", Kind::Count, "خوشه‌های شناسایی‌شده", "Identified clusters"),
            Column::new("in_development", Kind::Count, "در حال توسعه", "In development"),
            Column::new("developed", Kind::Count, "توسعه‌یافته", "Developed"),
            Column::new("enterprises", Kind::Count, "واحدها", "Enterprises"),
            Column::new("employment", Kind::Count, "اشتغال", "Employment"),
            Column::new("suppressed", Kind::Word, "محرمانه", "Suppressed"),
            Column::new("locations", Kind::Text, "جای خوشه‌ها", "Places of clusters"),
        ],
    };
    type Parameters = Parameters;
    type Item = IndustryInProvince;
    type Totals = IndustryTotals;

    async fn edition(question: &Question<Self>, db: &DatabaseTransaction) -> Result<String, Problem> {
        Ok(question.published(db).await?.map_or_else(String::new, |quarter| quarter.to_string()))
    }

    async fn tell(
        question: &Question<Self>,
        db: &DatabaseTransaction,
        out: &mut RowSink<Self>,
    ) -> Result<(), Problem> {
        let level = question.own.level.unwrap_or(Level::Division);
        let mut sql = question.composer();
        let day = sql.day(question.as_of.naive());
        let clusters = question.clusters(&mut sql);
        let places =
            sql.array_of(&sql.object(&[("latitude", "c.latitude"), ("longitude", "c.longitude")]), "c.code");
        // A section is the parent of a division: its letter is no beginning of the codes below it.
        let industry = |column: &str| match level {
            Level::Section => {
                format!("(SELECT d.parent FROM industry d WHERE d.code = SUBSTR({column}, 1, 2))")
            }
            Level::Division => format!("SUBSTR({column}, 1, 2)"),
            Level::Group => format!("SUBSTR({column}, 1, 3)"),
            Level::Class => column.to_owned(),
        };
        let (of_cluster, of_enterprise) = (industry("c.primary_isic"), industry("e.primary_isic"));
        let enterprises = match question.published(db).await? {
            Some(quarter) => {
                let (quarter, level) = (sql.bind(quarter.to_string()), sql.bind(cells::Level::from(level)));
                let provinces = question.in_provinces("c.area", &mut sql);
                let within = if provinces.is_empty() { String::new() } else { format!(" AND {provinces}") };
                format!(
                    "SELECT c.area AS province, c.industry, c.enterprises, c.employment FROM statistics_cell c \
                     WHERE c.quarter = {quarter} AND c.level = {level} AND c.area <> '{COUNTRY}'{within}"
                )
            }
            None => {
                let (enterprises, within) = (
                    question.known(&ENTERPRISE, &mut sql),
                    question.and_in_industries("e.primary_isic", &mut sql),
                );
                format!(
                    "SELECT e.province, {of_enterprise} AS industry, COUNT(*) AS enterprises, COALESCE(SUM(e.employment_total), 0) AS employment \
                     FROM {enterprises} e WHERE 1 = 1{within} GROUP BY e.province, {of_enterprise}"
                )
            }
        };
        let identified = format!(
            "c.identified_not_later_than <= {day} AND c.state NOT IN ('merged', 'split', 'withdrawn')"
        );
        let query = format!(
            "WITH identified AS (SELECT c.*, {of_cluster} AS industry FROM {clusters} c WHERE {identified}), \
             located AS (SELECT c.province, c.industry, {places} AS locations FROM identified c WHERE c.latitude IS NOT NULL GROUP BY c.province, c.industry), \
             cell AS (SELECT c.province, c.industry, COUNT(*) AS clusters, {} AS in_development, {} AS developed \
               FROM identified c GROUP BY c.province, c.industry), \
             firms AS ({enterprises}), \
             place AS (SELECT province, industry FROM cell UNION SELECT province, industry FROM firms) \
             SELECT p.province, p.industry AS code, i.title_en, COALESCE(c.clusters, 0) AS clusters, COALESCE(c.in_development, 0) AS in_development, \
               COALESCE(c.developed, 0) AS developed, CAST(CASE WHEN f.province IS NULL THEN 0 ELSE f.enterprises END AS bigint) AS enterprises, \
               CAST(CASE WHEN f.province IS NULL THEN 0 ELSE f.employment END AS bigint) AS employment, COALESCE(l.locations, '[]') AS locations \
             FROM place p JOIN industry i ON i.code = p.industry LEFT JOIN cell c ON c.province = p.province AND c.industry = p.industry \
               LEFT JOIN firms f ON f.province = p.province AND f.industry = p.industry \
               LEFT JOIN located l ON l.province = p.province AND l.industry = p.industry ORDER BY p.province, p.industry",
            count_where("c.state = 'in_development'"),
            count_where("c.state = 'developed'"),
        );
        out.rows::<Row>(db, sql.statement(query)).await
    }

    fn chart(
        question: &Question<Self>,
        cells: &[IndustryInProvince],
        totals: &IndustryTotals,
    ) -> Option<Chart> {
        let has_enterprises = totals.enterprises > 0;
        let value =
            |cell: &IndustryInProvince| if has_enterprises { cell.enterprises } else { Some(cell.clusters) };
        let mut industries: BTreeMap<&str, (i64, &str)> = BTreeMap::new();
        for cell in cells {
            industries.entry(&cell.isic.code).or_insert((0, &cell.isic.title_en)).0 +=
                value(cell).unwrap_or(0);
        }
        let mut shown: Vec<_> = industries.into_iter().collect();
        shown.sort_by_key(|(_, (sum, _))| -sum);
        shown.truncate(MOST_INDUSTRIES);
        let provinces: Vec<_> =
            ALL.iter().filter(|province| cells.iter().any(|cell| cell.province == province.code)).collect();
        let cell = |industry: &str, province: &ProvinceCode| {
            cells.iter().find(|cell| cell.isic.code == industry && cell.province == *province)
        };
        let row = |industry: &str| {
            provinces
                .iter()
                .map(|province| cell(industry, &province.code).and_then(value).map(|value| value as f64))
                .collect()
        };
        Some(Chart {
            title: Text::new(Self::ENTRY.title_fa, Self::ENTRY.title_en),
            note: question.note(),
            unit: if has_enterprises {
                Text::new("واحد", "enterprises")
            } else {
                Text::new("خوشه", "clusters")
            },
            figure: Figure::HeatMap {
                rows: shown
                    .iter()
                    .map(|(code, (_, title))| Text::new(format!("ISIC {code}"), format!("{code} {title}")))
                    .collect(),
                columns: provinces
                    .iter()
                    .map(|province| Text::new(province.name_fa.clone(), province.name_en.clone()))
                    .collect(),
                cells: shown.iter().map(|(code, _)| row(code)).collect(),
            },
        })
    }
}

impl Question<IndustryByProvince> {
    /// The quarter of the published statistics to use; none if the answer is not for publication.
    async fn published(&self, db: &DatabaseTransaction) -> Result<Option<PersianPeriod>, Problem> {
        if !self.own.for_publication.unwrap_or(false) {
            return Ok(None);
        }
        self.published_quarter(true, "level", db).await.map(Some)
    }
}

/// Maximum number of industries in a chart: the largest.
const MOST_INDUSTRIES: usize = 20;

impl From<Row> for IndustryInProvince {
    fn from(row: Row) -> Self {
        Self {
            province: ProvinceCode(row.province),
            isic: IndustryTitle { code: row.code, title_en: row.title_en },
            clusters: row.clusters,
            in_development: row.in_development,
            developed: row.developed,
            enterprises: row.enterprises,
            employment: row.employment,
            suppressed: row.enterprises.is_none() || row.employment.is_none(),
            locations: list(row.locations),
        }
    }
}

/// Industries by province
///
/// A row for each industry, at the requested `level`, and province in which there are identified clusters or
/// enterprises. Clusters are those of `as_of`; the register of enterprises is the one known at `known_at`. As
/// GeoJSON each row is a feature with the locations of its clusters.
///
/// With `for_publication` enterprises and employment are those of the published statistics
/// (`/public/statistics`), which reveal nothing about single firms (rule 9 of the programme); `totals` are
/// the sums of the values that are not suppressed.
#[utoipa::path(params(Common, Parameters), responses((status = 200, body = ReportResponse<IndustryInProvince, IndustryTotals>)), security(("oauth2" = ["reports:read"])))]
#[get("/reports/industry-by-province")]
pub async fn get_industry_by_province(
    question: Question<IndustryByProvince>,
) -> Result<HttpResponse, Problem> {
    question.answer().await
}
