//! Industrial clusters: the model resource. Read this folder first; the others are made like it.
//!
//! A request reads three files: this one (routes and handlers), [`dto`] (what clients send and see, with
//! the rules between fields) and [`entity`] (the table and its queries). [`rules`] holds the states,
//! [`identified`] the uncertain date.

pub mod claims;
pub mod dto;
pub mod entity;
pub mod identified;
pub mod rules;

use actix_web::{delete, get, patch, post, put, web};
use sea_orm::ConnectionTrait;
use utoipa_actix_web::service_config::ServiceConfig;

use self::{
    dto::{Cluster, ClusterFilter, ClusterInput, ClusterTransition, Include, Including},
    entity::Model,
};
use crate::{
    auth::CurrentCaller,
    http::{Answer, Body, Database, Page, Paging, Patch, Precondition, Problem, Query, Shape, Visible, VisibleEver, Write, catalogue},
    industries,
    store::{
        ExternalRef, Record, Transaction,
        change_log::{self, History},
        code,
    },
};

/// The routes of this resource. `by-ref` comes before `{id}`, which would match it as well.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(list_clusters)
        .service(create_cluster)
        .service(get_cluster_by_reference)
        .service(put_cluster_by_reference)
        .service(get_cluster)
        .service(update_cluster)
        .service(delete_cluster)
        .service(transition_cluster)
        .service(get_cluster_history)
        .configure(claims::routes);
}

/// List clusters
///
/// The clusters that exist for the caller, filtered, sorted and in pages.
#[utoipa::path(params(ClusterFilter, Including, Paging<Model>), responses((status = 200, body = Page<Cluster>)), security(("oauth2" = ["clusters:read"])))]
#[get("/clusters")]
pub async fn list_clusters(
    filter: Query<ClusterFilter>,
    including: Query<Including>,
    paging: Paging<Model>,
    caller: CurrentCaller,
    db: Database,
    shape: Shape,
) -> Result<Answer, Problem> {
    let mut page = paging.fetch(db.get_ref(), entity::list(&caller.scope, &filter)?, Model::view).await?;
    include(db.get_ref(), &including, &mut page.items).await?;
    shape.page(&page)
}

/// Register a cluster
///
/// Only `province`, `name_fa` and `isic` are needed. It begins as a `candidate`; its state changes by
/// transitions. Send an `Idempotency-Key` to be able to repeat the request safely.
#[utoipa::path(request_body = ClusterInput, responses((status = 201, body = Cluster)), security(("oauth2" = ["clusters:write"])))]
#[post("/clusters")]
pub async fn create_cluster(input: Body<ClusterInput>, write: Write, shape: Shape) -> Result<Answer, Problem> {
    write.caller.check_province(&input.0.province.0)?;
    let row = input.0.into_new_row()?;
    write.run(async |transaction| created(&register(transaction, row).await?, &shape)).await
}

/// Read a cluster
#[utoipa::path(params(("id" = String, Path, format = "uuid", description = "The id of the cluster"), Including), responses((status = 200, body = Cluster)), security(("oauth2" = ["clusters:read"])))]
#[get("/clusters/{id}")]
pub async fn get_cluster(cluster: Visible<Model>, including: Query<Including>, db: Database, shape: Shape) -> Result<Answer, Problem> {
    let mut view = [cluster.view()];
    include(db.get_ref(), &including, &mut view).await?;
    shape.version(&view[0], cluster.version)
}

/// Change a cluster
///
/// A JSON Merge Patch. The result must keep every rule that holds for a new cluster.
#[utoipa::path(params(("id" = String, Path, format = "uuid", description = "The id of the cluster")), request_body = ClusterInput, responses((status = 200, body = Cluster)), security(("oauth2" = ["clusters:write"])))]
#[patch("/clusters/{id}")]
pub async fn update_cluster(
    cluster: Visible<Model>,
    precondition: Precondition,
    patch: Patch,
    write: Write,
    shape: Shape,
) -> Result<Answer, Problem> {
    precondition.holds_for(&*cluster)?;
    let input: ClusterInput = patch.onto(&ClusterInput::from(&*cluster))?;
    write.caller.check_province(&input.province.0)?;
    let row = input.onto_row(&cluster)?;
    write.run(async |transaction| shape.record(&transaction.update(&*cluster, row).await?)).await
}

/// Delete a cluster
///
/// Leaves a tombstone: nothing is deleted for good, and the name becomes free. Repeating it is no error.
#[utoipa::path(params(("id" = String, Path, format = "uuid", description = "The id of the cluster")), responses((status = 204, description = "Deleted")), security(("oauth2" = ["clusters:write"])))]
#[delete("/clusters/{id}")]
pub async fn delete_cluster(cluster: VisibleEver<Model>, precondition: Precondition, write: Write) -> Result<Answer, Problem> {
    write.delete(&cluster.0, &precondition).await
}

/// Read a cluster by another system's reference
#[utoipa::path(
    params(("system" = String, Path, description = "The other system", example = "lorestan-erp"), ("key" = String, Path, description = "The key there", example = "K-17")),
    responses((status = 200, body = Cluster)), security(("oauth2" = ["clusters:read"])),
)]
#[get("/clusters/by-ref/{system}/{key}")]
pub async fn get_cluster_by_reference(
    reference: web::Path<(String, String)>,
    caller: CurrentCaller,
    db: Database,
    shape: Shape,
) -> Result<Answer, Problem> {
    let (system, key) = reference.into_inner();
    let reference = ExternalRef::parse(system, key)?;
    let row = entity::by_reference(db.get_ref(), &caller.scope, &reference).await?;
    shape.record(&row.ok_or_else(|| Problem::new(&catalogue::NOT_FOUND))?)
}

/// Create or replace a cluster by another system's reference
///
/// Creates the cluster that the other system calls so (201), or replaces it (200), which needs `If-Match`.
/// A field that is left out is emptied; the reference itself is always kept.
#[utoipa::path(
    params(("system" = String, Path, description = "The other system", example = "lorestan-erp"), ("key" = String, Path, description = "The key there", example = "K-17")),
    request_body = ClusterInput,
    responses((status = 200, body = Cluster, description = "Replaced"), (status = 201, body = Cluster, description = "Created")),
    security(("oauth2" = ["clusters:write"])),
)]
#[put("/clusters/by-ref/{system}/{key}")]
pub async fn put_cluster_by_reference(
    reference: web::Path<(String, String)>,
    input: Body<ClusterInput>,
    precondition: Precondition,
    write: Write,
    shape: Shape,
) -> Result<Answer, Problem> {
    let (system, key) = reference.into_inner();
    let reference = ExternalRef::parse(system, key)?;
    let mut input = input.0;
    write.caller.check_province(&input.province.0)?;
    let found = entity::by_reference(write.database().get_ref(), &write.caller.scope, &reference).await?;
    if !input.external_refs.0.contains(&reference) {
        input.external_refs.add(reference)?;
    }
    match found {
        None => {
            precondition.holds_for_none()?;
            let row = input.into_new_row()?;
            write.run(async |transaction| created(&register(transaction, row).await?, &shape)).await
        }
        Some(before) => {
            precondition.holds_for(&before)?;
            let row = input.onto_row(&before)?;
            write.run(async |transaction| shape.record(&transaction.update(&before, row).await?)).await
        }
    }
}

/// Change the state of a cluster
///
/// The only way in which `state` changes. `effective_on` says since when it has been so; the service itself
/// keeps when it learned of it. A transition to `identified` gives the identification date where none is known.
#[utoipa::path(params(("id" = String, Path, format = "uuid", description = "The id of the cluster")), request_body = ClusterTransition, responses((status = 200, body = Cluster)), security(("oauth2" = ["clusters:write"])))]
#[post("/clusters/{id}/transitions")]
pub async fn transition_cluster(
    cluster: Visible<Model>,
    precondition: Precondition,
    transition: Body<ClusterTransition>,
    write: Write,
    shape: Shape,
) -> Result<Answer, Problem> {
    write
        .run(async |transaction| {
            precondition.holds_for(&*cluster)?;
            shape.record(&rules::change_state(transaction, &cluster, transition.0).await?)
        })
        .await
}

/// The history of a cluster
///
/// Who changed what and when, from which value to which, oldest first. Each entry carries the hash of the one
/// before it. A deleted cluster keeps its history.
#[utoipa::path(params(("id" = String, Path, format = "uuid", description = "The id of the cluster")), responses((status = 200, body = History)), security(("oauth2" = ["clusters:read"])))]
#[get("/clusters/{id}/history")]
pub async fn get_cluster_history(cluster: VisibleEver<Model>, db: Database, shape: Shape) -> Result<Answer, Problem> {
    shape.items(&change_log::history(db.get_ref(), &cluster.0).await?)
}

/// Brings what is asked for with each cluster, by one query for each kind.
async fn include(db: &impl ConnectionTrait, including: &Including, clusters: &mut [Cluster]) -> Result<(), Problem> {
    let wanted = including.include.as_deref().unwrap_or_default();
    if wanted.contains(&Include::Claims) {
        let mut claims = claims::of_clusters(db, clusters.iter().map(Cluster::id)).await?;
        clusters.iter_mut().for_each(|cluster| cluster.claims = Some(claims.remove(&cluster.id()).unwrap_or_default()));
    }
    if wanted.contains(&Include::Industry) {
        let industries = industries::entity::by_codes(db, clusters.iter().filter_map(Cluster::primary_class)).await?;
        let find = |class: &str| industries.iter().find(|industry| industry.code == class).map(industries::entity::Model::view);
        clusters.iter_mut().for_each(|cluster| cluster.industry = cluster.primary_class().and_then(find));
    }
    Ok(())
}

fn created(row: &Model, shape: &Shape) -> Result<Answer, Problem> {
    Ok(shape.record(row)?.created(format!("/api/v1/clusters/{}", row.id)))
}

/// Writes a new cluster, and gives it a code where it has none: the province's number and a count, past codes
/// that were given by hand.
pub async fn register(transaction: &Transaction, mut row: Model) -> Result<Model, Problem> {
    let is_given_out = row.code.is_empty();
    let prefix = row.province.trim_start_matches("IR-").to_owned();
    while row.code.is_empty() || (is_given_out && entity::has_code(&**transaction, &row.code).await?) {
        row.code = format!("{prefix}-{:04}", code::next(transaction, &format!("cluster {prefix}")).await?);
    }
    transaction.insert(row).await
}
