//! Backups: taken by the real binary while others write, and restored elsewhere.

mod place;

use std::{
    os::unix::fs::PermissionsExt,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use self::place::{Load, Place};
use crate::{
    attachments,
    auth::is_live,
    changes::{Held, since},
    clusters::register,
    on_each,
    process::run,
    resilience::until,
    support::{Backend, Client, PASSWORD},
};

on_each!(
    a_backup_under_load_is_restored_elsewhere,
    whoever_has_seen_more_begins_anew,
    what_is_not_whole_is_refused,
    damaged_files_are_named,
);

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn manifest(backup: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(backup.join("manifest.json")).unwrap()).unwrap()
}

/// The tokens of a login.
async fn tokens(client: &Client) -> (String, String) {
    let form = [("grant_type", "password"), ("username", "lorestan"), ("password", PASSWORD)];
    let answer = client.form("/api/v1/auth/token", &form).await;
    let token = |name: &str| answer.body[name].as_str().unwrap().to_owned();
    (token("access_token"), token("refresh_token"))
}

async fn a_backup_under_load_is_restored_elsewhere(backend: Backend) {
    let (Some(here), Some(there)) = (Place::copy(backend).await, Place::empty(backend).await) else { return };
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup");
    let server = here.serve().await;
    let (access, refresh) = tokens(&server.client()).await;
    let lorestan = server.client().with_token(&access);
    let content = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF\n";
    let attached = attachments::attachment(&lorestan, content, json!({})).await;
    assert_eq!(attachments::send(&lorestan, &attached, content).await.status, 200);
    let seen = Held::snapshot(&lorestan, "").await;

    let load = Load::begin(&lorestan);
    tokio::time::sleep(Duration::from_millis(800)).await;
    let begun = Instant::now();
    let taken = here.run(&["backup", text(&backup)]).await;
    assert_eq!(taken.code, 0, "{}{}", taken.stdout, taken.stderr);
    let ended = Instant::now();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let seen_later = Held::snapshot(&lorestan, "").await;
    let acknowledged = load.end();
    server.kill();
    let count =
        |during: &dyn Fn(&Instant) -> bool| acknowledged.values().filter(|moment| during(moment)).count();
    assert!(
        count(&|moment| *moment < begun) > 0 && count(&|moment| *moment > begun && *moment < ended) > 0,
        "others wrote meanwhile"
    );

    whole_and_private(&backup, backend);
    let restored = there.run(&["restore", text(&backup)]).await;
    assert!(
        restored.code == 0 && restored.stdout.starts_with("restored and verified: "),
        "{}{}",
        restored.stdout,
        restored.stderr
    );
    let verified = there.run(&["verify", "--manifest", text(&backup.join("manifest.json"))]).await;
    assert_eq!(verified.code, 0, "{}{}", verified.stdout, verified.stderr);
    assert!(
        verified.stdout.contains(manifest(&backup)["root"]["sha256"].as_str().unwrap()),
        "{}",
        verified.stdout
    );
    let other = here.run(&["verify", "--manifest", text(&backup.join("manifest.json"))]).await;
    assert!(
        other.code == 1 && other.stderr.contains("is not that of the backup"),
        "more was written since: {}",
        other.stderr
    );

    let server = there.serve().await;
    nobody_is_misled(&server.client(), (&access, &refresh), [seen, seen_later]).await;
    let lorestan = server.client().login("lorestan").await;
    for (path, moment) in &acknowledged {
        let status = lorestan.get(path).await.status;
        assert!(status == 200 || *moment > begun && status == 404, "{path}: {status}");
    }
    let content_of = format!("{}/content", attachments::path(&attached));
    assert_eq!(lorestan.get(&content_of).await.text.as_bytes(), content);
    server.kill();

    let again = there.run(&["restore", text(&backup)]).await;
    assert!(again.code == 1 && again.stderr.contains("into an empty database only"), "{}", again.stderr);
    here.scratch.remove().await;
    there.scratch.remove().await;
}

/// Tokens of before are refused. Of what a follower has seen, a part may not have come back: it begins anew,
/// also once as much was written again.
async fn nobody_is_misled(nobody: &Client, (access, refresh): (&str, &str), [seen, seen_later]: [Held; 2]) {
    assert!(!is_live(nobody, access).await, "all sessions were ended");
    let refreshed = nobody
        .form("/api/v1/auth/token", &[("grant_type", "refresh_token"), ("refresh_token", refresh)])
        .await;
    assert_eq!(refreshed.code(), "invalid_grant");
    let lorestan = nobody.login("lorestan").await;
    let written_again = Load::begin(&lorestan);
    tokio::time::sleep(Duration::from_millis(800)).await;
    written_again.end();
    assert_eq!(since(&lorestan, &seen_later.cursor, "").await.code(), "resync_required");
    goes_on_or_begins_anew(&lorestan, seen).await;
}

/// Who has seen nothing that did not come back may go on, and then holds all that there is.
async fn goes_on_or_begins_anew(lorestan: &Client, mut seen: Held) {
    if since(lorestan, &seen.cursor, "").await.code() != "resync_required" {
        // A write that was under way when its writer went may come between the two.
        let holds_all = async || {
            seen.follow(lorestan, "").await;
            (seen.records == Held::snapshot(lorestan, "").await.records).then_some(())
        };
        until(holds_all).await;
    }
}

/// The database is put back in its own place: by name and number it is the one that was followed.
async fn whoever_has_seen_more_begins_anew(backend: Backend) {
    let Some(here) = Place::copy(backend).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup");
    let server = here.serve().await;
    let lorestan = server.client().login("lorestan").await;
    let before = Held::snapshot(&lorestan, "").await;
    assert_eq!(here.run(&["backup", text(&backup)]).await.code, 0);
    register(&lorestan, "ورشو", json!({})).await;
    let after = Held::snapshot(&lorestan, "").await;
    server.terminate();
    assert_eq!(server.ended().await, 0);
    match backend {
        Backend::Sqlite => {
            let file = here.scratch.url.trim_start_matches("sqlite://");
            std::fs::remove_file(file).unwrap();
            // A log that stays behind would be read into whatever takes its place.
            std::fs::write(format!("{file}-wal"), "of another one").unwrap();
            let refused = here.run(&["restore", text(&backup)]).await;
            assert!(refused.code == 1 && refused.stderr.contains("test.sqlite-wal"), "{}", refused.stderr);
            std::fs::remove_file(format!("{file}-wal")).unwrap();
        }
        Backend::Postgres => {
            let db = khoosheh::store::connection::connect(&here.scratch.url.parse().unwrap(), 1)
                .await
                .unwrap()
                .unguarded();
            sea_orm::ConnectionTrait::execute_unprepared(
                &db,
                "DROP SCHEMA public CASCADE; CREATE SCHEMA public",
            )
            .await
            .unwrap();
        }
    }
    let restored = here.run(&["restore", text(&backup)]).await;
    assert_eq!(restored.code, 0, "{}", restored.stderr);
    let server = here.serve().await;
    let lorestan = server.client().login("lorestan").await;
    for name in ["خیارشور", "گیوه"] {
        register(&lorestan, name, json!({})).await;
    }
    assert_eq!(since(&lorestan, &after.cursor, "").await.code(), "resync_required");
    assert_eq!(Held::snapshot(&lorestan, "").await.records.len(), before.records.len() + 2);
    goes_on_or_begins_anew(&lorestan, before).await;
    server.kill();
    here.scratch.remove().await;
}

/// The backup is complete, and nobody else may read it.
fn whole_and_private(backup: &Path, backend: Backend) {
    let manifest = manifest(backup);
    let part = if backend == Backend::Sqlite { "database.sqlite" } else { "database.dump" };
    let parts: Vec<_> =
        manifest["parts"].as_array().unwrap().iter().map(|part| part["name"].as_str().unwrap()).collect();
    assert_eq!((parts, &manifest["files"]["count"]), (vec![part, "files.sha256"], &json!(1)), "{manifest}");
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(backup), mode(&backup.join("files"))), (0o700, 0o700));
    for name in ["manifest.json", part, "files.sha256"] {
        assert_eq!(mode(&backup.join(name)), 0o600, "{name}");
    }
    let names: Vec<_> = std::fs::read_dir(backup.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["backup"], "nothing is left beside it");
}

async fn what_is_not_whole_is_refused(backend: Backend) {
    let (Some(here), Some(there)) = (Place::copy(backend).await, Place::empty(backend).await) else { return };
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup");
    let server = here.serve().await;
    let lorestan = server.client().login("lorestan").await;
    let content = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF\n";
    let attached = attachments::attachment(&lorestan, content, json!({})).await;
    assert_eq!(attachments::send(&lorestan, &attached, content).await.status, 200);
    server.kill();
    assert_eq!(here.run(&["backup", text(&backup)]).await.code, 0);
    let again = here.run(&["backup", text(&backup)]).await;
    assert!(again.code == 1 && again.stderr.contains("missing or empty"), "{}", again.stderr);

    let part = if backend == Backend::Sqlite { "database.sqlite" } else { "database.dump" };
    let file = format!("files/{}", attached.body["sha256"].as_str().unwrap());
    for name in [part, "files.sha256", &file, "manifest.json"] {
        let path = backup.join(name);
        let before = std::fs::read(&path).unwrap();
        let mut flipped = before.clone();
        // Of the manifest, a byte of the root: the parts are what it says.
        let at = if name == "manifest.json" {
            String::from_utf8(before.clone()).unwrap().find("\"root\"").unwrap() + 30
        } else {
            before.len() / 2
        };
        flipped[at] = if flipped[at] == b'0' { b'1' } else { b'0' };
        std::fs::write(&path, flipped).unwrap();
        let refused = there.run(&["restore", text(&backup)]).await;
        assert!(refused.code == 1 && refused.stdout.is_empty(), "{name}: {}", refused.stdout);
        let why =
            if name == "manifest.json" { "the root of what was restored" } else { "was changed or damaged" };
        assert!(refused.stderr.contains(why), "{name}: {}", refused.stderr);
        std::fs::write(&path, before).unwrap();
    }
    if backend == Backend::Sqlite {
        let left = std::fs::metadata(there.scratch.url.trim_start_matches("sqlite://")).unwrap().len();
        assert_eq!(left, 0, "nothing was written");
    }
    what_does_not_fit_is_refused(&there, &backup, backend).await;
    // Neither into a store of files that holds others.
    if let Some(other) = Place::empty(backend).await {
        std::fs::create_dir_all(other.scratch.files()).unwrap();
        std::fs::write(other.scratch.files().join("other"), "x").unwrap();
        let refused = other.run(&["restore", text(&backup)]).await;
        assert!(
            refused.code == 1 && refused.stderr.contains("into an empty store only"),
            "{}",
            refused.stderr
        );
        other.scratch.remove().await;
    }
    here.scratch.remove().await;
    there.scratch.remove().await;
}

/// A backup of a newer version, or of the other kind of database.
async fn what_does_not_fit_is_refused(there: &Place, backup: &Path, backend: Backend) {
    for (changes, why) in [
        (json!({"format": 2}), "a newer version"),
        (
            json!({"database": {"kind": "sqlite", "server": "", "migrations": ["m20990101_000099_later"]}}),
            "a newer version",
        ),
        (
            json!({"database": {"kind": if backend == Backend::Sqlite { "postgres" } else { "sqlite" }, "server": "", "migrations": []}}),
            "the backup is of",
        ),
    ] {
        let mut changed = manifest(backup);
        let own = changed["database"]["kind"].clone();
        changed.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        if why == "a newer version" {
            changed["database"]["kind"] = own;
        }
        let before = std::fs::read(backup.join("manifest.json")).unwrap();
        std::fs::write(backup.join("manifest.json"), changed.to_string()).unwrap();
        let refused = there.run(&["restore", text(backup)]).await;
        assert!(refused.code == 1 && refused.stderr.contains(why), "{changes}: {}", refused.stderr);
        std::fs::write(backup.join("manifest.json"), before).unwrap();
    }
}

async fn damaged_files_are_named(backend: Backend) {
    let (Some(here), Some(there)) = (Place::copy(backend).await, Place::empty(backend).await) else { return };
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup");
    let server = here.serve().await;
    let lorestan = server.client().login("lorestan").await;
    let mut names = Vec::new();
    for number in 0..3 {
        let content = format!("%PDF-1.7\n{number} 0 obj\n<<>>\nendobj\n%%EOF\n");
        let attached = attachments::attachment(&lorestan, content.as_bytes(), json!({})).await;
        assert_eq!(attachments::send(&lorestan, &attached, content.as_bytes()).await.status, 200);
        names.push(attached.body["sha256"].as_str().unwrap().to_owned());
    }
    server.kill();
    std::fs::write(here.scratch.files().join(&names[0]), "something else").unwrap();
    std::fs::remove_file(here.scratch.files().join(&names[1])).unwrap();
    let taken = here.run(&["backup", text(&backup)]).await;
    let is_named = taken.stderr.contains(&format!("damaged: {}", names[0]))
        && taken.stderr.contains(&format!("missing: {}", names[1]));
    assert!(taken.code == 1 && is_named, "{}", taken.stderr);
    let files = &manifest(&backup)["files"];
    assert_eq!(
        (&files["count"], &files["damaged"], &files["missing"]),
        (&json!(1), &json!([names[0]]), &json!([names[1]]))
    );
    let restored = there.run(&["restore", text(&backup)]).await;
    assert!(
        restored.code == 0 && restored.stdout.contains("2 attached files are not in the backup"),
        "{}{}",
        restored.stdout,
        restored.stderr
    );
    here.scratch.remove().await;
    there.scratch.remove().await;
}

#[actix_web::test]
async fn postgres_needs_its_programs() {
    let Some(here) = Place::copy(Backend::Postgres).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let tools = folder.path().join("tools");
    std::fs::create_dir(&tools).unwrap();
    let backup = async || {
        let variables = [&here.variables()[..], &[("KHOOSHEH_POSTGRES_TOOLS", text(&tools))]].concat();
        run(&["backup", text(&folder.path().join("backup"))], &variables, "").await
    };
    let refused = backup().await;
    assert!(refused.code == 1 && refused.stderr.contains("there is no pg_dump in"), "{}", refused.stderr);
    let old = tools.join("pg_dump");
    std::fs::write(&old, "#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.24'\n").unwrap();
    std::fs::set_permissions(&old, std::fs::Permissions::from_mode(0o755)).unwrap();
    let refused = backup().await;
    assert!(
        refused.code == 1 && refused.stderr.contains("is of version 9, and the server of version"),
        "{}",
        refused.stderr
    );
    assert!(!folder.path().join("backup").exists());
    here.scratch.remove().await;
}
