//! The lineage of clusters: merged, split and renamed ones, told by both sides.

use serde_json::{Value, json};

use crate::{
    clusters::{CLUSTERS, register},
    decisions::decision,
    on_both,
    projects::made,
    support::{Answer, Service},
};

on_both!(
    a_successor_shows_where_it_came_from,
    each_kind_needs_its_own,
    a_cluster_becomes_of_others_of_its_province,
    an_entry_is_corrected_and_withdrawn,
    lineage_holds_both_clusters,
);

fn lineage_of(cluster: &Answer) -> String {
    format!("{CLUSTERS}/{}/lineage", cluster.id())
}

fn into(kind: &str, other: &Answer) -> Value {
    json!({"kind": kind, "other_cluster_id": other.id(), "effective_on": "2014-03-20"})
}

async fn a_successor_shows_where_it_came_from(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let [stone, marble, quarry] = [
        lorestan.cluster_named("سنگ").await,
        register(&lorestan, "مرمر", json!({})).await,
        register(&lorestan, "معدن سنگ", json!({})).await,
    ];
    let merged = made(&lorestan, &lineage_of(&marble), into("merged_into", &stone)).await;
    let split = made(&lorestan, &lineage_of(&stone), into("split_into", &quarry)).await;
    let renamed = json!({"kind": "renamed", "former_name": "سنگ لاشه", "effective_on": "2010-01-01"});
    let renamed = made(&lorestan, &lineage_of(&stone), renamed).await;
    for (cluster, sort, entries) in [
        (&stone, "id", vec![&merged, &split, &renamed]),
        (&stone, "-effective_on,id", vec![&merged, &split, &renamed]),
        (&stone, "effective_on,-id", vec![&renamed, &split, &merged]),
        (&marble, "id", vec![&merged]),
        (&quarry, "id", vec![&split]),
    ] {
        let list = lorestan.get(&format!("{}?sort={sort}&count=true", lineage_of(cluster))).await;
        assert_eq!(
            (list.items("id"), &list.body["total"]),
            (entries.iter().map(|entry| entry.id()).collect(), &json!(entries.len())),
            "{sort}"
        );
    }
    let told = lorestan.get(&lineage_of(&quarry)).await;
    assert_eq!(
        (told.items("cluster_id"), told.items("other_cluster_id")),
        (vec![stone.id()], vec![quarry.id()])
    );
    assert_eq!(lorestan.get(split.header("location")).await.body, split.body);
    let under_the_other = format!("{}/{}", lineage_of(&quarry), split.id());
    assert_eq!(lorestan.get(&under_the_other).await.status, 404, "it is an entry of the one that was split");
    assert_eq!(service.login("kerman").await.get(&lineage_of(&stone)).await.status, 404);
}

async fn each_kind_needs_its_own(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let (stone, other) = (lorestan.cluster_named("سنگ").await, register(&lorestan, "مرمر", json!({})).await);
    for (kind, other_cluster, former_name, errors) in [
        ("merged_into", Some(other.id()), None, vec![]),
        ("split_into", Some(other.id()), None, vec![]),
        ("renamed", None, Some("کهنه"), vec![]),
        ("merged_into", None, None, vec![("/other_cluster_id", "required")]),
        (
            "split_into",
            None,
            Some("کهنه"),
            vec![("/former_name", "not_applicable"), ("/other_cluster_id", "required")],
        ),
        ("renamed", None, None, vec![("/former_name", "required")]),
        ("renamed", Some(other.id()), Some("کهنه"), vec![("/other_cluster_id", "not_applicable")]),
        ("merged_into", Some(stone.id()), None, vec![("/other_cluster_id", "cycle")]),
        ("forgotten", None, None, vec![("/kind", "not_in_list")]),
    ] {
        let mut input = json!({"kind": kind, "other_cluster_id": other_cluster, "former_name": former_name, "effective_on": "2014-03-20"});
        input.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let answer = lorestan.post(&lineage_of(&stone), input).await;
        assert_eq!(
            (answer.status, answer.errors()),
            (if errors.is_empty() { 201 } else { 422 }, errors),
            "{}",
            answer.text
        );
    }
    let future = json!({"kind": "renamed", "effective_on": "8000-01-01"});
    let refused = lorestan.post(&lineage_of(&stone), future).await;
    assert_eq!(refused.errors(), [("/effective_on", "in_future"), ("/former_name", "required")]);
}

async fn a_cluster_becomes_of_others_of_its_province(service: &Service) {
    let (isipo, lorestan) = (service.login("isipo").await, service.login("lorestan").await);
    let (stone, pistachio) = (isipo.cluster_named("سنگ").await, isipo.cluster_named("پسته").await);
    let elsewhere = decision(&isipo, json!({"province": "IR-08"})).await;
    let mut input = into("merged_into", &pistachio);
    let refused = lorestan.post(&lineage_of(&stone), input.clone()).await;
    assert_eq!((refused.status, refused.errors()), (422, vec![("/other_cluster_id", "unknown_record")]));
    input["decision_id"] = json!(elsewhere.id());
    let refused = isipo.post(&lineage_of(&stone), input).await;
    assert_eq!(
        refused.errors(),
        [("/decision_id", "other_province"), ("/other_cluster_id", "other_province")]
    );
}

async fn an_entry_is_corrected_and_withdrawn(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let (stone, other) = (lorestan.cluster_named("سنگ").await, register(&lorestan, "مرمر", json!({})).await);
    let committee = decision(&lorestan, json!({})).await;
    let full = json!({
        "kind": "renamed", "former_name": "سنگ لاشه", "effective_on": "1392-12-29", "source_title": "صورت‌جلسه", "note": "دو نام",
        "decision_id": committee.id(), "external_refs": [{"system": "erp", "key": "7"}],
    });
    let created = made(&lorestan, &format!("{}?calendar=persian", lineage_of(&stone)), full.clone()).await;
    let path = created.header("location");
    assert!(
        full.as_object().unwrap().iter().all(|(field, value)| created.body[field] == *value),
        "{}",
        created.text
    );
    let mut correction = into("merged_into", &other);
    correction["former_name"] = Value::Null;
    let corrected = lorestan.patch(path, created.etag(), correction).await;
    assert_eq!(
        (corrected.status, &corrected.body["other_cluster_id"]),
        (200, &json!(other.id())),
        "{}",
        corrected.text
    );
    assert_eq!(lorestan.get(&lineage_of(&other)).await.items("id"), [created.id()]);
    assert_eq!(lorestan.patch(path, "\"1\"", json!({})).await.status, 412);
    assert_eq!(lorestan.delete(path, "\"2\"").await.status, 204);
    assert_eq!((lorestan.get(path).await.status, lorestan.delete(path, "\"1\"").await.status), (404, 204));
    assert_eq!(lorestan.get(&lineage_of(&other)).await.items("id").len(), 0);
}

async fn lineage_holds_both_clusters(service: &Service) {
    let (isipo, lorestan) = (service.login("isipo").await, service.login("lorestan").await);
    let (one, other) =
        (register(&lorestan, "مرمر", json!({})).await, register(&lorestan, "تراورتن", json!({})).await);
    let entries = [
        made(&lorestan, &lineage_of(&one), into("merged_into", &other)).await,
        made(&lorestan, &lineage_of(&other), into("split_into", &one)).await,
    ];
    for cluster in [&one, &other] {
        let refused = lorestan.delete(cluster.header("location"), "*").await;
        assert_eq!(
            (refused.status, &refused.body["referred_by"]),
            (409, &json!(["lineage_entry"])),
            "named once"
        );
        assert_eq!(
            isipo.patch(cluster.header("location"), "*", json!({"province": "IR-08"})).await.code(),
            "moved_away"
        );
    }
    for entry in entries {
        assert_eq!(lorestan.delete(entry.header("location"), "*").await.status, 204);
    }
    assert_eq!(lorestan.delete(other.header("location"), "*").await.status, 204);
}
