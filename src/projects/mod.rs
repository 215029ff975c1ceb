//! Cluster development projects, and what belongs to them: assignments, supervisions, partners, phases and
//! joint actions.

pub mod assignments;
pub mod belonging;
pub mod budget;
pub mod dates;
pub mod dto;
pub mod entity;
pub mod facts;
pub mod figures;
pub mod independence;
pub mod joint_actions;
pub mod partners;
pub mod phases;
pub mod pillar;
pub mod plan;
pub mod rules;
pub mod supervisions;

use actix_web::{delete, get, patch, post, put};
use utoipa_actix_web::service_config::ServiceConfig;

use self::{
    dto::{Project, ProjectFilter, ProjectInput},
    entity::Model,
    rules::State,
};
use crate::{
    http::{
        Answer, Body, Including, Moment, Page, Paging, Patch, Query, Read, Referred, Search, Visible,
        VisibleEver, Write,
    },
    lifecycle::Transition,
    problem::Problem,
    store::{Input, change_log::History},
};

/// The routes of this resource.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(list_projects)
        .service(create_project)
        .service(get_project_by_reference)
        .service(put_project_by_reference)
        .service(get_project)
        .service(update_project)
        .service(delete_project)
        .service(transition_project)
        .service(get_project_history)
        .configure(assignments::routes)
        .configure(supervisions::routes)
        .configure(partners::routes)
        .configure(phases::routes)
        .configure(joint_actions::routes);
}

/// List projects
///
/// Each with its progress, its overdue milestones, its next one and its lead CDA as they are today.
#[utoipa::path(params(ProjectFilter, Search, Including<Model>, Paging<Model>), responses((status = 200, body = Page<Project>)), security(("oauth2" = ["projects:read"])))]
#[get("/projects")]
pub async fn list_projects(
    filter: Query<ProjectFilter>,
    paging: Paging<Model>,
    read: Read,
) -> Result<Answer, Problem> {
    let condition = filter.condition(&read.caller);
    read.list(paging, condition).await
}

/// Register a project
///
/// It begins as a `draft`. Its province is that of its cluster, in which no other project may be live.
#[utoipa::path(request_body = ProjectInput, responses((status = 201, body = Project)), security(("oauth2" = ["projects:write"])))]
#[post("/projects")]
pub async fn create_project(input: Body<ProjectInput>, write: Write) -> Result<Answer, Problem> {
    write.create(input.0.onto_row(&Model::default())?).await
}

/// Read a project
///
/// As it is, or with `as_of` and `known_at` as it was: in the state of that day, from what was known at that
/// moment, also where it has been deleted since. What was cannot be changed: its `allowed_transitions` are
/// empty, and nothing can be included.
#[utoipa::path(params(Including<Model>, Moment), responses((status = 200, body = Project)), security(("oauth2" = ["projects:read"])))]
#[get("/projects/{id}")]
pub async fn get_project(
    project: VisibleEver<Model>,
    moment: Query<Moment>,
    read: Read,
) -> Result<Answer, Problem> {
    read.record_at(&project.0, moment.0).await
}

/// Change a project
///
/// A JSON Merge Patch. The result must keep every rule that holds for a new project.
#[utoipa::path(request_body = ProjectInput, responses((status = 200, body = Project)), security(("oauth2" = ["projects:write"])))]
#[patch("/projects/{id}")]
pub async fn update_project(project: Visible<Model>, patch: Patch, write: Write) -> Result<Answer, Problem> {
    let input: ProjectInput = patch.onto(&*project)?;
    write.update(&*project, input.onto_row(&project)?).await
}

/// Delete a project
///
/// Leaves a tombstone. Repeating it is no error. A project that has anything, such as milestones, assignments
/// or payments, stays (409): it is terminated, not deleted.
#[utoipa::path(responses((status = 204, description = "Deleted")), security(("oauth2" = ["projects:write"])))]
#[delete("/projects/{id}")]
pub async fn delete_project(project: VisibleEver<Model>, write: Write) -> Result<Answer, Problem> {
    write.delete(&project.0).await
}

/// Read a project by another system's reference
#[utoipa::path(params(Including<Model>), responses((status = 200, body = Project)), security(("oauth2" = ["projects:read"])))]
#[get("/projects/by-ref/{system}/{key}")]
pub async fn get_project_by_reference(project: Referred<Model>, read: Read) -> Result<Answer, Problem> {
    read.record(&project.row()?).await
}

/// Create or replace a project by another system's reference
///
/// Creates the project that the other system calls so (201), or replaces it (200), which needs `If-Match`. A
/// field that is left out is emptied; the reference itself is always kept.
#[utoipa::path(
    request_body = ProjectInput,
    responses((status = 200, body = Project, description = "Replaced"), (status = 201, body = Project, description = "Created")),
    security(("oauth2" = ["projects:write"])),
)]
#[put("/projects/by-ref/{system}/{key}")]
pub async fn put_project_by_reference(
    project: Referred<Model>,
    input: Body<ProjectInput>,
    write: Write,
) -> Result<Answer, Problem> {
    write.put(project, input.0).await
}

/// Change the state of a project
///
/// The only way in which `state` changes. A suspended project goes back to the state that it was suspended
/// from. `suspended` and `terminated` need a `reason`.
#[utoipa::path(request_body = Transition<State>, responses((status = 200, body = Project)), security(("oauth2" = ["projects:write"])))]
#[post("/projects/{id}/transitions")]
pub async fn transition_project(
    project: Visible<Model>,
    transition: Body<Transition<State>>,
    write: Write,
) -> Result<Answer, Problem> {
    write.transition(&*project, transition.0).await
}

/// The history of a project
///
/// Who changed what and when, from which value to which, oldest first, each entry with the hash of the one
/// before it.
#[utoipa::path(responses((status = 200, body = History)), security(("oauth2" = ["projects:read"])))]
#[get("/projects/{id}/history")]
pub async fn get_project_history(project: VisibleEver<Model>, read: Read) -> Result<Answer, Problem> {
    read.history(&project.0).await
}
