//! Public data, available without a token: the live directory of clusters, and the published statistics.
//! Contains nothing about persons or single firms.

pub mod statistics;
pub mod table;

use actix_web::get;
use sea_orm::{EntityTrait, QueryFilter, QueryOrder, entity::prelude::*};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    clusters::{
        dto::ClusterFilter,
        entity::{Column, Entity, Model},
        rules::State,
    },
    http::{Answer, Database, Query, Routes, Shape},
    industries::{IsicCode, classes::Isic},
    problem::Problem,
    provinces::ProvinceCode,
    statistics::PUBLISHED,
    values::{Location, Name},
};

/// The routes of this resource.
pub fn routes(config: &mut Routes<'_>) {
    config
        .service(list_public_clusters)
        .service(statistics::list_published_quarters)
        .service(statistics::get_published_programme)
        .service(statistics::get_published_enterprises);
}

/// Maximum age of a cached answer, in seconds.
const FRESH_SECONDS: u32 = 300;

/// Filters of the public list of clusters.
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
    /// Number of clusters.
    #[schema(minimum = 0, example = 11)]
    total: usize,
}

/// A published cluster.
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
    /// Location.
    #[schema(required)]
    location: Option<Location>,
    /// Products and services.
    #[schema(example = json!(["سنگ تزئینی"]))]
    products: Vec<Name>,
    /// The classes of ISIC Rev. 4, the primary one first.
    isic: Vec<Isic>,
    /// State in the programme.
    state: State,
}

impl From<Model> for PublicCluster {
    fn from(row: Model) -> Self {
        let location = Location::of(row.latitude, row.longitude);
        Self {
            code: row.code,
            name_fa: row.name_fa,
            name_en: row.name_en,
            aliases: row.aliases.0,
            province: ProvinceCode(row.province.0),
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
/// All clusters that are identified, for everybody, without a token: as JSON, as a table (CSV), or on the map
/// (GeoJSON). Take it as often as you like: it may be kept for five minutes, and `If-None-Match` gets 304 as
/// long as nothing has changed.
#[utoipa::path(params(PublicFilter), responses((status = 200, body = Directory)), security(()))]
#[get("/public/clusters")]
pub async fn list_public_clusters(
    filter: Query<PublicFilter>,
    db: Database,
    shape: Shape,
) -> Result<Answer, Problem> {
    let PublicFilter { province, isic } = filter.0;
    let filter =
        ClusterFilter { state: Some(PUBLISHED.into()), province, isic, county: None, identified_by: None };
    let rows = Entity::find().filter(Column::DeletedAt.is_null()).filter(filter.condition());
    let rows = rows.order_by_asc(Column::Province).order_by_asc(Column::Code).all(db.get_ref()).await?;
    let items: Vec<_> = rows.into_iter().map(PublicCluster::from).collect();
    Ok(shape.items(&Directory { total: items.len(), items })?.public(FRESH_SECONDS))
}
