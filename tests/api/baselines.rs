//! Baselines: the plan is frozen when it is whole, and changes by a re-baseline only, whoever writes
//! meanwhile.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    decisions::decision,
    milestones::{MILESTONES, milestone},
    on_both,
    projects::{PROJECTS, implementing, made, project},
    support::{Answer, Client, Service},
};

on_both!(
    a_plan_is_frozen_when_it_is_whole,
    what_is_frozen_changes_by_a_re_baseline_only,
    a_re_baseline_names_all_that_is_wrong_with_it,
    weights_that_change_while_they_are_frozen_stay_whole,
    a_plan_is_written_while_the_project_is_open,
);

/// Clusters of Lorestan that have no project yet.
const CLUSTERS: [&str; 6] = ["زیتون", "عسل", "طیور", "نایلون", "صنایع", "خوراک"];

/// A project of one of the clusters that is planning, with milestones of these weights.
async fn planning(
    service: &Service,
    client: &Client,
    cluster: usize,
    weights: &[u32],
) -> (Answer, Vec<Answer>) {
    let project = project(client, CLUSTERS[cluster], json!({})).await;
    service.put_in_state("project", project.id(), "planning").await;
    let mut milestones = Vec::new();
    for weight_bp in weights {
        let input = milestone(json!({"project_id": project.id(), "weight_bp": weight_bp}));
        milestones.push(made(client, MILESTONES, input).await);
    }
    (project, milestones)
}

fn baselines(project: &Answer) -> String {
    format!("{PROJECTS}/{}/baselines", project.id())
}

fn path(milestone: &Answer) -> String {
    format!("{MILESTONES}/{}", milestone.id())
}

async fn read(client: &Client, milestone: &Answer) -> Answer {
    client.get(&path(milestone)).await
}

/// Rule 3: 3333 + 3333 + 3334 passes, 3 × 3333 does not; in a draft the difference is a warning.
async fn a_plan_is_frozen_when_it_is_whole(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let plans = [
        (&[3_333, 3_333, 3_333][..], 9_999),
        (&[10_000, 1], 10_001),
        (&[], 0),
        (&[3_333, 3_333, 3_334], 10_000),
    ];
    for (cluster, (weights, total)) in plans.into_iter().enumerate() {
        let (project, _) = planning(service, &lorestan, cluster, weights).await;
        let shown = lorestan.get(&format!("{PROJECTS}/{}", project.id())).await;
        let warned: Vec<_> = shown.body["warnings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|warning| warning["code"].as_str().unwrap())
            .collect();
        assert_eq!(
            (shown.body["weight_total_bp"].as_u64(), warned.is_empty()),
            (Some(total), total == 10_000 || total == 0),
            "{weights:?}"
        );
        let frozen = lorestan.post(&baselines(&project), json!({"frozen_on": "2015-04-01"})).await;
        if total == 10_000 {
            assert_eq!(
                (frozen.status, &frozen.body["number"], &frozen.body["changes"]),
                (201, &json!(1), &json!([])),
                "{}",
                frozen.text
            );
            let kept = lorestan.get(frozen.header("location")).await;
            let weights: Vec<_> = kept.body["milestones"]
                .as_array()
                .unwrap()
                .iter()
                .map(|m| m["weight_bp"].as_u64().unwrap())
                .collect();
            assert_eq!((weights.iter().sum::<u64>(), weights.len()), (10_000, 3));
            let again = lorestan.post(&baselines(&project), json!({"frozen_on": "2015-04-02"})).await;
            assert_eq!(
                (again.status, again.code()),
                (409, "project_not_open"),
                "the second one is for a project that is implementing"
            );
        } else {
            assert_eq!(
                (frozen.status, frozen.errors()),
                (422, vec![("/changes", "weights_not_whole")]),
                "{weights:?}"
            );
            assert!(frozen.text.contains(&total.to_string()), "{}", frozen.text);
        }
    }
}

/// Freezes the first baseline and begins to implement.
async fn frozen(service: &Service, client: &Client, weights: &[u32]) -> (Answer, Vec<Answer>) {
    let (project, milestones) = planning(service, client, 0, weights).await;
    made(client, &baselines(&project), json!({"frozen_on": "2015-04-01"})).await;
    service.put_in_state("project", project.id(), "implementing").await;
    (project, milestones)
}

async fn what_is_frozen_changes_by_a_re_baseline_only(service: &Service) {
    let (isipo, lorestan) = (service.login("isipo").await, service.login("lorestan").await);
    let (project, milestones) = frozen(service, &lorestan, &[4_000, 3_000, 3_000]).await;
    for (patch, errors) in [
        (json!({"weight_bp": 1}), vec![("/weight_bp", "frozen")]),
        (
            json!({"due_on": "2015-07-01", "planned_start": "2015-01-01"}),
            vec![("/due_on", "frozen"), ("/planned_start", "frozen")],
        ),
        (json!({"phase": "evaluation"}), vec![("/phase", "frozen")]),
    ] {
        // Not even the nation.
        let refused = isipo.patch(&path(&milestones[0]), "*", patch).await;
        assert_eq!((refused.status, refused.code(), refused.errors()), (409, "plan_frozen", errors));
    }
    assert_eq!(lorestan.delete(&path(&milestones[0]), "*").await.code(), "plan_frozen");
    assert_eq!(
        lorestan.patch(&path(&milestones[0]), "*", json!({"title_fa": "نامی دیگر"})).await.status,
        200,
        "its name is not frozen"
    );
    let heavy =
        lorestan.post(MILESTONES, milestone(json!({"project_id": project.id(), "weight_bp": 1}))).await;
    assert_eq!((heavy.code(), heavy.errors()), ("plan_frozen", vec![("/weight_bp", "frozen")]));
    let added =
        made(&lorestan, MILESTONES, milestone(json!({"project_id": project.id(), "weight_bp": 0}))).await;

    let decision = decision(&lorestan, json!({})).await;
    let changes = json!([
        {"milestone_id": milestones[0].id(), "weight_bp": 2_500, "due_on": "2015-12-01"},
        {"milestone_id": milestones[1].id(), "cancelled": true},
        {"milestone_id": added.id(), "weight_bp": 4_500},
    ]);
    let input = json!({"frozen_on": "2015-06-01", "decision_id": decision.id(), "reason": "تغییر بازار", "changes": changes});
    let second = made(&lorestan, &baselines(&project), input).await;
    let plan: Vec<_> = second.body["milestones"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| (m["milestone_id"].clone(), m["weight_bp"].clone()))
        .collect();
    assert_eq!(plan.len(), 3);
    for expected in [(milestones[0].id(), 2_500), (milestones[2].id(), 3_000), (added.id(), 4_500)] {
        assert!(plan.contains(&(json!(expected.0), json!(expected.1))), "{plan:?}");
    }
    let now =
        [&milestones[0], &milestones[1], &milestones[2], &added].map(|milestone| read(&lorestan, milestone));
    let now = join_all(now).await;
    let shown: Vec<_> =
        now.iter().map(|m| (m.body["state"].as_str().unwrap(), m.body["baseline_number"].as_u64())).collect();
    assert_eq!(
        shown,
        [("planned", Some(2)), ("cancelled", Some(1)), ("planned", Some(1)), ("planned", Some(2))]
    );
    let kinds = lorestan.get(&format!("{}/history", path(&milestones[1]))).await;
    let told = &kinds.body["items"].as_array().unwrap().last().unwrap()["transition"];
    assert_eq!(
        (&told["to"], &told["reason"], &told["effective_on"]),
        (&json!("cancelled"), &json!("تغییر بازار"), &json!("2015-06-01"))
    );
    // What it was before can still be read.
    for (day, weight, due_on) in [("2015-05-31", 4_000, "2015-06-21"), ("2015-06-01", 2_500, "2015-12-01")] {
        let then = lorestan.get(&format!("{}?as_of={day}", path(&milestones[0]))).await;
        assert_eq!(
            (&then.body["weight_bp"], &then.body["due_on"]),
            (&json!(weight), &json!(due_on)),
            "{day}"
        );
    }
    assert_eq!(lorestan.get(&baselines(&project)).await.body["items"].as_array().unwrap().len(), 2);
    let kept = lorestan.delete(decision.header("location"), "*").await;
    assert_eq!((kept.status, kept.code()), (409, "still_referred_to"));
}

async fn a_re_baseline_names_all_that_is_wrong_with_it(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let (project, milestones) = frozen(service, &lorestan, &[5_000, 5_000]).await;
    let (_, others) = planning(service, &lorestan, 1, &[1]).await;
    let decision = decision(&lorestan, json!({})).await;
    let by = |changes: Value| json!({"frozen_on": "2015-06-01", "decision_id": decision.id(), "reason": "x", "changes": changes});
    let one = |more: Value| {
        let mut change = json!({"milestone_id": milestones[0].id()});
        change.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        change
    };
    for (input, errors) in [
        (
            json!({"frozen_on": "2015-03-31"}),
            vec![("/decision_id", "required"), ("/frozen_on", "too_early"), ("/reason", "required")],
        ),
        (json!({"frozen_on": "2999-01-01"}), vec![("/frozen_on", "in_future")]),
        (by(json!([one(json!({})), one(json!({}))])), vec![("/changes/1/milestone_id", "repeated_items")]),
        (
            by(json!([one(json!({})), {"milestone_id": others[0].id()}])),
            vec![("/changes/1/milestone_id", "unknown_record")],
        ),
        (by(json!([one(json!({"weight_bp": 4_999}))])), vec![("/changes", "weights_not_whole")]),
        (by(json!([one(json!({"weight_bp": 10_001}))])), vec![("/changes/0/weight_bp", "too_large")]),
        (by(json!([one(json!({"planned_start": "2016-01-01"}))])), vec![("/changes/0/due_on", "too_early")]),
        (by(json!([one(json!({"state": "accepted"}))])), vec![("/changes/0/state", "unknown_field")]),
    ] {
        let refused = lorestan.post(&baselines(&project), input.clone()).await;
        assert_eq!((refused.status, refused.errors()), (422, errors), "{input}: {}", refused.text);
    }
    service.put_in_state("milestone", milestones[0].id(), "accepted").await;
    let cancelled = lorestan.post(&baselines(&project), by(json!([one(json!({"cancelled": true}))]))).await;
    assert_eq!(cancelled.errors(), [("/changes/0/milestone_id", "closed")], "what is accepted stays");
    assert_eq!(lorestan.get(&baselines(&project)).await.items("id").len(), 1, "nothing is half done");
    for milestone in &milestones {
        assert_eq!(lorestan.get(&path(milestone)).await.body["weight_bp"], 5_000);
    }
}

/// Eight weigh milestones anew while the plan is frozen: whichever comes first, what is frozen is whole and
/// is what the milestones say.
async fn weights_that_change_while_they_are_frozen_stay_whole(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let (mut won, mut lost) = (0, 0);
    for round in 0..6_usize {
        let (project, milestones) = planning(service, &lorestan, round, &[2_500; 4]).await;
        let weigh = |n: usize| {
            let (client, path) = (lorestan.clone(), path(&milestones[n % 4]));
            async move { client.patch(&path, "*", json!({"weight_bp": 2_501 + n})).await }
        };
        let (client, list) = (lorestan.clone(), baselines(&project));
        let freeze = async move { client.post(&list, json!({"frozen_on": "2015-04-01"})).await };
        let (weighed, frozen) = match round % 2 {
            0 => tokio::join!(join_all((0..8).map(weigh)), freeze),
            _ => {
                let (frozen, weighed) = tokio::join!(freeze, join_all((0..8).map(weigh)));
                (weighed, frozen)
            }
        };
        let is_right = |answer: &Answer| {
            matches!(
                (answer.status, answer.code()),
                (200, "") | (409, "plan_frozen") | (412, "stale_version")
            )
        };
        assert!(weighed.iter().all(is_right), "{weighed:?}");
        let listed = lorestan.get(&baselines(&project)).await;
        let now: u64 = join_all(milestones.iter().map(|m| read(&lorestan, m)))
            .await
            .iter()
            .map(|m| m.body["weight_bp"].as_u64().unwrap())
            .sum();
        match listed.body["items"].as_array().unwrap().as_slice() {
            [] => lost += 1,
            [one] => {
                won += 1;
                let kept: u64 = one["milestones"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|m| m["weight_bp"].as_u64().unwrap())
                    .sum();
                assert_eq!((kept, now), (10_000, 10_000), "round {round}");
                assert_eq!(frozen.status, 201);
            }
            more => panic!("{more:?}"),
        }
    }
    assert_eq!(won + lost, 6);
}

async fn a_plan_is_written_while_the_project_is_open(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let project = implementing(service, &lorestan, "زیتون").await;
    let one =
        made(&lorestan, MILESTONES, milestone(json!({"project_id": project.id(), "weight_bp": 0}))).await;
    for state in ["suspended", "evaluating", "handed_over", "closed", "terminated"] {
        service.put_in_state("project", project.id(), state).await;
        for refused in [
            lorestan.post(MILESTONES, milestone(json!({"project_id": project.id(), "weight_bp": 0}))).await,
            lorestan.patch(&path(&one), "*", json!({"title_fa": "نام"})).await,
            lorestan.delete(&path(&one), "*").await,
        ] {
            assert_eq!(
                (refused.status, refused.code()),
                (409, "project_not_open"),
                "{state}: {}",
                refused.text
            );
        }
        let begin = lorestan.send(
            lorestan
                .request(Method::POST, &format!("{}/transitions", path(&one)))
                .header("if-match", "*")
                .json(&json!({"to": "in_progress"})),
        );
        let begin = begin.await;
        assert_eq!((begin.status, begin.missing()), (409, vec!["project_not_implementing"]), "{state}");
    }
}
