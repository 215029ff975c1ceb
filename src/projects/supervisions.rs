//! Supervisions (نظارت) of projects: person or organisation, and duration.

use sea_orm::{EnumIter, entity::prelude::*, sea_query::SimpleExpr};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{dates, entity as projects, independence};
use crate::{
    accounts::account,
    http::{
        Routes, SortKey,
        page::Listed,
        resource::{self, Part, Resource, Standard, Words},
    },
    organisations,
    persian::Date,
    policy::Role,
    problem::{Problem, Text, Violation},
    provinces,
    store::{
        Input, Record, RecordInfo, SqlKind, Transaction,
        external_ref::ExternalRefs,
        personal::{Apart, Commitments},
    },
};

/// The routes of this resource.
pub fn routes(config: &mut Routes<'_>) {
    config.service(resource::part::<Model>());
}

crate::store::record_table! {
    /// A supervision of a project.
    "supervision" {
        /// The project.
        project_id: Uuid,
        /// The code of its province, which is the project's.
        province: String,
        /// Kind of supervision.
        kind: Kind,
        /// The organisation that supervises.
        organisation_id: Option<Uuid>,
        /// Account of the supervisor.
        account_id: Option<Uuid>,
        /// The name of that person.
        person_name: Option<String>,
        /// The commitment to the name.
        commitments: Option<Commitments>,
        /// The first day.
        valid_from: ChronoDate,
        /// The last day.
        valid_to: Option<ChronoDate>,
        /// The number of the contract.
        contract_no: Option<String>,
    }
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
    type View = Supervision;

    const RESOURCE: &'static str = "supervision";
    const DAYS: &'static [&'static str] = &["valid_from", "valid_to"];
    const PATH_PARAMETER: &'static str = "supervision_id";
    const PARENT: Option<fn(Uuid) -> SimpleExpr> = Some(|project| Column::ProjectId.eq(project));

    fn view(&self) -> Supervision {
        Supervision::from(self)
    }

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

impl Listed for Model {
    const SORT_KEYS: &'static [SortKey<Self>] =
        &[SortKey { name: "id", sql: "supervision.id", kind: SqlKind::Uuid, value: |row| row.id.into() }];
}

/// A supervision of a project.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Supervision {
    #[serde(flatten)]
    info: RecordInfo,
    /// The project.
    project_id: Uuid,
    /// Kind of supervision.
    kind: Kind,
    /// The organisation that supervises.
    #[schema(required)]
    organisation_id: Option<Uuid>,
    /// Account of the supervisor, which reviews the milestones of the project.
    #[schema(required)]
    account_id: Option<Uuid>,
    /// Name of the supervisor.
    #[schema(required, example = "ناظر نمونه")]
    person_name: Option<String>,
    /// The first day.
    valid_from: Date,
    /// The last day; null while there is no end.
    #[schema(required, example = json!(null))]
    valid_to: Option<Date>,
    /// The number of the contract.
    #[schema(required, example = "1393/112-1")]
    contract_no: Option<String>,
}

impl From<&Model> for Supervision {
    fn from(row: &Model) -> Self {
        let input = SupervisionInput::from(row);
        Self {
            info: row.into(),
            project_id: row.project_id,
            kind: input.kind,
            organisation_id: input.organisation_id,
            account_id: input.account_id,
            person_name: input.person_name,
            valid_from: input.valid_from,
            valid_to: input.valid_to,
            contract_no: input.contract_no,
        }
    }
}

/// Input of a supervision. `kind`, `valid_from` and one of `organisation_id`, `account_id` and `person_name`
/// are required.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SupervisionInput {
    /// Kind of supervision.
    pub kind: Kind,
    /// The organisation that supervises.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisation_id: Option<Uuid>,
    /// Account of the supervisor (role `supervisor`, same province).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<Uuid>,
    /// Name of the supervisor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 200, pattern = "\\p{L}", format = "name", example = "ناظر نمونه")]
    pub person_name: Option<String>,
    /// The first day.
    pub valid_from: Date,
    /// The last day; none while there is no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "2017-03-20")]
    pub valid_to: Option<Date>,
    /// The number of the contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 100, pattern = "\\S", format = "name", example = "1393/112-1")]
    pub contract_no: Option<String>,
    /// Identifiers of the supervision in other systems.
    #[serde(default)]
    pub external_refs: ExternalRefs,
}

impl From<&Model> for SupervisionInput {
    fn from(row: &Model) -> Self {
        let row = row.clone();
        Self {
            kind: row.kind,
            organisation_id: row.organisation_id,
            account_id: row.account_id,
            person_name: row.person_name,
            valid_from: row.valid_from.into(),
            valid_to: row.valid_to.map(Date::from),
            contract_no: row.contract_no,
            external_refs: row.external_refs,
        }
    }
}

impl Input<Model> for SupervisionInput {
    fn external_refs(&mut self) -> &mut ExternalRefs {
        &mut self.external_refs
    }

    fn onto_row(self, row: &Model) -> Result<Model, Problem> {
        let mut faults: Vec<_> =
            dates::in_order(Some(self.valid_from.naive()), self.valid_to.map(Date::naive), "/valid_to")
                .into_iter()
                .collect();
        if self.organisation_id.is_none() && self.account_id.is_none() && self.person_name.is_none() {
            let detail = Text::new(
                "ناظر (سازمان، حساب یا نام شخص) لازم است.",
                "Say who supervises: an organisation, an account or a person's name.",
            );
            faults.push(Violation::body("/organisation_id", "required", detail));
        }
        dates::all_or_none(faults)?;
        Ok(Model {
            kind: self.kind,
            organisation_id: self.organisation_id,
            account_id: self.account_id,
            person_name: self.person_name,
            valid_from: self.valid_from.naive(),
            valid_to: self.valid_to.map(Date::naive),
            contract_no: self.contract_no,
            external_refs: self.external_refs,
            ..row.clone()
        })
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
