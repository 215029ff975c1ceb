//! DTOs of organisations: representation and input.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

pub use super::entity::Kind;
use super::entity::Model;
use crate::{
    persian::text,
    personal::{Email, LegalId, Phone},
    problem::Problem,
    provinces::ProvinceCode,
    store::{Input, RecordInfo, external_ref::ExternalRefs},
};

/// An organisation (سازمان) that carries out, supervises, funds or takes part in a project.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Organisation {
    #[serde(flatten)]
    info: RecordInfo,
    /// Kind of organisation.
    #[schema(example = "provincial_company")]
    kind: Kind,
    /// The name in Persian, as given.
    #[schema(example = "شرکت شهرک‌های صنعتی لرستان")]
    name_fa: String,
    /// The name in English.
    #[schema(required, example = "Lorestan Industrial Estates Company")]
    name_en: Option<String>,
    /// The province; null for a national organisation, which exists for everybody.
    #[schema(required)]
    province: Option<ProvinceCode>,
    /// The national id (شناسهٔ ملی).
    #[schema(required)]
    legal_id: Option<LegalId>,
    /// Parent organisation.
    #[schema(required, example = json!(null))]
    parent_id: Option<Uuid>,
    /// The phone number.
    #[schema(required)]
    phone: Option<Phone>,
    /// The email address.
    #[schema(required)]
    email: Option<Email>,
    /// The site.
    #[schema(required, example = "https://www.lorestan-industry.example")]
    website: Option<String>,
    /// The postal address.
    #[schema(required, example = "خرم‌آباد، میدان امام")]
    address: Option<String>,
    /// Parent organisation; with `include=parent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, no_recursion)]
    pub parent: Option<Box<Self>>,
}

impl From<&Model> for Organisation {
    fn from(row: &Model) -> Self {
        let input = OrganisationInput::from(row);
        Self {
            info: row.into(),
            kind: input.kind,
            name_fa: input.name_fa,
            name_en: input.name_en,
            province: input.province,
            legal_id: input.legal_id,
            parent_id: input.parent_id,
            phone: input.phone,
            email: input.email,
            website: input.website,
            address: input.address,
            parent: None,
        }
    }
}

/// Input of an organisation. Only `kind` and `name_fa` are required; without a province it is national.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrganisationInput {
    /// Kind of organisation.
    #[schema(example = "provincial_company")]
    pub kind: Kind,
    /// The name in Persian.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "[\\p{L}\\p{N}]",
        format = "name",
        example = "شرکت شهرک‌های صنعتی لرستان"
    )]
    pub name_fa: String,
    /// The name in English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "[\\p{L}\\p{N}]",
        format = "name",
        example = "Lorestan Industrial Estates Company"
    )]
    pub name_en: Option<String>,
    /// The province. Provincial callers write the organisations of their own one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub province: Option<ProvinceCode>,
    /// The national id (شناسهٔ ملی): eleven digits of any script, of which the last is a check digit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "legal-id", example = "10380284790")]
    pub legal_id: Option<LegalId>,
    /// Parent organisation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<Uuid>,
    /// The phone number; kept in E.164.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "phone", max_length = 40, example = "+986633201234")]
    pub phone: Option<Phone>,
    /// The email address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "email-address", max_length = 254, example = "info@example.ir")]
    pub email: Option<Email>,
    /// The site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(
        max_length = 2000,
        pattern = "^https?://[\\p{L}\\p{N}.-]+(:[0-9]{1,5})?(/[^\\s]*)?$",
        example = "https://www.lorestan-industry.example"
    )]
    pub website: Option<String>,
    /// The postal address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 500, pattern = "\\S", example = "خرم‌آباد، میدان امام")]
    pub address: Option<String>,
    /// Identifiers of the organisation in other systems.
    #[serde(default)]
    pub external_refs: ExternalRefs,
}

impl From<&Model> for OrganisationInput {
    fn from(row: &Model) -> Self {
        let row = row.clone();
        Self {
            kind: row.kind,
            name_fa: row.name_fa,
            name_en: row.name_en,
            province: row.province.map(ProvinceCode),
            legal_id: row.legal_id,
            parent_id: row.parent_id,
            phone: row.phone,
            email: row.email,
            website: row.website,
            address: row.address,
            external_refs: row.external_refs,
        }
    }
}

impl Input<Model> for OrganisationInput {
    fn external_refs(&mut self) -> &mut ExternalRefs {
        &mut self.external_refs
    }

    fn onto_row(self, row: &Model) -> Result<Model, Problem> {
        Ok(Model {
            kind: self.kind,
            name_order: text::order(&self.name_fa),
            name_fa: self.name_fa,
            name_en: self.name_en,
            province: self.province.map(|province| province.0),
            legal_id: self.legal_id,
            parent_id: self.parent_id,
            phone: self.phone,
            email: self.email,
            website: self.website,
            address: self.address,
            external_refs: self.external_refs,
            ..row.clone()
        })
    }
}

/// Filters of the list of organisations.
#[derive(Debug, Deserialize, IntoParams)]
pub struct OrganisationFilter {
    /// Any of these kinds.
    #[param(style = Form, explode = false, min_items = 1, max_items = 9)]
    pub kind: Option<Vec<Kind>>,
    /// Any of these provinces. National organisations belong to none.
    #[param(style = Form, explode = false, min_items = 1, max_items = 31)]
    pub province: Option<Vec<ProvinceCode>>,
    /// The parts of this organisation.
    pub parent_id: Option<Uuid>,
}
