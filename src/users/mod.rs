//! User accounts: people who work with the service. National administrators keep them.

pub mod dto;
pub mod entity;

use actix_web::{delete, get, patch, post, web};
use utoipa_actix_web::service_config::ServiceConfig;

use self::dto::{User, UserFilter, UserInput};
use crate::{
    auth::{Authenticator, CurrentCaller, account, password, session},
    http::{Answer, Body, Database, Page, Paging, Patch, Precondition, Problem, Query, Shape, Text, Visible, VisibleEver, Write, catalogue},
    store::{
        Record,
        change_log::{self, History},
    },
};

/// The routes of this resource.
pub fn routes(config: &mut ServiceConfig) {
    config.service(list_users).service(create_user).service(get_user).service(update_user).service(delete_user).service(get_user_history);
}

/// List users
///
/// All accounts of people, filtered by role, province or a part of the name.
#[utoipa::path(params(UserFilter, Paging<account::Model>), responses((status = 200, body = Page<User>)), security(("oauth2" = ["users:manage"])))]
#[get("/users")]
pub async fn list_users(
    filter: Query<UserFilter>,
    paging: Paging<account::Model>,
    caller: CurrentCaller,
    db: Database,
    shape: Shape,
) -> Result<Answer, Problem> {
    let page = paging.fetch(db.get_ref(), entity::list(&caller.scope, &filter)?, account::Model::view).await?;
    shape.page(&page)
}

/// Create a user
///
/// The province is needed for provincial roles, supervisors and CDAs, and has no place with national ones.
#[utoipa::path(request_body = UserInput, responses((status = 201, body = User)), security(("oauth2" = ["users:manage"])))]
#[post("/users")]
pub async fn create_user(input: Body<UserInput>, write: Write, shape: Shape) -> Result<Answer, Problem> {
    let mut row = input.0.into_new_row()?;
    row.password_hash = password::hash(input.0.required_password()?).await?;
    write
        .run(async |transaction| {
            let row = transaction.insert(row).await?;
            Ok(shape.record(&row)?.created(format!("/api/v1/users/{}", row.id)))
        })
        .await
}

/// Read a user
#[utoipa::path(params(("id" = String, Path, format = "uuid", description = "The id of the user")), responses((status = 200, body = User)), security(("oauth2" = ["users:manage"])))]
#[get("/users/{id}")]
pub async fn get_user(user: Visible<account::Model>, shape: Shape) -> Result<Answer, Problem> {
    shape.record(&*user)
}

/// Change a user
///
/// A new password, a new role or province, or `disabled` ends the user's sessions.
#[utoipa::path(params(("id" = String, Path, format = "uuid", description = "The id of the user")), request_body = UserInput, responses((status = 200, body = User)), security(("oauth2" = ["users:manage"])))]
#[patch("/users/{id}")]
pub async fn update_user(
    user: Visible<account::Model>,
    precondition: Precondition,
    patch: Patch,
    write: Write,
    shape: Shape,
    authenticator: web::Data<Authenticator>,
) -> Result<Answer, Problem> {
    precondition.holds_for(&*user)?;
    let input: UserInput = patch.onto(&UserInput::from(&*user))?;
    let mut row = input.onto_row(&user)?;
    if user.id == write.caller.id && (row.role != user.role || row.disabled) {
        return Err(own_account());
    }
    if let Some(new) = input.password {
        row.password_hash = password::hash(new).await?;
    }
    let answer = write.run(async |transaction| {
        let row = transaction.update(&*user, row).await?;
        if entity::loses_sessions(&user, &row) {
            session::revoke_all(&**transaction, row.id).await?;
        }
        shape.record(&row)
    });
    let answer = answer.await?;
    authenticator.forget();
    Ok(answer)
}

/// Delete a user
///
/// The account can no longer be used; what it did keeps its name.
#[utoipa::path(params(("id" = String, Path, format = "uuid", description = "The id of the user")), responses((status = 204, description = "Deleted")), security(("oauth2" = ["users:manage"])))]
#[delete("/users/{id}")]
pub async fn delete_user(
    user: VisibleEver<account::Model>,
    precondition: Precondition,
    write: Write,
    authenticator: web::Data<Authenticator>,
) -> Result<Answer, Problem> {
    let user = user.0;
    if user.deleted_at.is_none() {
        precondition.holds_for(&user)?;
        if user.id == write.caller.id {
            return Err(own_account());
        }
        write
            .run(async |transaction| {
                transaction.delete(&user).await?;
                session::revoke_all(&**transaction, user.id).await?;
                Ok(Answer::no_content())
            })
            .await?;
        authenticator.forget();
    }
    Ok(Answer::no_content())
}

/// Nobody locks themselves out: another administrator has to do it.
fn own_account() -> Problem {
    Problem::new(&catalogue::FORBIDDEN).detail(Text::new(
        "نقش، بستن یا حذف حساب خودتان را مدیر دیگری باید انجام دهد.",
        "Another administrator has to change the role of your own account, disable or delete it.",
    ))
}

/// The history of a user
///
/// Who changed what and when, oldest first. Passwords are never part of it.
#[utoipa::path(params(("id" = String, Path, format = "uuid", description = "The id of the user")), responses((status = 200, body = History)), security(("oauth2" = ["users:manage"])))]
#[get("/users/{id}/history")]
pub async fn get_user_history(user: VisibleEver<account::Model>, db: Database, shape: Shape) -> Result<Answer, Problem> {
    shape.items(&change_log::history(db.get_ref(), &user.0).await?)
}
