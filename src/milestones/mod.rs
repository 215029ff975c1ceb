//! Milestones (نقطهٔ عطف): what a project has to reach, by when, and how much of it each is.

pub mod baselines;
pub mod dto;
pub mod entity;
pub mod rules;

use actix_web::{delete, get, patch, post, put};
use sea_orm::ColumnTrait;
use utoipa_actix_web::service_config::ServiceConfig;

use self::{
    dto::{Milestone, MilestoneFilter, MilestoneInput, MilestoneTransition},
    entity::Model,
};
use crate::{
    http::{
        Answer, Body, Including, Moment, Page, Paging, Patch, Query, Read, Referred, Search, Visible,
        VisibleEver, Write,
    },
    problem::Problem,
    projects,
    store::{Input, change_log::History},
};

/// The routes of this resource.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(list_milestones)
        .service(create_milestone)
        .service(get_milestone_by_reference)
        .service(put_milestone_by_reference)
        .service(get_milestone)
        .service(update_milestone)
        .service(delete_milestone)
        .service(transition_milestone)
        .service(get_milestone_history)
        .service(list_project_milestones)
        .service(create_project_milestone)
        .configure(baselines::routes);
}

/// List milestones
///
/// Of all projects that exist for the caller.
#[utoipa::path(params(MilestoneFilter, Search, Including<Model>, Paging<Model>), responses((status = 200, body = Page<Milestone>)), security(("oauth2" = ["milestones:read"])))]
#[get("/milestones")]
pub async fn list_milestones(
    filter: Query<MilestoneFilter>,
    paging: Paging<Model>,
    read: Read,
) -> Result<Answer, Problem> {
    let condition = filter.condition(&read.caller);
    read.list(paging, condition).await
}

/// Add a milestone
///
/// `project_id` is needed here. It begins as `planned`.
#[utoipa::path(request_body = MilestoneInput, responses((status = 201, body = Milestone)), security(("oauth2" = ["milestones:write"])))]
#[post("/milestones")]
pub async fn create_milestone(input: Body<MilestoneInput>, write: Write) -> Result<Answer, Problem> {
    write.create(input.0.onto_row(&Model::default())?).await
}

/// List the milestones of a project
///
/// As `GET /milestones` with `project_id`.
#[utoipa::path(params(Search, Including<Model>, Paging<Model>), responses((status = 200, body = Page<Milestone>)), security(("oauth2" = ["milestones:read"])))]
#[get("/projects/{id}/milestones")]
pub async fn list_project_milestones(
    project: Visible<projects::entity::Model>,
    paging: Paging<Model>,
    read: Read,
) -> Result<Answer, Problem> {
    read.list(paging, entity::Column::ProjectId.eq(project.id)).await
}

/// Add a milestone to a project
///
/// It begins as `planned`. CDAs write in the projects that are assigned to them.
#[utoipa::path(request_body = MilestoneInput, responses((status = 201, body = Milestone)), security(("oauth2" = ["milestones:write"])))]
#[post("/projects/{id}/milestones")]
pub async fn create_project_milestone(
    project: Visible<projects::entity::Model>,
    input: Body<MilestoneInput>,
    write: Write,
) -> Result<Answer, Problem> {
    write.create(input.0.onto_row(&Model { project_id: project.id, ..Model::default() })?).await
}

/// Read a milestone
///
/// As it is, or with `as_of` and `known_at` as it was: in the state of that day, from what was known at that
/// moment, also where it has been deleted since. What was cannot be changed: its `allowed_transitions` are
/// empty, and nothing can be included.
#[utoipa::path(params(Including<Model>, Moment), responses((status = 200, body = Milestone)), security(("oauth2" = ["milestones:read"])))]
#[get("/milestones/{id}")]
pub async fn get_milestone(
    milestone: VisibleEver<Model>,
    moment: Query<Moment>,
    read: Read,
) -> Result<Answer, Problem> {
    read.record_at(&milestone.0, moment.0).await
}

/// Change a milestone
///
/// A JSON Merge Patch. The result must keep every rule that holds for a new milestone; its project stays the
/// same.
#[utoipa::path(request_body = MilestoneInput, responses((status = 200, body = Milestone)), security(("oauth2" = ["milestones:write"])))]
#[patch("/milestones/{id}")]
pub async fn update_milestone(
    milestone: Visible<Model>,
    patch: Patch,
    write: Write,
) -> Result<Answer, Problem> {
    let input: MilestoneInput = patch.onto(&*milestone)?;
    write.update(&*milestone, input.onto_row(&milestone)?).await
}

/// Delete a milestone
///
/// Leaves a tombstone. Repeating it is no error. One that is another's predecessor stays (409).
#[utoipa::path(responses((status = 204, description = "Deleted")), security(("oauth2" = ["milestones:write"])))]
#[delete("/milestones/{id}")]
pub async fn delete_milestone(milestone: VisibleEver<Model>, write: Write) -> Result<Answer, Problem> {
    write.delete(&milestone.0).await
}

/// Read a milestone by another system's reference
#[utoipa::path(params(Including<Model>), responses((status = 200, body = Milestone)), security(("oauth2" = ["milestones:read"])))]
#[get("/milestones/by-ref/{system}/{key}")]
pub async fn get_milestone_by_reference(milestone: Referred<Model>, read: Read) -> Result<Answer, Problem> {
    read.record(&milestone.row()?).await
}

/// Create or replace a milestone by another system's reference
///
/// Creates the milestone that the other system calls so (201), or replaces it (200), which needs `If-Match`.
/// A field that is left out is emptied; the reference itself is always kept.
#[utoipa::path(
    request_body = MilestoneInput,
    responses((status = 200, body = Milestone, description = "Replaced"), (status = 201, body = Milestone, description = "Created")),
    security(("oauth2" = ["milestones:write"])),
)]
#[put("/milestones/by-ref/{system}/{key}")]
pub async fn put_milestone_by_reference(
    milestone: Referred<Model>,
    input: Body<MilestoneInput>,
    write: Write,
) -> Result<Answer, Problem> {
    write.put(milestone, input.0).await
}

/// Change the state of a milestone
///
/// The only way in which `state` changes. Supervisors and managers accept and return, CDAs and managers do
/// the rest; national offices reopen what was accepted.
#[utoipa::path(request_body = MilestoneTransition, responses((status = 200, body = Milestone)), security(("oauth2" = ["milestones:write"]), ("oauth2" = ["milestones:review"])))]
#[post("/milestones/{id}/transitions")]
pub async fn transition_milestone(
    milestone: Visible<Model>,
    transition: Body<MilestoneTransition>,
    write: Write,
) -> Result<Answer, Problem> {
    let (transition, accepted) = transition.0.into_parts()?;
    write
        .transition_with(&*milestone, transition, |row| {
            row.accepted_fraction_bp = accepted.unwrap_or(row.accepted_fraction_bp)
        })
        .await
}

/// The history of a milestone
///
/// Who changed what and when, from which value to which, oldest first, each entry with the hash of the one
/// before it.
#[utoipa::path(responses((status = 200, body = History)), security(("oauth2" = ["milestones:read"])))]
#[get("/milestones/{id}/history")]
pub async fn get_milestone_history(milestone: VisibleEver<Model>, read: Read) -> Result<Answer, Problem> {
    read.history(&milestone.0).await
}
