//! Traits and columns that all records share.

use std::{
    collections::{BTreeSet, HashMap},
    future::Future,
};

use chrono::{DateTime, Utc};
use futures_util::future::LocalBoxFuture;
use sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, ColumnTrait, DatabaseExecutor, EntityTrait, FromQueryResult,
    IntoActiveModel, ModelTrait, Order, QueryFilter, QueryOrder, Select, Value,
    sea_query::{Alias, Condition, Expr, ExprTrait, SimpleExpr},
};
use serde::{Serialize, de::DeserializeOwned};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    ExternalRef, Transaction,
    external_ref::ExternalRefs,
    personal::{self, Apart},
};
use crate::{
    policy::Scope,
    problem::{Problem, Text, Violation},
};

/// Related records that `include=` brings along.
pub struct Include {
    /// The value of the parameter, and the member of the representation.
    pub name: &'static str,
    /// The description in the document.
    pub about: &'static str,
    /// Permission to read records of their kind, required to include them.
    pub permission: &'static str,
}

impl Include {
    /// Included records whose kind `permission` allows to read.
    pub const fn new(name: &'static str, about: &'static str, permission: &'static str) -> Self {
        Self { name, about, permission }
    }
}

/// A row type that is kept with versions, history and tombstones.
pub trait Record:
    ModelTrait<Entity: EntityTrait<Model = Self, ActiveModel = Self::Active>>
    + FromQueryResult
    + IntoActiveModel<Self::Active>
    + Columns
    + 'static
{
    /// The active model of the table.
    type Active: ActiveModelTrait<Entity = Self::Entity> + ActiveModelBehavior + Send;
    /// Representation for clients, made of a row: full, unmasked and without what depends on other records.
    type View: Serialize + Clone + for<'a> From<&'a Self>;

    /// The name in history, change feed and references, such as `cluster`.
    const RESOURCE: &'static str;
    /// The segment of a path that holds the record's id.
    const PATH_PARAMETER: &'static str = "id";
    /// Fields of the representation derived from other records, which the history omits.
    const DERIVED: &'static [&'static str] = &[];
    /// Related records available through `include=`.
    const INCLUDES: &'static [Include] = &[];
    /// For a record below another one: condition that it belongs to the one in `{id}`.
    const PARENT: Option<fn(Uuid) -> SimpleExpr> = None;
    /// Tables and columns whose live rows prevent the deletion of the record.
    const REFERRED_BY: &'static [(&'static str, &'static str)] = &[];
    /// Whether records of no province exist for everybody.
    const NATIONAL_FOR_ALL: bool = false;
    /// Whether unique personal fields are unique per province only, so that nobody learns of values in other
    /// provinces.
    const UNIQUE_IN_PROVINCE: bool = false;
    /// Unique indexes: name, columns as SQLite reports them, and the problem for a violation.
    const UNIQUE: &'static [Unique] = &[];

    /// The full, unmasked representation of the row alone, as the history stores it.
    fn view(&self) -> Self::View {
        self.into()
    }
    /// Condition for the rows within a scope; by default the rows of its province, and national ones if they
    /// exist for all.
    fn visible_to(scope: &Scope) -> Condition {
        let province = (Self::Entity::default(), Alias::new("province"));
        if Self::NATIONAL_FOR_ALL { scope.holds_or_national(province) } else { scope.holds(province) }
    }
    /// The province that the record belongs to; none for a national one.
    fn province(&self) -> Option<&str>;
    /// Its address below `/api/v1`, such as `clusters/{id}`.
    fn address(&self) -> String;
    /// Field and term pairs that the record is found by (see [`super::search`]).
    fn terms(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
    /// The representations of some rows, with derived and included fields, in a constant number of
    /// statements.
    fn views(rows: &[Self], _: &Reading<'_>) -> impl Future<Output = Result<Vec<Self::View>, Problem>> {
        std::future::ready(Ok(rows.iter().map(Self::view).collect()))
    }
    /// The personal values of the row, which are kept in a table of their own (see [`super::personal`]).
    fn apart(&mut self) -> Option<Apart<'_>> {
        None
    }
    /// Removes the personal data from the row at erasure.
    fn erase(&mut self) {}
    /// Hook before a write: computes fields that depend on other records, and validates the rules between
    /// records.
    fn before_write(
        &mut self,
        _before: Option<&Self>,
        _: &Transaction,
    ) -> impl Future<Output = Result<(), Problem>> {
        std::future::ready(Ok(()))
    }
    /// The project whose earned value a change of the record affects; `before` is the former record.
    fn affects_earned_value(&self, _before: Option<&Self>) -> Option<Uuid> {
        None
    }

    /// Validation hook before a soft delete, after the check of [`Record::REFERRED_BY`].
    fn before_delete(&self, _: &Transaction) -> impl Future<Output = Result<(), Problem>> {
        std::future::ready(Ok(()))
    }
    /// Whether a caller of this scope may write the record, which is known to be visible: national records are
    /// kept by national offices.
    fn is_writable_in(&self, scope: &Scope) -> bool {
        scope.province().is_none() || self.province() == scope.province()
    }
    /// The condition that a row is the one with this id.
    fn is(id: Uuid) -> SimpleExpr {
        Expr::col((Self::Entity::default(), Alias::new("id"))).eq(id)
    }
}

/// The fields of an input; implemented by [`macros::record`].
pub trait Fields<R> {
    /// Identifiers of the record in other systems.
    fn external_refs(&mut self) -> &mut ExternalRefs;
    /// The row with the fields of this input.
    fn over(self, row: &R) -> R;
}

/// Input of a record, for creation, merge patch and replacement.
pub trait Input<R>: Fields<R> + Serialize + DeserializeOwned + for<'a> From<&'a R> {
    /// The row with this input. Validates all rules between the fields at once.
    fn onto_row(self, row: &R) -> Result<R, Problem> {
        Ok(self.over(row))
    }
}

/// Context of a read: who reads, and what is included.
pub struct Reading<'a> {
    /// The pool, or the transaction that has just written.
    pub db: DatabaseExecutor<'a>,
    /// The caller's scope.
    pub scope: &'a Scope,
    /// Requested `include=` values.
    pub include: Vec<&'a str>,
}

impl Reading<'_> {
    /// Whether `include=` requests this.
    pub fn includes(&self, name: &str) -> bool {
        self.include.contains(&name)
    }

    /// The included records with these ids that exist for the caller, with derived fields and without includes
    /// of their own; nothing unless `include=` requests them by this name.
    pub async fn included<R: Record>(
        &self,
        name: &str,
        ids: impl IntoIterator<Item = impl Into<Option<Uuid>>>,
    ) -> Result<HashMap<Uuid, R::View>, Problem> {
        if !self.includes(name) {
            return Ok(HashMap::new());
        }
        let ids: BTreeSet<Uuid> = ids.into_iter().filter_map(Into::into).collect();
        let id = Expr::col((R::Entity::default(), Alias::new("id")));
        let mut rows = visible_rows::<R>(self.scope).filter(id.is_in(ids)).all(&self.db).await?;
        personal::reveal(&self.db, &mut rows).await?;
        let plain = Reading { db: self.executor(), scope: self.scope, include: Vec::new() };
        // Boxed, because the representations of a kind may request those of the same kind.
        let views: LocalBoxFuture<'_, _> = Box::pin(R::views(&rows, &plain));
        Ok(rows.iter().map(Columns::id).zip(views.await?).collect())
    }

    fn executor(&self) -> DatabaseExecutor<'_> {
        match &self.db {
            DatabaseExecutor::Connection(pool) => DatabaseExecutor::Connection(pool),
            DatabaseExecutor::Transaction(transaction) => DatabaseExecutor::Transaction(transaction),
            DatabaseExecutor::OwnedTransaction(transaction) => DatabaseExecutor::Transaction(transaction),
        }
    }

    /// The included child records of some parents, whose ids are in a column of them, oldest first, in one
    /// statement.
    pub async fn included_parts<R: Record>(
        &self,
        name: &str,
        parent: <R::Entity as EntityTrait>::Column,
        parents: impl IntoIterator<Item = Uuid>,
    ) -> Result<Parts<R::View>, Problem> {
        if !self.includes(name) {
            return Ok(Parts(None));
        }
        let id = Expr::col((R::Entity::default(), Alias::new("id")));
        let rows = visible_rows::<R>(self.scope).filter(parent.is_in(parents)).order_by(id, Order::Asc);
        let mut found: HashMap<Uuid, Vec<R::View>> = HashMap::new();
        let mut rows = rows.all(&self.db).await?;
        personal::reveal(&self.db, &mut rows).await?;
        for row in rows {
            let Value::Uuid(Some(id)) = row.get(parent) else { continue };
            found.entry(id).or_default().push(row.view());
        }
        Ok(Parts(Some(found)))
    }
}

/// Child records by parent, if they are included.
pub struct Parts<V>(Option<HashMap<Uuid, Vec<V>>>);

impl<V> Parts<V> {
    /// The child records of a parent, perhaps none of them; none if they are not included.
    pub fn of(&mut self, parent: Uuid) -> Option<Vec<V>> {
        self.0.as_mut().map(|found| found.remove(&parent).unwrap_or_default())
    }
}

/// Live rows visible in a scope: the base of every list.
pub fn visible_rows<R: Record>(scope: &Scope) -> Select<R::Entity> {
    let is_alive = Expr::col((R::Entity::default(), Alias::new("deleted_at"))).is_null();
    R::Entity::find().filter(R::visible_to(scope)).filter(is_alive)
}

/// A unique index and the problem for its violation.
pub struct Unique {
    /// The name of the index, which PostgreSQL reports.
    pub index: &'static str,
    /// `table.column, table.column`, which SQLite reports.
    pub columns: &'static str,
    /// The field that has to be unique.
    pub pointer: &'static str,
    /// The code of the broken rule.
    pub code: &'static str,
    /// The broken rule in Persian.
    pub fa: &'static str,
    /// The broken rule in English.
    pub en: &'static str,
}

impl Unique {
    /// The broken rule.
    pub fn violation(&self) -> Violation {
        Violation::body(self.pointer, self.code, Text::new(self.fa, self.en))
    }
}

/// Access to the columns that all records share; implemented by [`macros::record`].
pub trait Columns: Clone + Send + Sync {
    /// The fields of the representation that are days.
    const DAYS: &'static [&'static str];
    /// The fields of the representation that are personal data.
    const PERSONAL: &'static [&'static str];

    /// The id (UUIDv7).
    fn id(&self) -> Uuid;
    /// 1 at creation, one more at each change.
    fn version(&self) -> i64;
    /// Deletion time; none if live.
    fn deleted_at(&self) -> Option<DateTime<Utc>>;
    /// The hash of the newest history entry.
    fn history_hash(&self) -> &str;
    /// Identifiers in other systems.
    fn external_refs(&self) -> &[ExternalRef];
    /// Mutable access to the same columns, for stamping.
    fn columns_mut(&mut self) -> ColumnsMut<'_>;
}

/// Mutable access to the columns that all records share, for stamping at a write.
pub struct ColumnsMut<'a> {
    /// See [`Columns::id`].
    pub id: &'a mut Uuid,
    /// See [`Columns::version`].
    pub version: &'a mut i64,
    /// Creation time.
    pub created_at: &'a mut DateTime<Utc>,
    /// The account that created it.
    pub created_by: &'a mut Uuid,
    /// Time of the last change.
    pub updated_at: &'a mut DateTime<Utc>,
    /// The account that changed it last.
    pub updated_by: &'a mut Uuid,
    /// See [`Columns::deleted_at`].
    pub deleted_at: &'a mut Option<DateTime<Utc>>,
    /// See [`Columns::history_hash`].
    pub history_hash: &'a mut String,
}

/// Fields that all records share.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RecordInfo {
    /// The id, a UUIDv7: later records have greater ids.
    pub id: Uuid,
    /// 1 at creation, one more at each change; the `ETag` is made of it.
    #[schema(minimum = 1, example = 1)]
    pub version: i64,
    /// Creation time in the service.
    pub created_at: DateTime<Utc>,
    /// The account that created it.
    pub created_by: Uuid,
    /// Time of the last change.
    pub updated_at: DateTime<Utc>,
    /// The account that changed it last.
    pub updated_by: Uuid,
    /// Identifiers of the record in other systems.
    pub external_refs: ExternalRefs,
}
