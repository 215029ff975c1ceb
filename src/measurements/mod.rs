//! Measurements (اندازه‌گیری): the baseline, target and actual values of indicators for a project's cluster,
//! by periods.

pub mod dto;
pub mod entity;

use actix_web::{delete, get, patch, post, put};
use utoipa_actix_web::service_config::ServiceConfig;

use self::{
    dto::{Measurement, MeasurementFilter, MeasurementInput},
    entity::Model,
};
use crate::{
    http::{
        Answer, Body, Including, Page, Paging, Patch, Query, Read, Referred, Search, Visible, VisibleEver,
        Write,
    },
    problem::Problem,
    store::{Input, change_log::History},
};

/// The routes of this resource.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(list_measurements)
        .service(create_measurement)
        .service(get_measurement_by_reference)
        .service(put_measurement_by_reference)
        .service(get_measurement)
        .service(update_measurement)
        .service(delete_measurement)
        .service(get_measurement_history);
}

/// List measurements
///
/// Of all projects that exist for the caller.
#[utoipa::path(params(MeasurementFilter, Search, Including<Model>, Paging<Model>), responses((status = 200, body = Page<Measurement>)), security(("oauth2" = ["measurements:read"])))]
#[get("/measurements")]
pub async fn list_measurements(
    filter: Query<MeasurementFilter>,
    paging: Paging<Model>,
    read: Read,
) -> Result<Answer, Problem> {
    read.list(paging, filter.condition()).await
}

/// Record a measurement
///
/// A project has one value of an indicator for each kind and period. CDAs write in the projects that are
/// assigned to them. Actual values of a quarter whose progress report is accepted nationally are locked
/// (409): they are neither recorded nor changed nor deleted.
#[utoipa::path(request_body = MeasurementInput, responses((status = 201, body = Measurement)), security(("oauth2" = ["measurements:write"])))]
#[post("/measurements")]
pub async fn create_measurement(input: Body<MeasurementInput>, write: Write) -> Result<Answer, Problem> {
    write.create(input.0.onto_row(&Model::default())?).await
}

/// Read a measurement
#[utoipa::path(params(Including<Model>), responses((status = 200, body = Measurement)), security(("oauth2" = ["measurements:read"])))]
#[get("/measurements/{id}")]
pub async fn get_measurement(measurement: Visible<Model>, read: Read) -> Result<Answer, Problem> {
    read.record(&*measurement).await
}

/// Change a measurement
///
/// A JSON Merge Patch. The result must keep every rule that holds for a new measurement; its project stays
/// the same.
#[utoipa::path(request_body = MeasurementInput, responses((status = 200, body = Measurement)), security(("oauth2" = ["measurements:write"])))]
#[patch("/measurements/{id}")]
pub async fn update_measurement(
    measurement: Visible<Model>,
    patch: Patch,
    write: Write,
) -> Result<Answer, Problem> {
    let input: MeasurementInput = patch.onto(&*measurement)?;
    write.update(&*measurement, input.onto_row(&measurement)?).await
}

/// Delete a measurement
///
/// Leaves a tombstone. Repeating it is no error.
#[utoipa::path(responses((status = 204, description = "Deleted")), security(("oauth2" = ["measurements:write"])))]
#[delete("/measurements/{id}")]
pub async fn delete_measurement(measurement: VisibleEver<Model>, write: Write) -> Result<Answer, Problem> {
    write.delete(&measurement.0).await
}

/// Read a measurement by another system's reference
#[utoipa::path(params(Including<Model>), responses((status = 200, body = Measurement)), security(("oauth2" = ["measurements:read"])))]
#[get("/measurements/by-ref/{system}/{key}")]
pub async fn get_measurement_by_reference(
    measurement: Referred<Model>,
    read: Read,
) -> Result<Answer, Problem> {
    read.record(&measurement.row()?).await
}

/// Create or replace a measurement by another system's reference
///
/// Creates the measurement that the other system calls so (201), or replaces it (200), which needs
/// `If-Match`. A field that is left out is emptied; the reference itself is always kept.
#[utoipa::path(
    request_body = MeasurementInput,
    responses((status = 200, body = Measurement, description = "Replaced"), (status = 201, body = Measurement, description = "Created")),
    security(("oauth2" = ["measurements:write"])),
)]
#[put("/measurements/by-ref/{system}/{key}")]
pub async fn put_measurement_by_reference(
    measurement: Referred<Model>,
    input: Body<MeasurementInput>,
    write: Write,
) -> Result<Answer, Problem> {
    write.put(measurement, input.0).await
}

/// The history of a measurement
///
/// Who changed what and when, from which value to which, oldest first, each entry with the hash of the one
/// before it.
#[utoipa::path(responses((status = 200, body = History)), security(("oauth2" = ["measurements:read"])))]
#[get("/measurements/{id}/history")]
pub async fn get_measurement_history(measurement: VisibleEver<Model>, read: Read) -> Result<Answer, Problem> {
    read.history(&measurement.0).await
}
