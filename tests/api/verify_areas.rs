//! What `verify` reads beside the history: what records are found by, kept answers, the database itself, the
//! root.

use khoosheh::{
    server,
    store::{
        change_log::{self, ChangeKind},
        connection, external_ref, idempotent_answer, root, search,
    },
};
use reqwest::Method;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, IntoActiveModel, QueryFilter,
    Statement,
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    attachments::sha256,
    on_both,
    process::{Outcome, run},
    projects::made,
    support::{Answer, Backend, Client, Scratch, Service},
};

on_both!(
    records_are_found_by_what_they_say,
    a_kept_answer_is_what_was_kept,
    nothing_refers_to_what_is_not_there,
    indexes_have_every_row,
    the_root_tells_one_moment_from_another,
);

async fn verify(service: &Service, arguments: &[&str]) -> Outcome {
    run(&[&["verify"], arguments].concat(), &[("DATABASE_URL", service.database_url())], "").await
}

/// The lines of a verify that names faults.
async fn faults(service: &Service) -> Vec<String> {
    let outcome = verify(service, &[]).await;
    assert!(outcome.code == 1 && outcome.stdout.is_empty(), "{}", outcome.stdout);
    outcome.stderr.lines().map(|line| line.strip_prefix("khoosheh: ").expect(line).to_owned()).collect()
}

async fn whole(service: &Service) -> String {
    let outcome = verify(service, &[]).await;
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    outcome.stdout
}

async fn execute(db: &khoosheh::store::Database, sql: &str, id: Uuid) {
    db.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, [id.into()]))
        .await
        .unwrap();
}

async fn cluster(client: &Client) -> Answer {
    let input = json!({"province": "IR-15", "name_fa": "ورشو", "isic": [{"code": "2599"}], "external_refs": [{"system": "erp", "key": "K-1"}]});
    made(client, "/api/v1/clusters", input).await
}

async fn records_are_found_by_what_they_say(service: &Service) {
    let (lorestan, db) = (service.login("lorestan").await, service.database().await);
    let created = cluster(&lorestan).await;
    let id: Uuid = created.id().parse().unwrap();
    let terms = search::Entity::find().all(&db).await.unwrap();
    let references = external_ref::Entity::find().all(&db).await.unwrap();
    let counted = format!("{} search terms, {} external references", terms.len(), references.len());
    assert!(whole(service).await.contains(&counted), "{counted}");

    let (of_terms, of_references) = (
        "the search terms are not those of the records at",
        "the external references are not those of the records at",
    );
    let ghost =
        "INSERT INTO search_term (resource, field, term, record_id) VALUES ('cluster', 'word', 'x', $1)";
    for (tampering, named) in [
        (
            "UPDATE search_term SET term = term || 'x' WHERE record_id = $1 AND field = 'word'",
            format!("{of_terms} cluster {id}: a term of word is missing"),
        ),
        (
            "DELETE FROM search_term WHERE record_id = $1 AND field = 'isic'",
            format!("{of_terms} cluster {id}: a term of isic is missing"),
        ),
        (
            "UPDATE search_term SET resource = 'project' WHERE record_id = $1 AND field = 'isic'",
            format!("{of_terms} cluster {id}: a term of isic"),
        ),
        (ghost, format!("{of_terms} cluster {id}: a term of word is not the record's")),
        (
            "UPDATE search_term SET resource = 'ghost' WHERE record_id = $1 AND term = (SELECT MIN(term) FROM search_term WHERE record_id = $1)",
            format!("{of_terms} cluster {id}: a term of"),
        ),
        (
            "UPDATE external_ref SET reference = 'K-2' WHERE record_id = $1",
            format!("{of_references} cluster {id}: a reference of erp is missing"),
        ),
        (
            "DELETE FROM external_ref WHERE record_id = $1",
            format!("{of_references} cluster {id}: a reference of erp is missing"),
        ),
        (
            "INSERT INTO external_ref (resource, system, reference, record_id) VALUES ('cluster', 'erp', 'K-3', $1)",
            format!("{of_references} cluster {id}: a reference of erp is not the record's"),
        ),
    ] {
        execute(&db, tampering, id).await;
        let found = faults(service).await;
        assert!(found.len() == 1 && found[0].starts_with(&named), "{tampering}: {found:?}");
        restore(&db, id, &terms, &references).await;
    }
    // Of a record that is not there: before all others, after all others, of no kind.
    for (stranger, resource) in [
        (Uuid::from_u128(1), "cluster"),
        (Uuid::max(), "user"),
        (Uuid::max(), "webhook"),
        (Uuid::max(), "ghost"),
    ] {
        execute(&db, &ghost.replace("'cluster'", &format!("'{resource}'")), stranger).await;
        let what = if resource == "ghost" {
            "there is no such kind of record"
        } else {
            "a term of a record that is not there"
        };
        assert_eq!(faults(service).await, [format!("{of_terms} {resource} {stranger}: {what}")]);
        execute(&db, "DELETE FROM search_term WHERE record_id = $1", stranger).await;
    }
    // Each area names its own.
    execute(&db, "DELETE FROM search_term WHERE record_id = $1", id).await;
    execute(&db, "DELETE FROM external_ref WHERE record_id = $1", id).await;
    execute(&db, "UPDATE cluster SET history_hash = '' WHERE id = $1", id).await;
    let named = faults(service).await;
    assert!(named.len() == 3 && named[0].starts_with("the history is broken at cluster"), "{named:?}");
    execute(&db, &format!("UPDATE cluster SET history_hash = '{}' WHERE id = $1", hash(&db, id).await), id)
        .await;
    restore(&db, id, &terms, &references).await;
    // A deleted record is not found.
    assert_eq!(lorestan.delete(created.header("location"), "*").await.status, 204);
    whole(service).await;
    execute(&db, ghost, id).await;
    assert_eq!(
        faults(service).await,
        [format!("{of_terms} cluster {id}: a term of word is not the record's")]
    );
}

/// The hash of the newest entry of a record.
async fn hash(db: &khoosheh::store::Database, id: Uuid) -> String {
    use khoosheh::store::change_log::{Column, Entity};
    Entity::find().filter(Column::RecordId.eq(id)).all(db).await.unwrap().pop().unwrap().hash
}

async fn restore(
    db: &khoosheh::store::Database,
    id: Uuid,
    terms: &[search::Model],
    references: &[external_ref::Model],
) {
    execute(db, "DELETE FROM search_term WHERE record_id = $1", id).await;
    execute(db, "DELETE FROM external_ref WHERE record_id = $1", id).await;
    for row in terms.iter().filter(|row| row.record_id == id) {
        search::Entity::insert(row.clone().into_active_model().reset_all())
            .exec_without_returning(db)
            .await
            .unwrap();
    }
    for row in references.iter().filter(|row| row.record_id == id) {
        external_ref::Entity::insert(row.clone().into_active_model().reset_all())
            .exec_without_returning(db)
            .await
            .unwrap();
    }
}

async fn a_kept_answer_is_what_was_kept(service: &Service) {
    use idempotent_answer::{Entity, Model};
    let (lorestan, db) = (service.login("lorestan").await, service.database().await);
    let input = json!({"province": "IR-15", "name_fa": "ورشو", "isic": [{"code": "2599"}]});
    let post = async || {
        let request = lorestan.request(Method::POST, "/api/v1/clusters").header("idempotency-key", "once");
        lorestan.send(request.json(&input)).await
    };
    let first = post().await;
    assert_eq!(first.status, 201, "{}", first.text);
    let again = post().await;
    assert_eq!((again.status, &again.body, again.header("idempotency-replayed")), (201, &first.body, "true"));
    assert!(whole(service).await.contains("\nthe kept answers are whole: 1\n"));

    let kept: Model = Entity::find().one(&db).await.unwrap().unwrap();
    let put = async |row: &Model| {
        Entity::delete_many().exec(&db).await.unwrap();
        Entity::insert(row.clone().into_active_model().reset_all())
            .exec_without_returning(&db)
            .await
            .unwrap();
    };
    let mut answer = kept.answer.clone();
    answer["sealed"] = json!(answer["sealed"].as_str().unwrap().replace('A', "B"));
    for flipped in [
        Model { answer, ..kept.clone() },
        Model { fingerprint: "0".repeat(64), ..kept.clone() },
        Model { created_at: kept.created_at - chrono::TimeDelta::microseconds(1), ..kept.clone() },
        Model { checksum: Some("0".repeat(64)), ..kept.clone() },
    ] {
        put(&flipped).await;
        let refused = post().await;
        assert_eq!((refused.status, refused.code()), (500, "kept_answer_damaged"), "{}", refused.text);
        let named = format!(
            "the kept answers are damaged at account {}, key once: the checksum is not that of what is kept",
            kept.account_id
        );
        assert_eq!(faults(service).await, [named]);
    }
    // One that an instance of before has kept.
    put(&Model { checksum: None, ..kept.clone() }).await;
    assert_eq!(post().await.body, first.body);
    assert!(whole(service).await.contains("\nthe kept answers are whole: 0; 1 more have no checksum\n"));
    put(&kept).await;
    assert_eq!(post().await.body, first.body);
}

async fn nothing_refers_to_what_is_not_there(service: &Service) {
    let (lorestan, db) = (service.login("lorestan").await, service.database().await);
    let id: Uuid = cluster(&lorestan).await.id().parse().unwrap();
    let without_checks = match db.get_database_backend() {
        DbBackend::Sqlite => "PRAGMA foreign_keys = OFF",
        _ => "SET session_replication_role = replica",
    };
    db.execute_unprepared(without_checks).await.unwrap();
    execute(&db, "UPDATE cluster SET province = 'IR-99' WHERE id = $1", id).await;
    let found = faults(service).await;
    assert!(found[0].starts_with("the history is broken") && found.len() == 2, "{found:?}");
    assert!(found[1].starts_with("the database is damaged at cluster"), "{found:?}");
    assert!(found[1].ends_with(": a row refers to one that is not there"), "{found:?}");
}

async fn indexes_have_every_row(service: &Service) {
    let db = service.database().await;
    if db.get_database_backend() == DbBackend::Sqlite {
        // A row changes while the database does not know of the index.
        let stolen = "SELECT rootpage, sql FROM sqlite_schema WHERE name = 'status_event_record'";
        let row = db.query_one_raw(Statement::from_string(DbBackend::Sqlite, stolen)).await.unwrap().unwrap();
        let (page, sql): (i64, String) =
            (row.try_get("", "rootpage").unwrap(), row.try_get("", "sql").unwrap());
        let past = async |statement: String| {
            let db = service.database().await;
            db.execute_unprepared("PRAGMA writable_schema = ON").await.unwrap();
            db.execute_unprepared(&statement).await.unwrap();
            db.close().await.unwrap();
        };
        past("DELETE FROM sqlite_schema WHERE name = 'status_event_record'".to_owned()).await;
        past("UPDATE status_event SET effective_on = '1900-01-01' WHERE id = (SELECT MIN(id) FROM status_event)".to_owned()).await;
        past(format!("INSERT INTO sqlite_schema VALUES ('index', 'status_event_record', 'status_event', {page}, '{sql}')")).await;
        let found = faults(service).await;
        assert!(
            found.len() == 1 && found[0].starts_with("the database is damaged at its pages: "),
            "{found:?}"
        );
        assert!(found[0].contains("status_event_record"), "{found:?}");
        return;
    }
    let sound = whole(service).await;
    assert!(
        sound.contains("its indexes were not checked, since the extension amcheck is not installed"),
        "{sound}"
    );
    let set = async |column: &str, is_so: bool| {
        let update = format!(
            "UPDATE pg_index SET {column} = {is_so} WHERE indexrelid = 'status_event_record'::regclass"
        );
        db.execute_unprepared(&update).await.unwrap();
    };
    set("indisvalid", false).await;
    assert_eq!(
        faults(service).await,
        ["the database is damaged at status_event_record: the index is not valid"]
    );
    set("indisvalid", true).await;
    if db.execute_unprepared("CREATE EXTENSION amcheck").await.is_err() {
        return;
    }
    let sound = whole(service).await;
    assert!(sound.contains(" indexes with every row of their tables"), "{sound}");
    set("indisready", false).await;
    let copy = "INSERT INTO status_event SELECT gen_random_uuid(), resource, record_id, from_state, to_state, effective_on, recorded_at, recorded_by, \
                decision_id, reason, version FROM status_event LIMIT 1";
    db.execute_unprepared(copy).await.unwrap();
    set("indisready", true).await;
    let found = faults(service).await;
    assert!(
        found.len() == 1
            && found[0].starts_with("the database is damaged at status_event_record: heap tuple"),
        "{found:?}"
    );
}

async fn the_root_tells_one_moment_from_another(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let root =
        async || whole(service).await.lines().last().unwrap().strip_prefix("root: ").unwrap().to_owned();
    let before = root().await;
    assert!(before.len() == 64 && before == root().await);
    assert_eq!(verify(service, &["--root", &before]).await.code, 0);
    let created = cluster(&lorestan).await;
    let after = root().await;
    assert_ne!(after, before);
    for argument in ["--root", "--against"] {
        let differs = verify(service, &[argument, &before]).await;
        assert_eq!(
            (differs.code, differs.stderr.trim_end()),
            (1, format!("khoosheh: the root is {after}, and not {before}").as_str())
        );
    }
    assert_eq!(verify(service, &["--root", &after.to_uppercase()]).await.code, 0);
    assert_eq!(lorestan.delete(created.header("location"), "*").await.status, 204);
    assert!(![before, after].contains(&root().await), "a tombstone has a head too");
}

/// The same records have the same root, wherever they are.
#[actix_web::test]
async fn the_root_is_the_same_on_both_databases() {
    let ids = [Uuid::from_u128(7), Uuid::from_u128(u128::MAX / 3), Uuid::from_u128(u128::MAX - 1)];
    let heads = |version: i64| -> String {
        ids.iter().map(|id| format!("cluster\t{id}\t{version}\t{}\n", sha256(id.as_bytes()))).collect()
    };
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let Some(scratch) = Scratch::empty(backend).await else { continue };
        let db = connection::connect(&scratch.url.parse().unwrap(), 2).await.unwrap().unguarded();
        server::migrate(&db).await.unwrap();
        change_log::Entity::delete_many().exec(&db).await.unwrap();
        let root = async || root::root(&connection::begin_to_read(&db).await.unwrap()).await.unwrap().sha256;
        for version in [1, 2] {
            for id in ids.iter().rev() {
                let entry = change_log::Model {
                    seq: 0,
                    transaction_id: 0,
                    resource: "cluster".to_owned(),
                    record_id: *id,
                    version,
                    kind: ChangeKind::Updated,
                    province: None,
                    moved_from: None,
                    changed_at: khoosheh::clock::now(),
                    changed_by: Uuid::nil(),
                    request_id: String::new(),
                    data: json!({}),
                    previous_hash: String::new(),
                    hash: sha256(id.as_bytes()),
                };
                change_log::Entity::insert(entry.into_new()).exec_without_returning(&db).await.unwrap();
            }
            assert_eq!(root().await, sha256(heads(version).as_bytes()), "{backend:?}");
        }
        db.close().await.unwrap();
        scratch.remove().await;
    }
}
