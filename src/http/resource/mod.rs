//! Standard operations of records: a generic handler for each, and its description in the document.
//!
//! A kind of record implements [`Resource`], and [`Collection`] if it has a list of its own or [`Part`] if it
//! is below another record. [`collection`] and [`part`] are then its routes. Special operations are left out
//! ([`Operations::only`]) and written as separate handlers.

mod handlers;
mod operations;
mod standard;

use sea_orm::sea_query::{Condition, IntoCondition};
use serde::de::DeserializeOwned;
use utoipa::{IntoParams, ToSchema};

use self::operations::{answer, query};
pub use self::{operations::Operations, standard::Standard};
use super::{Search, page::Listed};
use crate::{
    policy::Caller,
    store::{Input, Record, change_log::History, record::Columns},
};

/// A kind of record with standard operations.
pub trait Resource: Record<View: ToSchema> + Listed + Default {
    /// Input type.
    type Input: Input<Self> + ToSchema + 'static;
    /// Its names, and the descriptions of its operations.
    const WORDS: Words;
}

/// A kind of record with a list of its own.
pub trait Collection: Resource {
    /// The parameters that select records.
    type Filter: DeserializeOwned + IntoParams + 'static;
    /// The condition of a filter.
    fn condition(filter: &Self::Filter, caller: &Caller) -> Condition;
}

/// A kind of record below another one, which `{id}` in its path names.
pub trait Part: Resource {
    /// Parent record.
    type Whole: Record;
    /// A new record below another one.
    fn of(whole: &Self::Whole) -> Self;
    /// The condition that a record is below another one.
    fn is_of(whole: &Self::Whole) -> Condition {
        Self::PARENT.map_or_else(Condition::any, |parent| parent(whole.id()).into_condition())
    }
}

/// Names of a resource, and descriptions of its operations.
pub struct Words {
    /// The path of the list, such as `/payments`.
    pub path: &'static str,
    /// One record in operation ids, such as `payment`.
    pub one: &'static str,
    /// Several records in operation ids, such as `payments`.
    pub many: &'static str,
    /// One record in sentences, such as `a payment`.
    pub a: &'static str,
    /// The permission to read, such as `payments:read`.
    pub reads: &'static str,
    /// The permission to write, such as `payments:write`.
    pub writes: &'static str,
    /// Descriptions that differ from the common ones.
    pub about: &'static [About],
}

/// An operation with its summary and its description (Markdown, perhaps empty).
pub type About = (Standard, &'static str, &'static str);

/// All standard operations of a kind of record with a list of its own, but for transitions and reads of the
/// past.
pub fn collection<R: Collection>() -> Operations<R> {
    Operations::new()
        .list(handlers::list::<R>, || [R::Filter::into_params(query), Search::into_params(query)].concat())
        .add(Standard::Create, handlers::create::<R>, |it, operation| {
            it.takes(operation).response("201", it.view(""))
        })
        .add(Standard::GetByReference, handlers::get_by_reference::<R>, |it, operation| {
            operation.parameters(it.includes()).response("200", it.view(""))
        })
        .add(Standard::PutByReference, handlers::put_by_reference::<R>, |it, operation| {
            it.takes(operation).response("200", it.view("Replaced")).response("201", it.view("Created"))
        })
        .of_one_record()
        .add(Standard::History, handlers::history::<R>, |_, operation| {
            operation.response("200", answer("History", ""))
        })
        .schema::<History>(|| "History".into())
}

/// The standard operations of a kind of record below another one: list, create, read, change and delete.
pub fn part<R: Part>() -> Operations<R> {
    Operations::new()
        .list(handlers::list_parts::<R>, Vec::new)
        .add(Standard::Create, handlers::create_part::<R>, |it, operation| {
            it.takes(operation).response("201", it.view(""))
        })
        .of_one_record()
}
