//! Partners (همکار): the institutions that take part in a project, each with its role.

use macros::record;
use sea_orm::{entity::prelude::*, sea_query::SimpleExpr};

use super::entity as projects;
use crate::{
    http::{
        Routes,
        resource::{self, Part, Resource, Standard, Words},
    },
    organisations,
    problem::Problem,
    provinces,
    store::{Input, Record, Transaction},
    values::ProvinceCode,
};

/// The routes of this resource.
pub fn routes(config: &mut Routes<'_>) {
    config.service(resource::part::<Model>());
}

/// A partner of a project.
#[record(table = "partner", shown = Partner, input = PartnerInput, sort())]
#[input(about = "Input of a partner.")]
pub struct Model {
    /// The project.
    #[shown]
    pub project_id: Uuid,
    /// The code of its province, which is the project's.
    #[kept]
    pub province: ProvinceCode,
    /// The institution.
    pub organisation_id: Uuid,
    /// Role in the project.
    #[schema(example = "تأمین مالی مشترک")]
    #[input(min_length = 1, max_length = 200, pattern = "\\S", format = "name")]
    pub role: String,
}

impl Record for Model {
    type Active = ActiveModel;
    type View = Self;

    const RESOURCE: &'static str = "partner";
    const PATH_PARAMETER: &'static str = "partner_id";
    const PARENT: Option<fn(Uuid) -> SimpleExpr> = Some(|project| Column::ProjectId.eq(project));

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

impl Input<Model> for PartnerInput {}

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
