//! Assignments (انتصاب) of CDAs to projects: role and duration.

use macros::record;
use sea_orm::{
    EnumIter,
    entity::prelude::*,
    sea_query::{Condition, SimpleExpr},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{dates, entity as projects, independence};
use crate::{
    cdas,
    http::{
        Routes,
        resource::{self, Part, Resource, Standard, Words},
    },
    persian::Date,
    problem::{Problem, Text, Violation, problem_types},
    provinces,
    store::{Fields, Input, Record, Transaction},
    values::ProvinceCode,
};

/// The routes of this resource.
pub fn routes(config: &mut Routes<'_>) {
    config.service(resource::part::<Model>());
}

/// An assignment of a CDA to a project.
#[record(table = "assignment", shown = Assignment, input = AssignmentInput, sort())]
#[input(about = "Input of an assignment. `cda_id`, `role` and `valid_from` are required.")]
pub struct Model {
    /// The project.
    #[shown]
    pub project_id: Uuid,
    /// The code of its province, which is the project's.
    #[kept]
    pub province: ProvinceCode,
    /// The CDA, of the same province as the project.
    pub cda_id: Uuid,
    /// Role of the CDA. A project has one `lead` at a time.
    pub role: Role,
    /// The first day.
    pub valid_from: Date,
    /// The last day; none while there is no end.
    #[view(example = json!(null))]
    #[input(example = "2017-03-20")]
    pub valid_to: Option<Date>,
    /// The number of the contract.
    #[schema(example = "1393/112-1")]
    #[input(min_length = 1, max_length = 100, pattern = "\\S", format = "name")]
    pub contract_no: Option<String>,
    /// Reason for the end.
    #[view(example = json!(null))]
    #[input(min_length = 1, max_length = 2000, pattern = "\\S", example = "پایان قرارداد")]
    pub end_reason: Option<String>,
}

/// Roles of a CDA in a project.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = AssignmentRole)]
pub enum Role {
    /// Directs the project. A project has one at a time.
    #[default]
    Lead,
    /// Assists the lead.
    Assistant,
}

impl Record for Model {
    type Active = ActiveModel;
    type View = Self;

    const RESOURCE: &'static str = "assignment";
    const PATH_PARAMETER: &'static str = "assignment_id";
    const PARENT: Option<fn(Uuid) -> SimpleExpr> = Some(|project| Column::ProjectId.eq(project));

    fn province(&self) -> Option<&str> {
        Some(&self.province)
    }

    fn address(&self) -> String {
        format!("projects/{}/assignments/{}", self.project_id, self.id)
    }

    /// Checks that there is one lead at a time (rule 1 of `domain.md`), and that the CDA is of the project's
    /// own province. A lock on the project serializes writers.
    async fn before_write(
        &mut self,
        before: Option<&Self>,
        transaction: &Transaction,
    ) -> Result<(), Problem> {
        let project: projects::Model = transaction.referred(self.project_id, "").await?;
        self.province = project.province.clone();
        if before.is_none_or(|before| self.is_more_than(before)) {
            let cda: cdas::entity::Model = transaction.referred(self.cda_id, "/cda_id").await?;
            provinces::check_same(&self.province, Some(&cda.province), "/cda_id")?;
            independence::check_cda(transaction, self.project_id, &cda.name_fa, "/cda_id").await?;
            self.check_certified(&cda, &project)?;
        }
        if self.role != Role::Lead {
            return Ok(());
        }
        let overlapping = Entity::find()
            .filter(Column::ProjectId.eq(self.project_id))
            .filter(Column::Id.ne(self.id))
            .filter(Column::DeletedAt.is_null())
            .filter(Column::Role.eq(Role::Lead))
            .filter(Condition::any().add(Column::ValidTo.is_null()).add(Column::ValidTo.gte(self.valid_from)))
            .filter(Condition::all().add_option(self.valid_to.map(|end| Column::ValidFrom.lte(end))));
        match overlapping.one(&**transaction).await? {
            None => Ok(()),
            Some(other) => {
                let from = other.valid_from;
                let detail = Text::new(
                    format!("در این مدت عامل توسعهٔ اصلی دیگری هست (از {from} میلادی)."),
                    format!("In that time there is another lead CDA (from {from})."),
                );
                Err(Problem::new(&problem_types::LEAD_ASSIGNED).violation(Violation::body(
                    "/valid_from",
                    "overlap",
                    detail,
                )))
            }
        }
    }
}

impl Model {
    /// Whether it grants more than before: another CDA, another role, or more days.
    fn is_more_than(&self, before: &Self) -> bool {
        let is_longer = before.valid_to.is_some_and(|end| self.valid_to.is_none_or(|later| later > end));
        self.cda_id != before.cda_id
            || self.role != before.role
            || self.valid_from < before.valid_from
            || is_longer
    }

    /// Checks that a lead is certified for the whole assignment (rule 1 of `domain.md`); one without an end
    /// lasts as long as the contract.
    fn check_certified(&self, cda: &cdas::entity::Model, project: &projects::Model) -> Result<(), Problem> {
        let last = self.valid_to.or(project.contract_end);
        let is_certified =
            cda.state == cdas::rules::State::Certified && cda.is_certified_from(self.valid_from, last);
        if self.role != Role::Lead || is_certified {
            return Ok(());
        }
        let detail = Text::new(
            "گواهی این عامل توسعه همهٔ مدت انتصاب را در بر نمی‌گیرد.",
            "The certificates of this CDA do not cover the assignment.",
        );
        Err(Problem::new(&problem_types::CDA_NOT_CERTIFIED).violation(Violation::body(
            "/cda_id",
            "not_certified",
            detail,
        )))
    }
}

impl Input<Model> for AssignmentInput {
    fn onto_row(self, row: &Model) -> Result<Model, Problem> {
        let faults = dates::in_order(Some(self.valid_from), self.valid_to, "/valid_to");
        dates::all_or_none(faults.into_iter().collect())?;
        Ok(self.over(row))
    }
}

impl Resource for Model {
    type Input = AssignmentInput;

    const WORDS: Words = Words {
        path: "/projects/{id}/assignments",
        one: "assignment",
        many: "assignments",
        a: "an assignment",
        reads: "projects:read",
        writes: "projects:write",
        about: &[
            (Standard::List, "List the assignments of a project", "Oldest first, unless sorted by `-id`."),
            (
                Standard::Create,
                "Assign a CDA to a project",
                "One lead at a time: a second one whose days overlap is refused (409).",
            ),
            (Standard::Update, "Change an assignment", ""),
        ],
    };
}

impl Part for Model {
    type Whole = projects::Model;

    fn of(project: &projects::Model) -> Self {
        Self { project_id: project.id, ..Self::default() }
    }
}
