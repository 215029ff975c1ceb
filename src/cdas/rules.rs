//! The states of a CDA and the rules by which they change, as `domain.md` lists them.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, FromQueryResult, Statement};
use uuid::Uuid;

use super::entity::Model;
pub use super::entity::State;
use crate::{
    lifecycle::{Guard, Need, Step, Who},
    persian::Date,
    problem::{Problem, Text, Violation, problem_types},
    store::{Transaction, sql},
};

const MANAGER: Who = Who::Holder("cdas:write");

/// Transition table.
pub const STEPS: &[Step<Model>] = &[
    Step {
        from: &[State::Applicant, State::Suspended, State::Expired],
        to: State::Certified,
        who: MANAGER,
        needs: &[],
        guards: &[CERTIFICATE],
    },
    Step {
        from: &[State::Certified],
        to: State::Suspended,
        who: MANAGER,
        needs: &[Need::Reason],
        guards: &[LEADS_NOTHING],
    },
    Step {
        from: &[State::Certified],
        to: State::Expired,
        who: MANAGER,
        needs: &[],
        guards: &[LEADS_NOTHING],
    },
    Step {
        from: &[State::Certified, State::Suspended, State::Expired],
        to: State::Revoked,
        who: MANAGER,
        needs: &[Need::Reason],
        guards: &[LEADS_NOTHING],
    },
];

const CERTIFICATE: Guard<Model> = Guard {
    code: "no_certificate",
    fa: "گواهی‌ای که در این روز معتبر باشد ثبت نشده است.",
    en: "No certificate is recorded that holds on that day.",
    pointer: Some("/certificates"),
    holds: |row, facts| row.is_certified_from(facts.on, Some(facts.on)),
};
const LEADS_NOTHING: Guard<Model> = Guard {
    code: "leads_a_project",
    fa: "عامل توسعه راهبر پروژه‌ای است؛ نخست آن انتصاب را پایان دهید.",
    en: "The CDA leads a project: end that assignment first.",
    pointer: None,
    holds: |_, facts| !facts.leads,
};

/// Facts that the guards check.
pub struct Facts {
    on: Date,
    leads: bool,
}

#[derive(FromQueryResult)]
struct Found {
    id: Uuid,
    leads: bool,
}

/// The facts of some CDAs on a day, in one statement. Reads the tables of projects without depending on their
/// module.
pub async fn facts(
    db: &impl ConnectionTrait,
    rows: &[Model],
    on: Date,
) -> Result<HashMap<Uuid, Facts>, Problem> {
    const SQL: &str = "SELECT c.id, EXISTS (SELECT 1 FROM assignment a JOIN project p ON p.id = a.project_id \
        WHERE a.cda_id = c.id AND a.role = 'lead' AND a.deleted_at IS NULL AND (a.valid_to IS NULL OR a.valid_to >= $1) \
          AND p.state NOT IN ('closed', 'terminated')) AS leads \
      FROM cda c WHERE c.id IN ({ids})";
    let found = Found::find_by_statement(sql::about(db, SQL, on.naive(), rows)).all(db).await?;
    Ok(found.into_iter().map(|Found { id, leads }| (id, Facts { on, leads })).collect())
}

#[derive(FromQueryResult)]
struct Led {
    valid_from: Date,
    last: Option<Date>,
}

/// Checks that the certificates of a CDA cover the led projects (rule 1 of `domain.md`).
pub async fn check_certificates(transaction: &Transaction, row: &Model) -> Result<(), Problem> {
    const SQL: &str = "SELECT a.valid_from, COALESCE(a.valid_to, p.contract_end) AS last FROM assignment a JOIN project p ON p.id = a.project_id \
        WHERE a.cda_id = $1 AND a.role = 'lead' AND a.deleted_at IS NULL AND p.state NOT IN ('closed', 'terminated')";
    let statement = Statement::from_sql_and_values(transaction.get_database_backend(), SQL, [row.id.into()]);
    let led = Led::find_by_statement(statement).all(&**transaction).await?;
    if led.iter().all(|led| row.is_certified_from(led.valid_from, led.last)) {
        return Ok(());
    }
    let detail = Text::new(
        "گواهی‌ها باید مدت راهبری پروژه را در بر گیرند.",
        "The certificates have to cover the time in which the CDA leads a project.",
    );
    Err(Problem::new(&problem_types::CDA_NOT_CERTIFIED).violation(Violation::body(
        "/certificates",
        "not_certified",
        detail,
    )))
}
