//! Disks that are full or fail, files that are gone, databases that are read-only: what was acknowledged is
//! kept, what was not is not there, and the service goes on by itself when the fault is over.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use khoosheh::store::connection;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::json;

use crate::{
    process::{self, Server},
    resilience::until,
    support::{Backend, Client, PASSWORD, Scratch},
};

const ORGANISATIONS: &str = "/api/v1/organisations";
const READY: &str = "/health/ready";

/// Those who write while something is at fault, and remember what was acknowledged.
struct Writer {
    client: Client,
    acknowledged: Vec<String>,
    refused: Vec<String>,
}

impl Writer {
    async fn new(server: &Server) -> Self {
        Self { client: server.client().login("isipo").await, acknowledged: Vec::new(), refused: Vec::new() }
    }

    /// The status of one more write. A write that was refused is not tried again.
    async fn write(&mut self) -> u16 {
        let name = format!("انجمن شمارهٔ {}", self.acknowledged.len() + self.refused.len());
        let body = json!({"kind": "association", "name_fa": name, "province": "IR-15"});
        let answer = self.client.post(ORGANISATIONS, body).await;
        match answer.status {
            201 => self.acknowledged.push(name),
            status => {
                assert_eq!(
                    (status, answer.code(), answer.header("retry-after")),
                    (503, "unavailable", "2"),
                    "{}",
                    answer.text
                );
                self.refused.push(name);
            }
        }
        answer.status
    }

    /// Writes until one is acknowledged again, as it is without a restart.
    async fn recover(&mut self) {
        until(async || (self.write().await == 201).then_some(())).await;
        for _ in 0..5 {
            assert_eq!(self.write().await, 201, "every connection writes again");
        }
    }

    /// All that was acknowledged is there once, and nothing else.
    async fn check(&self, url: &str) {
        let db = connection::connect(&url.parse().unwrap(), 1).await.unwrap();
        let sql = "SELECT name_fa FROM organisation WHERE name_fa LIKE 'انجمن شمارهٔ %' AND deleted_at IS NULL ORDER BY created_at, id";
        let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
        let kept: Vec<String> = rows.iter().map(|row| row.try_get("", "name_fa").unwrap()).collect();
        assert_eq!(kept, self.acknowledged);
        db.close().await.unwrap();
        let verified = process::run(&["verify", "--without-files"], &[("DATABASE_URL", url)], "").await;
        assert_eq!(verified.code, 0, "{}", verified.stderr);
    }
}

/// One worker with one connection, so that a connection that lies is the next one to be asked.
async fn serve(url: &str) -> Server {
    Server::serve(
        url,
        &[
            ("KHOOSHEH_WORKERS", "1"),
            ("KHOOSHEH_CONNECTIONS_PER_WORKER", "1"),
            ("KHOOSHEH_WEBHOOK_WORKERS", "0"),
        ],
    )
    .await
}

fn file(url: &str) -> PathBuf {
    PathBuf::from(url.trim_start_matches("sqlite://"))
}

fn log_of(url: &str) -> PathBuf {
    PathBuf::from(format!("{}-wal", file(url).display()))
}

async fn readiness(writer: &Writer, status: u16) {
    until(async || (writer.client.get(READY).await.status == status).then_some(())).await;
}

/// Writes to a file that cannot grow are I/O errors, after which SQLite rolls back by itself.
#[actix_web::test]
async fn a_file_that_cannot_grow_loses_nothing() {
    let scratch = Scratch::copy(Backend::Sqlite).await.unwrap();
    let server = serve(&scratch.url).await;
    let mut writer = Writer::new(&server).await;
    for _ in 0..2 {
        assert_eq!(writer.write().await, 201);
        server.limit_files(Some(std::fs::metadata(log_of(&scratch.url)).unwrap().len() + 20_000));
        let mut refused = 0;
        while refused < 12 {
            refused += usize::from(writer.write().await == 503);
        }
        assert_eq!(writer.client.get(ORGANISATIONS).await.status, 200, "who reads goes on");
        readiness(&writer, 503).await;
        server.limit_files(None);
        writer.recover().await;
        readiness(&writer, 200).await;
    }
    writer.check(&scratch.url).await;
    server.terminate();
    assert_eq!(server.ended().await, 0);
    writer.check(&scratch.url).await;
}

/// A small disk in memory; none where it may not be mounted.
struct Disk(tempfile::TempDir);

impl Disk {
    fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(folder.path())
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn fill(&self) {
        let mut file = std::fs::File::create(self.path().join("filler")).unwrap();
        let zeros = vec![0; 4_096];
        while std::io::Write::write_all(&mut file, &zeros).is_ok() {}
    }

    fn make_room(&self) {
        std::fs::remove_file(self.path().join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

#[actix_web::test]
async fn a_full_disk_loses_nothing() {
    let scratch = Scratch::copy(Backend::Sqlite).await.unwrap();
    let Some(disk) = Disk::mount("24m") else {
        return eprintln!("skipped: a small disk may not be mounted here");
    };
    let copy = disk.path().join("test.sqlite");
    std::fs::copy(file(&scratch.url), &copy).unwrap();
    let url = format!("sqlite://{}", copy.display());
    let server = serve(&url).await;
    let mut writer = Writer::new(&server).await;
    for _ in 0..2 {
        assert_eq!(writer.write().await, 201);
        disk.fill();
        let mut refused = 0;
        while refused < 12 {
            refused += usize::from(writer.write().await == 503);
        }
        readiness(&writer, 503).await;
        disk.make_room();
        writer.recover().await;
    }
    readiness(&writer, 200).await;
    writer.check(&url).await;
    server.terminate();
    assert_eq!(server.ended().await, 0);
    writer.check(&url).await;
}

/// Who removes or replaces the file of a database that is in use loses what it held, but nobody is told that
/// something was written to it.
#[actix_web::test]
async fn nothing_is_acknowledged_that_goes_into_a_file_that_is_gone() {
    let scratch = Scratch::copy(Backend::Sqlite).await.unwrap();
    let other = Scratch::copy(Backend::Sqlite).await.unwrap();
    let server = serve(&scratch.url).await;
    let mut writer = Writer::new(&server).await;
    assert_eq!(writer.write().await, 201);
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", file(&scratch.url).display()));
    }
    for _ in 0..5 {
        assert_eq!(writer.write().await, 503);
    }
    readiness(&writer, 503).await;
    std::fs::copy(file(&other.url), file(&scratch.url)).unwrap();
    writer.acknowledged.clear();
    writer.recover().await;
    readiness(&writer, 200).await;
    writer.check(&scratch.url).await;
    server.terminate();
    assert_eq!(server.ended().await, 0);
    writer.check(&scratch.url).await;
}

/// The log of a database holds what was written last. The connections still have it, and the last one that is
/// closed brings it in.
#[actix_web::test]
async fn nothing_is_acknowledged_that_goes_into_a_log_that_is_gone() {
    let scratch = Scratch::copy(Backend::Sqlite).await.unwrap();
    let server = serve(&scratch.url).await;
    take_the_log_away(server, &scratch.url).await;
}

/// The same with all the connections that a process has by default, those included that set the database up.
#[actix_web::test]
async fn the_demonstration_outlives_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("demo.sqlite").display());
    let server = Server::start(
        &["demo", "--bind", "127.0.0.1:0", "--database-url", &url],
        &[("KHOOSHEH_DEMO_PASSWORD", PASSWORD)],
    )
    .await;
    take_the_log_away(server, &url).await;
}

async fn take_the_log_away(server: Server, url: &str) {
    let mut writer = Writer::new(&server).await;
    for _ in 0..3 {
        assert_eq!(writer.write().await, 201);
    }
    for end in ["-wal", "-shm"] {
        std::fs::remove_file(format!("{}{end}", file(url).display())).unwrap();
    }
    writer.recover().await;
    readiness(&writer, 200).await;
    writer.check(url).await;
    server.terminate();
    assert_eq!(server.ended().await, 0);
    writer.check(url).await;
}

/// Another process that holds the database keeps writers waiting, and nobody else.
#[actix_web::test]
async fn a_database_that_another_process_holds_keeps_no_reader_waiting() {
    let scratch = Scratch::copy(Backend::Sqlite).await.unwrap();
    let server = Server::serve(&scratch.url, &[]).await;
    let mut writer = Writer::new(&server).await;
    let other = connection::connect(&scratch.url.parse().unwrap(), 1).await.unwrap();
    let holding = other.begin_to_write().await.unwrap();
    let client = writer.client.clone();
    let writers = (0..20).map(|n| {
        let client = client.clone();
        tokio::task::spawn_local(async move {
            let body = json!({"kind": "association", "name_fa": format!("منتظر {n}"), "province": "IR-15"});
            client.post(ORGANISATIONS, body).await.status
        })
    });
    let writers: Vec<_> = writers.collect();
    for _ in 0..5 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        for path in [ORGANISATIONS, READY, "/api/v1/clusters"] {
            assert_eq!(client.get(path).await.status, 200, "{path}");
        }
    }
    holding.roll_back().await;
    for writer in writers {
        assert_eq!(writer.await.unwrap(), 201, "their turn comes");
    }
    writer.recover().await;
    writer.check(&scratch.url).await;
}
