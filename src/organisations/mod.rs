//! Organisations: ministries, provincial companies, associations, banks, firms, and all others that have a
//! part in projects.

pub mod dto;
pub mod entity;
mod record;

use sea_orm::sea_query::Condition;

use self::{
    dto::{OrganisationFilter, OrganisationInput},
    entity::Model,
};
use crate::{
    http::Routes,
    http::resource::{self, Collection, Resource, Standard, Words},
    policy::Caller,
};

/// The routes of this resource.
pub fn routes(config: &mut Routes<'_>) {
    config.service(resource::collection::<Model>());
}

impl Resource for Model {
    type Input = OrganisationInput;

    const WORDS: Words = Words {
        path: "/organisations",
        one: "organisation",
        many: "organisations",
        a: "an organisation",
        reads: "organisations:read",
        writes: "organisations:write",
        about: &[
            (
                Standard::List,
                "List organisations",
                "Those of the caller's province, and the national ones, which exist for everybody.",
            ),
            (
                Standard::Create,
                "Register an organisation",
                "Only `kind` and `name_fa` are needed. One without a province is national: national offices \
                 keep it.",
            ),
            (
                Standard::Delete,
                "Delete an organisation",
                "Leaves a tombstone; its national id becomes free. Repeating it is no error. One that live \
                 records refer to stays (409).",
            ),
        ],
    };
}

impl Collection for Model {
    type Filter = OrganisationFilter;

    fn condition(filter: &OrganisationFilter, _: &Caller) -> Condition {
        filter.condition()
    }
}
