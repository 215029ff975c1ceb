//! Baselines (خط مبنا): the plan of a project as it was frozen. The first one ends planning; each later one,
//! a re-baseline, is the only way in which the frozen plan changes.

use macros::record;
use sea_orm::{QueryOrder, entity::prelude::*, sea_query::SimpleExpr};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{entity as milestones, rules::State};
use crate::{
    checks,
    http::{
        Routes,
        resource::{self, Part, Resource, Standard, Words},
    },
    lifecycle::{self, Need, State as _},
    persian::Date,
    problem::{Problem, Text, Violation, problem_types},
    projects::{entity as projects, phases::PhaseName, rules::State as ProjectState},
    provinces::ProvinceCode,
    store::{Fields, Input, Record, Transaction, decision, record::Unique, status_event::Event},
    values::{Amount, List},
};

/// The routes of this resource.
pub fn routes(config: &mut Routes<'_>) {
    config.service(resource::part::<Model>().only(&[Standard::List, Standard::Create, Standard::Get]));
}

/// A baseline of a project.
#[record(table = "baseline", shown = Baseline, input = BaselineInput, sort(), days(planned_start, due_on))]
#[input(
    about = "Input of a baseline. The first one needs nothing; a re-baseline needs `decision_id` and `reason`.",
    example = json!({ "frozen_on": "2015-04-04" })
)]
pub struct Model {
    /// The project.
    #[shown]
    pub project_id: Uuid,
    /// The code of its province, which is the project's.
    #[kept]
    pub province: ProvinceCode,
    /// 1 for the first one, one more for each re-baseline.
    #[shown]
    #[schema(minimum = 1, example = 1)]
    pub number: i32,
    /// Date from which it is in force: today by default, not in the future, and not before the former
    /// baseline.
    #[input(optional)]
    pub frozen_on: Date,
    /// The decision behind it.
    #[view(example = json!(null))]
    pub decision_id: Option<Uuid>,
    /// Reason for the baseline.
    #[view(example = json!(null))]
    #[input(min_length = 1, max_length = 2000, pattern = "\\S", example = "تأخیر در تأمین ماشین‌آلات")]
    pub reason: Option<String>,
    /// Changes of the plan; each milestone once. The weights total 10,000 afterwards.
    #[schema(example = json!([]))]
    #[input(default, max_items = 500)]
    pub changes: List<PlanChange>,
    /// The frozen milestones in the order of due days, without cancelled ones.
    #[shown]
    #[schema(example = json!([]))]
    pub milestones: List<FrozenMilestone>,
}

/// Change of a milestone by a baseline. Omitted fields stay as they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanChange {
    /// The milestone, of the same project.
    pub milestone_id: Uuid,
    /// New weight in basis points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 10_000, example = 600)]
    pub weight_bp: Option<i32>,
    /// New planned start of work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned_start: Option<Date>,
    /// New due day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "2014-06-21")]
    pub due_on: Option<Date>,
    /// Whether it is cancelled. An accepted one stays.
    #[serde(default)]
    #[schema(example = false)]
    pub cancelled: bool,
}

/// A milestone as a baseline has frozen it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FrozenMilestone {
    /// The milestone.
    milestone_id: Uuid,
    /// The phase that it belonged to.
    phase: PhaseName,
    /// Its title in Persian.
    #[schema(example = "مطالعهٔ شناختی خوشه")]
    title_fa: String,
    /// Weight in basis points.
    #[schema(minimum = 0, maximum = 10_000, example = 500)]
    weight_bp: i32,
    /// Planned start of work.
    #[schema(required)]
    planned_start: Option<Date>,
    /// The day by which it was to be reached.
    #[schema(example = "2014-06-21")]
    due_on: Date,
    /// Budget in whole rials.
    #[schema(required)]
    budget_irr: Option<Amount>,
}

impl From<&milestones::Model> for FrozenMilestone {
    fn from(row: &milestones::Model) -> Self {
        Self {
            milestone_id: row.id,
            phase: row.phase,
            title_fa: row.title_fa.clone(),
            weight_bp: row.weight_bp,
            planned_start: row.planned_start,
            due_on: row.due_on,
            budget_irr: row.budget_irr,
        }
    }
}

impl Record for Model {
    type Active = ActiveModel;
    type View = Self;

    const RESOURCE: &'static str = "baseline";
    const PATH_PARAMETER: &'static str = "baseline_id";
    const PARENT: Option<fn(Uuid) -> SimpleExpr> = Some(|project| Column::ProjectId.eq(project));
    const UNIQUE: &'static [Unique] = &[Unique {
        index: "baseline_number",
        columns: "baseline.project_id, baseline.number",
        pointer: "",
        code: "duplicate",
        fa: "این خط مبنا از پیش هست.",
        en: "This baseline is there already.",
    }];

    fn province(&self) -> Option<&str> {
        Some(&self.province)
    }

    fn address(&self) -> String {
        format!("projects/{}/baselines/{}", self.project_id, self.id)
    }

    fn affects_earned_value(&self, _: Option<&Self>) -> Option<Uuid> {
        Some(self.project_id)
    }

    /// Freezes the plan: changes the milestones, sets the baseline number on them, and stores them as they
    /// are then.
    async fn before_write(&mut self, _: Option<&Self>, transaction: &Transaction) -> Result<(), Problem> {
        for milestone in of_project(transaction, self.project_id).await? {
            transaction.lock_row::<milestones::Model>(milestone.id).await?;
        }
        let project: projects::Model = transaction.referred(self.project_id, "").await?;
        self.province = project.province.clone();
        let before = latest(transaction, self.project_id).await?;
        self.number = before.as_ref().map_or(1, |before| before.number + 1);
        let needed = if before.is_none() { ProjectState::Planning } else { ProjectState::Implementing };
        if project.state != needed {
            return Err(Problem::new(&problem_types::PROJECT_NOT_OPEN));
        }
        self.check_input(before.as_ref(), transaction).await?;
        for (index, change) in self.changes.0.iter().enumerate() {
            self.apply(change, transaction)
                .await
                .map_err(|problem| problem.below(&format!("/changes/{index}")))?;
        }
        let mut plan = of_project(transaction, self.project_id).await?;
        plan.retain(|milestone| milestone.state != State::Cancelled);
        check_total(plan.iter().map(|milestone| milestone.weight_bp).sum())?;
        for milestone in
            plan.iter().filter(|milestone| milestone.baseline_number.is_none() && before.is_none())
        {
            transaction
                .update(
                    milestone,
                    milestones::Model { baseline_number: Some(self.number), ..milestone.clone() },
                )
                .await?;
        }
        self.milestones = List(plan.iter().map(FrozenMilestone::from).collect());
        Ok(())
    }
}

impl Model {
    /// Not before the baseline before it; a re-baseline has a decision and a reason.
    async fn check_input(&self, before: Option<&Self>, transaction: &Transaction) -> Result<(), Problem> {
        let mut faults = Vec::new();
        if let Some(earlier) =
            before.map(|before| before.frozen_on).filter(|earlier| self.frozen_on < *earlier)
        {
            let detail = Text::new(
                format!("خط مبنای پیشین از {earlier} (میلادی) است."),
                format!("The baseline before it is of {earlier}."),
            );
            faults.push(Violation::body("/frozen_on", "too_early", detail));
        }
        if before.is_some() && self.decision_id.is_none() {
            faults.push(Need::DecisionId.violation());
        }
        if before.is_some() && self.reason.is_none() {
            faults.push(Need::Reason.violation());
        }
        faults.extend(decision::check(transaction, self.decision_id, Some(&self.province)).await?);
        checks::all_or_none(faults)
    }

    async fn apply(&self, change: &PlanChange, transaction: &Transaction) -> Result<(), Problem> {
        use milestones::{Column, Entity};
        let own = Entity::find_by_id(change.milestone_id)
            .filter(Column::ProjectId.eq(self.project_id))
            .filter(Column::DeletedAt.is_null());
        let found = own.one(&**transaction).await?;
        let fault =
            |code, fa, en| Problem::invalid(vec![Violation::body("/milestone_id", code, Text::new(fa, en))]);
        let Some(milestone) = found else {
            return Err(fault(
                "unknown_record",
                "چنین نقطهٔ عطفی در این پروژه نیست.",
                "The project has no such milestone.",
            ));
        };
        if matches!(milestone.state, State::Cancelled)
            || (change.cancelled && milestone.state == State::Accepted)
        {
            return Err(fault(
                "closed",
                "این نقطهٔ عطف پذیرفته یا لغو شده است.",
                "This milestone is accepted or cancelled.",
            ));
        }
        if change.cancelled {
            let (from, to, reason) = (milestone.state.name(), State::Cancelled.name(), self.reason.clone());
            let event =
                Event { from, to, effective_on: self.frozen_on, decision_id: self.decision_id, reason };
            return lifecycle::follow(transaction, &milestone, State::Cancelled, &event).await;
        }
        let planned_start = change.planned_start.or(milestone.planned_start);
        let due_on = change.due_on.unwrap_or(milestone.due_on);
        checks::all_or_none(checks::in_order(planned_start, Some(due_on), "/due_on").into_iter().collect())?;
        let changed = milestones::Model {
            weight_bp: change.weight_bp.unwrap_or(milestone.weight_bp),
            planned_start,
            due_on,
            baseline_number: Some(self.number),
            ..milestone.clone()
        };
        transaction.update(&milestone, changed).await.map(|_| ())
    }
}

fn check_total(total: i32) -> Result<(), Problem> {
    if total == 10_000 {
        return Ok(());
    }
    let detail = Text::new(
        format!("جمع وزن نقاط عطف {total} است، نه ۱۰٬۰۰۰."),
        format!("The weights of the milestones total {total}, not 10,000."),
    );
    Err(Problem::invalid(vec![Violation::body("/changes", "weights_not_whole", detail)]))
}

async fn of_project(transaction: &Transaction, project: Uuid) -> Result<Vec<milestones::Model>, DbErr> {
    use milestones::{Column, Entity};
    let rows = Entity::find().filter(Column::ProjectId.eq(project)).filter(Column::DeletedAt.is_null());
    rows.order_by_asc(Column::DueOn).order_by_asc(Column::Id).all(&**transaction).await
}

/// The newest baseline of a project.
pub async fn latest(transaction: &Transaction, project: Uuid) -> Result<Option<Model>, DbErr> {
    Entity::find()
        .filter(Column::ProjectId.eq(project))
        .order_by_desc(Column::Number)
        .one(&**transaction)
        .await
}

impl Input<Model> for BaselineInput {
    fn onto_row(mut self, row: &Model) -> Result<Model, Problem> {
        let mut faults = Vec::new();
        let frozen_on = *self.frozen_on.get_or_insert_with(Date::today_in_iran);
        faults.extend(checks::not_in_future(Some(frozen_on), "/frozen_on"));
        for (index, change) in self.changes.iter().enumerate() {
            if self.changes[..index].iter().any(|earlier| earlier.milestone_id == change.milestone_id) {
                let detail = Text::new("این نقطهٔ عطف دو بار آمده است.", "This milestone is given twice.");
                faults.push(Violation::body(
                    format!("/changes/{index}/milestone_id"),
                    "repeated_items",
                    detail,
                ));
            }
        }
        checks::all_or_none(faults)?;
        Ok(self.over(row))
    }
}

impl Resource for Model {
    type Input = BaselineInput;

    const WORDS: Words = Words {
        path: "/projects/{id}/baselines",
        one: "baseline",
        many: "baselines",
        a: "a baseline",
        reads: "projects:read",
        writes: "projects:write",
        about: &[
            (
                Standard::List,
                "List the baselines of a project",
                "Oldest first, unless sorted by `-id`. The last one is in force.",
            ),
            (
                Standard::Create,
                "Freeze a baseline",
                "Freezes the weights and days of the milestones, which total 10,000. The first baseline is \
                 frozen while the project is planning. A re-baseline, while it is implementing, needs \
                 `decision_id` and `reason`, and is the only way to change what is frozen, to give a weight \
                 to a milestone that was added since, and to cancel one. A baseline never changes.",
            ),
        ],
    };
}

impl Part for Model {
    type Whole = projects::Model;

    fn of(project: &projects::Model) -> Self {
        Self { project_id: project.id, ..Self::default() }
    }
}
