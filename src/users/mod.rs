//! User accounts: people who work with the service. National administrators manage them.

pub mod dto;
pub mod entity;

use actix_web::{delete, patch, post, web};
use sea_orm::sea_query::Condition;

use self::dto::{User, UserFilter, UserInput};
use crate::{
    accounts::{Authenticator, account::Model, password},
    http::{
        Answer, Body, Patch, Routes, Visible, VisibleEver, Write,
        resource::{self, Collection, Resource, Standard, Words},
    },
    policy::Caller,
    problem::{Problem, Text, problem_types},
    store::Input,
};

/// The routes of this resource.
pub fn routes(config: &mut Routes<'_>) {
    config
        .service(resource::collection::<Model>().only(&[Standard::List, Standard::Get, Standard::History]))
        .service(create_user)
        .service(update_user)
        .service(delete_user);
}

impl Resource for Model {
    type Input = UserInput;

    const WORDS: Words = Words {
        path: "/users",
        one: "user",
        many: "users",
        a: "a user",
        reads: "users:manage",
        writes: "users:manage",
        about: &[
            (
                Standard::List,
                "List users",
                "All accounts of people, filtered by role, province or a part of the name.",
            ),
            (
                Standard::History,
                "The history of a user",
                "Who changed what and when, oldest first. Passwords are never part of it.",
            ),
        ],
    };
}

impl Collection for Model {
    type Filter = UserFilter;

    fn condition(filter: &UserFilter, _: &Caller) -> Condition {
        filter.condition()
    }
}

/// Create a user
///
/// The province is required for provincial roles, supervisors and CDAs, and not allowed for national ones. A
/// password that is easily guessed is refused. Until the user has changed it at the first login, the account
/// may do nothing else (`must_change_password` of `GET /auth/me`).
#[utoipa::path(request_body = UserInput, responses((status = 201, body = User)), security(("oauth2" = ["users:manage"])))]
#[post("/users")]
pub async fn create_user(input: Body<UserInput>, write: Write) -> Result<Answer, Problem> {
    let password = input.0.required_password()?;
    let mut row = input.0.onto_row(&Model::default())?;
    row.set_password(password::hash_new(password, row.names(), None, "/password").await?, false);
    write.create(row).await
}

/// Change a user
///
/// A new password, a new role or province, or `disabled` ends the user's sessions. A new password, unless it
/// is that of your own account, is to be changed by the user at the first login.
#[utoipa::path(request_body = UserInput, responses((status = 200, body = User)), security(("oauth2" = ["users:manage"])))]
#[patch("/users/{id}")]
pub async fn update_user(
    user: Visible<Model>,
    patch: Patch,
    write: Write,
    authenticator: web::Data<Authenticator>,
) -> Result<Answer, Problem> {
    let mut input: UserInput = patch.onto(&*user)?;
    let new_password = input.password.take();
    let mut row = input.onto_row(&user)?;
    if user.id == write.caller.id && (row.role != user.role || row.disabled) {
        return Err(own_account());
    }
    if let Some(new) = new_password {
        row.set_password(
            password::hash_new(new, row.names(), None, "/password").await?,
            user.id == write.caller.id,
        );
    }
    let answer = write.update(&*user, row).await?;
    authenticator.forget();
    Ok(answer)
}

/// Delete a user
///
/// The account can no longer be used; its name stays in the history.
#[utoipa::path(responses((status = 204, description = "Deleted")), security(("oauth2" = ["users:manage"])))]
#[delete("/users/{id}")]
pub async fn delete_user(
    user: VisibleEver<Model>,
    write: Write,
    authenticator: web::Data<Authenticator>,
) -> Result<Answer, Problem> {
    if user.0.id == write.caller.id {
        return Err(own_account());
    }
    let answer = write.delete(&user.0).await?;
    authenticator.forget();
    Ok(answer)
}

/// Refuses changes that would lock out the caller: another administrator has to make them.
fn own_account() -> Problem {
    Problem::new(&problem_types::FORBIDDEN).detail(Text::new(
        "نقش، بستن یا حذف حساب خودتان را مدیر دیگری باید انجام دهد.",
        "Another administrator has to change the role of your own account, disable or delete it.",
    ))
}
