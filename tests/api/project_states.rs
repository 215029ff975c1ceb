//! The states of a project, and the one project that is live in a cluster.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    clusters::CLUSTERS,
    decisions::decision,
    on_both,
    projects::{PROJECTS, enter, project},
    support::{Answer, Client, Service},
};

on_both!(
    every_state_leads_where_the_domain_says,
    every_live_project_can_be_terminated,
    a_change_of_state_has_its_reason_and_its_day,
    a_cluster_has_one_live_project,
    of_eight_projects_one_is_approved,
    a_cluster_stays_where_its_project_is,
);

const CALM: [&str; 3] = ["draft", "closed", "terminated"];
const LIFE: [&str; 9] = [
    "draft",
    "approved",
    "contracted",
    "diagnostic",
    "planning",
    "implementing",
    "evaluating",
    "handed_over",
    "closed",
];

/// The project says that these states may follow, and refuses every other.
async fn follow(client: &Client, path: &str, mut next: Vec<&str>) {
    let of = |list: &Value| {
        let mut names: Vec<_> = list
            .as_array()
            .unwrap()
            .iter()
            .map(|to| to.get("to").unwrap_or(to).as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    };
    next.sort_unstable();
    let now = client.get(path).await;
    assert_eq!(of(&now.body["allowed_transitions"]), next, "{}", now.body["state"]);
    for to in LIFE.into_iter().chain(["suspended", "terminated"]).filter(|to| !next.contains(to)) {
        let refused = client.transition(path, now.etag(), json!({"to": to, "reason": "x"})).await;
        assert_eq!(
            (refused.status, refused.code()),
            (409, "transition_not_allowed"),
            "{} to {to}",
            now.body["state"]
        );
        assert_eq!(of(&refused.body["allowed"]), next);
    }
}

async fn every_state_leads_where_the_domain_says(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let created = project(&lorestan, "زیتون", json!({})).await;
    let path = created.header("location");
    for (state, next) in LIFE.into_iter().zip(LIFE.into_iter().skip(1).map(Some).chain([None])) {
        service.put_in_state("project", created.id(), state).await;
        if CALM.contains(&state) {
            follow(&lorestan, path, next.into_iter().collect()).await;
        } else {
            follow(&lorestan, path, next.into_iter().chain(["suspended", "terminated"]).collect()).await;
            enter(&lorestan, path, "suspended").await;
            follow(&lorestan, path, vec![state, "terminated"]).await;
            enter(&lorestan, path, state).await;
        }
    }
}

async fn every_live_project_can_be_terminated(service: &Service) {
    let lorestan = service.login("lorestan").await;
    // One after the other in one cluster: what is terminated is not live any more.
    for (turn, state) in LIFE.into_iter().filter(|state| !CALM.contains(state)).enumerate() {
        let created = project(&lorestan, "زیتون", json!({})).await;
        service.put_in_state("project", created.id(), state).await;
        if turn % 2 == 0 {
            enter(&lorestan, created.header("location"), "suspended").await;
        }
        enter(&lorestan, created.header("location"), "terminated").await;
        follow(&lorestan, created.header("location"), vec![]).await;
    }
}

async fn a_change_of_state_has_its_reason_and_its_day(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let created = ready(service, &lorestan, "زیتون").await;
    let path = created.header("location");
    let bare = lorestan
        .send(lorestan.request(Method::POST, &format!("{path}/transitions")).json(&json!({"to": "approved"})))
        .await;
    assert_eq!((bare.status, bare.code()), (428, "precondition_required"));
    let decision = decision(&lorestan, json!({})).await;
    let approval = |on: &str| json!({"to": "approved", "effective_on": on, "decision_id": decision.id()});
    let undecided = lorestan.transition(path, created.etag(), json!({"to": "approved"})).await;
    assert_eq!((undecided.status, undecided.errors()), (422, vec![("/decision_id", "required")]));
    let unknown = json!({"to": "approved", "decision_id": created.id()});
    assert_eq!(
        lorestan.transition(path, created.etag(), unknown).await.errors(),
        [("/decision_id", "unknown_record")]
    );
    let approved = lorestan.transition(path, created.etag(), approval("2015-06-01")).await;
    assert_eq!((approved.status, &approved.body["version"]), (200, &json!(2)), "{}", approved.text);
    for (to, on, errors) in [
        ("suspended", "2015-06-01", vec![("/reason", "required")]),
        ("terminated", "2015-06-01", vec![("/decision_id", "required"), ("/reason", "required")]),
        ("suspended", "2015-05-31", vec![("/effective_on", "too_early"), ("/reason", "required")]),
        ("suspended", "2999-01-01", vec![("/effective_on", "in_future"), ("/reason", "required")]),
    ] {
        let refused = lorestan.transition(path, approved.etag(), json!({"to": to, "effective_on": on})).await;
        assert_eq!((refused.status, refused.errors()), (422, errors), "{to} on {on}");
    }
    let early = lorestan
        .transition(path, approved.etag(), json!({"to": "contracted", "effective_on": "2015-05-31"}))
        .await;
    assert_eq!(
        (early.status, early.code(), early.errors()),
        (409, "requirements_missing", vec![("/effective_on", "too_early")]),
        "all at once"
    );
    assert_eq!(
        lorestan.transition(path, created.etag(), json!({"to": "suspended", "reason": "x"})).await.code(),
        "stale_version"
    );
    assert_eq!(lorestan.get(path).await.body, approved.body, "nothing is half done");
    let same_day = json!({"to": "suspended", "effective_on": "1394-03-11", "reason": "سیل"});
    let request = lorestan
        .request(Method::POST, &format!("{path}/transitions?calendar=persian"))
        .header("if-match", approved.etag());
    assert_eq!(
        lorestan.send(request.json(&same_day)).await.body["state"],
        "suspended",
        "1394-03-11 is 2015-06-01"
    );
}

/// A draft with a budget, of a cluster that was found feasible.
async fn ready(service: &Service, client: &Client, cluster: &str) -> Answer {
    service.put_in_state("cluster", client.cluster_named(cluster).await.id(), "feasible").await;
    project(client, cluster, json!({"budget": [{"line": "cda_fee", "amount_irr": "1"}]})).await
}

async fn a_cluster_has_one_live_project(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let cluster = format!("{CLUSTERS}/{}", lorestan.cluster_named("عسل").await.id());
    let (first, second) = (ready(service, &lorestan, "عسل").await, ready(service, &lorestan, "عسل").await);
    let third = ready(service, &lorestan, "زیتون").await;
    enter(&lorestan, third.header("location"), "approved").await;
    let before = lorestan.get(&cluster).await;
    assert_eq!(before.body["current_project"], Value::Null, "a draft is not live");
    for state in ["approved", "contracted", "suspended"] {
        match state {
            "contracted" => service.put_in_state("project", first.id(), state).await,
            _ => drop(enter(&lorestan, first.header("location"), state).await),
        }
        let shown =
            json!({"id": first.id(), "code": first.body["code"], "title_fa": "توسعهٔ عسل", "state": state});
        let now = lorestan
            .send(lorestan.request(Method::GET, &cluster).header("if-none-match", before.etag()))
            .await;
        assert_eq!((now.status, &now.body["current_project"]), (200, &shown));
        let listed = lorestan.get(&format!("{CLUSTERS}?q=honey")).await;
        assert_eq!(listed.body["items"][0]["current_project"], shown);
        let decision = decision(&lorestan, json!({})).await;
        let refused = lorestan
            .transition(
                second.header("location"),
                "*",
                json!({"to": "approved", "decision_id": decision.id()}),
            )
            .await;
        assert_eq!((refused.status, refused.missing()), (409, vec!["live_project"]), "{}", refused.text);
        let moved = lorestan
            .patch(third.header("location"), "*", json!({"cluster_id": first.body["cluster_id"]}))
            .await;
        assert_eq!(
            (moved.status, moved.errors()),
            (409, vec![("/cluster_id", "live_project")]),
            "{}",
            moved.text
        );
    }
    enter(&lorestan, first.header("location"), "terminated").await;
    assert_eq!(lorestan.get(&cluster).await.body["current_project"], Value::Null);
    enter(&lorestan, second.header("location"), "approved").await;
    service.put_in_state("project", second.id(), "closed").await;
    assert_eq!(
        lorestan.get(&cluster).await.body["current_project"],
        Value::Null,
        "a closed project is not live"
    );
}

async fn of_eight_projects_one_is_approved(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let mut drafts = Vec::new();
    for _ in 0..8 {
        drafts.push(ready(service, &lorestan, "زیتون").await);
    }
    let decision = decision(&lorestan, json!({})).await;
    let approve = |draft: &Answer| {
        let (client, path, etag) =
            (lorestan.clone(), draft.header("location").to_owned(), draft.etag().to_owned());
        let body = json!({"to": "approved", "decision_id": decision.id()});
        async move { client.transition(&path, &etag, body).await }
    };
    let answers = join_all(drafts.iter().map(approve)).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(won.len(), 1);
    assert!(
        lost.iter().all(|answer| answer.status == 503 || answer.missing() == ["live_project"]),
        "{lost:?}"
    );
    assert_eq!(lorestan.get(&format!("{PROJECTS}?state=approved")).await.items("id").len(), 1);
}

/// One of several writers has this status; the others are refused for the reason, or sent away for a moment.
pub fn one_wins(answers: &[Answer], status: u16, code: &str, error: (&str, &str)) {
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == status);
    assert_eq!(
        won.len(),
        1,
        "{:?}",
        answers.iter().map(|answer| (answer.status, answer.code())).collect::<Vec<_>>()
    );
    for answer in lost {
        let is_busy = answer.status == 503 && !answer.header("retry-after").is_empty();
        assert!(is_busy || (answer.code(), answer.errors()) == (code, vec![error]), "{}", answer.text);
    }
}

async fn a_cluster_stays_where_its_project_is(service: &Service) {
    let isipo = service.login("isipo").await;
    let draft = ready(service, &isipo, "زیتون").await;
    let cluster = format!("{CLUSTERS}/{}", isipo.cluster_named("زیتون").await.id());
    let stays = async || {
        let deleted = isipo.delete(&cluster, "*").await;
        assert_eq!(
            (deleted.status, deleted.code(), &deleted.body["referred_by"]),
            (409, "still_referred_to", &json!(["project"]))
        );
        let moved = isipo.patch(&cluster, "*", json!({"province": "IR-08"})).await;
        assert_eq!((moved.status, moved.code()), (409, "moved_away"));
    };
    stays().await;
    enter(&isipo, draft.header("location"), "approved").await;
    stays().await;
    assert_eq!(isipo.delete(draft.header("location"), "*").await.status, 204);
    let moved = isipo.patch(&cluster, "*", json!({"province": "IR-08"})).await;
    assert_eq!(
        (moved.status, moved.code()),
        (409, "moved_away"),
        "what it had there stays in the history of the province"
    );
    assert_eq!(isipo.delete(&cluster, "*").await.status, 204);
}
