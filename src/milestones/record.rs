//! The record made of table and representations: scope, sort keys, search terms, rules between records.

use std::collections::HashMap;

use sea_orm::{entity::prelude::*, sea_query::Condition};

use super::{
    dto::{Milestone, MilestoneFilter},
    entity::{ActiveModel, Column, Model, Overdue},
    rules::{self, State},
};
use crate::{
    lifecycle::{self, Stateful, Step},
    persian::Date,
    policy::Caller,
    problem::Problem,
    projects::{self},
    provinces,
    store::{
        Include, Past, Reading, Record, Retrospective, Transaction,
        point_in_time::{self, Fields},
        search,
    },
};

impl Record for Model {
    type Active = ActiveModel;
    type View = Milestone;

    const RESOURCE: &'static str = "milestone";
    const DERIVED: &'static [&'static str] = &["allowed_transitions"];
    const INCLUDES: &'static [Include] = &[Include::new("project", "the project", "projects:read")];
    const REFERRED_BY: &'static [(&'static str, &'static str)] =
        &[("payment", "milestone_id"), ("attachment", "subject_id")];

    fn province(&self) -> Option<&str> {
        Some(&self.province)
    }

    fn address(&self) -> String {
        format!("milestones/{}", self.id)
    }

    fn terms(&self) -> Vec<(&'static str, String)> {
        search::words([Some(&self.title_fa), self.title_en.as_ref()])
    }

    async fn views(rows: &[Self], reading: &Reading<'_>) -> Result<Vec<Milestone>, Problem> {
        let projects = rows.iter().map(|row| row.project_id);
        let projects = reading.included::<projects::entity::Model>("project", projects).await?;
        let mut allowed = lifecycle::allowed(&reading.db, rows).await?;
        let today = Date::today_in_iran();
        let view = |row: &Self| {
            let mut view = row.view();
            view.allowed_transitions = allowed.remove(&row.id).unwrap_or_default();
            view.is_overdue = Some(row.is_overdue(today));
            view.project = projects.get(&row.project_id).cloned();
            view
        };
        Ok(rows.iter().map(view).collect())
    }

    fn affects_earned_value(&self, before: Option<&Self>) -> Option<Uuid> {
        before.filter(|before| [before.state, self.state].contains(&State::Accepted)).map(|_| self.project_id)
    }

    async fn before_write(
        &mut self,
        before: Option<&Self>,
        transaction: &Transaction,
    ) -> Result<(), Problem> {
        let project = projects::belonging::own_project(transaction, self.project_id).await?;
        self.province = project.province.clone();
        if before.is_some_and(|before| before.state != self.state) {
            return rules::check_reviewer(transaction, self).await;
        }
        projects::rules::check_open(&project)?;
        rules::check_frozen(transaction, before, self).await?;
        rules::check_dates(transaction, &project, self).await?;
        rules::check_predecessors(transaction, self).await
    }

    async fn before_delete(&self, transaction: &Transaction) -> Result<(), Problem> {
        projects::rules::check_open(&projects::belonging::own_project(transaction, self.project_id).await?)?;
        rules::check_not_planned(self)?;
        rules::check_no_successor(transaction, self).await
    }
}

impl Stateful for Model {
    type State = State;
    type Facts = rules::Facts;

    const STEPS: &'static [Step<Self>] = rules::STEPS;

    fn state(&self) -> State {
        self.state
    }

    /// Acceptance is complete by default; the transition may set a fraction.
    fn apply_state(&mut self, state: State, on: Date) {
        let is_accepted = state == State::Accepted;
        self.state = state;
        self.accepted_on = is_accepted.then_some(on);
        self.accepted_fraction_bp = if is_accepted { 10_000 } else { 0 };
    }

    async fn facts(
        db: &impl ConnectionTrait,
        rows: &[Self],
        on: Date,
    ) -> Result<HashMap<Uuid, rules::Facts>, Problem> {
        rules::facts(db, rows, on).await
    }

    async fn lock_related(&self, transaction: &Transaction) -> Result<(), Problem> {
        projects::belonging::own_project(transaction, self.project_id).await.map(|_| ())
    }
}

impl Retrospective for Model {
    const STATE_FIELDS: &'static [&'static str] = &["state", "accepted_on", "accepted_fraction_bp"];
    type Derived = Overdue;

    /// Sets weight and days from the baseline in force.
    async fn adjust(&self, db: &impl ConnectionTrait, past: Past, fields: &mut Fields) -> Result<(), DbErr> {
        projects::plan::then(db, self.project_id, past).await?.apply(self.id, fields);
        Ok(())
    }

    async fn derived(&self, _: &impl ConnectionTrait, past: Past, fields: &Fields) -> Result<Overdue, DbErr> {
        let is_open = !["accepted", "cancelled"].contains(&point_in_time::text(fields, "state").as_str());
        Ok(Overdue {
            is_overdue: is_open
                && point_in_time::day(fields, "due_on").is_some_and(|due| due < past.as_of.naive()),
        })
    }
}

impl MilestoneFilter {
    /// Condition for the matching rows, for a caller.
    pub fn condition(&self, caller: &Caller) -> Condition {
        let today = Date::today_in_iran();
        let overdue = |wanted: bool| {
            let open = Column::State.is_not_in([State::Accepted, State::Cancelled]);
            let late = Condition::all().add(Column::DueOn.lt(today.naive())).add(open);
            if wanted { late } else { late.not() }
        };
        Condition::all()
            .add_option(self.project_id.map(|id| Column::ProjectId.eq(id)))
            .add_option(self.state.as_ref().map(|states| Column::State.is_in(states.iter().copied())))
            .add_option(self.province.as_ref().map(|list| Column::Province.is_in(provinces::codes(list))))
            .add_option(self.phase.as_ref().map(|phases| Column::Phase.is_in(phases.iter().copied())))
            .add_option(self.pillar.as_ref().map(|pillars| Column::Pillar.is_in(pillars.iter().copied())))
            .add_option(self.due_from.map(|day| Column::DueOn.gte(day.naive())))
            .add_option(self.due_before.map(|day| Column::DueOn.lt(day.naive())))
            .add_option(self.due_in.map(|period| {
                Column::DueOn
                    .between(today.start_of(period.into()).naive(), today.end_of(period.into()).naive())
            }))
            .add_option(self.overdue.map(overdue))
            .add_option(
                self.mine
                    .filter(|mine| *mine)
                    .map(|_| projects::entity::assigned_to(caller, Column::ProjectId)),
            )
    }
}
