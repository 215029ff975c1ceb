//! Reports for publication (rule 9 of `domain.md`): their data on enterprises comes from the published
//! statistics only.
//!
//! So they reveal nothing unpublished, whatever the parameters: no count of their own, no threshold compared
//! with the register, and no order by unpublished values.

use sea_orm::DatabaseTransaction;

use super::{Question, Report};
use crate::{
    persian::PersianPeriod,
    problem::{Problem, Text, Violation},
    statistics::entity,
};

impl<R: Report> Question<R> {
    /// The quarter whose published statistics are used: the newest that ends by `as_of`.
    ///
    /// # Errors
    /// 400 if none is published, or if the selection does not consist of whole published cells; `is_fixed`
    /// says whether the report's parameter of this name has its required value.
    pub async fn published_quarter(
        &self,
        is_fixed: bool,
        parameter: &str,
        db: &DatabaseTransaction,
    ) -> Result<PersianPeriod, Problem> {
        let refused = [
            (self.has_industries(), "industry"),
            (self.known_at.is_some(), "known_at"),
            (!is_fixed, parameter),
        ];
        let detail = || {
            Text::new(
                "گزارش برای انتشار تنها از آمار منتشرشده ساخته می‌شود: برای استان‌ها، همهٔ رشته‌ها و با دانستهٔ زمان انتشار.",
                "A report for publication is made of the published statistics alone: by province, for all industries and as known when they were published.",
            )
        };
        let violations: Vec<_> = refused
            .into_iter()
            .filter(|(is_refused, _)| *is_refused)
            .map(|(_, name)| Violation::query(name, "not_publishable", detail()))
            .collect();
        if !violations.is_empty() {
            return Err(Problem::invalid_query(violations));
        }
        let none = || {
            let detail = Text::new(
                "تا این روز هنوز آماری منتشر نشده است.",
                "No statistics of a quarter that ends by this day are published.",
            );
            Problem::invalid_query(vec![Violation::query("as_of", "nothing_published", detail)])
        };
        entity::newest_by(db, self.as_of.naive()).await?.ok_or_else(none)
    }
}
