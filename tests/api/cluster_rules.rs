//! The rules of clusters: states, dates, classes of ISIC, and the names that other systems have for them.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    clusters::{CLUSTERS, claimed, cluster, register},
    decisions::decision,
    on_both,
    support::{Answer, Client, Service},
};

on_both!(
    another_system_puts_clusters_by_its_own_keys,
    a_reference_belongs_to_one_cluster,
    the_state_changes_by_allowed_transitions,
    a_transition_that_breaks_rules_names_them_all,
    identification_sets_the_date_where_none_is_known,
    a_date_is_as_precise_as_it_is_known,
    a_bound_that_was_derived_follows_its_date,
    a_date_that_contradicts_itself_is_refused,
    one_class_is_primary,
    a_deleted_cluster_frees_what_was_its_own,
);

async fn put(client: &Client, reference: &str, header: (&str, &str), body: Value) -> Answer {
    client
        .send(
            client
                .request(Method::PUT, &format!("{CLUSTERS}/by-ref/{reference}"))
                .header(header.0, header.1)
                .json(&body),
        )
        .await
}

async fn another_system_puts_clusters_by_its_own_keys(service: &Service) {
    let integrator = service.login_integrator().await;
    let path = format!("{CLUSTERS}/by-ref/lorestan-erp/K-17");
    assert_eq!(integrator.get(&path).await.status, 404);
    let expected = put(&integrator, "lorestan-erp/K-17", ("if-match", "*"), cluster("ورشو", json!({}))).await;
    assert_eq!((expected.status, expected.code()), (412, "stale_version"), "there is no version to match");

    let first = cluster(
        "ورشو",
        json!({"name_en": "Nickel silver", "employment_total": 90, "external_refs": [{"system": "gis", "key": "5"}]}),
    );
    let created = integrator.put(&path, first.clone()).await;
    assert_eq!((created.status, created.version_tag()), (201, "\"1\""), "{}", created.text);
    assert_eq!(
        created.body["external_refs"],
        json!([{"system": "gis", "key": "5"}, {"system": "lorestan-erp", "key": "K-17"}])
    );
    assert_eq!(integrator.get(&path).await.body, integrator.get(created.header("location")).await.body);

    let again = integrator.put(&path, first.clone()).await;
    assert_eq!((again.status, again.code(), again.version_tag()), (428, "precondition_required", "\"1\""));
    assert_eq!(
        put(&integrator, "lorestan-erp/K-17", ("if-none-match", "*"), first).await.status,
        412,
        "it exists"
    );
    let replaced = put(
        &integrator,
        "lorestan-erp/K-17",
        ("if-match", created.etag()),
        cluster("ورشوسازی", json!({"employment_female": 4})),
    )
    .await;
    assert_eq!((replaced.status, replaced.version_tag(), replaced.id()), (200, "\"2\"", created.id()));
    assert_eq!(
        (&replaced.body["name_fa"], &replaced.body["code"]),
        (&json!("ورشوسازی"), &created.body["code"])
    );
    assert_eq!((&replaced.body["name_en"], &replaced.body["employment_total"]), (&Value::Null, &Value::Null));
    assert_eq!(replaced.body["external_refs"], json!([{"system": "lorestan-erp", "key": "K-17"}]));
    assert_eq!(integrator.get(&format!("{CLUSTERS}/by-ref/gis/5")).await.status, 404);

    let kerman = service.login("kerman").await;
    assert_eq!(kerman.get(&path).await.status, 404);
    for nobodys in ["Lorestan-ERP/K-17", "lorestan-erp/%20K", "-x/K", "lorestan-erp/%00", "lorestan-erp/K%0A"]
    {
        let path = format!("{CLUSTERS}/by-ref/{nobodys}");
        assert_eq!(
            (
                integrator.get(&path).await.status,
                integrator.put(&path, cluster("نی", json!({}))).await.status
            ),
            (404, 404),
            "{nobodys}"
        );
    }
}

async fn a_reference_belongs_to_one_cluster(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let reference = json!({"external_refs": [{"system": "gis", "key": "5"}]});
    let first = register(&lorestan, "یک", reference.clone()).await;
    let second = register(&lorestan, "دو", json!({"external_refs": [{"system": "gis", "key": "6"}]})).await;
    for refused in [
        lorestan.post(CLUSTERS, cluster("سه", reference.clone())).await,
        lorestan.patch(second.header("location"), "*", reference.clone()).await,
        put(&lorestan, "gis/7", ("accept", "*/*"), cluster("چهار", reference.clone())).await,
    ] {
        assert_eq!(
            (refused.status, refused.code(), refused.errors()),
            (409, "duplicate", vec![("/external_refs", "duplicate")])
        );
    }
    assert_eq!(
        lorestan.get(&format!("{CLUSTERS}/by-ref/gis/6")).await.version_tag(),
        "\"1\"",
        "a refused change leaves nothing behind"
    );

    let twice = json!({"external_refs": [{"system": "gis", "key": "8"}, {"system": "gis", "key": "8"}]});
    let refused = lorestan.post(CLUSTERS, cluster("پنج", twice)).await;
    assert_eq!((refused.status, refused.errors()), (422, vec![("/external_refs", "repeated_items")]));

    assert_eq!(
        lorestan.patch(first.header("location"), "*", json!({"external_refs": null})).await.status,
        200
    );
    assert_eq!(
        lorestan.patch(second.header("location"), "*", reference).await.status,
        200,
        "the reference is free now"
    );
}

/// What leads to each state by the hand of a manager; the other steps come with those of its project.
const TABLE: [(&str, &[&str]); 11] = [
    ("candidate", &["identified", "merged", "split", "withdrawn"]),
    ("identified", &["prioritised", "merged", "split", "withdrawn"]),
    ("prioritised", &["feasibility", "merged", "split", "withdrawn"]),
    ("feasibility", &["feasible", "not_feasible", "merged", "split", "withdrawn"]),
    ("feasible", &["merged", "split", "withdrawn"]),
    ("not_feasible", &["prioritised", "merged", "split", "withdrawn"]),
    ("in_development", &["merged", "split", "withdrawn"]),
    ("developed", &["merged", "split", "withdrawn"]),
    ("merged", &[]),
    ("split", &[]),
    ("withdrawn", &[]),
];

async fn the_state_changes_by_allowed_transitions(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let created = claimed(&lorestan, "ورشو", json!({})).await;
    let path = created.header("location");
    for (from, next) in TABLE {
        service.put_in_state("cluster", created.id(), from).await;
        let now = lorestan.get(path).await;
        let shown: Vec<_> = now.body["allowed_transitions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|to| to["to"].as_str().unwrap())
            .collect();
        assert_eq!(shown, next, "{from}");
        for (to, _) in TABLE.iter().filter(|(to, _)| !next.contains(to)) {
            let refused = lorestan.transition(path, now.etag(), json!({"to": to, "reason": "x"})).await;
            assert_eq!(
                (refused.status, refused.code(), &refused.body["allowed"]),
                (409, "transition_not_allowed", &json!(next)),
                "{from} {to}"
            );
        }
    }
    service.put_in_state("cluster", created.id(), "candidate").await;
    let identified = lorestan
        .transition(path, created.etag(), json!({"to": "identified", "effective_on": "2020-05-01"}))
        .await;
    assert_eq!(
        (identified.status, &identified.body["state"]),
        (200, &json!("identified")),
        "{}",
        identified.text
    );
    let withdrawn = lorestan
        .transition(path, identified.etag(), json!({"to": "withdrawn", "reason": "مصوبهٔ کارگروه"}))
        .await;
    assert_eq!((withdrawn.status, &withdrawn.body["allowed_transitions"]), (200, &json!([])));
    assert_eq!(lorestan.get(&format!("{path}/history")).await.items("kind")[1..], ["transitioned"; 2]);
}

async fn a_transition_that_breaks_rules_names_them_all(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let olive = lorestan.cluster_named("زیتون").await;
    let path = format!("{CLUSTERS}/{}", olive.id());
    let scores = json!({"importance": 80, "promotability": 70, "viability": 60, "sustainability": 50});
    let olive = lorestan.patch(&path, olive.etag(), json!({"priority_scores": scores})).await;
    let decision = decision(&lorestan, json!({})).await;
    for (body, errors) in [
        (
            json!({"to": "prioritised", "effective_on": "8000-01-01", "decision_id": decision.id()}),
            vec![("/effective_on", "in_future")],
        ),
        (
            json!({"to": "prioritised", "effective_on": "2014-03-19"}),
            vec![("/decision_id", "required"), ("/effective_on", "too_early")],
        ),
        (
            json!({"to": "withdrawn", "effective_on": "2014-03-19"}),
            vec![("/effective_on", "too_early"), ("/reason", "required")],
        ),
        (json!({"to": "merged", "reason": " "}), vec![("/reason", "wrong_pattern")]),
        (json!({"to": "closed", "on": 1}), vec![("/on", "unknown_field"), ("/to", "not_in_list")]),
        (json!({}), vec![("/to", "required")]),
    ] {
        let refused = lorestan.transition(&path, olive.etag(), body).await;
        assert_eq!((refused.status, refused.errors()), (422, errors), "{}", refused.text);
    }
    let on_the_day = json!({"to": "prioritised", "effective_on": "2014-03-20", "decision_id": decision.id()});
    let on_the_day = lorestan.transition(&path, olive.etag(), on_the_day).await;
    assert_eq!((on_the_day.status, &on_the_day.body["version"]), (200, &json!(4)), "{}", on_the_day.text);
}

async fn identification_sets_the_date_where_none_is_known(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let identified = json!({"to": "identified", "effective_on": "2020-05-01"});
    let unknown = claimed(&lorestan, "یک", json!({})).await;
    let set = lorestan.transition(unknown.header("location"), "*", identified.clone()).await;
    assert_eq!(dates(&set), ["2020-05-01", "day", "2020-05-01"]);
    let known = claimed(&lorestan, "دو", json!({"identified_not_later_than": "2019-03-20"})).await;
    let kept = lorestan.transition(known.header("location"), "*", identified).await;
    assert_eq!(dates(&kept), [Value::Null, json!("not_later_than"), json!("2019-03-20")]);
}

fn dates(answer: &Answer) -> [Value; 3] {
    ["identified_on", "identified_precision", "identified_not_later_than"]
        .map(|field| answer.body[field].clone())
}

/// Periods are those of the Persian calendar, whichever calendar the dates are written in.
async fn a_date_is_as_precise_as_it_is_known(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let path = format!("{CLUSTERS}?calendar=persian");
    for (n, (on, precision, kept)) in [
        ("1392-05-17", Value::Null, ["1392-05-17", "day", "1392-05-17"]),
        ("1392-05-17", json!("day"), ["1392-05-17", "day", "1392-05-17"]),
        ("1392-05-17", json!("month"), ["1392-05-17", "month", "1392-05-31"]),
        ("1392-12-05", json!("month"), ["1392-12-05", "month", "1392-12-29"]),
        ("1391-12-05", json!("month"), ["1391-12-05", "month", "1391-12-30"]),
        ("1392-05-17", json!("quarter"), ["1392-05-17", "quarter", "1392-06-31"]),
        ("1392-12-29", json!("quarter"), ["1392-12-29", "quarter", "1392-12-29"]),
        ("1403-01-01", json!("year"), ["1403-01-01", "year", "1403-12-30"]),
        ("1392-05-17", json!("year"), ["1392-05-17", "year", "1392-12-29"]),
    ]
    .into_iter()
    .enumerate()
    {
        let input =
            cluster(&format!("خوشهٔ {n}"), json!({"identified_on": on, "identified_precision": precision}));
        let created = lorestan.post(&path, input).await;
        assert_eq!((created.status, dates(&created)), (201, kept.map(Value::from)), "{}", created.text);
    }
    let bound = json!({"identified_precision": "not_later_than", "identified_not_later_than": "1392-12-29"});
    let created = lorestan.post(&path, cluster("به دقت کران", bound)).await;
    assert_eq!(dates(&created), [Value::Null, json!("not_later_than"), json!("1392-12-29")]);
    let gregorian = lorestan.get(created.header("location")).await;
    assert_eq!(dates(&gregorian), [Value::Null, json!("not_later_than"), json!("2014-03-20")]);
}

async fn a_bound_that_was_derived_follows_its_date(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let created =
        register(&lorestan, "ورشو", json!({"identified_on": "2014-01-05", "identified_precision": "month"}))
            .await;
    assert_eq!(dates(&created), ["2014-01-05", "month", "2014-01-20"]);
    for (patch, expected) in [
        (json!({"identified_on": "2012-05-05"}), ["2012-05-05", "month", "2012-05-20"]),
        (json!({"identified_precision": "year"}), ["2012-05-05", "year", "2013-03-20"]),
        (json!({"identified_on": "2014-01-05"}), ["2014-01-05", "year", "2014-03-20"]),
        (json!({"name_en": "x"}), ["2014-01-05", "year", "2014-03-20"]),
        (json!({"identified_not_later_than": "2015-01-01"}), ["2014-01-05", "year", "2015-01-01"]),
        (json!({"identified_on": "2013-06-01"}), ["2013-06-01", "year", "2015-01-01"]),
        (json!({"identified_not_later_than": null}), ["2013-06-01", "year", "2014-03-20"]),
    ] {
        let changed = lorestan.patch(created.header("location"), "*", patch).await;
        assert_eq!((changed.status, dates(&changed)), (200, expected.map(Value::from)), "{}", changed.text);
    }
}

async fn a_date_that_contradicts_itself_is_refused(service: &Service) {
    let lorestan = service.login("lorestan").await;
    for (on, precision, bound, errors) in [
        (
            json!("2014-01-01"),
            json!("not_later_than"),
            json!("2014-03-20"),
            vec![("/identified_on", "not_applicable")],
        ),
        (Value::Null, json!("not_later_than"), Value::Null, vec![("/identified_not_later_than", "required")]),
        (Value::Null, json!("month"), json!("2014-03-20"), vec![("/identified_on", "required")]),
        (
            json!("2014-03-21"),
            json!("day"),
            json!("2014-03-20"),
            vec![("/identified_not_later_than", "too_early")],
        ),
        (json!("8000-01-01"), json!("day"), Value::Null, vec![("/identified_on", "in_future")]),
        (
            json!("2014-02-29"),
            json!("dusk"),
            json!(5),
            vec![
                ("/identified_not_later_than", "wrong_type"),
                ("/identified_on", "no_such_day"),
                ("/identified_precision", "not_in_list"),
            ],
        ),
    ] {
        let input = json!({"identified_on": on, "identified_precision": precision, "identified_not_later_than": bound});
        let refused = lorestan.post(CLUSTERS, cluster("ورشو", input)).await;
        assert_eq!((refused.status, refused.errors()), (422, errors), "{}", refused.text);
    }
}

async fn one_class_is_primary(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let given = json!({"isic": [{"code": "2396"}, {"code": "0810", "primary": true}, {"code": "2399", "primary": false}]});
    let created = register(&lorestan, "ورشو", given).await;
    let ordered = json!([{"code": "0810", "primary": true}, {"code": "2396", "primary": false}, {"code": "2399", "primary": false}]);
    assert_eq!(created.body["isic"], ordered);
    let changed = lorestan
        .patch(created.header("location"), "*", json!({"isic": [{"code": "2599"}, {"code": "2396"}]}))
        .await;
    assert_eq!(
        changed.body["isic"],
        json!([{"code": "2599", "primary": true}, {"code": "2396", "primary": false}])
    );
    for (isic, errors) in [
        (json!([]), vec![("/isic", "too_few_items")]),
        (
            json!([{"code": "9999"}, {"code": "C"}]),
            vec![("/isic/0/code", "not_in_list"), ("/isic/1/code", "not_in_list")],
        ),
        (
            json!([{"code": "2396", "primary": true}, {"code": "0810", "primary": true}]),
            vec![("/isic/1/primary", "several_primary")],
        ),
        (json!([{"code": "2396"}, {"code": "2396"}]), vec![("/isic/1/code", "repeated_items")]),
        (
            json!([{"primary": true, "x": 1}]),
            vec![("/isic/0/code", "required"), ("/isic/0/x", "unknown_field")],
        ),
    ] {
        let refused = lorestan.patch(created.header("location"), "*", json!({"isic": isic})).await;
        assert_eq!((refused.status, refused.errors()), (422, errors), "{}", refused.text);
    }
}

async fn a_deleted_cluster_frees_what_was_its_own(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let more = json!({"external_refs": [{"system": "gis", "key": "5"}]});
    let first = register(&lorestan, "ورشو", more.clone()).await;
    assert_eq!(lorestan.post(CLUSTERS, cluster("ورشو", json!({}))).await.status, 409);
    assert_eq!(lorestan.delete(first.header("location"), first.etag()).await.status, 204);
    assert_eq!(lorestan.get(&format!("{CLUSTERS}/by-ref/gis/5")).await.status, 404);
    let second = register(&lorestan, "ورشو", more).await;
    assert_ne!((first.id(), &first.body["code"]), (second.id(), &second.body["code"]));
    assert_eq!(lorestan.get(&format!("{CLUSTERS}/by-ref/gis/5")).await.id(), second.id());
    for gone in [
        lorestan.patch(first.header("location"), "*", json!({"name_en": "x"})).await,
        lorestan.transition(first.header("location"), "*", json!({"to": "identified"})).await,
        lorestan.get(&format!("{}/claims", first.header("location"))).await,
    ] {
        assert_eq!((gone.status, gone.code()), (404, "not_found"));
    }
}
