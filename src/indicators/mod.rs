//! Indicators (شاخص): what a developed cluster should show, by benefit theme. The nation keeps the catalogue;
//! it begins with that of `data/indicators.csv`.

pub mod dto;
pub mod entity;

use actix_web::{delete, get, patch, post, put};
use utoipa_actix_web::service_config::ServiceConfig;

use self::{
    dto::{Indicator, IndicatorFilter, IndicatorInput},
    entity::Model,
};
use crate::{
    http::{Answer, Body, Page, Paging, Patch, Query, Read, Referred, Search, Visible, VisibleEver, Write},
    problem::Problem,
    store::{Input, change_log::History},
};

/// The routes of this resource.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(list_indicators)
        .service(create_indicator)
        .service(get_indicator_by_reference)
        .service(put_indicator_by_reference)
        .service(get_indicator)
        .service(update_indicator)
        .service(delete_indicator)
        .service(get_indicator_history);
}

/// List indicators
///
/// The catalogue of the nation, the same for everybody.
#[utoipa::path(params(IndicatorFilter, Search, Paging<Model>), responses((status = 200, body = Page<Indicator>)), security(("oauth2" = ["indicators:read"])))]
#[get("/indicators")]
pub async fn list_indicators(
    filter: Query<IndicatorFilter>,
    paging: Paging<Model>,
    read: Read,
) -> Result<Answer, Problem> {
    read.list(paging, filter.condition()).await
}

/// Add an indicator
///
/// National offices keep the catalogue.
#[utoipa::path(request_body = IndicatorInput, responses((status = 201, body = Indicator)), security(("oauth2" = ["indicators:write"])))]
#[post("/indicators")]
pub async fn create_indicator(input: Body<IndicatorInput>, write: Write) -> Result<Answer, Problem> {
    write.create(input.0.onto_row(&Model::default())?).await
}

/// Read an indicator
#[utoipa::path(responses((status = 200, body = Indicator)), security(("oauth2" = ["indicators:read"])))]
#[get("/indicators/{id}")]
pub async fn get_indicator(indicator: Visible<Model>, read: Read) -> Result<Answer, Problem> {
    read.record(&*indicator).await
}

/// Change an indicator
///
/// A JSON Merge Patch. The result must keep every rule that holds for a new indicator. One that has
/// measurements keeps its frequency and at least as many decimals (409).
#[utoipa::path(request_body = IndicatorInput, responses((status = 200, body = Indicator)), security(("oauth2" = ["indicators:write"])))]
#[patch("/indicators/{id}")]
pub async fn update_indicator(
    indicator: Visible<Model>,
    patch: Patch,
    write: Write,
) -> Result<Answer, Problem> {
    let input: IndicatorInput = patch.onto(&*indicator)?;
    write.update(&*indicator, input.onto_row(&indicator)?).await
}

/// Delete an indicator
///
/// Leaves a tombstone; its code becomes free. Repeating it is no error. One that has measurements stays
/// (409): make it inactive instead.
#[utoipa::path(responses((status = 204, description = "Deleted")), security(("oauth2" = ["indicators:write"])))]
#[delete("/indicators/{id}")]
pub async fn delete_indicator(indicator: VisibleEver<Model>, write: Write) -> Result<Answer, Problem> {
    write.delete(&indicator.0).await
}

/// Read an indicator by another system's reference
#[utoipa::path(responses((status = 200, body = Indicator)), security(("oauth2" = ["indicators:read"])))]
#[get("/indicators/by-ref/{system}/{key}")]
pub async fn get_indicator_by_reference(indicator: Referred<Model>, read: Read) -> Result<Answer, Problem> {
    read.record(&indicator.row()?).await
}

/// Create or replace an indicator by another system's reference
///
/// Creates the indicator that the other system calls so (201), or replaces it (200), which needs `If-Match`.
/// A field that is left out is emptied; the reference itself is always kept.
#[utoipa::path(
    request_body = IndicatorInput,
    responses((status = 200, body = Indicator, description = "Replaced"), (status = 201, body = Indicator, description = "Created")),
    security(("oauth2" = ["indicators:write"])),
)]
#[put("/indicators/by-ref/{system}/{key}")]
pub async fn put_indicator_by_reference(
    indicator: Referred<Model>,
    input: Body<IndicatorInput>,
    write: Write,
) -> Result<Answer, Problem> {
    write.put(indicator, input.0).await
}

/// The history of an indicator
///
/// Who changed what and when, from which value to which, oldest first, each entry with the hash of the one
/// before it.
#[utoipa::path(responses((status = 200, body = History)), security(("oauth2" = ["indicators:read"])))]
#[get("/indicators/{id}/history")]
pub async fn get_indicator_history(indicator: VisibleEver<Model>, read: Read) -> Result<Answer, Problem> {
    read.history(&indicator.0).await
}
