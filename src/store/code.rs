//! Codes that the service gives out itself, counted without gaps by prefix.

use sea_orm::{
    ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, Statement,
    sea_query::{Alias, Expr, ExprTrait},
};

use super::{Record, Transaction};
use crate::http::Problem;

#[derive(FromQueryResult)]
struct Counter {
    last: i64,
}

/// A new code, `{prefix}-{count}`: no record of this kind has it, or had it when it was deleted.
pub async fn give_out<R: Record>(transaction: &Transaction, kind: &str, prefix: &str) -> Result<String, Problem> {
    loop {
        let code = format!("{prefix}-{:04}", next(transaction, &format!("{kind} {prefix}")).await?);
        let taken = R::Entity::find().filter(Expr::col((R::Entity::default(), Alias::new("code"))).eq(&code));
        if taken.one(&**transaction).await?.is_none() {
            return Ok(code);
        }
    }
}

/// The next number of a prefix, from 1. Two transactions never get the same one.
async fn next(transaction: &Transaction, prefix: &str) -> Result<i64, Problem> {
    let sql = "INSERT INTO code_counter (prefix, last) VALUES ($1, 1) \
               ON CONFLICT (prefix) DO UPDATE SET last = code_counter.last + 1 RETURNING last";
    let statement = Statement::from_sql_and_values(transaction.get_database_backend(), sql, [prefix.into()]);
    let counter = Counter::find_by_statement(statement).one(&**transaction).await?;
    counter.map(|counter| counter.last).ok_or_else(|| Problem::internal("no number was given"))
}
