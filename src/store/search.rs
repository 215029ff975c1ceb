//! The terms that records are found by: words of their names by prefix, and codes such as ISIC classes.
//!
//! One table with one index serves every resource on both databases, without a `LIKE '%…%'` that would
//! have to read everything.

use sea_orm::{
    entity::prelude::*,
    sea_query::{Alias, Condition, ExprTrait, LikeExpr, Query, SimpleExpr},
};

use super::Record;
use crate::persian::text;

/// One term of one record.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "search_term")]
pub struct Model {
    /// Which kind of record.
    #[sea_orm(primary_key, auto_increment = false)]
    pub resource: String,
    /// What the term is: `word`, `isic`, `county`, …
    #[sea_orm(primary_key, auto_increment = false)]
    pub field: String,
    /// The term, folded where it is text.
    #[sea_orm(primary_key, auto_increment = false)]
    pub term: String,
    /// The record.
    #[sea_orm(primary_key, auto_increment = false)]
    pub record_id: Uuid,
}

/// It stands alone.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The field that `q=` searches.
pub const WORD: &str = "word";

/// The rows that have a word beginning with each word of the query.
pub fn matches<R: Record>(query: &str) -> Condition {
    text::query_words(query).iter().fold(Condition::all(), |all, word| all.add(has_prefix::<R>(WORD, &[word])))
}

/// The rows that have, in one field, a term beginning with any of the prefixes.
pub fn has_prefix<R: Record>(field: &str, prefixes: &[impl AsRef<str>]) -> SimpleExpr {
    let any = prefixes
        .iter()
        .map(AsRef::as_ref)
        .fold(Condition::any(), |any, prefix| any.add(Column::Term.gte(prefix).and(Column::Term.lt(format!("{prefix}\u{10FFFF}")))));
    has_term::<R>(field, any)
}

/// The rows that have, in one field, exactly one of the terms.
pub fn has_any<R: Record>(field: &str, terms: impl IntoIterator<Item = String>) -> SimpleExpr {
    has_term::<R>(field, Condition::all().add(Column::Term.is_in(terms)))
}

fn has_term<R: Record>(field: &str, condition: Condition) -> SimpleExpr {
    let found = Query::select()
        .column(Column::RecordId)
        .from(Entity)
        .and_where(Column::Resource.eq(R::RESOURCE))
        .and_where(Column::Field.eq(field))
        .cond_where(condition)
        .to_owned();
    Expr::col((R::Entity::default(), Alias::new("id"))).in_subquery(found)
}

/// A column of folded text contains the folded query. For code lists of fixed size only: it reads them whole.
pub fn contains(column: impl ColumnTrait, query: &str) -> SimpleExpr {
    let escaped = text::fold(query).replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    column.like(LikeExpr::new(format!("%{escaped}%")).escape('\\'))
}
