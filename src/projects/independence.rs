//! The CDA and the supervisor of a project differ (rule 1 of `domain.md`). A supervisor is known by name
//! only, of the person or of the account: names are compared in their folded form.

use sea_orm::{FromQueryResult, Statement};
use uuid::Uuid;

use crate::{
    persian::text,
    problem::{Problem, Text, Violation, problem_types},
    store::Transaction,
};

#[derive(FromQueryResult)]
struct Name {
    name: Option<String>,
}

/// 409 if a CDA of the project has one of these names.
pub async fn check_supervisor(
    transaction: &Transaction,
    project: Uuid,
    names: &[Option<String>],
    pointer: &str,
) -> Result<(), Problem> {
    const CDAS: &str = "SELECT c.name_fa AS name FROM assignment a JOIN cda c ON c.id = a.cda_id WHERE a.project_id = $1 AND a.deleted_at IS NULL";
    check(transaction, CDAS, project, names, pointer).await
}

/// 409 if a supervisor of the project has this name.
pub async fn check_cda(
    transaction: &Transaction,
    project: Uuid,
    name: &str,
    pointer: &str,
) -> Result<(), Problem> {
    const SUPERVISORS: &str = "SELECT COALESCE(s.person_name, u.display_name) AS name FROM supervision s LEFT JOIN account u ON u.id = s.account_id \
        WHERE s.project_id = $1 AND s.deleted_at IS NULL";
    check(transaction, SUPERVISORS, project, &[Some(name.to_owned())], pointer).await
}

async fn check(
    transaction: &Transaction,
    others: &str,
    project: Uuid,
    names: &[Option<String>],
    pointer: &str,
) -> Result<(), Problem> {
    let own: Vec<String> = names.iter().flatten().map(|name| text::key(name)).collect();
    let statement = Statement::from_sql_and_values(
        sea_orm::ConnectionTrait::get_database_backend(&**transaction),
        others,
        [project.into()],
    );
    let others = Name::find_by_statement(statement).all(&**transaction).await?;
    if !others.into_iter().filter_map(|other| other.name).any(|name| own.contains(&text::key(&name))) {
        return Ok(());
    }
    let detail = Text::new(
        "عامل توسعه و ناظر پروژه یک نفر نیستند.",
        "The CDA and the supervisor of a project are not the same person.",
    );
    Err(Problem::new(&problem_types::NOT_INDEPENDENT).violation(Violation::body(
        pointer,
        "same_person",
        detail,
    )))
}
