//! Organisations: ministries, provincial companies, associations, banks, firms, and all others that have a
//! part in projects.

pub mod dto;
pub mod entity;

use actix_web::{delete, get, patch, post, put};
use utoipa_actix_web::service_config::ServiceConfig;

use self::{
    dto::{Organisation, OrganisationFilter, OrganisationInput},
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
        .service(list_organisations)
        .service(create_organisation)
        .service(get_organisation_by_reference)
        .service(put_organisation_by_reference)
        .service(get_organisation)
        .service(update_organisation)
        .service(delete_organisation)
        .service(get_organisation_history);
}

/// List organisations
///
/// Those of the caller's province, and the national ones, which exist for everybody.
#[utoipa::path(params(OrganisationFilter, Search, Including<Model>, Paging<Model>), responses((status = 200, body = Page<Organisation>)), security(("oauth2" = ["organisations:read"])))]
#[get("/organisations")]
pub async fn list_organisations(
    filter: Query<OrganisationFilter>,
    paging: Paging<Model>,
    read: Read,
) -> Result<Answer, Problem> {
    read.list(paging, filter.condition()).await
}

/// Register an organisation
///
/// Only `kind` and `name_fa` are needed. One without a province is national: national offices keep it.
#[utoipa::path(request_body = OrganisationInput, responses((status = 201, body = Organisation)), security(("oauth2" = ["organisations:write"])))]
#[post("/organisations")]
pub async fn create_organisation(input: Body<OrganisationInput>, write: Write) -> Result<Answer, Problem> {
    write.create(input.0.onto_row(&Model::default())?).await
}

/// Read an organisation
#[utoipa::path(params(Including<Model>), responses((status = 200, body = Organisation)), security(("oauth2" = ["organisations:read"])))]
#[get("/organisations/{id}")]
pub async fn get_organisation(organisation: Visible<Model>, read: Read) -> Result<Answer, Problem> {
    read.record(&*organisation).await
}

/// Change an organisation
///
/// A JSON Merge Patch. The result must keep every rule that holds for a new organisation.
#[utoipa::path(request_body = OrganisationInput, responses((status = 200, body = Organisation)), security(("oauth2" = ["organisations:write"])))]
#[patch("/organisations/{id}")]
pub async fn update_organisation(
    organisation: Visible<Model>,
    patch: Patch,
    write: Write,
) -> Result<Answer, Problem> {
    let input: OrganisationInput = patch.onto(&*organisation)?;
    write.update(&*organisation, input.onto_row(&organisation)?).await
}

/// Delete an organisation
///
/// Leaves a tombstone; its national id becomes free. Repeating it is no error. One that live records refer to
/// stays (409).
#[utoipa::path(responses((status = 204, description = "Deleted")), security(("oauth2" = ["organisations:write"])))]
#[delete("/organisations/{id}")]
pub async fn delete_organisation(organisation: VisibleEver<Model>, write: Write) -> Result<Answer, Problem> {
    write.delete(&organisation.0).await
}

/// Read an organisation by another system's reference
#[utoipa::path(params(Including<Model>), responses((status = 200, body = Organisation)), security(("oauth2" = ["organisations:read"])))]
#[get("/organisations/by-ref/{system}/{key}")]
pub async fn get_organisation_by_reference(
    organisation: Referred<Model>,
    read: Read,
) -> Result<Answer, Problem> {
    read.record(&organisation.row()?).await
}

/// Create or replace an organisation by another system's reference
///
/// Creates the organisation that the other system calls so (201), or replaces it (200), which needs
/// `If-Match`. A field that is left out is emptied; the reference itself is always kept.
#[utoipa::path(
    request_body = OrganisationInput,
    responses((status = 200, body = Organisation, description = "Replaced"), (status = 201, body = Organisation, description = "Created")),
    security(("oauth2" = ["organisations:write"])),
)]
#[put("/organisations/by-ref/{system}/{key}")]
pub async fn put_organisation_by_reference(
    organisation: Referred<Model>,
    input: Body<OrganisationInput>,
    write: Write,
) -> Result<Answer, Problem> {
    write.put(organisation, input.0).await
}

/// The history of an organisation
///
/// Who changed what and when, from which value to which, oldest first, each entry with the hash of the one
/// before it.
#[utoipa::path(responses((status = 200, body = History)), security(("oauth2" = ["organisations:read"])))]
#[get("/organisations/{id}/history")]
pub async fn get_organisation_history(
    organisation: VisibleEver<Model>,
    read: Read,
) -> Result<Answer, Problem> {
    read.history(&organisation.0).await
}
