//! Enterprises (واحد تولیدی): the register of production units, in clusters or not yet in one.

pub mod dto;
pub mod entity;
pub mod size;

use actix_web::{delete, get, patch, post, put};
use utoipa_actix_web::service_config::ServiceConfig;

use self::{
    dto::{Enterprise, EnterpriseFilter, EnterpriseInput},
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
        .service(list_enterprises)
        .service(create_enterprise)
        .service(get_enterprise_by_reference)
        .service(put_enterprise_by_reference)
        .service(get_enterprise)
        .service(update_enterprise)
        .service(delete_enterprise)
        .service(get_enterprise_history);
}

/// List enterprises
///
/// Those that exist for the caller, filtered, sorted and in pages. With `cluster_id` and `member_on`: who was
/// in a cluster on a day.
#[utoipa::path(params(EnterpriseFilter, Search, Including<Model>, Paging<Model>), responses((status = 200, body = Page<Enterprise>)), security(("oauth2" = ["enterprises:read"])))]
#[get("/enterprises")]
pub async fn list_enterprises(
    filter: Query<EnterpriseFilter>,
    paging: Paging<Model>,
    read: Read,
) -> Result<Answer, Problem> {
    read.list(paging, filter.condition()).await
}

/// Register an enterprise
///
/// Only `name_fa`, `province` and `isic` are needed. It may join a cluster later. `size` follows from
/// `employment_total` where that is given.
#[utoipa::path(request_body = EnterpriseInput, responses((status = 201, body = Enterprise)), security(("oauth2" = ["enterprises:write"])))]
#[post("/enterprises")]
pub async fn create_enterprise(input: Body<EnterpriseInput>, write: Write) -> Result<Answer, Problem> {
    write.create(input.0.onto_row(&Model::default())?).await
}

/// Read an enterprise
#[utoipa::path(params(Including<Model>), responses((status = 200, body = Enterprise)), security(("oauth2" = ["enterprises:read"])))]
#[get("/enterprises/{id}")]
pub async fn get_enterprise(enterprise: Visible<Model>, read: Read) -> Result<Answer, Problem> {
    read.record(&*enterprise).await
}

/// Change an enterprise
///
/// A JSON Merge Patch. The result must keep every rule that holds for a new enterprise.
#[utoipa::path(request_body = EnterpriseInput, responses((status = 200, body = Enterprise)), security(("oauth2" = ["enterprises:write"])))]
#[patch("/enterprises/{id}")]
pub async fn update_enterprise(
    enterprise: Visible<Model>,
    patch: Patch,
    write: Write,
) -> Result<Answer, Problem> {
    let input: EnterpriseInput = patch.onto(&*enterprise)?;
    write.update(&*enterprise, input.onto_row(&enterprise)?).await
}

/// Delete an enterprise
///
/// Leaves a tombstone; the firm behind it becomes free. Repeating it is no error. One that a value chain, a
/// network or a joint action names stays (409).
#[utoipa::path(responses((status = 204, description = "Deleted")), security(("oauth2" = ["enterprises:write"])))]
#[delete("/enterprises/{id}")]
pub async fn delete_enterprise(enterprise: VisibleEver<Model>, write: Write) -> Result<Answer, Problem> {
    write.delete(&enterprise.0).await
}

/// Read an enterprise by another system's reference
#[utoipa::path(params(Including<Model>), responses((status = 200, body = Enterprise)), security(("oauth2" = ["enterprises:read"])))]
#[get("/enterprises/by-ref/{system}/{key}")]
pub async fn get_enterprise_by_reference(enterprise: Referred<Model>, read: Read) -> Result<Answer, Problem> {
    read.record(&enterprise.row()?).await
}

/// Create or replace an enterprise by another system's reference
///
/// Creates the enterprise that the other system calls so (201), or replaces it (200), which needs `If-Match`.
/// A field that is left out is emptied; the reference itself is always kept.
#[utoipa::path(
    request_body = EnterpriseInput,
    responses((status = 200, body = Enterprise, description = "Replaced"), (status = 201, body = Enterprise, description = "Created")),
    security(("oauth2" = ["enterprises:write"])),
)]
#[put("/enterprises/by-ref/{system}/{key}")]
pub async fn put_enterprise_by_reference(
    enterprise: Referred<Model>,
    input: Body<EnterpriseInput>,
    write: Write,
) -> Result<Answer, Problem> {
    write.put(enterprise, input.0).await
}

/// The history of an enterprise
///
/// Who changed what and when, from which value to which, oldest first, each entry with the hash of the one
/// before it.
#[utoipa::path(responses((status = 200, body = History)), security(("oauth2" = ["enterprises:read"])))]
#[get("/enterprises/{id}/history")]
pub async fn get_enterprise_history(enterprise: VisibleEver<Model>, read: Read) -> Result<Answer, Problem> {
    read.history(&enterprise.0).await
}
