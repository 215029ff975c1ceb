//! Stored errors of a row: rule, column and message.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::columns::{KEY, Resource};
use crate::problem::{Problem, Text};

/// A broken rule of a row, in both languages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The column, where the rule is about one.
    pub column: Option<String>,
    /// The stable name of the rule.
    pub code: String,
    /// The message in Persian.
    pub fa: String,
    /// The message in English.
    pub en: String,
}

impl Fault {
    /// A broken rule.
    pub fn new(column: Option<&str>, code: &str, detail: Text) -> Self {
        Self { column: column.map(kept), code: code.to_owned(), fa: kept(&detail.fa), en: kept(&detail.en) }
    }

    /// The violations of a problem with a body, each mapped to its column. `is_given` returns whether the row
    /// has a column.
    pub fn of(
        problem: &Problem,
        body: &Value,
        resource: Resource,
        is_given: impl Fn(&str) -> bool,
    ) -> Vec<Self> {
        let faults = problem.violations().iter().map(|violation| {
            let column = column(violation.pointer(), body, resource, &is_given);
            Self::new(column.as_deref(), violation.code(), violation.detail().clone())
        });
        let mut faults: Vec<_> = faults.collect();
        if faults.is_empty() {
            faults.push(Self::new(None, problem.code(), problem.text()));
        }
        faults.dedup();
        faults
    }
}

/// Sanitizes text from a file: removes control characters, and truncates it to the length of a message.
pub fn kept(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(500).collect()
}

/// Some broken rules in one text; none where there are none.
pub fn told(faults: &[Fault]) -> Option<Text> {
    let each = |sentence: fn(&Fault) -> &String| {
        let told = faults.iter().map(|fault| match &fault.column {
            Some(column) => format!("{column}: {}", sentence(fault)),
            None => sentence(fault).clone(),
        });
        told.collect::<Vec<_>>().join(" ")
    };
    (!faults.is_empty()).then(|| Text::new(each(|fault| &fault.fa), each(|fault| &fault.en)))
}

/// The column behind a place in a body.
fn column(
    pointer: &str,
    body: &Value,
    resource: Resource,
    is_given: impl Fn(&str) -> bool,
) -> Option<String> {
    let mut parts = pointer.split('/').skip(1);
    let member = parts.next().filter(|member| !member.is_empty())?;
    let rest = parts.next();
    if member == "external_refs" {
        return Some(KEY.to_owned());
    }
    if let Some(reference) =
        resource.references().find(|reference| reference.member == member && is_given(reference.column))
    {
        return Some(reference.column.to_owned());
    }
    let inner = match (member, rest.map(|rest| (rest, rest.parse::<usize>()))) {
        ("budget", Some((_, Ok(place)))) => body["budget"][place]["line"].as_str(),
        (_, Some((rest, Err(_)))) => Some(rest),
        _ => None,
    };
    Some(inner.map_or_else(|| member.to_owned(), |inner| format!("{member}.{inner}")))
}

/// A broken rule of a row.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ImportFault)]
pub struct FaultView {
    /// The column, or the member of a line of NDJSON; null where the rule is about the row.
    #[schema(required, example = "name_fa")]
    column: Option<String>,
    /// The stable name of the rule.
    #[schema(example = "required")]
    code: String,
    /// Error message.
    #[schema(value_type = String, example = "This field is required.")]
    detail: Text,
}

impl From<Fault> for FaultView {
    fn from(fault: Fault) -> Self {
        Self { column: fault.column, code: fault.code, detail: Text::new(fault.fa, fault.en) }
    }
}
