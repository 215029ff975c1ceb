//! What a file cannot do to others: hold them up, fill the disk, tell what its sender may not see.

use khoosheh::{
    policy::Caller,
    problem::Problem,
    store::{Transaction, bulk, external_ref, lock},
};
use reqwest::Method;
use sea_orm::{ActiveModelTrait, ConnectionTrait, DbBackend, IntoActiveModel, Statement};
use serde_json::json;
use uuid::Uuid;

use super::{CSV, IMPORTS, NDJSON, counts, ended, faults, import, rows, send};
use crate::{
    api_clients::client_with,
    cdas,
    enterprises::ENTERPRISES,
    on_both,
    resilience::until,
    support::{Backend, Service},
};

on_both!(
    what_is_too_much_for_one_transaction_is_given_up,
    a_file_of_nothing_but_faults_is_given_up,
    a_transaction_holds_so_many_locks,
    cdas_are_imported_by_those_who_see_their_codes,
    a_key_is_a_whole_number_or_a_text,
    whoever_is_shut_out_follows_no_more,
);

async fn what_is_too_much_for_one_transaction_is_given_up(service: &Service) {
    let lorestan = service.login("lorestan").await;
    // Lines that end as those of old do not count as lines when the file comes in.
    let file = "key\r".to_owned() + &"A\r".repeat(10_001);
    let (done, all) = import(&lorestan, "resource=clusters&mode=validate&system=erp", CSV, file).await;
    assert_eq!(
        (done["state"].as_str(), done["problem"].as_str(), all.len()),
        (Some("failed"), Some("too_much_at_once"), 0)
    );
    let file = "key\r".to_owned() + &"A\r".repeat(10_000) + "\r\r";
    let (done, _) = import(&lorestan, "resource=clusters&mode=validate&system=erp", CSV, file).await;
    assert_eq!((done["state"].as_str(), counts(&done)), (Some("finished"), [0, 0, 0, 10_000]));
}

async fn a_file_of_nothing_but_faults_is_given_up(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let first = "{\"key\": \"E\", \"name_fa\": \"واحد نمونه\", \"province\": \"IR-15\", \"isic\": [{\"code\": \"2396\", \"primary\": true}]}\n";
    let sent = send(
        &lorestan,
        "resource=enterprises&mode=apply&system=erp",
        NDJSON,
        first.to_owned() + &"1\n".repeat(40_000),
    )
    .await;
    let done = ended(&lorestan, sent.header("location")).await;
    assert_eq!(
        (done["state"].as_str(), done["problem"].as_str()),
        (Some("failed"), Some("too_many_failed_rows"))
    );
    let [created, _, _, failed] = counts(&done);
    assert!(created == 1 && failed > 10_000 && failed < 40_000, "{done}");
    assert_eq!(
        lorestan.get(&format!("{ENTERPRISES}/by-ref/erp/E")).await.status,
        200,
        "what was accepted stays"
    );
    assert_eq!(rows(&lorestan, sent.header("location"), "&outcome=created").await.len(), 1);
}

async fn a_transaction_holds_so_many_locks(service: &Service) {
    let db = service.database().await;
    let transaction = Transaction::begin(&db, Caller::service(), "test".to_owned()).await.unwrap();
    let id = Uuid::now_v7;
    let undone: Result<(), Problem> = transaction
        .savepoint(async |transaction| {
            for _ in 0..100 {
                transaction.lock_named("cluster", id()).await?;
            }
            Err(Problem::internal("taken back"))
        })
        .await;
    assert!(undone.is_err());
    let same = id();
    for _ in 0..2 {
        transaction.lock_named("cluster", same).await.unwrap();
    }
    assert!(!transaction.holds_many_locks());
    for _ in 1..3_000 {
        transaction.lock_named("cluster", id()).await.unwrap();
    }
    assert!(transaction.holds_many_locks());
    transaction.lock_named("cluster", same).await.unwrap();
    assert_eq!(transaction.lock_named("cluster", id()).await.unwrap_err().code(), "too_much_at_once");
    // A rehearsal keeps nobody waiting.
    transaction.dry_run();
    transaction.lock_named("cluster", id()).await.unwrap();
    transaction.roll_back().await;
}

#[actix_web::test]
async fn a_lock_that_was_lost_is_taken_again() {
    let Some(service) = Service::start(Backend::Postgres, |_| {}).await else { return };
    let (db, beside) = (service.database().await, service.database().await);
    let (one, other) = (
        Transaction::begin(&db, Caller::service(), "test".to_owned()).await.unwrap(),
        beside.begin_to_write().await.unwrap(),
    );
    let id = Uuid::now_v7();
    let name = format!("cluster {id}");
    let _: Result<(), Problem> = one
        .savepoint(async |one| {
            one.lock_named("cluster", id).await?;
            Err(Problem::internal("taken back"))
        })
        .await;
    one.lock_named("cluster", id).await.unwrap();
    assert!(!lock::try_for_transaction(&other, &name).await.unwrap());
    one.roll_back().await;
    assert!(lock::try_for_transaction(&other, &name).await.unwrap());
    other.roll_back().await;
    service.stop().await;
}

#[actix_web::test]
async fn records_that_another_instance_has_just_made_are_found() {
    let Some(service) = Service::start(Backend::Postgres, |_| {}).await else { return };
    let (lorestan, db, beside) =
        (service.login("lorestan").await, service.database().await, service.database().await);
    let before = lorestan
        .post(
            ENTERPRISES,
            json!({"name_fa": "پیشین", "province": "IR-15", "isic": [{"code": "2396", "primary": true}]}),
        )
        .await;
    // Another instance gives it a key, and is not through yet.
    let elsewhere = beside.begin_to_write().await.unwrap();
    let named = "INSERT INTO external_ref (resource, system, reference, record_id) VALUES ('enterprise', 'erp', 'A', $1::uuid)";
    elsewhere
        .execute_raw(Statement::from_sql_and_values(DbBackend::Postgres, named, [before.id().into()]))
        .await
        .unwrap();
    let file = "key,name_fa,province,isic\nA,پسین,IR-15,2396\nB,دیگر,IR-15,2396\n";
    let sent = send(&lorestan, "resource=enterprises&mode=apply&system=erp", CSV, file).await;
    let waits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE 'INSERT INTO%external_ref%'";
    until(async || db.query_one_raw(Statement::from_string(DbBackend::Postgres, waits)).await.unwrap()).await;
    elsewhere.commit().await.unwrap();
    let done = ended(&lorestan, sent.header("location")).await;
    assert_eq!((done["state"].as_str(), counts(&done)), (Some("finished"), [1, 1, 0, 0]), "{done}");
    assert_eq!(lorestan.get(before.header("location")).await.body["name_fa"], "پسین");
    service.stop().await;
}

async fn cdas_are_imported_by_those_who_see_their_codes(service: &Service) {
    let (admin, lorestan) = (service.login("admin").await, service.login("lorestan").await);
    let (_, gate) =
        client_with(&admin, "gate", &["imports:write", "cdas:write", "cdas:read"], json!("IR-15")).await;
    let code = cdas::register(&lorestan, json!({})).await.body["national_code"].as_str().unwrap().to_owned();
    let file = format!("key,name_fa,national_code,province\nA,عامل نمونه,{code},IR-15\n");
    let order = "resource=cdas&mode=validate&system=erp";
    assert_eq!(send(&gate, order, CSV, file.clone()).await.code(), "forbidden");
    let sent = send(&lorestan, order, CSV, file).await;
    ended(&lorestan, sent.header("location")).await;
    assert_eq!(
        faults(&rows(&lorestan, sent.header("location"), "").await[0]),
        [("national_code", "duplicate")]
    );
    for path in [sent.header("location").to_owned(), format!("{}/rows", sent.header("location"))] {
        assert_eq!(gate.get(&path).await.code(), "not_found");
    }
    assert_eq!(gate.count(IMPORTS).await, 0);
}

async fn a_key_is_a_whole_number_or_a_text(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let lines = "{\"key\": 123456789012345678901}\n{\"key\": 7.5}\n{\"key\": true}\n{\"key\": 18446744073709551615}\n";
    let (_, all) = import(&lorestan, "resource=clusters&mode=validate&system=erp", NDJSON, lines).await;
    assert!(all[..3].iter().all(|row| faults(row) == [("key", "wrong_type")]), "{all:?}");
    assert_eq!(all[3]["key"], "18446744073709551615");
}

async fn whoever_is_shut_out_follows_no_more(service: &Service) {
    let (admin, kerman) = (service.login("admin").await, service.login("kerman").await);
    let id = admin.get("/api/v1/users?q=kerman").await.body["items"][0]["id"].as_str().unwrap().to_owned();
    let sent = send(&kerman, "resource=clusters&mode=apply&system=erp", CSV, "key\n").await;
    let path = format!("{}/events", sent.header("location"));
    assert!(kerman.get(&path).await.text.contains("progress"));
    // A token outlives the account: what was begun with it ends all the same.
    let db = service.database().await;
    db.execute_unprepared("UPDATE import SET state = 'running'").await.unwrap();
    let mut events = kerman.request(Method::GET, &path).send().await.unwrap();
    assert!(events.chunk().await.unwrap().is_some());
    assert_eq!(admin.patch(&format!("/api/v1/users/{id}"), "*", json!({"disabled": true})).await.status, 200);
    db.execute_unprepared("UPDATE import SET rows_done = rows_done + 1").await.unwrap();
    let rest = events.text().await.unwrap_or_default();
    assert!(!rest.contains("data:"), "{rest}");
}

/// PostgreSQL knows nothing of a table that has just grown, and may take it for a small one.
#[actix_web::test]
async fn what_is_looked_up_is_not_searched_for() {
    let Some(service) = Service::start(Backend::Postgres, |_| {}).await else { return };
    let transaction = service.database().await.begin_to_write().await.unwrap();
    let reference = |number: usize| external_ref::Model {
        resource: "enterprise".to_owned(),
        system: "erp".to_owned(),
        reference: format!("E{number}"),
        record_id: Uuid::now_v7(),
    };
    let rows: Vec<_> = (0..5_000).map(reference).collect();
    let known = [rows[7].clone(), rows[4_999].clone()].map(|row| (row.reference, row.record_id));
    bulk::insert_all(&transaction, rows.into_iter().map(|row| row.into_active_model().reset_all()).collect())
        .await
        .unwrap();
    let read = async || {
        let counts = "SELECT seq_tup_read + idx_tup_fetch AS n FROM pg_stat_xact_user_tables WHERE relname = 'external_ref'";
        let row = transaction
            .query_one_raw(Statement::from_string(DbBackend::Postgres, counts))
            .await
            .unwrap()
            .unwrap();
        row.try_get::<i64>("", "n").unwrap()
    };
    let before = read().await;
    let keys =
        known.iter().map(|(key, _)| key.clone()).chain((0..250).map(|number| format!("N{number}"))).collect();
    let mut found = external_ref::of_keys(&transaction, "enterprise", "erp", &keys).await.unwrap();
    found.sort();
    let mut expected = known.to_vec();
    expected.sort();
    assert_eq!((found, read().await - before), (expected, 2));
    transaction.roll_back().await;
    service.stop().await;
}
