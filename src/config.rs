//! One configuration: defaults, then a TOML file, then the environment (`KHOOSHEH_*`, `DATABASE_URL`), then
//! files that it names (`KHOOSHEH_*_FILE`, `DATABASE_URL_FILE`). No message of it repeats a value that may be
//! a secret.

mod database_url;
mod secrets;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use figment::{
    Figment, Provider,
    error::Kind,
    providers::{Env, Format, Serialized, Toml},
    value::Dict,
};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use self::secrets::OfFiles;
pub use self::{
    database_url::{BadAddress, DatabaseUrl, Wanted},
    secrets::{Secret, Secrets},
};

/// Configuration of the service. Each field is a key of the TOML file, and in capitals after `KHOOSHEH_` an
/// environment variable.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address to listen on.
    pub bind: SocketAddr,
    /// Separate address that serves only `/health/…` and `/metrics`; by default they are served at `bind`.
    pub operation_bind: Option<SocketAddr>,
    /// `sqlite://FILE` or `postgres://USER:PASSWORD@HOST/DATABASE`; `DATABASE_URL` sets it too. Several hosts
    /// (`HOST:PORT,HOST:PORT`) are tried in their order, by the rule of libpq with `target_session_attrs`.
    pub database_url: DatabaseUrl,
    /// The address that clients use: the issuer of tokens.
    pub public_url: String,
    /// Seconds to wait at startup for an unavailable database.
    pub database_wait_seconds: u64,
    /// Threads that handle requests, each with connections of its own.
    pub workers: usize,
    /// Read connections of one worker. It has half as many for writing; on SQLite, with one writer at a time,
    /// one.
    pub connections_per_worker: u32,
    /// Connections of this process for reports and other long reads, which limit their concurrency.
    pub report_connections: u32,
    /// The largest request body, in bytes.
    pub body_limit: usize,
    /// Seconds a client has to send a body.
    pub body_timeout_seconds: u64,
    /// Seconds after which a request is cancelled with 503; while a file is received, seconds without
    /// progress.
    pub request_timeout_seconds: u64,
    /// Storage of attached files: `file://FOLDER`, or `s3://BUCKET/PREFIX` with the keys in
    /// `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`.
    pub attachments_url: String,
    /// Endpoint of an S3-compatible store; Amazon by default.
    pub attachments_endpoint: Option<String>,
    /// The region of the bucket.
    pub attachments_region: Option<String>,
    /// The largest file, in bytes.
    pub attachment_limit: u64,
    /// The largest file to import, in bytes.
    pub import_limit: u64,
    /// Files that an account may be sending at the same time to one instance.
    pub uploads_per_account: usize,
    /// Total bytes of these; a single file may be up to its own limit.
    pub upload_bytes_per_account: u64,
    /// Seconds that requests in flight have to finish at shutdown.
    pub shutdown_timeout_seconds: u64,
    /// Seconds between readiness going off and the listener closing, for a load balancer to notice.
    pub shutdown_delay_seconds: u64,
    /// Requests a minute for each account (or address, without a token); 0 for no limit.
    pub requests_per_minute: u32,
    /// Requests per minute from an address for public data; 0 for no limit.
    pub public_requests_per_minute: u32,
    /// Maximum concurrent connections of one address (or IPv6 /64 network); 0 for unlimited. Not applied
    /// behind a proxy, which has them all.
    pub connections_per_address: usize,
    /// Bytes of answers that an address may leave unread in memory in addition to one answer; further GET
    /// requests give 429.
    pub unread_bytes_per_address: u64,
    /// Seconds for which a client may read more slowly than `reader_bytes_per_second` while bytes wait for
    /// it; then it is disconnected.
    pub reader_timeout_seconds: u64,
    /// The least bytes a second that a client has to read on average.
    pub reader_bytes_per_second: u64,
    /// Whether a reverse proxy sets `X-Forwarded-For`.
    pub behind_proxy: bool,
    /// Origins whose pages may call the API (CORS); `*` for all.
    pub cors_origins: Vec<String>,
    /// Seconds an access token lives.
    pub access_token_seconds: i64,
    /// Days a refresh token lives, within its session.
    pub refresh_token_days: i64,
    /// Days after which a session ends, even with refreshes.
    pub session_days: i64,
    /// Failed logins of one account from one address within 15 minutes before it is closed for that address,
    /// for the rest of them; the same number from any addresses slows logins to the account.
    pub login_failures_per_account: u64,
    /// Failed logins from one address within 15 minutes before logins from there are slowed.
    pub login_failures_per_address: u64,
    /// Retention of the security log in days.
    pub security_event_days: i64,
    /// Concurrent webhook deliveries of this instance, at most half of them to slow receivers; 0 sends none.
    pub webhook_workers: usize,
    /// Timeout of a webhook's receiver in seconds.
    pub webhook_timeout_seconds: u64,
    /// Seconds before each further attempt at a delivery; after the last one it is given up.
    pub webhook_retry_seconds: Vec<u64>,
    /// Days of failed attempts after which a webhook is switched off.
    pub webhook_failing_days: i64,
    /// Private networks that webhooks may send to, also without TLS.
    pub webhook_networks: Vec<IpNet>,
    /// Whether this instance publishes the statistics of each quarter. One of several is enough.
    pub publish_statistics: bool,
    /// Days after the end of a quarter before its statistics are published: time for late data.
    pub statistics_delay_days: u32,
    /// The folder of `pg_dump` and `pg_restore`, where they are neither on `PATH` nor where Debian has them.
    pub postgres_tools: Option<PathBuf>,
    /// File of the list of erasures, outside of the database and its backups: each erasure is appended, and
    /// all are repeated after a restore.
    pub erasure_list: Option<PathBuf>,
    /// `text` or `json`.
    pub log_format: LogFormat,
    /// Log filter, such as `info` or `khoosheh=debug,warn`.
    pub log_filter: String,
    /// Secrets, which are never shown.
    #[serde(skip)]
    pub secrets: Secrets,
}

/// Maximum of `attachment_limit`, as in the OpenAPI document.
pub const MOST_BYTES_OF_A_FILE: u64 = 5_368_709_120;

/// Whether it begins with one of the schemes, has more after it, and contains no user name or password.
fn is_address(url: &str, schemes: &[&str]) -> bool {
    schemes
        .iter()
        .any(|scheme| url.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty() && !rest.contains('@')))
}

/// The names of all keys.
fn keys(defaults: &impl Provider) -> Result<Dict, String> {
    let data = defaults.data().map_err(|error| error.to_string())?;
    Ok(data.into_values().flatten().collect())
}

/// A configuration error without values that may be secret. For a syntax error, which contains its line, only
/// the position is kept.
fn without_values(error: &figment::Error) -> String {
    let is_secret = error.path.iter().any(|key| key == "database_url" || key == "DATABASE_URL");
    match &error.kind {
        Kind::Message(text) if is_secret => text.clone(),
        _ if is_secret => BadAddress::Scheme.to_string(),
        Kind::Message(text) if text.contains('|') => text
            .lines()
            .filter(|line| !line.contains('|'))
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect::<Vec<_>>()
            .join(": "),
        _ => error.to_string(),
    }
}

/// Log formats.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from(([127, 0, 0, 1], 8080)),
            operation_bind: None,
            database_url: DatabaseUrl::of_file("khoosheh.sqlite"),
            public_url: "http://127.0.0.1:8080".into(),
            workers: std::thread::available_parallelism().map_or(2, Into::into),
            connections_per_worker: 4,
            report_connections: 4,
            database_wait_seconds: 60,
            body_limit: 1_048_576,
            body_timeout_seconds: 10,
            request_timeout_seconds: 30,
            attachments_url: "file://khoosheh-files".into(),
            attachments_endpoint: None,
            attachments_region: None,
            attachment_limit: 26_214_400,
            import_limit: 67_108_864,
            uploads_per_account: 8,
            upload_bytes_per_account: 134_217_728,
            shutdown_timeout_seconds: 20,
            shutdown_delay_seconds: 0,
            requests_per_minute: 6_000,
            public_requests_per_minute: 120,
            connections_per_address: 512,
            unread_bytes_per_address: 33_554_432,
            reader_timeout_seconds: 60,
            reader_bytes_per_second: 1_024,
            behind_proxy: false,
            cors_origins: Vec::new(),
            access_token_seconds: 900,
            refresh_token_days: 30,
            session_days: 90,
            login_failures_per_account: 10,
            login_failures_per_address: 100,
            security_event_days: 365,
            webhook_workers: 64,
            webhook_timeout_seconds: 15,
            // 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h: as Standard Webhooks recommends.
            webhook_retry_seconds: vec![5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400],
            // Standard Webhooks recommends switching off receivers that have failed for days; its authors do
            // so after five.
            webhook_failing_days: 5,
            webhook_networks: Vec::new(),
            publish_statistics: true,
            statistics_delay_days: 20,
            postgres_tools: None,
            erasure_list: None,
            log_format: LogFormat::Text,
            log_filter: "info".into(),
            secrets: Secrets::default(),
        }
    }
}

impl Config {
    /// Reads the configuration. The error names the wrong key and its source.
    pub fn load(file: Option<&Path>) -> Result<Self, String> {
        let defaults = Serialized::defaults(Self::default());
        let keys = keys(&defaults)?;
        let mut figment = Figment::from(defaults);
        if let Some(file) = file {
            if !file.is_file() {
                return Err(format!("there is no configuration file {}", file.display()));
            }
            figment = figment.merge(Toml::file(file));
        }
        let files = OfFiles::load(keys.keys())?;
        let is_own = move |name: &str| {
            name != "config" && !secrets::NAMES.contains(&name) && !OfFiles::is_variable(name, &keys)
        };
        let environment =
            Env::prefixed("KHOOSHEH_").filter(move |name| is_own(&name.as_str().to_lowercase()));
        let figment = figment.merge(Env::raw().only(&["DATABASE_URL"])).merge(environment).merge(files);
        let faults = |error: figment::Error| {
            error.into_iter().map(|error| without_values(&error)).collect::<Vec<_>>().join("\n")
        };
        let mut config: Self = figment.extract().map_err(faults)?;
        config.database_url = config.database_url.or_password(secrets::of_file("PGPASSWORD")?);
        config.secrets = Secrets::load()?;
        config.check()?;
        Ok(config)
    }

    /// Validates rules that the types cannot express.
    pub fn check(&self) -> Result<(), String> {
        let mut faults = Vec::new();
        let mut require = |holds: bool, fault: &str| {
            if !holds {
                faults.push(fault.to_owned());
            }
        };
        require(
            is_address(&self.public_url, &["http://", "https://"]),
            "public_url must begin with http:// or https://, and hold no password",
        );
        require((1..=256).contains(&self.workers), "workers must be from 1 to 256");
        require(
            (1..=64).contains(&self.connections_per_worker),
            "connections_per_worker must be from 1 to 64",
        );
        require((1..=64).contains(&self.report_connections), "report_connections must be from 1 to 64");
        require(self.body_limit >= 1_024, "body_limit must be at least 1024 bytes");
        require(self.body_timeout_seconds >= 1, "body_timeout_seconds must be at least 1");
        require(
            self.request_timeout_seconds > self.body_timeout_seconds,
            "request_timeout_seconds must exceed body_timeout_seconds",
        );
        require(
            is_address(&self.attachments_url, &["file://", "s3://"]),
            "attachments_url must be file://FOLDER or s3://BUCKET/PREFIX, without keys: they come from the environment",
        );
        require(
            self.attachments_endpoint
                .as_deref()
                .is_none_or(|endpoint| is_address(endpoint, &["https://", "http://"])),
            "attachments_endpoint must be https://HOST or http://HOST, without keys",
        );
        require(
            (1_024..=MOST_BYTES_OF_A_FILE).contains(&self.attachment_limit),
            "attachment_limit must be from 1024 to 5368709120 bytes",
        );
        require(
            (1_024..=1_073_741_824).contains(&self.import_limit),
            "import_limit must be from 1024 to 1073741824 bytes",
        );
        require(
            (1..=1_000).contains(&self.uploads_per_account),
            "uploads_per_account must be from 1 to 1000",
        );
        require(
            self.upload_bytes_per_account >= 1_048_576,
            "upload_bytes_per_account must be at least 1048576 bytes",
        );
        require(
            self.operation_bind.is_none_or(|address| address != self.bind || address.port() == 0),
            "operation_bind must differ from bind",
        );
        require(
            (1..=3_600).contains(&self.reader_timeout_seconds),
            "reader_timeout_seconds must be from 1 to 3600",
        );
        require(
            (60..=86_400).contains(&self.access_token_seconds),
            "access_token_seconds must be from 60 to 86400",
        );
        require((1..=365).contains(&self.refresh_token_days), "refresh_token_days must be from 1 to 365");
        require((1..=365).contains(&self.session_days), "session_days must be from 1 to 365");
        require(
            self.login_failures_per_account >= 1 && self.login_failures_per_address >= 1,
            "login_failures_* must be at least 1",
        );
        require(
            (1..=3_650).contains(&self.security_event_days),
            "security_event_days must be from 1 to 3650",
        );
        require(
            matches!(self.webhook_workers, 0 | 2..=1_000),
            "webhook_workers must be 0, or from 2 to 1000",
        );
        require(
            (1..=60).contains(&self.webhook_timeout_seconds),
            "webhook_timeout_seconds must be from 1 to 60",
        );
        require(
            self.webhook_retry_seconds.len() <= 20
                && self.webhook_retry_seconds.iter().all(|seconds| *seconds <= 604_800),
            "webhook_retry_seconds must be up to 20 numbers from 0 to 604800",
        );
        require((1..=365).contains(&self.webhook_failing_days), "webhook_failing_days must be from 1 to 365");
        require(self.statistics_delay_days <= 80, "statistics_delay_days must be from 0 to 80");
        require(
            self.log_filter.parse::<tracing_subscriber::EnvFilter>().is_ok(),
            "log_filter must be a filter such as info or khoosheh=debug,warn",
        );
        if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
    }

    /// Folders that the service writes to, by purpose.
    pub fn folders(&self) -> Vec<(&'static str, PathBuf)> {
        let database =
            self.database_url.file().map(|file| file.parent().map(Path::to_owned).unwrap_or_default());
        let files = self.attachments_url.strip_prefix("file://").map(PathBuf::from);
        let here = |folder: PathBuf| if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder };
        let named = [("database", database), ("files", files), ("temporary", Some(std::env::temp_dir()))];
        named.into_iter().filter_map(|(of, folder)| Some((of, here(folder?)))).collect()
    }

    /// Timeout of a request body.
    pub fn body_timeout(&self) -> Duration {
        Duration::from_secs(self.body_timeout_seconds)
    }

    /// Timeout of a request.
    pub fn request_timeout(&self) -> Duration {
        Duration::from_secs(self.request_timeout_seconds)
    }
}
