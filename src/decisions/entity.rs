//! Decisions: table and queries.

use sea_orm::{DeriveActiveEnum, EnumIter, entity::prelude::*, prelude::StringLen};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    problem::Problem,
    store::{Transaction, status_event},
};

crate::store::record_table! {
    /// A decision.
    "decision" {
        /// Body that decided.
        body: Body,
        /// The number of the meeting.
        meeting_no: Option<String>,
        /// The day of the decision.
        decided_on: ChronoDate,
        /// Summary in one line.
        title_fa: String,
        /// Its text.
        text_fa: Option<String>,
        /// The code of its province; none for a national one.
        province: Option<String>,
        /// Cluster concerned.
        cluster_id: Option<Uuid>,
        /// Project concerned.
        project_id: Option<Uuid>,
    }
}

impl Model {
    /// Whether a change of state refers to it. None does anew before the end of the transaction.
    pub(super) async fn has_changed_states(&self, transaction: &Transaction) -> Result<bool, Problem> {
        transaction.lock::<Self>(self.id).await?;
        let event = status_event::Entity::find()
            .filter(status_event::Column::DecisionId.eq(self.id))
            .one(&**transaction)
            .await?;
        Ok(event.is_some())
    }
}

/// Bodies that make decisions.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = DecisionBody)]
pub enum Body {
    /// The national council of the programme. Its decisions are of no province.
    #[default]
    NationalCouncil,
    /// The committee of a province.
    ProvincialCommittee,
    /// The steering council of a project.
    SteeringCouncil,
}
