//! API clients: other systems that use this service. National administrators manage them.

pub mod dto;
pub mod entity;
mod record;

use actix_web::{delete, patch, post, web};
use sea_orm::sea_query::Condition;

use self::{
    dto::{ApiClient, ApiClientFilter, ApiClientInput, ApiClientWithSecret},
    entity::Model,
};
use crate::{
    accounts::{Authenticator, password},
    http::{
        Answer, Body, Patch, Routes, Visible, VisibleEver, Write,
        resource::{self, Collection, Resource, Standard, Words},
    },
    policy::Caller,
    problem::Problem,
    store::Input,
};

/// The routes of this resource.
pub fn routes(config: &mut Routes<'_>) {
    let own = [Standard::List, Standard::Get, Standard::History];
    let (records, history) = resource::collection::<Model>().only(&own).split(Standard::History);
    config
        .service(records)
        .service(create_api_client)
        .service(update_api_client)
        .service(delete_api_client)
        .service(create_api_client_secret)
        .service(history);
}

impl Resource for Model {
    type Input = ApiClientInput;

    const WORDS: Words = Words {
        path: "/api-clients",
        one: "api_client",
        many: "api_clients",
        a: "an API client",
        reads: "api-clients:manage",
        writes: "api-clients:manage",
        about: &[
            (Standard::List, "List API clients", ""),
            (
                Standard::History,
                "The history of an API client",
                "Who changed what and when, oldest first. Secrets are never part of it.",
            ),
        ],
    };
}

impl Collection for Model {
    type Filter = ApiClientFilter;

    fn condition(filter: &ApiClientFilter, _: &Caller) -> Condition {
        filter.condition()
    }
}

/// Create an API client
///
/// Only this answer contains its secret: pass it to the other system over a secure channel.
#[utoipa::path(request_body = ApiClientInput, responses((status = 201, body = ApiClientWithSecret)), security(("oauth2" = ["api-clients:manage"])))]
#[post("/api-clients")]
pub async fn create_api_client(input: Body<ApiClientInput>, write: Write) -> Result<Answer, Problem> {
    let mut row = input.0.onto_row(&Model::default())?;
    let secret = password::random();
    row.password_hash = password::hash(secret.clone()).await?;
    write.create_with(row, |answer| answer.with_secret("client_secret", &secret)).await
}

/// Change an API client
///
/// A change of scopes or province, and `disabled`, end its sessions.
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
/// It gets no more tokens; its name stays in the history.
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
/// The former secret becomes invalid at once, and the sessions of the client end. Only this answer contains
/// the new one.
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
