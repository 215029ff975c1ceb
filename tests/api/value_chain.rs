//! The value chain of a cluster: its stages, what they feed, and the enterprises that work there.

use futures_util::future::join;
use serde_json::{Value, json};

use crate::{
    clusters::CLUSTERS,
    enterprises::{ENTERPRISES, enterprise},
    on_both,
    projects::made,
    support::{Answer, Client, Service},
};

on_both!(
    a_chain_from_inputs_to_the_consumer,
    every_field_of_a_stage_is_checked,
    no_stage_feeds_itself_through_others,
    a_stage_that_is_fed_stays,
    the_enterprises_of_a_stage_are_of_its_cluster,
    an_enterprise_stays_in_the_cluster_whose_chain_names_it,
    an_enterprise_is_not_deleted_while_a_stage_begins_to_name_it,
);

async fn chain_of(client: &Client, cluster: &str) -> String {
    format!("{CLUSTERS}/{}/value-chain", client.cluster_named(cluster).await.id())
}

async fn stage(client: &Client, chain: &str, name: &str, feeds: &[&Answer]) -> Answer {
    let feeds: Vec<&str> = feeds.iter().map(|stage| stage.id()).collect();
    made(client, chain, json!({"stage": "processing", "name_fa": name, "feeds": feeds})).await
}

/// An enterprise of the cluster that a chain is of.
async fn worker(client: &Client, chain: &str, name: &str) -> Answer {
    let cluster = chain.split('/').nth(4).unwrap();
    made(client, ENTERPRISES, enterprise(name, json!({"cluster_id": cluster}))).await
}

async fn a_chain_from_inputs_to_the_consumer(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let chain = chain_of(&lorestan, "سنگ").await;
    let consumer =
        made(&lorestan, &chain, json!({"stage": "final_consumer", "name_fa": "سازندگان", "position": 9}))
            .await;
    assert_eq!(consumer.header("location"), format!("{chain}/{}", consumer.id()));
    for (field, value) in
        [("name_en", Value::Null), ("feeds", json!([])), ("enterprises", json!([])), ("position", json!(9))]
    {
        assert_eq!(consumer.body[field], value, "{field}");
    }
    let works = worker(&lorestan, &chain, "سنگ‌بری").await;
    let full = json!({
        "stage": "processing", "name_fa": "برش", "name_en": "Cutting", "position": 3, "feeds": [consumer.id()],
        "enterprises": [{"enterprise_id": works.id(), "role": "برش و صیقل"}], "external_refs": [{"system": "erp", "key": "7"}],
    });
    let cutting = made(&lorestan, &chain, full.clone()).await;
    assert!(
        full.as_object().unwrap().iter().all(|(field, value)| cutting.body[field] == *value),
        "{}",
        cutting.text
    );
    let quarry = stage(&lorestan, &chain, "معدن", &[&cutting]).await;
    assert_eq!(quarry.body["position"], 0, "unless it is given");
    let tools = stage(&lorestan, &chain, "ابزار", &[]).await;
    for (sort, stages) in [
        ("id", [&consumer, &cutting, &quarry, &tools]),
        ("position,id", [&quarry, &tools, &cutting, &consumer]),
        ("-position", [&consumer, &cutting, &tools, &quarry]),
    ] {
        let list = lorestan.get(&format!("{chain}?sort={sort}")).await;
        assert_eq!(list.items("id"), stages.map(|stage| stage.id()), "{sort}");
    }
    let changed = lorestan
        .patch(quarry.header("location"), quarry.etag(), json!({"stage": "inputs", "feeds": []}))
        .await;
    assert_eq!(
        (changed.status, &changed.body["stage"], &changed.body["feeds"]),
        (200, &json!("inputs"), &json!([]))
    );
    assert_eq!(lorestan.patch(quarry.header("location"), "\"1\"", json!({})).await.status, 412);
    assert_eq!(service.login("kerman").await.get(&chain).await.status, 404);
}

async fn every_field_of_a_stage_is_checked(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let chain = chain_of(&lorestan, "سنگ").await;
    let other = stage(&lorestan, &chain, "معدن", &[]).await;
    let works = worker(&lorestan, &chain, "سنگ‌بری").await;
    let works = json!({"enterprise_id": works.id()});
    for (more, errors) in [
        (json!({"stage": "magic"}), vec![("/stage", "not_in_list")]),
        (json!({"name_fa": "…"}), vec![("/name_fa", "wrong_pattern")]),
        (json!({"position": -1}), vec![("/position", "too_small")]),
        (json!({"position": 1001}), vec![("/position", "too_large")]),
        (json!({"feeds": ["x"]}), vec![("/feeds/0", "wrong_format")]),
        (json!({"feeds": [other.id(), other.id()]}), vec![("/feeds/1", "repeated_items")]),
        (json!({"enterprises": [works, works]}), vec![("/enterprises/1/enterprise_id", "repeated_items")]),
        (json!({"enterprises": [{"role": "برش"}]}), vec![("/enterprises/0/enterprise_id", "required")]),
        (
            json!({"enterprises": [{"enterprise_id": other.id(), "share": 1}]}),
            vec![("/enterprises/0/share", "unknown_field")],
        ),
        (
            json!({"enterprises": [works, {"enterprise_id": other.id()}], "feeds": [works["enterprise_id"]]}),
            vec![("/enterprises/1/enterprise_id", "unknown_record"), ("/feeds/0", "unknown_record")],
        ),
    ] {
        let mut input = json!({"stage": "packaging", "name_fa": "بسته‌بندی"});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let refused = lorestan.post(&chain, input).await;
        assert_eq!((refused.status, refused.errors()), (422, errors), "{more}");
    }
    assert_eq!(
        lorestan.post(&chain, json!({})).await.errors(),
        [("/name_fa", "required"), ("/stage", "required")]
    );
}

async fn no_stage_feeds_itself_through_others(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let (chain, elsewhere) = (chain_of(&lorestan, "سنگ").await, chain_of(&lorestan, "عسل").await);
    let c = stage(&lorestan, &chain, "سه", &[]).await;
    let b = stage(&lorestan, &chain, "دو", &[&c]).await;
    let a = stage(&lorestan, &chain, "یک", &[&b, &c]).await;
    let of_honey = stage(&lorestan, &elsewhere, "کندو", &[]).await;
    let feed = async |from: &Answer, to: &[&str]| {
        lorestan.patch(from.header("location"), "*", json!({"feeds": to})).await
    };
    for (from, to, errors) in [
        (&c, vec![c.id()], vec![("/feeds/0", "cycle")]),
        (&c, vec![b.id()], vec![("/feeds/0", "cycle")]),
        (&c, vec![a.id()], vec![("/feeds/0", "cycle")]),
        (&b, vec![c.id(), a.id()], vec![("/feeds/1", "cycle")]),
        (&b, vec![of_honey.id(), a.id()], vec![("/feeds/0", "unknown_record"), ("/feeds/1", "cycle")]),
    ] {
        let refused = feed(from, &to).await;
        assert_eq!((refused.status, refused.errors()), (422, errors), "{to:?}");
    }
    assert_eq!(feed(&a, &[]).await.status, 200);
    assert_eq!(feed(&c, &[a.id()]).await.status, 200, "what it is fed by no more may be fed");
    for round in 0..4 {
        let (one, other) =
            (stage(&lorestan, &chain, "این", &[]).await, stage(&lorestan, &chain, "آن", &[]).await);
        let (to_other, to_one) = ([other.id()], [one.id()]);
        let (first, second) = join(feed(&one, &to_other), feed(&other, &to_one)).await;
        let mut statuses = [first.status, second.status];
        statuses.sort();
        assert_eq!(statuses, [200, 422], "round {round}: {} {}", first.text, second.text);
    }
}

async fn a_stage_that_is_fed_stays(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let chain = chain_of(&lorestan, "سنگ").await;
    let b = stage(&lorestan, &chain, "دو", &[]).await;
    let a = stage(&lorestan, &chain, "یک", &[&b]).await;
    let refused = lorestan.delete(b.header("location"), b.etag()).await;
    assert_eq!(
        (refused.status, refused.code(), &refused.body["referred_by"]),
        (409, "still_referred_to", &json!(["value_chain_stage"]))
    );
    assert_eq!(
        lorestan.delete(a.header("location"), a.etag()).await.status,
        204,
        "one that feeds others goes"
    );
    assert_eq!(lorestan.delete(b.header("location"), b.etag()).await.status, 204);
    assert_eq!(
        (
            lorestan.get(b.header("location")).await.status,
            lorestan.delete(b.header("location"), "\"9\"").await.status
        ),
        (404, 204)
    );
}

async fn the_enterprises_of_a_stage_are_of_its_cluster(service: &Service) {
    let (isipo, lorestan) = (service.login("isipo").await, service.login("lorestan").await);
    let (chain, honey) = (chain_of(&lorestan, "سنگ").await, chain_of(&lorestan, "عسل").await);
    let (own, of_honey) =
        (worker(&lorestan, &chain, "سنگ‌بری").await, worker(&lorestan, &honey, "زنبورداری").await);
    let alone = made(&lorestan, ENTERPRISES, enterprise("تنها", json!({}))).await;
    let gone = worker(&lorestan, &chain, "رفته").await;
    assert_eq!(lorestan.delete(gone.header("location"), "*").await.status, 204);
    let stage = stage(&lorestan, &chain, "برش", &[]).await;
    for client in [&isipo, &lorestan] {
        let works: Vec<Value> = [&own, &of_honey, &alone, &gone]
            .iter()
            .map(|works| json!({"enterprise_id": works.id()}))
            .collect();
        let refused = client.patch(stage.header("location"), "*", json!({"enterprises": works})).await;
        let unknown =
            ["/enterprises/1/enterprise_id", "/enterprises/2/enterprise_id", "/enterprises/3/enterprise_id"];
        assert_eq!(
            (refused.status, refused.errors()),
            (422, unknown.map(|pointer| (pointer, "unknown_record")).to_vec())
        );
    }
}

async fn an_enterprise_stays_in_the_cluster_whose_chain_names_it(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let chain = chain_of(&lorestan, "سنگ").await;
    let works = worker(&lorestan, &chain, "سنگ‌بری").await;
    let path = works.header("location");
    let stage = stage(&lorestan, &chain, "برش", &[]).await;
    let named = json!({"enterprises": [{"enterprise_id": works.id()}]});
    assert_eq!(lorestan.patch(stage.header("location"), "*", named.clone()).await.status, 200);
    let honey = lorestan.cluster_named("عسل").await;
    for refused in [
        lorestan.delete(path, "*").await,
        lorestan.patch(path, "*", json!({"cluster_id": null})).await,
        lorestan.patch(path, "*", json!({"cluster_id": honey.id()})).await,
    ] {
        assert_eq!(
            (refused.status, refused.code(), &refused.body["referred_by"]),
            (409, "still_referred_to", &json!(["value_chain_stage"]))
        );
    }
    assert_eq!(lorestan.patch(path, "*", json!({"employment_total": 7})).await.status, 200);
    assert_eq!(lorestan.patch(stage.header("location"), "*", json!({"enterprises": []})).await.status, 200);
    assert_eq!(lorestan.patch(path, "*", json!({"cluster_id": honey.id()})).await.status, 200);
    assert_eq!(lorestan.patch(path, "*", json!({"cluster_id": works.body["cluster_id"]})).await.status, 200);
    assert_eq!(lorestan.patch(stage.header("location"), "*", named).await.status, 200);
    assert_eq!(lorestan.delete(stage.header("location"), "*").await.status, 204);
    assert_eq!(lorestan.delete(path, "*").await.status, 204, "what is deleted holds nothing");
}

async fn an_enterprise_is_not_deleted_while_a_stage_begins_to_name_it(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let chain = chain_of(&lorestan, "سنگ").await;
    let stage = stage(&lorestan, &chain, "برش", &[]).await;
    for _ in 0..6 {
        let works = worker(&lorestan, &chain, "سنگ‌بری").await;
        let names = lorestan.patch(
            stage.header("location"),
            "*",
            json!({"enterprises": [{"enterprise_id": works.id()}]}),
        );
        let (named, deleted) = join(names, lorestan.delete(works.header("location"), works.etag())).await;
        match (named.status, deleted.status) {
            (200, 409) => assert_eq!(deleted.code(), "still_referred_to"),
            (422, 204) => assert_eq!(named.errors(), [("/enterprises/0/enterprise_id", "unknown_record")]),
            both => panic!("{both:?}: {} {}", named.text, deleted.text),
        }
    }
}
