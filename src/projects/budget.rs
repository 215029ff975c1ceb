//! Limits payments to the approved budget line (rule 8 of `domain.md`). Reads the table of payments without
//! depending on its module.

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Statement};
use uuid::Uuid;

use super::{dto::Line, entity::Model};
use crate::{
    problem::{Problem, Text, Violation, problem_types},
    store::Transaction,
    values::List,
};

impl List<super::entity::BudgetLine> {
    /// Approved amount of a line, in rials; 0 for a missing line.
    pub fn approved(&self, line: Line) -> i64 {
        self.0.iter().find(|part| part.line == line).map_or(0, |part| part.amount_irr.0)
    }
}

/// Payments on a line.
#[derive(FromQueryResult)]
struct Paid {
    line: Line,
    paid: i64,
}

/// Payments on the lines of a project, excluding one payment.
async fn paid(transaction: &Transaction, project: Uuid, without: Uuid) -> Result<Vec<Paid>, DbErr> {
    let sql = "SELECT line, CAST(SUM(amount_irr) AS bigint) AS paid FROM payment \
               WHERE project_id = $1 AND id <> $2 AND deleted_at IS NULL GROUP BY line";
    let statement = Statement::from_sql_and_values(
        transaction.get_database_backend(),
        sql,
        [project.into(), without.into()],
    );
    Paid::find_by_statement(statement).all(&**transaction).await
}

/// Remaining budget of a line for one payment. The project must be locked.
pub async fn remaining(
    transaction: &Transaction,
    project: &Model,
    line: Line,
    payment: Uuid,
) -> Result<i64, DbErr> {
    let paid = paid(transaction, project.id, payment).await?;
    Ok(project.budget.approved(line) - paid.iter().find(|paid| paid.line == line).map_or(0, |paid| paid.paid))
}

/// 409 if a line of a project has more payments than budget. The project must be locked.
pub async fn check_paid(transaction: &Transaction, project: &Model) -> Result<(), Problem> {
    let budget = &project.budget;
    let paid = paid(transaction, project.id, Uuid::nil()).await?;
    let faults: Vec<_> = paid
        .into_iter()
        .filter(|Paid { line, paid }| *paid > budget.approved(*line))
        .map(|Paid { line, paid }| {
            let place = budget.0.iter().position(|part| part.line == line);
            let pointer = place.map_or("/budget".to_owned(), |index| format!("/budget/{index}/amount_irr"));
            let name = line.name();
            let detail = Text::new(
                format!("از ردیف {name} تا کنون {paid} ریال پرداخت شده است."),
                format!("{paid} rials are paid on the line {name}."),
            );
            Violation::body(pointer, "too_small", detail)
        })
        .collect();
    if faults.is_empty() {
        Ok(())
    } else {
        Err(Problem::invalid(faults).into_kind(&problem_types::BUDGET_EXCEEDED))
    }
}
