//! Projects, from their registration to their tombstone, and their lists.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    clusters::CLUSTERS,
    decisions::decision,
    on_both,
    support::{Answer, Client, Service},
};

on_both!(
    a_provincial_company_keeps_a_project,
    every_field_of_a_project_comes_back,
    what_a_project_refers_to_must_fit,
    another_system_puts_projects_by_its_own_keys,
    a_project_with_parts_stays,
    filters_of_projects_let_through_what_they_name,
    projects_are_listed_in_every_documented_order,
);

pub const PROJECTS: &str = "/api/v1/projects";
pub const ORGANISATIONS: &str = "/api/v1/organisations";

/// Creates something, which must succeed.
pub async fn made(client: &Client, path: &str, body: Value) -> Answer {
    let created = client.post(path, body).await;
    assert_eq!(created.status, 201, "{path}: {}", created.text);
    created
}

/// The id of the first record of a list that words find.
pub async fn named(client: &Client, list: &str, words: &str) -> String {
    let found = client.send(client.request(Method::GET, list).query(&[("q", words)])).await;
    found.items("id").first().unwrap_or_else(|| panic!("{list} has no {words}")).to_string()
}

/// The path of the demonstration's project.
pub async fn stone(client: &Client) -> String {
    format!("{PROJECTS}/{}", named(client, PROJECTS, "سنگ").await)
}

/// What a project of the cluster of this name needs, carried out by a national organisation; `more` adds to
/// it.
pub async fn project_input(client: &Client, cluster: &str, more: Value) -> Value {
    let (cluster_id, organisation_id) =
        (named(client, CLUSTERS, cluster).await, named(client, ORGANISATIONS, "ISIPO").await);
    let mut input = json!({"cluster_id": cluster_id, "organisation_id": organisation_id, "title_fa": format!("توسعهٔ {cluster}")});
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

pub async fn project(client: &Client, cluster: &str, more: Value) -> Answer {
    made(client, PROJECTS, project_input(client, cluster, more).await).await
}

/// A project that is being implemented, past the rules that lead there.
pub async fn implementing(service: &Service, client: &Client, cluster: &str) -> Answer {
    let created = project(client, cluster, json!({})).await;
    service.put_in_state("project", created.id(), "implementing").await;
    created
}

/// Enters a state, by a decision and with a reason, which must succeed.
pub async fn enter(client: &Client, path: &str, to: &str) -> Answer {
    let decision = decision(client, json!({})).await;
    let entered = client
        .transition(path, "*", json!({"to": to, "decision_id": decision.id(), "reason": "مصوبهٔ استان"}))
        .await;
    assert_eq!((entered.status, &entered.body["state"]), (200, &json!(to)), "{}", entered.text);
    entered
}

async fn a_provincial_company_keeps_a_project(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let created = project(&lorestan, "زیتون", json!({})).await;
    let path = created.header("location");
    assert_eq!(path, format!("{PROJECTS}/{}", created.id()));
    let expected = json!({
        "code": "15-P-0002", "province": "IR-15", "state": "draft", "planned_months": 36, "budget": [], "external_refs": [],
        "title_en": null, "contract_no": null, "contract_start": null, "contract_end": null, "vision": null,
        "progress_bp": 0, "planned_bp": 0, "overdue_milestones": 0, "next_milestone": null, "lead_cda": null,
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&created.body[field], value, "{field}");
    }
    assert_eq!(created.body["allowed_transitions"][0]["to"], "approved");
    assert_eq!(lorestan.get(path).await.body, created.body);

    let bare =
        lorestan.send(lorestan.request(Method::PATCH, path).json(&json!({"title_en": "Olives"}))).await;
    assert_eq!((bare.status, bare.code()), (428, "precondition_required"));
    let changed = lorestan
        .patch(path, created.etag(), json!({"title_en": "Olives", "contract_start": "2015-03-21"}))
        .await;
    assert_eq!(
        (changed.status, &changed.body["version"], &changed.body["title_en"]),
        (200, &json!(2), &json!("Olives")),
        "{}",
        changed.text
    );
    assert_eq!(lorestan.get(&format!("{path}?calendar=persian")).await.body["contract_start"], "1394-01-01");
    assert_eq!(
        lorestan.patch(path, created.etag(), json!({"title_en": "Oil"})).await.code(),
        "stale_version"
    );
    service.put_in_state("project", created.id(), "approved").await;
    enter(&lorestan, path, "suspended").await;

    assert_eq!(lorestan.delete(path, "\"2\"").await.status, 412);
    assert_eq!(lorestan.delete(path, "\"3\"").await.status, 204);
    assert_eq!(lorestan.delete(path, "\"1\"").await.status, 204, "repeating a deletion is no error");
    assert_eq!(lorestan.get(path).await.status, 404);
    let history = lorestan.get(&format!("{path}/history")).await;
    assert_eq!(history.items("kind"), ["created", "updated", "transitioned", "deleted"]);
    let entries = history.body["items"].as_array().unwrap();
    assert!(entries.windows(2).all(|pair| pair[1]["previous_hash"] == pair[0]["hash"]));
    let named = |entry: &Value| {
        entry["changes"].as_array().unwrap().iter().map(|change| change["field"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(named(&entries[1]), ["title_en", "contract_start"]);
    assert!(!named(&entries[0]).contains(&json!("progress_bp")), "what is derived has no history");
    assert_eq!(
        project(&lorestan, "زیتون", json!({})).await.body["code"],
        "15-P-0003",
        "a code is given out once"
    );
}

async fn every_field_of_a_project_comes_back(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let budget = json!([
        {"line": "cda_fee", "amount_irr": "999999999999999999"}, {"line": "training", "amount_irr": "0"},
        {"line": "supervision", "amount_irr": "9007199254740993"}, {"line": "subproject", "amount_irr": "1"},
    ]);
    let full = json!({
        "code": "OLIVE-1", "title_en": "Olives", "contract_no": "1394/7", "contract_start": "2015-03-21", "contract_end": "2018-03-20",
        "planned_months": 240, "budget": budget, "vision": "روغن بهتر", "external_refs": [{"system": "erp", "key": "7"}],
    });
    let input = project_input(&lorestan, "زیتون", full).await;
    let created = made(&lorestan, PROJECTS, input.clone()).await;
    for (field, value) in input.as_object().unwrap() {
        assert_eq!(&created.body[field], value, "{field}");
    }
    for (patch, error) in [
        (json!({"budget": [budget[0], budget[1], budget[0]]}), ("/budget/2/line", "repeated_items")),
        (json!({"budget": [{"line": "cda_fee", "amount_irr": 12}]}), ("/budget/0/amount_irr", "wrong_type")),
        (
            json!({"budget": [{"line": "cda_fee", "amount_irr": "-1"}]}),
            ("/budget/0/amount_irr", "wrong_pattern"),
        ),
        (json!({"budget": [{"line": "bribes", "amount_irr": "1"}]}), ("/budget/0/line", "not_in_list")),
        (json!({"planned_months": 0}), ("/planned_months", "too_small")),
        (json!({"planned_months": 241}), ("/planned_months", "too_large")),
        (json!({"contract_end": "2015-03-20"}), ("/contract_end", "too_early")),
        (json!({"state": "approved"}), ("/state", "unknown_field")),
        (json!({"progress_bp": 10_000}), ("/progress_bp", "unknown_field")),
        (json!({"province": "IR-08"}), ("/province", "unknown_field")),
    ] {
        let refused = lorestan.patch(created.header("location"), "*", patch.clone()).await;
        assert_eq!((refused.status, refused.errors()), (422, vec![error]), "{patch}");
    }
    let taken =
        lorestan.post(PROJECTS, project_input(&lorestan, "عسل", json!({"code": "15-P-0001"})).await).await;
    assert_eq!((taken.status, taken.errors()), (409, vec![("/code", "duplicate")]));
    let empty = lorestan.post(PROJECTS, json!({})).await;
    assert_eq!(
        empty.errors(),
        [("/cluster_id", "required"), ("/organisation_id", "required"), ("/title_fa", "required")]
    );
}

/// A project and its cluster are in the same province (rule 2), and so is who carries it out, unless it is
/// national.
async fn what_a_project_refers_to_must_fit(service: &Service) {
    let (isipo, lorestan) = (service.login("isipo").await, service.login("lorestan").await);
    let kerman =
        json!({"kind": "provincial_company", "name_fa": "شرکت شهرک‌های صنعتی کرمان", "province": "IR-08"});
    let kerman = made(&isipo, ORGANISATIONS, kerman).await;
    let pistachio = isipo.cluster_named("پسته").await;
    for (client, more, error) in [
        (&isipo, json!({"organisation_id": kerman.id()}), ("/organisation_id", "other_province")),
        (&lorestan, json!({"organisation_id": kerman.id()}), ("/organisation_id", "unknown_record")),
        (&lorestan, json!({"cluster_id": pistachio.id()}), ("/cluster_id", "unknown_record")),
        (&isipo, json!({"cluster_id": kerman.id()}), ("/cluster_id", "unknown_record")),
        (&lorestan, json!({"organisation_id": pistachio.id()}), ("/organisation_id", "unknown_record")),
    ] {
        let refused = client.post(PROJECTS, project_input(client, "زیتون", more).await).await;
        assert_eq!((refused.status, refused.errors()), (422, vec![error]), "{}", refused.text);
    }
    let own = project(&isipo, "پسته", json!({"organisation_id": kerman.id()})).await;
    assert_eq!((&own.body["province"], &own.body["code"]), (&json!("IR-08"), &json!("08-P-0001")));
    assert_eq!(lorestan.get(own.header("location")).await.status, 404);
    let national = project(&lorestan, "زیتون", json!({})).await;
    let moved = isipo.patch(national.header("location"), "*", json!({"organisation_id": kerman.id()})).await;
    assert_eq!((moved.status, moved.errors()), (422, vec![("/organisation_id", "other_province")]));
    let both = json!({"organisation_id": kerman.id(), "cluster_id": pistachio.id()});
    let moved = isipo.patch(national.header("location"), "*", both).await;
    assert_eq!((moved.status, &moved.body["province"]), (200, &json!("IR-08")), "{}", moved.text);
}

async fn another_system_puts_projects_by_its_own_keys(service: &Service) {
    let integrator = service.login_integrator().await;
    let path = format!("{PROJECTS}/by-ref/erp/P-7");
    let input = project_input(&integrator, "زیتون", json!({"title_en": "Olives"})).await;
    assert_eq!(integrator.get(&path).await.status, 404);
    let created = integrator.put(&path, input.clone()).await;
    assert_eq!(
        (created.status, &created.body["external_refs"]),
        (201, &json!([{"system": "erp", "key": "P-7"}])),
        "{}",
        created.text
    );
    assert_eq!(integrator.get(&path).await.body, integrator.get(created.header("location")).await.body);
    assert_eq!(integrator.put(&path, input.clone()).await.code(), "precondition_required");
    let bare = project_input(&integrator, "زیتون", json!({})).await;
    let replace = integrator.request(Method::PUT, &path).header("if-match", created.etag()).json(&bare);
    let replaced = integrator.send(replace).await;
    assert_eq!(
        (replaced.status, replaced.id(), &replaced.body["title_en"]),
        (200, created.id(), &Value::Null)
    );
    assert_eq!(replaced.body["code"], created.body["code"]);
    assert_eq!(service.login("kerman").await.get(&path).await.status, 404);
}

async fn a_project_with_parts_stays(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let stone = stone(&lorestan).await;
    let refused = lorestan.delete(&stone, "*").await;
    let parts = json!(["milestone", "phase", "assignment", "supervision", "partner", "baseline"]);
    assert_eq!(
        (refused.status, refused.code(), &refused.body["referred_by"]),
        (409, "still_referred_to", &parts)
    );
    let created = project(&lorestan, "زیتون", json!({})).await;
    let path = created.header("location");
    let partner = json!({"organisation_id": created.body["organisation_id"], "role": "بازار"});
    let partner = made(&lorestan, &format!("{path}/partners"), partner).await;
    let refused = lorestan.delete(path, created.etag()).await;
    assert_eq!((refused.status, &refused.body["referred_by"]), (409, &json!(["partner"])));
    assert_eq!(lorestan.delete(partner.header("location"), "*").await.status, 204);
    assert_eq!(lorestan.delete(path, created.etag()).await.status, 204);
}

async fn filters_of_projects_let_through_what_they_name(service: &Service) {
    let (isipo, cda, supervisor) =
        (service.login("isipo").await, service.login("cda").await, service.login("supervisor").await);
    let stone = isipo.get(&stone(&isipo).await).await;
    project(&isipo, "پسته", json!({"title_en": "Pistachio"})).await;
    let olive = project(&isipo, "زیتون", json!({"contract_no": "1394/7-K"})).await;
    service.put_in_state("project", olive.id(), "approved").await;
    let field = |answer: &Answer, name: &str| answer.body[name].as_str().unwrap().to_owned();
    let leads = stone.body["lead_cda"]["id"].as_str().unwrap();
    let (s, o, p) = ("15-P-0001", "15-P-0002", "08-P-0001");
    for (client, query, codes) in [
        (&isipo, String::new(), vec![p, s, o]),
        (&isipo, "state=implementing".into(), vec![s]),
        (&isipo, "state=draft,approved".into(), vec![p, o]),
        (&isipo, "state=closed".into(), vec![]),
        (&isipo, "province=IR-08".into(), vec![p]),
        (&isipo, "province=IR-15,IR-08".into(), vec![p, s, o]),
        (&isipo, format!("cluster_id={}", field(&olive, "cluster_id")), vec![o]),
        (&isipo, format!("organisation_id={}", field(&olive, "organisation_id")), vec![p, o]),
        (&isipo, format!("organisation_id={}", field(&stone, "organisation_id")), vec![s]),
        (&isipo, format!("cda_id={leads}"), vec![s]),
        (&isipo, format!("cda_id={}", stone.id()), vec![]),
        (&isipo, format!("updated_since={}", field(&olive, "updated_at")), vec![o]),
        (&isipo, "q=pistachio".into(), vec![p]),
        (&isipo, "q=1394/7".into(), vec![o]),
        (&isipo, "q=توسعه&state=draft".into(), vec![p]),
        (&isipo, "mine=true".into(), vec![p, s, o]),
        (&cda, "mine=true".into(), vec![s]),
        (&supervisor, "mine=true".into(), vec![s]),
        (&cda, "mine=false".into(), vec![s, o]),
        (&cda, "province=IR-08".into(), vec![]),
        (&cda, format!("mine=true&state=approved&cda_id={leads}"), vec![]),
    ] {
        let page = client.get(&format!("{PROJECTS}?sort=created_at&count=true&{query}")).await;
        let mut found = page.items("code");
        found.sort_by_key(|code| [p, s, o].iter().position(|known| known == code));
        assert_eq!((found, &page.body["total"]), (codes.clone(), &json!(codes.len())), "{query}");
    }
    let assignment =
        isipo.get(&format!("{PROJECTS}/{}/assignments", stone.id())).await.items("id")[0].to_owned();
    let path = format!("{PROJECTS}/{}/assignments/{assignment}", stone.id());
    assert_eq!(isipo.patch(&path, "*", json!({"valid_to": "2017-01-01"})).await.status, 200);
    for query in ["mine=true".to_owned(), format!("cda_id={leads}")] {
        assert_eq!(
            cda.get(&format!("{PROJECTS}?{query}")).await.items("id").len(),
            0,
            "the assignment has ended: {query}"
        );
    }
    for (query, error) in [
        ("state=live", ("/state/0", "not_in_list")),
        ("cda_id=7", ("/cda_id", "wrong_format")),
        ("mine=maybe", ("/mine", "wrong_type")),
        ("budget=1", ("/budget", "unknown_parameter")),
    ] {
        assert_eq!(isipo.get(&format!("{PROJECTS}?{query}")).await.errors(), [error], "{query}");
    }
    let table = isipo.get(&format!("{PROJECTS}?sort=-code&format=csv")).await;
    let mut rows = csv::Reader::from_reader(table.text.as_bytes());
    let columns = rows.headers().unwrap().clone();
    let column = |name: &str| {
        columns.iter().position(|column| column == name).unwrap_or_else(|| panic!("{columns:?}"))
    };
    let rows: Vec<_> = rows.records().map(Result::unwrap).collect();
    assert_eq!(rows.iter().map(|row| &row[column("code")]).collect::<Vec<_>>(), [o, s, p]);
    assert_eq!(
        [&rows[1][column("state")], &rows[1][column("progress_bp")], &rows[1][column("contract_no")]],
        ["implementing", "8140", "1393/112"]
    );
}

/// The items of a list, page by page.
pub async fn walk(client: &Client, path: &str) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("{path}{cursor}")).await;
        items.extend(page.body["items"].as_array().unwrap().clone());
        let Some(next) = page.body["next_cursor"].as_str() else { return items };
        cursor = format!("&cursor={next}");
    }
}

/// Two by two in each order the same records come, those of a list with these sort keys; a day that is not
/// known is the last.
pub async fn comes_in_order(client: &Client, path: &str, keys: &[&str]) {
    let all = walk(client, &format!("{path}?page_size=200")).await;
    let value = |item: &Value, key: &str| item[key].as_str().unwrap_or("9999-12-31").to_owned();
    for key in keys {
        let mut expected = all.clone();
        expected.sort_by_key(|item| (value(item, key), value(item, "id")));
        assert_eq!(walk(client, &format!("{path}?page_size=2&sort={key}")).await, expected, "{key}");
        expected.reverse();
        assert_eq!(walk(client, &format!("{path}?page_size=2&sort=-{key}")).await, expected, "-{key}");
    }
}

async fn projects_are_listed_in_every_documented_order(service: &Service) {
    let isipo = service.login("isipo").await;
    for (cluster, title, more) in [
        ("پسته", "الف", json!({"contract_end": "2016-01-01"})),
        ("زیتون", "پ", json!({"contract_end": "2019-01-01", "code": "A-1"})),
        ("عسل", "ب", json!({})),
        ("فرش", "الف", json!({"code": "Z"})),
    ] {
        let created = project(&isipo, cluster, more).await;
        assert_eq!(
            isipo.patch(created.header("location"), "*", json!({"title_fa": title})).await.status,
            200
        );
    }
    comes_in_order(&isipo, PROJECTS, &["code", "contract_end", "created_at", "updated_at", "id"]).await;
    let titles = walk(&isipo, &format!("{PROJECTS}?page_size=2&sort=title_fa,-code")).await;
    assert_eq!(
        titles.iter().map(|item| item["code"].as_str().unwrap()).collect::<Vec<_>>(),
        ["Z", "08-P-0001", "15-P-0002", "A-1", "15-P-0001"]
    );
}
