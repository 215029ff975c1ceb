//! Starting and stopping: the same for production, demo and tests.

use std::{
    net::{SocketAddr, TcpListener},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use actix_cors::Cors;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, dev::ServerHandle, middleware::from_fn, rt, web};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use sea_orm::DatabaseConnection;
use utoipa_actix_web::AppExt;
use utoipa_swagger_ui::SwaggerUi;

use crate::{
    api,
    auth::{Authenticator, failures, password, session},
    config::Config,
    http::{
        Problem, compress,
        contract::Contract,
        envelope, guard,
        rate_limit::{PublicRateLimit, RateLimit},
    },
    imports, indicators, industries,
    operation::Shutdown,
    provinces,
    store::{Files, connection, earned_value::summary, feed, idempotent_answer, now, outbox},
    webhooks::Dispatch,
};

/// A server that runs.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    handle: ServerHandle,
    shutdown: web::Data<Shutdown>,
    delay: Duration,
    ended: tokio::task::JoinHandle<std::io::Result<()>>,
    housekeeping: tokio::task::JoinHandle<()>,
    imports: rt::task::JoinHandle<()>,
    dispatch: Dispatch,
    timeout: Duration,
}

/// Brings tables and code lists up to date, and adds what is new in the catalogue of indicators.
pub async fn migrate(db: &DatabaseConnection) -> Result<(), Problem> {
    connection::migrate(db).await?;
    provinces::entity::load(db).await?;
    industries::entity::load(db).await?;
    indicators::entity::load(db).await?;
    Ok(summary::build(db).await?)
}

/// Tells who runs it where the tables are not up to date.
pub async fn check_migrated(db: &DatabaseConnection) -> Result<(), Problem> {
    if connection::is_migrated(db).await? {
        return Ok(());
    }
    Err(Problem::internal("the tables are not up to date: run `khoosheh migrate up`"))
}

/// Starts the service on a database whose tables are up to date. Port 0 takes a free one.
pub async fn start(config: Config) -> Result<Running, Problem> {
    let first = connection::connect(&config.database_url, config.connections_per_worker).await?;
    check_migrated(&first).await?;
    feed::adopt(&first).await?;
    let files = web::Data::new(Files::open(&config)?);
    let contract = api::contract()?;
    let served = contract.clone();
    let authenticator = web::Data::new(Authenticator::load(&first, &config).await?);
    let rate_limit = web::Data::new(RateLimit::new(config.requests_per_minute));
    let public_rate_limit = web::Data::new(PublicRateLimit(RateLimit::new(config.public_requests_per_minute)));
    let shutdown = web::Data::new(Shutdown::default());
    let metrics = web::Data::new(metrics_handle()?);
    tokio::task::spawn_blocking(password::warm_up);

    // Each worker takes one pool; its connections are made lazily, on the worker's own thread.
    let mut pools = Vec::new();
    for _ in 0..config.workers {
        pools.push(connection::connect(&config.database_url, config.connections_per_worker).await?);
    }
    let next = AtomicUsize::new(0);

    let listener = TcpListener::bind(config.bind).map_err(|error| Problem::internal(format!("cannot listen on {}: {error}", config.bind)))?;
    let address = listener.local_addr().map_err(Problem::internal)?;
    let delay = Duration::from_secs(config.shutdown_delay_seconds);
    let shared = web::Data::new(config.clone());
    let factory_shutdown = shutdown.clone();
    let (pools, next) = (Arc::new(pools), Arc::new(next));
    let server = HttpServer::new(move || {
        let pool = pools[next.fetch_add(1, Ordering::Relaxed) % pools.len()].clone();
        let (app, _) = App::new()
            .app_data(web::Data::new(pool))
            .app_data(shared.clone())
            .app_data(files.clone())
            .app_data(served.clone())
            .app_data(authenticator.clone())
            .app_data(rate_limit.clone())
            .app_data(public_rate_limit.clone())
            .app_data(factory_shutdown.clone())
            .app_data(metrics.clone())
            .into_utoipa_app()
            .configure(api::routes)
            .split_for_parts();
        app.service(documentation())
            .service(web::redirect("/docs", "/docs/"))
            .default_service(web::to(not_found))
            .wrap(from_fn(guard::guard))
            .wrap(cors(&shared))
            .wrap(from_fn(compress::compress))
            .wrap(from_fn(envelope::envelope))
    })
    .workers(config.workers)
    .shutdown_timeout(config.shutdown_timeout_seconds)
    .client_request_timeout(Duration::from_secs(config.body_timeout_seconds))
    .disable_signals()
    .listen(listener)
    .map_err(Problem::internal)?
    .run();
    let handle = server.handle();
    let housekeeping = tokio::spawn(keep_house(first));
    // On the thread that has started the service, which handles no requests.
    let imports = rt::spawn(imports::worker::work(connection::connect(&config.database_url, 1).await?, contract));
    let dispatch = Dispatch::start(&config).await?;
    let timeout = Duration::from_secs(config.shutdown_timeout_seconds);
    Ok(Running { address, handle, shutdown, delay, ended: tokio::spawn(server), housekeeping, imports, dispatch, timeout })
}

impl Running {
    /// Stops gracefully: readiness goes off, then the listener closes, then requests in flight finish.
    pub async fn stop(self) {
        self.shutdown.begin();
        tokio::time::sleep(self.delay).await;
        tokio::join!(self.handle.stop(true), self.dispatch.stop(self.timeout));
        self.housekeeping.abort();
        self.imports.abort();
        let _ = self.ended.await;
    }

    /// Runs until the process is asked to end (SIGTERM or SIGINT), then stops gracefully.
    pub async fn until_signal(self) {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
            tracing::error!("signals cannot be received");
            return self.stop().await;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("shutting down");
        self.stop().await;
    }
}

/// What no route answers: 405 where the path has other methods, 404 otherwise.
async fn not_found(request: HttpRequest, contract: web::Data<Contract>) -> Result<HttpResponse, Problem> {
    Err(guard::no_operation(&contract, request.path()))
}

/// The interactive documentation, served from the binary.
fn documentation() -> SwaggerUi {
    let config = utoipa_swagger_ui::Config::new(["/openapi.json"])
        .persist_authorization(false)
        .display_request_duration(true)
        .doc_expansion("list")
        .filter(true)
        .validator_url("none");
    SwaggerUi::new("/docs/{_:.*}").config(config)
}

fn cors(config: &Config) -> Cors {
    let cors = Cors::default()
        .allowed_methods(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
        .allowed_headers([
            "authorization",
            "content-type",
            "accept",
            "accept-language",
            "if-match",
            "if-none-match",
            "idempotency-key",
            "x-request-id",
        ])
        .expose_headers([
            "etag",
            "link",
            "location",
            "retry-after",
            "x-request-id",
            "ratelimit",
            "ratelimit-policy",
            "idempotency-replayed",
            "content-disposition",
        ])
        .max_age(3600);
    config.cors_origins.iter().fold(cors, |cors, origin| match origin.as_str() {
        "*" => cors.allow_any_origin(),
        origin => cors.allowed_origin(origin),
    })
}

/// One recorder for the process, however many servers a test starts in it.
fn metrics_handle() -> Result<PrometheusHandle, Problem> {
    static HANDLE: OnceLock<Result<PrometheusHandle, String>> = OnceLock::new();
    let install = || {
        let seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
        let builder = PrometheusBuilder::new().set_buckets(&seconds).map_err(|error| error.to_string())?;
        builder.install_recorder().map_err(|error| error.to_string())
    };
    HANDLE.get_or_init(install).clone().map_err(Problem::internal)
}

/// Every few minutes, forgets what has expired.
async fn keep_house(db: DatabaseConnection) {
    let mut interval = tokio::time::interval(Duration::from_secs(300));
    loop {
        interval.tick().await;
        let month_ago = now() - chrono::TimeDelta::days(30);
        let forgotten = async {
            Ok::<_, sea_orm::DbErr>((
                idempotent_answer::forget_old(&db).await?,
                failures::forget_old(&db).await?,
                session::forget_old(&db, month_ago).await?,
                imports::entity::forget_old(&db, month_ago).await?,
                outbox::forget_old(&db, month_ago).await?,
            ))
        };
        match forgotten.await {
            Ok(counts) => tracing::debug!(?counts, "kept house"),
            Err(error) => tracing::warn!(%error, "could not keep house"),
        }
    }
}
