//! Payments (پرداخت): what was paid, when, and from which line of a project's budget.

pub mod dto;
pub mod entity;

use actix_web::{delete, get, patch, post, put};
use utoipa_actix_web::service_config::ServiceConfig;

use self::{
    dto::{Payment, PaymentFilter, PaymentInput},
    entity::Model,
};
use crate::{
    http::{
        Answer, Body, Including, Page, Paging, Patch, Query, Read, Referred, Search, Visible, VisibleEver,
        Write,
    },
    problem::Problem,
    store::{Input, change_log::History},
};

/// The routes of this resource.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(list_payments)
        .service(create_payment)
        .service(get_payment_by_reference)
        .service(put_payment_by_reference)
        .service(get_payment)
        .service(update_payment)
        .service(delete_payment)
        .service(get_payment_history);
}

/// List payments
///
/// Of all projects that exist for the caller.
#[utoipa::path(params(PaymentFilter, Search, Including<Model>, Paging<Model>), responses((status = 200, body = Page<Payment>)), security(("oauth2" = ["payments:read"])))]
#[get("/payments")]
pub async fn list_payments(
    filter: Query<PaymentFilter>,
    paging: Paging<Model>,
    read: Read,
) -> Result<Answer, Problem> {
    read.list(paging, filter.condition()).await
}

/// Record a payment
///
/// A project takes payments from its contract until it is closed. What is paid on a budget line never exceeds
/// its approved amount (409).
#[utoipa::path(request_body = PaymentInput, responses((status = 201, body = Payment)), security(("oauth2" = ["payments:write"])))]
#[post("/payments")]
pub async fn create_payment(input: Body<PaymentInput>, write: Write) -> Result<Answer, Problem> {
    write.create(input.0.onto_row(&Model::default())?).await
}

/// Read a payment
#[utoipa::path(params(Including<Model>), responses((status = 200, body = Payment)), security(("oauth2" = ["payments:read"])))]
#[get("/payments/{id}")]
pub async fn get_payment(payment: Visible<Model>, read: Read) -> Result<Answer, Problem> {
    read.record(&*payment).await
}

/// Change a payment
///
/// A JSON Merge Patch. The result must keep every rule that holds for a new payment; its project stays the
/// same.
#[utoipa::path(request_body = PaymentInput, responses((status = 200, body = Payment)), security(("oauth2" = ["payments:write"])))]
#[patch("/payments/{id}")]
pub async fn update_payment(payment: Visible<Model>, patch: Patch, write: Write) -> Result<Answer, Problem> {
    let input: PaymentInput = patch.onto(&*payment)?;
    write.update(&*payment, input.onto_row(&payment)?).await
}

/// Delete a payment
///
/// Leaves a tombstone. Repeating it is no error.
#[utoipa::path(responses((status = 204, description = "Deleted")), security(("oauth2" = ["payments:write"])))]
#[delete("/payments/{id}")]
pub async fn delete_payment(payment: VisibleEver<Model>, write: Write) -> Result<Answer, Problem> {
    write.delete(&payment.0).await
}

/// Read a payment by another system's reference
#[utoipa::path(params(Including<Model>), responses((status = 200, body = Payment)), security(("oauth2" = ["payments:read"])))]
#[get("/payments/by-ref/{system}/{key}")]
pub async fn get_payment_by_reference(payment: Referred<Model>, read: Read) -> Result<Answer, Problem> {
    read.record(&payment.row()?).await
}

/// Create or replace a payment by another system's reference
///
/// Creates the payment that the other system calls so (201), or replaces it (200), which needs `If-Match`. A
/// field that is left out is emptied; the reference itself is always kept.
#[utoipa::path(
    request_body = PaymentInput,
    responses((status = 200, body = Payment, description = "Replaced"), (status = 201, body = Payment, description = "Created")),
    security(("oauth2" = ["payments:write"])),
)]
#[put("/payments/by-ref/{system}/{key}")]
pub async fn put_payment_by_reference(
    payment: Referred<Model>,
    input: Body<PaymentInput>,
    write: Write,
) -> Result<Answer, Problem> {
    write.put(payment, input.0).await
}

/// The history of a payment
///
/// Who changed what and when, from which value to which, oldest first, each entry with the hash of the one
/// before it.
#[utoipa::path(responses((status = 200, body = History)), security(("oauth2" = ["payments:read"])))]
#[get("/payments/{id}/history")]
pub async fn get_payment_history(payment: VisibleEver<Model>, read: Read) -> Result<Answer, Problem> {
    read.history(&payment.0).await
}
