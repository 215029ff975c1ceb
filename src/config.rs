//! One configuration: defaults, then a TOML file, then the environment (`KHOOSHEH_*`, `DATABASE_URL`).

use std::{net::SocketAddr, path::Path, time::Duration};

use figment::{
    Figment,
    providers::{Env, Format, Serialized, Toml},
};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// How the service runs. Each field is a key of the TOML file, and in capitals after `KHOOSHEH_` a variable.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where to listen.
    pub bind: SocketAddr,
    /// `sqlite://FILE` or `postgres://USER:PASSWORD@HOST/DATABASE`; `DATABASE_URL` sets it too.
    pub database_url: String,
    /// The address that clients use: the issuer of tokens.
    pub public_url: String,
    /// Threads that handle requests; each has its own pool.
    pub workers: usize,
    /// Connections in the pool of one worker.
    pub connections_per_worker: u32,
    /// The largest request body, in bytes.
    pub body_limit: usize,
    /// Seconds a client has to send a body.
    pub body_timeout_seconds: u64,
    /// Seconds after which a request is given up with 503; while a file is received, seconds without progress.
    pub request_timeout_seconds: u64,
    /// Where attached files are kept: `file://FOLDER`, or `s3://BUCKET/PREFIX` with the keys in `AWS_ACCESS_KEY_ID` and
    /// `AWS_SECRET_ACCESS_KEY`.
    pub attachments_url: String,
    /// The address of an S3-compatible store; that of Amazon when left out.
    pub attachments_endpoint: Option<String>,
    /// The region of the bucket.
    pub attachments_region: Option<String>,
    /// The largest file, in bytes.
    pub attachment_limit: u64,
    /// The largest file to import, in bytes.
    pub import_limit: u64,
    /// Seconds that requests in flight have to finish at shutdown.
    pub shutdown_timeout_seconds: u64,
    /// Seconds between readiness going off and the listener closing, for a load balancer to notice.
    pub shutdown_delay_seconds: u64,
    /// Requests a minute for each account (or address, without a token); 0 for no limit.
    pub requests_per_minute: u32,
    /// Requests a minute from an address for what is public; 0 for no limit.
    pub public_requests_per_minute: u32,
    /// Whether a proxy stands in front and writes `X-Forwarded-For`.
    pub behind_proxy: bool,
    /// Origins whose pages may call the API (CORS); `*` for all.
    pub cors_origins: Vec<String>,
    /// Seconds an access token lives.
    pub access_token_seconds: i64,
    /// Days a refresh token lives.
    pub refresh_token_days: i64,
    /// Failed logins of one account within 15 minutes before it is closed for the rest of them.
    pub login_failures_per_account: u64,
    /// Failed logins from one address within 15 minutes before it is closed for the rest of them.
    pub login_failures_per_address: u64,
    /// Webhook deliveries on their way at the same time from this instance, half of them at the most to receivers that lag; 0 sends none.
    pub webhook_workers: usize,
    /// Seconds that a webhook's receiver has to answer.
    pub webhook_timeout_seconds: u64,
    /// Seconds before each further attempt at a delivery, after which it is given up.
    pub webhook_retry_seconds: Vec<u64>,
    /// Days for which a webhook's receiver fails at each attempt before the webhook is switched off.
    pub webhook_failing_days: i64,
    /// Networks that webhooks may send to although they are private, and without TLS.
    pub webhook_networks: Vec<IpNet>,
    /// `text` or `json`.
    pub log_format: LogFormat,
    /// What to log, such as `info` or `khoosheh=debug,warn`.
    pub log_filter: String,
}

/// What the document says that `attachment_limit` may be at the most.
pub const MOST_BYTES_OF_A_FILE: u64 = 5_368_709_120;

/// Whether it begins with one of the schemes, goes on after it, and holds no user name or password.
fn is_address(url: &str, schemes: &[&str]) -> bool {
    schemes.iter().any(|scheme| url.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty() && !rest.contains('@')))
}

/// How a line of the log looks.
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
            database_url: "sqlite://khoosheh.sqlite".into(),
            public_url: "http://127.0.0.1:8080".into(),
            workers: std::thread::available_parallelism().map_or(2, Into::into),
            connections_per_worker: 4,
            body_limit: 1_048_576,
            body_timeout_seconds: 10,
            request_timeout_seconds: 30,
            attachments_url: "file://khoosheh-files".into(),
            attachments_endpoint: None,
            attachments_region: None,
            attachment_limit: 26_214_400,
            import_limit: 67_108_864,
            shutdown_timeout_seconds: 20,
            shutdown_delay_seconds: 0,
            requests_per_minute: 6_000,
            public_requests_per_minute: 120,
            behind_proxy: false,
            cors_origins: Vec::new(),
            access_token_seconds: 900,
            refresh_token_days: 30,
            login_failures_per_account: 10,
            login_failures_per_address: 100,
            webhook_workers: 64,
            webhook_timeout_seconds: 15,
            // 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h: what Standard Webhooks recommends.
            webhook_retry_seconds: vec![5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400],
            // Standard Webhooks recommends to switch off what has failed for days, and its authors do so after five.
            webhook_failing_days: 5,
            webhook_networks: Vec::new(),
            log_format: LogFormat::Text,
            log_filter: "info".into(),
        }
    }
}

impl Config {
    /// Reads the configuration. The error says which key is wrong, and where it was set.
    pub fn load(file: Option<&Path>) -> Result<Self, String> {
        let mut figment = Figment::from(Serialized::defaults(Self::default()));
        if let Some(file) = file {
            if !file.is_file() {
                return Err(format!("there is no configuration file {}", file.display()));
            }
            figment = figment.merge(Toml::file(file));
        }
        let figment = figment.merge(Env::raw().only(&["DATABASE_URL"])).merge(Env::prefixed("KHOOSHEH_").ignore(&["demo_password", "config"]));
        let config: Self = figment.extract().map_err(|error| error.into_iter().map(|e| e.to_string()).collect::<Vec<_>>().join("\n"))?;
        config.check()?;
        Ok(config)
    }

    /// What the types alone cannot say.
    pub fn check(&self) -> Result<(), String> {
        let mut faults = Vec::new();
        let mut require = |holds: bool, fault: &str| {
            if !holds {
                faults.push(fault.to_owned());
            }
        };
        require(
            (self.is_sqlite() && !self.database_url.contains("memory")) || self.is_postgres(),
            "database_url must be sqlite://FILE or postgres://…",
        );
        require(self.public_url.starts_with("http://") || self.public_url.starts_with("https://"), "public_url must begin with http:// or https://");
        require((1..=256).contains(&self.workers), "workers must be from 1 to 256");
        require((1..=64).contains(&self.connections_per_worker), "connections_per_worker must be from 1 to 64");
        require(self.body_limit >= 1_024, "body_limit must be at least 1024 bytes");
        require(self.body_timeout_seconds >= 1, "body_timeout_seconds must be at least 1");
        require(self.request_timeout_seconds > self.body_timeout_seconds, "request_timeout_seconds must exceed body_timeout_seconds");
        require(
            is_address(&self.attachments_url, &["file://", "s3://"]),
            "attachments_url must be file://FOLDER or s3://BUCKET/PREFIX, without keys: they come from the environment",
        );
        require(
            self.attachments_endpoint.as_deref().is_none_or(|endpoint| is_address(endpoint, &["https://", "http://"])),
            "attachments_endpoint must be https://HOST or http://HOST, without keys",
        );
        require((1_024..=MOST_BYTES_OF_A_FILE).contains(&self.attachment_limit), "attachment_limit must be from 1024 to 5368709120 bytes");
        require((1_024..=1_073_741_824).contains(&self.import_limit), "import_limit must be from 1024 to 1073741824 bytes");
        require((60..=86_400).contains(&self.access_token_seconds), "access_token_seconds must be from 60 to 86400");
        require((1..=365).contains(&self.refresh_token_days), "refresh_token_days must be from 1 to 365");
        require(self.login_failures_per_account >= 1 && self.login_failures_per_address >= 1, "login_failures_* must be at least 1");
        require(matches!(self.webhook_workers, 0 | 2..=1_000), "webhook_workers must be 0, or from 2 to 1000");
        require((1..=60).contains(&self.webhook_timeout_seconds), "webhook_timeout_seconds must be from 1 to 60");
        require(
            self.webhook_retry_seconds.len() <= 20 && self.webhook_retry_seconds.iter().all(|seconds| *seconds <= 604_800),
            "webhook_retry_seconds must be up to 20 numbers from 0 to 604800",
        );
        require((1..=365).contains(&self.webhook_failing_days), "webhook_failing_days must be from 1 to 365");
        require(self.log_filter.parse::<tracing_subscriber::EnvFilter>().is_ok(), "log_filter must be a filter such as info or khoosheh=debug,warn");
        if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
    }

    /// Whether the database is the embedded one.
    pub fn is_sqlite(&self) -> bool {
        self.database_url.starts_with("sqlite:")
    }

    /// Whether the database is PostgreSQL.
    pub fn is_postgres(&self) -> bool {
        self.database_url.starts_with("postgres://") || self.database_url.starts_with("postgresql://")
    }

    /// How long a client may take to send a body.
    pub fn body_timeout(&self) -> Duration {
        Duration::from_secs(self.body_timeout_seconds)
    }

    /// How long a request may take.
    pub fn request_timeout(&self) -> Duration {
        Duration::from_secs(self.request_timeout_seconds)
    }
}
