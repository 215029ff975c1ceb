//! The record made of table and representations: scope, sort keys, search terms, rules between records.

use std::collections::HashMap;

use sea_orm::{entity::prelude::*, sea_query::Condition};

use super::{
    dto::{ProgressReport, ProgressReportFilter},
    entity::{ActiveModel, Column, Model},
    rules::{self, State},
};
use crate::{
    lifecycle::{self, Stateful, Step},
    persian::Date,
    policy::Caller,
    problem::Problem,
    projects::{self, belonging},
    provinces,
    store::{Include, Reading, Record, Transaction, record::Unique, search},
};

impl Record for Model {
    type Active = ActiveModel;
    type View = ProgressReport;

    const RESOURCE: &'static str = "progress_report";
    const DERIVED: &'static [&'static str] = &["allowed_transitions"];
    const INCLUDES: &'static [Include] = &[Include::new("project", "the project", "projects:read")];
    const REFERRED_BY: &'static [(&'static str, &'static str)] = &[("attachment", "subject_id")];
    const UNIQUE: &'static [Unique] = &[Unique {
        index: "progress_report_of_quarter",
        columns: "progress_report.project_id, progress_report.quarter",
        pointer: "/quarter",
        code: "duplicate",
        fa: "پروژه برای این فصل گزارش دیگری دارد.",
        en: "The project has another report for this quarter.",
    }];

    fn province(&self) -> Option<&str> {
        Some(&self.province)
    }

    fn address(&self) -> String {
        format!("progress-reports/{}", self.id)
    }

    fn terms(&self) -> Vec<(&'static str, String)> {
        let issues = self.issues.0.iter().flat_map(|issue| [Some(&issue.text), issue.action.as_ref()]);
        search::words([Some(&self.narrative_fa)].into_iter().chain(issues))
    }

    async fn views(rows: &[Self], reading: &Reading<'_>) -> Result<Vec<ProgressReport>, Problem> {
        let projects = rows.iter().map(|row| row.project_id);
        let projects = reading.included::<projects::entity::Model>("project", projects).await?;
        let mut allowed = lifecycle::allowed(&reading.db, rows).await?;
        let view = |row: &Self| {
            let mut view = row.view();
            view.allowed_transitions = allowed.remove(&row.id).unwrap_or_default();
            view.project = projects.get(&row.project_id).cloned();
            view
        };
        Ok(rows.iter().map(view).collect())
    }

    async fn before_write(
        &mut self,
        before: Option<&Self>,
        transaction: &Transaction,
    ) -> Result<(), Problem> {
        self.province = belonging::own_project(transaction, self.project_id).await?.province;
        match before {
            Some(before) if before.state == self.state => rules::check_open(self),
            _ => Ok(()),
        }
    }

    async fn before_delete(&self, transaction: &Transaction) -> Result<(), Problem> {
        belonging::own_project(transaction, self.project_id).await?;
        rules::check_draft(self)
    }
}

impl Stateful for Model {
    type State = State;
    type Facts = rules::Facts;

    const STEPS: &'static [Step<Self>] = rules::STEPS;

    fn state(&self) -> State {
        self.state
    }

    fn apply_state(&mut self, state: State, on: Date) {
        self.state = state;
        match state {
            State::Submitted => self.submitted_on = Some(on),
            State::NationallyAccepted => self.accepted_on = Some(on),
            State::Returned => self.submitted_on = None,
            _ => {}
        }
    }

    async fn facts(
        _: &impl ConnectionTrait,
        rows: &[Self],
        on: Date,
    ) -> Result<HashMap<Uuid, rules::Facts>, Problem> {
        Ok(rules::facts(rows, on))
    }

    async fn lock_related(&self, transaction: &Transaction) -> Result<(), Problem> {
        belonging::own_project(transaction, self.project_id).await.map(|_| ())
    }
}

impl ProgressReportFilter {
    /// Condition for the matching rows, for a caller.
    pub fn condition(&self, caller: &Caller) -> Condition {
        Condition::all()
            .add_option(self.project_id.map(|id| Column::ProjectId.eq(id)))
            .add_option(self.state.as_ref().map(|states| Column::State.is_in(states.iter().copied())))
            .add_option(self.province.as_ref().map(|list| Column::Province.is_in(provinces::codes(list))))
            .add_option(
                self.quarter
                    .as_ref()
                    .map(|quarters| Column::Quarter.is_in(quarters.iter().map(|quarter| quarter.0))),
            )
            .add_option(
                self.mine
                    .filter(|mine| *mine)
                    .map(|_| projects::entity::assigned_to(caller, Column::ProjectId)),
            )
    }
}
