//! Networks of enterprises: members, days and cost.

use serde_json::{Value, json};

use crate::{
    clusters::CLUSTERS,
    enterprises::{ENTERPRISES, enterprise},
    on_both,
    projects::made,
    support::{Answer, Client, Service},
};

on_both!(
    a_network_is_formed_and_dissolved,
    every_field_of_a_network_is_checked,
    members_are_of_the_province,
    a_member_stays_in_its_province
);

async fn networks_of(client: &Client, cluster: &str) -> String {
    format!("{CLUSTERS}/{}/networks", client.cluster_named(cluster).await.id())
}

/// Two enterprises of Lorestan, of no cluster.
async fn two(client: &Client) -> [Answer; 2] {
    [
        made(client, ENTERPRISES, enterprise("یک", json!({}))).await,
        made(client, ENTERPRISES, enterprise("دو", json!({}))).await,
    ]
}

fn network(members: &[&str], more: Value) -> Value {
    let mut input = json!({"kind": "horizontal", "name_fa": "شبکه", "members": members});
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

async fn a_network_is_formed_and_dissolved(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let networks = networks_of(&lorestan, "سنگ").await;
    let [a, b] = two(&lorestan).await;
    let bare = made(&lorestan, &networks, network(&[a.id(), b.id()], json!({}))).await;
    assert_eq!(bare.header("location"), format!("{networks}/{}", bare.id()));
    for field in ["name_en", "formed_on", "dissolved_on", "purpose", "cost_irr", "private_share_bp"] {
        assert_eq!(bare.body[field], Value::Null, "{field}");
    }
    let more = json!({
        "kind": "export_consortium", "name_en": "Consortium", "formed_on": "1394-01-01", "dissolved_on": "1395-12-30", "purpose": "صادرات",
        "cost_irr": "999999999999999999", "private_share_bp": 10_000, "external_refs": [{"system": "erp", "key": "7"}],
    });
    let full = network(&[b.id(), a.id()], more);
    let created = made(&lorestan, &format!("{networks}?calendar=persian"), full.clone()).await;
    assert!(
        full.as_object().unwrap().iter().all(|(field, value)| created.body[field] == *value),
        "{}",
        created.text
    );
    let path = created.header("location");
    assert_eq!(lorestan.get(path).await.body["formed_on"], "2015-03-21");
    let changed =
        lorestan.patch(path, created.etag(), json!({"dissolved_on": null, "private_share_bp": 0})).await;
    assert_eq!(
        (changed.status, &changed.body["dissolved_on"], &changed.body["private_share_bp"]),
        (200, &Value::Null, &json!(0))
    );
    assert_eq!(lorestan.patch(path, created.etag(), json!({})).await.status, 412);
    assert_eq!(lorestan.get(&networks).await.items("id"), [bare.id(), created.id()]);
    assert_eq!(lorestan.get(&networks_of(&lorestan, "عسل").await).await.items("id").len(), 0);
    assert_eq!(service.login("kerman").await.get(path).await.status, 404);
    assert_eq!(lorestan.delete(path, changed.etag()).await.status, 204);
    assert_eq!((lorestan.get(path).await.status, lorestan.delete(path, "\"1\"").await.status), (404, 204));
}

async fn every_field_of_a_network_is_checked(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let networks = networks_of(&lorestan, "سنگ").await;
    let [a, b] = two(&lorestan).await;
    let (a, b) = (a.id(), b.id());
    for (members, more, errors) in [
        (vec![a], json!({}), vec![("/members", "too_few_items")]),
        (vec![], json!({}), vec![("/members", "too_few_items")]),
        (vec![a, b, a], json!({}), vec![("/members/2", "repeated_items")]),
        (vec![a, a], json!({}), vec![("/members/1", "repeated_items")]),
        (vec![a, b], json!({"kind": "cartel"}), vec![("/kind", "not_in_list")]),
        (vec![a, b], json!({"private_share_bp": 10_001}), vec![("/private_share_bp", "too_large")]),
        (vec![a, b], json!({"cost_irr": 5}), vec![("/cost_irr", "wrong_type")]),
        (vec![a, b], json!({"dissolved_on": "2015-01-01"}), vec![("/formed_on", "required")]),
        (
            vec![a, b],
            json!({"formed_on": "2015-01-02", "dissolved_on": "2015-01-01"}),
            vec![("/dissolved_on", "too_early")],
        ),
        (
            vec![a, b, b],
            json!({"formed_on": "8000-01-02", "dissolved_on": "8000-01-01"}),
            vec![
                ("/dissolved_on", "in_future"),
                ("/dissolved_on", "too_early"),
                ("/formed_on", "in_future"),
                ("/members/2", "repeated_items"),
            ],
        ),
    ] {
        let refused = lorestan.post(&networks, network(&members, more.clone())).await;
        assert_eq!((refused.status, refused.errors()), (422, errors), "{more}");
    }
    assert_eq!(
        lorestan.post(&networks, json!({})).await.errors(),
        [("/kind", "required"), ("/members", "required"), ("/name_fa", "required")]
    );
}

async fn members_are_of_the_province(service: &Service) {
    let (isipo, lorestan) = (service.login("isipo").await, service.login("lorestan").await);
    let networks = networks_of(&lorestan, "سنگ").await;
    let honey = lorestan.cluster_named("عسل").await;
    let of_honey =
        made(&lorestan, ENTERPRISES, enterprise("زنبورداری", json!({"cluster_id": honey.id()}))).await;
    let of_kerman = made(&isipo, ENTERPRISES, enterprise("کرمانی", json!({"province": "IR-08"}))).await;
    let [own, gone] = two(&lorestan).await;
    assert_eq!(lorestan.delete(gone.header("location"), "*").await.status, 204);
    for client in [&isipo, &lorestan] {
        let refused = client
            .post(&networks, network(&[own.id(), of_kerman.id(), gone.id(), honey.id()], json!({})))
            .await;
        let unknown = ["/members/1", "/members/2", "/members/3"].map(|pointer| (pointer, "unknown_record"));
        assert_eq!((refused.status, refused.errors()), (422, unknown.to_vec()));
    }
    made(&lorestan, &networks, network(&[own.id(), of_honey.id()], json!({}))).await;
}

async fn a_member_stays_in_its_province(service: &Service) {
    let isipo = service.login("isipo").await;
    let [a, b] = two(&isipo).await;
    let formed = made(&isipo, &networks_of(&isipo, "سنگ").await, network(&[a.id(), b.id()], json!({}))).await;
    for refused in [
        isipo.delete(a.header("location"), "*").await,
        isipo.patch(b.header("location"), "*", json!({"province": "IR-08"})).await,
    ] {
        assert_eq!(
            (refused.status, refused.code(), &refused.body["referred_by"]),
            (409, "still_referred_to", &json!(["network"]))
        );
    }
    let honey = isipo.cluster_named("عسل").await;
    assert_eq!(
        isipo.patch(a.header("location"), "*", json!({"cluster_id": honey.id()})).await.status,
        200,
        "it may join any cluster there"
    );
    let cluster = formed.header("location").split("/networks").next().unwrap().to_owned();
    assert_eq!(isipo.patch(&cluster, "*", json!({"province": "IR-08"})).await.code(), "moved_away");
    assert_eq!(isipo.delete(formed.header("location"), "*").await.status, 204);
    assert_eq!(isipo.delete(a.header("location"), "*").await.status, 204);
    assert_eq!(isipo.patch(b.header("location"), "*", json!({"province": "IR-08"})).await.status, 200);
}
