//! The states of a project, and the one project that is live in a cluster.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    clusters::CLUSTERS,
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
const LIFE: [&str; 9] = ["draft", "approved", "contracted", "diagnostic", "planning", "implementing", "evaluating", "handed_over", "closed"];

/// The project says that these states may follow, and refuses every other.
async fn follow(client: &Client, path: &str, mut next: Vec<&str>) {
    let of = |list: &Value| {
        let mut names: Vec<_> = list.as_array().unwrap().iter().map(|to| to.get("to").unwrap_or(to).as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    next.sort_unstable();
    let now = client.get(path).await;
    assert_eq!(of(&now.body["allowed_transitions"]), next, "{}", now.body["state"]);
    for to in LIFE.into_iter().chain(["suspended", "terminated"]).filter(|to| !next.contains(to)) {
        let refused = client.transition(path, now.etag(), json!({"to": to, "reason": "x"})).await;
        assert_eq!((refused.status, refused.code()), (409, "transition_not_allowed"), "{} to {to}", now.body["state"]);
        assert_eq!(of(&refused.body["allowed"]), next);
    }
}

async fn every_state_leads_where_the_domain_says(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let created = project(&lorestan, "زیتون", json!({})).await;
    let path = created.header("location");
    for (state, next) in LIFE.into_iter().zip(LIFE.into_iter().skip(1).map(Some).chain([None])) {
        if CALM.contains(&state) {
            follow(&lorestan, path, next.into_iter().collect()).await;
        } else {
            follow(&lorestan, path, next.into_iter().chain(["suspended", "terminated"]).collect()).await;
            enter(&lorestan, path, "suspended").await;
            follow(&lorestan, path, vec![state, "terminated"]).await;
            enter(&lorestan, path, state).await;
        }
        if let Some(next) = next {
            enter(&lorestan, path, next).await;
        }
    }
}

async fn every_live_project_can_be_terminated(service: &Service) {
    let lorestan = service.login("lorestan").await;
    // One after the other in one cluster: what is terminated is not live any more.
    for stations in 2..LIFE.len() {
        let created = project(&lorestan, "زیتون", json!({})).await;
        for state in &LIFE[1..stations] {
            enter(&lorestan, created.header("location"), state).await;
        }
        if stations % 2 == 0 {
            enter(&lorestan, created.header("location"), "suspended").await;
        }
        enter(&lorestan, created.header("location"), "terminated").await;
        follow(&lorestan, created.header("location"), vec![]).await;
    }
}

async fn a_change_of_state_has_its_reason_and_its_day(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let created = project(&lorestan, "زیتون", json!({})).await;
    let path = created.header("location");
    let bare = lorestan.send(lorestan.request(Method::POST, &format!("{path}/transitions")).json(&json!({"to": "approved"}))).await;
    assert_eq!((bare.status, bare.code()), (428, "precondition_required"));
    let approved = lorestan.transition(path, created.etag(), json!({"to": "approved", "effective_on": "2015-06-01"})).await;
    assert_eq!((approved.status, &approved.body["version"]), (200, &json!(2)), "{}", approved.text);
    for (to, on, errors) in [
        ("suspended", "2015-06-01", vec![("/reason", "required")]),
        ("terminated", "2015-06-01", vec![("/reason", "required")]),
        ("contracted", "2015-05-31", vec![("/effective_on", "too_early")]),
        ("contracted", "2999-01-01", vec![("/effective_on", "in_future")]),
        ("suspended", "2999-01-01", vec![("/effective_on", "in_future"), ("/reason", "required")]),
    ] {
        let refused = lorestan.transition(path, approved.etag(), json!({"to": to, "effective_on": on})).await;
        assert_eq!((refused.status, refused.errors()), (422, errors), "{to} on {on}");
    }
    assert_eq!(lorestan.transition(path, created.etag(), json!({"to": "contracted"})).await.code(), "stale_version");
    assert_eq!(lorestan.get(path).await.body, approved.body, "nothing is half done");
    let same_day = json!({"to": "contracted", "effective_on": "1394-03-11"});
    let request = lorestan.request(Method::POST, &format!("{path}/transitions?calendar=persian")).header("if-match", approved.etag());
    assert_eq!(lorestan.send(request.json(&same_day)).await.body["state"], "contracted", "1394-03-11 is 2015-06-01");
}

async fn a_cluster_has_one_live_project(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let cluster = format!("{CLUSTERS}/{}", lorestan.cluster_named("عسل").await.id());
    let first = project(&lorestan, "عسل", json!({})).await;
    let second = project(&lorestan, "عسل", json!({})).await;
    let third = project(&lorestan, "زیتون", json!({})).await;
    enter(&lorestan, third.header("location"), "approved").await;
    let before = lorestan.get(&cluster).await;
    assert_eq!(before.body["current_project"], Value::Null, "a draft is not live");
    for state in ["approved", "contracted", "suspended"] {
        enter(&lorestan, first.header("location"), state).await;
        let shown = json!({"id": first.id(), "code": first.body["code"], "title_fa": "توسعهٔ عسل", "state": state});
        let now = lorestan.send(lorestan.request(Method::GET, &cluster).header("if-none-match", before.etag())).await;
        assert_eq!((now.status, &now.body["current_project"]), (200, &shown));
        let listed = lorestan.get(&format!("{CLUSTERS}?q=honey")).await;
        assert_eq!(listed.body["items"][0]["current_project"], shown);
        let moved = json!({"cluster_id": first.body["cluster_id"]});
        for refused in [
            lorestan.transition(second.header("location"), "*", json!({"to": "approved"})).await,
            lorestan.patch(third.header("location"), "*", moved).await,
        ] {
            assert_eq!((refused.status, refused.errors()), (409, vec![("/cluster_id", "live_project")]), "{}", refused.text);
        }
    }
    enter(&lorestan, first.header("location"), "terminated").await;
    assert_eq!(lorestan.get(&cluster).await.body["current_project"], Value::Null);
    for state in &LIFE[1..] {
        enter(&lorestan, second.header("location"), state).await;
    }
    assert_eq!(lorestan.get(&cluster).await.body["current_project"], Value::Null, "a closed project is not live");
}

async fn of_eight_projects_one_is_approved(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let mut drafts = Vec::new();
    for _ in 0..8 {
        drafts.push(project(&lorestan, "زیتون", json!({})).await);
    }
    let approve = |draft: &Answer| {
        let (client, path, etag) = (lorestan.clone(), draft.header("location").to_owned(), draft.etag().to_owned());
        async move { client.transition(&path, &etag, json!({"to": "approved"})).await }
    };
    let answers = join_all(drafts.iter().map(approve)).await;
    one_wins(&answers, 200, "duplicate", ("/cluster_id", "live_project"));
    assert_eq!(lorestan.get(&format!("{PROJECTS}?state=approved")).await.items("id").len(), 1);
}

/// One of several writers has this status; the others are refused for the reason, or sent away for a moment.
pub fn one_wins(answers: &[Answer], status: u16, code: &str, error: (&str, &str)) {
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == status);
    assert_eq!(won.len(), 1, "{:?}", answers.iter().map(|answer| (answer.status, answer.code())).collect::<Vec<_>>());
    for answer in lost {
        let is_busy = answer.status == 503 && !answer.header("retry-after").is_empty();
        assert!(is_busy || (answer.code(), answer.errors()) == (code, vec![error]), "{}", answer.text);
    }
}

async fn a_cluster_stays_where_its_project_is(service: &Service) {
    let isipo = service.login("isipo").await;
    let draft = project(&isipo, "زیتون", json!({})).await;
    let cluster = format!("{CLUSTERS}/{}", isipo.cluster_named("زیتون").await.id());
    let stays = async || {
        let deleted = isipo.delete(&cluster, "*").await;
        assert_eq!((deleted.status, deleted.code(), &deleted.body["referred_by"]), (409, "still_referred_to", &json!(["project"])));
        let moved = isipo.patch(&cluster, "*", json!({"province": "IR-08"})).await;
        assert_eq!((moved.status, moved.code()), (409, "moved_away"));
    };
    stays().await;
    enter(&isipo, draft.header("location"), "approved").await;
    stays().await;
    assert_eq!(isipo.delete(draft.header("location"), "*").await.status, 204);
    let moved = isipo.patch(&cluster, "*", json!({"province": "IR-08"})).await;
    assert_eq!((moved.status, moved.code()), (409, "moved_away"), "what it had there stays in the history of the province");
    assert_eq!(isipo.delete(&cluster, "*").await.status, 204);
}
