//! Extractor of the record in the path, if the caller may see it.

use std::{cell::Cell, future::Future, ops::Deref, pin::Pin, rc::Rc};

use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload, web};
use sea_orm::{
    EntityTrait, QueryFilter,
    sea_query::{Alias, Expr, ExprTrait},
};
use tokio::sync::Notify;
use uuid::Uuid;

use super::{Call, read::database};
use crate::{
    problem::{Problem, problem_types},
    store::{ExternalRef, Record, external_ref, personal, visible_rows},
};

/// A live record within the caller's scope; 404 otherwise.
pub struct Visible<R>(pub R);

/// A record within the caller's scope, even if deleted.
pub struct VisibleEver<R>(pub R);

impl<R> Deref for Visible<R> {
    type Target = R;

    fn deref(&self) -> &R {
        &self.0
    }
}

impl<R: Record> FromRequest for Visible<R> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let row = Lookups::count(request, load::<R>(request.clone()));
        Box::pin(async move {
            match row.await? {
                row if row.deleted_at().is_none() => Ok(Self(row)),
                _ => Err(Problem::new(&problem_types::NOT_FOUND)),
            }
        })
    }
}

impl<R: Record> FromRequest for VisibleEver<R> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let row = Lookups::count(request, load::<R>(request.clone()));
        Box::pin(async move { row.await.map(Self) })
    }
}

/// Pending lookups of the records in a request's path.
#[derive(Clone, Default)]
struct Lookups(Rc<(Cell<usize>, Notify)>);

impl Lookups {
    /// Counts a lookup, from the start of the extraction.
    fn count<T, F: Future<Output = T>>(
        request: &HttpRequest,
        lookup: F,
    ) -> impl Future<Output = T> + use<T, F> {
        let lookups = request.extensions_mut().get_or_insert_with(Self::default).clone();
        lookups.0.0.set(lookups.0.0.get() + 1);
        async move {
            let found = lookup.await;
            lookups.0.0.set(lookups.0.0.get() - 1);
            lookups.0.1.notify_one();
            found
        }
    }
}

/// Waits for the lookup of the records of the path: errors in the body are reported only to callers who may
/// see the records.
pub(super) async fn looked_up(request: &HttpRequest) {
    let Some(lookups) = request.extensions().get::<Lookups>().cloned() else { return };
    while lookups.0.0.get() > 0 {
        lookups.0.1.notified().await;
    }
}

/// Parses a path segment as an id; 404 if it is none.
pub fn id_in(request: &HttpRequest, part: &str) -> Result<Uuid, Problem> {
    let id = request.match_info().get(part).and_then(|text| Uuid::parse_str(text).ok());
    id.ok_or_else(|| Problem::new(&problem_types::NOT_FOUND))
}

/// Loads the record in the path: `{id}`, or `{<resource>_id}` for one below another.
async fn load<R: Record>(request: HttpRequest) -> Result<R, Problem> {
    let (call, db) = (Call::of(&request)?, database(&request)?);
    let own = id_in(&request, R::PATH_PARAMETER)?;
    let mut select = R::Entity::find().filter(R::visible_to(&call.caller()?.scope)).filter(R::is(own));
    if let Some(parent) = R::PARENT {
        select = select.filter(parent(id_in(&request, "id")?));
    }
    let mut row = select.one(db.get_ref()).await?.ok_or_else(|| Problem::new(&problem_types::NOT_FOUND))?;
    personal::reveal(db.get_ref(), std::slice::from_mut(&mut row)).await?;
    Ok(row)
}

/// The record with this reference in another system (`by-ref/{system}/{key}`), if it exists for the caller.
pub struct Referred<R> {
    /// Reference to the record in another system.
    pub reference: ExternalRef,
    found: Option<R>,
}

impl<R> Referred<R> {
    /// The record; 404 where there is none.
    pub fn row(self) -> Result<R, Problem> {
        self.found.ok_or_else(|| Problem::new(&problem_types::NOT_FOUND))
    }

    /// The record, where there is one.
    pub fn found(&self) -> Option<&R> {
        self.found.as_ref()
    }

    /// The reference, and the record where there is one.
    pub fn into_parts(self) -> (ExternalRef, Option<R>) {
        (self.reference, self.found)
    }
}

impl<R: Record> FromRequest for Referred<R> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let (call, db) = (Call::of(&request)?, database(&request)?);
            let (system, key) = web::Path::<(String, String)>::extract(&request)
                .await
                .map_err(|_| Problem::new(&problem_types::NOT_FOUND))?
                .into_inner();
            let reference = ExternalRef::parse(system, key)?;
            let named = Expr::col((R::Entity::default(), Alias::new("id")))
                .in_subquery(external_ref::record_ids(R::RESOURCE, &reference));
            let mut found = visible_rows::<R>(&call.caller()?.scope).filter(named).one(db.get_ref()).await?;
            personal::reveal(db.get_ref(), found.as_mut_slice()).await?;
            Ok(Self { reference, found })
        })
    }
}
