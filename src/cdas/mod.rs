//! CDAs (cluster development agents): the natural persons who direct development projects.

pub mod dto;
pub mod entity;
pub mod rules;

use actix_web::{delete, get, patch, post, put};
use utoipa_actix_web::service_config::ServiceConfig;

use self::{
    dto::{Cda, CdaFilter, CdaInput},
    entity::Model,
    rules::State,
};
use crate::{
    http::{Answer, Body, Page, Paging, Patch, Query, Read, Referred, Search, Visible, VisibleEver, Write},
    lifecycle::Transition,
    problem::Problem,
    store::{Input, change_log::History},
};

/// The routes of this resource.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(list_cdas)
        .service(create_cda)
        .service(get_cda_by_reference)
        .service(put_cda_by_reference)
        .service(get_cda)
        .service(update_cda)
        .service(delete_cda)
        .service(transition_cda)
        .service(get_cda_history);
}

/// List CDAs
///
/// Personal data is masked for callers without the permission `personal-data:read`.
#[utoipa::path(params(CdaFilter, Search, Paging<Model>), responses((status = 200, body = Page<Cda>)), security(("oauth2" = ["cdas:read"])))]
#[get("/cdas")]
pub async fn list_cdas(
    filter: Query<CdaFilter>,
    paging: Paging<Model>,
    read: Read,
) -> Result<Answer, Problem> {
    read.list(paging, filter.condition()).await
}

/// Register a CDA
///
/// Only `national_code`, `name_fa` and `province` are needed. The CDA begins as an `applicant`.
#[utoipa::path(request_body = CdaInput, responses((status = 201, body = Cda)), security(("oauth2" = ["cdas:write"])))]
#[post("/cdas")]
pub async fn create_cda(input: Body<CdaInput>, write: Write) -> Result<Answer, Problem> {
    write.create(input.0.onto_row(&Model::default())?).await
}

/// Read a CDA
#[utoipa::path(responses((status = 200, body = Cda)), security(("oauth2" = ["cdas:read"])))]
#[get("/cdas/{id}")]
pub async fn get_cda(cda: Visible<Model>, read: Read) -> Result<Answer, Problem> {
    read.record(&*cda).await
}

/// Change a CDA
///
/// A JSON Merge Patch. The result must keep every rule that holds for a new CDA.
#[utoipa::path(request_body = CdaInput, responses((status = 200, body = Cda)), security(("oauth2" = ["cdas:write"])))]
#[patch("/cdas/{id}")]
pub async fn update_cda(cda: Visible<Model>, patch: Patch, write: Write) -> Result<Answer, Problem> {
    let input: CdaInput = patch.onto(&*cda)?;
    write.update(&*cda, input.onto_row(&cda)?).await
}

/// Delete a CDA
///
/// Leaves a tombstone; the national code becomes free. Repeating it is no error. One with assignments or an
/// account stays (409).
#[utoipa::path(responses((status = 204, description = "Deleted")), security(("oauth2" = ["cdas:write"])))]
#[delete("/cdas/{id}")]
pub async fn delete_cda(cda: VisibleEver<Model>, write: Write) -> Result<Answer, Problem> {
    write.delete(&cda.0).await
}

/// Read a CDA by another system's reference
#[utoipa::path(responses((status = 200, body = Cda)), security(("oauth2" = ["cdas:read"])))]
#[get("/cdas/by-ref/{system}/{key}")]
pub async fn get_cda_by_reference(cda: Referred<Model>, read: Read) -> Result<Answer, Problem> {
    read.record(&cda.row()?).await
}

/// Create or replace a CDA by another system's reference
///
/// Creates the CDA that the other system calls so (201), or replaces it (200), which needs `If-Match`. A
/// field that is left out is emptied; the reference itself is always kept.
#[utoipa::path(
    request_body = CdaInput,
    responses((status = 200, body = Cda, description = "Replaced"), (status = 201, body = Cda, description = "Created")),
    security(("oauth2" = ["cdas:write"])),
)]
#[put("/cdas/by-ref/{system}/{key}")]
pub async fn put_cda_by_reference(
    cda: Referred<Model>,
    input: Body<CdaInput>,
    write: Write,
) -> Result<Answer, Problem> {
    write.put(cda, input.0).await
}

/// Change the state of a CDA
///
/// The only way in which `state` changes. `suspended` and `revoked` need a `reason`.
#[utoipa::path(request_body = Transition<State>, responses((status = 200, body = Cda)), security(("oauth2" = ["cdas:write"])))]
#[post("/cdas/{id}/transitions")]
pub async fn transition_cda(
    cda: Visible<Model>,
    transition: Body<Transition<State>>,
    write: Write,
) -> Result<Answer, Problem> {
    write.transition(&*cda, transition.0).await
}

/// The history of a CDA
///
/// Who changed what and when, from which value to which, oldest first, each entry with the hash of the one
/// before it.
#[utoipa::path(responses((status = 200, body = History)), security(("oauth2" = ["cdas:read"])))]
#[get("/cdas/{id}/history")]
pub async fn get_cda_history(cda: VisibleEver<Model>, read: Read) -> Result<Answer, Problem> {
    read.history(&cda.0).await
}
