//! Violations: location and rule, limited to the number that a problem reports.

use std::{borrow::Cow, ops::Deref};

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{Language, Text, cut};

/// The most broken rules that a problem names.
pub const MOST_VIOLATIONS: usize = 100;
/// The most characters of a pointer, which may repeat a name that the caller has sent.
const LONGEST_POINTER: usize = 200;
/// Maximum characters of a detail, which may repeat input of the caller.
const LONGEST_DETAIL: usize = 600;

/// Locations of refused values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In the request body.
    Body,
    /// In the query string.
    Query,
    /// In a header.
    Header,
}

/// A violation: location, rule and message.
#[derive(Clone, Debug)]
pub struct Violation {
    place: Place,
    pointer: String,
    code: &'static str,
    detail: Text,
}

/// The code of a date that is well-formed and that its calendar does not have, such as 1392-12-30.
pub const NO_SUCH_DAY: &str = "no_such_day";

impl Violation {
    /// A violation at a place; the pointer is a JSON pointer (RFC 6901) into it.
    pub fn new(place: Place, pointer: impl Into<String>, code: &'static str, detail: Text) -> Self {
        let mut pointer = pointer.into();
        if let Cow::Owned(short) = cut(&pointer, LONGEST_POINTER) {
            pointer = short;
        }
        Self { place, pointer, code, detail: detail.cut(LONGEST_DETAIL) }
    }

    /// JSON pointer to the refused value.
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// The stable name of the rule.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// Error message.
    pub fn detail(&self) -> &Text {
        &self.detail
    }

    /// A violation in the body.
    pub fn body(pointer: impl Into<String>, code: &'static str, detail: Text) -> Self {
        Self::new(Place::Body, pointer, code, detail)
    }

    /// A violation in the query string; the pointer is `/` and the parameter's name.
    pub fn query(parameter: &str, code: &'static str, detail: Text) -> Self {
        Self::new(Place::Query, format!("/{parameter}"), code, detail)
    }

    /// A violation in a header; the pointer is `/` and the header's name.
    pub fn header(name: &str, code: &'static str, detail: Text) -> Self {
        Self::new(Place::Header, format!("/{name}"), code, detail)
    }
}

/// Violations, up to the number that a problem reports: further ones are not created, so that many errors
/// cost no more than one.
#[derive(Clone, Debug, Default)]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// Adds a broken rule while there is room for it; `make` is not called where there is none.
    pub fn push(&mut self, make: impl FnOnce() -> Violation) {
        if !self.is_full() {
            self.0.push(make());
        }
    }

    /// Whether there is no room for more.
    pub fn is_full(&self) -> bool {
        self.0.len() >= MOST_VIOLATIONS
    }

    /// Prefixes every pointer.
    pub(super) fn below(&mut self, pointer: &str) {
        self.0.iter_mut().for_each(|violation| violation.pointer.insert_str(0, pointer));
    }

    /// The violations that fit into a number of bytes of JSON, in one language.
    pub(super) fn within(&self, mut room: usize, language: Language) -> Vec<Value> {
        let errors = self.0.iter().map(|violation| {
            json!({
                "in": violation.place,
                "pointer": violation.pointer,
                "code": violation.code,
                "detail": violation.detail.in_language(language),
            })
        });
        let fits = |error: &Value| {
            let length = error.to_string().len() + 1;
            let fits = length <= room;
            room = room.saturating_sub(length);
            fits
        };
        errors.take_while(fits).collect()
    }
}

impl Deref for Violations {
    type Target = [Violation];

    fn deref(&self) -> &[Violation] {
        &self.0
    }
}

impl From<Vec<Violation>> for Violations {
    fn from(mut list: Vec<Violation>) -> Self {
        list.truncate(MOST_VIOLATIONS);
        Self(list)
    }
}

/// One broken rule.
#[derive(ToSchema)]
#[schema(as = Violation)]
#[allow(dead_code)]
pub struct ViolationBody {
    /// Location of the refused value.
    r#in: Place,
    /// A JSON pointer (RFC 6901) into the body; for parameters and headers `/` and the name.
    #[schema(example = "/name_fa")]
    pointer: String,
    /// The stable name of the rule.
    #[schema(example = "required")]
    code: String,
    /// Error message.
    #[schema(example = "This field is required.")]
    detail: String,
}
