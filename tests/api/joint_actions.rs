//! Joint actions of enterprises within a project: who takes part, when, and at whose cost.

use serde_json::{Value, json};

use crate::{
    enterprises::{ENTERPRISES, enterprise},
    on_both,
    projects::{made, project, stone},
    story::attach,
    support::{Answer, Client, Service},
};

on_both!(
    a_joint_action_is_recorded_changed_and_deleted,
    every_field_of_a_joint_action_is_checked,
    participants_are_of_the_province,
    a_participant_stays_in_its_province,
    joint_actions_are_kept_by_managers,
    a_joint_action_with_a_document_stays,
);

/// Two enterprises of Lorestan, of no cluster.
async fn two(client: &Client) -> [Answer; 2] {
    [
        made(client, ENTERPRISES, enterprise("یک", json!({}))).await,
        made(client, ENTERPRISES, enterprise("دو", json!({}))).await,
    ]
}

fn action(participants: &[&str], more: Value) -> Value {
    let mut input = json!({"title_fa": "خرید مشترک", "participants": participants});
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

async fn a_joint_action_is_recorded_changed_and_deleted(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let stone = stone(&lorestan).await;
    let actions = format!("{stone}/joint-actions");
    let [a, b] = two(&lorestan).await;
    let bare = made(&lorestan, &actions, action(&[a.id(), b.id()], json!({}))).await;
    assert_eq!(bare.header("location"), format!("{actions}/{}", bare.id()));
    for field in
        ["title_en", "pillar", "started_on", "ended_on", "cost_irr", "private_share_bp", "description"]
    {
        assert_eq!(bare.body[field], Value::Null, "{field}");
    }
    let more = json!({
        "title_en": "Joint purchase", "pillar": "support_institution", "started_on": "1394-01-01", "ended_on": "1499-12-29",
        "cost_irr": "999999999999999999", "private_share_bp": 10_000, "description": "سنگ خام", "external_refs": [{"system": "erp", "key": "7"}],
    });
    let full = action(&[b.id(), a.id()], more);
    let created = made(&lorestan, &format!("{actions}?calendar=persian"), full.clone()).await;
    assert!(
        full.as_object().unwrap().iter().all(|(field, value)| created.body[field] == *value),
        "{}",
        created.text
    );
    let path = created.header("location");
    assert_eq!(lorestan.get(path).await.body["started_on"], "2015-03-21");
    let changed =
        lorestan.patch(path, created.etag(), json!({"ended_on": null, "private_share_bp": 0})).await;
    assert_eq!(
        (changed.status, &changed.body["ended_on"], &changed.body["private_share_bp"]),
        (200, &Value::Null, &json!(0))
    );
    assert_eq!(lorestan.patch(path, created.etag(), json!({})).await.status, 412);
    assert_eq!(lorestan.get(&actions).await.items("id"), [bare.id(), created.id()]);
    assert_eq!(lorestan.get(&format!("{actions}?sort=-id")).await.items("id"), [created.id(), bare.id()]);
    let olive = project(&lorestan, "زیتون", json!({})).await;
    assert_eq!(
        lorestan.get(&format!("{}/joint-actions", olive.header("location"))).await.items("id").len(),
        0
    );
    let misplaced = format!("{}/joint-actions/{}", olive.header("location"), created.id());
    assert_eq!(
        (lorestan.get(&misplaced).await.status, service.login("kerman").await.get(path).await.status),
        (404, 404)
    );
    assert_eq!(lorestan.delete(path, changed.etag()).await.status, 204);
    assert_eq!((lorestan.get(path).await.status, lorestan.delete(path, "\"1\"").await.status), (404, 204));
}

async fn every_field_of_a_joint_action_is_checked(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let actions = format!("{}/joint-actions", stone(&lorestan).await);
    let [a, b] = two(&lorestan).await;
    let (a, b) = (a.id(), b.id());
    for (participants, more, errors) in [
        (vec![a], json!({}), vec![("/participants", "too_few_items")]),
        (vec![a, b, a], json!({}), vec![("/participants/2", "repeated_items")]),
        (vec![a, b], json!({"title_fa": " "}), vec![("/title_fa", "wrong_pattern")]),
        (vec![a, b], json!({"pillar": "trade"}), vec![("/pillar", "not_in_list")]),
        (vec![a, b], json!({"private_share_bp": 10_001}), vec![("/private_share_bp", "too_large")]),
        (vec![a, b], json!({"private_share_bp": -1}), vec![("/private_share_bp", "too_small")]),
        (vec![a, b], json!({"cost_irr": 5}), vec![("/cost_irr", "wrong_type")]),
        (
            vec![a, b],
            json!({"started_on": "2015-01-02", "ended_on": "2015-01-01"}),
            vec![("/ended_on", "too_early")],
        ),
        (
            vec![a, b, b],
            json!({"started_on": "8000-01-02", "ended_on": "8000-01-01"}),
            vec![
                ("/ended_on", "too_early"),
                ("/participants/2", "repeated_items"),
                ("/started_on", "in_future"),
            ],
        ),
    ] {
        let refused = lorestan.post(&actions, action(&participants, more.clone())).await;
        assert_eq!((refused.status, refused.errors()), (422, errors), "{more}");
    }
    assert_eq!(
        lorestan.post(&actions, json!({})).await.errors(),
        [("/participants", "required"), ("/title_fa", "required")]
    );
}

async fn participants_are_of_the_province(service: &Service) {
    let (isipo, lorestan) = (service.login("isipo").await, service.login("lorestan").await);
    let stone = stone(&lorestan).await;
    let honey = lorestan.cluster_named("عسل").await;
    let of_honey =
        made(&lorestan, ENTERPRISES, enterprise("زنبورداری", json!({"cluster_id": honey.id()}))).await;
    let of_kerman = made(&isipo, ENTERPRISES, enterprise("کرمانی", json!({"province": "IR-08"}))).await;
    let [own, gone] = two(&lorestan).await;
    assert_eq!(lorestan.delete(gone.header("location"), "*").await.status, 204);
    let actions = format!("{stone}/joint-actions");
    for client in [&isipo, &lorestan] {
        let refused = client
            .post(&actions, action(&[own.id(), of_kerman.id(), gone.id(), honey.id()], json!({})))
            .await;
        let unknown = ["/participants/1", "/participants/2", "/participants/3"]
            .map(|pointer| (pointer, "unknown_record"));
        assert_eq!((refused.status, refused.errors()), (422, unknown.to_vec()));
    }
    made(&lorestan, &actions, action(&[own.id(), of_honey.id()], json!({}))).await;
}

async fn a_participant_stays_in_its_province(service: &Service) {
    let isipo = service.login("isipo").await;
    let [a, b] = two(&isipo).await;
    let olive = project(&isipo, "زیتون", json!({})).await;
    let acted = made(
        &isipo,
        &format!("{}/joint-actions", olive.header("location")),
        action(&[a.id(), b.id()], json!({})),
    )
    .await;
    for refused in [
        isipo.delete(a.header("location"), "*").await,
        isipo.patch(b.header("location"), "*", json!({"province": "IR-08"})).await,
    ] {
        assert_eq!(
            (refused.status, refused.code(), &refused.body["referred_by"]),
            (409, "still_referred_to", &json!(["joint_action"]))
        );
    }
    let honey = isipo.cluster_named("عسل").await;
    assert_eq!(
        isipo.patch(a.header("location"), "*", json!({"cluster_id": honey.id()})).await.status,
        200,
        "it may join any cluster there"
    );
    let kept = isipo.delete(olive.header("location"), "*").await;
    assert_eq!((kept.status, &kept.body["referred_by"]), (409, &json!(["joint_action"])));
    assert_eq!(isipo.delete(acted.header("location"), "*").await.status, 204);
    assert_eq!(isipo.delete(a.header("location"), "*").await.status, 204);
    assert_eq!(isipo.patch(b.header("location"), "*", json!({"province": "IR-08"})).await.status, 200);
    assert_eq!(isipo.delete(olive.header("location"), "*").await.status, 204);
}

async fn joint_actions_are_kept_by_managers(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let actions = format!("{}/joint-actions", stone(&lorestan).await);
    let [a, b] = two(&lorestan).await;
    let input = action(&[a.id(), b.id()], json!({}));
    for (who, status) in [
        ("lorestan", 201),
        ("isipo", 201),
        ("cda", 403),
        ("supervisor", 403),
        ("lorestan-viewer", 403),
        ("kerman", 404),
    ] {
        let client = service.login(who).await;
        assert_eq!(client.post(&actions, input.clone()).await.status, status, "{who}");
        assert_eq!(client.get(&actions).await.status, if status == 404 { 404 } else { 200 }, "{who}");
    }
}

async fn a_joint_action_with_a_document_stays(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let actions = format!("{}/joint-actions", stone(&lorestan).await);
    let [a, b] = two(&lorestan).await;
    let created = made(&lorestan, &actions, action(&[a.id(), b.id()], json!({}))).await;
    let document = attach(&lorestan, ("joint_action", created.id()), "photo", None).await;
    let kept = lorestan.delete(created.header("location"), "*").await;
    assert_eq!((kept.status, &kept.body["referred_by"]), (409, &json!(["attachment"])));
    assert_eq!(lorestan.delete(&format!("/api/v1/attachments/{}", document.id()), "*").await.status, 204);
    assert_eq!(lorestan.delete(created.header("location"), "*").await.status, 204);
}
