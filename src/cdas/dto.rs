//! DTOs of CDAs: representation and input.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub use super::entity::Certificate;
use super::{
    entity::{Certificates, Model},
    rules::State,
};
use crate::{
    lifecycle::AllowedTransition,
    persian::text,
    personal::{Email, NationalCode, Phone},
    problem::{Problem, Text, Violation},
    provinces::ProvinceCode,
    store::{Input, RecordInfo, external_ref::ExternalRefs},
};

/// A CDA (cluster development agent, عامل توسعهٔ خوشه): the natural person who directs a cluster's
/// development project.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Cda {
    #[serde(flatten)]
    info: RecordInfo,
    /// The national code (کد ملی).
    national_code: NationalCode,
    /// The name in Persian, as given.
    #[schema(example = "عامل توسعهٔ نمونه")]
    name_fa: String,
    /// The name in English.
    #[schema(required, example = "Sample CDA")]
    name_en: Option<String>,
    /// The mobile number.
    #[schema(required)]
    mobile: Option<Phone>,
    /// The email address.
    #[schema(required)]
    email: Option<Email>,
    /// The province.
    province: ProvinceCode,
    /// The education.
    #[schema(required, example = "کارشناسی ارشد مدیریت صنعتی")]
    education: Option<String>,
    /// Certificates and trainings.
    certificates: Vec<Certificate>,
    /// State of the CDA. It changes only by `POST /cdas/{id}/transitions`.
    state: State,
    /// Allowed transitions, each with its unmet conditions. Not part of the history, because they depend on
    /// other records.
    #[schema(example = json!([{"to": "certified", "needs": [], "missing": []}]))]
    pub allowed_transitions: Vec<AllowedTransition<State>>,
}

impl From<&Model> for Cda {
    fn from(row: &Model) -> Self {
        let input = CdaInput::from(row);
        Self {
            info: row.into(),
            national_code: input.national_code,
            name_fa: input.name_fa,
            name_en: input.name_en,
            mobile: input.mobile,
            email: input.email,
            province: input.province,
            education: input.education,
            certificates: input.certificates,
            state: row.state,
            allowed_transitions: Vec::new(),
        }
    }
}

/// Input of a CDA. Only `national_code`, `name_fa` and `province` are required.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CdaInput {
    /// The national code (کد ملی): ten digits of any script, of which the last is a check digit.
    #[schema(value_type = String, format = "national-code", example = "0000000019")]
    pub national_code: NationalCode,
    /// The name in Persian.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "\\p{L}",
        format = "name",
        example = "عامل توسعهٔ نمونه"
    )]
    pub name_fa: String,
    /// The name in English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 200, pattern = "\\p{L}", format = "name", example = "Sample CDA")]
    pub name_en: Option<String>,
    /// The mobile number; kept in E.164.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "phone", max_length = 40, example = "+989121234567")]
    pub mobile: Option<Phone>,
    /// The email address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "email-address", max_length = 254, example = "cda@example.ir")]
    pub email: Option<Email>,
    /// The province, in whose projects the CDA can be assigned.
    pub province: ProvinceCode,
    /// The education.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 500, pattern = "\\S", example = "کارشناسی ارشد مدیریت صنعتی")]
    pub education: Option<String>,
    /// Certificates and trainings.
    #[serde(default)]
    #[schema(max_items = 50)]
    pub certificates: Vec<Certificate>,
    /// Identifiers of the CDA in other systems.
    #[serde(default)]
    pub external_refs: ExternalRefs,
}

impl From<&Model> for CdaInput {
    fn from(row: &Model) -> Self {
        let row = row.clone();
        Self {
            national_code: row.national_code,
            name_fa: row.name_fa,
            name_en: row.name_en,
            mobile: row.mobile,
            email: row.email,
            province: ProvinceCode(row.province),
            education: row.education,
            certificates: row.certificates.0,
            external_refs: row.external_refs,
        }
    }
}

impl Input<Model> for CdaInput {
    fn external_refs(&mut self) -> &mut ExternalRefs {
        &mut self.external_refs
    }

    fn onto_row(self, row: &Model) -> Result<Model, Problem> {
        let backwards = self
            .certificates
            .iter()
            .enumerate()
            .filter(|(_, held)| held.expires_on.is_some_and(|end| end < held.issued_on));
        let faults: Vec<_> = backwards
            .map(|(index, _)| {
                let detail =
                    Text::new("پایان اعتبار پیش از تاریخ صدور است.", "It would expire before it was issued.");
                Violation::body(format!("/certificates/{index}/expires_on"), "too_early", detail)
            })
            .collect();
        if !faults.is_empty() {
            return Err(Problem::invalid(faults));
        }
        Ok(Model {
            national_code: self.national_code,
            name_order: text::order(&self.name_fa),
            name_fa: self.name_fa,
            name_en: self.name_en,
            mobile: self.mobile,
            email: self.email,
            province: self.province.0,
            education: self.education,
            certificates: Certificates(self.certificates),
            external_refs: self.external_refs,
            ..row.clone()
        })
    }
}

/// Filters of the list of CDAs.
#[derive(Debug, Deserialize, IntoParams)]
pub struct CdaFilter {
    /// Any of these states.
    #[param(style = Form, explode = false, min_items = 1, max_items = 5)]
    pub state: Option<Vec<State>>,
    /// Any of these provinces.
    #[param(style = Form, explode = false, min_items = 1, max_items = 31)]
    pub province: Option<Vec<ProvinceCode>>,
}
