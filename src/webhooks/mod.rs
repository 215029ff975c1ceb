//! Webhooks: addresses that are told of changes, signed after Standard Webhooks.
//!
//! The change log is the outbox: [`fan_out`] follows it as any follower of the feed does, and makes of each
//! change a delivery for each webhook that is to be told of it; [`dispatch`] sends them. What has to hold
//! between many workers stands in [`crate::store::outbox`].

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
use utoipa_actix_web::service_config::ServiceConfig;

use self::{
    dto::{Webhook, WebhookFilter, WebhookInput, WebhookWithSecret},
    entity::Model,
};
use crate::{
    config::Config,
    http::{
        Answer, Body, Patch, Visible, Write,
        resource::{self, Collection, Resource, Standard, Words},
    },
    policy::Caller,
    problem::{Problem, Text, problem_types},
    store::now,
};

pub use self::dispatch::Dispatch;

/// The permission to keep webhooks.
pub const PERMISSION: &str = "webhooks:manage";

/// The routes of this resource.
pub fn routes(config: &mut ServiceConfig) {
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
/// body `{"type": "cluster.upsert", "timestamp": "…", "data": {…}}`: `data` is what `GET /changes` tells of
/// the change, and `type` its `resource` and its `kind` (`upsert`, `deleted`, `out_of_scope`). Personal data
/// is masked unless your account may see it. What was there before is told by `GET /changes?snapshot=true`.
///
/// **Verify** each event with a library of [Standard Webhooks](https://www.standardwebhooks.com) and the
/// secret, which the answer tells this once. The headers are `webhook-id`, `webhook-timestamp` and
/// `webhook-signature`.
///
/// **Answer** with 2xx within 15 seconds, and do the work afterwards. Any other answer, also a redirect, is a
/// failure: the event is sent again, after five seconds the first time and later and later up to the fourth
/// day (`Retry-After` is heeded up to a day), and then given up (`dead`) until it is asked for again. 410
/// switches the webhook off.
///
/// **Each event comes at least once**, with the same `webhook-id` each time: drop what you have had. The
/// events of one record come in the order of its versions, one after the other; those of different records
/// may overtake each other.
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
/// `is_active` switches it off and on: what is changed, and what was still to be sent, waits meanwhile. It is
/// told what its owner may see, and your change widens nothing of that, unless you are the owner. Where you
/// give somebody else's webhook another `url`, it is told from then on what both of you may see. Where it was
/// switched off because its owner may keep it no more (`not_permitted`), whoever switches it on becomes its
/// owner, also with what both may see.
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
/// For its owner and for administrators of accounts. The answer tells it, this once. For 24 hours the one
/// before signs as well: each event then has two signatures, of which the libraries of Standard Webhooks take
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
