//! Partners (همکار): the institutions that take part in a project, each with its role.

use actix_web::{delete, get, patch, post};
use sea_orm::{entity::prelude::*, sea_query::SimpleExpr};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::entity as projects;
use crate::{
    http::{Answer, Body, Page, Paging, Patch, Read, SortKey, Visible, VisibleEver, Write, page::Listed},
    organisations,
    problem::Problem,
    provinces,
    store::{Input, Record, RecordInfo, SqlKind, Transaction, external_ref::ExternalRefs},
};

/// The routes of this resource.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(list_partners)
        .service(create_partner)
        .service(get_partner)
        .service(update_partner)
        .service(delete_partner);
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
        /// What it does in the project.
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

    async fn settle(&mut self, before: Option<&Self>, transaction: &Transaction) -> Result<(), Problem> {
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
    /// What it does in the project.
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

/// What a partner is made of.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PartnerInput {
    /// The institution.
    pub organisation_id: Uuid,
    /// What it does in the project.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "\\S",
        format = "name",
        example = "تأمین مالی مشترک"
    )]
    pub role: String,
    /// What other systems call it.
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

/// List the partners of a project
///
/// Oldest first, unless sorted by `-id`.
#[utoipa::path(params(Paging<Model>), responses((status = 200, body = Page<Partner>)), security(("oauth2" = ["projects:read"])))]
#[get("/projects/{id}/partners")]
pub async fn list_partners(
    project: Visible<projects::Model>,
    paging: Paging<Model>,
    read: Read,
) -> Result<Answer, Problem> {
    read.list(paging, Column::ProjectId.eq(project.id)).await
}

/// Add a partner to a project
#[utoipa::path(request_body = PartnerInput, responses((status = 201, body = Partner)), security(("oauth2" = ["projects:write"])))]
#[post("/projects/{id}/partners")]
pub async fn create_partner(
    project: Visible<projects::Model>,
    input: Body<PartnerInput>,
    write: Write,
) -> Result<Answer, Problem> {
    write.create(input.0.onto_row(&Model { project_id: project.id, ..Model::default() })?).await
}

/// Read a partner
#[utoipa::path(responses((status = 200, body = Partner)), security(("oauth2" = ["projects:read"])))]
#[get("/projects/{id}/partners/{partner_id}")]
pub async fn get_partner(partner: Visible<Model>, read: Read) -> Result<Answer, Problem> {
    read.record(&*partner).await
}

/// Change a partner
#[utoipa::path(request_body = PartnerInput, responses((status = 200, body = Partner)), security(("oauth2" = ["projects:write"])))]
#[patch("/projects/{id}/partners/{partner_id}")]
pub async fn update_partner(partner: Visible<Model>, patch: Patch, write: Write) -> Result<Answer, Problem> {
    let input: PartnerInput = patch.onto(&*partner)?;
    write.update(&*partner, input.onto_row(&partner)?).await
}

/// Delete a partner
///
/// Leaves a tombstone. Repeating it is no error.
#[utoipa::path(responses((status = 204, description = "Deleted")), security(("oauth2" = ["projects:write"])))]
#[delete("/projects/{id}/partners/{partner_id}")]
pub async fn delete_partner(partner: VisibleEver<Model>, write: Write) -> Result<Answer, Problem> {
    write.delete(&partner.0).await
}
