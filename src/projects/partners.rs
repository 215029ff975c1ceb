//! Partners (همکار): the institutions that take part in a project, each with its role.

use sea_orm::{entity::prelude::*, sea_query::SimpleExpr};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::entity as projects;
use crate::{
    http::{
        Routes, SortKey,
        page::Listed,
        resource::{self, Part, Resource, Standard, Words},
    },
    organisations,
    problem::Problem,
    provinces,
    store::{Input, Record, RecordInfo, SqlKind, Transaction, external_ref::ExternalRefs},
};

/// The routes of this resource.
pub fn routes(config: &mut Routes<'_>) {
    config.service(resource::part::<Model>());
}

crate::store::record_table! {
    /// A partner of a project.
    "partner" {
        /// The project.
        project_id: Uuid,
        /// The code of its province, which is the project's.
        province: String,
        /// The institution.
        organisation_id: Uuid,
        /// Role in the project.
        role: String,
    }
}

impl Record for Model {
    type Active = ActiveModel;
    type View = Partner;

    const RESOURCE: &'static str = "partner";
    const PATH_PARAMETER: &'static str = "partner_id";
    const PARENT: Option<fn(Uuid) -> SimpleExpr> = Some(|project| Column::ProjectId.eq(project));

    fn view(&self) -> Partner {
        Partner::from(self)
    }

    fn province(&self) -> Option<&str> {
        Some(&self.province)
    }

    fn address(&self) -> String {
        format!("projects/{}/partners/{}", self.project_id, self.id)
    }

    async fn before_write(
        &mut self,
        before: Option<&Self>,
        transaction: &Transaction,
    ) -> Result<(), Problem> {
        self.province = transaction.referred::<projects::Model>(self.project_id, "").await?.province;
        if before.is_none_or(|before| before.organisation_id != self.organisation_id) {
            let organisation: organisations::entity::Model =
                transaction.referred(self.organisation_id, "/organisation_id").await?;
            provinces::check_same(&self.province, organisation.province.as_deref(), "/organisation_id")?;
        }
        Ok(())
    }
}

impl Listed for Model {
    const SORT_KEYS: &'static [SortKey<Self>] =
        &[SortKey { name: "id", sql: "partner.id", kind: SqlKind::Uuid, value: |row| row.id.into() }];
}

/// A partner of a project.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Partner {
    #[serde(flatten)]
    info: RecordInfo,
    /// The project.
    project_id: Uuid,
    /// The institution.
    organisation_id: Uuid,
    /// Role in the project.
    #[schema(example = "تأمین مالی مشترک")]
    role: String,
}

impl From<&Model> for Partner {
    fn from(row: &Model) -> Self {
        let input = PartnerInput::from(row);
        Self {
            info: row.into(),
            project_id: row.project_id,
            organisation_id: input.organisation_id,
            role: input.role,
        }
    }
}

/// Input of a partner.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PartnerInput {
    /// The institution.
    pub organisation_id: Uuid,
    /// Role in the project.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "\\S",
        format = "name",
        example = "تأمین مالی مشترک"
    )]
    pub role: String,
    /// Identifiers of the partner in other systems.
    #[serde(default)]
    pub external_refs: ExternalRefs,
}

impl From<&Model> for PartnerInput {
    fn from(row: &Model) -> Self {
        let row = row.clone();
        Self { organisation_id: row.organisation_id, role: row.role, external_refs: row.external_refs }
    }
}

impl Input<Model> for PartnerInput {
    fn external_refs(&mut self) -> &mut ExternalRefs {
        &mut self.external_refs
    }

    fn onto_row(self, row: &Model) -> Result<Model, Problem> {
        Ok(Model {
            organisation_id: self.organisation_id,
            role: self.role,
            external_refs: self.external_refs,
            ..row.clone()
        })
    }
}

impl Resource for Model {
    type Input = PartnerInput;

    const WORDS: Words = Words {
        path: "/projects/{id}/partners",
        one: "partner",
        many: "partners",
        a: "a partner",
        reads: "projects:read",
        writes: "projects:write",
        about: &[
            (Standard::List, "List the partners of a project", "Oldest first, unless sorted by `-id`."),
            (Standard::Create, "Add a partner to a project", ""),
            (Standard::Update, "Change a partner", ""),
        ],
    };
}

impl Part for Model {
    type Whole = projects::Model;

    fn of(project: &projects::Model) -> Self {
        Self { project_id: project.id, ..Self::default() }
    }
}
