//! Reports: what holds for all of them.

mod agreement;
mod cda_portfolio;
mod earned_value;
mod funnel;
mod identified_clusters;
mod indicators;
mod industries;
mod networks;
mod overdue_milestones;
mod reconciliation;
mod reporting;
mod summaries;
mod then;

use khoosheh::{
    clusters, demo,
    policy::Caller,
    store::{Files, Transaction},
};
use reqwest::Method;
use sea_orm::EntityTrait;
use serde_json::{Value, json};

use crate::{
    clusters::CLUSTERS,
    on_both,
    support::{Backend, Client, Service},
};

on_both!(
    the_menu_describes_every_report,
    words_stand_in_persian_in_the_sheets,
    every_report_is_had_in_each_of_its_formats,
    a_report_is_not_made_again_while_its_data_is_the_same,
    a_parameter_that_is_not_understood_is_refused,
    nothing_of_another_province_shows,
);

const REPORTS: &str = "/api/v1/reports";

async fn menu(client: &Client) -> Vec<Value> {
    client.get(REPORTS).await.body["items"].as_array().unwrap().clone()
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|entry| entry.as_str().or(entry["name"].as_str()).unwrap()).collect()
}

async fn the_menu_describes_every_report(service: &Service) {
    let viewer = service.login("lorestan-viewer").await;
    let menu = menu(&viewer).await;
    let documented = khoosheh::api::document()["paths"].as_object().unwrap().keys();
    let documented: Vec<&str> = documented.filter_map(|path| path.strip_prefix("/api/v1/reports/")).collect();
    let mut listed = names(&json!(menu)).into_iter().map(str::to_owned).collect::<Vec<_>>();
    listed.sort();
    let mut sorted = documented.clone();
    sorted.sort();
    assert_eq!(listed, sorted);
    for entry in &menu {
        for parameter in ["province", "industry", "as_of", "known_at", "period", "calendar", "format"] {
            assert!(names(&entry["parameters"]).contains(&parameter), "{}: {parameter}", entry["name"]);
        }
        let parts =
            [&entry["parameters"], &entry["columns"]].into_iter().flat_map(|list| list.as_array().unwrap());
        for part in parts.chain([entry]) {
            let is_persian = part["title_fa"]
                .as_str()
                .unwrap()
                .chars()
                .any(|letter| ('\u{600}'..'\u{700}').contains(&letter));
            assert!(
                is_persian && !part["title_en"].as_str().unwrap().is_empty(),
                "{}: {part}",
                entry["name"]
            );
        }
    }
}

/// What a schema refers to, or holds beside null.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let referred =
        schema["$ref"].as_str().map(|path| document.pointer(path.trim_start_matches('#')).unwrap());
    let alternatives = || schema["oneOf"].as_array()?.iter().find(|one| one["type"] != "null");
    referred
        .or_else(alternatives)
        .or_else(|| schema.get("items"))
        .map_or(schema, |inner| resolved(document, inner))
}

async fn words_stand_in_persian_in_the_sheets(service: &Service) {
    let viewer = service.login("lorestan-viewer").await;
    let document = khoosheh::api::document();
    let mut words = 0;
    for entry in menu(&viewer).await {
        let answer = &document["paths"][entry["path"].as_str().unwrap()]["get"]["responses"]["200"]["content"]
            ["application/json"]["schema"];
        let item =
            resolved(document, &resolved(document, answer)["allOf"][1]["properties"]["items"]["items"]);
        for column in entry["columns"].as_array().unwrap().iter().filter(|column| column["kind"] == "word") {
            let steps = column["name"].as_str().unwrap().split('.');
            let schema = steps.fold(item, |schema, step| resolved(document, &schema["properties"][step]));
            let codes = schema["enum"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .filter(|code| !code.starts_with("IR-"));
            for code in codes {
                assert!(
                    khoosheh::http::glossary::in_persian(code).is_some(),
                    "{}, {}: {code}",
                    entry["name"],
                    column["name"]
                );
                words += 1;
            }
        }
    }
    assert!(words > 40, "{words} words were looked at");
}

async fn every_report_is_had_in_each_of_its_formats(service: &Service) {
    let isipo = service.login("isipo").await;
    for entry in menu(&isipo).await {
        let path = entry["path"].as_str().unwrap();
        assert_eq!(names(&entry["formats"])[..3], ["json", "csv", "xlsx"], "{path}");
        for format in names(&entry["formats"]) {
            let answer = isipo
                .send(isipo.request(Method::GET, path).query(&[("format", format), ("calendar", "persian")]))
                .await;
            assert_eq!(answer.status, 200, "{path} as {format}: {}", answer.text);
            let (media_type, begins) = match format {
                "json" => ("application/json", "{\"as_of\":"),
                "csv" => ("text/csv; charset=utf-8; header=present", ""),
                "xlsx" => ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "PK"),
                "svg" => ("image/svg+xml", "<svg "),
                _ => ("application/geo+json", "{\"as_of\":"),
            };
            assert_eq!(answer.header("content-type"), media_type, "{path}");
            assert!(answer.text.starts_with(begins), "{path} as {format}: {}", answer.text);
            if format == "csv" {
                assert_eq!(answer.text.lines().next().unwrap(), names(&entry["columns"]).join(","), "{path}");
                let marked = isipo.get(&format!("{path}?format=csv&calendar=persian&bom=true")).await;
                assert_eq!(marked.text, format!("\u{feff}{}", answer.text), "{path}");
            }
        }
    }
}

async fn a_report_is_not_made_again_while_its_data_is_the_same(service: &Service) {
    let (isipo, kerman) = (service.login("isipo").await, service.login("kerman").await);
    let reads: Vec<String> =
        menu(&isipo).await.iter().map(|entry| entry["path"].as_str().unwrap().to_owned()).collect();
    let again = async |client: &Client, path: &str, tag: &str| {
        client.send(client.request(Method::GET, path).header("if-none-match", tag)).await.status
    };
    for path in &reads {
        for client in [&isipo, &kerman] {
            let first = client.get(path).await;
            assert_eq!(again(client, path, first.etag()).await, 304, "{path}");
            assert_ne!(client.get(&format!("{path}?as_of=2014-03-20")).await.etag(), first.etag(), "{path}");
        }
    }
    let report = format!("{REPORTS}/identified-clusters");
    let (of_nation, of_kerman) = (isipo.get(&report).await, kerman.get(&report).await);
    let olive = isipo.cluster_named("زیتون").await;
    assert_eq!(
        isipo.patch(&format!("{CLUSTERS}/{}", olive.id()), "*", json!({"name_en": "Olives"})).await.status,
        200
    );
    assert_eq!(again(&isipo, &report, of_nation.etag()).await, 200);
    assert_eq!(
        again(&kerman, &report, of_kerman.etag()).await,
        304,
        "what happens in another province is no change here"
    );
    // A cluster that leaves a province is gone from its report.
    let honey = isipo.cluster_named("عسل").await;
    let moved = isipo
        .patch(
            &format!("{CLUSTERS}/{}", isipo.cluster_named("پسته").await.id()),
            "*",
            json!({"province": "IR-20"}),
        )
        .await;
    assert_eq!((honey.status, moved.status), (200, 200), "{}", moved.text);
    assert_eq!(again(&kerman, &report, of_kerman.etag()).await, 200);
}

/// On PostgreSQL a transaction may take its number first and commit last: what it has changed is in no answer
/// of before, and the answer is made again.
#[actix_web::test]
async fn a_report_is_made_again_after_what_was_running() {
    let Some(service) = Service::start(Backend::Postgres, |_| {}).await else { return };
    let (isipo, db, path) =
        (service.login("isipo").await, service.database().await, format!("{REPORTS}/identified-clusters"));
    let stone: uuid::Uuid = isipo.cluster_named("سنگ").await.id().parse().unwrap();
    let before = clusters::entity::Entity::find_by_id(stone).one(&db).await.unwrap().unwrap();
    let late = Transaction::begin(&db, Caller::service(), "late".to_owned()).await.unwrap();
    late.update(&before, clusters::entity::Model { name_en: Some("Rock".to_owned()), ..before.clone() })
        .await
        .unwrap();
    let olive = isipo.cluster_named("زیتون").await;
    assert_eq!(
        isipo.patch(&format!("{CLUSTERS}/{}", olive.id()), "*", json!({"name_en": "Olives"})).await.status,
        200
    );
    let first = isipo.get(&path).await;
    let again =
        async || isipo.send(isipo.request(Method::GET, &path).header("if-none-match", first.etag())).await;
    assert_eq!((first.status, again().await.status), (200, 304));
    late.commit().await.unwrap();
    let second = again().await;
    assert_eq!((second.status, second.text.contains("Rock")), (200, true), "{}", second.text);
    service.stop().await;
}

async fn a_parameter_that_is_not_understood_is_refused(service: &Service) {
    let isipo = service.login("isipo").await;
    for entry in menu(&isipo).await {
        let path = entry["path"].as_str().unwrap();
        for (query, error) in [
            ("asof=2014-03-20", ("/asof", "unknown_parameter")),
            ("province=IR-15,IR-31", ("/province/1", "not_in_list")),
            ("known_at=yesterday", ("/known_at", "wrong_format")),
            ("known_at=2100-01-01T00:00:00Z", ("/known_at", "in_future")),
            ("as_of=2014-03-20&as_of=2014-03-21", ("/as_of", "repeated")),
            ("as_of=2014-03-21&period=1392", ("/as_of", "outside_period")),
            ("format=pdf", ("/format", "not_in_list")),
        ] {
            let refused = isipo.get(&format!("{path}?{query}")).await;
            assert_eq!((refused.status, refused.errors()), (400, vec![error]), "{path}?{query}");
        }
        let nowhere = isipo.get(&format!("{path}?as_of=1392-12-30&calendar=persian")).await;
        assert_eq!(
            (nowhere.status, nowhere.errors()),
            (422, vec![("/as_of", "no_such_day")]),
            "a date that does not exist is 422 anywhere"
        );
    }
}

/// What Lorestan is told does not depend on what Kerman does: neither rows nor sums, however it asks.
async fn nothing_of_another_province_shows(service: &Service) {
    demo::enrich(&service.database().await, &Files::open(&service.config).unwrap()).await.unwrap();
    let (isipo, kerman, lorestan) =
        (service.login("isipo").await, service.login("kerman").await, service.login("lorestan").await);
    let mut questions = Vec::new();
    for entry in menu(&isipo).await {
        let path = entry["path"].as_str().unwrap();
        let own = entry["parameters"].as_array().unwrap().iter().flat_map(|parameter| {
            let values = parameter["schema"]["enum"].as_array().cloned().unwrap_or_default();
            let name = parameter["name"].as_str().unwrap().to_owned();
            values
                .into_iter()
                .filter_map(|value| value.as_str().map(str::to_owned))
                .map(move |value| format!("{name}={value}"))
        });
        let common =
            ["", "province=IR-08", "province=IR-08,IR-15", "industry=01", "as_of=1397-03-05", "period=1396"]
                .map(str::to_owned);
        questions.extend(
            common
                .into_iter()
                .chain(own)
                .filter(|query| !query.contains("xlsx") && !query.starts_with("calendar"))
                .map(|query| format!("{path}?calendar=persian&{query}")),
        );
    }
    let told = async |client: &Client| {
        let mut answers = Vec::new();
        for question in &questions {
            let answer = client.get(question).await;
            assert!([200, 400].contains(&answer.status), "{question}: {}", answer.text);
            if answer.status == 200 {
                answers.push((question.clone(), answer.text.clone()));
            }
        }
        answers
    };
    let (of_nation, of_lorestan) = (told(&isipo).await, told(&lorestan).await);
    assert!(
        of_lorestan.iter().all(|(_, text)| !text.contains("کرمان") && !text.contains("پسته")),
        "neither people nor places of Kerman"
    );

    let company =
        kerman.get("/api/v1/organisations?kind=provincial_company&province=IR-08").await.items("id")[0]
            .to_owned();
    let project = kerman.get("/api/v1/projects?state=suspended").await.items("id")[0].to_owned();
    let cluster =
        kerman.post(CLUSTERS, json!({"province": "IR-08", "name_fa": "زیره", "isic": [{"code": "0128"}], "identified_on": "2013-01-01"})).await;
    let mut made = vec![cluster.status];
    for (path, body) in [
        (
            "projects",
            json!({"cluster_id": cluster.id(), "organisation_id": company, "title_fa": "پروژهٔ زیره"}),
        ),
        (
            "payments",
            json!({"project_id": project, "line": "cda_fee", "amount_irr": "7000000", "paid_on": "2018-05-01", "document_no": "۱۱"}),
        ),
        (
            "enterprises",
            json!({"province": "IR-08", "name_fa": "زیرهٔ ماهان", "county": "کرمان", "isic": [{"code": "2396"}], "employment_total": 900}),
        ),
        ("cdas", json!({"national_code": "0000000043", "name_fa": "عامل دیگر", "province": "IR-08"})),
    ] {
        made.push(kerman.post(&format!("/api/v1/{path}"), body).await.status);
    }
    let claim =
        kerman.post(&format!("{CLUSTERS}/{}/claims", cluster.id()), json!({"source_title": "خبر"})).await;
    made.push(claim.status);
    assert_eq!(made, [201; 6]);
    for (before, after) in of_lorestan.iter().zip(told(&lorestan).await) {
        assert_eq!(*before, after);
    }
    assert_ne!(of_nation, told(&isipo).await, "the nation sees it");
}
