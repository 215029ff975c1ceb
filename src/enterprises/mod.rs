//! Enterprises (واحد تولیدی): the register of production units, in clusters or not yet in one.

pub mod dto;
pub mod entity;
mod record;
pub mod size;

use sea_orm::sea_query::Condition;

use self::{
    dto::{EnterpriseFilter, EnterpriseInput},
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
    type Input = EnterpriseInput;

    const WORDS: Words = Words {
        path: "/enterprises",
        one: "enterprise",
        many: "enterprises",
        a: "an enterprise",
        reads: "enterprises:read",
        writes: "enterprises:write",
        about: &[
            (
                Standard::List,
                "List enterprises",
                "Those that exist for the caller, filtered, sorted and in pages. With `cluster_id` and \
                 `member_on`: who was in a cluster on a day.",
            ),
            (
                Standard::Create,
                "Register an enterprise",
                "Only `name_fa`, `province` and `isic` are needed. It may join a cluster later. `size` \
                 follows from `employment_total` where that is given.",
            ),
            (
                Standard::Delete,
                "Delete an enterprise",
                "Leaves a tombstone; the firm behind it becomes free. Repeating it is no error. One that a \
                 value chain, a network or a joint action names stays (409).",
            ),
        ],
    };
}

impl Collection for Model {
    type Filter = EnterpriseFilter;

    fn condition(filter: &EnterpriseFilter, _: &Caller) -> Condition {
        filter.condition()
    }
}
