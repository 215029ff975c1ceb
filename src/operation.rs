//! The service itself: is it alive, is it ready, how is it doing, and what can it do.

use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::{HttpResponse, get, http::header, web};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::{
    http::{Database, Problem, Text, catalogue, contract::Contract},
    store::connection,
};

/// The routes of this module.
pub fn routes(config: &mut ServiceConfig) {
    config.service(get_liveness).service(get_readiness).service(get_metrics).service(get_openapi_document);
}

/// Whether the service is on its way out.
#[derive(Default)]
pub struct Shutdown(AtomicBool);

impl Shutdown {
    /// Turns readiness off.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the service is about to end.
    pub fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How the service is.
#[derive(Serialize, ToSchema)]
pub struct Health {
    /// Always `ok`; otherwise there is a problem instead.
    #[schema(value_type = String, example = "ok")]
    status: &'static str,
}

/// Is it alive
///
/// Answers as long as the process does, whatever the state of the database. For the supervisor that restarts it.
#[utoipa::path(responses((status = 200, body = Health, description = "Alive")), security(()))]
#[get("/health/live")]
pub async fn get_liveness() -> HttpResponse {
    HttpResponse::Ok().json(Health { status: "ok" })
}

/// Is it ready
///
/// 200 when the database answers and its tables are up to date; 503 otherwise, and while shutting down. For the
/// load balancer that sends requests.
#[utoipa::path(responses((status = 200, body = Health, description = "Ready")), security(()))]
#[get("/health/ready")]
pub async fn get_readiness(db: Database, shutdown: web::Data<Shutdown>) -> Result<HttpResponse, Problem> {
    let unavailable = |fa: &'static str, en: &'static str| Problem::new(&catalogue::UNAVAILABLE).detail(Text::new(fa, en)).retry_after(2);
    if shutdown.0.load(Ordering::Relaxed) {
        return Err(unavailable("سامانه در حال خاموش شدن است.", "The service is shutting down."));
    }
    let is_migrated = connection::is_migrated(db.get_ref()).await.map_err(|error| {
        let away = unavailable("پایگاه داده در دسترس نیست.", "The database is away.");
        tracing::warn!(%error, "not ready");
        away
    })?;
    if !is_migrated {
        return Err(unavailable("جدول‌های پایگاه داده به‌روز نیستند.", "The tables of the database are not up to date."));
    }
    Ok(HttpResponse::Ok().json(Health { status: "ok" }))
}

/// How is it doing
///
/// Metrics for Prometheus: requests by operation and status, and database statements, with their durations; attempts at webhook deliveries.
#[utoipa::path(responses((status = 200, body = String, content_type = "text/plain", description = "Metrics")), security(()))]
#[get("/metrics")]
pub async fn get_metrics(handle: web::Data<PrometheusHandle>) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(handle.render())
}

/// What can it do
///
/// This document: OpenAPI 3.1, made from the code.
#[utoipa::path(responses((status = 200, body = serde_json::Value, description = "The document")), security(()))]
#[get("/openapi.json")]
pub async fn get_openapi_document(contract: web::Data<Contract>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .insert_header((header::CACHE_CONTROL, "public, max-age=60"))
        .body(contract.document.clone())
}
