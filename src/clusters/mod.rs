//! Industrial clusters: the model for all resources. Read this folder first; the others have the same
//! structure.
//!
//! A request involves three files: this one (routes and handlers), [`dto`] (input and representation, with
//! the rules between fields) and [`entity`] (the table and its queries). [`rules`] has the states,
//! [`identified`] the uncertain date, [`assessment`] challenges, opportunities and scores.

pub mod assessment;
pub mod claims;
pub mod current_project;
pub mod dto;
pub mod entity;
pub mod feasibility_studies;
pub mod identified;
pub mod lineage;
pub mod members;
pub mod networks;
mod record;
pub mod rules;
pub mod value_chain;

use sea_orm::sea_query::Condition;

use self::{
    dto::{ClusterFilter, ClusterInput},
    entity::Model,
};
use crate::{
    http::Routes,
    http::resource::{self, Collection, Resource, Standard, Words},
    policy::Caller,
};

/// Routes of this resource. `by-ref` comes before `{id}`, which would also match it.
pub fn routes(config: &mut Routes<'_>) {
    config
        .service(resource::collection::<Model>().with_past().with_states(&["clusters:write"]))
        .configure(claims::routes)
        .configure(lineage::routes)
        .configure(feasibility_studies::routes)
        .configure(value_chain::routes)
        .configure(networks::routes);
}

impl Resource for Model {
    type Input = ClusterInput;

    const WORDS: Words = Words {
        path: "/clusters",
        one: "cluster",
        many: "clusters",
        a: "a cluster",
        reads: "clusters:read",
        writes: "clusters:write",
        about: &[
            (
                Standard::List,
                "List clusters",
                "The clusters that exist for the caller, filtered, sorted and in pages.",
            ),
            (
                Standard::Create,
                "Register a cluster",
                "Only `province`, `name_fa` and `isic` are needed. It begins as a `candidate`; its state \
                 changes by transitions. Send an `Idempotency-Key` to be able to repeat the request safely.",
            ),
            (
                Standard::Get,
                "Read a cluster",
                "As it is, or with `as_of` and `known_at` as it was: in the state of that day, from what was \
                 known at that moment, also where it has been deleted since. What was cannot be changed: its \
                 `allowed_transitions` are empty, and nothing can be included.",
            ),
            (
                Standard::Delete,
                "Delete a cluster",
                "Leaves a tombstone: nothing is deleted for good, and the name becomes free. Repeating it is \
                 no error. A cluster that has projects, or to which other records refer, stays (409).",
            ),
            (
                Standard::Transition,
                "Change the state of a cluster",
                "The only way in which `state` changes. `effective_on` says since when it has been so; the \
                 service itself keeps when it learned of it. A transition to `identified` gives the \
                 identification date where none is known.",
            ),
            (
                Standard::History,
                "The history of a cluster",
                "Who changed what and when, from which value to which, oldest first. Each entry carries the \
                 hash of the one before it. A deleted cluster keeps its history.",
            ),
        ],
    };
}

impl Collection for Model {
    type Filter = ClusterFilter;

    fn condition(filter: &ClusterFilter, _: &Caller) -> Condition {
        filter.condition()
    }
}
