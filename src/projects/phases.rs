//! Phases (فاز) of a project, with planned and actual days.

use macros::record;
use sea_orm::{EnumIter, entity::prelude::*, sea_query::SimpleExpr};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    dates::{self, Span},
    entity as projects,
};
use crate::{
    checks,
    http::{
        Routes,
        resource::{self, Part, Resource, Standard, Words},
    },
    persian::Date,
    problem::{Problem, Text, Violation},
    store::{Fields, Input, Record, Transaction, record::Unique},
    values::ProvinceCode,
};

/// The routes of this resource.
pub fn routes(config: &mut Routes<'_>) {
    config.service(resource::part::<Model>());
}

/// A phase of a project.
#[record(table = "phase", shown = Phase, input = PhaseInput, sort())]
#[input(
    about = "Input of a phase.",
    example = json!({ "phase": "diagnostic", "planned_start": "2014-04-21", "planned_end": "2014-09-22", "actual_start": "2014-04-21" })
)]
pub struct Model {
    /// The project.
    #[shown]
    pub project_id: Uuid,
    /// The code of its province, which is the project's.
    #[kept]
    pub province: ProvinceCode,
    /// Name of the phase; each once in a project.
    pub phase: PhaseName,
    /// Its first day as planned, within the contract.
    pub planned_start: Date,
    /// Its last day as planned, within the contract. The milestones of the phase lie within it.
    #[schema(example = "2014-09-22")]
    pub planned_end: Date,
    /// Actual start.
    pub actual_start: Option<Date>,
    /// Actual end.
    #[view(example = json!(null))]
    #[input(example = "2014-10-02")]
    pub actual_end: Option<Date>,
}

/// The phases of a project, in order. Trust building runs in parallel to the others.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = PhaseName)]
pub enum PhaseName {
    /// The diagnostic study.
    #[default]
    Diagnostic,
    /// Building trust and the capacity to cooperate.
    TrustBuilding,
    /// Making the action plan.
    ActionPlan,
    /// Carrying it out.
    Implementation,
    /// Evaluation of the results.
    Evaluation,
    /// Handing over.
    Handover,
}

impl Record for Model {
    type Active = ActiveModel;
    type View = Self;

    const RESOURCE: &'static str = "phase";
    const PATH_PARAMETER: &'static str = "phase_id";
    const PARENT: Option<fn(Uuid) -> SimpleExpr> = Some(|project| Column::ProjectId.eq(project));
    const UNIQUE: &'static [Unique] = &[Unique {
        index: "phase_of_project",
        columns: "phase.project_id, phase.phase",
        pointer: "/phase",
        code: "duplicate",
        fa: "این فاز را پروژه از پیش دارد.",
        en: "The project has this phase already.",
    }];

    fn province(&self) -> Option<&str> {
        Some(&self.province)
    }

    fn address(&self) -> String {
        format!("projects/{}/phases/{}", self.project_id, self.id)
    }

    /// Checks that the phase is within the contract, and contains its milestones.
    async fn before_write(&mut self, _: Option<&Self>, transaction: &Transaction) -> Result<(), Problem> {
        let project: projects::Model = transaction.referred(self.project_id, "").await?;
        self.province = project.province.clone();
        let contract = Text::new("قرارداد", "the contract");
        let mut faults = project.contract().excludes(
            &[("/planned_start", Some(self.planned_start)), ("/planned_end", Some(self.planned_end))],
            &contract,
        );
        let own = Span { from: Some(self.planned_start), to: Some(self.planned_end) };
        let what = Text::new("یکی از نقاط عطف این فاز", "A milestone of the phase");
        let milestones = Span::of_rows(
            transaction,
            "milestone",
            ["planned_start", "due_on"],
            self.project_id,
            Some(self.phase.to_value()),
        )
        .await?;
        faults.extend(own.leaves_out(milestones, ["/planned_start", "/planned_end"], &what));
        dates::all_or_none(faults)
    }
}

/// Starts trust building together with the diagnostic study, if it is planned and has not started.
pub async fn open_trust_building(transaction: &Transaction, project: Uuid, on: Date) -> Result<(), Problem> {
    let phase = Entity::find()
        .filter(Column::ProjectId.eq(project))
        .filter(Column::Phase.eq(PhaseName::TrustBuilding))
        .filter(Column::DeletedAt.is_null())
        .filter(Column::ActualStart.is_null());
    let Some(before) = phase.one(&**transaction).await? else { return Ok(()) };
    transaction.update(&before, Model { actual_start: Some(on), ..before.clone() }).await.map(|_| ())
}

impl Input<Model> for PhaseInput {
    fn onto_row(self, row: &Model) -> Result<Model, Problem> {
        let mut faults = Vec::new();
        faults.extend(dates::in_order(Some(self.planned_start), Some(self.planned_end), "/planned_end"));
        faults.extend(dates::in_order(self.actual_start, self.actual_end, "/actual_end"));
        if self.actual_end.is_some() && self.actual_start.is_none() {
            let detail =
                Text::new("فازی که پایان یافته آغازی داشته است.", "A phase that has ended has begun.");
            faults.push(Violation::body("/actual_start", "required", detail));
        }
        faults.extend(checks::not_in_future(self.actual_start, "/actual_start"));
        faults.extend(checks::not_in_future(self.actual_end, "/actual_end"));
        dates::all_or_none(faults)?;
        Ok(self.over(row))
    }
}

impl Resource for Model {
    type Input = PhaseInput;

    const WORDS: Words = Words {
        path: "/projects/{id}/phases",
        one: "phase",
        many: "phases",
        a: "a phase",
        reads: "projects:read",
        writes: "projects:write",
        about: &[
            (Standard::List, "List the phases of a project", "Oldest first, unless sorted by `-id`."),
            (Standard::Create, "Add a phase to a project", ""),
            (Standard::Update, "Change a phase", ""),
        ],
    };
}

impl Part for Model {
    type Whole = projects::Model;

    fn of(project: &projects::Model) -> Self {
        Self { project_id: project.id, ..Self::default() }
    }
}
