//! Standard operations of records: a generic handler for each, and its description in the document.
//!
//! A kind of record implements [`Resource`], and [`Collection`] if it has a list of its own or [`Part`] if it
//! is below another record. [`collection`] and [`part`] are then its routes. Special operations are left out
//! ([`Operations::only`]) and written as separate handlers.

use std::{collections::BTreeMap, marker::PhantomData};

use actix_web::{
    Handler, Responder,
    dev::{AppService, HttpServiceFactory},
    guard,
    http::Method,
    web,
};
use sea_orm::sea_query::{Condition, IntoCondition};
use serde::de::DeserializeOwned;
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{
        Content, HttpMethod, Paths, Ref, RefOr, Response, Schema,
        path::{Operation, OperationBuilder, Parameter, ParameterIn},
        request_body::RequestBodyBuilder,
        security::SecurityRequirement,
    },
};
use utoipa_actix_web::OpenApiFactory;

use super::{
    Answer, AsOfQuery, Body, Including, Page, Paging, Patch, Query, Read, Referred, Search, Visible,
    VisibleEver, Write, page::Listed,
};
use crate::{
    lifecycle::{Stateful, Transition},
    policy::Caller,
    problem::Problem,
    store::{Input, Record, Retrospective, change_log::History, record::Columns},
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

async fn list<R: Collection>(
    filter: Query<R::Filter>,
    paging: Paging<R>,
    read: Read,
) -> Result<Answer, Problem> {
    let condition = R::condition(&filter, &read.caller);
    read.list(paging, condition).await
}

async fn list_parts<R: Part>(
    whole: Visible<R::Whole>,
    paging: Paging<R>,
    read: Read,
) -> Result<Answer, Problem> {
    read.list(paging, R::is_of(&whole)).await
}

async fn create<R: Resource>(input: Body<R::Input>, write: Write) -> Result<Answer, Problem> {
    write.create(input.0.onto_row(&R::default())?).await
}

async fn create_part<R: Part>(
    whole: Visible<R::Whole>,
    input: Body<R::Input>,
    write: Write,
) -> Result<Answer, Problem> {
    write.create(input.0.onto_row(&R::of(&whole))?).await
}

async fn get_by_reference<R: Resource>(row: Referred<R>, read: Read) -> Result<Answer, Problem> {
    read.record(&row.row()?).await
}

async fn put_by_reference<R: Resource>(
    row: Referred<R>,
    input: Body<R::Input>,
    write: Write,
) -> Result<Answer, Problem> {
    write.put(row, input.0).await
}

async fn get<R: Resource>(row: Visible<R>, read: Read) -> Result<Answer, Problem> {
    read.record(&*row).await
}

async fn get_at<R: Resource + Retrospective>(
    row: VisibleEver<R>,
    moment: Query<AsOfQuery>,
    read: Read,
) -> Result<Answer, Problem> {
    read.record_at(&row.0, moment.0).await
}

async fn update<R: Resource>(row: Visible<R>, patch: Patch, write: Write) -> Result<Answer, Problem> {
    let input: R::Input = patch.onto(&*row)?;
    write.update(&*row, input.onto_row(&row)?).await
}

async fn delete<R: Resource>(row: VisibleEver<R>, write: Write) -> Result<Answer, Problem> {
    write.delete(&row.0).await
}

async fn transition<R: Resource + Stateful<State: DeserializeOwned>>(
    row: Visible<R>,
    transition: Body<Transition<R::State>>,
    write: Write,
) -> Result<Answer, Problem> {
    write.transition(&*row, transition.0).await
}

async fn history<R: Resource>(row: VisibleEver<R>, read: Read) -> Result<Answer, Problem> {
    read.history(&row.0).await
}

/// All standard operations of a kind of record with a list of its own, but for transitions and reads of the
/// past.
pub fn collection<R: Collection>() -> Operations<R> {
    let filters = R::Filter::into_params(query).into_iter().chain(Search::into_params(query)).collect();
    Operations::new()
        .list(list::<R>, filters)
        .add(Standard::Create, create::<R>, |it, operation| it.takes(operation).response("201", it.view("")))
        .add(Standard::GetByReference, get_by_reference::<R>, |it, operation| {
            operation.parameters(it.includes()).response("200", it.view(""))
        })
        .add(Standard::PutByReference, put_by_reference::<R>, |it, operation| {
            it.takes(operation).response("200", it.view("Replaced")).response("201", it.view("Created"))
        })
        .of_one_record()
        .add(Standard::History, history::<R>, |_, operation| operation.response("200", answer("History", "")))
        .schema::<History>("History")
}

/// The standard operations of a kind of record below another one: list, create, read, change and delete.
pub fn part<R: Part>() -> Operations<R> {
    Operations::new()
        .list(list_parts::<R>, Vec::new())
        .add(Standard::Create, create_part::<R>, |it, operation| {
            it.takes(operation).response("201", it.view(""))
        })
        .of_one_record()
}

type Route = Box<dyn FnOnce(&mut AppService)>;

/// Standard operations of a resource: routes, and their part of the document.
pub struct Operations<R> {
    routes: BTreeMap<Standard, Route>,
    described: BTreeMap<Standard, Operation>,
    schemas: Vec<(String, RefOr<Schema>)>,
    resource: PhantomData<R>,
}

impl<R: Resource> Operations<R> {
    fn new() -> Self {
        let nothing = Self {
            routes: BTreeMap::new(),
            described: BTreeMap::new(),
            schemas: Vec::new(),
            resource: PhantomData,
        };
        let (view, input) = (R::View::name(), R::Input::name());
        nothing.schema::<R::View>(&view).schema::<R::Input>(&input)
    }

    /// Keeps only these operations; the resource implements the others itself, or lacks them.
    pub fn only(mut self, standard: &[Standard]) -> Self {
        self.routes.retain(|operation, _| standard.contains(operation));
        self.described.retain(|operation, _| standard.contains(operation));
        self
    }

    /// Splits into the operations before one and the rest, to place another handler in between.
    pub fn split(mut self, at: Standard) -> (Self, Self) {
        let rest = Self {
            routes: self.routes.split_off(&at),
            described: self.described.split_off(&at),
            schemas: Vec::new(),
            resource: PhantomData,
        };
        (self, rest)
    }

    /// Adds changes of state, for callers with one of these permissions.
    pub fn with_states(self, permissions: &[&str]) -> Self
    where
        R: Stateful<State: ToSchema + DeserializeOwned>,
    {
        let body = format!("Transition_{}", R::State::name());
        let content = Content::new(Some(Ref::from_schema_name(&body)));
        self.schema::<R::State>(&R::State::name()).schema::<Transition<R::State>>(&body).add(
            Standard::Transition,
            transition::<R>,
            |it, operation| {
                let body = RequestBodyBuilder::new().content("application/json", content).build();
                let needs = permissions.iter().map(|needed| SecurityRequirement::new("oauth2", [*needed]));
                operation.securities(Some(needs)).request_body(Some(body)).response("200", it.view(""))
            },
        )
    }

    /// Reads of a record as it was.
    pub fn with_past(self) -> Self
    where
        R: Retrospective,
    {
        self.add(Standard::Get, get_at::<R>, |it, operation| {
            let past = AsOfQuery::into_params(query);
            let parameters = [it.includes().unwrap_or_default(), past].concat();
            operation.parameters(Some(parameters)).response("200", it.view(""))
        })
    }

    fn list<A: actix_web::FromRequest + 'static, F>(self, handler: F, filters: Vec<Parameter>) -> Self
    where
        F: Handler<A, Output: Responder + 'static>,
    {
        let page = format!("Page_{}", R::View::name());
        self.schema::<Page<R::View>>(&page).add(Standard::List, handler, |it, operation| {
            let paging = Paging::<R>::into_params(query);
            let parameters = [filters, it.includes().unwrap_or_default(), paging].concat();
            operation.parameters(Some(parameters)).response("200", answer(&page, ""))
        })
    }

    fn of_one_record(self) -> Self {
        self.add(Standard::Get, get::<R>, |it, operation| {
            operation.parameters(it.includes()).response("200", it.view(""))
        })
        .add(Standard::Update, update::<R>, |it, operation| it.takes(operation).response("200", it.view("")))
        .add(Standard::Delete, delete::<R>, |_, operation| {
            operation.response("204", Response::new("Deleted"))
        })
    }

    fn add<A: actix_web::FromRequest + 'static, F>(
        mut self,
        standard: Standard,
        handler: F,
        describe: impl FnOnce(&Self, OperationBuilder) -> OperationBuilder,
    ) -> Self
    where
        F: Handler<A, Output: Responder + 'static>,
    {
        let described = describe(&self, self.begin(standard)).build();
        self.described.insert(standard, described);
        let (path, (method, _)) = (standard.path::<R>(), standard.methods());
        let route = move |config: &mut AppService| {
            web::resource(path).guard(guard::Method(method)).to(handler).register(config);
        };
        self.routes.insert(standard, Box::new(route));
        self
    }

    fn schema<T: ToSchema + PartialSchema>(mut self, name: &str) -> Self {
        self.schemas.push((name.to_owned(), T::schema()));
        T::schemas(&mut self.schemas);
        self
    }

    /// Parts of every operation: id, summary, description, permission.
    fn begin(&self, standard: Standard) -> OperationBuilder {
        let words = &R::WORDS;
        let usual = standard.usual(words);
        let own = words.about.iter().find(|(operation, ..)| *operation == standard);
        let (summary, about) = own.map_or(usual, |(_, summary, about)| ((*summary).into(), (*about).into()));
        let is_read = standard.methods().0 == Method::GET;
        let needs = if is_read { words.reads } else { words.writes };
        OperationBuilder::new()
            .operation_id(Some(standard.id(words)))
            .summary(Some(summary))
            .description(Some(about).filter(|about| !about.is_empty()))
            .security(SecurityRequirement::new("oauth2", [needs]))
    }

    fn includes(&self) -> Option<Vec<Parameter>> {
        (!R::INCLUDES.is_empty()).then(|| Including::<R>::into_params(query))
    }

    fn takes(&self, operation: OperationBuilder) -> OperationBuilder {
        let content = Content::new(Some(Ref::from_schema_name(R::Input::name())));
        operation.request_body(Some(RequestBodyBuilder::new().content("application/json", content).build()))
    }

    fn view(&self, description: &str) -> Response {
        answer(&R::View::name(), description)
    }
}

impl<R> HttpServiceFactory for Operations<R> {
    fn register(self, config: &mut AppService) {
        self.routes.into_values().for_each(|route| route(config));
    }
}

impl<R: Resource> OpenApiFactory for Operations<R> {
    fn paths(&self) -> Paths {
        let mut paths = Paths::new();
        for (standard, operation) in &self.described {
            let (_, method) = standard.methods();
            paths.add_path_operation(standard.path::<R>(), vec![method], operation.clone());
        }
        paths
    }

    fn schemas(&self, schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.extend(self.schemas.iter().cloned());
    }
}

impl Standard {
    fn methods(self) -> (Method, HttpMethod) {
        match self {
            Self::List | Self::GetByReference | Self::Get | Self::History => (Method::GET, HttpMethod::Get),
            Self::Create | Self::Transition => (Method::POST, HttpMethod::Post),
            Self::PutByReference => (Method::PUT, HttpMethod::Put),
            Self::Update => (Method::PATCH, HttpMethod::Patch),
            Self::Delete => (Method::DELETE, HttpMethod::Delete),
        }
    }

    fn path<R: Resource>(self) -> String {
        let (all, id) = (R::WORDS.path, R::PATH_PARAMETER);
        match self {
            Self::List | Self::Create => all.to_owned(),
            Self::GetByReference | Self::PutByReference => format!("{all}/by-ref/{{system}}/{{key}}"),
            Self::Get | Self::Update | Self::Delete => format!("{all}/{{{id}}}"),
            Self::Transition => format!("{all}/{{{id}}}/transitions"),
            Self::History => format!("{all}/{{{id}}}/history"),
        }
    }

    fn id(self, Words { one, many, .. }: &Words) -> String {
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
    fn usual(self, Words { many, a, .. }: &Words) -> (String, String) {
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

fn query() -> Option<ParameterIn> {
    Some(ParameterIn::Query)
}

fn answer(schema: &str, description: &str) -> Response {
    let mut response = Response::new(description);
    let content = Content::new(Some(Ref::from_schema_name(schema)));
    response.content.insert("application/json".to_owned(), RefOr::T(content));
    response
}
