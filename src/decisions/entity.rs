//! Decisions: table and queries.

use macros::record;
use sea_orm::{DeriveActiveEnum, EnumIter, entity::prelude::*, prelude::StringLen};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    persian::Date,
    problem::Problem,
    provinces::ProvinceCode,
    store::{Transaction, status_event},
};

/// A decision (مصوبه) of a council or a committee of the programme.
#[record(
    table = "decision", shown = Decision, input = DecisionInput,
    sort(decided_on, created_at, updated_at)
)]
#[input(
    about = "Input of a decision. `body`, `decided_on` and `title_fa` are required, and a `province` unless the national council decided.",
    example = json!({
    "body": "provincial_committee", "meeting_no": "1393/4", "decided_on": "2014-04-09", "province": "IR-15",
    "title_fa": "اجرای پروژهٔ توسعهٔ خوشهٔ سنگ تصویب شد",
    "text_fa": "کارگروه با اجرای پروژهٔ توسعهٔ خوشهٔ سنگ استان برای سی‌وشش ماه موافقت کرد.",
})
)]
pub struct Model {
    /// Body that decided.
    #[schema(example = "provincial_committee")]
    pub body: Body,
    /// The number of the meeting.
    #[schema(example = "1393/4")]
    #[input(min_length = 1, max_length = 100, pattern = "\\S", format = "name")]
    pub meeting_no: Option<String>,
    /// The day of the decision, not in the future.
    #[schema(example = "2014-04-09")]
    pub decided_on: Date,
    /// Summary in one line.
    #[schema(example = "اجرای پروژهٔ توسعهٔ خوشهٔ سنگ تصویب شد")]
    #[input(min_length = 1, max_length = 300, pattern = "[\\p{L}\\p{N}]", format = "name")]
    pub title_fa: String,
    /// The text of the decision.
    #[input(min_length = 1, max_length = 20_000, pattern = "\\S")]
    pub text_fa: Option<String>,
    /// The province: needed, but for a decision of the national council, which has none.
    pub province: Option<ProvinceCode>,
    /// Cluster concerned; for a provincial decision, one of its own province.
    #[view(example = json!(null))]
    pub cluster_id: Option<Uuid>,
    /// Project concerned; for a provincial decision, one of its own province.
    #[view(example = json!(null))]
    pub project_id: Option<Uuid>,
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
