//! The live project of a cluster, read from the table of projects without depending on its module.

use std::collections::HashMap;

use sea_orm::{
    ConnectionTrait, DbErr, FromQueryResult,
    sea_query::{Alias, Expr, ExprTrait, Query},
};
use serde::Serialize;
use utoipa::{ToSchema, openapi::Ref};
use uuid::Uuid;

use crate::store::{Past, point_in_time};

/// A cluster's live project.
#[derive(Clone, Debug, Serialize, FromQueryResult, ToSchema)]
pub struct CurrentProject {
    #[serde(skip)]
    cluster_id: Uuid,
    /// The id.
    id: Uuid,
    /// The code.
    #[schema(example = "15-P-0001")]
    code: String,
    /// The title in Persian.
    #[schema(example = "پروژهٔ توسعهٔ خوشهٔ سنگ لرستان")]
    title_fa: String,
    /// State of the project.
    #[schema(schema_with = project_state)]
    state: String,
}

/// Schema reference by name, because the type is defined in a dependent module.
fn project_state() -> Ref {
    Ref::from_schema_name("ProjectState")
}

/// The past live project of a cluster.
pub async fn then(
    db: &impl ConnectionTrait,
    cluster: Uuid,
    past: Past,
) -> Result<Option<CurrentProject>, DbErr> {
    let ids = point_in_time::referring(db, "project", "cluster_id", cluster).await?;
    let known = point_in_time::records(db, "project", &["state"], ids, past).await?;
    let mut live = known.into_iter().filter_map(|(id, fields)| {
        let [code, title_fa, state] =
            ["code", "title_fa", "state"].map(|name| point_in_time::text(&fields, name));
        let is_live = !CALM.contains(&state.as_str())
            && point_in_time::text(&fields, "cluster_id") == cluster.to_string();
        is_live.then_some(CurrentProject { cluster_id: cluster, id, code, title_fa, state })
    });
    Ok(live.next())
}

/// States of a project that is not live.
const CALM: [&str; 3] = ["draft", "closed", "terminated"];

/// The live projects of some clusters, in one statement. A unique index allows at most one per cluster.
pub async fn of_clusters(
    db: &impl ConnectionTrait,
    clusters: impl Iterator<Item = Uuid>,
) -> Result<HashMap<Uuid, CurrentProject>, DbErr> {
    let column = |name: &'static str| Expr::col(Alias::new(name));
    let query = Query::select()
        .columns(["cluster_id", "id", "code", "title_fa", "state"].map(Alias::new))
        .from(Alias::new("project"))
        .and_where(column("cluster_id").is_in(clusters))
        .and_where(column("deleted_at").is_null())
        .and_where(column("state").is_not_in(CALM))
        .to_owned();
    let rows = CurrentProject::find_by_statement(db.get_database_backend().build(&query)).all(db).await?;
    Ok(rows.into_iter().map(|row| (row.cluster_id, row)).collect())
}
