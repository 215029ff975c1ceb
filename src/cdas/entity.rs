//! CDAs: table and queries.

use macros::record;
use sea_orm::{DeriveActiveEnum, EnumIter, entity::prelude::*, prelude::StringLen};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    lifecycle::{self, AllowedTransition},
    persian::Date,
    personal::{Email, NationalCode, Phone},
    provinces::ProvinceCode,
    store::personal::Commitments,
    values::List,
};

/// A CDA (cluster development agent, عامل توسعهٔ خوشه): the natural person who directs a cluster's
/// development project.
#[record(
    table = "cda", days(issued_on, expires_on), shown, input = CdaInput,
    sort(name_fa = name_order, created_at, updated_at)
)]
#[input(about = "Input of a CDA. Only `national_code`, `name_fa` and `province` are required.")]
pub struct Model {
    /// The national code (کد ملی): ten digits of any script, of which the last is a check digit.
    #[input(value_type = String, format = "national-code", example = "0000000019")]
    pub national_code: NationalCode,
    /// Blind index of the national code, for uniqueness.
    #[kept]
    pub national_code_index: Option<String>,
    /// The commitments to the personal values.
    #[kept]
    pub commitments: Option<Commitments>,
    /// The name in Persian.
    #[schema(example = "عامل توسعهٔ نمونه")]
    #[input(min_length = 1, max_length = 200, pattern = "\\p{L}", format = "name")]
    pub name_fa: String,
    /// The name in English.
    #[schema(example = "Sample CDA")]
    #[input(min_length = 1, max_length = 200, pattern = "\\p{L}", format = "name")]
    pub name_en: Option<String>,
    /// The Persian name in the form that sorts as a dictionary does.
    #[kept]
    pub name_order: String,
    /// The mobile number; kept in E.164.
    #[input(value_type = Option<String>, format = "phone", max_length = 40, example = "+989121234567")]
    pub mobile: Option<Phone>,
    /// The email address.
    #[input(value_type = Option<String>, format = "email-address", max_length = 254, example = "cda@example.ir")]
    pub email: Option<Email>,
    /// The province, in whose projects the CDA can be assigned.
    pub province: ProvinceCode,
    /// The education.
    #[schema(example = "کارشناسی ارشد مدیریت صنعتی")]
    #[input(min_length = 1, max_length = 500, pattern = "\\S")]
    pub education: Option<String>,
    /// Certificates and trainings.
    #[input(default, max_items = 50)]
    pub certificates: List<Certificate>,
    /// State of the CDA. It changes only by `POST /cdas/{id}/transitions`.
    #[shown]
    pub state: State,
    /// Allowed transitions, each with its unmet conditions. Not part of the history, because they depend on
    /// other records.
    #[computed]
    #[schema(example = json!([{"to": "certified", "needs": [], "missing": []}]))]
    pub allowed_transitions: Vec<AllowedTransition<State>>,
}

impl Model {
    /// Whether one certificate holds from the first to the last of some days, or for good where there is no
    /// last one.
    pub fn is_certified_from(&self, first: Date, last: Option<Date>) -> bool {
        self.certificates.0.iter().any(|certificate| {
            certificate.issued_on <= first
                && certificate.expires_on.is_none_or(|expiry| last.is_some_and(|last| last <= expiry))
        })
    }
}

/// A certificate or a training.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// Title.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "\\S",
        format = "name",
        example = "عامل توسعهٔ خوشهٔ صنعتی"
    )]
    pub title: String,
    /// Issuer.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "\\S",
        format = "name",
        example = "سازمان صنایع کوچک و شهرک‌های صنعتی ایران"
    )]
    pub issuer: String,
    /// Date of issue.
    pub issued_on: Date,
    /// The last day on which it holds; null where it holds for good.
    #[serde(default)]
    #[schema(example = "2018-03-20")]
    pub expires_on: Option<Date>,
}

/// States of a CDA.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = CdaState)]
pub enum State {
    /// Application submitted.
    #[default]
    Applicant,
    /// May lead projects.
    Certified,
    /// Certified, but suspended temporarily.
    Suspended,
    /// The certificate has expired.
    Expired,
    /// The certificate was revoked permanently.
    Revoked,
}

impl lifecycle::State for State {}
