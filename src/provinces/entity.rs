//! The table of provinces.

use sea_orm::{Select, Set, entity::prelude::*, sea_query::OnConflict};

use super::{ALL, Province, ProvinceCode, ProvinceFilter};
use crate::{
    http::{SortKey, page::Listed},
    persian::text,
    problem::Problem,
    store::{SqlKind, search::contains},
};

/// A province.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "province")]
pub struct Model {
    /// The code in force.
    #[sea_orm(primary_key, auto_increment = false)]
    pub code: String,
    /// The code before.
    pub code_before_2020_11_24: String,
    /// The name in Persian.
    pub name_fa: String,
    /// The name in English.
    pub name_en: String,
    /// The Persian name in the form that sorts as a dictionary does.
    pub name_order: String,
    /// Both names folded, for search.
    pub folded: String,
}

/// It names nothing itself.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Listed for Model {
    const SORT_KEYS: &'static [SortKey<Self>] = &[
        SortKey::new("name_fa", "province.name_order", SqlKind::Text, |row| row.name_order.as_str().into()),
        SortKey::new("code", "province.code", SqlKind::Text, |row| row.code.as_str().into()),
    ];
}

impl Model {
    /// The representation.
    pub fn view(&self) -> Province {
        Province {
            code: ProvinceCode(self.code.clone()),
            code_before_2020_11_24: self.code_before_2020_11_24.clone(),
            name_fa: self.name_fa.clone(),
            name_en: self.name_en.clone(),
        }
    }
}

/// The provinces that a filter lets through.
pub fn list(filter: &ProvinceFilter) -> Select<Entity> {
    let mut select = Entity::find();
    if let Some(query) = &filter.q {
        select = select.filter(contains(Column::Folded, query));
    }
    if let Some(code) = &filter.code_before_2020_11_24 {
        select = select.filter(Column::CodeBefore20201124.eq(code));
    }
    select
}

/// The province of a code.
pub async fn by_code(db: &impl ConnectionTrait, code: &str) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(code).one(db).await
}

/// Brings the table up to date with the list in the binary.
pub async fn load(db: &impl ConnectionTrait) -> Result<(), Problem> {
    let rows = ALL.iter().map(|province| ActiveModel {
        code: Set(province.code.0.clone()),
        code_before_2020_11_24: Set(province.code_before_2020_11_24.clone()),
        name_fa: Set(province.name_fa.clone()),
        name_en: Set(province.name_en.clone()),
        name_order: Set(text::order(&province.name_fa)),
        folded: Set(text::fold(&format!("{} {}", province.name_fa, province.name_en))),
    });
    let columns =
        [Column::CodeBefore20201124, Column::NameFa, Column::NameEn, Column::NameOrder, Column::Folded];
    let upsert = OnConflict::column(Column::Code).update_columns(columns).to_owned();
    Entity::insert_many(rows).on_conflict(upsert).exec_without_returning(db).await?;
    Ok(())
}
