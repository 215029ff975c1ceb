//! Webhooks: HTTP endpoints that receive events about changes, signed according to Standard Webhooks.
//!
//! The change log is the outbox: [`fan_out`] follows it like any follower of the feed, and makes of each
//! change a delivery for each webhook that receives it; [`dispatch`] sends them. The coordination between
//! workers is in [`crate::store::outbox`].

pub mod deliveries;
pub mod destination;
pub mod dispatch;
pub mod dto;
pub mod entity;
pub mod fan_out;
pub mod payload;
mod record;
pub mod signature;

use actix_web::{patch, post, web};
use sea_orm::sea_query::Condition;

use self::{
    dto::{Webhook, WebhookFilter, WebhookInput, WebhookWithSecret},
    entity::Model,
};
use crate::{
    config::Config,
    http::{
        Answer, Body, Patch, Routes, Visible, Write,
        resource::{self, Collection, Resource, Standard, Words},
    },
    policy::Caller,
    problem::{Problem, Text, problem_types},
    store::now,
};

pub use self::dispatch::Dispatch;

/// Permission to manage webhooks.
pub const PERMISSION: &str = "webhooks:manage";

/// The routes of this resource.
pub fn routes(config: &mut Routes<'_>) {
    let own = [Standard::List, Standard::Get, Standard::Delete, Standard::History];
    let (records, history) = resource::collection::<Model>().only(&own).split(Standard::History);
    config
        .service(records)
        .service(create_webhook)
        .service(update_webhook)
        .service(create_webhook_secret)
        .service(history)
        .service(deliveries::test_webhook)
        .service(deliveries::replay_webhook)
        .service(deliveries::list_webhook_deliveries)
        .service(deliveries::get_webhook_delivery)
        .service(deliveries::replay_webhook_delivery);
}

impl Resource for Model {
    type Input = WebhookInput;

    const WORDS: Words = Words {
        path: "/webhooks",
        one: "webhook",
        many: "webhooks",
        a: "a webhook",
        reads: "webhooks:manage",
        writes: "webhooks:manage",
        about: &[
            (
                Standard::Delete,
                "Delete a webhook",
                "Nothing more is sent, also not what was still to be sent. Repeating it is no error.",
            ),
            (
                Standard::History,
                "The history of a webhook",
                "Who changed what and when, oldest first. Secrets are never part of it.",
            ),
        ],
    };
}

impl Collection for Model {
    type Filter = WebhookFilter;

    fn condition(filter: &WebhookFilter, _: &Caller) -> Condition {
        filter.condition()
    }
}

/// Create a webhook
///
/// From now on, each change of a record of these kinds that you may see is sent to `url` as a POST with the
/// body `{"type": "cluster.upsert", "timestamp": "…", "data": {…}}`: `data` is the change as in `GET
/// /changes`, and `type` its `resource` and its `kind` (`upsert`, `deleted`, `out_of_scope`). Personal data
/// is masked unless your account may see it. Existing records are available from `GET
/// /changes?snapshot=true`.
///
/// **Verify** each event with a library of [Standard Webhooks](https://www.standardwebhooks.com) and the
/// secret, which only this answer contains. The headers are `webhook-id`, `webhook-timestamp` and
/// `webhook-signature`.
///
/// **Answer** with 2xx within 15 seconds, and do the work afterwards. Any other answer, also a redirect, is a
/// failure: the event is sent again, first after five seconds, then at growing intervals up to the fourth day
/// (`Retry-After` is honoured up to a day), and then given up (`dead`) until a replay is requested. 410
/// switches the webhook off.
///
/// **Each event comes at least once**, with the same `webhook-id` each time: ignore repeated ones. The events
/// of one record come one after the other, in the order of its versions; those of different records may come
/// out of order.
#[utoipa::path(request_body = WebhookInput, responses((status = 201, body = WebhookWithSecret)), security(("oauth2" = ["webhooks:manage"])))]
#[post("/webhooks")]
pub async fn create_webhook(
    input: Body<WebhookInput>,
    limits: web::Data<Config>,
    write: Write,
) -> Result<Answer, Problem> {
    let mut row = input.0.by(&write.caller, &limits.webhook_networks, &Model::default())?;
    let secret = row.secrets.renew(now());
    write.create_with(row, |answer| answer.with_secret("secret", &secret)).await
}

/// Change a webhook
///
/// `is_active` switches it off and on: changes and pending events wait meanwhile. Events contain what the
/// owner may see, and your change never widens that unless you are the owner. If you give somebody else's
/// webhook another `url`, its events contain from then on only what both of you may see. If it was switched
/// off because its owner may no longer keep it (`not_permitted`), whoever switches it on becomes its owner,
/// again with what both may see.
#[utoipa::path(request_body = WebhookInput, responses((status = 200, body = Webhook)), security(("oauth2" = ["webhooks:manage"])))]
#[patch("/webhooks/{id}")]
pub async fn update_webhook(
    webhook: Visible<Model>,
    patch: Patch,
    limits: web::Data<Config>,
    write: Write,
) -> Result<Answer, Problem> {
    let input: WebhookInput = patch.onto(&*webhook)?;
    let row = input.by(&write.caller, &limits.webhook_networks, &webhook)?;
    write.update(&*webhook, row).await
}

/// Make a new secret for a webhook
///
/// For its owner and for administrators of accounts. Only this answer contains it. The former secret signs as
/// well for 24 hours: each event then has two signatures, of which the libraries of Standard Webhooks accept
/// either, so that the receiver can change over at any time.
#[utoipa::path(responses((status = 200, body = WebhookWithSecret)), security(("oauth2" = ["webhooks:manage"])))]
#[post("/webhooks/{id}/secret")]
pub async fn create_webhook_secret(webhook: Visible<Model>, write: Write) -> Result<Answer, Problem> {
    if !webhook.may_renew_secret(&write.caller) {
        let detail = Text::new(
            "تنها صاحب وب‌هوک و مدیران حساب‌ها برای آن رمز تازه می‌سازند.",
            "Only the owner of a webhook and administrators of accounts make a new secret for it.",
        );
        return Err(Problem::new(&problem_types::FORBIDDEN).detail(detail));
    }
    let mut row = webhook.0.clone();
    let secret = row.secrets.renew(now());
    write.update_with(&*webhook, row, |answer| answer.with_secret("secret", &secret)).await
}
