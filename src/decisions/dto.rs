//! DTOs of decisions: representation and input.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

pub use super::entity::Body;
use super::entity::Model;
use crate::{
    checks,
    persian::Date,
    problem::{Problem, Text, Violation},
    provinces::ProvinceCode,
    store::{Input, RecordInfo, external_ref::ExternalRefs},
};

/// A decision (مصوبه) of a council or a committee of the programme.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Decision {
    #[serde(flatten)]
    info: RecordInfo,
    /// Body that decided.
    #[schema(example = "provincial_committee")]
    body: Body,
    /// The number of the meeting.
    #[schema(required, example = "1393/4")]
    meeting_no: Option<String>,
    /// The day of the decision.
    #[schema(example = "2014-04-09")]
    decided_on: Date,
    /// Summary in one line.
    #[schema(example = "اجرای پروژهٔ توسعهٔ خوشهٔ سنگ تصویب شد")]
    title_fa: String,
    /// The text of the decision.
    #[schema(required)]
    text_fa: Option<String>,
    /// The province; null for a national decision, which exists for everybody.
    #[schema(required)]
    province: Option<ProvinceCode>,
    /// Cluster concerned.
    #[schema(required, example = json!(null))]
    cluster_id: Option<Uuid>,
    /// Project concerned.
    #[schema(required, example = json!(null))]
    project_id: Option<Uuid>,
}

impl From<&Model> for Decision {
    fn from(row: &Model) -> Self {
        let input = DecisionInput::from(row);
        Self {
            info: row.into(),
            body: input.body,
            meeting_no: input.meeting_no,
            decided_on: input.decided_on,
            title_fa: input.title_fa,
            text_fa: input.text_fa,
            province: input.province,
            cluster_id: input.cluster_id,
            project_id: input.project_id,
        }
    }
}

/// Input of a decision. `body`, `decided_on` and `title_fa` are required, and a `province` unless the
/// national council decided.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "body": "provincial_committee", "meeting_no": "1393/4", "decided_on": "2014-04-09", "province": "IR-15",
    "title_fa": "اجرای پروژهٔ توسعهٔ خوشهٔ سنگ تصویب شد",
    "text_fa": "کارگروه با اجرای پروژهٔ توسعهٔ خوشهٔ سنگ استان برای سی‌وشش ماه موافقت کرد.",
}))]
pub struct DecisionInput {
    /// Body that decided.
    #[schema(example = "provincial_committee")]
    pub body: Body,
    /// The number of the meeting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 100, pattern = "\\S", format = "name", example = "1393/4")]
    pub meeting_no: Option<String>,
    /// The day of the decision, not in the future.
    #[schema(example = "2014-04-09")]
    pub decided_on: Date,
    /// Summary in one line.
    #[schema(
        min_length = 1,
        max_length = 300,
        pattern = "[\\p{L}\\p{N}]",
        format = "name",
        example = "اجرای پروژهٔ توسعهٔ خوشهٔ سنگ تصویب شد"
    )]
    pub title_fa: String,
    /// The text of the decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 20_000, pattern = "\\S")]
    pub text_fa: Option<String>,
    /// The province: needed, but for a decision of the national council, which has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub province: Option<ProvinceCode>,
    /// Cluster concerned; for a provincial decision, one of its own province.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_id: Option<Uuid>,
    /// Project concerned; for a provincial decision, one of its own province.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<Uuid>,
    /// Identifiers of the decision in other systems.
    #[serde(default)]
    pub external_refs: ExternalRefs,
}

impl From<&Model> for DecisionInput {
    fn from(row: &Model) -> Self {
        let row = row.clone();
        Self {
            body: row.body,
            meeting_no: row.meeting_no,
            decided_on: row.decided_on.into(),
            title_fa: row.title_fa,
            text_fa: row.text_fa,
            province: row.province.map(ProvinceCode),
            cluster_id: row.cluster_id,
            project_id: row.project_id,
            external_refs: row.external_refs,
        }
    }
}

impl Input<Model> for DecisionInput {
    fn external_refs(&mut self) -> &mut ExternalRefs {
        &mut self.external_refs
    }

    fn onto_row(self, row: &Model) -> Result<Model, Problem> {
        let decided_on = self.decided_on.naive();
        let mut faults: Vec<_> = checks::not_in_future(Some(decided_on), "/decided_on").into_iter().collect();
        match (self.body, &self.province) {
            (Body::NationalCouncil, Some(_)) => {
                let detail = Text::new(
                    "مصوبهٔ شورای ملی استان ندارد.",
                    "A decision of the national council is of no province.",
                );
                faults.push(Violation::body("/province", "not_applicable", detail));
            }
            (Body::ProvincialCommittee | Body::SteeringCouncil, None) => {
                let detail =
                    Text::new("مصوبهٔ این مرجع استان دارد.", "A decision of this body is of a province.");
                faults.push(Violation::body("/province", "required", detail));
            }
            _ => {}
        }
        checks::all_or_none(faults)?;
        Ok(Model {
            body: self.body,
            meeting_no: self.meeting_no,
            decided_on,
            title_fa: self.title_fa,
            text_fa: self.text_fa,
            province: self.province.map(|province| province.0),
            cluster_id: self.cluster_id,
            project_id: self.project_id,
            external_refs: self.external_refs,
            ..row.clone()
        })
    }
}

/// Filters of the list of decisions.
#[derive(Debug, Deserialize, IntoParams)]
pub struct DecisionFilter {
    /// Only decisions of any of these bodies.
    #[param(style = Form, explode = false, min_items = 1, max_items = 3)]
    pub body: Option<Vec<Body>>,
    /// Any of these provinces. National decisions belong to none.
    #[param(style = Form, explode = false, min_items = 1, max_items = 31)]
    pub province: Option<Vec<ProvinceCode>>,
    /// Only decisions about this cluster.
    pub cluster_id: Option<Uuid>,
    /// Only decisions about this project.
    pub project_id: Option<Uuid>,
    /// Decided on this day or later.
    pub decided_from: Option<Date>,
    /// Decided before this day.
    pub decided_before: Option<Date>,
}
