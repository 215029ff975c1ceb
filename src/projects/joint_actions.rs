//! Joint actions (اقدام مشترک) of enterprises of a cluster in a project, with their cost.

use sea_orm::{FromJsonQueryResult, entity::prelude::*, sea_query::SimpleExpr};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{entity as projects, pillar::Pillar};
use crate::{
    checks,
    clusters::members::{self, Of},
    http::{
        Routes, SortKey,
        page::Listed,
        resource::{self, Part, Resource, Standard, Words},
    },
    persian::Date,
    problem::Problem,
    store::{Input, Record, RecordInfo, SqlKind, Transaction, external_ref::ExternalRefs},
    values::Amount,
};

/// The routes of this resource.
pub fn routes(config: &mut Routes<'_>) {
    config.service(resource::part::<Model>());
}

crate::store::record_table! {
    /// A joint action.
    "joint_action" {
        /// The project.
        project_id: Uuid,
        /// The code of its province, which is the project's.
        province: String,
        /// Its Persian title as given.
        title_fa: String,
        /// Its English title.
        title_en: Option<String>,
        /// The pillar of the programme that it serves.
        pillar: Option<Pillar>,
        /// The enterprises that take part.
        participants: Participants,
        /// Start date.
        started_on: Option<ChronoDate>,
        /// End date.
        ended_on: Option<ChronoDate>,
        /// Cost in rials.
        cost_irr: Option<i64>,
        /// Private share of the cost, in basis points.
        private_share_bp: Option<i32>,
        /// Further description.
        description: Option<String>,
    }
}

/// Several enterprises in a column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Participants(pub Vec<Uuid>);

impl Record for Model {
    type Active = ActiveModel;
    type View = JointAction;

    const RESOURCE: &'static str = "joint_action";
    const DAYS: &'static [&'static str] = &["started_on", "ended_on"];
    const PATH_PARAMETER: &'static str = "joint_action_id";
    const PARENT: Option<fn(Uuid) -> SimpleExpr> = Some(|project| Column::ProjectId.eq(project));
    const REFERRED_BY: &'static [(&'static str, &'static str)] = &[("attachment", "subject_id")];

    fn view(&self) -> JointAction {
        JointAction::from(self)
    }

    fn province(&self) -> Option<&str> {
        Some(&self.province)
    }

    fn address(&self) -> String {
        format!("projects/{}/joint-actions/{}", self.project_id, self.id)
    }

    fn terms(&self) -> Vec<(&'static str, String)> {
        self.participants.0.iter().map(|participant| members::term(*participant)).collect()
    }

    /// The participants are enterprises of the province.
    async fn before_write(&mut self, _: Option<&Self>, transaction: &Transaction) -> Result<(), Problem> {
        self.province = transaction.referred::<projects::Model>(self.project_id, "").await?.province;
        checks::all_or_none(
            members::check(
                transaction,
                &self.participants.0,
                Of::Province(self.province.clone()),
                participant_at,
            )
            .await?,
        )
    }
}

fn participant_at(index: usize) -> String {
    format!("/participants/{index}")
}

impl Listed for Model {
    const SORT_KEYS: &'static [SortKey<Self>] =
        &[SortKey { name: "id", sql: "joint_action.id", kind: SqlKind::Uuid, value: |row| row.id.into() }];
}

/// A joint action of enterprises.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct JointAction {
    #[serde(flatten)]
    info: RecordInfo,
    /// The project.
    project_id: Uuid,
    /// The title in Persian, as given.
    #[schema(example = "غرفهٔ مشترک در نمایشگاه سنگ")]
    title_fa: String,
    /// The title in English.
    #[schema(required, example = "Joint stand at the stone fair")]
    title_en: Option<String>,
    /// The pillar of the programme that it serves.
    #[schema(required, example = "networking")]
    pillar: Option<Pillar>,
    /// The enterprises that take part.
    participants: Vec<Uuid>,
    /// Start date.
    #[schema(required)]
    started_on: Option<Date>,
    /// Actual or planned end date.
    #[schema(required, example = json!(null))]
    ended_on: Option<Date>,
    /// Cost in whole rials.
    #[schema(required)]
    cost_irr: Option<Amount>,
    /// Private share of the cost, in basis points (10,000 are the whole).
    #[schema(required, minimum = 0, maximum = 10_000, example = 6000)]
    private_share_bp: Option<i32>,
    /// Further description.
    #[schema(required, example = "هزینهٔ حمل را واحدها پرداختند")]
    description: Option<String>,
}

impl From<&Model> for JointAction {
    fn from(row: &Model) -> Self {
        let input = JointActionInput::from(row);
        Self {
            info: row.into(),
            project_id: row.project_id,
            title_fa: input.title_fa,
            title_en: input.title_en,
            pillar: input.pillar,
            participants: input.participants,
            started_on: input.started_on,
            ended_on: input.ended_on,
            cost_irr: input.cost_irr,
            private_share_bp: input.private_share_bp,
            description: input.description,
        }
    }
}

/// Input of a joint action. `title_fa` and `participants` are required.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JointActionInput {
    /// The title in Persian.
    #[schema(
        min_length = 1,
        max_length = 300,
        pattern = "[\\p{L}\\p{N}]",
        format = "name",
        example = "غرفهٔ مشترک در نمایشگاه سنگ"
    )]
    pub title_fa: String,
    /// The title in English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(
        min_length = 1,
        max_length = 300,
        pattern = "[\\p{L}\\p{N}]",
        format = "name",
        example = "Joint stand at the stone fair"
    )]
    pub title_en: Option<String>,
    /// The pillar of the programme that it serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "networking")]
    pub pillar: Option<Pillar>,
    /// The enterprises that take part, of the project's province; also of another cluster, or of none.
    #[schema(min_items = 2, max_items = 500, example = json!(["0193f0a0-0000-7000-8000-000000000000", "0193f0a0-0000-7000-8000-000000000001"]))]
    pub participants: Vec<Uuid>,
    /// Start date; not in the future.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "2015-05-22")]
    pub started_on: Option<Date>,
    /// Actual or planned end date; not before the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "2015-05-26")]
    pub ended_on: Option<Date>,
    /// Cost in whole rials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_irr: Option<Amount>,
    /// Private share of the cost, in basis points (10,000 are the whole).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 10_000, example = 6000)]
    pub private_share_bp: Option<i32>,
    /// Further description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 2000, pattern = "\\S", example = "هزینهٔ حمل را واحدها پرداختند")]
    pub description: Option<String>,
    /// Identifiers of the joint action in other systems.
    #[serde(default)]
    pub external_refs: ExternalRefs,
}

impl From<&Model> for JointActionInput {
    fn from(row: &Model) -> Self {
        let row = row.clone();
        Self {
            title_fa: row.title_fa,
            title_en: row.title_en,
            pillar: row.pillar,
            participants: row.participants.0,
            started_on: row.started_on.map(Date::from),
            ended_on: row.ended_on.map(Date::from),
            cost_irr: row.cost_irr.map(Amount),
            private_share_bp: row.private_share_bp,
            description: row.description,
            external_refs: row.external_refs,
        }
    }
}

impl Input<Model> for JointActionInput {
    fn external_refs(&mut self) -> &mut ExternalRefs {
        &mut self.external_refs
    }

    fn onto_row(self, row: &Model) -> Result<Model, Problem> {
        let [started_on, ended_on] = [self.started_on, self.ended_on].map(|day| day.map(Date::naive));
        let mut faults = checks::each_once(&self.participants, participant_at);
        faults.extend(checks::in_order(started_on, ended_on, "/ended_on"));
        faults.extend(checks::not_in_future(started_on, "/started_on"));
        checks::all_or_none(faults)?;
        Ok(Model {
            title_fa: self.title_fa,
            title_en: self.title_en,
            pillar: self.pillar,
            participants: Participants(self.participants),
            started_on,
            ended_on,
            cost_irr: self.cost_irr.map(|amount| amount.0),
            private_share_bp: self.private_share_bp,
            description: self.description,
            external_refs: self.external_refs,
            ..row.clone()
        })
    }
}

impl Resource for Model {
    type Input = JointActionInput;

    const WORDS: Words = Words {
        path: "/projects/{id}/joint-actions",
        one: "joint_action",
        many: "joint_actions",
        a: "a joint action",
        reads: "projects:read",
        writes: "projects:write",
        about: &[
            (Standard::List, "List the joint actions of a project", "Oldest first, unless sorted by `-id`."),
            (Standard::Create, "Add a joint action to a project", "Two enterprises at least take part."),
            (Standard::Update, "Change a joint action", ""),
        ],
    };
}

impl Part for Model {
    type Whole = projects::Model;

    fn of(project: &projects::Model) -> Self {
        Self { project_id: project.id, ..Self::default() }
    }
}
