//! The live project of a cluster, read from the table of projects without knowing more of them.

use std::collections::HashMap;

use sea_orm::{
    ConnectionTrait, DbErr, FromQueryResult,
    sea_query::{Alias, Expr, ExprTrait, Query},
};
use serde::Serialize;
use utoipa::{ToSchema, openapi::Ref};
use uuid::Uuid;

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
    /// Where it stands.
    #[schema(schema_with = project_state)]
    state: String,
}

/// By name: the type itself belongs to those who come after clusters.
fn project_state() -> Ref {
    Ref::from_schema_name("ProjectState")
}

/// The live projects of some clusters, in one statement. A unique index leaves each at most one.
pub async fn of_clusters(db: &impl ConnectionTrait, clusters: impl Iterator<Item = Uuid>) -> Result<HashMap<Uuid, CurrentProject>, DbErr> {
    let column = |name: &'static str| Expr::col(Alias::new(name));
    let query = Query::select()
        .columns(["cluster_id", "id", "code", "title_fa", "state"].map(Alias::new))
        .from(Alias::new("project"))
        .and_where(column("cluster_id").is_in(clusters))
        .and_where(column("deleted_at").is_null())
        .and_where(column("state").is_not_in(["draft", "closed", "terminated"]))
        .to_owned();
    let rows = CurrentProject::find_by_statement(db.get_database_backend().build(&query)).all(db).await?;
    Ok(rows.into_iter().map(|row| (row.cluster_id, row)).collect())
}
