//! Endpoints of the service itself: liveness, readiness, metrics, and the OpenAPI document.

use actix_web::{HttpRequest, HttpResponse, get, web};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    config::Config,
    http::{Routes, Shutdown, contract::Contract},
    problem::{Problem, Text, problem_types},
    store::{
        probe::{Health, Probe},
        schema::Schema,
    },
};

/// The routes of this module.
pub fn routes(config: &mut Routes<'_>) {
    config.service(get_liveness).service(get_readiness).service(get_metrics).service(get_openapi_document);
}

/// Health of the service.
#[derive(Serialize, ToSchema)]
#[schema(as = Health)]
pub struct Status {
    /// `ok`; of readiness also `read_only`, where the database can be read only, as a standby. Otherwise
    /// there is a problem instead.
    #[schema(value_type = String, example = "ok")]
    status: &'static str,
}

/// Is it alive
///
/// Answers as long as the process does, whatever the state of the database. For process supervisors.
#[utoipa::path(responses((status = 200, body = Status, description = "Alive")), security(()))]
#[get("/health/live")]
pub async fn get_liveness() -> HttpResponse {
    HttpResponse::Ok().json(Status { status: "ok" })
}

/// Is it ready
///
/// 200 if the database answers, its schema is up to date and a row could be written, or if it is configured
/// read-only; otherwise 503, also while shutting down. For load balancers.
#[utoipa::path(responses((status = 200, body = Status, description = "Ready")), security(()))]
#[get("/health/ready")]
pub async fn get_readiness(
    probe: web::Data<Probe>,
    shutdown: web::Data<Shutdown>,
) -> Result<HttpResponse, Problem> {
    let unavailable = |fa: &'static str, en: &'static str| {
        Problem::new(&problem_types::UNAVAILABLE).detail(Text::new(fa, en)).retry_after(2)
    };
    if shutdown.has_begun() {
        return Err(unavailable("سامانه در حال خاموش شدن است.", "The service is shutting down."));
    }
    match probe.look().await {
        Health::Ready => Ok(HttpResponse::Ok().json(Status { status: "ok" })),
        Health::ReadOnly => Ok(HttpResponse::Ok().json(Status { status: "read_only" })),
        Health::Away => Err(unavailable("پایگاه داده در دسترس نیست.", "The database is away.")),
        Health::Tables(Schema::TooNew { .. }) => Err(unavailable(
            "پایگاه داده از این برنامه جدیدتر است.",
            "The database is newer than this program.",
        )),
        Health::Tables(_) => Err(unavailable(
            "جدول‌های پایگاه داده به‌روز نیستند.",
            "The tables of the database are not up to date.",
        )),
    }
}

/// How is it doing
///
/// Metrics for Prometheus: requests by operation and status, and database statements, with their durations;
/// attempts at webhook deliveries; the free space on the disks of an embedded database, of attached files in
/// a folder, and of temporary files (`disk_free_bytes`).
#[utoipa::path(responses((status = 200, body = String, content_type = "text/plain", description = "Metrics")), security(()))]
#[get("/metrics")]
pub async fn get_metrics(handle: web::Data<PrometheusHandle>, config: web::Data<Config>) -> HttpResponse {
    for (of, folder) in config.folders() {
        if let Ok(disk) = rustix::fs::statvfs(&folder) {
            metrics::gauge!("disk_free_bytes", "of" => of).set((disk.f_bavail * disk.f_frsize) as f64);
        }
    }
    HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(handle.render())
}

/// What can it do
///
/// This document: OpenAPI 3.1, generated from the code.
#[utoipa::path(responses((status = 200, body = serde_json::Value, description = "The document")), security(()))]
#[get("/openapi.json")]
pub async fn get_openapi_document(
    request: HttpRequest,
    contract: web::Data<Contract>,
) -> Result<HttpResponse, Problem> {
    contract.document.answer(&request, "public, max-age=60")
}
