//! Followers of a database that is put back to an earlier state: who has seen more than is there begins anew,
//! and all others go on.

use std::{path::Path, process::Command};

use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::{
    changes::{CHANGES, Held, since, told},
    clusters::register,
    postgres,
    resilience::until,
    support::{Backend, Client, Service},
};

#[actix_web::test]
async fn sqlite() {
    a_restore(Backend::Sqlite).await;
}

#[actix_web::test]
async fn postgres() {
    let Some(_) = postgres::programs() else { return };
    a_restore(Backend::Postgres).await;
}

/// A program that works on a whole database.
fn tool(name: &str) -> Command {
    Command::new(postgres::programs().unwrap().join(name))
}

/// Makes a backup of a database that is in use.
async fn back_up(service: &Service, backup: &Path) {
    let url = service.database_url();
    if url.starts_with("sqlite") {
        let db = service.database().await;
        db.execute_unprepared(&format!("VACUUM INTO '{}'", backup.display())).await.unwrap();
        db.close().await.unwrap();
    } else {
        let mut command = tool("pg_dump");
        command.args(["--format=custom", "--dbname", url, "--file"]).arg(backup);
        postgres::run(command).await;
    }
}

/// Puts a backup back into the same database.
async fn put_back(url: &str, backup: &Path) {
    if let Some(file) = url.strip_prefix("sqlite://") {
        until(async || (!is_open(file)).then_some(())).await;
        for end in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{file}{end}"));
        }
        std::fs::copy(backup, file).unwrap();
    } else {
        let mut command = tool("pg_restore");
        command.args(["--clean", "--if-exists", "--single-transaction", "--dbname", url]).arg(backup);
        postgres::run(command).await;
    }
}

/// Whether a connection of this process to a file is not quite closed yet: it would go on writing into it.
fn is_open(file: &str) -> bool {
    let open = std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .flatten()
        .filter_map(|entry| std::fs::read_link(entry.path()).ok());
    open.into_iter().any(|path| path.to_string_lossy().starts_with(file))
}

/// Followers that stand at all kinds of places: at the end, on the way to it, and among the records.
async fn followers(client: &Client, begun: &Held) -> [Held; 3] {
    let (mut at_the_end, mut on_the_way, mut among_records) = (begun.clone(), begun.clone(), Held::default());
    at_the_end.follow(client, "").await;
    assert!(on_the_way.apply(&since(client, &begun.cursor, "&page_size=1").await), "there is more");
    assert!(
        among_records.apply(&client.get(&format!("{CHANGES}?snapshot=true&page_size=1")).await),
        "there is more"
    );
    [at_the_end, on_the_way, among_records]
}

async fn a_restore(backend: Backend) {
    let Some(service) = Service::start(backend, |_| {}).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup");
    let lorestan = service.login("lorestan").await;
    let begun = Held::snapshot(&lorestan, "").await;
    for name in ["ورشو", "خیارشور", "سفال"] {
        register(&lorestan, name, json!({})).await;
    }
    let before = followers(&lorestan, &begun).await;
    back_up(&service, &backup).await;
    for name in ["پوشاک", "چرم", "مبل"] {
        register(&lorestan, name, json!({})).await;
    }
    let after = followers(&lorestan, &before[0]).await;

    let service = service.restart_after(async |url| put_back(url, &backup).await).await;
    let lorestan = Client { address: service.address.clone(), ..lorestan };
    let all_begin_anew = async |when: &str| {
        for (number, held) in after.iter().enumerate() {
            let refused = since(&lorestan, &held.cursor, "&wait=1").await;
            assert_eq!(
                (refused.status, refused.code()),
                (410, "resync_required"),
                "{when}: follower {number}"
            );
        }
    };
    all_begin_anew("what was seen is not there").await;
    for (number, held) in before.clone().iter_mut().enumerate() {
        held.follow(&lorestan, "").await;
        held.follow(&lorestan, "").await;
        assert!(held.records == Held::snapshot(&lorestan, "").await.records, "follower {number} goes on");
    }
    for number in 0..5 {
        register(&lorestan, &format!("خوشهٔ {number}"), json!({})).await;
        all_begin_anew("others have taken its numbers").await;
    }
    let now = Held::snapshot(&lorestan, "").await;
    for (number, mut held) in before.into_iter().enumerate() {
        held.follow(&lorestan, "&page_size=2").await;
        held.follow(&lorestan, "&page_size=2").await;
        assert!(held.records == now.records, "follower {number} has got all that was written since");
        assert_eq!(told(&since(&lorestan, &held.cursor, "").await), [], "and once");
    }
    service.stop().await;
}
