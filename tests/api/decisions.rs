//! Decisions: whose they are, what they are about, and what keeps them.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    clusters::CLUSTERS,
    on_both,
    organisations::lives_and_dies,
    projects::{PROJECTS, made, project, stone},
    support::{Answer, Client, Service},
};

on_both!(
    a_decision_from_its_record_to_tombstone,
    every_field_of_a_decision_comes_back,
    the_body_decides_whether_there_is_a_province,
    national_decisions_exist_for_everybody,
    a_decision_is_about_what_is_of_its_province,
    a_decision_behind_a_change_of_state_stays,
    decisions_are_listed_and_found,
    another_system_puts_decisions_by_its_own_keys,
);

pub const DECISIONS: &str = "/api/v1/decisions";

/// What a decision of the committee of Lorestan needs; `more` adds to it.
fn input(more: Value) -> Value {
    let mut input = json!({"body": "provincial_committee", "decided_on": "2014-04-09", "title_fa": "مصوبه", "province": "IR-15"});
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    input
}

pub async fn decision(client: &Client, more: Value) -> Answer {
    made(client, DECISIONS, input(more)).await
}

/// A decision of the national council.
pub async fn national(client: &Client, more: Value) -> Answer {
    let mut input = input(json!({"body": "national_council", "province": null}));
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    made(client, DECISIONS, input).await
}

async fn a_decision_from_its_record_to_tombstone(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let empty = lorestan.post(DECISIONS, json!({})).await;
    assert_eq!(
        (empty.status, empty.errors()),
        (422, vec![("/body", "required"), ("/decided_on", "required"), ("/title_fa", "required")])
    );
    let created = decision(&lorestan, json!({})).await;
    assert_eq!(created.header("location"), format!("{DECISIONS}/{}", created.id()));
    for field in ["meeting_no", "text_fa", "cluster_id", "project_id"] {
        assert_eq!(created.body[field], Value::Null, "{field}");
    }
    let history = lives_and_dies(&lorestan, &created, json!({"decided_on": "2014-04-10"})).await;
    assert_eq!(
        history.body["items"][1]["changes"],
        json!([{"field": "decided_on", "from": "2014-04-09", "to": "2014-04-10"}])
    );
    let persian = lorestan.get(&format!("{}/history?calendar=persian", created.header("location"))).await;
    assert_eq!(persian.body["items"][1]["changes"][0]["to"], "1393-01-21");
}

async fn every_field_of_a_decision_comes_back(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let stone = lorestan.get(&stone(&lorestan).await).await;
    let full = input(json!({
        "body": "steering_council", "meeting_no": "۴/۱۳۹۳", "text_fa": "متن\nدر دو سطر", "cluster_id": stone.body["cluster_id"],
        "project_id": stone.id(), "external_refs": [{"system": "automation", "key": "7"}],
    }));
    let created = made(&lorestan, DECISIONS, full.clone()).await;
    for (field, value) in full.as_object().unwrap() {
        assert_eq!(&created.body[field], value, "{field}");
    }
    for (patch, error) in [
        (json!({"decided_on": "8000-01-01"}), ("/decided_on", "in_future")),
        (json!({"decided_on": "2014-02-30"}), ("/decided_on", "no_such_day")),
        (json!({"body": "parliament"}), ("/body", "not_in_list")),
        (json!({"title_fa": "…"}), ("/title_fa", "wrong_pattern")),
        (json!({"title_fa": "ب".repeat(301)}), ("/title_fa", "too_long")),
        (json!({"text_fa": "ب ".repeat(10_001)}), ("/text_fa", "too_long")),
        (json!({"meeting_no": " "}), ("/meeting_no", "wrong_pattern")),
        (json!({"state": "valid"}), ("/state", "unknown_field")),
    ] {
        let refused = lorestan.patch(created.header("location"), "*", patch.clone()).await;
        assert_eq!((refused.status, refused.errors()), (422, vec![error]), "{patch}");
    }
    let tomorrow = (chrono::Utc::now() + chrono::TimeDelta::hours(36)).format("%Y-%m-%d").to_string();
    let refused = lorestan.post(DECISIONS, input(json!({"decided_on": tomorrow, "province": null}))).await;
    assert_eq!(
        refused.errors(),
        [("/decided_on", "in_future"), ("/province", "required")],
        "all that is wrong, at once"
    );
}

async fn the_body_decides_whether_there_is_a_province(service: &Service) {
    let isipo = service.login("isipo").await;
    for (body, province, errors) in [
        ("national_council", Value::Null, vec![]),
        ("national_council", json!("IR-15"), vec![("/province", "not_applicable")]),
        ("provincial_committee", Value::Null, vec![("/province", "required")]),
        ("provincial_committee", json!("IR-08"), vec![]),
        ("steering_council", Value::Null, vec![("/province", "required")]),
        ("steering_council", json!("IR-15"), vec![]),
    ] {
        let answer = isipo.post(DECISIONS, input(json!({"body": body, "province": province}))).await;
        let expected = if errors.is_empty() { 201 } else { 422 };
        assert_eq!((answer.status, answer.errors()), (expected, errors), "{body} {province}");
    }
}

async fn national_decisions_exist_for_everybody(service: &Service) {
    let [isipo, lorestan, kerman] =
        [service.login("isipo").await, service.login("lorestan").await, service.login("kerman").await];
    let (council, committee) =
        (national(&isipo, json!({"title_fa": "آیین‌نامه"})).await, decision(&lorestan, json!({})).await);
    let path = council.header("location");
    assert_eq!(kerman.get(path).await.body["title_fa"], "آیین‌نامه");
    assert_eq!(kerman.get(DECISIONS).await.items("id"), [council.id()]);
    assert_eq!(lorestan.count(DECISIONS).await, 2);
    assert_eq!(kerman.get(committee.header("location")).await.status, 404);
    for refused in [
        kerman.patch(path, council.etag(), json!({"meeting_no": "1"})).await,
        kerman
            .patch(path, council.etag(), json!({"body": "provincial_committee", "province": "IR-08"}))
            .await,
        kerman.delete(path, council.etag()).await,
        kerman.post(DECISIONS, input(json!({"body": "national_council", "province": null}))).await,
        kerman.post(DECISIONS, input(json!({}))).await,
        lorestan
            .patch(committee.header("location"), "*", json!({"body": "national_council", "province": null}))
            .await,
        lorestan.patch(committee.header("location"), "*", json!({"province": "IR-08"})).await,
    ] {
        assert_eq!((refused.status, refused.code()), (403, "outside_scope"), "{}", refused.text);
    }
    assert_eq!(isipo.get(path).await.etag(), council.etag());
    assert_eq!(service.login("cda").await.post(DECISIONS, input(json!({}))).await.code(), "forbidden");
}

async fn a_decision_is_about_what_is_of_its_province(service: &Service) {
    let (isipo, lorestan) = (service.login("isipo").await, service.login("lorestan").await);
    let (pistachio, olive) = (isipo.cluster_named("پسته").await, isipo.cluster_named("زیتون").await);
    let elsewhere = project(&isipo, "پسته", json!({})).await;
    for (client, about, error) in [
        (&isipo, json!({"cluster_id": pistachio.id()}), ("/cluster_id", "other_province")),
        (&isipo, json!({"project_id": elsewhere.id()}), ("/project_id", "other_province")),
        (&lorestan, json!({"cluster_id": pistachio.id()}), ("/cluster_id", "unknown_record")),
        (&lorestan, json!({"project_id": elsewhere.id()}), ("/project_id", "unknown_record")),
        (&lorestan, json!({"project_id": olive.id()}), ("/project_id", "unknown_record")),
        (&lorestan, json!({"cluster_id": elsewhere.id()}), ("/cluster_id", "unknown_record")),
    ] {
        let refused = client.post(DECISIONS, input(about)).await;
        assert_eq!((refused.status, refused.errors()), (422, vec![error]), "{}", refused.text);
    }
    let of_the_nation =
        national(&isipo, json!({"cluster_id": pistachio.id(), "project_id": elsewhere.id()})).await;
    let kept = isipo
        .patch(
            of_the_nation.header("location"),
            "*",
            json!({"body": "provincial_committee", "province": "IR-15"}),
        )
        .await;
    assert_eq!((kept.status, kept.errors()), (422, vec![("/cluster_id", "other_province")]));

    // What a provincial decision is about stays in the province, and stays.
    let about_olive = decision(&lorestan, json!({"cluster_id": olive.id()})).await;
    let path = format!("{CLUSTERS}/{}", olive.id());
    assert_eq!(isipo.patch(&path, "*", json!({"province": "IR-08"})).await.code(), "moved_away");
    let refused = lorestan.delete(&path, "*").await;
    assert_eq!((refused.status, &refused.body["referred_by"]), (409, &json!(["decision"])));
    assert_eq!(lorestan.delete(about_olive.header("location"), "*").await.status, 204);
    assert_eq!(lorestan.delete(&path, "*").await.status, 204);
    let refused = isipo.delete(&format!("{PROJECTS}/{}", elsewhere.id()), "*").await;
    assert_eq!((refused.status, &refused.body["referred_by"]), (409, &json!(["decision"])));
}

async fn a_decision_behind_a_change_of_state_stays(service: &Service) {
    let (isipo, lorestan) = (service.login("isipo").await, service.login("lorestan").await);
    let olive = format!("{CLUSTERS}/{}", lorestan.cluster_named("زیتون").await.id());
    let (behind, other) = (decision(&lorestan, json!({})).await, decision(&lorestan, json!({})).await);
    let path = behind.header("location");
    let withdrawal = json!({"to": "withdrawn", "reason": "انصراف", "decision_id": behind.id()});
    let changed = lorestan.transition(&olive, "*", withdrawal).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let refused = lorestan.delete(path, behind.etag()).await;
    assert_eq!(
        (refused.status, refused.code(), &refused.body["referred_by"]),
        (409, "still_referred_to", &json!(["status_event"]))
    );
    assert_eq!(isipo.patch(path, "*", json!({"province": "IR-08"})).await.code(), "moved_away");
    assert_eq!(lorestan.patch(path, "*", json!({"meeting_no": "5"})).await.status, 200);
    assert_eq!(isipo.patch(other.header("location"), "*", json!({"province": "IR-08"})).await.status, 200);
    assert_eq!(isipo.delete(other.header("location"), "*").await.status, 204);
}

async fn decisions_are_listed_and_found(service: &Service) {
    let isipo = service.login("isipo").await;
    let stone = isipo.get(&stone(&isipo).await).await;
    let about =
        json!({"title_fa": "پروژهٔ سنگ", "cluster_id": stone.body["cluster_id"], "decided_on": "2014-03-20"});
    let a = decision(&isipo, about).await;
    let b = decision(&isipo, json!({"body": "steering_council", "project_id": stone.id(), "meeting_no": "1393/7", "decided_on": "2014-05-01"})).await;
    let c = decision(
        &isipo,
        json!({"province": "IR-08", "text_fa": "كشاورزي در کرمان", "decided_on": "2013-01-01"}),
    )
    .await;
    let d = national(&isipo, json!({"decided_on": "2014-04-01"})).await;
    let all = [a.id(), b.id(), c.id(), d.id()];
    let listed = async |query: &str| {
        let page = isipo.send(isipo.request(Method::GET, &format!("{DECISIONS}?count=true&{query}"))).await;
        let found = page
            .items("id")
            .iter()
            .map(|id| all.iter().position(|known| known == id).unwrap())
            .collect::<Vec<_>>();
        assert_eq!(page.body["total"], json!(found.len()), "{query}");
        found
    };
    for (query, expected) in [
        ("sort=decided_on", vec![2, 0, 3, 1]),
        ("sort=-decided_on,id", vec![1, 3, 0, 2]),
        ("sort=created_at", vec![0, 1, 2, 3]),
        ("sort=-updated_at", vec![3, 2, 1, 0]),
        ("sort=-id", vec![3, 2, 1, 0]),
        ("sort=id&body=provincial_committee,steering_council", vec![0, 1, 2]),
        ("body=national_council", vec![3]),
        ("sort=id&province=IR-15", vec![0, 1]),
        ("province=IR-08", vec![2]),
        (&format!("cluster_id={}", stone.body["cluster_id"].as_str().unwrap()), vec![0]),
        (&format!("project_id={}", stone.id()), vec![1]),
        ("sort=id&decided_from=2014-04-01", vec![1, 3]),
        ("sort=id&decided_before=2014-04-01", vec![0, 2]),
        ("decided_from=1392-12-29&decided_before=1393-01-01&calendar=persian", vec![0]),
        ("q=سنگ", vec![0]),
        ("q=کشاورزی", vec![2]),
        ("q=1393/7", vec![1]),
        ("q=مصوبه&body=steering_council", vec![1]),
        (&format!("sort=id&updated_since={}", c.body["updated_at"].as_str().unwrap()), vec![2, 3]),
    ] {
        assert_eq!(listed(query).await, expected, "{query}");
    }
    for wrong in [
        "body=parliament",
        "province=IR-99",
        "cluster_id=1",
        "decided_from=yesterday",
        "decided_on=2014-03-20",
        "sort=title_fa",
    ] {
        assert_eq!(isipo.get(&format!("{DECISIONS}?{wrong}")).await.status, 400, "{wrong}");
    }
}

async fn another_system_puts_decisions_by_its_own_keys(service: &Service) {
    let integrator = service.login_integrator().await;
    let path = format!("{DECISIONS}/by-ref/automation/12");
    assert_eq!(integrator.get(&path).await.status, 404);
    let created = integrator.put(&path, input(json!({"meeting_no": "4"}))).await;
    assert_eq!(
        (created.status, &created.body["external_refs"]),
        (201, &json!([{"system": "automation", "key": "12"}])),
        "{}",
        created.text
    );
    assert_eq!(integrator.put(&path, input(json!({}))).await.code(), "precondition_required");
    let replaced = integrator
        .send(
            integrator.request(Method::PUT, &path).header("if-match", created.etag()).json(&input(json!({}))),
        )
        .await;
    assert_eq!(
        (replaced.status, replaced.id(), &replaced.body["meeting_no"]),
        (200, created.id(), &Value::Null)
    );
    assert_eq!(integrator.get(&path).await.body, replaced.body);
    assert_eq!(service.login("kerman").await.get(&path).await.status, 404);
}
