//! Reads: lists, records and histories within the caller's scope, in the requested form.

use std::{marker::PhantomData, sync::Arc};

use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use chrono::{DateTime, Utc};
use sea_orm::{
    QueryFilter,
    sea_query::{Alias, Condition, Expr, ExprTrait, IntoCondition},
};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::{
    IntoParams,
    openapi::{
        ObjectBuilder,
        extensions::Extensions,
        path::{Parameter, ParameterIn, ParameterStyle},
        schema::{ArrayBuilder, Type},
    },
};

use super::{
    Answer, AsOfQuery, Call, Database, Paging, Ready, Shape,
    body::typed_query,
    contract::PERMISSIONS_OF_VALUES,
    data,
    page::{Listed, parameter},
};
use crate::{
    policy::Caller,
    problem::{Problem, Text, Violation, problem_types},
    store::{
        Include, LongReads, Reading, Record, Retrospective, change_log, personal, point_in_time, search,
        visible_rows,
    },
};

/// Extractor for reads.
pub struct Read {
    db: Database,
    long_reads: web::Data<LongReads>,
    call: Call,
    shape: Shape,
    /// The caller.
    pub caller: Arc<Caller>,
}

impl FromRequest for Read {
    type Error = Problem;
    type Future = Ready<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let read = || {
            let (db, call) = (database(request)?, Call::of(request)?);
            let long_reads = data::<LongReads>(request)?;
            Ok(Self { db, long_reads, caller: call.caller()?, shape: Shape::new(request, &call), call })
        };
        std::future::ready(read())
    }
}

impl Read {
    /// A page of the records that are visible to the caller and match a condition and the [`Search`] of the
    /// request.
    pub async fn list<R: Record + Listed>(
        self,
        paging: Paging<R>,
        condition: impl IntoCondition,
    ) -> Result<Answer, Problem> {
        let search: Search = typed_query(&self.call)?;
        let mut all = condition.into_condition();
        if let Some(since) = search.updated_since {
            all = Condition::all()
                .add(all)
                .add(Expr::col((R::Entity::default(), Alias::new("updated_at"))).gte(since));
        }
        if let Some(query) = &search.q {
            all = Condition::all().add(all).add(search::matches::<R>(query)?);
        }
        let mut page =
            paging.fetch(self.db.get_ref(), visible_rows::<R>(&self.caller.scope).filter(all)).await?;
        personal::reveal(self.db.get_ref(), &mut page.items).await?;
        let views = R::views(&page.items, &self.reading()).await?;
        self.shape.page(&page.with(views))
    }

    /// One record, under the ETag of its version.
    pub async fn record<R: Record>(self, row: &R) -> Result<Answer, Problem> {
        self.shape.record(row, &self.reading()).await
    }

    /// One record, current or at a moment.
    pub async fn record_at<R: Retrospective>(self, row: &R, moment: AsOfQuery) -> Result<Answer, Problem> {
        let not_found = || Problem::new(&problem_types::NOT_FOUND);
        let Some(past) = moment.past()? else {
            return if row.deleted_at().is_none() { self.record(row).await } else { Err(not_found()) };
        };
        if !self.call.includes().is_empty() {
            let detail = Text::new(
                "رکوردهای وابسته تنها با وضعیت کنونی می‌آیند.",
                "Related records come along with the present only.",
            );
            return Err(Problem::invalid_query(vec![Violation::query("include", "not_applicable", detail)]));
        }
        let then = {
            let db = self.long_reads.begin(self.caller.id).await?;
            point_in_time::view(&*db, row, past).await?.ok_or_else(not_found)?
        };
        self.shape.value(&then)
    }

    /// The history of a record.
    pub async fn history<R: Record>(self, row: &R) -> Result<Answer, Problem> {
        self.shape.items(&change_log::history(self.db.get_ref(), row).await?)
    }

    fn reading(&self) -> Reading<'_> {
        Reading { db: self.db.reads().into(), scope: &self.caller.scope, include: self.call.includes() }
    }
}

pub(super) fn database(request: &HttpRequest) -> Result<Database, Problem> {
    data(request)
}

/// Search parameters that all lists share.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Search {
    /// Words, or beginnings of words, of names and codes. «كشاورزي» finds «کشاورزی».
    #[param(max_length = 100, pattern = "[\\p{L}\\p{N}]")]
    pub q: Option<String>,
    /// Changed at this moment or later.
    pub updated_since: Option<DateTime<Utc>>,
}

/// The parameter `include=` of a kind of record, with the values of [`Record::INCLUDES`].
pub struct Including<R>(PhantomData<R>);

impl<R: Record> IntoParams for Including<R> {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let describe = |include: &Include| {
            format!("`{}`: {} (needs `{}`)", include.name, include.about, include.permission)
        };
        let list = R::INCLUDES.iter().map(describe).collect::<Vec<_>>().join("; ");
        let names = R::INCLUDES.iter().map(|include| include.name);
        let name = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).build();
        let names = ArrayBuilder::new()
            .items(name)
            .min_items(Some(1))
            .max_items(Some(R::INCLUDES.len()))
            .unique_items(true)
            .build();
        let about = format!(
            "Related records to bring along, in a number of statements that does not depend on how many records there are; 403 where you may \
             not read records of their kind. {list}."
        );
        let permissions: Map<String, Value> =
            R::INCLUDES.iter().map(|include| (include.name.to_owned(), include.permission.into())).collect();
        let parameter =
            parameter("include", &about, names).style(Some(ParameterStyle::Form)).explode(Some(false));
        vec![
            parameter
                .extensions(Some(Extensions::builder().add(PERMISSIONS_OF_VALUES, permissions).build()))
                .build(),
        ]
    }
}
