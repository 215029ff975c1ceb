//! A service for each test, on a database of its own, and clients that talk to it as somebody.

use std::{
    path::PathBuf,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use argon2::{Algorithm, Argon2, Params, Version, password_hash::PasswordHasher};
use chrono::SecondsFormat;
use khoosheh::{
    clock,
    config::Config,
    demo,
    server::{self, Running},
    store::{Database, connection},
};
use reqwest::{Method, header::HeaderMap};
use sea_orm::ConnectionTrait;
use serde_json::Value;

use crate::conform;

/// The password of all accounts of the demonstration data, with which every test begins.
pub const PASSWORD: &str = "correct horse battery staple";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres,
}

/// Makes of `async fn name(service: &Service)` a test on each database.
#[macro_export]
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {$(
        mod $name {
            #[actix_web::test]
            async fn sqlite() {
                $crate::support::with_service($crate::support::Backend::Sqlite, async |service| super::$name(service).await).await;
            }

            #[actix_web::test]
            async fn postgres() {
                $crate::support::with_service($crate::support::Backend::Postgres, async |service| super::$name(service).await).await;
            }
        }
    )*};
}

/// Makes of `async fn name(backend: Backend)`, which sees to its own database and service, a test on each
/// database.
#[macro_export]
macro_rules! on_each {
    ($($name:ident),* $(,)?) => {$(
        mod $name {
            #[actix_web::test]
            async fn sqlite() {
                super::$name($crate::support::Backend::Sqlite).await;
            }

            #[actix_web::test]
            async fn postgres() {
                super::$name($crate::support::Backend::Postgres).await;
            }
        }
    )*};
}

/// The present moment as the service tells it, whose clock differs from the machine's by some milliseconds.
pub fn moment() -> String {
    clock::now().to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// Starts a service, has the test talk to it, and stops it. Without PostgreSQL its half is skipped, except in
/// CI.
pub async fn with_service(backend: Backend, test: impl AsyncFnOnce(&Service)) {
    let Some(service) = Service::start(backend, |_| {}).await else { return };
    test(&service).await;
    service.stop().await;
}

/// A database and a folder of its own for one test.
pub struct Scratch {
    pub url: String,
    backend: Backend,
    folder: tempfile::TempDir,
}

impl Scratch {
    /// A fresh copy of the demonstration data; none where there is no PostgreSQL.
    pub async fn copy(backend: Backend) -> Option<Self> {
        match backend {
            Backend::Sqlite => {
                let scratch = Self::file();
                std::fs::copy(sqlite_template(), scratch.url.trim_start_matches("sqlite://")).unwrap();
                Some(scratch)
            }
            Backend::Postgres => Some(Self { url: postgres_database(true).await?, backend, ..Self::file() }),
        }
    }

    /// A database without tables; none where there is no PostgreSQL.
    pub async fn empty(backend: Backend) -> Option<Self> {
        match backend {
            Backend::Sqlite => {
                let scratch = Self::file();
                // An empty file is an empty database.
                std::fs::write(scratch.url.trim_start_matches("sqlite://"), "").unwrap();
                Some(scratch)
            }
            Backend::Postgres => Some(Self { url: postgres_database(false).await?, backend, ..Self::file() }),
        }
    }

    fn file() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            url: format!("sqlite://{}", folder.path().join("test.sqlite").display()),
            backend: Backend::Sqlite,
            folder,
        }
    }

    /// Where the files go that are attached.
    pub fn files(&self) -> PathBuf {
        self.folder.path().join("files")
    }

    pub async fn remove(self) {
        if self.backend == Backend::Postgres {
            let (_, name) = self.url.rsplit_once('/').unwrap();
            admin()
                .await
                .unwrap()
                .execute_unprepared(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
                .await
                .unwrap();
        }
    }
}

pub struct Service {
    pub address: String,
    pub config: Config,
    running: Running,
    scratch: Scratch,
}

impl Service {
    /// A service on a fresh copy of the demonstration data; none where there is no PostgreSQL.
    pub async fn start(backend: Backend, adjust: impl FnOnce(&mut Config)) -> Option<Self> {
        let scratch = Scratch::copy(backend).await?;
        let mut config = Config {
            bind: ([127, 0, 0, 1], 0).into(),
            database_url: scratch.url.parse().unwrap(),
            attachments_url: format!("file://{}", scratch.files().display()),
            workers: 1,
            requests_per_minute: 0,
            public_requests_per_minute: 0,
            shutdown_timeout_seconds: 5,
            webhook_workers: 0,
            publish_statistics: false,
            ..Config::default()
        };
        adjust(&mut config);
        let running = server::start(config.clone()).await.unwrap();
        Some(Self { address: format!("http://{}", running.address), config, running, scratch })
    }

    pub async fn stop(self) {
        self.running.stop().await;
        self.scratch.remove().await;
    }

    /// The same service after a restart, at a new address.
    pub async fn restart(self) -> Self {
        self.restart_after(async |_| {}).await
    }

    /// The same, and something is done with the database of that address while nobody serves it.
    pub async fn restart_after(self, work: impl AsyncFnOnce(&str)) -> Self {
        self.running.stop().await;
        work(&self.scratch.url).await;
        let running = server::start(self.config.clone()).await.unwrap();
        Self { address: format!("http://{}", running.address), running, ..self }
    }

    /// One more instance on the same database, perhaps with another configuration, and a client of nobody
    /// that talks to it.
    pub async fn beside(&self, adjust: impl FnOnce(&mut Config)) -> (Running, Client) {
        let mut config = self.config.clone();
        adjust(&mut config);
        let running = server::start(config).await.unwrap();
        let client = Client { address: format!("http://{}", running.address), ..self.anonymous() };
        (running, client)
    }

    /// Where the files are that are attached.
    pub fn files(&self) -> PathBuf {
        self.scratch.files()
    }

    /// The address of the database, as the environment gives it.
    pub fn database_url(&self) -> &str {
        &self.scratch.url
    }

    /// A connection past the service, to look at what is stored.
    pub async fn database(&self) -> Database {
        connection::connect(&self.config.database_url, 1).await.unwrap().unguarded()
    }

    /// Puts a record into a state, past the service and its rules: for tests that begin there and are about
    /// something else.
    pub async fn put_in_state(&self, table: &str, id: &str, state: &str) {
        put_in_state(&self.database().await, table, id, state).await;
    }

    /// Makes the passwords of all accounts those of their owners, past the service: for tests that are not
    /// about the first login.
    pub async fn own_passwords(&self) {
        self.database()
            .await
            .execute_unprepared("UPDATE account SET must_change_password = FALSE")
            .await
            .unwrap();
    }

    pub fn anonymous(&self) -> Client {
        Client { http: reqwest::Client::new(), address: self.address.clone(), token: None }
    }

    /// A client logged in as one of the demonstration's people.
    pub async fn login(&self, username: &str) -> Client {
        self.anonymous().login(username).await
    }

    /// A client with the tokens of the demonstration's API client.
    pub async fn login_integrator(&self) -> Client {
        let form =
            [("grant_type", "client_credentials"), ("client_id", "integrator"), ("client_secret", PASSWORD)];
        let answer = self.anonymous().form("/api/v1/auth/token", &form).await;
        Client { token: Some(answer.body["access_token"].as_str().unwrap().to_owned()), ..self.anonymous() }
    }
}

#[derive(Clone)]
pub struct Client {
    pub http: reqwest::Client,
    pub address: String,
    pub token: Option<String>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    /// The body where it is JSON; null otherwise.
    pub body: Value,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn etag(&self) -> &str {
        self.header("etag")
    }

    /// The ETag of the version alone, without the hash of what follows from other records.
    pub fn version_tag(&self) -> &str {
        const TAGS: [&str; 6] = ["\"1\"", "\"2\"", "\"3\"", "\"4\"", "\"5\"", "\"6\""];
        let tag = self.etag();
        let version = tag.split_once('-').map(|(version, _)| format!("{version}\""));
        version.map_or(tag, |version| TAGS.into_iter().find(|tag| *tag == version).unwrap())
    }

    pub fn id(&self) -> &str {
        self.body["id"].as_str().unwrap()
    }

    /// The code of a problem.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// The code of everything that a refused change of state lacks, in the order of the table.
    pub fn missing(&self) -> Vec<&str> {
        self.body["missing"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|guard| guard["code"].as_str().unwrap())
            .collect()
    }

    /// Pointer and code of each broken rule, sorted.
    pub fn errors(&self) -> Vec<(&str, &str)> {
        let errors = self.body["errors"].as_array().into_iter().flatten();
        let mut pairs: Vec<_> = errors
            .map(|error| (error["pointer"].as_str().unwrap(), error["code"].as_str().unwrap()))
            .collect();
        pairs.sort();
        pairs
    }

    /// Every refusal is a problem of RFC 9457 that names itself, the request and its address.
    pub fn check_problem(&self, path: &str) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{path}: {}", self.text);
        assert_eq!(self.body["status"], self.status, "{path}: {}", self.text);
        assert_eq!(self.body["type"], format!("/problems/{}", self.code()), "{path}: {}", self.text);
        assert_eq!(self.body["request_id"], self.header("x-request-id"), "{path}: {}", self.text);
        // A long address is cut.
        let instance = self.body["instance"].as_str().unwrap();
        assert!(
            instance == path || instance.len() > 5_000 && path.starts_with(instance.trim_end_matches('…')),
            "{path}: {}",
            self.text
        );
    }

    /// One field of each item of a list.
    pub fn items(&self, field: &str) -> Vec<&str> {
        self.body["items"].as_array().unwrap().iter().map(|item| item[field].as_str().unwrap()).collect()
    }
}

impl Client {
    /// The same client, logged in as one of the demonstration's people.
    pub async fn login(&self, username: &str) -> Self {
        let form = [("grant_type", "password"), ("username", username), ("password", PASSWORD)];
        let answer = self.form("/api/v1/auth/token", &form).await;
        assert_eq!(answer.status, 200, "{username} cannot log in: {}", answer.text);
        self.with_token(answer.body["access_token"].as_str().unwrap())
    }

    /// The same client with another token.
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// A request with the client's token; `path` begins with `/`.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request =
            self.http.request(method, format!("{}{path}", self.address)).header("accept-language", "en");
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends a request, and holds the answer against the document.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let request = request.build().unwrap();
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let response = self.http.execute(request).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        let answer = Answer { status, headers, text, body };
        conform::check(&method, &path, &answer);
        if status >= 400 && method != Method::HEAD {
            answer.check_problem(&path);
        }
        answer
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::POST, path).json(&body)).await
    }

    pub async fn form(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        self.send(self.request(Method::POST, path).form(form)).await
    }

    pub async fn patch(&self, path: &str, etag: &str, body: Value) -> Answer {
        self.send(self.request(Method::PATCH, path).header("if-match", etag).json(&body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::PUT, path).json(&body)).await
    }

    pub async fn delete(&self, path: &str, etag: &str) -> Answer {
        self.send(self.request(Method::DELETE, path).header("if-match", etag)).await
    }

    /// A change of state.
    pub async fn transition(&self, path: &str, etag: &str, body: Value) -> Answer {
        self.send(
            self.request(Method::POST, &format!("{path}/transitions")).header("if-match", etag).json(&body),
        )
        .await
    }

    /// How many records a list has; `list` may have a query.
    pub async fn count(&self, list: &str) -> u64 {
        let counted = format!("{list}{}count=true&page_size=1", if list.contains('?') { '&' } else { '?' });
        let answer = self.get(&counted).await;
        answer.body["total"].as_u64().unwrap_or_else(|| panic!("{counted}: {}", answer.text))
    }

    /// The demonstration's cluster of a name.
    pub async fn cluster_named(&self, name: &str) -> Answer {
        let found = self.send(self.request(Method::GET, "/api/v1/clusters").query(&[("q", name)])).await;
        let id =
            found.body["items"][0]["id"].as_str().unwrap_or_else(|| panic!("no cluster {name}")).to_owned();
        self.get(&format!("/api/v1/clusters/{id}")).await
    }
}

/// See [`Service::put_in_state`].
pub async fn put_in_state(db: &Database, table: &str, id: &str, state: &str) {
    let sql = format!("UPDATE {table} SET state = $1 WHERE id = $2");
    let id: uuid::Uuid = id.parse().unwrap();
    let statement =
        sea_orm::Statement::from_sql_and_values(db.get_database_backend(), sql, [state.into(), id.into()]);
    assert_eq!(db.execute_raw(statement).await.unwrap().rows_affected(), 1);
}

/// Runs on a thread and runtime of its own: what is made once outlives the test that makes it.
fn once<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    std::thread::spawn(|| {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
    })
    .join()
    .unwrap()
}

/// Hashes the password of all accounts with the least effort: tests log in thousands of times. The parameters
/// are part of a hash, so that all else is as in production.
async fn make_logins_cheap(db: &Database) {
    let least = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, None).unwrap());
    let hash = least.hash_password(PASSWORD.as_bytes()).unwrap().to_string();
    db.execute_unprepared(&format!("UPDATE account SET password_hash = '{hash}'")).await.unwrap();
}

/// Makes the tables in an empty database, and the demonstration data.
pub async fn fill(url: &str) {
    let db = connection::create(&url.parse().unwrap(), 1).await.unwrap();
    server::migrate(&db).await.unwrap();
    assert!(demo::fill(&db, PASSWORD).await.unwrap());
    make_logins_cheap(&db.clone().unguarded()).await;
    // Tests start many services: they share the key that signs tokens.
    khoosheh::accounts::Authenticator::load(&db, &Config::default()).await.unwrap();
    db.close().await.unwrap();
}

fn sqlite_template() -> PathBuf {
    static TEMPLATE: OnceLock<PathBuf> = OnceLock::new();
    TEMPLATE
        .get_or_init(|| {
            let file = std::env::temp_dir().join(format!("khoosheh-template-{}.sqlite", std::process::id()));
            let _ = std::fs::remove_file(&file);
            let url = format!("sqlite://{}", file.display());
            once(async move { fill(&url).await });
            file
        })
        .clone()
}

fn admin_url() -> String {
    std::env::var("TEST_DATABASE_URL")
        .unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432/postgres".into())
}

async fn admin() -> Option<Database> {
    let db = connection::connect(&admin_url().parse().unwrap(), 1).await.unwrap().unguarded();
    db.execute_unprepared("SELECT 1").await.ok().map(|_| db)
}

fn database_url(name: &str) -> String {
    let url = admin_url();
    format!("{}/{name}", url.rsplit_once('/').unwrap().0)
}

/// A new database, a copy of the template or an empty one; the template is made once in a run.
async fn postgres_database(is_copy: bool) -> Option<String> {
    static TEMPLATE: OnceLock<Option<String>> = OnceLock::new();
    static COPIES: AtomicUsize = AtomicUsize::new(0);
    let template = TEMPLATE.get_or_init(|| once(postgres_template())).clone();
    let Some(template) = template else {
        assert!(std::env::var_os("CI").is_none(), "PostgreSQL does not answer at {}", admin_url());
        eprintln!("skipped: PostgreSQL does not answer at {}", admin_url());
        return None;
    };
    let name = format!("{template}_{}", COPIES.fetch_add(1, Ordering::Relaxed));
    let of = if is_copy { format!("TEMPLATE {template} STRATEGY file_copy") } else { String::new() };
    admin().await?.execute_unprepared(&format!("CREATE DATABASE {name} {of}")).await.unwrap();
    Some(database_url(&name))
}

async fn postgres_template() -> Option<String> {
    let admin = admin().await?;
    drop_leftovers(&admin).await;
    let name = format!("khoosheh_test_{}", std::process::id());
    admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
    fill(&database_url(&name)).await;
    Some(name)
}

/// Databases of earlier runs whose process is gone.
async fn drop_leftovers(admin: &Database) {
    let sql = "SELECT datname FROM pg_database WHERE datname LIKE 'khoosheh\\_test\\_%'";
    for row in
        admin.query_all_raw(sea_orm::Statement::from_string(sea_orm::DbBackend::Postgres, sql)).await.unwrap()
    {
        let name: String = row.try_get("", "datname").unwrap();
        let is_running =
            name.split('_').nth(2).is_some_and(|pid| std::path::Path::new("/proc").join(pid).exists());
        if !is_running {
            admin.execute_unprepared(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await.unwrap();
        }
    }
}
