//! Measurements (اندازه‌گیری): the baseline, target and actual values of indicators for a project's cluster,
//! by periods.

pub mod dto;
pub mod entity;
mod record;

use sea_orm::sea_query::Condition;

use self::{
    dto::{MeasurementFilter, MeasurementInput},
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
    type Input = MeasurementInput;

    const WORDS: Words = Words {
        path: "/measurements",
        one: "measurement",
        many: "measurements",
        a: "a measurement",
        reads: "measurements:read",
        writes: "measurements:write",
        about: &[
            (Standard::List, "List measurements", "Of all projects that exist for the caller."),
            (
                Standard::Create,
                "Record a measurement",
                "A project has one value of an indicator for each kind and period. CDAs write in the projects \
                 that are assigned to them. Actual values of a quarter whose progress report is accepted \
                 nationally are locked (409): they are neither recorded nor changed nor deleted.",
            ),
            (
                Standard::Update,
                "Change a measurement",
                "A JSON Merge Patch. The result must keep every rule that holds for a new measurement; its \
                 project stays the same.",
            ),
        ],
    };
}

impl Collection for Model {
    type Filter = MeasurementFilter;

    fn condition(filter: &MeasurementFilter, _: &Caller) -> Condition {
        filter.condition()
    }
}
