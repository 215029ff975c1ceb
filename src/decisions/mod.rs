//! Decisions (مصوبه) of the national council, the provincial committees and the steering councils of
//! projects. Changes of state and other records name the decision behind them.

pub mod dto;
pub mod entity;
mod record;

use sea_orm::sea_query::Condition;

use self::{
    dto::{DecisionFilter, DecisionInput},
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
    type Input = DecisionInput;

    const WORDS: Words = Words {
        path: "/decisions",
        one: "decision",
        many: "decisions",
        a: "a decision",
        reads: "decisions:read",
        writes: "decisions:write",
        about: &[
            (
                Standard::List,
                "List decisions",
                "Those of the caller's province, and the national ones, which exist for everybody. `q` \
                 searches title, text and meeting.",
            ),
            (
                Standard::Create,
                "Record a decision",
                "A decision of the national council has no province, and national offices keep it; one of a \
                 committee or a steering council needs its province.",
            ),
            (
                Standard::Delete,
                "Delete a decision",
                "Leaves a tombstone. Repeating it is no error. One that a change of state or another live \
                 record refers to stays (409).",
            ),
        ],
    };
}

impl Collection for Model {
    type Filter = DecisionFilter;

    fn condition(filter: &DecisionFilter, _: &Caller) -> Condition {
        filter.condition()
    }
}
