//! What every record has and says of itself.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, EntityTrait, FromQueryResult, IntoActiveModel, ModelTrait, QueryFilter, Select,
    sea_query::{Alias, Condition, Expr, ExprTrait, SimpleExpr},
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{ExternalRef, external_ref::ExternalRefs};
use crate::{auth::Scope, http::Violation};

/// A row type that is kept with versions, history and tombstones.
pub trait Record:
    ModelTrait<Entity: EntityTrait<Model = Self, ActiveModel = Self::Active>> + FromQueryResult + IntoActiveModel<Self::Active> + Columns + 'static
{
    /// The active model of the table.
    type Active: ActiveModelTrait<Entity = Self::Entity> + ActiveModelBehavior + Send;
    /// The representation that clients see.
    type View: Serialize;

    /// The name in history, change feed and references, such as `cluster`.
    const RESOURCE: &'static str;
    /// The segment of a path that holds the record's id.
    const PATH_PARAMETER: &'static str = "id";
    /// The fields of the representation that are days.
    const DAYS: &'static [&'static str] = &[];
    /// For a record under another: the condition that it belongs to the one in `{id}`.
    const PARENT: Option<fn(Uuid) -> SimpleExpr> = None;
    /// What each unique index means to a client: its name, its columns as SQLite tells them, the problem.
    const UNIQUE: &'static [Unique] = &[];

    /// The representation in full, whoever may see it.
    fn view(&self) -> Self::View;
    /// Which rows a scope holds.
    fn visible_to(scope: &Scope) -> Condition;
    /// The province that the record belongs to; none for a national one.
    fn province(&self) -> Option<&str>;
    /// Field and term pairs that the record is found by (see [`super::search`]).
    fn terms(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
    /// The condition that a row is the one with this id.
    fn is(id: Uuid) -> SimpleExpr {
        Expr::col((Self::Entity::default(), Alias::new("id"))).eq(id)
    }
}

/// The live rows that exist for a scope: where every list begins.
pub fn visible_rows<R: Record>(scope: &Scope) -> Select<R::Entity> {
    let is_alive = Expr::col((R::Entity::default(), Alias::new("deleted_at"))).is_null();
    R::Entity::find().filter(R::visible_to(scope)).filter(is_alive)
}

/// A unique index and what its violation means.
pub struct Unique {
    /// Its name, which PostgreSQL tells.
    pub index: &'static str,
    /// `table.column, table.column`, which SQLite tells.
    pub columns: &'static str,
    /// The broken rule.
    pub violation: fn() -> Violation,
}

/// Access to the columns that every record has; implemented by [`crate::record_columns`].
pub trait Columns: Clone + Send + Sync {
    /// The id (UUIDv7).
    fn id(&self) -> Uuid;
    /// 1 at creation, one more at each change.
    fn version(&self) -> i64;
    /// When it was deleted, if it was.
    fn deleted_at(&self) -> Option<DateTime<Utc>>;
    /// The hash of the newest history entry.
    fn history_hash(&self) -> &str;
    /// The names that other systems have for it.
    fn external_refs(&self) -> &[ExternalRef];
    /// The same columns, to be stamped.
    fn columns_mut(&mut self) -> ColumnsMut<'_>;
}

/// The columns that every record has, to be stamped at a write.
pub struct ColumnsMut<'a> {
    /// See [`Columns::id`].
    pub id: &'a mut Uuid,
    /// See [`Columns::version`].
    pub version: &'a mut i64,
    /// When it was created.
    pub created_at: &'a mut DateTime<Utc>,
    /// Which account created it.
    pub created_by: &'a mut Uuid,
    /// When it was last changed.
    pub updated_at: &'a mut DateTime<Utc>,
    /// Which account changed it last.
    pub updated_by: &'a mut Uuid,
    /// See [`Columns::deleted_at`].
    pub deleted_at: &'a mut Option<DateTime<Utc>>,
    /// See [`Columns::history_hash`].
    pub history_hash: &'a mut String,
}

/// Implements [`Columns`] for a model, and [`RecordInfo`]'s conversion from it.
#[macro_export]
macro_rules! record_columns {
    ($model:ty) => {
        impl $crate::store::Columns for $model {
            fn id(&self) -> uuid::Uuid {
                self.id
            }
            fn version(&self) -> i64 {
                self.version
            }
            fn deleted_at(&self) -> Option<chrono::DateTime<chrono::Utc>> {
                self.deleted_at
            }
            fn history_hash(&self) -> &str {
                &self.history_hash
            }
            fn external_refs(&self) -> &[$crate::store::ExternalRef] {
                &self.external_refs.0
            }
            fn columns_mut(&mut self) -> $crate::store::ColumnsMut<'_> {
                $crate::store::ColumnsMut {
                    id: &mut self.id,
                    version: &mut self.version,
                    created_at: &mut self.created_at,
                    created_by: &mut self.created_by,
                    updated_at: &mut self.updated_at,
                    updated_by: &mut self.updated_by,
                    deleted_at: &mut self.deleted_at,
                    history_hash: &mut self.history_hash,
                }
            }
        }

        impl From<&$model> for $crate::store::RecordInfo {
            fn from(row: &$model) -> Self {
                Self {
                    id: row.id,
                    version: row.version,
                    created_at: row.created_at,
                    created_by: row.created_by,
                    updated_at: row.updated_at,
                    updated_by: row.updated_by,
                    external_refs: row.external_refs.clone(),
                }
            }
        }
    };
}

/// What every record tells of itself.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RecordInfo {
    /// The id, a UUIDv7: later records have greater ids.
    pub id: Uuid,
    /// 1 at creation, one more at each change; the `ETag` is made of it.
    #[schema(minimum = 1, example = 1)]
    pub version: i64,
    /// When the service learned of it.
    pub created_at: DateTime<Utc>,
    /// The account that created it.
    pub created_by: Uuid,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// The account that changed it last.
    pub updated_by: Uuid,
    /// What other systems call it.
    pub external_refs: ExternalRefs,
}
