//! How files are sent, and who may.

use std::io::Write as _;

use khoosheh::{
    api,
    imports::{
        columns::Resource,
        dto::{Mode, Order},
        file::Format,
        intake::Intake,
    },
    persian::Calendar,
    policy::{Caller, Role, Scope},
    store::Transaction,
};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{CSV, IMPORTS, NDJSON, counts, ended, faults, import, send};
use crate::{clusters::CLUSTERS, enterprises::ENTERPRISES, on_both, process::run, support::Service};

on_both!(
    an_atomic_file_is_written_whole_or_not_at_all,
    a_file_is_refused_where_it_cannot_be_read,
    a_file_sent_again_with_its_key_is_one_import,
    rows_obey_the_scope_and_the_permissions_of_who_sent_them,
    an_account_that_is_shut_out_writes_no_more,
    a_hostile_file_costs_its_own_rows_only,
    too_many_files_have_to_wait_outside,
    the_work_can_be_followed,
    the_command_line_imports_too,
);

const TWO: &str = "key,name_fa,province,isic\nA,فرش,IR-15,1393\nB,چرم,IR-15,1511\n";

async fn an_atomic_file_is_written_whole_or_not_at_all(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let before = lorestan.count(CLUSTERS).await;
    let order = "resource=clusters&mode=apply&atomic=true&system=erp";
    let (refused, all) = import(&lorestan, order, CSV, format!("{TWO}C,گز,IR-15,0000\n")).await;
    assert_eq!((refused["state"].as_str(), counts(&refused)), (Some("refused"), [2, 0, 0, 1]));
    assert_eq!((faults(&all[2]), all[0]["record_id"].is_null()), (vec![("isic", "not_in_list")], true));
    assert_eq!(lorestan.count(CLUSTERS).await, before);
    // Rows are held against the rows before them, also where nothing is written.
    let twice = format!("{TWO}C,چرم,IR-15,1511\n");
    let (seen, all) = import(&lorestan, "resource=clusters&mode=validate&system=erp", CSV, twice).await;
    assert_eq!((counts(&seen), faults(&all[2])), ([2, 0, 0, 1], vec![("name_fa", "duplicate")]));
    let (done, all) = import(&lorestan, order, CSV, TWO).await;
    assert_eq!((done["state"].as_str(), counts(&done)), (Some("finished"), [2, 0, 0, 0]));
    assert_eq!(lorestan.count(CLUSTERS).await, before + 2);
    assert_eq!(lorestan.get(&format!("{CLUSTERS}/by-ref/erp/B")).await.body["id"], all[1]["record_id"]);
}

async fn a_file_is_refused_where_it_cannot_be_read(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let order = "resource=clusters&mode=validate&system=erp";
    for (file, errors) in [
        (&b""[..], vec![("", "empty_file")]),
        (
            "key,نام,province,province\n".as_bytes(),
            vec![("/headings/1", "unknown_column"), ("/headings/3", "repeated")],
        ),
        (b"name_fa\n", vec![("/headings", "required")]),
        (b"\xff\xfek\0e\0y\0", vec![("", "not_utf8")]),
        (b"key,\xc7\xd3\xe3\n", vec![("/headings/1", "not_utf8")]),
    ] {
        let refused = send(&lorestan, order, CSV, file.to_vec()).await;
        assert_eq!((refused.status, refused.errors()), (422, errors), "{file:?}");
    }
    let long = "key\n".to_owned() + &"A\n".repeat(10_001);
    let refused = send(&lorestan, order, CSV, long.clone()).await;
    assert_eq!((refused.status, refused.errors()), (422, vec![("", "too_many_rows")]));
    let refused = send(&lorestan, order, "application/json", "{}").await;
    assert_eq!((refused.status, refused.header("accept")), (415, "application/x-ndjson, text/csv"));
    for (order, pointer) in [
        ("resource=clusters&mode=apply", "/system"),
        ("resource=users&mode=apply&system=erp", "/resource"),
        ("resource=clusters&system=erp", "/mode"),
    ] {
        let refused = send(&lorestan, order, CSV, TWO).await;
        assert_eq!((refused.status, refused.errors()[0].0), (400, pointer));
    }
    assert_eq!(lorestan.count(IMPORTS).await, 0, "nothing is left of what is refused");
    let (running, beside) = service.beside(|config| config.import_limit = 1_024).await;
    let beside = beside.with_token(lorestan.token.as_ref().unwrap());
    assert_eq!(send(&beside, order, CSV, "key\n".to_owned() + &"A\n".repeat(600)).await.status, 413);
    running.stop().await;

    // What is wrong with a row is told with the row.
    let lines = "{\"key\": 7, \"surprise\": 1}\n[]\n{\"key\": \"A\"";
    let (_, all) = import(&lorestan, order, NDJSON, lines).await;
    assert!(faults(&all[0]).contains(&("surprise", "unknown_field")), "{}", all[0]);
    assert_eq!(
        (all[0]["key"].as_str(), faults(&all[1]), faults(&all[2])),
        (Some("7"), vec![("", "malformed_json")], vec![("", "malformed_json")])
    );
    let (_, all) = import(&lorestan, order, CSV, &b"key,name_fa\nA,\xc7\xd3\nB,a,b\n"[..]).await;
    assert_eq!(
        (faults(&all[0]), faults(&all[1])),
        (vec![("name_fa", "not_utf8")], vec![("", "too_many_cells")])
    );
}

async fn a_file_sent_again_with_its_key_is_one_import(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let path = format!("{IMPORTS}?resource=clusters&mode=apply&system=erp");
    let again = async |file: &'static str| {
        let request = lorestan
            .request(Method::POST, &path)
            .header("idempotency-key", "\"once\"")
            .header("content-type", CSV)
            .body(file);
        lorestan.send(request).await
    };
    let (first, second) = (again(TWO).await, again(TWO).await);
    assert_eq!(
        (first.status, second.status, first.id(), second.header("idempotency-replayed")),
        (201, 201, second.id(), "true")
    );
    assert_eq!(again("key\n").await.code(), "idempotency_key_reused");
    assert_eq!(lorestan.count(IMPORTS).await, 1);
    assert_eq!(counts(&ended(&lorestan, first.header("location")).await), [2, 0, 0, 0]);
}

async fn rows_obey_the_scope_and_the_permissions_of_who_sent_them(service: &Service) {
    let (lorestan, kerman, isipo) =
        (service.login("lorestan").await, service.login("kerman").await, service.login("isipo").await);
    let order = "resource=clusters&mode=apply&system=erp";
    let file = "key,name_fa,province,isic\nA,فرش,IR-15,1393\nB,مس,IR-08,0729\n";
    let (done, all) = import(&kerman, order, CSV, file).await;
    assert_eq!(
        (counts(&done), faults(&all[0]), all[1]["outcome"].as_str()),
        ([1, 0, 0, 1], vec![("", "outside_scope")], Some("created"))
    );
    // The same keys: what is another province's is not changed, and not told of but for the key.
    let (done, all) = import(&lorestan, order, CSV, file).await;
    assert_eq!((counts(&done), faults(&all[1])), ([1, 0, 0, 1], vec![("", "outside_scope")]));
    let (_, all) =
        import(&lorestan, order, CSV, "key,name_fa,province,isic\nB,فرش ماشینی,IR-15,1393\n").await;
    assert_eq!(faults(&all[0]), [("key", "duplicate")]);
    let (_, all) =
        import(&lorestan, "resource=enterprises&mode=validate&system=erp", CSV, "key,cluster_key\nX,B\n")
            .await;
    assert_eq!(faults(&all[0]), [("cluster_key", "unknown_record")]);

    let path = format!("{IMPORTS}/{}", done["id"].as_str().unwrap());
    for below in ["", "/rows", "/events"] {
        assert_eq!(kerman.get(&format!("{path}{below}")).await.code(), "not_found");
    }
    assert_eq!(
        (isipo.get(&path).await.status, kerman.count(IMPORTS).await, isipo.count(IMPORTS).await),
        (200, 1, 4)
    );
    assert_eq!(isipo.count(&format!("{IMPORTS}?resource=enterprises&state=finished")).await, 1);
    // A client that may import, and not write clusters.
    let admin = service.login("admin").await;
    let scopes = ["imports:write", "enterprises:write"];
    let client = admin
        .post(
            "/api/v1/api-clients",
            json!({"client_id": "gate", "display_name": "دروازه", "province": "IR-15", "scopes": scopes}),
        )
        .await;
    assert_eq!(client.status, 201, "{}", client.text);
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "gate"),
        ("client_secret", client.body["client_secret"].as_str().unwrap()),
    ];
    let token = service.anonymous().form("/api/v1/auth/token", &form).await;
    let gate = service.anonymous().with_token(token.body["access_token"].as_str().unwrap());
    assert_eq!(send(&gate, order, CSV, TWO).await.code(), "forbidden");
    let (done, _) = import(&gate, "resource=enterprises&mode=apply&system=gate", CSV, TWO).await;
    assert_eq!(counts(&done), [2, 0, 0, 0]);
}

/// Keeps a file of one enterprise of Kerman in the name of its manager, as a token with these permissions had
/// sent it, and gives how it ends.
async fn sent_before(service: &Service, kerman: Uuid, permissions: &[&str]) -> Value {
    let (admin, db) = (service.login("admin").await, service.database().await);
    let caller = Caller {
        id: kerman,
        username: "kerman".to_owned(),
        role: Role::ProvincialManager,
        scope: Scope::Province("IR-08".to_owned()),
        permissions: permissions.iter().map(|permission| (*permission).to_owned()).collect(),
        cda_id: None,
        session_id: None,
        must_change_password: false,
    };
    let mut intake = Intake::begin().unwrap();
    intake.write_all("key,name_fa,province,isic\nA,مس,IR-08,0729\n".as_bytes()).unwrap();
    let order =
        Order { resource: Resource::Enterprises, mode: Mode::Apply, atomic: false, system: "erp".to_owned() };
    let transaction = Transaction::begin(&db, caller.into(), "test".to_owned()).await.unwrap();
    let import = intake
        .keep(&order, Format::Csv, Calendar::Gregorian, &api::contract().unwrap(), &transaction)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    ended(&admin, &format!("{IMPORTS}/{}", import.id)).await
}

/// The rights of an account, and those that it had given to the token that sent the file, are asked for again
/// when the rows are written.
async fn an_account_that_is_shut_out_writes_no_more(service: &Service) {
    let admin = service.login("admin").await;
    let before = admin.count(ENTERPRISES).await;
    let refused = |done: Value| {
        assert_eq!(
            (done["state"].as_str(), done["problem"].as_str(), counts(&done)),
            (Some("failed"), Some("forbidden"), [0; 4])
        );
    };
    let kerman = admin.get("/api/v1/users?q=kerman").await;
    let id: Uuid = kerman.body["items"][0]["id"].as_str().unwrap().parse().unwrap();
    refused(sent_before(service, id, &["imports:write", "enterprises:read"]).await);
    let disabled = admin.patch(&format!("/api/v1/users/{id}"), "*", json!({"disabled": true})).await;
    assert_eq!(disabled.status, 200, "{}", disabled.text);
    refused(sent_before(service, id, Role::ProvincialManager.permissions()).await);
    assert_eq!(admin.count(ENTERPRISES).await, before);
}

async fn a_hostile_file_costs_its_own_rows_only(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let deep = format!("{{\"key\": \"D\", \"name_fa\": {}1{}}}", "[".repeat(20_000), "]".repeat(20_000));
    let many: Vec<String> = (0..3_000).map(|number| format!("k{number}")).collect();
    let lines = [
        r#"{"key": "a\u0000b", "project_key": "x"}"#.to_owned(),
        r#"{"key": "A", "project_key": "x\u0000y"}"#.to_owned(),
        r#"{"key": "B", "na\u0000me": "x", "title_fa": "\u0000"}"#.to_owned(),
        deep,
        json!({"key": "C", "predecessor_keys": many, "project_key": ["a", {"b": 1}], "budget_irr": {}})
            .to_string(),
        json!({"key": "E", "budget": {"a/b~c": "1"}, "external_refs": 7, "province_name": ["لرستان"]})
            .to_string(),
        json!({"key": "x".repeat(60_000), "title_fa": "y".repeat(1_000)}).to_string(),
        json!({"key": 1e300, "project_id": "nobody"}).to_string(),
        json!({"key": null}).to_string(),
    ];
    let (done, all) =
        import(&lorestan, "resource=milestones&mode=apply&system=erp", NDJSON, lines.join("\n")).await;
    assert_eq!(
        (done["state"].as_str(), counts(&done)),
        (Some("finished"), [0, 0, 0, lines.len() as i64]),
        "{done}"
    );
    let codes: Vec<_> = all.iter().map(|row| faults(row)[0]).collect();
    assert_eq!(codes[0], ("key", "wrong_pattern"));
    assert_eq!(
        (all[0]["key"].as_str(), codes[1], codes[3]),
        (Some("ab"), ("project_key", "unknown_record"), ("", "malformed_json"))
    );
    assert_eq!((codes[6], codes[8]), (("key", "wrong_pattern"), ("key", "required")));
    assert!(all.iter().all(|row| row.to_string().len() < 200_000 && !row.to_string().contains("\\u0000")));
    let table = [
        &b"key,name_fa,province,isic\nA,"[..],
        &[0xd8; 3],
        b",IR-15,1393\nB,\0,IR-15,1393\n\"C,\"\"x\nD,\xd9\x81\xd8\xb1\xd8\xb4,IR-15,1393\n",
    ]
    .concat();
    // A NUL at the beginning of a file says that it is no text; far behind it costs its row.
    assert_eq!(
        send(&lorestan, "resource=clusters&mode=apply&system=erp", CSV, table.clone()).await.errors(),
        [("", "not_utf8")]
    );
    let far = [
        b"key,name_fa,province,isic\n",
        "# ".repeat(70_000).as_bytes(),
        b"\nA,\0,IR-15,1393\nB,\xd9\x81\xd8\xb1\xd8\xb4,IR-15,1393\n",
    ]
    .concat();
    let (done, all) = import(&lorestan, "resource=clusters&mode=apply&system=erp", CSV, far).await;
    assert_eq!(
        (counts(&done), faults(&all[0]), faults(&all[1])[0]),
        ([1, 0, 0, 2], vec![("", "row_too_long")], ("name_fa", "nul_character"))
    );
}

async fn too_many_files_have_to_wait_outside(service: &Service) {
    let (db, contract) = (service.database().await, api::contract().unwrap());
    let transaction = Transaction::begin(&db, Caller::service(), "test".to_owned()).await.unwrap();
    let keep = async || {
        let mut intake = Intake::begin().unwrap();
        intake.write_all(b"key\n").unwrap();
        let order = Order {
            resource: Resource::Clusters,
            mode: Mode::Apply,
            atomic: false,
            system: "erp".to_owned(),
        };
        intake.keep(&order, Format::Csv, Calendar::Gregorian, &contract, &transaction).await
    };
    for _ in 0..20 {
        assert!(keep().await.is_ok());
    }
    assert_eq!(keep().await.unwrap_err().code(), "too_many_requests");
    transaction.roll_back().await;
}

async fn the_work_can_be_followed(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let rows = |number: usize| format!("E-{number},واحد {number},IR-15,2396\n");
    let file = "key,name_fa,province,isic\n".to_owned() + &(0..1_200).map(rows).collect::<String>();
    let sent = send(&lorestan, "resource=enterprises&mode=apply&system=erp", CSV, file).await;
    let events =
        lorestan.request(Method::GET, &format!("{}/events", sent.header("location"))).send().await.unwrap();
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    let text = events.text().await.unwrap();
    let told: Vec<serde_json::Value> = text
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    let done: Vec<i64> = told.iter().map(|import| import["rows_done"].as_i64().unwrap()).collect();
    assert!(done.is_sorted() && done.last() == Some(&1_200), "{done:?}");
    assert_eq!(
        (told.last().unwrap()["state"].as_str(), text.matches("event: progress").count()),
        (Some("finished"), told.len())
    );
    let table = lorestan.get(&format!("{}/rows?format=csv&page_size=2", sent.header("location"))).await;
    assert!(
        table.text.starts_with("number,line,key,outcome,record_id,errors,message\r\n1,2,E-0,created,"),
        "{}",
        table.text
    );
}

async fn the_command_line_imports_too(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("خوشه‌ها.csv");
    std::fs::write(&file, format!("{TWO}C,گز,IR-15,0000\n")).unwrap();
    let variables = [("DATABASE_URL", service.database_url())];
    let arguments = |more: &'static [&'static str]| {
        [&["import", file.to_str().unwrap(), "--resource", "clusters", "--system", "erp"], more].concat()
    };
    let seen = run(&arguments(&["--validate"]), &variables, "").await;
    assert_eq!(
        (seen.code, seen.stdout.as_str()),
        (1, "finished: 2 created, 0 updated, 0 unchanged, 1 failed\n"),
        "{}",
        seen.stderr
    );
    let atomic = run(&arguments(&["--atomic"]), &variables, "").await;
    assert_eq!(
        (atomic.code, atomic.stdout.as_str()),
        (1, "refused: 2 created, 0 updated, 0 unchanged, 1 failed\n")
    );
    assert_eq!(lorestan.get(&format!("{CLUSTERS}/by-ref/erp/A")).await.status, 404);
    let done = run(&arguments(&[]), &variables, "").await;
    assert_eq!(
        (done.code, done.stdout.as_str()),
        (1, "finished: 2 created, 0 updated, 0 unchanged, 1 failed\n")
    );
    assert!(done.stderr.contains("line 4 (C): isic"), "{}", done.stderr);
    assert_eq!(lorestan.get(&format!("{CLUSTERS}/by-ref/erp/A")).await.body["name_fa"], "فرش");
    std::fs::write(&file, TWO).unwrap();
    let again = run(&arguments(&[]), &variables, "").await;
    assert_eq!(
        (again.code, again.stdout.as_str()),
        (0, "finished: 0 created, 0 updated, 2 unchanged, 0 failed\n"),
        "{}",
        again.stderr
    );
    for (more, reason) in [
        (&["--system", "erp", "--calendar", "lunar"][..], "lunar"),
        (&["--system", "No!"], "a system has"),
        (&["--system", "erp"], "nothing.csv"),
    ] {
        let refused =
            run(&[&["import", "nothing.csv", "--resource", "clusters"], more].concat(), &variables, "").await;
        assert!(refused.code > 0 && refused.stderr.contains(reason), "{}", refused.stderr);
    }
}
