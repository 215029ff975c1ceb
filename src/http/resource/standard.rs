//! Standard operations: method, path, and the description that holds for all resources.

use actix_web::http::Method;
use utoipa::openapi::HttpMethod;

use super::{Resource, Words};

/// The standard operations, in the order of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the handlers below say it")]
pub enum Standard {
    List,
    Create,
    GetByReference,
    PutByReference,
    Get,
    Update,
    Delete,
    Transition,
    History,
}

impl Standard {
    pub(super) fn methods(self) -> (Method, HttpMethod) {
        match self {
            Self::List | Self::GetByReference | Self::Get | Self::History => (Method::GET, HttpMethod::Get),
            Self::Create | Self::Transition => (Method::POST, HttpMethod::Post),
            Self::PutByReference => (Method::PUT, HttpMethod::Put),
            Self::Update => (Method::PATCH, HttpMethod::Patch),
            Self::Delete => (Method::DELETE, HttpMethod::Delete),
        }
    }

    pub(super) fn path<R: Resource>(self) -> String {
        let (all, id) = (R::WORDS.path, R::PATH_PARAMETER);
        match self {
            Self::List | Self::Create => all.to_owned(),
            Self::GetByReference | Self::PutByReference => format!("{all}/by-ref/{{system}}/{{key}}"),
            Self::Get | Self::Update | Self::Delete => format!("{all}/{{{id}}}"),
            Self::Transition => format!("{all}/{{{id}}}/transitions"),
            Self::History => format!("{all}/{{{id}}}/history"),
        }
    }

    pub(super) fn id(self, Words { one, many, .. }: &Words) -> String {
        match self {
            Self::List => format!("list_{many}"),
            Self::Create => format!("create_{one}"),
            Self::GetByReference => format!("get_{one}_by_reference"),
            Self::PutByReference => format!("put_{one}_by_reference"),
            Self::Get => format!("get_{one}"),
            Self::Update => format!("update_{one}"),
            Self::Delete => format!("delete_{one}"),
            Self::Transition => format!("transition_{one}"),
            Self::History => format!("get_{one}_history"),
        }
    }

    /// Summary and description, where a resource has none of its own.
    pub(super) fn usual(self, Words { many, a, .. }: &Words) -> (String, String) {
        let the = a.split_once(' ').map_or(*a, |(_, noun)| noun);
        let (summary, about) = match self {
            Self::List => (format!("List {}", many.replace('_', " ")), String::new()),
            Self::Create => (format!("Create {a}"), String::new()),
            Self::GetByReference => (format!("Read {a} by another system's reference"), String::new()),
            Self::PutByReference => (
                format!("Create or replace {a} by another system's reference"),
                format!(
                    "Creates the {the} that the other system calls so (201), or replaces it (200), which needs \
                     `If-Match`. A field that is left out is emptied; the reference itself is always kept."
                ),
            ),
            Self::Get => (format!("Read {a}"), String::new()),
            Self::Update => (
                format!("Change {a}"),
                format!("A JSON Merge Patch. The result must keep every rule that holds for a new {the}."),
            ),
            Self::Delete => (format!("Delete {a}"), "Leaves a tombstone. Repeating it is no error.".into()),
            Self::Transition => {
                (format!("Change the state of {a}"), "The only way in which `state` changes.".into())
            }
            Self::History => (
                format!("The history of {a}"),
                "Who changed what and when, from which value to which, oldest first, each entry with the hash \
                 of the one before it."
                    .into(),
            ),
        };
        (summary, about)
    }
}
