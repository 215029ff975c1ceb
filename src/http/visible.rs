//! The record that a path names, if the caller may see it. Whoever holds one may use it.

use std::{future::Future, ops::Deref, pin::Pin};

use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use sea_orm::{
    EntityTrait, QueryFilter,
    sea_query::{Alias, Expr, ExprTrait},
};
use uuid::Uuid;

use super::{Call, Problem, catalogue, read::database};
use crate::store::{ExternalRef, Record, external_ref, visible_rows};

/// A live record within the caller's scope; 404 otherwise.
pub struct Visible<R>(pub R);

/// A record within the caller's scope, also one that is deleted.
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
        let row = load::<R>(request.clone());
        Box::pin(async move {
            match row.await? {
                row if row.deleted_at().is_none() => Ok(Self(row)),
                _ => Err(Problem::new(&catalogue::NOT_FOUND)),
            }
        })
    }
}

impl<R: Record> FromRequest for VisibleEver<R> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let row = load::<R>(request.clone());
        Box::pin(async move { row.await.map(Self) })
    }
}

/// The id that a part of a path is; 404 where it is none.
pub fn id_in(request: &HttpRequest, part: &str) -> Result<Uuid, Problem> {
    let id = request.match_info().get(part).and_then(|text| Uuid::parse_str(text).ok());
    id.ok_or_else(|| Problem::new(&catalogue::NOT_FOUND))
}

/// The path names the record by `{id}`, and a record under it by `{<resource>_id}`.
async fn load<R: Record>(request: HttpRequest) -> Result<R, Problem> {
    let (call, db) = (Call::of(&request)?, database(&request)?);
    let own = id_in(&request, R::PATH_PARAMETER)?;
    let mut select = R::Entity::find().filter(R::visible_to(&call.caller()?.scope)).filter(R::is(own));
    if let Some(parent) = R::PARENT {
        select = select.filter(parent(id_in(&request, "id")?));
    }
    select.one(db.get_ref()).await?.ok_or_else(|| Problem::new(&catalogue::NOT_FOUND))
}

/// The record that another system calls as the path says (`by-ref/{system}/{key}`), where it exists for the caller.
pub struct Referred<R> {
    /// What the other system calls it.
    pub reference: ExternalRef,
    found: Option<R>,
}

impl<R> Referred<R> {
    /// The record; 404 where there is none.
    pub fn row(self) -> Result<R, Problem> {
        self.found.ok_or_else(|| Problem::new(&catalogue::NOT_FOUND))
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
            let (system, key) = web::Path::<(String, String)>::extract(&request).await.map_err(|_| Problem::new(&catalogue::NOT_FOUND))?.into_inner();
            let reference = ExternalRef::parse(system, key)?;
            let named = Expr::col((R::Entity::default(), Alias::new("id"))).in_subquery(external_ref::record_ids(R::RESOURCE, &reference));
            let found = visible_rows::<R>(&call.caller()?.scope).filter(named).one(db.get_ref()).await?;
            Ok(Self { reference, found })
        })
    }
}
