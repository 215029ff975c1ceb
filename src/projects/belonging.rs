//! Rules that all records of a project share.

use uuid::Uuid;

use super::entity::{Model, check_assigned};
use crate::{
    problem::{Problem, Text, Violation},
    store::Transaction,
};

/// Violation of the project id in an input, for a row of a project or, with the nil id, a new one: it is
/// required at creation and cannot change.
pub fn misnamed(given: Option<Uuid>, present: Uuid) -> Option<Violation> {
    match given {
        None if present.is_nil() => Some(Violation::body(
            "/project_id",
            "required",
            Text::new("این فیلد لازم است.", "This field is required."),
        )),
        Some(given) if !present.is_nil() && given != present => {
            let detail =
                Text::new("این رکورد به پروژهٔ دیگری نمی‌رود.", "The record does not go to another project.");
            Some(Violation::body("/project_id", "immutable", detail))
        }
        _ => None,
    }
}

/// The project, locked, if the author works in it.
pub async fn own_project(transaction: &Transaction, project: Uuid) -> Result<Model, Problem> {
    let found = transaction.referred(project, "/project_id").await?;
    check_assigned(transaction, project).await?;
    Ok(found)
}
