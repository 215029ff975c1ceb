//! Temporary files of requests and answers, in `TMPDIR`.

use std::{any::Any, fmt, fs::File};

use crate::problem::{Problem, Text, problem_types};

/// An unnamed file, which vanishes with the process.
///
/// # Errors
/// As [`refused`].
pub fn file() -> Result<File, Problem> {
    tempfile::tempfile().map_err(refused)
}

/// 503: there is no room for a temporary file, or no directory. Neither is a fault of the request, and an
/// operator can fix both; details are only in the log.
pub fn refused(error: impl fmt::Display) -> Problem {
    tracing::error!(%error, "a temporary file could not be written");
    let detail = Text::new(
        "فضای موقت سامانه برای این درخواست کافی نیست؛ کمی بعد دوباره تلاش کنید.",
        "The service has no temporary space for this request; try again a little later.",
    );
    Problem::new(&problem_types::UNAVAILABLE).detail(detail).retry_after(30).cause(error)
}

/// The problem for a panic: the library that writes workbooks panics if a file cannot be written, with the
/// system's error message.
pub fn of_panic(panic: Box<dyn Any + Send>) -> Problem {
    let text = panic.downcast::<String>().map_or_else(|_| String::new(), |text| *text);
    if text.contains("Os { code:") || text.contains("Custom { kind:") || text.contains("WriteZero") {
        return refused(text);
    }
    Problem::internal("a workbook could not be written")
}
