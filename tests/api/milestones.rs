//! Milestones, from their creation to their tombstone, and how they wait for each other.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    on_both,
    project_states::one_wins,
    projects::{PROJECTS, made, project, stone},
    support::{Answer, Client, Service},
};

on_both!(
    a_milestone_is_added_changed_and_deleted,
    every_field_of_a_milestone_comes_back,
    a_milestone_stays_in_its_project,
    predecessors_are_of_the_project_and_form_no_cycle,
    a_milestone_stays_while_others_wait_for_it,
    exactly_the_edges_that_close_no_cycle_are_accepted,
    of_two_changes_that_close_a_cycle_one_happens,
    what_is_waited_for_is_not_deleted_meanwhile,
);

pub const MILESTONES: &str = "/api/v1/milestones";

/// What a milestone needs; `more` adds to it.
pub fn milestone(more: Value) -> Value {
    let mut input =
        json!({"phase": "diagnostic", "title_fa": "نقطهٔ عطف", "weight_bp": 100, "due_on": "2015-06-21"});
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

/// A new milestone of a new project.
async fn first(client: &Client) -> Answer {
    let created = project(client, "زیتون", json!({})).await;
    made(client, &format!("{}/milestones", created.header("location")), milestone(json!({}))).await
}

/// So many more milestones of the project of one.
async fn beside(client: &Client, one: &Answer, count: usize) -> Vec<Answer> {
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(made(client, MILESTONES, milestone(json!({"project_id": one.body["project_id"]}))).await);
    }
    all
}

async fn wait_for(client: &Client, path: &str, predecessors: &[&str]) -> Answer {
    client.patch(path, "*", json!({"predecessors": predecessors})).await
}

async fn a_milestone_is_added_changed_and_deleted(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let created = project(&lorestan, "زیتون", json!({})).await;
    let below =
        made(&lorestan, &format!("{}/milestones", created.header("location")), milestone(json!({}))).await;
    let beside = made(&lorestan, MILESTONES, milestone(json!({"project_id": created.id()}))).await;
    let none = lorestan.post(MILESTONES, milestone(json!({}))).await;
    assert_eq!((none.status, none.errors()), (422, vec![("/project_id", "required")]));
    let expected = json!({
        "project_id": created.id(), "province": "IR-15", "state": "planned", "accepted_on": null, "accepted_fraction_bp": 0,
        "baseline_number": null, "predecessors": [], "pillar": null, "title_en": null, "planned_start": null,
        "budget_irr": null, "evidence_required": false, "is_overdue": true,
    });
    for answer in [&below, &beside] {
        for (field, value) in expected.as_object().unwrap() {
            assert_eq!(&answer.body[field], value, "{field}");
        }
        assert_eq!(answer.header("location"), format!("{MILESTONES}/{}", answer.id()));
        assert_eq!(lorestan.get(answer.header("location")).await.body, answer.body);
    }
    let path = below.header("location");
    let changed = lorestan.patch(path, below.etag(), json!({"due_on": "2999-12-31", "pillar": "bds"})).await;
    assert_eq!(
        (changed.status, &changed.body["is_overdue"], &changed.body["version"]),
        (200, &json!(false), &json!(2)),
        "{}",
        changed.text
    );
    assert_eq!(lorestan.patch(path, below.etag(), json!({"pillar": null})).await.code(), "stale_version");
    assert_eq!(lorestan.delete(path, below.etag()).await.status, 412);
    assert_eq!(lorestan.delete(path, changed.etag()).await.status, 204);
    assert_eq!(lorestan.delete(path, changed.etag()).await.status, 204);
    assert_eq!(lorestan.get(path).await.status, 404);
    assert_eq!(
        lorestan.get(&format!("{path}/history")).await.items("kind"),
        ["created", "updated", "deleted"]
    );
    assert_eq!(
        lorestan.get(&format!("{}/milestones", created.header("location"))).await.items("id"),
        [beside.id()]
    );

    let by_ref = format!("{MILESTONES}/by-ref/erp/M-1");
    let put = lorestan.put(&by_ref, milestone(json!({"project_id": created.id(), "title_en": "One"}))).await;
    assert_eq!((put.status, lorestan.get(&by_ref).await.body), (201, put.body.clone()), "{}", put.text);
    let replace =
        lorestan.request(Method::PUT, &by_ref).header("if-match", put.etag()).json(&milestone(json!({})));
    let replaced = lorestan.send(replace).await;
    assert_eq!(
        (replaced.status, &replaced.body["title_en"], &replaced.body["project_id"]),
        (200, &Value::Null, &json!(created.id()))
    );
}

async fn every_field_of_a_milestone_comes_back(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let one = first(&lorestan).await;
    let input = milestone(json!({
        "project_id": one.body["project_id"], "phase": "trust_building", "pillar": "support_institution", "title_en": "One", "weight_bp": 10_000,
        "planned_start": "2015-06-21", "predecessors": [one.id()], "budget_irr": "999999999999999999", "evidence_required": true,
        "external_refs": [{"system": "erp", "key": "1"}],
    }));
    let created = made(&lorestan, MILESTONES, input.clone()).await;
    for (field, value) in input.as_object().unwrap() {
        assert_eq!(&created.body[field], value, "{field}");
    }
    for (patch, error) in [
        (json!({"weight_bp": -1}), ("/weight_bp", "too_small")),
        (json!({"weight_bp": 10_001}), ("/weight_bp", "too_large")),
        (json!({"weight_bp": 0.5}), ("/weight_bp", "wrong_type")),
        (json!({"phase": "planning"}), ("/phase", "not_in_list")),
        (json!({"pillar": "roof"}), ("/pillar", "not_in_list")),
        (json!({"budget_irr": 5}), ("/budget_irr", "wrong_type")),
        (json!({"planned_start": "2015-06-22"}), ("/due_on", "too_early")),
        (json!({"state": "accepted"}), ("/state", "unknown_field")),
        (json!({"accepted_fraction_bp": 10_000}), ("/accepted_fraction_bp", "unknown_field")),
        (json!({"accepted_on": "2015-06-21"}), ("/accepted_on", "unknown_field")),
    ] {
        let refused = lorestan.patch(created.header("location"), "*", patch.clone()).await;
        assert_eq!((refused.status, refused.errors()), (422, vec![error]), "{patch}");
    }
    assert_eq!(
        lorestan.patch(created.header("location"), "\"1\"", json!({"weight_bp": 0})).await.body["weight_bp"],
        0
    );
}

async fn a_milestone_stays_in_its_project(service: &Service) {
    let (lorestan, isipo) = (service.login("lorestan").await, service.login("isipo").await);
    let (one, stone, kerman) =
        (first(&lorestan).await, stone(&lorestan).await, project(&isipo, "پسته", json!({})).await);
    let id = stone.rsplit('/').next().unwrap();
    for refused in [
        lorestan.patch(one.header("location"), "*", json!({"project_id": id})).await,
        lorestan
            .post(&format!("{stone}/milestones"), milestone(json!({"project_id": one.body["project_id"]})))
            .await,
    ] {
        assert_eq!((refused.status, refused.errors()), (422, vec![("/project_id", "immutable")]));
    }
    let same = lorestan
        .patch(one.header("location"), "*", json!({"project_id": one.body["project_id"], "weight_bp": 7}))
        .await;
    assert_eq!((same.status, &same.body["weight_bp"]), (200, &json!(7)));
    for unknown in [kerman.id(), one.id()] {
        let refused = lorestan.post(MILESTONES, milestone(json!({"project_id": unknown}))).await;
        assert_eq!((refused.status, refused.errors()), (422, vec![("/project_id", "unknown_record")]));
    }
    assert_eq!(
        lorestan.post(&format!("{PROJECTS}/{}/milestones", kerman.id()), milestone(json!({}))).await.status,
        404
    );
    assert_eq!(service.login("kerman").await.get(one.header("location")).await.status, 404);
}

async fn predecessors_are_of_the_project_and_form_no_cycle(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let a = first(&lorestan).await;
    let others = beside(&lorestan, &a, 3).await;
    let [b, c, gone] = &others[..] else { panic!() };
    assert_eq!(lorestan.delete(gone.header("location"), "*").await.status, 204);
    let stone = lorestan.get(&format!("{}/milestones", stone(&lorestan).await)).await;
    let (path, elsewhere) = (a.header("location"), stone.items("id")[0]);
    assert_eq!(wait_for(&lorestan, b.header("location"), &[a.id()]).await.status, 200);
    assert_eq!(wait_for(&lorestan, c.header("location"), &[b.id()]).await.status, 200);
    let nil = uuid::Uuid::nil().to_string();
    for (predecessors, errors) in [
        (vec![nil.as_str()], vec![("/predecessors/0", "unknown_record")]),
        (vec![elsewhere], vec![("/predecessors/0", "unknown_record")]),
        (vec![gone.id()], vec![("/predecessors/0", "unknown_record")]),
        (vec![a.id()], vec![("/predecessors/0", "cycle")]),
        (vec![b.id()], vec![("/predecessors/0", "cycle")]),
        (vec![c.id()], vec![("/predecessors/0", "cycle")]),
        (vec!["7"], vec![("/predecessors/0", "wrong_format")]),
        (
            vec![elsewhere, c.id(), a.id()],
            vec![
                ("/predecessors/0", "unknown_record"),
                ("/predecessors/1", "cycle"),
                ("/predecessors/2", "cycle"),
            ],
        ),
    ] {
        let refused = wait_for(&lorestan, path, &predecessors).await;
        assert_eq!((refused.status, refused.errors()), (422, errors), "{predecessors:?}");
    }
    let twice = wait_for(&lorestan, c.header("location"), &[a.id(), b.id(), a.id()]).await;
    assert_eq!((twice.status, twice.errors()), (422, vec![("/predecessors/2", "repeated_items")]));
    let created = lorestan
        .post(MILESTONES, milestone(json!({"project_id": a.body["project_id"], "predecessors": [elsewhere]})))
        .await;
    assert_eq!(created.errors(), [("/predecessors/0", "unknown_record")]);
    assert_eq!(
        wait_for(&lorestan, c.header("location"), &[a.id(), b.id()]).await.body["predecessors"],
        json!([a.id(), b.id()])
    );
    assert_eq!(wait_for(&lorestan, b.header("location"), &[]).await.status, 200);
    assert_eq!(
        wait_for(&lorestan, path, &[b.id()]).await.status,
        200,
        "what was waited for no more may wait"
    );
}

async fn a_milestone_stays_while_others_wait_for_it(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let a = first(&lorestan).await;
    let b = &beside(&lorestan, &a, 1).await[0];
    assert_eq!(wait_for(&lorestan, b.header("location"), &[a.id()]).await.status, 200);
    let refused = lorestan.delete(a.header("location"), a.etag()).await;
    assert_eq!(
        (refused.status, refused.code(), &refused.body["referred_by"]),
        (409, "still_referred_to", &json!(["milestone"]))
    );
    assert_eq!(lorestan.get(a.header("location")).await.body, a.body);
    assert_eq!(lorestan.delete(b.header("location"), "*").await.status, 204);
    assert_eq!(lorestan.delete(a.header("location"), a.etag()).await.status, 204);
}

/// Eight milestones, and eighty times a few random predecessors for one of them, against a matrix of who
/// waits for whom.
async fn exactly_the_edges_that_close_no_cycle_are_accepted(service: &Service) {
    const COUNT: usize = 8;
    let lorestan = service.login("lorestan").await;
    let mut all = vec![first(&lorestan).await];
    all.extend(beside(&lorestan, &all[0], COUNT - 1).await);
    let mut seed: u64 = 1392;
    let mut below = |bound: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % bound
    };
    let mut edges: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); COUNT];
    let mut outcomes = [0, 0];
    for _ in 0..80 {
        let (changed, size) = (below(COUNT), below(4));
        let wanted: Vec<usize> =
            (0..size).map(|_| below(COUNT)).collect::<BTreeSet<_>>().into_iter().collect();
        // Warshall's closure over everybody else's edges.
        let mut waits: Vec<Vec<bool>> = (0..COUNT)
            .map(|a| (0..COUNT).map(|b| a == b || (a != changed && edges[a].contains(&b))).collect())
            .collect();
        for through in 0..COUNT {
            for from in 0..COUNT {
                for to in 0..COUNT {
                    waits[from][to] |= waits[from][through] && waits[through][to];
                }
            }
        }
        let closing = wanted.iter().enumerate().filter(|(_, predecessor)| waits[**predecessor][changed]);
        let faults: Vec<String> = closing.map(|(index, _)| format!("/predecessors/{index}")).collect();
        let ids: Vec<&str> = wanted.iter().map(|n| all[*n].id()).collect();
        let answer = wait_for(&lorestan, all[changed].header("location"), &ids).await;
        let expected = if faults.is_empty() { 200 } else { 422 };
        assert_eq!(answer.status, expected, "{changed} after {wanted:?} in {edges:?}");
        assert_eq!(
            answer.errors(),
            faults.iter().map(|pointer| (pointer.as_str(), "cycle")).collect::<Vec<_>>()
        );
        outcomes[usize::from(faults.is_empty())] += 1;
        if faults.is_empty() {
            edges[changed] = wanted.into_iter().collect();
        }
    }
    assert!(outcomes.iter().all(|count| *count >= 15), "the seed tries both: {outcomes:?}");
    for (one, before) in all.iter().zip(&edges) {
        let kept = lorestan.get(one.header("location")).await.body["predecessors"].clone();
        assert_eq!(kept, json!(before.iter().map(|n| all[*n].id()).collect::<Vec<_>>()));
    }
}

async fn of_two_changes_that_close_a_cycle_one_happens(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let one = first(&lorestan).await;
    let all = beside(&lorestan, &one, 12).await;
    for trio in all.chunks(3) {
        let [a, b, c] = trio else { panic!() };
        assert_eq!(wait_for(&lorestan, c.header("location"), &[b.id()]).await.status, 200);
        // `b` waits for `a`, and `a` for `c`, which waits for `b`.
        let (b_waits, a_waits) = ([a.id()], [c.id()]);
        let answers = join_all([
            wait_for(&lorestan, b.header("location"), &b_waits),
            wait_for(&lorestan, a.header("location"), &a_waits),
        ])
        .await;
        one_wins(&answers, 200, "validation_failed", ("/predecessors/0", "cycle"));
    }
}

async fn what_is_waited_for_is_not_deleted_meanwhile(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let one = first(&lorestan).await;
    for pair in beside(&lorestan, &one, 12).await.chunks(2) {
        let [a, b] = pair else { panic!() };
        let before = [a.id()];
        let (waits, deleted) = tokio::join!(
            wait_for(&lorestan, b.header("location"), &before),
            lorestan.delete(a.header("location"), a.etag())
        );
        match (waits.status, deleted.status) {
            (200, 409) => assert_eq!(deleted.code(), "still_referred_to"),
            (422, 204) => assert_eq!(waits.errors(), [("/predecessors/0", "unknown_record")]),
            (503, _) | (_, 503) => {}
            both => panic!("{both:?}: {} {}", waits.text, deleted.text),
        }
        let kept = lorestan.get(b.header("location")).await.body["predecessors"].as_array().unwrap().len();
        assert_eq!(kept == 1, lorestan.get(a.header("location")).await.status == 200 && waits.status == 200);
    }
}
