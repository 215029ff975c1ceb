//! Small cells (rule 9 of `domain.md`): in what is published, a cell with fewer than three firms is not told.
//!
//! A cell that is not told must not follow from others either. Therefore what is published keeps to three rules: the sums of a report are those of
//! the cells that it tells, so that no sum holds a cell that is not told; its cells are of one level of ISIC and of whole provinces, so that no
//! cell is a part of another one, and no two questions differ by a part of a cell; and it is of the present, so that no two moments can
//! be compared at will.

use super::{Question, Report};
use crate::http::{Problem, Text, Violation};

/// The fewest firms that a cell is told of.
pub const FEWEST_FIRMS: i64 = 3;

/// Whether a cell of so many firms may be published.
pub fn may_be_told(firms: i64) -> bool {
    firms == 0 || firms >= FEWEST_FIRMS
}

impl<R: Report> Question<R> {
    /// Refuses what would tell parts of cells, where the answer is to be published; `is_fixed` says whether the report's own parameters
    /// are as they have to be.
    pub fn check_publishable(&self, is_fixed: bool, parameter: &str) -> Result<(), Problem> {
        let refused = [(self.has_industries(), "industry"), (self.known_at.is_some(), "known_at"), (!is_fixed, parameter)];
        let detail = || {
            Text::new(
                "آنچه منتشر می‌شود تنها با سطح تعیین‌شده، برای همهٔ رشته‌ها و با دانستهٔ کنونی داده می‌شود؛ وگرنه خانه‌های کوچک از تفاضل‌ها به دست می‌آیند.",
                "What is published comes at its fixed level, for all industries and as known now: else small cells would follow from differences.",
            )
        };
        let violations: Vec<_> =
            refused.into_iter().filter(|(is_refused, _)| *is_refused).map(|(_, name)| Violation::query(name, "not_publishable", detail())).collect();
        if violations.is_empty() { Ok(()) } else { Err(Problem::invalid_query(violations)) }
    }
}
