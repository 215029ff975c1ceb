//! Which clusters had been identified by a day, in which state they were then, and who says so.

use std::collections::HashMap;

use actix_web::get;
use chrono::{DateTime, Utc};
use sea_orm::{DatabaseConnection, FromQueryResult, Statement, Value as SqlValue, entity::prelude::*};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{Column, Report};
use crate::{
    auth::{CurrentCaller, Scope},
    clusters::{claims, identified::Precision, rules::State},
    http::{Answer, Database, Problem, Query, Shape, Text, Violation},
    persian::Date,
    provinces::{ALL, ProvinceCode},
    store::{Reading, Record, change_log, now},
};

/// The routes of this report.
pub fn routes(config: &mut ServiceConfig) {
    config.service(get_identified_clusters);
}

/// Its entry in the menu.
pub const REPORT: Report = Report {
    name: "identified-clusters",
    path: "/api/v1/reports/identified-clusters",
    title_fa: "خوشه‌های شناسایی‌شده",
    title_en: "Identified clusters",
    parameters: &["province", "as_of", "known_at", "calendar", "format", "fields"],
    formats: &["json", "csv"],
    columns: &[
        Column { name: "id", title_fa: "شناسهٔ خوشه", title_en: "Id of the cluster" },
        Column { name: "code", title_fa: "کد خوشه", title_en: "Code of the cluster" },
        Column { name: "name_fa", title_fa: "نام خوشه", title_en: "Name of the cluster in Persian" },
        Column { name: "name_en", title_fa: "نام انگلیسی", title_en: "Name of the cluster in English" },
        Column { name: "province", title_fa: "استان", title_en: "Province" },
        Column { name: "primary_isic", title_fa: "رشتهٔ اصلی (ISIC)", title_en: "Primary class of ISIC Rev. 4" },
        Column { name: "state", title_fa: "وضعیت در آن روز", title_en: "State on that day" },
        Column { name: "identified_on", title_fa: "تاریخ شناسایی", title_en: "Day of identification" },
        Column { name: "identified_precision", title_fa: "دقت تاریخ", title_en: "Precision of that day" },
        Column {
            name: "identified_not_later_than", title_fa: "کران بالای تاریخ شناسایی", title_en: "Identified on this day at the latest"
        },
        Column { name: "sources", title_fa: "منابع", title_en: "Sources" },
    ],
};

/// What the report is about.
#[derive(Debug, Deserialize, IntoParams)]
pub struct Parameters {
    /// Any of these provinces; all of the caller's when left out.
    #[param(style = Form, explode = false, min_items = 1, max_items = 31)]
    pub province: Option<Vec<ProvinceCode>>,
    /// The day that the report speaks of; today when left out.
    pub as_of: Option<Date>,
    /// What the service knew at this moment; now when left out. With the same `as_of` and `known_at` the
    /// report says the same for ever.
    pub known_at: Option<DateTime<Utc>>,
}

/// The report.
#[derive(Debug, Serialize, ToSchema)]
pub struct IdentifiedClusters {
    /// The day it speaks of.
    as_of: Date,
    /// What was known at this moment is counted; null for what is known now.
    #[schema(required)]
    known_at: Option<DateTime<Utc>>,
    /// The province that the caller is confined to; null where it sees the nation.
    #[schema(required)]
    scope: Option<ProvinceCode>,
    /// How many clusters there are.
    #[schema(minimum = 0, example = 11)]
    total: usize,
    /// The clusters, by province and name.
    items: Vec<IdentifiedCluster>,
}

/// A cluster that had been identified.
#[derive(Debug, Serialize, ToSchema)]
pub struct IdentifiedCluster {
    /// The cluster.
    id: Uuid,
    /// Its code.
    #[schema(example = "15-0001")]
    code: String,
    /// Its name in Persian.
    #[schema(example = "سنگ")]
    name_fa: String,
    /// Its name in English.
    #[schema(required, example = "Stone")]
    name_en: Option<String>,
    /// Its province.
    province: ProvinceCode,
    /// Its main class of ISIC Rev. 4.
    primary_isic: PrimaryIsic,
    /// Its state on that day.
    state: State,
    /// The day it was identified, or a day in that month, quarter or year: see `identified_precision`.
    #[schema(required, example = json!(null))]
    identified_on: Option<Date>,
    /// How precisely that day is known.
    #[schema(required, example = "not_later_than")]
    identified_precision: Option<Precision>,
    /// The day by which it was identified at the latest: it decides whether the cluster counts.
    identified_not_later_than: Date,
    /// Who says so.
    #[schema(example = json!(["Provincial company: industrial clusters of Lorestan identified up to late 1392"]))]
    sources: Vec<String>,
}

/// A class of ISIC with its title.
#[derive(Debug, Serialize, ToSchema)]
pub struct PrimaryIsic {
    /// The code.
    #[schema(example = "2396")]
    code: String,
    /// The title in English.
    #[schema(example = "Cutting, shaping and finishing of stone")]
    title_en: String,
}

#[derive(Debug, FromQueryResult)]
struct Row {
    id: Uuid,
    code: String,
    name_fa: String,
    name_en: Option<String>,
    province: String,
    isic_code: String,
    isic_title: String,
    state: Option<State>,
    identified_on: Option<String>,
    identified_precision: Option<Precision>,
    identified_not_later_than: String,
}

/// Identified clusters
///
/// The clusters that had been identified by `as_of`. A cluster counts when its identification date, or that
/// date's upper bound, is not after the day, and it was not merged, split or withdrawn by then.
#[utoipa::path(params(Parameters), responses((status = 200, body = IdentifiedClusters)), security(("oauth2" = ["reports:read"])))]
#[get("/reports/identified-clusters")]
pub async fn get_identified_clusters(parameters: Query<Parameters>, caller: CurrentCaller, db: Database, shape: Shape) -> Result<Answer, Problem> {
    shape.items(&report(db.get_ref(), &caller.scope, &parameters).await?)
}

async fn report(db: &DatabaseConnection, scope: &Scope, parameters: &Parameters) -> Result<IdentifiedClusters, Problem> {
    let as_of = parameters.as_of.unwrap_or_else(Date::today_in_iran);
    if parameters.known_at.is_some_and(|moment| moment > now()) {
        let detail = Text::new("این زمان هنوز نرسیده است.", "This moment has not come yet.");
        return Err(Problem::invalid_query(vec![Violation::query("known_at", "in_future", detail)]));
    }
    let sql = clusters_sql(&provinces(scope, parameters), parameters.known_at.is_some());
    let mut values: Vec<SqlValue> = vec![as_of.naive().into(), as_of.naive().to_string().into()];
    values.extend(parameters.known_at.map(SqlValue::from));
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    let rows = Row::find_by_statement(statement).all(db).await?;
    let mut titles = sources(db, rows.iter().map(|row| row.id).collect(), parameters.known_at).await?;
    let items: Vec<_> = rows.into_iter().map(|row| row.into_item(&mut titles)).collect::<Result<_, _>>()?;
    Ok(IdentifiedClusters {
        as_of,
        known_at: parameters.known_at,
        scope: scope.province().map(|code| ProvinceCode(code.to_owned())),
        total: items.len(),
        items,
    })
}

impl Row {
    fn into_item(self, titles: &mut HashMap<Uuid, Vec<String>>) -> Result<IdentifiedCluster, Problem> {
        let day = |text: &str| text.parse::<ChronoDate>().map(Date::from).map_err(Problem::internal);
        Ok(IdentifiedCluster {
            sources: titles.remove(&self.id).unwrap_or_default(),
            id: self.id,
            code: self.code,
            name_fa: self.name_fa,
            name_en: self.name_en,
            province: ProvinceCode(self.province),
            primary_isic: PrimaryIsic { code: self.isic_code, title_en: self.isic_title },
            state: self.state.unwrap_or(State::Candidate),
            identified_on: self.identified_on.as_deref().map(day).transpose()?,
            identified_precision: self.identified_precision,
            identified_not_later_than: day(&self.identified_not_later_than)?,
        })
    }
}

/// The clusters as the tables have them, or as the change log had them at `known_at`: the same columns.
fn clusters_sql(provinces: &str, is_known_at: bool) -> String {
    let (known, event_known) = if is_known_at {
        ("SELECT record_id AS id, province, data->>'code' AS code, data->>'name_fa' AS name_fa, data->>'name_en' AS name_en, \
             data->'isic'->0->>'code' AS primary_isic, data->>'identified_on' AS identified_on, \
             data->>'identified_precision' AS identified_precision, data->>'identified_not_later_than' AS identified_not_later_than \
             FROM change_log l WHERE l.resource = 'cluster' AND l.changed_at <= $3 AND l.kind <> 'deleted' AND NOT EXISTS \
             (SELECT 1 FROM change_log n WHERE n.resource = l.resource AND n.record_id = l.record_id AND n.version > l.version AND n.changed_at <= $3)".to_owned(),
         "AND e.recorded_at <= $3")
    } else {
        (
            "SELECT id, province, code, name_fa, name_en, primary_isic, CAST(identified_on AS text) AS identified_on, \
          identified_precision, CAST(identified_not_later_than AS text) AS identified_not_later_than \
          FROM cluster WHERE deleted_at IS NULL"
                .to_owned(),
            "",
        )
    };
    format!(
        "SELECT * FROM (SELECT c.*, i.code AS isic_code, i.title_en AS isic_title, \
           (SELECT e.to_state FROM status_event e WHERE e.resource = 'cluster' AND e.record_id = c.id \
            AND e.effective_on <= $1 {event_known} ORDER BY e.effective_on DESC, e.id DESC LIMIT 1) AS state \
         FROM ({known}) c JOIN industry i ON i.code = c.primary_isic \
         WHERE c.identified_not_later_than <= $2{provinces}) x \
         WHERE x.state IS NULL OR x.state NOT IN ('merged', 'split', 'withdrawn') ORDER BY x.province, x.code"
    )
}

/// The provinces asked for within the scope, as a condition. Codes come from the code list, never from outside.
fn provinces(scope: &Scope, parameters: &Parameters) -> String {
    let list = |codes: &mut dyn Iterator<Item = &str>| codes.map(|code| format!("'{code}'")).collect::<Vec<_>>().join(", ");
    let known = |code: &&str| ALL.iter().any(|province| province.code.0 == *code);
    let asked = parameters.province.as_ref().map(|codes| list(&mut codes.iter().map(|code| code.0.as_str()).filter(known)));
    let own = scope.province().map(|code| list(&mut std::iter::once(code).filter(known)));
    asked.into_iter().chain(own).map(|codes| format!(" AND c.province IN ({codes})")).collect()
}

/// The titles of the sources of some clusters, in the order in which they were recorded.
async fn sources(db: &DatabaseConnection, clusters: Vec<Uuid>, known_at: Option<DateTime<Utc>>) -> Result<HashMap<Uuid, Vec<String>>, Problem> {
    let mut titles: HashMap<Uuid, Vec<String>> = HashMap::new();
    match known_at {
        None => {
            let reading = Reading { db: db.into(), scope: &Scope::Nation, include: Vec::new() };
            for (cluster, claims) in reading.under(claims::Column::ClusterId, clusters, |claim: &claims::Model| claim.cluster_id).await? {
                titles.insert(cluster, claims.into_iter().map(|claim| claim.source_title).collect());
            }
        }
        Some(moment) => {
            let text = |entry: &change_log::Model, field: &str| entry.data[field].as_str().unwrap_or_default().to_owned();
            for entry in change_log::known_at(claims::Model::RESOURCE, moment).all(db).await? {
                if let Some(cluster) = text(&entry, "cluster_id").parse().ok().filter(|id| clusters.contains(id)) {
                    titles.entry(cluster).or_default().push(text(&entry, "source_title"));
                }
            }
        }
    }
    Ok(titles)
}
