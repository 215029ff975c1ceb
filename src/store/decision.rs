//! Access to decisions for the records that refer to them, such as changes of state and records of clusters,
//! which decisions themselves refer to: so this module reads the table by its name.

use sea_orm::{
    ConnectionTrait,
    sea_query::{Alias, Expr, ExprTrait, Query},
};
use uuid::Uuid;

use super::{Transaction, lock};
use crate::{
    checks,
    problem::{Problem, Violation},
};

/// Checks that the decision for a record of a province exists for the author, and is national or of the same
/// province; otherwise returns the violation at `/decision_id`. It cannot be deleted before the end of the
/// transaction.
pub async fn check(
    transaction: &Transaction,
    id: Option<Uuid>,
    province: Option<&str>,
) -> Result<Option<Violation>, Problem> {
    const POINTER: &str = "/decision_id";
    let Some(id) = id else { return Ok(None) };
    // The same lock as `Transaction::lock` for the record.
    lock::for_transaction(&**transaction, &format!("decision {id}")).await?;
    let named = Query::select()
        .column(Alias::new("province"))
        .from(Alias::new("decision"))
        .and_where(Expr::col(Alias::new("id")).eq(id))
        .and_where(Expr::col(Alias::new("deleted_at")).is_null())
        .cond_where(transaction.author().scope.holds_or_national(Alias::new("province")))
        .to_owned();
    let Some(row) = transaction.query_one(&named).await? else {
        return Ok(Some(checks::unknown_record(POINTER)));
    };
    let own: Option<String> = row.try_get("", "province")?;
    Ok(province.and_then(|province| checks::same_province(province, own.as_deref(), POINTER)))
}
