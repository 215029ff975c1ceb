//! Payments (پرداخت) from the budget lines of projects.

pub mod dto;
pub mod entity;
mod record;

use sea_orm::sea_query::Condition;

use self::{
    dto::{PaymentFilter, PaymentInput},
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
    type Input = PaymentInput;

    const WORDS: Words = Words {
        path: "/payments",
        one: "payment",
        many: "payments",
        a: "a payment",
        reads: "payments:read",
        writes: "payments:write",
        about: &[
            (Standard::List, "List payments", "Of all projects that exist for the caller."),
            (
                Standard::Create,
                "Record a payment",
                "A project takes payments from its contract until it is closed. What is paid on a budget line \
                 never exceeds its approved amount (409).",
            ),
            (
                Standard::Update,
                "Change a payment",
                "A JSON Merge Patch. The result must keep every rule that holds for a new payment; its \
                 project stays the same.",
            ),
        ],
    };
}

impl Collection for Model {
    type Filter = PaymentFilter;

    fn condition(filter: &PaymentFilter, _: &Caller) -> Condition {
        filter.condition()
    }
}
