//! Supervisions (نظارت) of projects: person or organisation, and duration.

use macros::record;
use sea_orm::{EnumIter, entity::prelude::*, sea_query::SimpleExpr};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{dates, entity as projects, independence};
use crate::{
    accounts::account,
    http::{
        Routes,
        resource::{self, Part, Resource, Standard, Words},
    },
    organisations,
    persian::Date,
    policy::Role,
    problem::{Problem, Text, Violation},
    provinces,
    store::{
        Fields, Input, Record, Transaction,
        personal::{Apart, Commitments},
    },
    values::ProvinceCode,
};

/// The routes of this resource.
pub fn routes(config: &mut Routes<'_>) {
    config.service(resource::part::<Model>());
}

/// A supervision of a project.
#[record(table = "supervision", shown = Supervision, input = SupervisionInput, sort())]
#[input(
    about = "Input of a supervision. `kind`, `valid_from` and one of `organisation_id`, `account_id` and `person_name` are required."
)]
pub struct Model {
    /// The project.
    #[shown]
    pub project_id: Uuid,
    /// The code of its province, which is the project's.
    #[kept]
    pub province: ProvinceCode,
    /// Kind of supervision.
    pub kind: Kind,
    /// The organisation that supervises.
    pub organisation_id: Option<Uuid>,
    /// Account of the supervisor (role `supervisor`, same province).
    pub account_id: Option<Uuid>,
    /// Name of the supervisor.
    #[schema(example = "ناظر نمونه")]
    #[input(min_length = 1, max_length = 200, pattern = "\\p{L}", format = "name")]
    pub person_name: Option<String>,
    /// The commitment to the name.
    #[kept]
    pub commitments: Option<Commitments>,
    /// The first day.
    pub valid_from: Date,
    /// The last day; none while there is no end.
    #[view(example = json!(null))]
    #[input(example = "2017-03-20")]
    pub valid_to: Option<Date>,
    /// The number of the contract.
    #[schema(example = "1393/112-1")]
    #[input(min_length = 1, max_length = 100, pattern = "\\S", format = "name")]
    pub contract_no: Option<String>,
}

/// Kinds of supervision.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = SupervisionKind)]
pub enum Kind {
    /// The technical supervision.
    #[default]
    Technical,
    /// The senior supervision, above the technical one.
    Senior,
}

impl Record for Model {
    type Active = ActiveModel;
    type View = Self;

    const RESOURCE: &'static str = "supervision";
    const PATH_PARAMETER: &'static str = "supervision_id";
    const PARENT: Option<fn(Uuid) -> SimpleExpr> = Some(|project| Column::ProjectId.eq(project));

    fn province(&self) -> Option<&str> {
        Some(&self.province)
    }

    fn address(&self) -> String {
        format!("projects/{}/supervisions/{}", self.project_id, self.id)
    }

    fn apart(&mut self) -> Option<Apart<'_>> {
        Some(Apart { commitments: &mut self.commitments, sealed: Vec::new() })
    }

    fn erase(&mut self) {
        self.person_name = None;
    }

    async fn before_write(
        &mut self,
        before: Option<&Self>,
        transaction: &Transaction,
    ) -> Result<(), Problem> {
        self.province = transaction.referred::<projects::Model>(self.project_id, "").await?.province;
        let (mut names, mut pointer) = (vec![self.person_name.clone()], "/person_name");
        if let Some(id) = self
            .organisation_id
            .filter(|_| before.is_none_or(|before| before.organisation_id != self.organisation_id))
        {
            let organisation: organisations::entity::Model =
                transaction.referred(id, "/organisation_id").await?;
            provinces::check_same(&self.province, organisation.province.as_deref(), "/organisation_id")?;
        }
        if let Some(id) =
            self.account_id.filter(|_| before.is_none_or(|before| before.account_id != self.account_id))
        {
            let account: account::Model = transaction.referred(id, "/account_id").await?;
            if account.role != Role::Supervisor || account.province.as_ref() != Some(&self.province) {
                let detail = Text::new(
                    "این حساب ناظر همین استان نیست.",
                    "This is not the account of a supervisor of the province.",
                );
                return Err(Problem::invalid(vec![Violation::body(
                    "/account_id",
                    "not_a_supervisor",
                    detail,
                )]));
            }
            names.push(Some(account.display_name));
            pointer = "/account_id";
        }
        independence::check_supervisor(transaction, self.project_id, &names, pointer).await
    }
}

impl Input<Model> for SupervisionInput {
    fn onto_row(self, row: &Model) -> Result<Model, Problem> {
        let mut faults: Vec<_> =
            dates::in_order(Some(self.valid_from), self.valid_to, "/valid_to").into_iter().collect();
        if self.organisation_id.is_none() && self.account_id.is_none() && self.person_name.is_none() {
            let detail = Text::new(
                "ناظر (سازمان، حساب یا نام شخص) لازم است.",
                "Say who supervises: an organisation, an account or a person's name.",
            );
            faults.push(Violation::body("/organisation_id", "required", detail));
        }
        dates::all_or_none(faults)?;
        Ok(self.over(row))
    }
}

impl Resource for Model {
    type Input = SupervisionInput;

    const WORDS: Words = Words {
        path: "/projects/{id}/supervisions",
        one: "supervision",
        many: "supervisions",
        a: "a supervision",
        reads: "projects:read",
        writes: "projects:write",
        about: &[
            (Standard::List, "List the supervisions of a project", "Oldest first, unless sorted by `-id`."),
            (Standard::Create, "Add a supervision to a project", ""),
            (Standard::Update, "Change a supervision", ""),
        ],
    };
}

impl Part for Model {
    type Whole = projects::Model;

    fn of(project: &projects::Model) -> Self {
        Self { project_id: project.id, ..Self::default() }
    }
}
