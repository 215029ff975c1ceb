//! What everybody may know, without a token: the directory of clusters, and statistics. Nothing here is about persons or single firms.

use actix_web::get;
use sea_orm::{EntityTrait, FromQueryResult, QueryFilter, QueryOrder, entity::prelude::*};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::{
    clusters::{
        dto::ClusterFilter,
        entity::{Column, Entity, Model},
        rules::State,
    },
    http::{Answer, Database, Problem, Query, Shape},
    industries::{IsicCode, classes::Isic},
    lifecycle,
    projects::rules::UNDER_WAY,
    provinces::ProvinceCode,
    reports::suppression::FEWEST_FIRMS,
    store::sql::{Composer, count_where},
    values::{Location, Name},
};

/// The routes of this resource.
pub fn routes(config: &mut ServiceConfig) {
    config.service(list_public_clusters).service(get_public_statistics);
}

/// How many seconds an answer may be used again without asking.
const FRESH_SECONDS: u32 = 300;

/// The states in which a cluster is published: once it is identified, while it is one.
const PUBLISHED: [State; 7] =
    [State::Identified, State::Prioritised, State::Feasibility, State::Feasible, State::NotFeasible, State::InDevelopment, State::Developed];

/// Which clusters to list.
#[derive(Debug, Deserialize, IntoParams)]
pub struct PublicFilter {
    /// Any of these provinces.
    #[param(style = Form, explode = false, min_items = 1, max_items = 31)]
    pub province: Option<Vec<ProvinceCode>>,
    /// Any of these industries, of any level of ISIC: `C`, `23`, `239` or `2396`.
    #[param(style = Form, explode = false, min_items = 1, max_items = 50)]
    pub isic: Option<Vec<IsicCode>>,
}

/// The directory of clusters.
#[derive(Debug, Serialize, ToSchema)]
pub struct Directory {
    /// The clusters, by province and code.
    items: Vec<PublicCluster>,
    /// How many they are.
    #[schema(minimum = 0, example = 11)]
    total: usize,
}

/// A cluster as it is published.
#[derive(Debug, Serialize, ToSchema)]
pub struct PublicCluster {
    /// The code in the programme.
    #[schema(example = "15-0001")]
    code: String,
    /// The name in Persian.
    #[schema(example = "سنگ")]
    name_fa: String,
    /// The name in English.
    #[schema(required, example = "Stone")]
    name_en: Option<String>,
    /// Other names.
    #[schema(example = json!(["سنگ ساختمانی"]))]
    aliases: Vec<Name>,
    /// The province.
    province: ProvinceCode,
    /// The counties.
    #[schema(example = json!(["خرم‌آباد", "ازنا"]))]
    counties: Vec<Name>,
    /// Where it is.
    #[schema(required)]
    location: Option<Location>,
    /// Products and services.
    #[schema(example = json!(["سنگ تزئینی"]))]
    products: Vec<Name>,
    /// The classes of ISIC Rev. 4, the primary one first.
    isic: Vec<Isic>,
    /// Where it stands in the programme.
    state: State,
}

impl From<Model> for PublicCluster {
    fn from(row: Model) -> Self {
        let location = row.location();
        Self {
            code: row.code,
            name_fa: row.name_fa,
            name_en: row.name_en,
            aliases: row.aliases.0,
            province: ProvinceCode(row.province),
            counties: row.counties.0,
            location,
            products: row.products.0,
            isic: row.isic.0,
            state: row.state,
        }
    }
}

/// The directory of clusters
///
/// All clusters that are identified, for everybody, without a token: as JSON, as a table (CSV), or on the map (GeoJSON). Take it as often as
/// you like: it may be kept for five minutes, and `If-None-Match` gets 304 as long as nothing has changed.
#[utoipa::path(params(PublicFilter), responses((status = 200, body = Directory)), security(()))]
#[get("/public/clusters")]
pub async fn list_public_clusters(filter: Query<PublicFilter>, db: Database, shape: Shape) -> Result<Answer, Problem> {
    let PublicFilter { province, isic } = filter.0;
    let filter = ClusterFilter { state: Some(PUBLISHED.into()), province, isic, county: None, identified_by: None };
    let rows = Entity::find().filter(Column::DeletedAt.is_null()).filter(filter.condition());
    let rows = rows.order_by_asc(Column::Province).order_by_asc(Column::Code).all(db.get_ref()).await?;
    let items: Vec<_> = rows.into_iter().map(PublicCluster::from).collect();
    Ok(shape.items(&Directory { total: items.len(), items })?.public(FRESH_SECONDS))
}

/// The programme in figures.
#[derive(Debug, Serialize, ToSchema)]
pub struct Statistics {
    /// The provinces, each with its clusters and projects.
    items: Vec<ProvinceFigures>,
    /// The industries of the provinces, as far as there are three enterprises at least: what is less is not told, nor in any sum.
    industries: Vec<IndustryFigures>,
}

/// A province in figures.
#[derive(Debug, Serialize, FromQueryResult, ToSchema)]
pub struct ProvinceFigures {
    /// The province.
    #[schema(value_type = ProvinceCode)]
    province: String,
    /// Its name in Persian.
    #[schema(example = "لرستان")]
    name_fa: String,
    /// Its name in English.
    #[schema(example = "Lorestan")]
    name_en: String,
    /// Its clusters in the directory.
    #[schema(minimum = 0, example = 11)]
    clusters: i64,
    /// Those of them in development.
    #[schema(minimum = 0, example = 1)]
    in_development: i64,
    /// Those that were developed.
    #[schema(minimum = 0, example = 0)]
    developed: i64,
    /// Projects under way.
    #[schema(minimum = 0, example = 1)]
    running_projects: i64,
    /// Projects that were closed.
    #[schema(minimum = 0, example = 0)]
    closed_projects: i64,
}

/// An industry of a province in figures.
#[derive(Debug, Serialize, FromQueryResult, ToSchema)]
pub struct IndustryFigures {
    /// The province.
    #[schema(value_type = ProvinceCode)]
    province: String,
    /// The division of ISIC Rev. 4.
    #[schema(example = "23")]
    isic: String,
    /// Its title.
    #[schema(example = "Manufacture of other non-metallic mineral products")]
    title_en: String,
    /// Enterprises of the register.
    #[schema(minimum = 3, example = 14)]
    enterprises: i64,
    /// Persons whom they employ, as far as it is known; null where it is known of fewer than three of them.
    #[schema(required, minimum = 0, example = 320)]
    employment: Option<i64>,
}

/// Statistics
///
/// The programme in figures, for everybody, without a token. A cell with fewer than three enterprises is not told (rule 9 of the
/// programme); cells are of one level of ISIC and of whole provinces, and there are no sums of them, so that none follows from others.
#[utoipa::path(responses((status = 200, body = Statistics)), security(()))]
#[get("/public/statistics")]
pub async fn get_public_statistics(db: Database, shape: Shape) -> Result<Answer, Problem> {
    let mut sql = Composer::new(db.get_ref());
    let published = PUBLISHED.map(lifecycle::State::name);
    let published = sql.texts(published.iter().map(String::as_str));
    let provinces = format!(
        "SELECT o.code AS province, o.name_fa, o.name_en, COALESCE(c.clusters, 0) AS clusters, COALESCE(c.in_development, 0) AS in_development, \
           COALESCE(c.developed, 0) AS developed, COALESCE(p.running, 0) AS running_projects, COALESCE(p.closed, 0) AS closed_projects \
         FROM province o \
           LEFT JOIN (SELECT province, COUNT(*) AS clusters, {} AS in_development, {} AS developed FROM cluster \
             WHERE deleted_at IS NULL AND state IN {published} GROUP BY province) c ON c.province = o.code \
           LEFT JOIN (SELECT province, {} AS running, {} AS closed FROM project WHERE deleted_at IS NULL GROUP BY province) p ON p.province = o.code \
         ORDER BY o.code",
        count_where("state = 'in_development'"),
        count_where("state = 'developed'"),
        count_where(&format!("state IN {UNDER_WAY}")),
        count_where("state = 'closed'"),
    );
    let items = ProvinceFigures::find_by_statement(sql.statement(provinces)).all(db.get_ref()).await?;
    let sql = Composer::new(db.get_ref());
    let industries = format!(
        "SELECT e.province, e.isic, i.title_en, e.enterprises, CASE WHEN e.known >= {FEWEST_FIRMS} THEN e.employment END AS employment \
         FROM (SELECT province, SUBSTR(primary_isic, 1, 2) AS isic, COUNT(*) AS enterprises, COUNT(employment_total) AS known, \
             CAST(SUM(employment_total) AS bigint) AS employment \
           FROM enterprise WHERE deleted_at IS NULL GROUP BY province, SUBSTR(primary_isic, 1, 2)) e JOIN industry i ON i.code = e.isic \
         WHERE e.enterprises >= {FEWEST_FIRMS} ORDER BY e.province, e.isic"
    );
    let industries = IndustryFigures::find_by_statement(sql.statement(industries)).all(db.get_ref()).await?;
    Ok(shape.items(&Statistics { items, industries })?.public(FRESH_SECONDS))
}
