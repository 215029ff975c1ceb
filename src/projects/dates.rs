//! Nesting of dates: a milestone is within its phase, a phase within the contract (rule 5 of `domain.md`).
//! Unknown dates do not limit.

use sea_orm::{
    ConnectionTrait, DbErr,
    sea_query::{Expr, ExprTrait, Func, Query},
};
use uuid::Uuid;

use crate::{
    persian::Date,
    problem::{Text, Violation},
    store::Transaction,
};

pub use crate::checks::{all_or_none, in_order};

/// A stretch of days, open where an end is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The first day.
    pub from: Option<Date>,
    /// The last day.
    pub to: Option<Date>,
}

impl Span {
    /// The range of days in a table's live rows of a project, or of one of its phases.
    pub async fn of_rows(
        transaction: &Transaction,
        table: &'static str,
        columns: [&'static str; 2],
        project: Uuid,
        phase: Option<String>,
    ) -> Result<Self, DbErr> {
        let query = Query::select()
            .expr_as(Func::min(Func::coalesce([Expr::col(columns[0]), Expr::col(columns[1])])), "first")
            .expr_as(Func::max(Expr::col(columns[1])), "last")
            .from(table)
            .and_where(Expr::col("project_id").eq(project))
            .and_where(Expr::col("deleted_at").is_null())
            .and_where_option(phase.map(|phase| Expr::col("phase").eq(phase)))
            .to_owned();
        let Some(row) = transaction.query_one(&query).await? else { return Ok(Self::default()) };
        Ok(Self { from: row.try_get("", "first")?, to: row.try_get("", "last")? })
    }

    /// Violations of the days outside the range, each with its field.
    pub fn excludes(self, days: &[(&str, Option<Date>)], outer: &Text) -> Vec<Violation> {
        let mut faults = Vec::new();
        for (pointer, day) in days {
            let Some(day) = day else { continue };
            if let Some(from) = self.from.filter(|from| day < from) {
                let detail = Text::new(
                    format!("پیش از آغاز {} در {from} (میلادی) است.", outer.fa),
                    format!("It lies before {} begins, on {from}.", outer.en),
                );
                faults.push(Violation::body(*pointer, "too_early", detail));
            }
            if let Some(to) = self.to.filter(|to| day > to) {
                let detail = Text::new(
                    format!("پس از پایان {} در {to} (میلادی) است.", outer.fa),
                    format!("It lies after {} ends, on {to}.", outer.en),
                );
                faults.push(Violation::body(*pointer, "too_late", detail));
            }
        }
        faults
    }

    /// Violations of the ends of the range that exclude a part of `inner`, each with its field.
    pub fn leaves_out(self, inner: Self, pointers: [&str; 2], what: &Text) -> Vec<Violation> {
        let mut faults = Vec::new();
        if let Some((_, first)) = self.from.zip(inner.from).filter(|(from, first)| first < from) {
            let detail = Text::new(
                format!("{} از {first} (میلادی) آغاز می‌شود.", what.fa),
                format!("{} begins before it, on {first}.", what.en),
            );
            faults.push(Violation::body(pointers[0], "too_late", detail));
        }
        if let Some((_, last)) = self.to.zip(inner.to).filter(|(to, last)| last > to) {
            let detail = Text::new(
                format!("{} تا {last} (میلادی) است.", what.fa),
                format!("{} ends after it, on {last}.", what.en),
            );
            faults.push(Violation::body(pointers[1], "too_early", detail));
        }
        faults
    }
}
