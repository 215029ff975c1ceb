//! The published statistics: which quarters there are, and the tables of each.

use actix_web::{HttpResponse, get, web};
use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, schema::Type},
};

use super::{
    FRESH_SECONDS,
    table::{Asked, LATEST},
};
use crate::{
    http::{Answer, Database, Query, Shape, authorization::Format, sheet::Kind},
    industries::IsicCode,
    persian::{Date, PersianPeriod},
    problem::{Problem, Text, problem_types},
    provinces::{ALL, ProvinceCode},
    reports::{Column, TABLE},
    statistics::{
        cells::{ALL_INDUSTRIES, COUNTRY, Level},
        entity::{self, Head, programme},
    },
    store::sql::Composer,
};

/// Formats of a path, if it is that of a table.
pub fn formats(path: &str) -> Option<&'static [Format]> {
    path.strip_prefix("/public/statistics/{quarter}/").map(|_| TABLE)
}

/// A quarter that was published.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = PublishedQuarter)]
pub struct Release {
    /// The quarter of the Persian calendar.
    quarter: PersianPeriod,
    /// Last day of the quarter: clusters and projects are counted in their states of that day.
    as_of: Date,
    /// Time of publication. Figures are from what was known then; later corrections appear in later quarters.
    published_at: DateTime<Utc>,
    /// SHA-256 over its tables: it never changes.
    #[schema(example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    digest: String,
}

impl From<Head> for Release {
    fn from(head: Head) -> Self {
        Self {
            quarter: head.quarter,
            as_of: Date::from(head.as_of),
            published_at: head.published_at,
            digest: head.digest,
        }
    }
}

/// The quarters that were published.
#[derive(Debug, Serialize, ToSchema)]
pub struct PublishedQuarters {
    /// The quarters, the newest first.
    items: Vec<Release>,
}

/// The clusters and projects of the provinces.
#[derive(Debug, Serialize, ToSchema)]
pub struct PublishedProgramme {
    #[serde(flatten)]
    release: Release,
    /// The provinces.
    items: Vec<ProvinceFigures>,
}

/// A province in figures.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProvinceFigures {
    /// The province.
    province: ProvinceCode,
    /// Its name in Persian.
    #[schema(example = "لرستان")]
    province_fa: &'static str,
    /// Its name in English.
    #[schema(example = "Lorestan")]
    province_en: &'static str,
    /// Its identified clusters on the last day of the quarter.
    #[schema(minimum = 0, example = 11)]
    clusters: i64,
    /// Number of them in development.
    #[schema(minimum = 0, example = 1)]
    in_development: i64,
    /// Number of them developed.
    #[schema(minimum = 0, example = 0)]
    developed: i64,
    /// Projects under way.
    #[schema(minimum = 0, example = 1)]
    running_projects: i64,
    /// Projects that were closed.
    #[schema(minimum = 0, example = 0)]
    closed_projects: i64,
}

/// The enterprises of the industries, in the country and the provinces.
#[derive(Debug, Serialize, ToSchema)]
pub struct PublishedEnterprises {
    #[serde(flatten)]
    release: Release,
    /// The cells in which there are enterprises: by level, area and industry.
    items: Vec<EnterpriseFigures>,
}

/// The enterprises of an industry in an area.
#[derive(Debug, Serialize, ToSchema)]
pub struct EnterpriseFigures {
    /// The area.
    area: AreaCode,
    /// The name of the area in Persian.
    #[schema(example = "لرستان")]
    area_fa: &'static str,
    /// The name of the area in English.
    #[schema(example = "Lorestan")]
    area_en: &'static str,
    /// The level of ISIC Rev. 4.
    level: Level,
    /// The code of the industry; `total` for all together.
    #[schema(example = "23")]
    isic: String,
    /// Its title in Persian, where there is one.
    #[schema(required, example = "ساخت سایر فراورده‌های معدنی غیرفلزی")]
    isic_fa: Option<String>,
    /// Its title in English.
    #[schema(example = "Manufacture of other non-metallic mineral products")]
    isic_en: String,
    /// Enterprises of the register by their primary class; null just where `enterprises_suppressed` is true.
    /// It is never 0.
    #[schema(required, minimum = 3, example = 14)]
    enterprises: Option<i64>,
    /// Whether the number of enterprises is suppressed.
    #[schema(example = false)]
    enterprises_suppressed: bool,
    /// Persons employed, as far as known; null exactly if `employment_suppressed` is true.
    #[schema(required, minimum = 1, example = 320)]
    employment: Option<i64>,
    /// Whether employment is suppressed.
    #[schema(example = false)]
    employment_suppressed: bool,
}

/// The code of an area: of the country (ISO 3166-1), or of a province (ISO 3166-2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AreaCode(pub String);

impl PartialSchema for AreaCode {
    fn schema() -> RefOr<Schema> {
        let codes = std::iter::once(COUNTRY).chain(ALL.iter().map(|province| province.code.0.as_str()));
        ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(codes))
            .examples([json!("IR-15")])
            .description(Some("`IR` for the country, or the code of a province."))
            .into()
    }
}

impl ToSchema for AreaCode {}

/// Filters of the list of cells. They reveal nothing that the whole table does not.
#[derive(Debug, Deserialize, IntoParams)]
pub struct CellFilter {
    /// `IR` for the country, or any of these provinces.
    #[param(style = Form, explode = false, min_items = 1, max_items = 32)]
    area: Option<Vec<AreaCode>>,
    /// One level of ISIC.
    #[param(inline)]
    level: Option<Level>,
    /// Any of these industries.
    #[param(style = Form, explode = false, min_items = 1, max_items = 50)]
    isic: Option<Vec<IsicCode>>,
}

/// The row of the query.
#[derive(FromQueryResult)]
struct Row {
    area: String,
    level: Level,
    industry: String,
    title_fa: Option<String>,
    title_en: Option<String>,
    enterprises: Option<i64>,
    employment: Option<i64>,
}

impl From<Row> for EnterpriseFigures {
    fn from(row: Row) -> Self {
        let (area_fa, area_en) = names(&row.area);
        let is_total = row.industry == ALL_INDUSTRIES;
        Self {
            area_fa,
            area_en,
            level: row.level,
            isic_fa: if is_total { Some("همهٔ رشته‌ها".to_owned()) } else { row.title_fa },
            isic_en: if is_total { "All industries".to_owned() } else { row.title_en.unwrap_or_default() },
            area: AreaCode(row.area),
            isic: row.industry,
            enterprises: row.enterprises,
            enterprises_suppressed: row.enterprises.is_none(),
            employment: row.employment,
            employment_suppressed: row.employment.is_none(),
        }
    }
}

/// Name of an area in Persian and English.
fn names(area: &str) -> (&'static str, &'static str) {
    let province = ALL.iter().find(|province| province.code.0 == area);
    province
        .map_or(("سراسر کشور", "Whole country"), |province| (&province.name_fa, &province.name_en))
}

/// The published quarters
///
/// The statistics are published once for each quarter of the Persian calendar, some weeks after its end, and
/// never change: later corrections appear in later quarters. Each quarter has two tables, `programme` and
/// `enterprises`, whose figures together, over all levels, areas and quarters, reveal nothing about single
/// firms. For everybody, without a token.
#[utoipa::path(responses((status = 200, body = PublishedQuarters)), security(()))]
#[get("/public/statistics")]
pub async fn list_published_quarters(db: Database, shape: Shape) -> Result<Answer, Problem> {
    let items = entity::heads(db.reads()).await?.into_iter().map(Release::from).collect();
    Ok(shape.items(&PublishedQuarters { items })?.public(FRESH_SECONDS))
}

/// Clusters and projects by province
///
/// Number of clusters that had been identified by the last day of the quarter and were neither merged nor
/// split nor withdrawn, and of projects, by their states of that day. For everybody, without a token.
#[utoipa::path(
    params(("quarter" = String, Path, description = "The quarter, such as `1405-Q2`, or `latest`", example = "latest")),
    responses((status = 200, body = PublishedProgramme)),
    security(()),
)]
#[get("/public/statistics/{quarter}/programme")]
pub async fn get_published_programme(
    quarter: web::Path<String>,
    db: Database,
    asked: Asked,
) -> Result<HttpResponse, Problem> {
    let head = find(&db, &quarter).await?;
    let rows =
        programme::Entity::find().filter(programme::Column::Quarter.eq(head.quarter)).all(db.reads()).await?;
    let mut items: Vec<_> = rows
        .into_iter()
        .map(|row| {
            let (province_fa, province_en) = names(&row.province);
            ProvinceFigures {
                province: ProvinceCode(row.province),
                province_fa,
                province_en,
                clusters: row.clusters,
                in_development: row.in_development,
                developed: row.developed,
                running_projects: row.running_projects,
                closed_projects: row.closed_projects,
            }
        })
        .collect();
    items.sort_by(|a, b| a.province.0.cmp(&b.province.0));
    let table = PublishedProgramme { release: head.clone().into(), items };
    asked
        .answer(
            &table,
            head,
            Text::new("خوشه‌ها و پروژه‌ها به تفکیک استان", "Clusters and projects by province"),
            PROGRAMME,
        )
        .await
}

/// Enterprises and employment by industry and area
///
/// All levels of ISIC Rev. 4 with the total, for the country and each province. A figure for fewer than three
/// enterprises, or dominated by one with more than four fifths of it, is suppressed
/// (`enterprises_suppressed`, `employment_suppressed`); so are others from which it could be computed by
/// additions, subtractions or comparisons with former quarters. The two reasons are not distinguished. Cells
/// without enterprises are left out. For everybody, without a token.
#[utoipa::path(
    params(("quarter" = String, Path, description = "The quarter, such as `1405-Q2`, or `latest`", example = "latest"), CellFilter),
    responses((status = 200, body = PublishedEnterprises)),
    security(()),
)]
#[get("/public/statistics/{quarter}/enterprises")]
pub async fn get_published_enterprises(
    quarter: web::Path<String>,
    filter: Query<CellFilter>,
    db: Database,
    asked: Asked,
) -> Result<HttpResponse, Problem> {
    let head = find(&db, &quarter).await?;
    let mut sql = Composer::new(db.get_ref());
    let mut conditions = vec![format!("c.quarter = {}", sql.bind(head.quarter.to_string()))];
    if let Some(areas) = &filter.area {
        conditions.push(format!("c.area IN {}", sql.texts(areas.iter().map(|area| area.0.as_str()))));
    }
    if let Some(level) = filter.level {
        conditions.push(format!("c.level = {}", sql.bind(level)));
    }
    if let Some(codes) = &filter.isic {
        conditions.push(format!("c.industry IN {}", sql.texts(codes.iter().map(|code| code.0.as_str()))));
    }
    let query = format!(
        "SELECT c.area, c.level, c.industry, i.title_fa, i.title_en, c.enterprises, c.employment \
         FROM statistics_cell c LEFT JOIN industry i ON i.code = c.industry WHERE {} ORDER BY c.area, c.industry",
        conditions.join(" AND ")
    );
    let mut items: Vec<EnterpriseFigures> = Row::find_by_statement(sql.statement(query))
        .all(db.reads())
        .await?
        .into_iter()
        .map(EnterpriseFigures::from)
        .collect();
    items.sort_by_key(|row| row.level);
    let table = PublishedEnterprises { release: head.clone().into(), items };
    let title =
        Text::new("واحدها و اشتغال به تفکیک رشته و استان", "Enterprises and employment by industry and area");
    asked.answer(&table, head, title, ENTERPRISES).await
}

/// The release of a quarter; 404 where it was not published.
async fn find(db: &Database, quarter: &str) -> Result<Head, Problem> {
    let mut heads = entity::heads(db.reads()).await?.into_iter();
    let found = match quarter {
        LATEST => heads.next(),
        name => heads.find(|head| head.quarter.to_string() == name),
    };
    found.ok_or_else(|| Problem::new(&problem_types::NOT_FOUND))
}

/// The columns of the table of clusters and projects.
const PROGRAMME: &[Column] = &[
    Column::new("province", Kind::Word, "کد استان", "Code of the province"),
    Column::new("province_fa", Kind::Text, "استان", "Province in Persian"),
    Column::new("province_en", Kind::Text, "نام انگلیسی استان", "Province"),
    Column::new("clusters", Kind::Count, "خوشه‌های شناسایی‌شده", "Identified clusters"),
    Column::new("in_development", Kind::Count, "در حال توسعه", "In development"),
    Column::new("developed", Kind::Count, "توسعه‌یافته", "Developed"),
    Column::new("running_projects", Kind::Count, "پروژه‌های در جریان", "Projects under way"),
    Column::new("closed_projects", Kind::Count, "پروژه‌های پایان‌یافته", "Closed projects"),
];

/// The columns of the table of enterprises.
const ENTERPRISES: &[Column] = &[
    Column::new("area", Kind::Word, "کد پهنه", "Code of the area"),
    Column::new("area_fa", Kind::Text, "پهنه", "Area in Persian"),
    Column::new("area_en", Kind::Text, "نام انگلیسی پهنه", "Area"),
    Column::new("level", Kind::Word, "سطح رشته", "Level of ISIC"),
    Column::new("isic", Kind::Text, "کد رشته (ISIC)", "ISIC code"),
    Column::new("isic_fa", Kind::Text, "عنوان رشته", "Industry in Persian"),
    Column::new("isic_en", Kind::Text, "عنوان انگلیسی رشته", "Industry"),
    Column::new("enterprises", Kind::Count, "شمار واحدها", "Enterprises"),
    Column::new("enterprises_suppressed", Kind::Word, "شمار واحدها محرمانه است", "Enterprises suppressed"),
    Column::new("employment", Kind::Count, "شمار شاغلان", "Persons employed"),
    Column::new("employment_suppressed", Kind::Word, "شمار شاغلان محرمانه است", "Persons employed suppressed"),
];
