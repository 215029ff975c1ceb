//! The table of industries.

use sea_orm::{Select, Set, entity::prelude::*, sea_query::OnConflict};

use super::{ALL, Industry, IndustryFilter, IsicCode, Level};
use crate::{
    http::{SortKey, page::Listed},
    persian::text,
    problem::Problem,
    store::{SqlKind, search::contains},
};

/// An industry.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "industry")]
pub struct Model {
    /// The code.
    #[sea_orm(primary_key, auto_increment = false)]
    pub code: String,
    /// Its level.
    pub level: Level,
    /// Parent.
    pub parent: Option<String>,
    /// The title in English.
    pub title_en: String,
    /// The title in Persian.
    pub title_fa: Option<String>,
    /// The titles folded, for search.
    pub folded: String,
}

/// It names nothing but itself.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Listed for Model {
    const SORT_KEYS: &'static [SortKey<Self>] =
        &[SortKey::new("code", "industry.code", SqlKind::Text, |row| row.code.as_str().into())];
}

impl Model {
    /// The representation.
    pub fn view(&self) -> Industry {
        Industry {
            code: IsicCode(self.code.clone()),
            level: self.level,
            parent: self.parent.clone().map(IsicCode),
            title_en: self.title_en.clone(),
            title_fa: self.title_fa.clone(),
        }
    }
}

/// The industries that a filter lets through.
pub fn list(filter: &IndustryFilter) -> Select<Entity> {
    let mut select = Entity::find();
    if let Some(level) = filter.level {
        select = select.filter(Column::Level.eq(level));
    }
    if let Some(parent) = &filter.parent {
        select = select.filter(Column::Parent.eq(parent.0.as_str()));
    }
    if let Some(query) = &filter.q {
        select = select.filter(contains(Column::Folded, query));
    }
    select
}

/// The industry of a code.
pub async fn by_code(db: &impl ConnectionTrait, code: &str) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(code).one(db).await
}

/// The industries of some codes, in one query.
pub async fn by_codes(
    db: &impl ConnectionTrait,
    codes: impl IntoIterator<Item = &str>,
) -> Result<Vec<Model>, DbErr> {
    Entity::find().filter(Column::Code.is_in(codes)).all(db).await
}

/// Brings the table up to date with the list in the binary.
pub async fn load(db: &impl ConnectionTrait) -> Result<(), Problem> {
    let columns = [Column::Level, Column::Parent, Column::TitleEn, Column::TitleFa, Column::Folded];
    let upsert = OnConflict::column(Column::Code).update_columns(columns).to_owned();
    for level in [Level::Section, Level::Division, Level::Group, Level::Class] {
        let rows = ALL.iter().filter(|industry| industry.level == level).map(|industry| ActiveModel {
            code: Set(industry.code.0.clone()),
            level: Set(level),
            parent: Set(industry.parent.clone().map(|parent| parent.0)),
            title_en: Set(industry.title_en.clone()),
            title_fa: Set(industry.title_fa.clone()),
            folded: Set(text::fold(&format!(
                "{} {}",
                industry.title_en,
                industry.title_fa.as_deref().unwrap_or_default()
            ))),
        });
        Entity::insert_many(rows).on_conflict(upsert.clone()).exec_without_returning(db).await?;
    }
    Ok(())
}
