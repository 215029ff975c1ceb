//! Personal values at rest: what hashes and a stolen database tell, how databases of before get there,
//! erasure, keys.

use khoosheh::store::{change_log, root, schema};
use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, QueryFilter, Statement, prelude::ColumnTrait};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    cdas::{self, CDAS, national_code},
    on_both, on_each,
    organisations::{self, ORGANISATIONS, legal_id},
    process::{Outcome, Server, run},
    support::{Answer, Backend, Client, Scratch, Service},
};

on_both!(
    hashes_tell_nothing,
    a_stolen_database_tells_no_number,
    what_is_tampered_with_is_named,
    what_is_erased_is_nowhere,
    a_document_is_erased_with_its_file,
    only_national_administrators_erase,
);

on_each!(
    histories_of_before_get_commitments,
    a_broken_history_stays_broken,
    an_older_backup_brings_nothing_back,
    keys_are_changed
);

const MOBILE: &str = "+989127654321";
const FORMER_MOBILE: &str = "+989121112233";
const EMAIL: &str = "very.private@example.ir";
const NAME: &str = "فریدونک بی‌همتا";

fn code() -> String {
    national_code(555_444)
}

/// A CDA in its second version, with an organisation; all of it by requests that may be repeated.
async fn people(client: &Client) -> [Answer; 2] {
    let input = json!({"national_code": code(), "name_fa": NAME, "name_en": "Fereydunak", "province": "IR-15", "mobile": FORMER_MOBILE, "email": EMAIL,
        "education": "دکترای بی‌همتاشناسی", "external_refs": [{"system": "hr", "key": "P-4711-X"}]});
    let post = client.request(reqwest::Method::POST, CDAS).header("idempotency-key", "people");
    let cda = client.send(post.json(&input)).await;
    assert_eq!(cda.status, 201, "{}", cda.text);
    let cda = client.patch(cda.header("location"), "*", json!({"mobile": MOBILE})).await;
    let firm = organisations::register(
        client,
        "سنگ‌بری بی‌نام",
        json!({"province": "IR-15", "legal_id": legal_id(987)}),
    )
    .await;
    [cda, firm]
}

/// Everything that the database holds, as whoever steals it may read it.
pub async fn stolen(url: &str) -> String {
    if let Some(path) = url.strip_prefix("sqlite://") {
        let read = |path: String| std::fs::read(path).unwrap_or_default();
        let bytes = [read(path.to_owned()), read(format!("{path}-wal"))].concat();
        return String::from_utf8_lossy(&bytes).into_owned();
    }
    let db = khoosheh::store::connection::connect(&url.parse().unwrap(), 1).await.unwrap().unguarded();
    let ask =
        async |sql: String| db.query_all_raw(Statement::from_string(DbBackend::Postgres, sql)).await.unwrap();
    let mut all = String::new();
    for table in ask("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'".to_owned()).await {
        let name: String = table.try_get("", "name").unwrap();
        for row in ask(format!("SELECT t::text AS row FROM \"{name}\" t")).await {
            all.push_str(&row.try_get::<String>("", "row").unwrap());
            all.push('\n');
        }
    }
    all
}

async fn verified(url: &str, more: &[(&str, &str)]) -> Outcome {
    run(&["verify", "--without-files"], &[&[("DATABASE_URL", url)], more].concat(), "").await
}

/// The entry of the log as its former hash was made of it: all but the national code is told to who sees it
/// masked.
fn former_entry(record: &Value, history: &Value, code: &str) -> change_log::Model {
    let mut data = record.clone();
    data.as_object_mut().unwrap().shift_remove("allowed_transitions");
    data["national_code"] = json!(code);
    let entry = &history["items"][0];
    let id = |value: &Value| value.as_str().unwrap().parse::<Uuid>().unwrap();
    change_log::Model {
        seq: 0,
        transaction_id: 0,
        resource: "cda".to_owned(),
        record_id: id(&record["id"]),
        version: 1,
        kind: change_log::ChangeKind::Created,
        province: Some("IR-15".to_owned()),
        moved_from: None,
        changed_at: entry["changed_at"].as_str().unwrap().parse().unwrap(),
        changed_by: id(&entry["changed_by"]),
        request_id: entry["request_id"].as_str().unwrap().to_owned(),
        data,
        previous_hash: String::new(),
        hash: String::new(),
    }
}

async fn hashes_tell_nothing(service: &Service) {
    let [lorestan, viewer] = [service.login("lorestan").await, service.login("lorestan-viewer").await];
    let created = cdas::register(&lorestan, json!({"national_code": code()})).await;
    let path = created.header("location");
    let (record, history) = (viewer.get(path).await.body, viewer.get(&format!("{path}/history")).await.body);
    assert!(!record.to_string().contains(&code()) && history["is_intact"] == true, "{history}");
    let candidates = (555_000..556_000).map(national_code);
    let hash = |code: &str| former_entry(&record, &history, code).compute_hash();
    let shown = [history["items"][0]["hash"].as_str().unwrap().to_owned()];
    assert!(
        candidates.clone().all(|code| !shown.contains(&hash(&code))),
        "a hash gives the national code away"
    );

    // The same way leads to it where the history is kept as before.
    let db = service.database().await;
    while db_has(&db, "personal_value").await {
        schema::migrate_down(&db).await.unwrap();
    }
    let id: Uuid = created.id().parse().unwrap();
    let former = change_log::Entity::find()
        .filter(change_log::Column::RecordId.eq(id))
        .one(&db)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(candidates.into_iter().find(|code| hash(code) == former.hash), Some(code()));
}

async fn db_has(db: &khoosheh::store::Database, table: &str) -> bool {
    db.query_all_raw(Statement::from_string(
        db.get_database_backend(),
        format!("SELECT 1 FROM {table} LIMIT 1"),
    ))
    .await
    .is_ok()
}

async fn a_stolen_database_tells_no_number(service: &Service) {
    let (lorestan, admin) = (service.login("lorestan").await, service.login("admin").await);
    let [cda, firm] = people(&lorestan).await;
    assert_eq!((&cda.body["national_code"], &cda.body["mobile"]), (&json!(code()), &json!(MOBILE)));
    let history = lorestan.get(&format!("{CDAS}/{}/history", cda.id())).await;
    assert!(
        [&code(), FORMER_MOBILE, MOBILE, EMAIL].iter().all(|value| history.text.contains(*value)),
        "{}",
        history.text
    );
    let file =
        json!({"key": "C-1", "name_fa": "نو", "province": "IR-15", "national_code": national_code(556_001)})
            .to_string()
            + "\n";
    let request = admin.request(reqwest::Method::POST, "/api/v1/imports?resource=cdas&system=erp&mode=apply");
    let sent = admin.send(request.header("content-type", "application/x-ndjson").body(file)).await;
    assert!(sent.status < 300, "{}", sent.text);
    crate::resilience::until(async || {
        admin.get(&format!("{CDAS}?q=نو")).await.text.contains(&national_code(556_001)).then_some(())
    })
    .await;
    assert!(admin.get("/api/v1/changes?snapshot=true&page_size=1000").await.text.contains(&code()));
    let stolen = stolen(service.database_url()).await;
    for value in [
        code(),
        legal_id(987),
        national_code(556_001),
        MOBILE.to_owned(),
        FORMER_MOBILE.to_owned(),
        EMAIL.to_owned(),
    ] {
        assert!(!stolen.contains(&value), "{value} of {} and {}", cda.id(), firm.id());
    }
    let whole = verified(service.database_url(), &[]).await;
    assert_eq!(whole.code, 0, "{}{}", whole.stdout, whole.stderr);
}

async fn what_is_tampered_with_is_named(service: &Service) {
    let [cda, firm] = people(&service.login("lorestan").await).await;
    let db = service.database().await;
    let execute = async |sql: &str, id: &Answer| {
        let id: Uuid = id.id().parse().unwrap();
        db.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, [id.into()]))
            .await
            .unwrap()
    };
    let named = |outcome: &Outcome, kind: &str, id: &Answer, what: &str| {
        let said =
            format!("the personal values are not those that are committed to at {kind} {}: {what}", id.id());
        assert!(outcome.code == 1 && outcome.stderr.contains(&said), "{said}: {}", outcome.stderr);
    };
    let url = service.database_url();
    execute("UPDATE cda SET name_fa = 'دیگری' WHERE id = $1", &cda).await;
    named(&verified(url, &[]).await, "cda", &cda, "the record itself has another name_fa");
    execute(&format!("UPDATE cda SET name_fa = '{NAME}' WHERE id = $1"), &cda).await;
    assert_eq!(verified(url, &[]).await.code, 0);
    let id: Uuid = firm.id().parse().unwrap();
    let own = Statement::from_sql_and_values(
        db.get_database_backend(),
        "SELECT legal_id_index FROM organisation WHERE id = $1",
        [id.into()],
    );
    let index: String = db.query_one_raw(own).await.unwrap().unwrap().try_get_by_index(0).unwrap();
    execute("UPDATE organisation SET legal_id_index = 'x' WHERE id = $1", &firm).await;
    named(&verified(url, &[]).await, "organisation", &firm, "legal_id is not found by what it says");
    execute(&format!("UPDATE organisation SET legal_id_index = '{index}' WHERE id = $1"), &firm).await;
    assert_eq!(verified(url, &[]).await.code, 0);
    execute("DELETE FROM personal_value WHERE field = 'mobile' AND record_id = $1", &cda).await;
    named(&verified(url, &[]).await, "cda", &cda, "a value is missing that was not erased");
}

async fn what_is_erased_is_nowhere(service: &Service) {
    let (admin, lorestan) = (service.login("admin").await, service.login("lorestan").await);
    let [cda, _] = people(&lorestan).await;
    let path = format!("{CDAS}/{}", cda.id());
    let before = lorestan.get(&format!("{path}/history")).await;
    let erased = admin
        .post("/api/v1/erasures", json!({"resource": "cda", "record_id": cda.id(), "reason": "درخواست"}))
        .await;
    assert_eq!((erased.status, &erased.body["record_id"]), (200, &json!(cda.id())), "{}", erased.text);

    let values = [
        code(),
        MOBILE.to_owned(),
        FORMER_MOBILE.to_owned(),
        EMAIL.to_owned(),
        NAME.to_owned(),
        "فریدونک".to_owned(),
        "Fereydunak".to_owned(),
        "fereydunak".to_owned(),
        "بی‌همتاشناسی".to_owned(),
        "P-4711-X".to_owned(),
    ];
    let search = format!("{CDAS}?q=Fereydunak");
    let history = format!("{path}/history");
    for place in [
        &path,
        &history,
        CDAS,
        &search,
        "/api/v1/changes",
        "/api/v1/changes?snapshot=true",
        "/api/v1/reports/cda-portfolio",
        &format!(
            "/api/v1/reports/cda-portfolio?known_at={}",
            before.body["items"][1]["changed_at"].as_str().unwrap()
        ),
    ] {
        let answer = admin.get(place).await;
        assert_eq!(answer.status, 200, "{place}: {}", answer.text);
        let found: Vec<_> = values.iter().filter(|value| answer.text.contains(value.as_str())).collect();
        assert!(found.is_empty(), "{place} tells {found:?}: {}", answer.text);
    }
    let after = admin.get(&history).await;
    assert_eq!(
        (&after.body["is_intact"], after.items("hash")[..2].to_vec()),
        (&json!(true), before.items("hash")),
        "the hashes stay"
    );
    let record = admin.get(&path).await.body;
    assert_eq!(
        (&record["national_code"], &record["mobile"], &record["version"]),
        (&json!("**********"), &Value::Null, &json!(3)),
        "{record}"
    );
    // What was answered before is not repeated; the code may be registered again.
    let input = json!({"national_code": code(), "name_fa": "دیگری", "province": "IR-15"});
    let again = lorestan
        .send(lorestan.request(reqwest::Method::POST, CDAS).header("idempotency-key", "people").json(&input))
        .await;
    assert_eq!((again.status, &again.body["name_fa"]), (201, &json!("دیگری")), "{}", again.text);
    assert_eq!(lorestan.delete(again.header("location"), "*").await.status, 204);

    let whole = verified(service.database_url(), &[]).await;
    assert_eq!(whole.code, 0, "{}{}", whole.stdout, whole.stderr);
    let stolen = stolen(service.database_url()).await;
    let found: Vec<_> = values.iter().filter(|value| stolen.contains(value.as_str())).collect();
    assert!(found.is_empty(), "the database tells {found:?}");
    let list = admin.get("/api/v1/erasures").await;
    assert_eq!((list.items("record_id"), list.items("reason")), (vec![cda.id()], vec!["درخواست"]));
    let twice = admin
        .post("/api/v1/erasures", json!({"resource": "cda", "record_id": cda.id(), "reason": "باز"}))
        .await;
    assert_eq!(twice.status, 200, "{}", twice.text);
    assert_eq!(verified(service.database_url(), &[]).await.code, 0);
}

async fn a_document_is_erased_with_its_file(service: &Service) {
    let (admin, lorestan) = (service.login("admin").await, service.login("lorestan").await);
    let [cda, _] = people(&lorestan).await;
    let content = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF\n";
    let attached = crate::attachments::attachment(&lorestan, content, json!({})).await;
    assert_eq!(crate::attachments::send(&lorestan, &attached, content).await.status, 200);
    let file = service.files().join(attached.body["sha256"].as_str().unwrap());
    assert!(file.exists());
    let input = json!({"resource": "cda", "record_id": cda.id(), "reason": "درخواست", "attachments": [attached.id()]});
    let erased = admin.post("/api/v1/erasures", input).await;
    assert_eq!(erased.status, 200, "{}", erased.text);
    assert!(!file.exists(), "the file is gone");
    assert_eq!(admin.get(&format!("/api/v1/attachments/{}", attached.id())).await.status, 404);
    let url = format!("file://{}", service.files().display());
    let whole =
        run(&["verify"], &[("DATABASE_URL", service.database_url()), ("KHOOSHEH_ATTACHMENTS_URL", &url)], "")
            .await;
    assert_eq!(whole.code, 0, "{}{}", whole.stdout, whole.stderr);
}

async fn only_national_administrators_erase(service: &Service) {
    let [cda, _] = people(&service.login("lorestan").await).await;
    let input = json!({"resource": "cda", "record_id": cda.id(), "reason": "درخواست"});
    for name in ["isipo", "lorestan", "lorestan-viewer", "supervisor", "cda"] {
        let client = service.login(name).await;
        assert_eq!(client.post("/api/v1/erasures", input.clone()).await.status, 403, "{name}");
        assert_eq!(client.get("/api/v1/erasures").await.status, 403, "{name}");
    }
    let admin = service.login("admin").await;
    let unknown = json!({"resource": "cda", "record_id": Uuid::now_v7(), "reason": "درخواست"});
    assert_eq!(admin.post("/api/v1/erasures", unknown).await.errors(), [("/record_id", "unknown_record")]);
    let bare = json!({"resource": "cda", "record_id": cda.id(), "reason": " "});
    assert_eq!(admin.post("/api/v1/erasures", bare).await.status, 422);
}

/// A database as it was kept before there were commitments, with the ids of its people and the root of its
/// histories.
async fn of_before(backend: Backend) -> Option<(Scratch, [Answer; 2], String)> {
    let scratch = Scratch::copy(backend).await?;
    let server = Server::serve(&scratch.url, &[]).await;
    let people = people(&server.client().login("lorestan").await).await;
    drop(server);
    let db = khoosheh::store::connection::connect(&scratch.url.parse().unwrap(), 1).await.unwrap();
    while db_has(&db, "personal_value").await {
        schema::migrate_down(&db).await.unwrap();
    }
    let moment = khoosheh::store::connection::begin_to_read(&db).await.unwrap();
    let root = root::root(&moment).await.unwrap().sha256;
    moment.commit().await.unwrap();
    db.close().await.unwrap();
    assert!(stolen(&scratch.url).await.contains(&code()), "before, the database tells it");
    Some((scratch, people, root))
}

async fn histories_of_before_get_commitments(backend: Backend) {
    let Some((scratch, [cda, firm], former)) = of_before(backend).await else { return };
    let url = scratch.url.clone();
    let up = run(&["migrate", "up"], &[("DATABASE_URL", &url)], "").await;
    assert!(
        up.code == 0 && up.stdout.contains(&format!(": {former}\n")),
        "{former}: {}{}",
        up.stdout,
        up.stderr
    );
    let whole = verified(&url, &[]).await;
    assert!(whole.code == 0 && whole.stdout.contains(&former), "{}{}", whole.stdout, whole.stderr);
    let stolen = stolen(&url).await;
    for value in
        [code(), legal_id(987), MOBILE.to_owned(), FORMER_MOBILE.to_owned(), EMAIL.to_owned(), former]
    {
        assert!(!stolen.contains(&value), "{value}");
    }
    let server = Server::serve(&url, &[]).await;
    let lorestan = server.client().login("lorestan").await;
    for (path, answer) in [(CDAS, &cda), (ORGANISATIONS, &firm)] {
        let read = lorestan.get(&format!("{path}/{}", answer.id())).await;
        assert_eq!(read.body, answer.body, "{path}");
        let history = lorestan.get(&format!("{path}/{}/history", answer.id())).await;
        assert_eq!(history.body["is_intact"], true, "{}", history.text);
    }
    let taken =
        lorestan.post(CDAS, json!({"national_code": code(), "name_fa": "دیگری", "province": "IR-15"})).await;
    assert_eq!(
        (taken.status, taken.errors()),
        (409, vec![("/national_code", "duplicate")]),
        "{}",
        taken.text
    );
    let changed = lorestan.patch(&format!("{CDAS}/{}", cda.id()), "*", json!({"name_en": "Changed"})).await;
    assert_eq!((changed.status, &changed.body["mobile"]), (200, &json!(MOBILE)), "{}", changed.text);
    drop(server);
    let whole = verified(&url, &[]).await;
    assert_eq!(whole.code, 0, "{}{}", whole.stdout, whole.stderr);
    scratch.remove().await;
}

async fn a_broken_history_stays_broken(backend: Backend) {
    let Some((scratch, [cda, firm], _)) = of_before(backend).await else { return };
    let db =
        khoosheh::store::connection::connect(&scratch.url.parse().unwrap(), 1).await.unwrap().unguarded();
    let execute = async |sql: &str, id: &Answer| {
        let id: Uuid = id.id().parse().unwrap();
        db.execute_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, [id.into()]))
            .await
            .unwrap()
    };
    execute("UPDATE change_log SET request_id = 'another' WHERE version = 1 AND record_id = $1", &cda).await;
    execute(&format!("UPDATE organisation SET legal_id = '{}' WHERE id = $1", legal_id(1)), &firm).await;
    assert_eq!(run(&["migrate", "up"], &[("DATABASE_URL", &scratch.url)], "").await.code, 0);
    let broken = verified(&scratch.url, &[]).await;
    let named = format!("the history is broken at cda {}, version 1", cda.id());
    assert!(broken.code == 1 && broken.stderr.contains(&named), "{}", broken.stderr);
    let id: Uuid = firm.id().parse().unwrap();
    let own = Statement::from_sql_and_values(
        db.get_database_backend(),
        "SELECT history_hash FROM organisation WHERE id = $1",
        [id.into()],
    );
    assert_eq!(
        db.query_one_raw(own).await.unwrap().unwrap().try_get::<String>("", "history_hash").unwrap(),
        "0".repeat(64)
    );
    drop(db);
    scratch.remove().await;
}

async fn an_older_backup_brings_nothing_back(backend: Backend) {
    let (Some(here), Some(there)) = (Scratch::copy(backend).await, Scratch::empty(backend).await) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let text = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (list, backup) = (text("erased.jsonl"), text("backup"));
    let place = |scratch: &Scratch| {
        [
            ("DATABASE_URL", scratch.url.clone()),
            ("KHOOSHEH_ATTACHMENTS_URL", format!("file://{}", scratch.files().display())),
            ("KHOOSHEH_ERASURE_LIST", list.clone()),
        ]
    };
    let own = place(&here);
    let own: Vec<_> = own.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let server = Server::serve(&here.url, &own[1..]).await;
    let [cda, _] = people(&server.client().login("lorestan").await).await;
    assert_eq!(run(&["backup", &backup], &own, "").await.code, 0);
    let erased = run(&["erase", "cda", cda.id(), "--reason", "request"], &own, "").await;
    assert_eq!(erased.code, 0, "{}{}", erased.stdout, erased.stderr);
    drop(server);

    let other = place(&there);
    let other: Vec<_> = other.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let restored = run(&["restore", &backup], &other, "").await;
    assert!(
        restored.code == 0 && restored.stdout.contains("1 records were erased again"),
        "{}{}",
        restored.stdout,
        restored.stderr
    );
    let stolen = stolen(&there.url).await;
    for value in [code(), MOBILE.to_owned(), NAME.to_owned(), "Fereydunak".to_owned()] {
        assert!(!stolen.contains(&value), "{value}");
    }
    let whole = run(&["verify"], &other, "").await;
    assert_eq!(whole.code, 0, "{}{}", whole.stdout, whole.stderr);
    let server = Server::serve(&there.url, &other[1..]).await;
    let record = server.client().login("lorestan").await.get(&format!("{CDAS}/{}", cda.id())).await.body;
    assert_eq!((&record["national_code"], &record["version"]), (&json!("**********"), &json!(3)), "{record}");
    drop(server);
    here.remove().await;
    there.remove().await;
}

async fn keys_are_changed(backend: Backend) {
    let Some(scratch) = Scratch::copy(backend).await else { return };
    let (first, second) = ("01".repeat(32), "02".repeat(32));
    let url = ("DATABASE_URL", scratch.url.as_str());
    let server = Server::serve(&scratch.url, &[]).await;
    let [cda, firm] = people(&server.client().login("lorestan").await).await;
    drop(server);
    let refused = run(&["keys", "rotate-personal"], &[url], "").await;
    assert!(refused.code == 1 && refused.stderr.contains("KHOOSHEH_PERSONAL_KEY_FILE"), "{}", refused.stderr);
    let wrong = run(&["verify"], &[url, ("KHOOSHEH_PERSONAL_KEY", "01")], "").await;
    assert!(wrong.code == 1 && wrong.stderr.contains("64 hexadecimal digits"), "{}", wrong.stderr);

    for keys in [
        vec![("KHOOSHEH_PERSONAL_KEY", first.as_str())],
        vec![("KHOOSHEH_PERSONAL_KEY", &second), ("KHOOSHEH_FORMER_PERSONAL_KEYS", &first)],
    ] {
        // Before the change, values of either key are read, and unique among each other.
        let server = Server::serve(&scratch.url, &keys).await;
        let lorestan = server.client().login("lorestan").await;
        let taken = lorestan
            .post(CDAS, json!({"national_code": code(), "name_fa": "دیگری", "province": "IR-15"}))
            .await;
        assert_eq!(
            (taken.status, taken.errors()),
            (409, vec![("/national_code", "duplicate")]),
            "{}",
            taken.text
        );
        let rotated = run(&["keys", "rotate-personal"], &[&[url], &keys[..]].concat(), "").await;
        assert!(
            rotated.code == 0 && !rotated.stdout.starts_with("0 "),
            "{}{}",
            rotated.stdout,
            rotated.stderr
        );
        let again = run(&["keys", "rotate-personal"], &[&[url], &keys[..]].concat(), "").await;
        assert!(again.code == 0 && again.stdout.starts_with("0 "), "{}{}", again.stdout, again.stderr);
        assert_eq!(
            lorestan.get(&format!("{CDAS}/{}", cda.id())).await.body,
            cda.body,
            "while the service runs"
        );
        assert_eq!(lorestan.get(&format!("{ORGANISATIONS}/{}", firm.id())).await.body, firm.body);
    }
    let only = [("KHOOSHEH_PERSONAL_KEY", second.as_str())];
    let whole = verified(&scratch.url, &only).await;
    assert_eq!(whole.code, 0, "the former keys are not needed: {}{}", whole.stdout, whole.stderr);
    for keys in [vec![], vec![("KHOOSHEH_PERSONAL_KEY", first.as_str())]] {
        let refused = run(&["serve"], &[&[url], &keys[..]].concat(), "").await;
        assert!(
            refused.code == 1 && refused.stderr.contains("KHOOSHEH_PERSONAL_KEY_FILE"),
            "{}",
            refused.stderr
        );
    }
    let server = Server::serve(&scratch.url, &only).await;
    let taken = server
        .client()
        .login("lorestan")
        .await
        .post(CDAS, json!({"national_code": code(), "name_fa": "دیگری", "province": "IR-15"}))
        .await;
    assert_eq!(
        (taken.status, taken.errors()),
        (409, vec![("/national_code", "duplicate")]),
        "{}",
        taken.text
    );
    drop(server);
    scratch.remove().await;
}
