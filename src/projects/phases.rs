//! Phases (فاز) of a project, with planned and actual days.

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
        Routes, SortKey,
        page::Listed,
        resource::{self, Part, Resource, Standard, Words},
    },
    persian::Date,
    problem::{Problem, Text, Violation},
    store::{Input, Record, RecordInfo, SqlKind, Transaction, external_ref::ExternalRefs, record::Unique},
};

/// The routes of this resource.
pub fn routes(config: &mut Routes<'_>) {
    config.service(resource::part::<Model>());
}

crate::store::record_table! {
    /// A phase of a project.
    "phase" {
        /// The project.
        project_id: Uuid,
        /// The code of its province, which is the project's.
        province: String,
        /// Name of the phase.
        phase: PhaseName,
        /// Its first day as planned.
        planned_start: ChronoDate,
        /// Its last day as planned.
        planned_end: ChronoDate,
        /// Actual start.
        actual_start: Option<ChronoDate>,
        /// Actual end.
        actual_end: Option<ChronoDate>,
    }
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
    type View = Phase;

    const RESOURCE: &'static str = "phase";
    const DAYS: &'static [&'static str] = &["planned_start", "planned_end", "actual_start", "actual_end"];
    const PATH_PARAMETER: &'static str = "phase_id";
    const PARENT: Option<fn(Uuid) -> SimpleExpr> = Some(|project| Column::ProjectId.eq(project));
    const UNIQUE: &'static [Unique] = &[Unique {
        index: "phase_of_project",
        columns: "phase.project_id, phase.phase",
        violation: || {
            Violation::body(
                "/phase",
                "duplicate",
                Text::new("این فاز را پروژه از پیش دارد.", "The project has this phase already."),
            )
        },
    }];

    fn view(&self) -> Phase {
        Phase::from(self)
    }

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
    transaction.update(&before, Model { actual_start: Some(on.naive()), ..before.clone() }).await.map(|_| ())
}

impl Listed for Model {
    const SORT_KEYS: &'static [SortKey<Self>] =
        &[SortKey { name: "id", sql: "phase.id", kind: SqlKind::Uuid, value: |row| row.id.into() }];
}

/// A phase of a project.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Phase {
    #[serde(flatten)]
    info: RecordInfo,
    /// The project.
    project_id: Uuid,
    /// Name of the phase.
    phase: PhaseName,
    /// Its first day as planned.
    planned_start: Date,
    /// Its last day as planned.
    #[schema(example = "2014-09-22")]
    planned_end: Date,
    /// Actual start.
    #[schema(required)]
    actual_start: Option<Date>,
    /// Actual end.
    #[schema(required, example = json!(null))]
    actual_end: Option<Date>,
}

impl From<&Model> for Phase {
    fn from(row: &Model) -> Self {
        let input = PhaseInput::from(row);
        Self {
            info: row.into(),
            project_id: row.project_id,
            phase: input.phase,
            planned_start: input.planned_start,
            planned_end: input.planned_end,
            actual_start: input.actual_start,
            actual_end: input.actual_end,
        }
    }
}

/// Input of a phase.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "phase": "diagnostic", "planned_start": "2014-04-21", "planned_end": "2014-09-22", "actual_start": "2014-04-21" }))]
pub struct PhaseInput {
    /// Name of the phase; each once in a project.
    pub phase: PhaseName,
    /// Its first day as planned, within the contract.
    pub planned_start: Date,
    /// Its last day as planned, within the contract. The milestones of the phase lie within it.
    #[schema(example = "2014-09-22")]
    pub planned_end: Date,
    /// Actual start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual_start: Option<Date>,
    /// Actual end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "2014-10-02")]
    pub actual_end: Option<Date>,
    /// Identifiers of the phase in other systems.
    #[serde(default)]
    pub external_refs: ExternalRefs,
}

impl From<&Model> for PhaseInput {
    fn from(row: &Model) -> Self {
        let row = row.clone();
        Self {
            phase: row.phase,
            planned_start: row.planned_start.into(),
            planned_end: row.planned_end.into(),
            actual_start: row.actual_start.map(Date::from),
            actual_end: row.actual_end.map(Date::from),
            external_refs: row.external_refs,
        }
    }
}

impl Input<Model> for PhaseInput {
    fn external_refs(&mut self) -> &mut ExternalRefs {
        &mut self.external_refs
    }

    fn onto_row(self, row: &Model) -> Result<Model, Problem> {
        let [planned_start, planned_end] = [self.planned_start, self.planned_end].map(Date::naive);
        let [actual_start, actual_end] = [self.actual_start, self.actual_end].map(|day| day.map(Date::naive));
        let mut faults = Vec::new();
        faults.extend(dates::in_order(Some(planned_start), Some(planned_end), "/planned_end"));
        faults.extend(dates::in_order(actual_start, actual_end, "/actual_end"));
        if actual_end.is_some() && actual_start.is_none() {
            let detail =
                Text::new("فازی که پایان یافته آغازی داشته است.", "A phase that has ended has begun.");
            faults.push(Violation::body("/actual_start", "required", detail));
        }
        faults.extend(checks::not_in_future(actual_start, "/actual_start"));
        faults.extend(checks::not_in_future(actual_end, "/actual_end"));
        dates::all_or_none(faults)?;
        Ok(Model {
            phase: self.phase,
            planned_start,
            planned_end,
            actual_start,
            actual_end,
            external_refs: self.external_refs,
            ..row.clone()
        })
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
