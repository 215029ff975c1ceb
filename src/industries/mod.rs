//! Industries according to ISIC Rev. 4, a code list embedded in the binary (`data/isic4.csv`).

pub mod classes;
pub mod entity;

use std::{collections::BTreeSet, sync::LazyLock};

use actix_web::get;
use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, schema::Type},
};

use crate::{
    http::{Answer, Database, Page, Paging, Query, Routes, Shape},
    problem::{Problem, problem_types},
};

/// The routes of this resource.
pub fn routes(config: &mut Routes<'_>) {
    config.service(list_industries).service(get_industry);
}

/// An industry: a section, division, group or class of ISIC Rev. 4.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Industry {
    /// The code: a letter for a section, two digits for a division, three for a group, four for a class.
    pub code: IsicCode,
    /// Level in the classification.
    #[schema(example = "class")]
    pub level: Level,
    /// Code of the parent; null for sections.
    #[schema(required)]
    pub parent: Option<IsicCode>,
    /// Title in English, as published by the United Nations Statistics Division.
    #[schema(example = "Cutting, shaping and finishing of stone")]
    pub title_en: String,
    /// The title in Persian, where there is one.
    #[schema(required)]
    #[serde(default)]
    pub title_fa: Option<String>,
}

/// The levels of ISIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// A letter.
    Section,
    /// Two digits.
    Division,
    /// Three digits.
    Group,
    /// Four digits: the classification of clusters and enterprises.
    Class,
}

/// The code of a class of ISIC Rev. 4.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IsicClass(pub String);

impl PartialSchema for IsicClass {
    fn schema() -> RefOr<Schema> {
        let codes = ALL
            .iter()
            .filter(|industry| industry.level == Level::Class)
            .map(|industry| industry.code.0.clone());
        ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(codes))
            .examples([serde_json::json!("2396")])
            .description(Some(
                "The code of a class of ISIC Rev. 4, four digits; see `/industries?level=class`.",
            ))
            .into()
    }
}

impl ToSchema for IsicClass {}

/// The code of an industry of any level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IsicCode(pub String);

impl PartialSchema for IsicCode {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(ALL.iter().map(|industry| industry.code.0.clone())))
            .examples([serde_json::json!("23")])
            .description(Some(
                "A code of ISIC Rev. 4 of any level: `C`, `23`, `239` or `2396`; see `/industries`.",
            ))
            .into()
    }
}

impl ToSchema for IsicCode {}

/// The industries, as the file lists them: parents before children.
pub static ALL: LazyLock<Vec<Industry>> = LazyLock::new(|| {
    let file = include_str!("../../data/isic4.csv");
    csv::Reader::from_reader(file.as_bytes()).deserialize().filter_map(Result::ok).collect()
});

/// Prefixes of the classes under a code of any level: its divisions for a section, otherwise the code itself.
fn class_prefixes(code: &str) -> Vec<&str> {
    let divisions: Vec<&str> = ALL
        .iter()
        .filter(|industry| {
            industry.parent.as_ref().is_some_and(|parent| parent.0 == code)
                && industry.level == Level::Division
        })
        .map(|i| i.code.0.as_str())
        .collect();
    if divisions.is_empty() {
        ALL.iter().filter(|industry| industry.code.0 == code).map(|i| i.code.0.as_str()).collect()
    } else {
        divisions
    }
}

/// The beginnings of the classes under any of some codes, none of them within another.
pub fn prefixes_of(codes: &[IsicCode]) -> Vec<&str> {
    let all: BTreeSet<&str> = codes.iter().flat_map(|code| class_prefixes(&code.0)).collect();
    all.iter()
        .copied()
        .filter(|code| !all.iter().any(|other| code != other && code.starts_with(*other)))
        .collect()
}

/// Filters of the list of industries.
#[derive(Debug, Deserialize, IntoParams)]
pub struct IndustryFilter {
    /// One level of the tree.
    #[param(inline)]
    pub level: Option<Level>,
    /// The children of this code.
    pub parent: Option<IsicCode>,
    /// Part of the title.
    #[param(max_length = 100, pattern = "[\\p{L}\\p{N}]")]
    pub q: Option<String>,
}

/// List industries
///
/// ISIC Rev. 4, 766 codes. Walk the tree with `parent`, starting from `level=section`, or search the titles.
#[utoipa::path(params(IndustryFilter, Paging<entity::Model>), responses((status = 200, body = Page<Industry>)), security(("oauth2" = ["reference:read"])))]
#[get("/industries")]
pub async fn list_industries(
    filter: Query<IndustryFilter>,
    paging: Paging<entity::Model>,
    db: Database,
    shape: Shape,
) -> Result<Answer, Problem> {
    let page = paging.fetch(db.get_ref(), entity::list(&filter)).await?;
    let views = page.items.iter().map(entity::Model::view).collect();
    shape.page(&page.with(views))
}

/// Read an industry
#[utoipa::path(params(("code" = String, Path, description = "The code", example = "2396")), responses((status = 200, body = Industry)), security(("oauth2" = ["reference:read"])))]
#[get("/industries/{code}")]
pub async fn get_industry(
    code: actix_web::web::Path<String>,
    db: Database,
    shape: Shape,
) -> Result<Answer, Problem> {
    let row =
        entity::by_code(db.get_ref(), &code).await?.ok_or_else(|| Problem::new(&problem_types::NOT_FOUND))?;
    shape.value(&row.view())
}
