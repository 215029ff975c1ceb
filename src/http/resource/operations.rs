//! Standard operations of a resource, collected: their routes, and their part of the document.

use std::{borrow::Cow, collections::BTreeMap, marker::PhantomData};

use actix_web::{
    Handler, Responder, Route,
    dev::{AppService, HttpServiceFactory},
    guard,
    http::Method,
    web,
};
use serde::de::DeserializeOwned;
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{
        Content, Paths, Ref, RefOr, Response, Schema,
        path::{OperationBuilder, Parameter, ParameterIn},
        request_body::{RequestBody, RequestBodyBuilder},
        security::SecurityRequirement,
    },
};
use utoipa_actix_web::OpenApiFactory;

use super::{Resource, Standard, handlers};
use crate::{
    http::{AsOfQuery, Including, Page, Paging},
    lifecycle::{Stateful, Transition},
    store::Retrospective,
};

type Schemas = Vec<(String, RefOr<Schema>)>;

/// Adds schemas to those of the document.
type Describes = Box<dyn Fn(&mut Schemas)>;

/// Adds what holds for one operation to its description.
type Describe<R> = Box<dyn Fn(&Operations<R>, OperationBuilder) -> OperationBuilder>;

/// Standard operations of a resource: routes, and their part of the document, which is described only when
/// the document is made.
pub struct Operations<R> {
    routes: BTreeMap<Standard, Route>,
    described: BTreeMap<Standard, Describe<R>>,
    schemas: Vec<Describes>,
    resource: PhantomData<R>,
}

impl<R: Resource> Operations<R> {
    pub(super) fn new() -> Self {
        let nothing = Self {
            routes: BTreeMap::new(),
            described: BTreeMap::new(),
            schemas: Vec::new(),
            resource: PhantomData,
        };
        nothing.schema::<R::View>(R::View::name).schema::<R::Input>(R::Input::name)
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
    pub fn with_states(self, permissions: &'static [&'static str]) -> Self
    where
        R: Stateful<State: ToSchema + DeserializeOwned>,
    {
        let body = || format!("Transition_{}", R::State::name()).into();
        self.schema::<R::State>(R::State::name).schema::<Transition<R::State>>(body).add(
            Standard::Transition,
            handlers::transition::<R>,
            move |it, operation| {
                let needs = permissions.iter().map(|needed| SecurityRequirement::new("oauth2", [*needed]));
                operation
                    .securities(Some(needs))
                    .request_body(Some(takes(&body())))
                    .response("200", it.view(""))
            },
        )
    }

    /// Reads of a record as it was.
    pub fn with_past(self) -> Self
    where
        R: Retrospective,
    {
        self.add(Standard::Get, handlers::get_at::<R>, |it, operation| {
            let past = AsOfQuery::into_params(query);
            let parameters = [it.includes().unwrap_or_default(), past].concat();
            operation.parameters(Some(parameters)).response("200", it.view(""))
        })
    }

    pub(super) fn list<A: actix_web::FromRequest + 'static, F>(
        self,
        handler: F,
        filters: fn() -> Vec<Parameter>,
    ) -> Self
    where
        F: Handler<A, Output: Responder + 'static>,
    {
        let page = || Cow::from(format!("Page_{}", R::View::name()));
        self.schema::<Page<R::View>>(page).add(Standard::List, handler, move |it, operation| {
            let paging = Paging::<R>::into_params(query);
            let parameters = [filters(), it.includes().unwrap_or_default(), paging].concat();
            operation.parameters(Some(parameters)).response("200", answer(&page(), ""))
        })
    }

    pub(super) fn of_one_record(self) -> Self {
        self.add(Standard::Get, handlers::get::<R>, |it, operation| {
            operation.parameters(it.includes()).response("200", it.view(""))
        })
        .add(Standard::Update, handlers::update::<R>, |it, operation| {
            it.takes(operation).response("200", it.view(""))
        })
        .add(Standard::Delete, handlers::delete::<R>, |_, operation| {
            operation.response("204", Response::new("Deleted"))
        })
    }

    pub(super) fn add<A: actix_web::FromRequest + 'static, F>(
        mut self,
        standard: Standard,
        handler: F,
        describe: impl Fn(&Self, OperationBuilder) -> OperationBuilder + 'static,
    ) -> Self
    where
        F: Handler<A, Output: Responder + 'static>,
    {
        self.described.insert(standard, Box::new(describe));
        let (method, _) = standard.methods();
        self.routes.insert(standard, web::method(method).to(handler));
        self
    }

    pub(super) fn schema<T: ToSchema + PartialSchema>(
        mut self,
        name: impl Fn() -> Cow<'static, str> + 'static,
    ) -> Self {
        self.schemas.push(Box::new(move |schemas| {
            schemas.push((name().into_owned(), T::schema()));
            T::schemas(schemas);
        }));
        self
    }

    /// Parts of every operation: id, summary, description, permission.
    fn begin(&self, standard: Standard) -> OperationBuilder {
        let words = &R::WORDS;
        let usual = standard.usual(words);
        let own = words.about.iter().find(|(operation, ..)| *operation == standard);
        let (summary, about) = own.map_or(usual, |(_, summary, about)| ((*summary).into(), (*about).into()));
        let is_read = standard.methods().0 == actix_web::http::Method::GET;
        let needs = if is_read { words.reads } else { words.writes };
        OperationBuilder::new()
            .operation_id(Some(standard.id(words)))
            .summary(Some(summary))
            .description(Some(about).filter(|about| !about.is_empty()))
            .security(SecurityRequirement::new("oauth2", [needs]))
    }

    pub(super) fn includes(&self) -> Option<Vec<Parameter>> {
        (!R::INCLUDES.is_empty()).then(|| Including::<R>::into_params(query))
    }

    pub(super) fn takes(&self, operation: OperationBuilder) -> OperationBuilder {
        operation.request_body(Some(takes(&R::Input::name())))
    }

    pub(super) fn view(&self, description: &str) -> Response {
        answer(&R::View::name(), description)
    }
}

/// One resource of actix for each path, whose pattern is compiled once, with the methods that are here: other
/// handlers may share the path.
impl<R: Resource> HttpServiceFactory for Operations<R> {
    fn register(self, config: &mut AppService) {
        let mut paths: BTreeMap<String, Vec<(Method, Route)>> = BTreeMap::new();
        for (standard, route) in self.routes {
            paths.entry(standard.path::<R>()).or_default().push((standard.methods().0, route));
        }
        for (path, routes) in paths {
            let (methods, routes): (Vec<_>, Vec<_>) = routes.into_iter().unzip();
            let is_one = guard::fn_guard(move |request| methods.contains(&request.head().method));
            routes
                .into_iter()
                .fold(web::resource(path).guard(is_one), actix_web::Resource::route)
                .register(config);
        }
    }
}

impl<R: Resource> OpenApiFactory for Operations<R> {
    fn paths(&self) -> Paths {
        let mut paths = Paths::new();
        for (standard, describe) in &self.described {
            let (_, method) = standard.methods();
            let operation = describe(self, self.begin(*standard)).build();
            paths.add_path_operation(standard.path::<R>(), vec![method], operation);
        }
        paths
    }

    fn schemas(&self, schemas: &mut Schemas) {
        self.schemas.iter().for_each(|collect| collect(schemas));
    }
}

pub(super) fn query() -> Option<ParameterIn> {
    Some(ParameterIn::Query)
}

pub(super) fn answer(schema: &str, description: &str) -> Response {
    let mut response = Response::new(description);
    response.content.insert("application/json".to_owned(), RefOr::T(content(schema)));
    response
}

fn takes(schema: &str) -> RequestBody {
    RequestBodyBuilder::new().content("application/json", content(schema)).build()
}

fn content(schema: &str) -> Content {
    Content::new(Some(Ref::from_schema_name(schema)))
}
