//! `If-Match` (RFC 9110, section 13.1.1): only callers who have seen the current version may change it.

use actix_web::{HttpRequest, http::header};

use crate::{
    problem::{self, Problem, problem_types},
    store::Record,
};

/// Precondition of a request.
#[derive(Clone)]
pub struct Precondition {
    if_match: Option<String>,
    if_none_match: Option<String>,
}

impl Precondition {
    /// Reads the precondition of a request.
    pub fn of(request: &HttpRequest) -> Self {
        let read = |name| Some(request.headers().get(name)?.to_str().unwrap_or("unreadable").to_owned());
        Self { if_match: read(header::IF_MATCH), if_none_match: read(header::IF_NONE_MATCH) }
    }

    /// Checks that the caller has seen this version: 428 without `If-Match`, 412 with the current `ETag` if
    /// it is stale.
    pub fn holds_for<R: Record>(&self, row: &R) -> Result<(), Problem> {
        if self.if_none_match.as_deref() == Some("*") {
            return Err(Problem::stale(Some(row.version())));
        }
        let Some(tags) = &self.if_match else {
            return Err(Problem::new(&problem_types::PRECONDITION_REQUIRED)
                .header(header::ETAG, problem::etag(row.version())));
        };
        let is_current =
            tags.split(',').map(str::trim).any(|tag| tag == "*" || version(tag) == Some(row.version()));
        if is_current { Ok(()) } else { Err(Problem::stale(Some(row.version()))) }
    }

    /// Checks the precondition for a missing record: 412 if the caller expects one.
    pub fn holds_for_none(&self) -> Result<(), Problem> {
        if self.if_match.is_some() { Err(Problem::stale(None)) } else { Ok(()) }
    }
}

/// The version in an ETag of any representation: the digits before the first `-`.
fn version(tag: &str) -> Option<i64> {
    tag.strip_prefix('"')?.strip_suffix('"')?.split('-').next()?.parse().ok()
}
