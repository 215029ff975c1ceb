//! Feasibility studies of clusters: executor, criteria, result and approval.

use serde_json::{Value, json};

use crate::{
    clusters::CLUSTERS,
    decisions::{decision, national},
    on_both,
    organisations::{ORGANISATIONS, register},
    projects::{made, named},
    support::{Client, Service},
};

on_both!(
    a_study_is_begun_scored_and_approved,
    an_approval_needs_a_result,
    each_criterion_comes_once,
    executor_and_decision_are_of_the_province_or_national,
    a_study_holds_what_it_refers_to,
);

async fn studies_of(client: &Client, cluster: &str) -> String {
    format!("{CLUSTERS}/{}/feasibility-studies", client.cluster_named(cluster).await.id())
}

async fn a_study_is_begun_scored_and_approved(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let studies = studies_of(&lorestan, "زیتون").await;
    assert_eq!(lorestan.post(&studies, json!({})).await.errors(), [("/executor_id", "required")]);
    let executor = named(&lorestan, ORGANISATIONS, "University").await;
    let begun = made(&lorestan, &studies, json!({"executor_id": executor})).await;
    let path = begun.header("location");
    assert_eq!(path, format!("{studies}/{}", begun.id()));
    assert_eq!(
        (&begun.body["criteria"], &begun.body["result"], &begun.body["approved_on"]),
        (&json!([]), &Value::Null, &Value::Null)
    );
    let criteria =
        json!([{"criterion": "بازار", "score": 0}, {"criterion": "همکاری", "score": 100, "note": "زیاد"}]);
    let committee = decision(&lorestan, json!({})).await;
    let approved = json!({
        "criteria": criteria, "result": "positive", "approved_on": "1393-01-20", "decision_id": committee.id(),
        "external_refs": [{"system": "erp", "key": "7"}],
    });
    let changed = lorestan.patch(&format!("{path}?calendar=persian"), begun.etag(), approved.clone()).await;
    for (field, value) in approved.as_object().unwrap() {
        assert_eq!(&changed.body[field], value, "{field}: {}", changed.text);
    }
    let read = lorestan.get(path).await;
    assert_eq!(
        (read.etag(), &read.body["approved_on"], &read.body["executor_id"]),
        ("\"2\"", &json!("2014-04-09"), &json!(executor))
    );
    assert_eq!(lorestan.get(&studies).await.items("id"), [begun.id()]);
    assert_eq!(lorestan.get(&studies_of(&lorestan, "عسل").await).await.items("id").len(), 0);
    assert_eq!(lorestan.delete(path, begun.etag()).await.status, 412);
    assert_eq!(lorestan.delete(path, read.etag()).await.status, 204);
    assert_eq!((lorestan.get(path).await.status, lorestan.delete(path, "\"1\"").await.status), (404, 204));
}

async fn an_approval_needs_a_result(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let studies = studies_of(&lorestan, "زیتون").await;
    let executor = named(&lorestan, ORGANISATIONS, "University").await;
    for (more, errors) in [
        (json!({"approved_on": "2014-04-09"}), vec![("/result", "required")]),
        (json!({"approved_on": "8000-01-01"}), vec![("/approved_on", "in_future"), ("/result", "required")]),
        (json!({"approved_on": "8000-01-01", "result": "negative"}), vec![("/approved_on", "in_future")]),
        (json!({"result": "perhaps"}), vec![("/result", "not_in_list")]),
        (json!({"result": "negative"}), vec![]),
    ] {
        let mut input = more.clone();
        input["executor_id"] = json!(executor);
        let answer = lorestan.post(&studies, input).await;
        assert_eq!(
            (answer.status, answer.errors()),
            (if errors.is_empty() { 201 } else { 422 }, errors),
            "{more}"
        );
    }
    let approved = json!({"executor_id": executor, "result": "negative", "approved_on": "2014-04-09"});
    let approved = made(&lorestan, &studies, approved).await;
    let refused = lorestan.patch(approved.header("location"), "*", json!({"result": null})).await;
    assert_eq!(refused.errors(), [("/result", "required")]);
}

async fn each_criterion_comes_once(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let study = json!({"executor_id": named(&lorestan, ORGANISATIONS, "University").await});
    let study = made(&lorestan, &studies_of(&lorestan, "زیتون").await, study).await;
    let criterion = |name: &str, score: i64| json!({"criterion": name, "score": score});
    for (criteria, errors) in [
        (
            json!([criterion("کیفیت", 1), criterion("بازار", 2), criterion("كيفيت", 3)]),
            vec![("/criteria/2/criterion", "repeated_items")],
        ),
        (
            json!([criterion("هم‌کاری", 1), criterion("هم کاری", 1)]),
            vec![("/criteria/1/criterion", "repeated_items")],
        ),
        (json!([criterion("کیفیت", 101)]), vec![("/criteria/0/score", "too_large")]),
        (json!([criterion("کیفیت", -1)]), vec![("/criteria/0/score", "too_small")]),
        (json!([{"criterion": "کیفیت"}]), vec![("/criteria/0/score", "required")]),
        (json!([criterion("…", 1)]), vec![("/criteria/0/criterion", "wrong_pattern")]),
        (json!([criterion("کیفیت", 1), criterion("بازار", 1)]), vec![]),
    ] {
        let answer = lorestan.patch(study.header("location"), "*", json!({"criteria": criteria})).await;
        assert_eq!(answer.errors(), errors, "{criteria}");
    }
}

async fn executor_and_decision_are_of_the_province_or_national(service: &Service) {
    let (isipo, lorestan) = (service.login("isipo").await, service.login("lorestan").await);
    let studies = studies_of(&lorestan, "زیتون").await;
    let (own, bank) =
        (named(&lorestan, ORGANISATIONS, "University").await, named(&lorestan, ORGANISATIONS, "Bank").await);
    let of_kerman = register(&isipo, "کرمانی", json!({"province": "IR-08"})).await;
    let elsewhere = decision(&isipo, json!({"province": "IR-08"})).await;
    let council = national(&isipo, json!({})).await;
    let gone = decision(&isipo, json!({})).await;
    assert_eq!(isipo.delete(gone.header("location"), "*").await.status, 204);
    let nil = uuid::Uuid::nil().to_string();
    for (client, executor, decision, errors) in [
        (&lorestan, own.as_str(), council.id(), vec![]),
        (&isipo, bank.as_str(), council.id(), vec![]),
        (&lorestan, of_kerman.id(), council.id(), vec![("/executor_id", "unknown_record")]),
        (
            &isipo,
            of_kerman.id(),
            elsewhere.id(),
            vec![("/decision_id", "other_province"), ("/executor_id", "other_province")],
        ),
        (&lorestan, own.as_str(), elsewhere.id(), vec![("/decision_id", "unknown_record")]),
        (&isipo, own.as_str(), gone.id(), vec![("/decision_id", "unknown_record")]),
        (&isipo, own.as_str(), own.as_str(), vec![("/decision_id", "unknown_record")]),
        (&isipo, own.as_str(), nil.as_str(), vec![("/decision_id", "unknown_record")]),
    ] {
        let answer = client.post(&studies, json!({"executor_id": executor, "decision_id": decision})).await;
        assert_eq!(
            (answer.status, answer.errors()),
            (if errors.is_empty() { 201 } else { 422 }, errors),
            "{}",
            answer.text
        );
    }
}

async fn a_study_holds_what_it_refers_to(service: &Service) {
    let (isipo, lorestan) = (service.login("isipo").await, service.login("lorestan").await);
    let firm = register(&lorestan, "مشاور", json!({"province": "IR-15"})).await;
    let committee = decision(&lorestan, json!({})).await;
    let input = json!({"executor_id": firm.id(), "decision_id": committee.id()});
    let study = made(&lorestan, &studies_of(&lorestan, "زیتون").await, input).await;
    let cluster = format!("{CLUSTERS}/{}", lorestan.cluster_named("زیتون").await.id());
    let firm = format!("{ORGANISATIONS}/{}", firm.id());
    for path in [&cluster, &firm, committee.header("location")] {
        let refused = lorestan.delete(path, "*").await;
        assert_eq!(
            (refused.status, &refused.body["referred_by"]),
            (409, &json!(["feasibility_study"])),
            "{path}"
        );
        assert_eq!(isipo.patch(path, "*", json!({"province": "IR-08"})).await.code(), "moved_away", "{path}");
    }
    assert_eq!(lorestan.delete(study.header("location"), "*").await.status, 204);
    for path in [&cluster, &firm, committee.header("location")] {
        assert_eq!(lorestan.delete(path, "*").await.status, 204, "{path}");
    }
}
