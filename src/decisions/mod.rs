//! Decisions (مصوبه) of the national council, the provincial committees and the steering councils of
//! projects. Changes of state and other records name the decision behind them.

pub mod dto;
pub mod entity;

use actix_web::{delete, get, patch, post, put};
use utoipa_actix_web::service_config::ServiceConfig;

use self::{
    dto::{Decision, DecisionFilter, DecisionInput},
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
        .service(list_decisions)
        .service(create_decision)
        .service(get_decision_by_reference)
        .service(put_decision_by_reference)
        .service(get_decision)
        .service(update_decision)
        .service(delete_decision)
        .service(get_decision_history);
}

/// List decisions
///
/// Those of the caller's province, and the national ones, which exist for everybody. `q` searches title, text
/// and meeting.
#[utoipa::path(params(DecisionFilter, Search, Paging<Model>), responses((status = 200, body = Page<Decision>)), security(("oauth2" = ["decisions:read"])))]
#[get("/decisions")]
pub async fn list_decisions(
    filter: Query<DecisionFilter>,
    paging: Paging<Model>,
    read: Read,
) -> Result<Answer, Problem> {
    read.list(paging, filter.condition()).await
}

/// Record a decision
///
/// A decision of the national council has no province, and national offices keep it; one of a committee or a
/// steering council needs its province.
#[utoipa::path(request_body = DecisionInput, responses((status = 201, body = Decision)), security(("oauth2" = ["decisions:write"])))]
#[post("/decisions")]
pub async fn create_decision(input: Body<DecisionInput>, write: Write) -> Result<Answer, Problem> {
    write.create(input.0.onto_row(&Model::default())?).await
}

/// Read a decision
#[utoipa::path(responses((status = 200, body = Decision)), security(("oauth2" = ["decisions:read"])))]
#[get("/decisions/{id}")]
pub async fn get_decision(decision: Visible<Model>, read: Read) -> Result<Answer, Problem> {
    read.record(&*decision).await
}

/// Change a decision
///
/// A JSON Merge Patch. The result must keep every rule that holds for a new decision.
#[utoipa::path(request_body = DecisionInput, responses((status = 200, body = Decision)), security(("oauth2" = ["decisions:write"])))]
#[patch("/decisions/{id}")]
pub async fn update_decision(
    decision: Visible<Model>,
    patch: Patch,
    write: Write,
) -> Result<Answer, Problem> {
    let input: DecisionInput = patch.onto(&*decision)?;
    write.update(&*decision, input.onto_row(&decision)?).await
}

/// Delete a decision
///
/// Leaves a tombstone. Repeating it is no error. One that a change of state or another live record refers to
/// stays (409).
#[utoipa::path(responses((status = 204, description = "Deleted")), security(("oauth2" = ["decisions:write"])))]
#[delete("/decisions/{id}")]
pub async fn delete_decision(decision: VisibleEver<Model>, write: Write) -> Result<Answer, Problem> {
    write.delete(&decision.0).await
}

/// Read a decision by another system's reference
#[utoipa::path(responses((status = 200, body = Decision)), security(("oauth2" = ["decisions:read"])))]
#[get("/decisions/by-ref/{system}/{key}")]
pub async fn get_decision_by_reference(decision: Referred<Model>, read: Read) -> Result<Answer, Problem> {
    read.record(&decision.row()?).await
}

/// Create or replace a decision by another system's reference
///
/// Creates the decision that the other system calls so (201), or replaces it (200), which needs `If-Match`. A
/// field that is left out is emptied; the reference itself is always kept.
#[utoipa::path(
    request_body = DecisionInput,
    responses((status = 200, body = Decision, description = "Replaced"), (status = 201, body = Decision, description = "Created")),
    security(("oauth2" = ["decisions:write"])),
)]
#[put("/decisions/by-ref/{system}/{key}")]
pub async fn put_decision_by_reference(
    decision: Referred<Model>,
    input: Body<DecisionInput>,
    write: Write,
) -> Result<Answer, Problem> {
    write.put(decision, input.0).await
}

/// The history of a decision
///
/// Who changed what and when, from which value to which, oldest first, each entry with the hash of the one
/// before it.
#[utoipa::path(responses((status = 200, body = History)), security(("oauth2" = ["decisions:read"])))]
#[get("/decisions/{id}/history")]
pub async fn get_decision_history(decision: VisibleEver<Model>, read: Read) -> Result<Answer, Problem> {
    read.history(&decision.0).await
}
