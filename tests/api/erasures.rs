//! Erasures to their end: what was known of a person elsewhere, files, what was on its way, and what is done
//! where one breaks off half way.

use khoosheh::store::{
    connection,
    security_event::{self, Kind, Origin},
};
use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, Statement, TransactionTrait};
use serde_json::{Value, json};

use crate::{
    attachments::{attachment, path, send},
    cdas::{self, CDAS, national_code},
    clusters::register,
    imports::{import, rows},
    on_both,
    personal_store::stolen,
    process::Server,
    resilience::until,
    support::{Answer, Backend, Client, Scratch, Service},
};

on_both!(
    an_imported_person_is_erased_from_the_rows,
    the_name_of_an_erased_account_comes_back_nowhere,
    a_file_is_removed_at_the_second_attempt,
    a_file_does_not_vanish_under_a_new_reference,
    upkeep_takes_as_long_as_it_takes,
);

const ERASURES: &str = "/api/v1/erasures";

async fn erase(client: &Client, resource: &str, id: &str, attachments: &[&str]) -> Answer {
    client
        .post(
            ERASURES,
            json!({"resource": resource, "record_id": id, "reason": "درخواست", "attachments": attachments}),
        )
        .await
}

async fn an_imported_person_is_erased_from_the_rows(service: &Service) {
    let (admin, lorestan) = (service.login("admin").await, service.login("lorestan").await);
    let key = "PERSONNEL-4713-K";
    let row = |key: &str, code: &str| {
        json!({"key": key, "name_fa": "واردشدهٔ نمونه", "province": "IR-15", "national_code": code})
            .to_string()
            + "\n"
    };
    let mut imports = Vec::new();
    // A rehearsal, a row that failed, the one that made the record, and one that failed afterwards; beside a
    // person who stays.
    for (mode, code) in [
        ("validate", national_code(71)),
        ("apply", "1".to_owned()),
        ("apply", national_code(71)),
        ("apply", "2".to_owned()),
    ] {
        let file = row(key, &code) + &row("PERSONNEL-OTHER", &national_code(72));
        let order = format!("resource=cdas&system=personnel&mode={mode}");
        let (made, told) = import(&lorestan, &order, "application/x-ndjson", file).await;
        assert_eq!(told[0]["key"], key, "{told:?}");
        imports.push(format!("/api/v1/imports/{}", made["id"].as_str().unwrap()));
    }
    let by_key = format!("{CDAS}/by-ref/personnel/{key}");
    let cda = lorestan.get(&by_key).await;
    assert_eq!((cda.status, &cda.body["national_code"]), (200, &json!(national_code(71))), "{}", cda.text);
    assert_eq!(erase(&admin, "cda", cda.id(), &[]).await.status, 200);
    for import in &imports {
        let told = rows(&lorestan, import, "").await;
        assert_eq!((&told[0]["key"], &told[0]["errors"]), (&Value::Null, &json!([])), "{told:?}");
        assert_eq!(told[1]["key"], "PERSONNEL-OTHER", "others keep theirs");
        for question in ["", "?format=csv", "?outcome=failed"] {
            assert!(!lorestan.get(&format!("{import}/rows{question}")).await.text.contains(key));
        }
    }
    assert_eq!(lorestan.get(&by_key).await.status, 404);
    let stolen = stolen(service.database_url()).await;
    assert!(
        stolen.contains("PERSONNEL-OTHER") && !stolen.contains(key),
        "the key of the person is in the database"
    );
}

/// Of a person whose account is erased, the name does not come back by what happens, or is written,
/// afterwards.
async fn the_name_of_an_erased_account_comes_back_nowhere(service: &Service) {
    let (admin, auditor, db) =
        (service.login("admin").await, service.login("auditor").await, service.database().await);
    let user = json!({"username": "bihamta", "display_name": "کارشناس بی‌همتا", "role": "national_manager", "password": crate::support::PASSWORD});
    let made = admin.post("/api/v1/users", user).await;
    service.own_passwords().await;
    let bihamta = service.login("bihamta").await;
    let cluster = register(&bihamta, "ورشو", json!({})).await;
    let cursor =
        admin.get("/api/v1/changes?page_size=1000").await.body["next_cursor"].as_str().unwrap().to_owned();
    let event = || {
        security_event::Model::new(Kind::Login, &Origin::default()).of(made.id().parse().unwrap(), "bihamta")
    };
    let (before, after) = (event(), event());
    security_event::insert(&db.writes(), vec![before]).await.unwrap();
    assert_eq!(erase(&admin, "user", made.id(), &[]).await.status, 200);
    // One that was on its way, and a change of what the person has made.
    security_event::insert(&db.writes(), vec![after]).await.unwrap();
    let changed = admin.patch(cluster.header("location"), "*", json!({"name_en": "Nickel silver"})).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let events = security_event::Entity::find().all(&db).await.unwrap();
    let own: Vec<_> = events
        .iter()
        .filter(|event| event.account_id.is_some_and(|id| id.to_string() == made.id()))
        .collect();
    assert!(own.len() >= 3 && own.iter().all(|event| event.username.is_none()), "{own:?}");
    let history = format!("{}/history", cluster.header("location"));
    let places = [
        history.as_str(),
        "/api/v1/changes?page_size=1000",
        "/api/v1/changes?snapshot=true&page_size=1000",
        &format!("/api/v1/changes?since={cursor}"),
        "/api/v1/users?page_size=200",
        &format!("/api/v1/users/{}/history", made.id()),
    ];
    for (client, place) in places.iter().map(|place| (&admin, *place)).chain([
        (&auditor, "/api/v1/history?page_size=200&sort=-position"),
        (&auditor, "/api/v1/security-events?page_size=200&sort=-id"),
        (&auditor, history.as_str()),
    ]) {
        let answer = client.get(place).await;
        assert_eq!(answer.status, 200, "{place}: {}", answer.text);
        assert!(
            !answer.text.contains("bihamta") && !answer.text.contains("بی‌همتا"),
            "{place}: {}",
            answer.text
        );
    }
    assert_eq!(admin.get(&history).await.items("changed_by_name")[0], "حذف‌شده");
    let stolen = stolen(service.database_url()).await;
    assert!(!stolen.contains("bihamta") && !stolen.contains("بی‌همتا"), "the name is in the database");
}

const CONTENT: &[u8] = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF\n";

/// A file with this content, attached and sent.
async fn attached(client: &Client) -> Answer {
    let announced = attachment(client, CONTENT, json!({})).await;
    let sent = send(client, &announced, CONTENT).await;
    assert_eq!(sent.status, 200, "{}", sent.text);
    announced
}

async fn a_file_is_removed_at_the_second_attempt(service: &Service) {
    let (admin, lorestan) = (service.login("admin").await, service.login("lorestan").await);
    for attempt in 0..2 {
        let cda = cdas::register(&lorestan, json!({})).await;
        let attached = attached(&lorestan).await;
        let file = service.files().join(attached.body["sha256"].as_str().unwrap());
        // The store refuses: what is there is no file, for now.
        let aside = file.with_extension("aside");
        std::fs::rename(&file, &aside).unwrap();
        std::fs::create_dir_all(file.join("in the way")).unwrap();
        let failed = erase(&admin, "cda", cda.id(), &[attached.id()]).await;
        assert_eq!((failed.status, failed.code()), (503, "unavailable"), "{}", failed.text);
        assert_eq!(
            admin.get(&format!("{CDAS}/{}", cda.id())).await.body["national_code"],
            "**********",
            "it is erased"
        );
        std::fs::remove_dir_all(&file).unwrap();
        std::fs::rename(&aside, &file).unwrap();
        assert_eq!(admin.get(&path(&attached)).await.status, 404);
        let again = erase(&admin, "cda", cda.id(), &[attached.id()]).await;
        assert_eq!((again.status, file.exists()), (200, false), "{attempt}: {}", again.text);
    }
}

/// The file of an erased attachment is not removed once another attachment has begun to refer to it, and one
/// that comes too late is told to send it again.
async fn a_file_does_not_vanish_under_a_new_reference(service: &Service) {
    let (admin, lorestan) = (service.login("admin").await, service.login("lorestan").await);
    for _ in 0..12 {
        let cda = cdas::register(&lorestan, json!({})).await;
        let erased = attached(&lorestan).await;
        let others = [
            attachment(&lorestan, CONTENT, json!({})).await,
            attachment(&lorestan, CONTENT, json!({})).await,
        ];
        let ids = [erased.id()];
        let uploads = futures_util::future::join_all(others.iter().map(async |other| {
            let mut sent = send(&lorestan, other, CONTENT).await;
            while sent.status == 503 {
                assert_eq!(sent.code(), "unavailable", "{}", sent.text);
                sent = send(&lorestan, other, CONTENT).await;
            }
            sent
        }));
        let (done, uploads) = tokio::join!(erase(&admin, "cda", cda.id(), &ids), uploads);
        assert_eq!(done.status, 200, "{}", done.text);
        for (sent, other) in uploads.iter().zip(&others) {
            assert_eq!(sent.status, 200, "{}", sent.text);
            let content = lorestan
                .request(reqwest::Method::GET, &format!("{}/content", path(other)))
                .send()
                .await
                .unwrap();
            assert_eq!(
                (content.status().as_u16(), &content.bytes().await.unwrap()[..]),
                (200, CONTENT),
                "what is referred to is there"
            );
        }
        let last = cdas::register(&lorestan, json!({})).await;
        let ids = others.iter().map(Answer::id).collect::<Vec<_>>();
        assert_eq!(erase(&admin, "cda", last.id(), &ids).await.status, 200);
        assert!(
            !service.files().join(erased.body["sha256"].as_str().unwrap()).exists(),
            "with the last one it is removed"
        );
    }
}

/// The same where the removal falls between the last byte of the upload and its transaction, which waits for
/// somebody.
#[actix_web::test]
async fn a_file_that_was_removed_meanwhile_is_to_be_sent_again() {
    let Some(service) = Service::start(Backend::Postgres, |_| {}).await else { return };
    let (admin, lorestan, db) =
        (service.login("admin").await, service.login("lorestan").await, service.database().await);
    let (cda, erased) = (cdas::register(&lorestan, json!({})).await, attached(&lorestan).await);
    let other = attachment(&lorestan, CONTENT, json!({})).await;
    let file = service.files().join(erased.body["sha256"].as_str().unwrap());
    let first = std::fs::metadata(&file).unwrap().modified().unwrap();
    let holder = db.write_connections().begin().await.unwrap();
    holder
        .execute_unprepared(&format!("SELECT 1 FROM attachment WHERE id = '{}' FOR UPDATE", other.id()))
        .await
        .unwrap();
    let uploading = tokio::task::spawn_local({
        let (lorestan, path, media_type) =
            (lorestan.clone(), path(&other), other.body["media_type"].as_str().unwrap().to_owned());
        async move {
            let request = lorestan
                .request(reqwest::Method::PUT, &format!("{path}/content"))
                .header("content-type", media_type);
            lorestan.send(request.body(CONTENT)).await
        }
    });
    until(async || (std::fs::metadata(&file).unwrap().modified().unwrap() > first).then_some(())).await;
    assert_eq!(erase(&admin, "cda", cda.id(), &[erased.id()]).await.status, 200);
    assert!(!file.exists() && !uploading.is_finished());
    holder.rollback().await.unwrap();
    let late = uploading.await.unwrap();
    assert_eq!((late.status, late.code()), (503, "unavailable"), "{}", late.text);
    assert_eq!(lorestan.get(&path(&other)).await.body["is_complete"], false);
    assert_eq!(send(&lorestan, &other, CONTENT).await.status, 200);
    assert!(file.exists());
    service.stop().await;
}

/// The limit of statements is none for `VACUUM`, and is there again afterwards. Of SQLite a test of
/// `store/database.rs` shows it.
async fn upkeep_takes_as_long_as_it_takes(service: &Service) {
    let db = connection::connect(&service.config.database_url, 1).await.unwrap();
    if db.get_database_backend() == DbBackend::Postgres {
        db.writes()
            .maintain(
                "CREATE TABLE upkeep AS SELECT current_setting('statement_timeout') AS allowed".to_owned(),
            )
            .await
            .unwrap();
        let ask = async |sql: &str| {
            let row = db
                .writes()
                .query_one_raw(Statement::from_string(DbBackend::Postgres, sql))
                .await
                .unwrap()
                .unwrap();
            row.try_get_by_index::<String>(0).unwrap()
        };
        assert_eq!(
            (ask("SELECT allowed FROM upkeep").await.as_str(), ask("SHOW statement_timeout").await.as_str()),
            ("0", "30s")
        );
    }
    db.close().await.unwrap();
}

/// A process that ended between the erasure and the removal of the file: the list of erasures says what is
/// left to be done.
#[actix_web::test]
async fn what_a_process_has_left_is_removed_at_the_next_start() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let Some(scratch) = Scratch::copy(backend).await else { continue };
        let folder = tempfile::tempdir().unwrap();
        let (list, files) =
            (folder.path().join("erased.jsonl"), format!("file://{}", scratch.files().display()));
        let variables =
            [("KHOOSHEH_ATTACHMENTS_URL", files.as_str()), ("KHOOSHEH_ERASURE_LIST", list.to_str().unwrap())];
        let server = Server::serve(&scratch.url, &variables).await;
        let (admin, lorestan) =
            (server.client().login("admin").await, server.client().login("lorestan").await);
        let (cda, attached) = (cdas::register(&lorestan, json!({})).await, attached(&lorestan).await);
        assert_eq!(erase(&admin, "cda", cda.id(), &[attached.id()]).await.status, 200);
        let file = scratch.files().join(attached.body["sha256"].as_str().unwrap());
        assert!(!file.exists());
        server.kill();
        std::fs::write(&file, CONTENT).unwrap();
        let server = Server::serve(&scratch.url, &variables).await;
        assert!(!file.exists(), "{backend:?}: the file of the erased attachment is still there");
        server.kill();
        scratch.remove().await;
    }
}

/// Somebody reads for longer than is waited for: who erases is told that it is not in the log of SQLite
/// alone, and the repetition makes an end.
#[actix_web::test]
async fn who_erases_is_told_where_somebody_reads() {
    let Some(service) = Service::start(Backend::Sqlite, |_| {}).await else { return };
    let (admin, lorestan) = (service.login("admin").await, service.login("lorestan").await);
    let cda = cdas::register(&lorestan, json!({"national_code": national_code(4_714)})).await;
    let db = connection::connect(&service.config.database_url, 1).await.unwrap();
    let reader = connection::begin_to_read(&db).await.unwrap();
    let read = Statement::from_string(DbBackend::Sqlite, "SELECT count(*) FROM cda");
    reader.query_one_raw(read).await.unwrap();
    let told = erase(&admin, "cda", cda.id(), &[]).await;
    assert_eq!((told.status, told.code()), (503, "unavailable"), "{}", told.text);
    assert!(
        told.body["detail"].as_str().unwrap().contains("erased") && !told.header("retry-after").is_empty(),
        "{}",
        told.text
    );
    assert_eq!(
        admin.get(&format!("{CDAS}/{}", cda.id())).await.body["national_code"],
        "**********",
        "it is erased all the same"
    );
    reader.commit().await.unwrap();
    db.close().await.unwrap();
    let again = erase(&admin, "cda", cda.id(), &[]).await;
    assert_eq!(again.status, 200, "{}", again.text);
    let log = std::fs::metadata(service.database_url().trim_start_matches("sqlite://").to_owned() + "-wal")
        .map_or(0, |log| log.len());
    assert_eq!(log, 0, "the log is emptied");
    service.stop().await;
}
