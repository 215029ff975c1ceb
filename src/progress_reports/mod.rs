//! Quarterly progress reports (گزارش پیشرفت) of projects, and their reviews.

pub mod dto;
pub mod entity;
mod record;
pub mod rules;

use sea_orm::sea_query::Condition;

use self::{
    dto::{ProgressReportFilter, ProgressReportInput},
    entity::Model,
};
use crate::{
    http::Routes,
    http::resource::{self, Collection, Resource, Standard, Words},
    policy::Caller,
};

/// The routes of this resource.
pub fn routes(config: &mut Routes<'_>) {
    config.service(resource::collection::<Model>().with_states(&[
        "progress-reports:write",
        "progress-reports:review",
        "progress-reports:approve",
    ]));
}

impl Resource for Model {
    type Input = ProgressReportInput;

    const WORDS: Words = Words {
        path: "/progress-reports",
        one: "progress_report",
        many: "progress_reports",
        a: "a progress report",
        reads: "progress-reports:read",
        writes: "progress-reports:write",
        about: &[
            (
                Standard::List,
                "List progress reports",
                "Of all projects that exist for the caller. With `state=submitted&mine=true` a supervisor \
                 sees what waits for a review.",
            ),
            (
                Standard::Create,
                "Begin a progress report",
                "It begins as a `draft`. A project has one report for each quarter. CDAs write in the \
                 projects that are assigned to them.",
            ),
            (
                Standard::PutByReference,
                "Create or replace a progress report by another system's reference",
                "Creates the report that the other system calls so (201), or replaces it (200), which needs \
                 `If-Match`. A field that is left out is emptied; the reference itself is always kept.",
            ),
            (
                Standard::Update,
                "Change a progress report",
                "A JSON Merge Patch. Only a draft or a report that was returned changes (409 otherwise); its \
                 project stays the same.",
            ),
            (
                Standard::Delete,
                "Delete a progress report",
                "Leaves a tombstone. Repeating it is no error. Only a draft is deleted: what was submitted \
                 once stays (409).",
            ),
            (
                Standard::Transition,
                "Change the state of a progress report",
                "The only way in which `state` changes. It is submitted by who writes it, reviewed by the \
                 supervisor, approved by the province and accepted by the nation; each of these three may \
                 return it instead, with a `reason`. What is accepted is final: the actual values of its \
                 quarter stay as they are.",
            ),
        ],
    };
}

impl Collection for Model {
    type Filter = ProgressReportFilter;

    fn condition(filter: &ProgressReportFilter, caller: &Caller) -> Condition {
        filter.condition(caller)
    }
}
