//! Keyset pagination: each page begins where the last one ended, so that page 10,000 costs as much as page 1.

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sea_orm::{
    ConnectionTrait, EntityTrait, Order, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select,
    Value as SqlValue,
    sea_query::{Condition, Expr, ExprTrait, SimpleExpr},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use utoipa::{
    IntoParams, ToSchema,
    openapi::{
        Object, ObjectBuilder, Required,
        path::{Parameter, ParameterBuilder, ParameterIn, ParameterStyle},
        schema::{ArrayBuilder, SchemaType, Type},
    },
};

use super::{Call, Ready};
use crate::{
    problem::{Problem, Text, Violation, problem_types},
    store::SqlKind,
};

const MAX_PAGE_SIZE: u64 = 200;
const DEFAULT_PAGE_SIZE: u64 = 50;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The records, in the requested order.
    pub items: Vec<T>,
    /// Value of `cursor` for the next page; null on the last page.
    #[schema(required, example = json!(null), max_length = 2000)]
    pub next_cursor: Option<String>,
    /// Total number of records; only with `count=true`.
    #[schema(required = false, nullable = false, minimum = 0, example = 11)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

impl<T> Page<T> {
    /// The same page with other items, such as the representations of its rows.
    pub fn with<V>(self, items: Vec<V>) -> Page<V> {
        Page { items, next_cursor: self.next_cursor, total: self.total }
    }
}

/// Sort key of a list: an SQL expression that is never null and has an index.
pub struct SortKey<M: 'static> {
    /// Its name in `sort=`.
    pub name: &'static str,
    /// The expression, as the index has it.
    pub sql: &'static str,
    /// The type of the expression.
    pub kind: SqlKind,
    /// Its value for one row.
    pub value: fn(&M) -> SqlValue,
}

impl<M> SortKey<M> {
    /// A sort key.
    pub const fn new(
        name: &'static str,
        sql: &'static str,
        kind: SqlKind,
        value: fn(&M) -> SqlValue,
    ) -> Self {
        Self { name, sql, kind, value }
    }
}

/// A row type with lists.
pub trait Listed: sea_orm::ModelTrait + sea_orm::FromQueryResult + 'static {
    /// Sort keys of the list. The last one is unique.
    const SORT_KEYS: &'static [SortKey<Self>];
}

/// `page_size`, `cursor`, `count` and `sort` of a list.
pub struct Paging<M: Listed> {
    size: u64,
    count: bool,
    sort: Vec<(&'static SortKey<M>, Order)>,
    after: Option<Vec<SqlValue>>,
    filters: String,
}

/// Position of the end of a page. The checksum detects a damaged cursor, and one of another list.
#[derive(Deserialize, Serialize)]
struct Cursor {
    after: Vec<Value>,
    checksum: String,
}

impl<M: Listed> FromRequest for Paging<M> {
    type Error = Problem;
    type Future = Ready<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(Call::of(request).and_then(|call| Self::read(call.query())))
    }
}

impl<M: Listed> Paging<M> {
    fn read(query: &Value) -> Result<Self, Problem> {
        let names: Vec<&str> =
            query["sort"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let sort = Self::order(&names)?;
        let mut paging = Self {
            size: query["page_size"].as_u64().unwrap_or(DEFAULT_PAGE_SIZE),
            count: query["count"].as_bool().unwrap_or(false),
            sort,
            after: None,
            filters: filters(query),
        };
        if let Some(cursor) = query["cursor"].as_str() {
            paging.after =
                Some(paging.decode(cursor).ok_or_else(|| Problem::new(&problem_types::INVALID_CURSOR))?);
        }
        Ok(paging)
    }

    /// The requested keys, up to the first unique one. If there is none it is added, in the direction of the
    /// key before it, so that one index serves the whole order.
    fn order(names: &[&str]) -> Result<Vec<(&'static SortKey<M>, Order)>, Problem> {
        let Some(unique) = M::SORT_KEYS.last() else { return Ok(Vec::new()) };
        let mut sort: Vec<(&'static SortKey<M>, Order)> = Vec::new();
        for name in names {
            let (bare, order) =
                name.strip_prefix('-').map_or((*name, Order::Asc), |bare| (bare, Order::Desc));
            if sort.iter().any(|(earlier, _)| earlier.name == bare) {
                let detail =
                    Text::new(format!("«{bare}» دو بار آمده است."), format!("'{bare}' is given twice."));
                return Err(Problem::invalid_query(vec![Violation::query("sort", "repeated", detail)]));
            }
            sort.extend(M::SORT_KEYS.iter().find(|key| key.name == bare).map(|key| (key, order)));
        }
        if let Some(end) = sort.iter().position(|(key, _)| key.name == unique.name) {
            sort.truncate(end + 1);
        } else {
            let order = sort.last().map_or(Order::Asc, |(_, order)| order.clone());
            sort.push((unique, order));
        }
        Ok(sort)
    }

    fn decode(&self, text: &str) -> Option<Vec<SqlValue>> {
        let cursor: Cursor = decoded(text)?;
        if cursor.after.len() != self.sort.len() || cursor.checksum != self.checksum(&cursor.after) {
            return None;
        }
        self.sort.iter().zip(&cursor.after).map(|((key, _), value)| key.kind.from_json(value)).collect()
    }

    /// Reads the page.
    pub async fn fetch<C: ConnectionTrait>(
        &self,
        db: &C,
        select: Select<M::Entity>,
    ) -> Result<Page<M>, Problem>
    where
        M::Entity: EntityTrait<Model = M>,
        M: Sync + Send,
    {
        let total = if self.count { Some(select.clone().count(db).await?) } else { None };
        let mut select = select.limit(self.size + 1);
        for (key, order) in &self.sort {
            select = select.order_by(Expr::cust(key.sql), order.clone());
        }
        if let Some(after) = &self.after {
            select = select.filter(self.past(after));
        }
        let mut rows = select.all(db).await?;
        let has_next = rows.len() as u64 > self.size;
        rows.truncate(self.size as usize);
        let next_cursor = rows.last().filter(|_| has_next).map(|row| self.encode(row));
        Ok(Page { items: rows, next_cursor, total })
    }

    /// Condition for the rows after these values. With one direction it is a row comparison, which one index
    /// answers; with mixed directions the first key bounds the range and the rest is compared key by key.
    fn past(&self, after: &[SqlValue]) -> Condition {
        let expressions: Vec<SimpleExpr> = self.sort.iter().map(|(key, _)| Expr::cust(key.sql)).collect();
        let values: Vec<SimpleExpr> = after.iter().cloned().map(SimpleExpr::from).collect();
        let beyond = |expression: SimpleExpr, value: SimpleExpr, order: &Order| match order {
            Order::Desc => expression.lt(value),
            _ => expression.gt(value),
        };
        let first = &self.sort[0].1;
        if self.sort.iter().all(|(_, order)| order == first) {
            return Condition::all().add(beyond(Expr::tuple(expressions), Expr::tuple(values), first));
        }
        let bound = match first {
            Order::Desc => expressions[0].clone().lte(values[0].clone()),
            _ => expressions[0].clone().gte(values[0].clone()),
        };
        let mut either = Condition::any();
        for (index, (_, order)) in self.sort.iter().enumerate() {
            let equal = (0..index)
                .fold(Condition::all(), |all, i| all.add(expressions[i].clone().eq(values[i].clone())));
            either = either.add(equal.add(beyond(expressions[index].clone(), values[index].clone(), order)));
        }
        Condition::all().add(bound).add(either)
    }

    fn encode(&self, row: &M) -> String {
        let after: Vec<Value> = self.sort.iter().map(|(key, _)| SqlKind::to_json((key.value)(row))).collect();
        let checksum = self.checksum(&after);
        encoded(&json!(Cursor { after, checksum }))
    }

    fn checksum(&self, after: &[Value]) -> String {
        let order: Vec<_> = self.sort.iter().map(|(key, order)| (key.name, *order == Order::Desc)).collect();
        let hash = Sha256::digest(json!([order, self.filters, after]).to_string());
        URL_SAFE_NO_PAD.encode(&hash[..9])
    }
}

/// Encodes a cursor for a query string.
fn encoded(cursor: &Value) -> String {
    URL_SAFE_NO_PAD.encode(cursor.to_string())
}

/// Decodes a cursor; none if malformed.
fn decoded<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

/// The filters of a list: all parameters that select rows. The others may change between pages.
fn filters(query: &Value) -> String {
    const OF_THE_ANSWER: [&str; 9] =
        ["bom", "cursor", "page_size", "count", "fields", "format", "calendar", "sort", "include"];
    let mut filters: Vec<_> = query
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| !OF_THE_ANSWER.contains(&name.as_str()))
        .collect();
    filters.sort_by_key(|(name, _)| name.as_str());
    json!(filters).to_string()
}

impl<M: Listed> IntoParams for Paging<M> {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let integer = |maximum: u64, default: u64| {
            ObjectBuilder::new()
                .schema_type(Type::Integer)
                .minimum(Some(1.0))
                .maximum(Some(maximum as f64))
                .default(Some(json!(default)))
                .build()
        };
        let names = M::SORT_KEYS.iter().flat_map(|key| [key.name.to_owned(), format!("-{}", key.name)]);
        let name = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).build();
        let sort = ArrayBuilder::new()
            .items(name)
            .min_items(Some(1))
            .max_items(Some(M::SORT_KEYS.len()))
            .unique_items(true)
            .build();
        let cursor =
            ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(2000)).build();
        vec![
            parameter("page_size", "How many records a page holds.", integer(MAX_PAGE_SIZE, DEFAULT_PAGE_SIZE)).build(),
            parameter("cursor", "Where to go on: the `next_cursor` of the page before, with the same filters and sort.", cursor).build(),
            parameter("count", "Also tell the `total`. It costs as much as the page itself: ask for it once.",
                Object::with_type(SchemaType::Type(Type::Boolean))).build(),
            parameter("sort", "The order, by one or more keys separated by commas; `-` turns one round. A missing value sorts as the smallest, a missing date as the latest.", sort)
                .style(Some(ParameterStyle::Form)).explode(Some(false)).build(),
        ]
    }
}

pub(super) fn parameter(
    name: &str,
    description: &str,
    schema: impl Into<utoipa::openapi::RefOr<utoipa::openapi::Schema>>,
) -> ParameterBuilder {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(schema))
}
