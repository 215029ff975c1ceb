//! The record made of table and representations: scope, sort keys, search terms, rules between records.

use sea_orm::{entity::prelude::*, sea_query::Condition};

use super::{
    dto::DecisionFilter,
    entity::{ActiveModel, Column, Model},
};
use crate::{
    clusters,
    problem::{Problem, Text, problem_types},
    projects, provinces,
    store::{Record, Transaction, search},
};

impl Record for Model {
    type Active = ActiveModel;
    type View = Self;

    const RESOURCE: &'static str = "decision";
    const NATIONAL_FOR_ALL: bool = true;
    const REFERRED_BY: &'static [(&'static str, &'static str)] = &[
        ("feasibility_study", "decision_id"),
        ("lineage_entry", "decision_id"),
        ("baseline", "decision_id"),
        ("attachment", "decision_id"),
        ("attachment", "subject_id"),
    ];

    fn province(&self) -> Option<&str> {
        self.province.as_deref()
    }

    fn address(&self) -> String {
        format!("decisions/{}", self.id)
    }

    fn terms(&self) -> Vec<(&'static str, String)> {
        search::words([Some(&self.title_fa), self.text_fa.as_ref(), self.meeting_no.as_ref()])
    }

    /// Validates that a provincial decision concerns its own province, and is referred to only from there;
    /// one with attachments keeps its province and project.
    async fn before_write(
        &mut self,
        before: Option<&Self>,
        transaction: &Transaction,
    ) -> Result<(), Problem> {
        if before
            .is_some_and(|before| (&before.province, before.project_id) != (&self.province, self.project_id))
        {
            transaction.lock::<Self>(self.id).await?;
            if transaction.is_referred("attachment", "subject_id", self.id).await? {
                let detail = Text::new(
                    "به این مصوبه سندی پیوست است؛ استان و پروژهٔ آن تغییر نمی‌کند.",
                    "A document is attached to this decision: its province and its project stay.",
                );
                return Err(Problem::new(&problem_types::MOVED_AWAY).detail(detail));
            }
        }
        if before.is_some_and(|before| before.province != self.province) && self.province.is_some() {
            transaction.check_users(self).await?;
            if self.has_changed_states(transaction).await? {
                return Err(Problem::new(&problem_types::MOVED_AWAY));
            }
        }
        let own = self.province.as_deref();
        if let Some(id) = self.cluster_id {
            let cluster: clusters::entity::Model = transaction.referred(id, "/cluster_id").await?;
            own.map_or(Ok(()), |own| provinces::check_same(own, Some(&cluster.province), "/cluster_id"))?;
        }
        if let Some(id) = self.project_id {
            let project: projects::entity::Model = transaction.referred(id, "/project_id").await?;
            own.map_or(Ok(()), |own| provinces::check_same(own, Some(&project.province), "/project_id"))?;
        }
        Ok(())
    }

    async fn before_delete(&self, transaction: &Transaction) -> Result<(), Problem> {
        if self.has_changed_states(transaction).await? {
            return Err(
                Problem::new(&problem_types::STILL_REFERRED_TO).member("referred_by", vec!["status_event"])
            );
        }
        Ok(())
    }
}

impl DecisionFilter {
    /// Condition for the matching rows.
    pub fn condition(&self) -> Condition {
        Condition::all()
            .add_option(self.body.as_ref().map(|bodies| Column::Body.is_in(bodies.iter().copied())))
            .add_option(self.province.as_ref().map(|list| Column::Province.is_in(provinces::codes(list))))
            .add_option(self.cluster_id.map(|id| Column::ClusterId.eq(id)))
            .add_option(self.project_id.map(|id| Column::ProjectId.eq(id)))
            .add_option(self.decided_from.map(|day| Column::DecidedOn.gte(day.naive())))
            .add_option(self.decided_before.map(|day| Column::DecidedOn.lt(day.naive())))
    }
}
