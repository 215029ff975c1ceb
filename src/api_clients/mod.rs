//! API clients: other systems that work with this one. National administrators keep them.

pub mod dto;
pub mod entity;

use actix_web::{delete, get, patch, post, web};
use utoipa_actix_web::service_config::ServiceConfig;

use self::{
    dto::{ApiClient, ApiClientFilter, ApiClientInput, ApiClientWithSecret},
    entity::Model,
};
use crate::{
    auth::{Authenticator, password},
    http::{Answer, Body, Page, Paging, Patch, Query, Read, Search, Visible, VisibleEver, Write},
    problem::Problem,
    store::{Input, change_log::History},
};

/// The routes of this resource.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(list_api_clients)
        .service(create_api_client)
        .service(get_api_client)
        .service(update_api_client)
        .service(delete_api_client)
        .service(create_api_client_secret)
        .service(get_api_client_history);
}

/// List API clients
#[utoipa::path(params(ApiClientFilter, Search, Paging<Model>), responses((status = 200, body = Page<ApiClient>)), security(("oauth2" = ["api-clients:manage"])))]
#[get("/api-clients")]
pub async fn list_api_clients(
    filter: Query<ApiClientFilter>,
    paging: Paging<Model>,
    read: Read,
) -> Result<Answer, Problem> {
    read.list(paging, filter.condition()).await
}

/// Create an API client
///
/// The answer tells its secret, this once: give it to the other system over a safe way.
#[utoipa::path(request_body = ApiClientInput, responses((status = 201, body = ApiClientWithSecret)), security(("oauth2" = ["api-clients:manage"])))]
#[post("/api-clients")]
pub async fn create_api_client(input: Body<ApiClientInput>, write: Write) -> Result<Answer, Problem> {
    let mut row = input.0.onto_row(&Model::default())?;
    let secret = password::random();
    row.password_hash = password::hash(secret.clone()).await?;
    write.create_with(row, |answer| answer.with_secret("client_secret", &secret)).await
}

/// Read an API client
#[utoipa::path(responses((status = 200, body = ApiClient)), security(("oauth2" = ["api-clients:manage"])))]
#[get("/api-clients/{id}")]
pub async fn get_api_client(client: Visible<Model>, read: Read) -> Result<Answer, Problem> {
    read.record(&*client).await
}

/// Change an API client
///
/// Other scopes, another province, or `disabled` end its sessions.
#[utoipa::path(request_body = ApiClientInput, responses((status = 200, body = ApiClient)), security(("oauth2" = ["api-clients:manage"])))]
#[patch("/api-clients/{id}")]
pub async fn update_api_client(
    client: Visible<Model>,
    patch: Patch,
    write: Write,
    authenticator: web::Data<Authenticator>,
) -> Result<Answer, Problem> {
    let input: ApiClientInput = patch.onto(&*client)?;
    let answer = write.update(&*client, input.onto_row(&client)?).await?;
    authenticator.forget();
    Ok(answer)
}

/// Delete an API client
///
/// It gets no more tokens; what it did keeps its name.
#[utoipa::path(responses((status = 204, description = "Deleted")), security(("oauth2" = ["api-clients:manage"])))]
#[delete("/api-clients/{id}")]
pub async fn delete_api_client(
    client: VisibleEver<Model>,
    write: Write,
    authenticator: web::Data<Authenticator>,
) -> Result<Answer, Problem> {
    let answer = write.delete(&client.0).await?;
    authenticator.forget();
    Ok(answer)
}

/// Make a new secret for an API client
///
/// The one before ends at once, and with it the sessions of the client. The answer tells the new one, this
/// once.
#[utoipa::path(responses((status = 200, body = ApiClientWithSecret)), security(("oauth2" = ["api-clients:manage"])))]
#[post("/api-clients/{id}/secret")]
pub async fn create_api_client_secret(
    client: Visible<Model>,
    write: Write,
    authenticator: web::Data<Authenticator>,
) -> Result<Answer, Problem> {
    let secret = password::random();
    let row = Model { password_hash: password::hash(secret.clone()).await?, ..client.0.clone() };
    let answer =
        write.update_with(&*client, row, |answer| answer.with_secret("client_secret", &secret)).await?;
    authenticator.forget();
    Ok(answer)
}

/// The history of an API client
///
/// Who changed what and when, oldest first. Secrets are never part of it.
#[utoipa::path(responses((status = 200, body = History)), security(("oauth2" = ["api-clients:manage"])))]
#[get("/api-clients/{id}/history")]
pub async fn get_api_client_history(client: VisibleEver<Model>, read: Read) -> Result<Answer, Problem> {
    read.history(&client.0).await
}
