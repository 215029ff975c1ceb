//! Joint actions (اقدام مشترک) of enterprises of a cluster in a project, with their cost.

use macros::record;
use sea_orm::{entity::prelude::*, sea_query::SimpleExpr};

use super::{entity as projects, pillar::Pillar};
use crate::{
    checks,
    clusters::members::{self, Of},
    http::{
        Routes,
        resource::{self, Part, Resource, Standard, Words},
    },
    persian::Date,
    problem::Problem,
    store::{Fields, Input, Record, Transaction},
    values::{Amount, List, ProvinceCode},
};

/// The routes of this resource.
pub fn routes(config: &mut Routes<'_>) {
    config.service(resource::part::<Model>());
}

/// A joint action of enterprises.
#[record(table = "joint_action", shown = JointAction, input = JointActionInput, sort())]
#[input(about = "Input of a joint action. `title_fa` and `participants` are required.")]
pub struct Model {
    /// The project.
    #[shown]
    pub project_id: Uuid,
    /// The code of its province, which is the project's.
    #[kept]
    pub province: ProvinceCode,
    /// The title in Persian.
    #[schema(example = "غرفهٔ مشترک در نمایشگاه سنگ")]
    #[input(min_length = 1, max_length = 300, pattern = "[\\p{L}\\p{N}]", format = "name")]
    pub title_fa: String,
    /// The title in English.
    #[schema(example = "Joint stand at the stone fair")]
    #[input(min_length = 1, max_length = 300, pattern = "[\\p{L}\\p{N}]", format = "name")]
    pub title_en: Option<String>,
    /// The pillar of the programme that it serves.
    #[schema(example = "networking")]
    pub pillar: Option<Pillar>,
    /// The enterprises that take part, of the project's province; also of another cluster, or of none.
    #[input(min_items = 2, max_items = 500, example = json!(["0193f0a0-0000-7000-8000-000000000000", "0193f0a0-0000-7000-8000-000000000001"]))]
    pub participants: List<Uuid>,
    /// Start date; not in the future.
    #[input(example = "2015-05-22")]
    pub started_on: Option<Date>,
    /// Actual or planned end date; not before the start.
    #[view(example = json!(null))]
    #[input(example = "2015-05-26")]
    pub ended_on: Option<Date>,
    /// Cost in whole rials.
    pub cost_irr: Option<Amount>,
    /// Private share of the cost, in basis points (10,000 are the whole).
    #[schema(minimum = 0, maximum = 10_000, example = 6000)]
    pub private_share_bp: Option<i32>,
    /// Further description.
    #[schema(example = "هزینهٔ حمل را واحدها پرداختند")]
    #[input(min_length = 1, max_length = 2000, pattern = "\\S")]
    pub description: Option<String>,
}

impl Record for Model {
    type Active = ActiveModel;
    type View = Self;

    const RESOURCE: &'static str = "joint_action";
    const PATH_PARAMETER: &'static str = "joint_action_id";
    const PARENT: Option<fn(Uuid) -> SimpleExpr> = Some(|project| Column::ProjectId.eq(project));
    const REFERRED_BY: &'static [(&'static str, &'static str)] = &[("attachment", "subject_id")];

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
                Of::Province(self.province.0.clone()),
                participant_at,
            )
            .await?,
        )
    }
}

fn participant_at(index: usize) -> String {
    format!("/participants/{index}")
}

impl Input<Model> for JointActionInput {
    fn onto_row(self, row: &Model) -> Result<Model, Problem> {
        let mut faults = checks::each_once(&self.participants, participant_at);
        faults.extend(checks::in_order(self.started_on, self.ended_on, "/ended_on"));
        faults.extend(checks::not_in_future(self.started_on, "/started_on"));
        checks::all_or_none(faults)?;
        Ok(self.over(row))
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
