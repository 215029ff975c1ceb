//! The 31 provinces, a code list embedded in the binary (`data/provinces.csv`).

pub mod entity;

pub use crate::values::ProvinceCode;

use std::{collections::HashMap, sync::LazyLock};

use actix_web::get;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    checks,
    http::{Answer, Database, Page, Paging, Query, Routes, Shape},
    persian::text,
    problem::{Problem, problem_types},
    values::PROVINCES,
};

/// The routes of this resource.
pub fn routes(config: &mut Routes<'_>) {
    config.service(list_provinces).service(get_province);
}

/// A province.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Province {
    /// The code in force since 2020-11-24.
    pub code: ProvinceCode,
    /// Former code: the same letters may have meant another province then.
    #[schema(pattern = "^IR-[0-9]{2}$", example = "IR-20")]
    pub code_before_2020_11_24: String,
    /// The name in Persian.
    #[schema(example = "لرستان")]
    pub name_fa: String,
    /// The name in English.
    #[schema(example = "Lorestan")]
    pub name_en: String,
}

/// A record refers to another one of its own province, or to a national one; 422 at `pointer` otherwise.
pub fn check_same(own: &str, other: Option<&str>, pointer: &str) -> Result<(), Problem> {
    checks::all_or_none(checks::same_province(own, other, pointer).into_iter().collect())
}

/// The codes as text.
pub fn codes(list: &[ProvinceCode]) -> impl Iterator<Item = &str> {
    list.iter().map(|code| code.0.as_str())
}

/// The provinces, as the file lists them.
pub static ALL: LazyLock<Vec<Province>> = LazyLock::new(|| {
    csv::Reader::from_reader(PROVINCES.as_bytes()).deserialize().filter_map(Result::ok).collect()
});

/// The province of a Persian or English name, however its letters are written.
pub fn named(name: &str) -> Option<&'static Province> {
    static BY_NAME: LazyLock<HashMap<String, &Province>> = LazyLock::new(|| {
        let names = |province: &'static Province| {
            [&province.name_fa, &province.name_en].map(|name| (text::key(name), province))
        };
        ALL.iter().flat_map(names).collect()
    });
    BY_NAME.get(&text::key(name)).copied()
}

/// Filters of the list of provinces.
#[derive(Debug, Deserialize, IntoParams)]
pub struct ProvinceFilter {
    /// Part of the Persian or English name.
    #[param(max_length = 100, pattern = "[\\p{L}\\p{N}]")]
    pub q: Option<String>,
    /// The code before 2020-11-24, to translate an old one.
    #[param(pattern = "^IR-[0-9]{2}$")]
    pub code_before_2020_11_24: Option<String>,
}

/// List provinces
///
/// The 31 provinces with their codes of today and of before 2020-11-24. Take care: IR-15 was Kerman and is
/// Lorestan now.
#[utoipa::path(params(ProvinceFilter, Paging<entity::Model>), responses((status = 200, body = Page<Province>)), security(("oauth2" = ["reference:read"])))]
#[get("/provinces")]
pub async fn list_provinces(
    filter: Query<ProvinceFilter>,
    paging: Paging<entity::Model>,
    db: Database,
    shape: Shape,
) -> Result<Answer, Problem> {
    let page = paging.fetch(db.get_ref(), entity::list(&filter)).await?;
    let views = page.items.iter().map(entity::Model::view).collect();
    shape.page(&page.with(views))
}

/// Read a province
#[utoipa::path(params(("code" = String, Path, description = "The code in force", example = "IR-15")), responses((status = 200, body = Province)), security(("oauth2" = ["reference:read"])))]
#[get("/provinces/{code}")]
pub async fn get_province(
    code: actix_web::web::Path<String>,
    db: Database,
    shape: Shape,
) -> Result<Answer, Problem> {
    let row =
        entity::by_code(db.get_ref(), &code).await?.ok_or_else(|| Problem::new(&problem_types::NOT_FOUND))?;
    shape.value(&row.view())
}
