//! Codes that the service gives out itself, counted without gaps by prefix.

use std::collections::BTreeMap;

use sea_orm::{
    ConnectionTrait, DbErr, EntityTrait, FromQueryResult, QueryFilter, Statement,
    sea_query::{Alias, Expr, ExprTrait},
};

use super::{Record, Transaction};
use crate::problem::Problem;

#[derive(FromQueryResult)]
struct Counter {
    last: i64,
}

/// A new code, `{prefix}-{count}`: no record of this kind has it, or had it when it was deleted.
pub async fn give_out<R: Record>(
    transaction: &Transaction,
    kind: &str,
    prefix: &str,
) -> Result<String, Problem> {
    loop {
        let code = numbered(prefix, next(transaction, &format!("{kind} {prefix}")).await?);
        let taken = R::Entity::find().filter(Expr::col((R::Entity::default(), Alias::new("code"))).eq(&code));
        if taken.one(&**transaction).await?.is_none() {
            return Ok(code);
        }
    }
}

fn numbered(prefix: &str, number: i64) -> String {
    format!("{prefix}-{number:04}")
}

/// The counts of all prefixes, for codes that are given out by the thousand. Nobody else gives out any
/// meanwhile.
pub struct Counters(BTreeMap<String, i64>);

impl Counters {
    /// As the database has them.
    pub async fn read(db: &impl ConnectionTrait) -> Result<Self, DbErr> {
        let rows = db
            .query_all_raw(Statement::from_string(
                db.get_database_backend(),
                "SELECT prefix, last FROM code_counter",
            ))
            .await?;
        rows.iter()
            .map(|row| Ok((row.try_get("", "prefix")?, row.try_get("", "last")?)))
            .collect::<Result<_, DbErr>>()
            .map(Self)
    }

    /// The next code of a prefix, as [`give_out`] gives it.
    pub fn give_out(&mut self, kind: &str, prefix: &str) -> String {
        let last = self.0.entry(format!("{kind} {prefix}")).or_default();
        *last += 1;
        numbered(prefix, *last)
    }

    /// Puts them into the database.
    pub async fn write(&self, db: &impl ConnectionTrait) -> Result<(), DbErr> {
        let sql = "INSERT INTO code_counter (prefix, last) VALUES ($1, $2) ON CONFLICT (prefix) DO UPDATE SET last = excluded.last";
        for (prefix, last) in &self.0 {
            db.execute_raw(Statement::from_sql_and_values(
                db.get_database_backend(),
                sql,
                [prefix.into(), (*last).into()],
            ))
            .await?;
        }
        Ok(())
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
