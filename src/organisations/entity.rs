//! Organisations: table and queries.

use std::collections::HashSet;

use sea_orm::{DeriveActiveEnum, EnumIter, entity::prelude::*, prelude::StringLen};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    personal::{Email, LegalId, Phone},
    problem::{Problem, Text, Violation},
    store::{Transaction, personal::Commitments},
};

crate::store::record_table! {
    /// An organisation.
    "organisation" {
        /// Kind.
        kind: Kind,
        /// Its Persian name as given.
        name_fa: String,
        /// Its English name.
        name_en: Option<String>,
        /// The Persian name in the form that sorts as a dictionary does.
        name_order: String,
        /// The code of its province; none for a national one.
        province: Option<String>,
        /// Its national id; the table holds the commitment to it.
        legal_id: Option<LegalId>,
        /// Blind index of the national id, for uniqueness and search.
        legal_id_index: Option<String>,
        /// The commitments to the personal values.
        commitments: Option<Commitments>,
        /// Parent organisation.
        parent_id: Option<Uuid>,
        /// Its phone number.
        phone: Option<Phone>,
        /// Its email address.
        email: Option<Email>,
        /// Its site.
        website: Option<String>,
        /// Its postal address.
        address: Option<String>,
    }
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
