//! A worked example: the development project of Lorestan's stone cluster, over 36 months from 1393, with some
//! milestones late. Milestones and dates are an illustration, from no source.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::{ILLUSTRATION, insert, record, record_with};
use crate::{
    accounts::account,
    cdas::{self, dto::CdaInput, entity as cda},
    clusters::entity as clusters,
    milestones::{
        baselines::{self, BaselineInput},
        dto::MilestoneInput,
        entity as milestone,
        rules::State as MilestoneState,
    },
    organisations::{dto::OrganisationInput, entity as organisation},
    problem::Problem,
    projects::{
        assignments::{self, AssignmentInput},
        dto::ProjectInput,
        entity as project,
        partners::{self, PartnerInput},
        phases::{self, PhaseInput},
        rules::State,
        supervisions::{self, SupervisionInput},
    },
    store::Transaction,
};

/// Organisations of the project: kind, names, province (none for the nation), national id, and the role of a
/// partner.
const ORGANISATIONS: &[[&str; 6]] = &[
    [
        "provincial_company",
        "شرکت شهرک‌های صنعتی لرستان",
        "Lorestan Industrial Estates Company",
        "IR-15",
        "10000000102",
        "",
    ],
    ["isipo", "سازمان صنایع کوچک و شهرک‌های صنعتی ایران", "ISIPO", "", "10000000200", ""],
    [
        "association",
        "انجمن سنگ لرستان",
        "Stone Association of Lorestan",
        "IR-15",
        "10000000307",
        "نهاد دریافت‌کننده",
    ],
    ["university", "دانشگاه لرستان", "University of Lorestan", "IR-15", "10000000404", "آزمایشگاه مشترک"],
    ["bank", "بانک صنعت و معدن", "Bank of Industry and Mine", "", "10000000501", "تأمین مالی"],
];

/// The phases with their planned and actual days.
const PHASES: &[(&str, &str, &str, &str, Option<&str>)] = &[
    ("diagnostic", "1393-02-01", "1393-06-31", "1393-02-01", Some("1393-07-12")),
    ("trust_building", "1393-02-01", "1395-12-30", "1393-02-15", None),
    ("action_plan", "1393-07-01", "1393-12-29", "1393-07-01", Some("1393-12-25")),
    ("implementation", "1394-01-15", "1395-07-30", "1394-01-20", None),
    ("evaluation", "1395-08-01", "1395-11-30", "1395-09-01", None),
    ("handover", "1395-11-01", "1395-12-30", "", None),
];

/// The states that the project has gone through.
const STATES: &[(State, &str)] = &[
    (State::Approved, "1392-12-20"),
    (State::Contracted, "1393-01-20"),
    (State::Diagnostic, "1393-02-01"),
    (State::Planning, "1393-07-12"),
    (State::Implementing, "1394-01-15"),
];

/// A row of `data/stone-milestones.csv`. Dates are Persian.
#[derive(Debug, Deserialize)]
struct Row {
    phase: String,
    pillar: Option<String>,
    title_fa: String,
    title_en: String,
    weight_bp: i32,
    planned_start: String,
    due_on: String,
    began_on: Option<String>,
    accepted_on: Option<String>,
    accepted_fraction_bp: Option<i32>,
}

/// Loads it, with the accounts of its CDA and its supervisor.
pub async fn load(
    transaction: &Transaction,
    cda_account: &account::Model,
    supervisor: &account::Model,
) -> Result<(), Problem> {
    let stone =
        clusters::Entity::find().filter(clusters::Column::NameEn.eq("Stone")).one(&**transaction).await?;
    let stone = stone.ok_or_else(|| Problem::internal("the stone cluster is not there"))?;
    let mut organisations = Vec::new();
    for [kind, name_fa, name_en, province, legal_id, _] in ORGANISATIONS {
        let province = Some(province).filter(|province| !province.is_empty());
        let input = json!({ "kind": kind, "name_fa": name_fa, "name_en": name_en, "province": province, "legal_id": legal_id });
        organisations.push(
            insert::<OrganisationInput, organisation::Model>(transaction, input, Default::default()).await?,
        );
    }
    let input = json!({
        "national_code": "0000000019", "name_fa": "عامل توسعهٔ نمونه", "name_en": "Sample CDA", "mobile": "09120000001",
        "email": "cda@lorestan-industry.example", "province": "IR-15", "education": "کارشناسی ارشد مدیریت صنعتی",
        "certificates": [{ "title": "عامل توسعهٔ خوشهٔ صنعتی", "issuer": "سازمان صنایع کوچک و شهرک‌های صنعتی ایران", "issued_on": "1391-05-10" }],
    });
    let cda: cda::Model = insert::<CdaInput, _>(transaction, input, Default::default()).await?;
    record(transaction, &cda, cdas::rules::State::Certified, "1391-05-10", ILLUSTRATION).await?;
    transaction.update(cda_account, account::Model { cda_id: Some(cda.id), ..cda_account.clone() }).await?;

    let input = json!({
        "cluster_id": stone.id, "organisation_id": organisations[0].id,
        "title_fa": "پروژهٔ توسعهٔ خوشهٔ سنگ لرستان", "title_en": "Development of the stone cluster of Lorestan",
        "contract_no": "1393/112", "contract_start": "1393-01-20", "contract_end": "1395-12-30",
        "vision": "قطب صادرات سنگ تزئینی کشور",
        "budget": [
            { "line": "cda_fee", "amount_irr": "1800000000" }, { "line": "supervision", "amount_irr": "360000000" },
            { "line": "subproject", "amount_irr": "4500000000" }, { "line": "training", "amount_irr": "900000000" },
        ],
    });
    let mut project: project::Model =
        insert::<ProjectInput, _>(transaction, input, Default::default()).await?;
    let project_id = project.id;
    let input =
        json!({ "cda_id": cda.id, "role": "lead", "valid_from": "1393-01-20", "contract_no": "1393/112-1" });
    insert::<AssignmentInput, _>(transaction, input, assignments::Model { project_id, ..Default::default() })
        .await?;
    let input = json!({ "kind": "technical", "account_id": supervisor.id, "person_name": supervisor.display_name, "valid_from": "1393-01-20" });
    insert::<SupervisionInput, _>(
        transaction,
        input,
        supervisions::Model { project_id, ..Default::default() },
    )
    .await?;
    for (organisation, [.., role]) in
        organisations.iter().zip(ORGANISATIONS).filter(|(_, [.., role])| !role.is_empty())
    {
        let input = json!({ "organisation_id": organisation.id, "role": role });
        insert::<PartnerInput, _>(transaction, input, partners::Model { project_id, ..Default::default() })
            .await?;
    }
    for (phase, planned_start, planned_end, actual_start, actual_end) in PHASES {
        let actual_start = Some(actual_start).filter(|day| !day.is_empty());
        let input = json!({
            "phase": phase, "planned_start": planned_start, "planned_end": planned_end, "actual_start": actual_start, "actual_end": actual_end,
        });
        insert::<PhaseInput, _>(transaction, input, phases::Model { project_id, ..Default::default() })
            .await?;
    }
    for (state, on) in &STATES[..4] {
        project = record(transaction, &project, *state, on, ILLUSTRATION).await?;
    }
    let file = include_str!("../../data/stone-milestones.csv");
    let rows = csv::Reader::from_reader(file.as_bytes())
        .into_deserialize()
        .collect::<Result<Vec<Row>, _>>()
        .map_err(Problem::internal)?;
    let mut milestones = Vec::new();
    for row in &rows {
        milestones.push(plan_milestone(transaction, project_id, row).await?);
    }
    let input = json!({ "frozen_on": "1394-01-10" });
    insert::<BaselineInput, _>(transaction, input, baselines::Model { project_id, ..Default::default() })
        .await?;
    let (implementing, on) = STATES[4];
    record(transaction, &project, implementing, on, ILLUSTRATION).await?;
    for (row, planned) in rows.iter().zip(milestones) {
        work(transaction, planned.id, row).await?;
    }
    Ok(())
}

async fn plan_milestone(
    transaction: &Transaction,
    project_id: Uuid,
    row: &Row,
) -> Result<milestone::Model, Problem> {
    let input = json!({
        "phase": row.phase, "pillar": row.pillar, "title_fa": row.title_fa, "title_en": row.title_en, "weight_bp": row.weight_bp,
        "planned_start": row.planned_start, "due_on": row.due_on, "evidence_required": true,
    });
    insert::<MilestoneInput, _>(transaction, input, milestone::Model { project_id, ..Default::default() })
        .await
}

/// Records the progress of a milestone.
async fn work(transaction: &Transaction, id: Uuid, row: &Row) -> Result<(), Problem> {
    let found = milestone::Entity::find_by_id(id).one(&**transaction).await?;
    let (Some(milestone), Some(began_on)) = (found, &row.began_on) else { return Ok(()) };
    let milestone =
        record(transaction, &milestone, MilestoneState::InProgress, began_on, ILLUSTRATION).await?;
    let Some(accepted_on) = &row.accepted_on else { return Ok(()) };
    let milestone =
        record(transaction, &milestone, MilestoneState::Submitted, accepted_on, ILLUSTRATION).await?;
    let fraction = row.accepted_fraction_bp.unwrap_or(10_000);
    record_with(transaction, &milestone, MilestoneState::Accepted, accepted_on, ILLUSTRATION, |row| {
        row.accepted_fraction_bp = fraction
    })
    .await?;
    Ok(())
}
