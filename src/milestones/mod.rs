//! Milestones (نقطهٔ عطف) of projects: results, due days and weights.

pub mod baselines;
pub mod dto;
pub mod entity;
mod record;
pub mod rules;

use actix_web::{get, post};
use sea_orm::{ColumnTrait, sea_query::Condition};

use self::{
    dto::{Milestone, MilestoneFilter, MilestoneInput, MilestoneTransition},
    entity::Model,
};
use crate::{
    http::{
        Answer, Body, Including, Page, Paging, Read, Routes, Search, Visible, Write,
        resource::{self, Collection, Resource, Standard, Words},
    },
    policy::Caller,
    problem::Problem,
    projects,
    store::Input,
};

/// The routes of this resource.
pub fn routes(config: &mut Routes<'_>) {
    let (records, history) = resource::collection::<Model>().with_past().split(Standard::History);
    config
        .service(records)
        .service(transition_milestone)
        .service(history)
        .service(list_project_milestones)
        .service(create_project_milestone)
        .configure(baselines::routes);
}

impl Resource for Model {
    type Input = MilestoneInput;

    const WORDS: Words = Words {
        path: "/milestones",
        one: "milestone",
        many: "milestones",
        a: "a milestone",
        reads: "milestones:read",
        writes: "milestones:write",
        about: &[
            (Standard::List, "List milestones", "Of all projects that exist for the caller."),
            (Standard::Create, "Add a milestone", "`project_id` is needed here. It begins as `planned`."),
            (
                Standard::Get,
                "Read a milestone",
                "As it is, or with `as_of` and `known_at` as it was: in the state of that day, from what was \
                 known at that moment, also where it has been deleted since. What was cannot be changed: its \
                 `allowed_transitions` are empty, and nothing can be included.",
            ),
            (
                Standard::Update,
                "Change a milestone",
                "A JSON Merge Patch. The result must keep every rule that holds for a new milestone; its \
                 project stays the same.",
            ),
            (
                Standard::Delete,
                "Delete a milestone",
                "Leaves a tombstone. Repeating it is no error. One that is another's predecessor stays (409).",
            ),
        ],
    };
}

impl Collection for Model {
    type Filter = MilestoneFilter;

    fn condition(filter: &MilestoneFilter, caller: &Caller) -> Condition {
        filter.condition(caller)
    }
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

/// Change the state of a milestone
///
/// The only way to change `state`. Supervisors and managers accept and return, CDAs and managers do the rest;
/// national offices reopen accepted ones.
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
