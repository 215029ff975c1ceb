//! CDAs (cluster development agents): the natural persons who direct development projects.

pub mod dto;
pub mod entity;
mod record;
pub mod rules;

use sea_orm::sea_query::Condition;

use self::{
    dto::{CdaFilter, CdaInput},
    entity::Model,
};
use crate::{
    http::Routes,
    http::resource::{self, Collection, Resource, Standard, Words},
    policy::Caller,
};

/// The routes of this resource.
pub fn routes(config: &mut Routes<'_>) {
    config.service(resource::collection::<Model>().with_states(&["cdas:write"]));
}

impl Resource for Model {
    type Input = CdaInput;

    const WORDS: Words = Words {
        path: "/cdas",
        one: "cda",
        many: "cdas",
        a: "a CDA",
        reads: "cdas:read",
        writes: "cdas:write",
        about: &[
            (
                Standard::List,
                "List CDAs",
                "Personal data is masked for callers without the permission `personal-data:read`.",
            ),
            (
                Standard::Create,
                "Register a CDA",
                "Only `national_code`, `name_fa` and `province` are needed. The CDA begins as an `applicant`.",
            ),
            (
                Standard::Delete,
                "Delete a CDA",
                "Leaves a tombstone; the national code becomes free. Repeating it is no error. One with \
                 assignments or an account stays (409).",
            ),
            (
                Standard::Transition,
                "Change the state of a CDA",
                "The only way in which `state` changes. `suspended` and `revoked` need a `reason`.",
            ),
        ],
    };
}

impl Collection for Model {
    type Filter = CdaFilter;

    fn condition(filter: &CdaFilter, _: &Caller) -> Condition {
        filter.condition()
    }
}
