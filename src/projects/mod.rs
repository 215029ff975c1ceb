//! Cluster development projects, with their assignments, supervisions, partners, phases and joint actions.

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
mod record;
pub mod rules;
pub mod supervisions;

use sea_orm::sea_query::Condition;

use self::{
    dto::{ProjectFilter, ProjectInput},
    entity::Model,
};
use crate::{
    http::Routes,
    http::resource::{self, Collection, Resource, Standard, Words},
    policy::Caller,
};

/// The routes of this resource.
pub fn routes(config: &mut Routes<'_>) {
    config
        .service(resource::collection::<Model>().with_past().with_states(&["projects:write"]))
        .configure(assignments::routes)
        .configure(supervisions::routes)
        .configure(partners::routes)
        .configure(phases::routes)
        .configure(joint_actions::routes);
}

impl Resource for Model {
    type Input = ProjectInput;

    const WORDS: Words = Words {
        path: "/projects",
        one: "project",
        many: "projects",
        a: "a project",
        reads: "projects:read",
        writes: "projects:write",
        about: &[
            (
                Standard::List,
                "List projects",
                "Each with its progress, its overdue milestones, its next one and its lead CDA as they are \
                 today.",
            ),
            (
                Standard::Create,
                "Register a project",
                "It begins as a `draft`. Its province is that of its cluster, in which no other project may \
                 be live.",
            ),
            (
                Standard::Get,
                "Read a project",
                "As it is, or with `as_of` and `known_at` as it was: in the state of that day, from what was \
                 known at that moment, also where it has been deleted since. What was cannot be changed: its \
                 `allowed_transitions` are empty, and nothing can be included.",
            ),
            (
                Standard::Delete,
                "Delete a project",
                "Leaves a tombstone. Repeating it is no error. A project that has anything, such as \
                 milestones, assignments or payments, stays (409): it is terminated, not deleted.",
            ),
            (
                Standard::Transition,
                "Change the state of a project",
                "The only way in which `state` changes. A suspended project goes back to the state that it \
                 was suspended from. `suspended` and `terminated` need a `reason`.",
            ),
        ],
    };
}

impl Collection for Model {
    type Filter = ProjectFilter;

    fn condition(filter: &ProjectFilter, caller: &Caller) -> Condition {
        filter.condition(caller)
    }
}
