//! Starting and stopping: the same for production, demo and tests.

use crate::http::security_log;
use std::{
    net::{SocketAddr, TcpListener},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use actix_cors::Cors;
use actix_web::{App, HttpRequest, HttpResponse, dev::ServerHandle, middleware::from_fn, rt, web};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::{
    accounts::{Authenticator, failures, password, session, signing_key},
    api,
    changes::CursorKey,
    config::Config,
    documentation, erasures,
    http::{
        Routes, Shutdown, authorization, compress,
        connection::Listener,
        contract::Contract,
        rate_limit::{self, PublicRateLimit, RateLimit},
        request_middleware,
        security_log::SecurityLog,
        serve::serve,
        spool::SpoolQuota,
        unread::Unread,
        upload_quota::{BodyQuota, UploadQuota},
    },
    imports, indicators, industries,
    problem::Problem,
    provinces, statistics,
    store::{
        Database, Files, LongReads, connection,
        earned_value::summary,
        fault, feed, idempotent_answer, now, outbox, personal,
        probe::Probe,
        schema::{self, Schema},
        secret, security_event, servers,
    },
    webhooks::Dispatch,
};

/// Time between cancelling the remaining work and stopping the workers by force: connections can only be
/// returned while they run.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Between two attempts at a database that is away.
const AWAY_PAUSE: Duration = Duration::from_secs(1);

/// A server that runs.
pub struct Running {
    /// Listening address.
    pub address: SocketAddr,
    /// Separate address of health and metrics, if there is one.
    pub operation_address: Option<SocketAddr>,
    handle: ServerHandle,
    shutdown: web::Data<Shutdown>,
    delay: Duration,
    ended: tokio::task::JoinHandle<std::io::Result<()>>,
    housekeeping: Vec<tokio::task::JoinHandle<()>>,
    imports: tokio::task::JoinHandle<()>,
    security: security_log::Writer,
    dispatch: Dispatch,
    databases: Vec<Database>,
    timeout: Duration,
}

/// Migrates the schema, updates the code lists, and adds new indicators to the catalogue.
pub async fn migrate(db: &Database) -> Result<(), Problem> {
    let is_changed = schema::migrate(db).await?;
    if !personal::keys::is_configured() {
        secret::get_or_make(db, secret::PERSONAL).await?;
    }
    // Before any other write: the stored root has to be the one that the former version reported.
    personal::adopt::adopt(db).await?;
    provinces::entity::load(&db.writes()).await?;
    industries::entity::load(&db.writes()).await?;
    indicators::record::load(db).await?;
    secret::get_or_make(db, secret::CURSORS).await?;
    summary::build(db).await?;
    if is_changed {
        connection::refresh_statistics(db).await?;
    }
    Ok(())
}

/// Checks that the schema fits this build.
///
/// # Errors
/// It does not, and the message says how to fix that; or the database does not answer.
pub async fn check_migrated(db: &Database) -> Result<(), Problem> {
    connection::follow_clock(db).await?;
    match schema::look(db).await? {
        Schema::Fits { is_newer } => {
            if is_newer {
                tracing::warn!("{}", Schema::Fits { is_newer });
            }
            Ok(())
        }
        schema => Err(Problem::internal(schema)),
    }
}

/// Waits for an unavailable database, with a time limit, and checks its schema.
async fn await_database(db: &Database, config: &Config) -> Result<(), Problem> {
    let end = Instant::now() + Duration::from_secs(config.database_wait_seconds);
    let url = &config.database_url;
    loop {
        let looked = async {
            servers::choose(url, std::slice::from_ref(db)).await?;
            servers::check_sessions(url).await?;
            check_migrated(db).await
        };
        match looked.await {
            Err(problem) if problem.is_temporary() && Instant::now() < end => {
                let seconds = (end - Instant::now()).as_secs();
                tracing::warn!(%problem, "the database is away: trying again for {seconds} s");
                tokio::time::sleep(AWAY_PAUSE).await;
            }
            outcome => return outcome,
        }
    }
}

/// Makes the feed readable if the database takes writes; on a standby, the primary has done so.
async fn adopt_feed(db: &Database) -> Result<(), Problem> {
    match feed::adopt(db).await {
        Err(error) if fault::is_read_only(&error) => {
            tracing::warn!(
                "the database is read-only: nothing can be written, and logins get no refresh tokens"
            );
            Ok(())
        }
        outcome => Ok(outcome?),
    }
}

/// Repeats the erasures of the list if the database takes writes.
async fn apply_erasures(db: &Database, config: &Config) -> Result<(), Problem> {
    match erasures::list::apply(db, config).await {
        Err(problem) if problem.is_temporary() => {
            tracing::warn!(%problem, "the list of erasures was not applied");
            Ok(())
        }
        Ok(count) if count > 0 => {
            tracing::warn!(count, "erased again what is on the list of erasures");
            Ok(())
        }
        outcome => outcome.map(|_| ()),
    }
}

/// Starts the service on a database with an up-to-date schema. Port 0 selects a free one.
pub async fn start(config: Config) -> Result<Running, Problem> {
    let first = connection::connect(&config.database_url, config.connections_per_worker).await?;
    await_database(&first, &config).await?;
    personal::keys::check(&first).await?;
    adopt_feed(&first).await?;
    apply_erasures(&first, &config).await?;
    let probe = web::Data::new(Probe::open(&config.database_url).await?);
    let files = web::Data::new(Files::open(&config)?);
    let contract = api::contract()?;
    let served = contract.clone();
    let authenticator = web::Data::new(Authenticator::load(&first, &config).await?);
    let rate_limit = web::Data::new(RateLimit::new(config.requests_per_minute));
    let public_rate_limit =
        web::Data::new(PublicRateLimit(RateLimit::new(config.public_requests_per_minute)));
    let upload_quota =
        web::Data::new(UploadQuota::new(config.uploads_per_account, config.upload_bytes_per_account));
    let body_quota = web::Data::new(BodyQuota::default());
    let spool_quota = web::Data::new(SpoolQuota::default());
    let unread = web::Data::new(Unread::new(config.unread_bytes_per_address));
    let cursor_key = web::Data::new(CursorKey::default());
    let (security_log, security) = SecurityLog::start(first.clone());
    let (for_webhooks, security_log) = (security_log.clone(), web::Data::new(security_log));
    let shutdown = web::Data::new(Shutdown::default());
    let metrics = web::Data::new(metrics_handle()?);
    tokio::task::spawn_blocking(password::warm_up);

    // Each worker gets one pool; its connections are made lazily, on the worker's own thread.
    let mut pools = Vec::new();
    for _ in 0..config.workers {
        pools.push(connection::connect(&config.database_url, config.connections_per_worker).await?);
    }
    let long_reads = web::Data::new(LongReads::open(&config.database_url, config.report_connections).await?);
    let mut databases = pools.clone();
    databases.extend([probe.database(), long_reads.database()]);
    let next = AtomicUsize::new(0);

    let (listener, address) = listen(config.bind)?;
    let for_operation = config.operation_bind.map(listen).transpose()?;
    let operation_address = for_operation.as_ref().map(|(_, address)| *address);
    let delay = Duration::from_secs(config.shutdown_delay_seconds);
    let shared = web::Data::new(config.clone());
    let factory_shutdown = shutdown.clone();
    let follower = authenticator.clone();
    let (pools, next) = (Arc::new(pools), Arc::new(next));
    let app = move || {
        let pool = pools[next.fetch_add(1, Ordering::Relaxed) % pools.len()].clone();
        App::new()
            .app_data(web::Data::new(pool))
            .app_data(shared.clone())
            .app_data(files.clone())
            .app_data(served.clone())
            .app_data(authenticator.clone())
            .app_data(rate_limit.clone())
            .app_data(public_rate_limit.clone())
            .app_data(upload_quota.clone())
            .app_data(body_quota.clone())
            .app_data(spool_quota.clone())
            .app_data(unread.clone())
            .app_data(cursor_key.clone())
            .app_data(security_log.clone())
            .app_data(factory_shutdown.clone())
            .app_data(metrics.clone())
            .app_data(api::registry())
            .app_data(probe.clone())
            .app_data(long_reads.clone())
            .configure(|config| api::routes(&mut Routes::new(config)))
            .configure(documentation::routes)
            .default_service(web::to(not_found))
            .wrap(from_fn(authorization::guard))
            .wrap(cors(&shared))
            .wrap(from_fn(rate_limit::limit_preflights))
            .wrap(from_fn(compress::compress))
            .wrap(from_fn(request_middleware::envelope))
    };
    let mut listeners = vec![(Listener::Public, listener)];
    listeners.extend(for_operation.map(|(listener, _)| (Listener::Operation, listener)));
    let server = serve(app, listeners, &config)?;
    let handle = server.handle();

    let for_imports = connection::connect(&config.database_url, 1).await?;
    let dispatch = Dispatch::start(&config, for_webhooks).await?;
    databases.extend([first, for_imports.clone()]);
    databases.extend(dispatch.database());
    // On the thread that has started the service, which handles no requests.
    let imports = rt::spawn(imports::worker::work(for_imports, contract));
    let mut housekeeping = vec![
        tokio::spawn(follow_clock(databases[0].clone())),
        tokio::spawn(keep_house(databases[0].clone(), config.security_event_days)),
        tokio::spawn(follow_keys(follower.into_inner(), databases[0].clone())),
        tokio::spawn(follow_file(databases[0].clone())),
        tokio::spawn(servers::follow(config.database_url.clone(), databases.clone())),
    ];
    if config.publish_statistics {
        housekeeping.push(tokio::spawn(statistics::keep_publishing(
            databases[0].clone(),
            config.statistics_delay_days,
        )));
    }
    let timeout = Duration::from_secs(config.shutdown_timeout_seconds);
    Ok(Running {
        address,
        operation_address,
        handle,
        shutdown,
        delay,
        ended: tokio::spawn(server),
        housekeeping,
        imports,
        security,
        dispatch,
        databases,
        timeout,
    })
}

impl Running {
    /// Stops gracefully: readiness goes off, then the listener closes, then requests in flight finish.
    pub async fn stop(self) {
        self.shutdown.begin();
        tokio::time::sleep(self.delay).await;
        let (shutdown, patience) = (self.shutdown.clone(), self.timeout.saturating_sub(LAST_WORDS));
        let cut_off = tokio::spawn(async move {
            tokio::time::sleep(patience).await;
            shutdown.cut_off();
        });
        tokio::join!(self.handle.stop(true), self.dispatch.stop(self.timeout));
        // A task that is only told to end holds its connection until it has.
        for task in self.housekeeping.into_iter().chain([self.imports, cut_off]) {
            task.abort();
            let _ = task.await;
        }
        let _ = self.ended.await;
        self.security.stop(LAST_WORDS).await;
        // The last SQLite connection to close checkpoints the log.
        let closing = self.databases.into_iter().map(Database::close);
        let _ = tokio::time::timeout(LAST_WORDS, futures_util::future::join_all(closing)).await;
    }

    /// Runs until the process is asked to stop (SIGTERM or SIGINT), then shuts down gracefully.
    pub async fn until_signal(self) {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut terminate), Ok(mut interrupt)) =
            (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
        else {
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

/// Handler for paths without a route: 405 if the path has other methods, 404 otherwise.
async fn not_found(request: HttpRequest, contract: web::Data<Contract>) -> Result<HttpResponse, Problem> {
    Err(authorization::no_operation(&contract, request.path()))
}

/// A listener, and the address that it has got.
fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Problem> {
    let listener = TcpListener::bind(address)
        .map_err(|error| Problem::internal(format!("cannot listen on {address}: {error}")))?;
    let address = listener.local_addr().map_err(Problem::internal)?;
    Ok((listener, address))
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
            "acting-for",
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

/// Compares the clock of this machine with that of the database each minute.
async fn follow_clock(db: Database) {
    loop {
        tokio::time::sleep(Duration::from_secs(60)).await;
        if let Err(error) = connection::follow_clock(&db).await {
            tracing::debug!(%error, "the clock was not compared");
        }
    }
}

/// Learns the keys that sign tokens where they were rotated.
async fn follow_keys(authenticator: Arc<Authenticator>, db: Database) {
    loop {
        tokio::time::sleep(Duration::from_secs(5)).await;
        if let Err(problem) = authenticator.follow_keys(&db).await {
            tracing::debug!(%problem, "the keys that sign tokens were not read");
        }
    }
}

/// Releases an embedded database whose file was removed under its connections.
async fn follow_file(db: Database) {
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        db.let_go();
    }
}

/// Deletes expired data every few minutes.
async fn keep_house(db: Database, security_event_days: i64) {
    let mut interval = tokio::time::interval(Duration::from_secs(300));
    loop {
        interval.tick().await;
        let month_ago = now() - chrono::TimeDelta::days(30);
        let forgotten = async {
            Ok::<_, sea_orm::DbErr>((
                idempotent_answer::forget_old(&db.writes()).await?,
                failures::forget_old(&db.writes()).await?,
                session::forget_old(&db.writes(), month_ago).await?,
                signing_key::forget_old(&db.writes()).await?,
                security_event::forget_old(
                    &db.writes(),
                    now() - chrono::TimeDelta::days(security_event_days),
                )
                .await?,
                imports::entity::forget_old(&db.writes(), month_ago).await?,
                outbox::forget_old(&db.writes(), month_ago).await?,
                connection::keep_statistics(&db).await?,
            ))
        };
        match connection::in_time(async { Ok(forgotten.await?) }).await {
            Ok(counts) => tracing::debug!(?counts, "kept house"),
            Err(error) => tracing::warn!(%error, "could not keep house"),
        }
    }
}
