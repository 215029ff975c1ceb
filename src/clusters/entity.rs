//! The table of clusters, and what is asked of it.

use sea_orm::{
    FromJsonQueryResult, Select,
    entity::prelude::*,
    sea_query::{Condition, ExprTrait, SimpleExpr},
};
use serde::{Deserialize, Serialize};

use super::{
    dto::{Cluster, ClusterFilter, Isic},
    identified::Precision,
    rules::State,
};
use crate::{
    auth::Scope,
    http::{Problem, SortKey, Text, Violation, page::Listed},
    industries::class_prefixes,
    persian::{Date, text},
    store::{
        ExternalRef, Record, SqlKind,
        external_ref::{self, ExternalRefs},
        record::Unique,
        search, visible_rows,
    },
    values::Name,
};

/// A cluster.
#[derive(Clone, Debug, Default, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "cluster")]
pub struct Model {
    /// See [`crate::store::Columns`], as for the columns below.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Its version.
    pub version: i64,
    /// When it was created.
    pub created_at: DateTimeUtc,
    /// By which account.
    pub created_by: Uuid,
    /// When it was last changed.
    pub updated_at: DateTimeUtc,
    /// By which account.
    pub updated_by: Uuid,
    /// When it was deleted.
    pub deleted_at: Option<DateTimeUtc>,
    /// What other systems call it.
    pub external_refs: ExternalRefs,
    /// The hash of its newest history entry.
    pub history_hash: String,
    /// Its code.
    pub code: String,
    /// Its Persian name as given.
    pub name_fa: String,
    /// Its English name.
    pub name_en: Option<String>,
    /// The Persian name in the form that is unique in a province.
    pub name_key: String,
    /// The Persian name in the form that sorts as a dictionary does.
    pub name_order: String,
    /// Its other names.
    pub aliases: Texts,
    /// The code of its province.
    pub province: String,
    /// Its counties.
    pub counties: Texts,
    /// Degrees north (WGS 84).
    pub latitude: Option<f64>,
    /// Degrees east (WGS 84).
    pub longitude: Option<f64>,
    /// What it makes and offers.
    pub products: Texts,
    /// Its classes of ISIC, the primary one first.
    pub isic: Classes,
    /// The primary class.
    pub primary_isic: String,
    /// Where it stands.
    pub state: State,
    /// The day it was identified, or a day in that month, quarter or year.
    pub identified_on: Option<ChronoDate>,
    /// How precisely that is known.
    pub identified_precision: Option<Precision>,
    /// The day by which it was identified at the latest.
    pub identified_not_later_than: Option<ChronoDate>,
    /// Persons employed.
    pub employment_total: Option<i32>,
    /// Women among them.
    pub employment_female: Option<i32>,
    /// Turnover in a year, in rials.
    pub annual_turnover_irr: Option<i64>,
    /// Exports in a year, in US dollars.
    pub export_usd: Option<i64>,
}

/// Its province and its primary industry are code lists; nothing is read through them.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

crate::record_columns!(Model);

/// Several texts in a column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Texts(pub Vec<Name>);

/// Several classes of ISIC in a column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub struct Classes(pub Vec<Isic>);

impl Record for Model {
    type Active = ActiveModel;
    type View = Cluster;

    const RESOURCE: &'static str = "cluster";
    const DAYS: &'static [&'static str] = &["identified_on", "identified_not_later_than"];
    const UNIQUE: &'static [Unique] = &[
        Unique {
            index: "cluster_name",
            columns: "cluster.province, cluster.name_key",
            violation: || {
                Violation::body(
                    "/name_fa",
                    "duplicate",
                    Text::new(
                        "در این استان خوشه‌ای با همین نام هست (با چشم‌پوشی از فاصله و شکل حروف).",
                        "The province has a cluster of this name already (spaces and letter forms aside).",
                    ),
                )
            },
        },
        Unique {
            index: "cluster_code",
            columns: "cluster.code",
            violation: || Violation::body("/code", "duplicate", Text::new("این کد آزاد نیست.", "This code is not free.")),
        },
    ];

    fn view(&self) -> Cluster {
        Cluster::from(self)
    }

    fn visible_to(scope: &Scope) -> Condition {
        scope.holds((Entity, Column::Province))
    }

    fn province(&self) -> Option<&str> {
        Some(&self.province)
    }

    fn terms(&self) -> Vec<(&'static str, String)> {
        let more = self.aliases.0.iter().chain(&self.products.0).map(|name| &name.0);
        let names = [&self.name_fa, &self.code].into_iter().chain(&self.name_en).chain(more);
        let words = names.flat_map(|name| text::words(name)).map(|word| (search::WORD, word));
        let classes = self.isic.0.iter().map(|class| (ISIC, class.code.0.clone()));
        let counties = self.counties.0.iter().map(|county| (COUNTY, text::key(&county.0)));
        words.chain(classes).chain(counties).collect()
    }
}

const ISIC: &str = "isic";
const COUNTY: &str = "county";

impl Listed for Model {
    const SORT_KEYS: &'static [SortKey<Self>] = &[
        SortKey { name: "name_fa", sql: "cluster.name_order", kind: SqlKind::Text, value: |row| row.name_order.as_str().into() },
        SortKey { name: "code", sql: "cluster.code", kind: SqlKind::Text, value: |row| row.code.as_str().into() },
        SortKey { name: "province", sql: "cluster.province", kind: SqlKind::Text, value: |row| row.province.as_str().into() },
        SortKey { name: "state", sql: "cluster.state", kind: SqlKind::Text, value: |row| row.state.name().into() },
        SortKey { name: "created_at", sql: "cluster.created_at", kind: SqlKind::Timestamp, value: |row| row.created_at.into() },
        SortKey { name: "updated_at", sql: "cluster.updated_at", kind: SqlKind::Timestamp, value: |row| row.updated_at.into() },
        SortKey {
            name: "identified_not_later_than",
            sql: "COALESCE(cluster.identified_not_later_than, '9999-12-31')",
            kind: SqlKind::Date,
            value: |row| row.identified_not_later_than.or(ChronoDate::from_ymd_opt(9999, 12, 31)).into(),
        },
        SortKey {
            name: "employment_total",
            sql: "COALESCE(cluster.employment_total, -1)",
            kind: SqlKind::Integer,
            value: |row| i64::from(row.employment_total.unwrap_or(-1)).into(),
        },
        SortKey {
            name: "annual_turnover_irr",
            sql: "COALESCE(cluster.annual_turnover_irr, -1)",
            kind: SqlKind::Integer,
            value: |row| row.annual_turnover_irr.unwrap_or(-1).into(),
        },
        SortKey {
            name: "export_usd",
            sql: "COALESCE(cluster.export_usd, -1)",
            kind: SqlKind::Integer,
            value: |row| row.export_usd.unwrap_or(-1).into(),
        },
        SortKey { name: "id", sql: "cluster.id", kind: SqlKind::Uuid, value: |row| row.id.into() },
    ];
}

/// The clusters in a scope that a filter lets through.
pub fn list(scope: &Scope, filter: &ClusterFilter) -> Result<Select<Entity>, Problem> {
    let mut conditions: Vec<SimpleExpr> = Vec::new();
    if let Some(states) = &filter.state {
        conditions.push(Column::State.is_in(states.iter().copied()));
    }
    if let Some(provinces) = &filter.province {
        conditions.push(Column::Province.is_in(provinces.iter().map(|province| province.0.as_str())));
    }
    if let Some(codes) = &filter.isic {
        let prefixes: Vec<&str> = codes.iter().flat_map(|code| class_prefixes(&code.0)).collect();
        conditions.push(search::has_prefix::<Model>(ISIC, &prefixes));
    }
    if let Some(counties) = &filter.county {
        conditions.push(search::has_any::<Model>(COUNTY, counties.iter().map(|county| text::key(&county.0))));
    }
    if let Some(day) = filter.identified_by {
        conditions.push(Expr::cust("COALESCE(cluster.identified_not_later_than, '9999-12-31')").lte(Date::naive(day)));
    }
    if let Some(since) = filter.updated_since {
        conditions.push(Column::UpdatedAt.gte(since));
    }
    let mut all = conditions.into_iter().fold(Condition::all(), Condition::add);
    if let Some(query) = &filter.q {
        all = all.add(search::matches::<Model>(query)?);
    }
    Ok(visible_rows::<Model>(scope).filter(all))
}

/// The cluster that another system calls so, if it lies within the scope and is not deleted.
pub async fn by_reference(db: &impl ConnectionTrait, scope: &Scope, reference: &ExternalRef) -> Result<Option<Model>, DbErr> {
    let found = external_ref::record_ids(Model::RESOURCE, reference);
    visible_rows::<Model>(scope).filter(Column::Id.in_subquery(found)).one(db).await
}

/// Whether a cluster has this code, or had it when it was deleted.
pub async fn has_code(db: &impl ConnectionTrait, code: &str) -> Result<bool, DbErr> {
    Ok(Entity::find().filter(Column::Code.eq(code)).count(db).await? > 0)
}
