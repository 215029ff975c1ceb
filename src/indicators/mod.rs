//! Indicators (شاخص) of the development of clusters, by benefit theme. National accounts manage the
//! catalogue; its initial content is `data/indicators.csv`.

pub mod dto;
pub mod entity;
pub mod record;

use sea_orm::sea_query::Condition;

use self::{
    dto::{IndicatorFilter, IndicatorInput},
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
    type Input = IndicatorInput;

    const WORDS: Words = Words {
        path: "/indicators",
        one: "indicator",
        many: "indicators",
        a: "an indicator",
        reads: "indicators:read",
        writes: "indicators:write",
        about: &[
            (Standard::List, "List indicators", "The catalogue of the nation, the same for everybody."),
            (Standard::Create, "Add an indicator", "National offices keep the catalogue."),
            (
                Standard::Update,
                "Change an indicator",
                "A JSON Merge Patch. The result must keep every rule that holds for a new indicator. One that \
                 has measurements keeps its frequency and at least as many decimals (409).",
            ),
            (
                Standard::Delete,
                "Delete an indicator",
                "Leaves a tombstone; its code becomes free. Repeating it is no error. One that has \
                 measurements stays (409): make it inactive instead.",
            ),
        ],
    };
}

impl Collection for Model {
    type Filter = IndicatorFilter;

    fn condition(filter: &IndicatorFilter, _: &Caller) -> Condition {
        filter.condition()
    }
}
