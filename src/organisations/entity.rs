//! Organisations: table and queries.

use macros::record;
use std::collections::HashSet;

use sea_orm::{DeriveActiveEnum, EnumIter, entity::prelude::*, prelude::StringLen};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    personal::{Email, LegalId, Phone},
    problem::{Problem, Text, Violation},
    provinces::ProvinceCode,
    store::{Transaction, personal::Commitments},
};

/// An organisation (سازمان) that carries out, supervises, funds or takes part in a project.
#[record(
    table = "organisation", shown, input = OrganisationInput,
    sort(name_fa = name_order, created_at, updated_at)
)]
#[input(
    about = "Input of an organisation. Only `kind` and `name_fa` are required; without a province it is national."
)]
pub struct Model {
    /// Kind of organisation.
    #[schema(example = "provincial_company")]
    pub kind: Kind,
    /// The name in Persian.
    #[schema(example = "شرکت شهرک‌های صنعتی لرستان")]
    #[input(min_length = 1, max_length = 200, pattern = "[\\p{L}\\p{N}]", format = "name")]
    pub name_fa: String,
    /// The name in English.
    #[schema(example = "Lorestan Industrial Estates Company")]
    #[input(min_length = 1, max_length = 200, pattern = "[\\p{L}\\p{N}]", format = "name")]
    pub name_en: Option<String>,
    /// The Persian name in the form that sorts as a dictionary does.
    #[kept]
    pub name_order: String,
    /// The province. Provincial callers write the organisations of their own one.
    pub province: Option<ProvinceCode>,
    /// The national id (شناسهٔ ملی): eleven digits of any script, of which the last is a check digit.
    #[input(value_type = Option<String>, format = "legal-id", example = "10380284790")]
    pub legal_id: Option<LegalId>,
    /// Blind index of the national id, for uniqueness and search.
    #[kept]
    pub legal_id_index: Option<String>,
    /// The commitments to the personal values.
    #[kept]
    pub commitments: Option<Commitments>,
    /// Parent organisation.
    #[view(example = json!(null))]
    pub parent_id: Option<Uuid>,
    /// The phone number; kept in E.164.
    #[input(value_type = Option<String>, format = "phone", max_length = 40, example = "+986633201234")]
    pub phone: Option<Phone>,
    /// The email address.
    #[input(value_type = Option<String>, format = "email-address", max_length = 254, example = "info@example.ir")]
    pub email: Option<Email>,
    /// The site.
    #[schema(example = "https://www.lorestan-industry.example")]
    #[input(max_length = 2000, pattern = "^https?://[\\p{L}\\p{N}.-]+(:[0-9]{1,5})?(/[^\\s]*)?$")]
    pub website: Option<String>,
    /// The postal address.
    #[schema(example = "خرم‌آباد، میدان امام")]
    #[input(min_length = 1, max_length = 500, pattern = "\\S")]
    pub address: Option<String>,
}

impl Model {
    /// Checks that the parent exists for the author; its ancestors need not.
    pub(super) async fn check_parents(&self, transaction: &Transaction) -> Result<(), Problem> {
        // One lock for all parents: two writers might close a cycle together.
        transaction.lock::<Self>(Uuid::nil()).await?;
        let (mut above, mut seen) = (self.parent_id, HashSet::from([self.id]));
        while let Some(id) = above {
            if !seen.insert(id) {
                let detail = Text::new(
                    "سازمان نمی‌تواند زیرمجموعهٔ خودش باشد.",
                    "An organisation cannot be a part of itself.",
                );
                return Err(Problem::invalid(vec![Violation::body("/parent_id", "cycle", detail)]));
            }
            let parent = match seen.len() {
                2 => Some(transaction.referred::<Self>(id, "/parent_id").await?),
                _ => Entity::find_by_id(id).one(&**transaction).await?,
            };
            above = parent.and_then(|parent| parent.parent_id);
        }
        Ok(())
    }
}

/// Kinds of organisations.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = OrganisationKind)]
pub enum Kind {
    /// A ministry.
    Ministry,
    /// ISIPO.
    Isipo,
    /// A provincial industrial-estates company.
    ProvincialCompany,
    /// An association of firms.
    Association,
    /// A provider of business development services.
    BdsProvider,
    /// A university or a research institute.
    University,
    /// A bank or a fund.
    Bank,
    /// Another public body.
    Agency,
    /// A firm.
    #[default]
    Firm,
}
