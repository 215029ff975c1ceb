//! Industrial clusters: the model resource. Read this folder first; the others are made like it.
//!
//! A request reads three files: this one (routes and handlers), [`dto`] (what clients send and see, with
//! the rules between fields) and [`entity`] (the table and its queries). [`rules`] holds the states,
//! [`identified`] the uncertain date, [`assessment`] challenges, opportunities and scores.

pub mod assessment;
pub mod claims;
pub mod current_project;
pub mod dto;
pub mod entity;
pub mod feasibility_studies;
pub mod identified;
pub mod lineage;
pub mod members;
pub mod networks;
pub mod rules;
pub mod value_chain;

use actix_web::{delete, get, patch, post, put};
use utoipa_actix_web::service_config::ServiceConfig;

use self::{
    dto::{Cluster, ClusterFilter, ClusterInput},
    entity::Model,
    rules::State,
};
use crate::{
    http::{
        Answer, Body, Including, Moment, Page, Paging, Patch, Query, Read, Referred, Search, Visible,
        VisibleEver, Write,
    },
    lifecycle::Transition,
    problem::Problem,
    store::{Input, change_log::History},
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
        .configure(claims::routes)
        .configure(lineage::routes)
        .configure(feasibility_studies::routes)
        .configure(value_chain::routes)
        .configure(networks::routes);
}

/// List clusters
///
/// The clusters that exist for the caller, filtered, sorted and in pages.
#[utoipa::path(params(ClusterFilter, Search, Including<Model>, Paging<Model>), responses((status = 200, body = Page<Cluster>)), security(("oauth2" = ["clusters:read"])))]
#[get("/clusters")]
pub async fn list_clusters(
    filter: Query<ClusterFilter>,
    paging: Paging<Model>,
    read: Read,
) -> Result<Answer, Problem> {
    read.list(paging, filter.condition()).await
}

/// Register a cluster
///
/// Only `province`, `name_fa` and `isic` are needed. It begins as a `candidate`; its state changes by
/// transitions. Send an `Idempotency-Key` to be able to repeat the request safely.
#[utoipa::path(request_body = ClusterInput, responses((status = 201, body = Cluster)), security(("oauth2" = ["clusters:write"])))]
#[post("/clusters")]
pub async fn create_cluster(input: Body<ClusterInput>, write: Write) -> Result<Answer, Problem> {
    write.create(input.0.onto_row(&Model::default())?).await
}

/// Read a cluster
///
/// As it is, or with `as_of` and `known_at` as it was: in the state of that day, from what was known at that
/// moment, also where it has been deleted since. What was cannot be changed: its `allowed_transitions` are
/// empty, and nothing can be included.
#[utoipa::path(params(Including<Model>, Moment), responses((status = 200, body = Cluster)), security(("oauth2" = ["clusters:read"])))]
#[get("/clusters/{id}")]
pub async fn get_cluster(
    cluster: VisibleEver<Model>,
    moment: Query<Moment>,
    read: Read,
) -> Result<Answer, Problem> {
    read.record_at(&cluster.0, moment.0).await
}

/// Change a cluster
///
/// A JSON Merge Patch. The result must keep every rule that holds for a new cluster.
#[utoipa::path(request_body = ClusterInput, responses((status = 200, body = Cluster)), security(("oauth2" = ["clusters:write"])))]
#[patch("/clusters/{id}")]
pub async fn update_cluster(cluster: Visible<Model>, patch: Patch, write: Write) -> Result<Answer, Problem> {
    let input: ClusterInput = patch.onto(&*cluster)?;
    write.update(&*cluster, input.onto_row(&cluster)?).await
}

/// Delete a cluster
///
/// Leaves a tombstone: nothing is deleted for good, and the name becomes free. Repeating it is no error. A
/// cluster that has projects, or to which other records refer, stays (409).
#[utoipa::path(responses((status = 204, description = "Deleted")), security(("oauth2" = ["clusters:write"])))]
#[delete("/clusters/{id}")]
pub async fn delete_cluster(cluster: VisibleEver<Model>, write: Write) -> Result<Answer, Problem> {
    write.delete(&cluster.0).await
}

/// Read a cluster by another system's reference
#[utoipa::path(params(Including<Model>), responses((status = 200, body = Cluster)), security(("oauth2" = ["clusters:read"])))]
#[get("/clusters/by-ref/{system}/{key}")]
pub async fn get_cluster_by_reference(cluster: Referred<Model>, read: Read) -> Result<Answer, Problem> {
    read.record(&cluster.row()?).await
}

/// Create or replace a cluster by another system's reference
///
/// Creates the cluster that the other system calls so (201), or replaces it (200), which needs `If-Match`.
/// A field that is left out is emptied; the reference itself is always kept.
#[utoipa::path(
    request_body = ClusterInput,
    responses((status = 200, body = Cluster, description = "Replaced"), (status = 201, body = Cluster, description = "Created")),
    security(("oauth2" = ["clusters:write"])),
)]
#[put("/clusters/by-ref/{system}/{key}")]
pub async fn put_cluster_by_reference(
    cluster: Referred<Model>,
    input: Body<ClusterInput>,
    write: Write,
) -> Result<Answer, Problem> {
    write.put(cluster, input.0).await
}

/// Change the state of a cluster
///
/// The only way in which `state` changes. `effective_on` says since when it has been so; the service itself
/// keeps when it learned of it. A transition to `identified` gives the identification date where none is
/// known.
#[utoipa::path(request_body = Transition<State>, responses((status = 200, body = Cluster)), security(("oauth2" = ["clusters:write"])))]
#[post("/clusters/{id}/transitions")]
pub async fn transition_cluster(
    cluster: Visible<Model>,
    transition: Body<Transition<State>>,
    write: Write,
) -> Result<Answer, Problem> {
    write.transition(&*cluster, transition.0).await
}

/// The history of a cluster
///
/// Who changed what and when, from which value to which, oldest first. Each entry carries the hash of the one
/// before it. A deleted cluster keeps its history.
#[utoipa::path(responses((status = 200, body = History)), security(("oauth2" = ["clusters:read"])))]
#[get("/clusters/{id}/history")]
pub async fn get_cluster_history(cluster: VisibleEver<Model>, read: Read) -> Result<Answer, Problem> {
    read.history(&cluster.0).await
}
