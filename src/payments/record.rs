//! The record made of table and representations: scope, sort keys, search terms, rules between records.

use sea_orm::{entity::prelude::*, sea_query::Condition};

use super::{
    dto::{Payment, PaymentFilter},
    entity::{ActiveModel, Column, Model},
};
use crate::{
    milestones::entity as milestones,
    problem::Problem,
    projects::entity as projects,
    provinces,
    store::{Include, Reading, Record, Transaction, search},
};

impl Record for Model {
    type Active = ActiveModel;
    type View = Payment;

    const RESOURCE: &'static str = "payment";
    const REFERRED_BY: &'static [(&'static str, &'static str)] = &[("attachment", "subject_id")];
    const INCLUDES: &'static [Include] = &[
        Include::new("project", "the project", "projects:read"),
        Include::new("milestone", "the milestone that it is paid for", "milestones:read"),
    ];

    fn province(&self) -> Option<&str> {
        Some(&self.province)
    }

    fn address(&self) -> String {
        format!("payments/{}", self.id)
    }

    fn terms(&self) -> Vec<(&'static str, String)> {
        search::words([Some(&self.document_no), self.payee_fa.as_ref(), self.note.as_ref()])
    }

    async fn views(rows: &[Self], reading: &Reading<'_>) -> Result<Vec<Payment>, Problem> {
        let projects = rows.iter().map(|row| row.project_id);
        let projects = reading.included::<projects::Model>("project", projects).await?;
        let milestones = rows.iter().map(|row| row.milestone_id);
        let milestones = reading.included::<milestones::Model>("milestone", milestones).await?;
        let view = |row: &Self| {
            let mut view = row.view();
            view.project = projects.get(&row.project_id).cloned();
            view.milestone = row.milestone_id.and_then(|id| milestones.get(&id)).cloned();
            view
        };
        Ok(rows.iter().map(view).collect())
    }

    fn affects_earned_value(&self, _: Option<&Self>) -> Option<Uuid> {
        Some(self.project_id)
    }

    async fn before_write(&mut self, _: Option<&Self>, transaction: &Transaction) -> Result<(), Problem> {
        // The milestone before the project, in the same lock order as the deletion of milestones.
        self.check_milestone(transaction).await?;
        let project = self.open_project(transaction).await?;
        self.province = project.province.clone();
        self.check_budget(transaction, &project).await
    }

    async fn before_delete(&self, transaction: &Transaction) -> Result<(), Problem> {
        self.open_project(transaction).await?;
        Ok(())
    }
}

impl PaymentFilter {
    /// Condition for the matching rows.
    pub fn condition(&self) -> Condition {
        let reconciled =
            |is: bool| if is { Column::ReconciledOn.is_not_null() } else { Column::ReconciledOn.is_null() };
        Condition::all()
            .add_option(self.project_id.map(|id| Column::ProjectId.eq(id)))
            .add_option(self.line.as_ref().map(|lines| Column::Line.is_in(lines.iter().copied())))
            .add_option(self.province.as_ref().map(|list| Column::Province.is_in(provinces::codes(list))))
            .add_option(self.milestone_id.map(|id| Column::MilestoneId.eq(id)))
            .add_option(self.paid_from.map(|day| Column::PaidOn.gte(day.naive())))
            .add_option(self.paid_before.map(|day| Column::PaidOn.lt(day.naive())))
            .add_option(self.reconciled.map(reconciled))
    }
}
