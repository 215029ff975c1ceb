//! Search terms of records: words of their names by prefix, and codes such as ISIC classes.
//!
//! One table with one index serves all resources on both databases, without full scans by `LIKE '%…%'`.

use std::collections::BTreeSet;

use sea_orm::{
    Set,
    entity::prelude::*,
    sea_query::{Alias, Condition, ExprTrait, LikeExpr, Query, SelectStatement, SimpleExpr},
};

use super::Record;
use crate::{
    persian::text,
    problem::{Problem, Text, Violation},
};

/// One term of one record.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "search_term")]
pub struct Model {
    /// The kind of record.
    #[sea_orm(primary_key, auto_increment = false)]
    pub resource: String,
    /// The type of the term: `word`, `isic`, `county`, …
    #[sea_orm(primary_key, auto_increment = false)]
    pub field: String,
    /// The term; text is folded.
    #[sea_orm(primary_key, auto_increment = false)]
    pub term: String,
    /// The record.
    #[sea_orm(primary_key, auto_increment = false)]
    pub record_id: Uuid,
}

/// No relations.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The field that `q=` searches.
pub const WORD: &str = "word";

/// Maximum number of query words looked up: each costs an index lookup.
const MOST_WORDS: usize = 12;

/// Maximum number of characters of a term. PostgreSQL's index takes about 2,700 bytes of a row; longer words
/// are stored and looked up truncated.
const LONGEST_TERM: usize = 100;

fn short(term: impl Into<String>) -> String {
    let mut term = term.into();
    if let Some((end, _)) = term.char_indices().nth(LONGEST_TERM) {
        term.truncate(end);
    }
    term
}

/// The terms of some names and codes, as far as there are any.
pub fn words<'a>(names: impl IntoIterator<Item = Option<&'a String>>) -> Vec<(&'static str, String)> {
    names.into_iter().flatten().flat_map(|name| text::words(name)).map(|word| (WORD, word)).collect()
}

/// The terms of a record, each once.
pub fn terms_of<R: Record>(row: &R) -> BTreeSet<(&'static str, String)> {
    row.terms().into_iter().map(|(field, term)| (field, short(term))).collect()
}

/// The terms of a record as rows.
pub fn of_record<R: Record>(row: &R) -> Vec<ActiveModel> {
    let term = |(field, term): (&'static str, String)| ActiveModel {
        resource: Set(R::RESOURCE.to_owned()),
        field: Set(field.to_owned()),
        term: Set(term),
        record_id: Set(row.id()),
    };
    terms_of(row).into_iter().map(term).collect()
}

/// The rows that have a word beginning with each word of the query. A query without a word finds nothing.
pub fn matches<R: Record>(query: &str) -> Result<Condition, Problem> {
    let words: BTreeSet<String> = text::query_words(query).into_iter().collect();
    if words.len() > MOST_WORDS {
        let detail = Text::new(
            format!("حداکثر {MOST_WORDS} واژه جست‌وجو می‌شود."),
            format!("At most {MOST_WORDS} words are searched for."),
        );
        return Err(Problem::invalid_query(vec![Violation::query("q", "too_many_words", detail)]));
    }
    if words.is_empty() {
        return Ok(Condition::all().add(Expr::cust("1 = 0")));
    }
    Ok(words.iter().fold(Condition::all(), |all, word| all.add(has_prefix::<R>(WORD, &[word]))))
}

/// The rows that have, in one field, a term beginning with any of the prefixes.
pub fn has_prefix<R: Record>(field: &str, prefixes: &[impl AsRef<str>]) -> SimpleExpr {
    let ranges: Vec<(String, String)> = prefixes
        .iter()
        .map(|prefix| short(prefix.as_ref()))
        .map(|prefix| (prefix.clone(), format!("{prefix}\u{10FFFF}")))
        .collect();
    let mut found = terms(R::RESOURCE, field);
    match &ranges[..] {
        [] => found.and_where(Expr::cust("1 = 0")),
        [(from, to)] => {
            found.and_where(Column::Term.gte(from.as_str())).and_where(Column::Term.lt(to.as_str()))
        }
        // A table of ranges, because SQLite limits the depth of alternatives.
        _ => {
            let bound = |column: &'static str| Expr::col((RANGES, column));
            let term = || Expr::col((Entity, Column::Term));
            found
                .from_values(ranges, RANGES)
                .and_where(term().gte(bound("column1")))
                .and_where(term().lt(bound("column2")))
        }
    };
    is_among::<R>(found)
}

/// The rows that have, in one field, exactly one of the terms.
pub fn has_any<R: Record>(field: &str, any: impl IntoIterator<Item = String>) -> SimpleExpr {
    let mut found = terms(R::RESOURCE, field);
    found.and_where(Column::Term.is_in(any.into_iter().map(short)));
    is_among::<R>(found)
}

/// The name of the ranges of terms in a statement.
const RANGES: &str = "ranges";

/// The records of the terms of a field.
fn terms(resource: &str, field: &str) -> SelectStatement {
    let mut found = Query::select();
    found
        .column((Entity, Column::RecordId))
        .from(Entity)
        .and_where(Column::Resource.eq(resource))
        .and_where(Column::Field.eq(field));
    found
}

fn is_among<R: Record>(found: SelectStatement) -> SimpleExpr {
    Expr::col((R::Entity::default(), Alias::new("id"))).in_subquery(found)
}

/// A column of folded text contains the folded query. For code lists of fixed size only: it reads them whole.
pub fn contains(column: impl ColumnTrait, query: &str) -> SimpleExpr {
    let folded = text::fold(query);
    if folded.is_empty() {
        return Expr::cust("1 = 0");
    }
    let escaped = folded.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    column.like(LikeExpr::new(format!("%{escaped}%")).escape('\\'))
}
