//! CDAs: table and queries.

use sea_orm::{
    DeriveActiveEnum, EnumIter, FromJsonQueryResult,
    entity::prelude::*,
    prelude::{ChronoDate, StringLen},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    lifecycle,
    persian::Date,
    personal::{Email, NationalCode, Phone},
    store::personal::Commitments,
};

crate::store::record_table! {
    /// A CDA.
    "cda" {
        /// The national code; the table holds the commitment to it.
        national_code: NationalCode,
        /// Blind index of the national code, for uniqueness.
        national_code_index: Option<String>,
        /// The commitments to the personal values.
        commitments: Option<Commitments>,
        /// The Persian name as given.
        name_fa: String,
        /// The English name.
        name_en: Option<String>,
        /// The Persian name in the form that sorts as a dictionary does.
        name_order: String,
        /// The mobile number.
        mobile: Option<Phone>,
        /// The email address.
        email: Option<Email>,
        /// The code of the province.
        province: String,
        /// The education.
        education: Option<String>,
        /// The certificates and trainings.
        certificates: Certificates,
        /// State.
        state: State,
    }
}

/// Several certificates in a column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Certificates(pub Vec<Certificate>);

impl Model {
    /// Whether one certificate holds from the first to the last of some days, or for good where there is no
    /// last one.
    pub fn is_certified_from(&self, first: ChronoDate, last: Option<ChronoDate>) -> bool {
        self.certificates.0.iter().any(|certificate| {
            let expires_on = certificate.expires_on.map(Date::naive);
            certificate.issued_on.naive() <= first
                && expires_on.is_none_or(|expiry| last.is_some_and(|last| last <= expiry))
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
