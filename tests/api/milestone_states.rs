//! The states of a milestone: what follows what, by whom, and what is accepted.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    milestones::{MILESTONES, milestone},
    on_both,
    projects::{implementing, made, stone},
    support::{Answer, Client, Service},
};

on_both!(
    every_state_of_a_milestone_leads_where_the_domain_says,
    each_role_does_its_part_and_no_more,
    only_those_who_are_assigned_today_write,
    nobody_accepts_their_own_work,
    a_part_of_a_milestone_can_be_accepted,
    a_milestone_changes_its_state_for_a_reason_and_on_a_day,
    a_repeated_acceptance_is_answered_as_at_first,
    a_change_of_state_needs_the_version_that_was_seen,
);

const STATES: [&str; 6] = ["planned", "in_progress", "submitted", "accepted", "returned", "cancelled"];
/// What leads to each state, and what may follow. Cancelled only by a re-baseline.
const TABLE: [(&[&str], &[&str]); 5] = [
    (&[], &["in_progress"]),
    (&["in_progress"], &["submitted"]),
    (&["in_progress", "submitted"], &["accepted", "returned"]),
    (&["in_progress", "submitted", "accepted"], &["in_progress"]),
    (&["in_progress", "submitted", "returned"], &["in_progress"]),
];

async fn enter(client: &Client, path: &str, to: &str) -> Answer {
    client.transition(path, "*", json!({"to": to, "reason": "بررسی شد"})).await
}

/// A new milestone under a project that a national manager brings through these states.
pub async fn brought(isipo: &Client, project: &str, states: &[&str]) -> Answer {
    let created = made(
        isipo,
        &format!("{project}/milestones"),
        milestone(json!({"phase": "trust_building", "weight_bp": 0})),
    )
    .await;
    for state in states {
        assert_eq!(enter(isipo, created.header("location"), state).await.status, 200, "{state}");
    }
    isipo.get(created.header("location")).await
}

fn path(milestone: &Answer) -> String {
    format!("{MILESTONES}/{}", milestone.id())
}

async fn every_state_of_a_milestone_leads_where_the_domain_says(service: &Service) {
    let isipo = service.login("isipo").await;
    let project = implementing(service, &isipo, "زیتون").await;
    for (way, next) in TABLE {
        let now = brought(&isipo, project.header("location"), way).await;
        let shown: Vec<&str> = now.body["allowed_transitions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|to| to["to"].as_str().unwrap())
            .collect();
        assert_eq!(shown, next, "{}", now.body["state"]);
        for to in STATES.into_iter().filter(|to| !next.contains(to)) {
            let refused = enter(&isipo, &path(&now), to).await;
            assert_eq!(
                (refused.status, refused.code(), &refused.body["allowed"]),
                (409, "transition_not_allowed", &json!(next)),
                "{to}"
            );
        }
        assert_eq!(isipo.get(&path(&now)).await.body, now.body, "nothing has happened");
        for to in next {
            let now = brought(&isipo, project.header("location"), way).await;
            assert_eq!(enter(&isipo, &path(&now), to).await.body["state"], **to);
        }
    }
    let dead = isipo
        .transition(
            &path(&brought(&isipo, project.header("location"), &[]).await),
            "*",
            json!({"to": "dead"}),
        )
        .await;
    assert_eq!((dead.status, dead.errors()), (422, vec![("/to", "not_in_list")]));
}

/// The CDA begins and submits, the supervisor accepts and returns, managers do both; only the nation reopens.
async fn each_role_does_its_part_and_no_more(service: &Service) {
    let isipo = service.login("isipo").await;
    let (assigned, other) = (stone(&isipo).await, implementing(service, &isipo, "زیتون").await);
    let other = other.header("location");
    let steps: [(&str, &[&str]); 5] = [
        ("in_progress", &[]),
        ("submitted", &["in_progress"]),
        ("accepted", &["in_progress", "submitted"]),
        ("returned", &["in_progress", "submitted"]),
        ("in_progress", &["in_progress", "submitted", "accepted"]),
    ];
    let [yes, forbidden, not_assigned, nowhere] =
        [(200, ""), (403, "forbidden"), (403, "not_assigned"), (404, "not_found")];
    for (who, project, expected) in [
        ("cda", assigned.as_str(), [yes, yes, forbidden, forbidden, forbidden]),
        ("cda", other, [not_assigned; 5]),
        ("supervisor", assigned.as_str(), [forbidden, forbidden, yes, yes, forbidden]),
        ("supervisor", other, [not_assigned; 5]),
        ("lorestan", other, [yes, yes, yes, yes, forbidden]),
        ("integrator", other, [yes, yes, yes, yes, forbidden]),
        ("isipo", other, [yes; 5]),
        ("admin", other, [yes; 5]),
        ("ministry", other, [forbidden; 5]),
        ("lorestan-viewer", assigned.as_str(), [forbidden; 5]),
        ("kerman", assigned.as_str(), [nowhere; 5]),
    ] {
        let client =
            if who == "integrator" { service.login_integrator().await } else { service.login(who).await };
        for ((to, way), expected) in steps.into_iter().zip(expected) {
            let before = brought(&isipo, project, way).await;
            let answer = enter(&client, &path(&before), to).await;
            assert_eq!((answer.status, answer.code()), expected, "{who}: {} to {to}", before.body["state"]);
            let now = if expected == yes { json!(to) } else { before.body["state"].clone() };
            assert_eq!(isipo.get(&path(&before)).await.body["state"], now);
        }
    }
}

async fn only_those_who_are_assigned_today_write(service: &Service) {
    let (isipo, cda, supervisor) =
        (service.login("isipo").await, service.login("cda").await, service.login("supervisor").await);
    let (assigned, other) = (stone(&isipo).await, implementing(service, &isipo, "زیتون").await);
    let theirs = brought(&isipo, other.header("location"), &[]).await;
    let input = milestone(json!({"phase": "trust_building", "weight_bp": 0}));
    let own = made(&cda, &format!("{assigned}/milestones"), input.clone()).await;
    let renamed = cda.patch(own.header("location"), own.etag(), json!({"title_fa": "نامی دیگر"})).await;
    assert_eq!(renamed.status, 200, "{}", renamed.text);
    for refused in [
        cda.post(&format!("{}/milestones", other.header("location")), input.clone()).await,
        cda.post(MILESTONES, milestone(json!({"project_id": other.id()}))).await,
        cda.patch(&path(&theirs), "*", json!({"title_en": "x"})).await,
        cda.delete(&path(&theirs), "*").await,
    ] {
        assert_eq!((refused.status, refused.code()), (403, "not_assigned"), "{}", refused.text);
    }
    let created = supervisor.post(&format!("{assigned}/milestones"), input.clone()).await;
    assert_eq!(
        (created.status, created.code()),
        (403, "forbidden"),
        "a supervisor reviews, and does not write"
    );

    let submitted = brought(&isipo, &assigned, &["in_progress", "submitted"]).await;
    for (part, until, status) in [
        ("assignments", "2017-01-01", 403),
        ("supervisions", "2017-01-01", 403),
        ("assignments", "2999-01-01", 200),
    ] {
        let id = isipo.get(&format!("{assigned}/{part}")).await.items("id")[0].to_owned();
        let changed = isipo.patch(&format!("{assigned}/{part}/{id}"), "*", json!({"valid_to": until})).await;
        assert_eq!(changed.status, 200, "{}", changed.text);
        let answer = match part {
            "assignments" => cda.patch(own.header("location"), "*", json!({"title_fa": "نام"})).await,
            _ => enter(&supervisor, &path(&submitted), "accepted").await,
        };
        let code = if status == 403 { "not_assigned" } else { "" };
        assert_eq!((answer.status, answer.code()), (status, code), "{part} until {until}");
    }
    assert_eq!(cda.delete(own.header("location"), "*").await.status, 204);
}

/// Somebody who was the CDA of a project and now supervises it does not accept what was his own work.
async fn nobody_accepts_their_own_work(service: &Service) {
    let (admin, isipo, cda) =
        (service.login("admin").await, service.login("isipo").await, service.login("cda").await);
    let project = stone(&isipo).await;
    let [own, others] = [
        brought(&isipo, &project, &["in_progress"]).await,
        brought(&isipo, &project, &["in_progress", "submitted"]).await,
    ];
    assert_eq!(enter(&cda, &path(&own), "submitted").await.status, 200);
    let account = cda.get("/api/v1/auth/me").await;
    let user = format!("/api/v1/users/{}", account.id());
    let changed = admin.patch(&user, "*", json!({"role": "supervisor", "cda_id": null})).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let supervision = json!({"kind": "technical", "account_id": account.id(), "valid_from": "2016-01-01"});
    made(&isipo, &format!("{project}/supervisions"), supervision).await;
    let supervisor = service.login("cda").await;
    let refused = enter(&supervisor, &path(&own), "accepted").await;
    assert_eq!((refused.status, refused.code()), (403, "forbidden"), "{}", refused.text);
    assert!(refused.body["detail"].as_str().unwrap().contains("yourself"), "{}", refused.text);
    assert_eq!(isipo.get(&path(&own)).await.body["state"], "submitted");
    assert_eq!(
        enter(&supervisor, &path(&others), "accepted").await.status,
        200,
        "what somebody else has submitted"
    );
}

async fn a_part_of_a_milestone_can_be_accepted(service: &Service) {
    let (isipo, lorestan) = (service.login("isipo").await, service.login("lorestan").await);
    let project = implementing(service, &isipo, "زیتون").await;
    let submitted = brought(&isipo, project.header("location"), &["in_progress", "submitted"]).await;
    let today = lorestan.get(&path(&submitted)).await;
    for (to, fraction, error) in [
        ("accepted", json!(0), "too_small"),
        ("accepted", json!(10_001), "too_large"),
        ("accepted", json!("80%"), "wrong_type"),
        ("returned", json!(8_000), "not_applicable"),
    ] {
        let refused = lorestan
            .transition(
                &path(&submitted),
                "*",
                json!({"to": to, "reason": "x", "accepted_fraction_bp": fraction}),
            )
            .await;
        assert_eq!((refused.status, refused.errors()), (422, vec![("/accepted_fraction_bp", error)]));
    }
    assert_eq!(lorestan.get(&path(&submitted)).await.body, today.body);
    let accepted =
        |answer: &Answer| (answer.body["accepted_fraction_bp"].clone(), answer.body["accepted_on"].clone());
    for (given, kept) in
        [(Value::Null, 10_000), (json!(8_000), 8_000), (json!(1), 1), (json!(10_000), 10_000)]
    {
        let submitted = brought(&isipo, project.header("location"), &["in_progress", "submitted"]).await;
        let mut body = json!({"to": "accepted"});
        if !given.is_null() {
            body["accepted_fraction_bp"] = given;
        }
        let now = lorestan.transition(&path(&submitted), submitted.etag(), body).await;
        let day = khoosheh::persian::Date::today_in_iran().naive().to_string();
        assert_eq!(accepted(&now), (json!(kept), json!(day)), "{}", now.text);
        let reopened = enter(&isipo, &path(&submitted), "in_progress").await;
        assert_eq!(accepted(&reopened), (json!(0), Value::Null));
    }
}

async fn a_milestone_changes_its_state_for_a_reason_and_on_a_day(service: &Service) {
    let isipo = service.login("isipo").await;
    let project = implementing(service, &isipo, "زیتون").await;
    let one = brought(&isipo, project.header("location"), &[]).await;
    let enter = async |to: &str, on: &str, reason: Option<&str>| {
        let request = isipo
            .request(Method::POST, &format!("{}/transitions?calendar=persian", path(&one)))
            .header("if-match", "*");
        isipo.send(request.json(&json!({"to": to, "effective_on": on, "reason": reason}))).await
    };
    for (to, on, reason, errors) in [
        ("in_progress", "1394-01-15", None, vec![]),
        ("submitted", "1394-01-14", None, vec![("/effective_on", "too_early")]),
        ("submitted", "1900-01-01", None, vec![("/effective_on", "in_future")]),
        ("submitted", "1394-01-15", None, vec![]),
        ("returned", "1394-02-01", None, vec![("/reason", "required")]),
        ("returned", "1900-01-01", None, vec![("/effective_on", "in_future"), ("/reason", "required")]),
        ("returned", "1394-02-01", Some("ناقص"), vec![]),
        ("in_progress", "1394-01-31", None, vec![("/effective_on", "too_early")]),
        ("in_progress", "1394-02-01", None, vec![]),
        ("submitted", "1394-03-31", None, vec![]),
        ("accepted", "1394-03-31", None, vec![]),
        ("in_progress", "1394-04-01", None, vec![("/reason", "required")]),
        ("in_progress", "1394-04-01", Some("شکایت"), vec![]),
    ] {
        let answer = enter(to, on, reason).await;
        let expected = if errors.is_empty() { 200 } else { 422 };
        assert_eq!((answer.status, answer.errors()), (expected, errors), "{to} on {on}: {}", answer.text);
        if answer.status == 200 {
            let accepted_on = if to == "accepted" { json!(on) } else { Value::Null };
            assert_eq!((&answer.body["state"], &answer.body["accepted_on"]), (&json!(to), &accepted_on));
        }
    }
}

/// A connection drops after the request: it is sent once more, by then with a stale version.
async fn a_repeated_acceptance_is_answered_as_at_first(service: &Service) {
    let isipo = service.login("isipo").await;
    let project = implementing(service, &isipo, "زیتون").await;
    for (way, body) in [
        (&["in_progress"][..], json!({"to": "submitted"})),
        (&["in_progress", "submitted"], json!({"to": "returned", "reason": "ناقص"})),
        (&["in_progress", "submitted"], json!({"to": "accepted", "accepted_fraction_bp": 8_000})),
    ] {
        let before = brought(&isipo, project.header("location"), way).await;
        let send = || {
            let request = isipo
                .request(Method::POST, &format!("{}/transitions", path(&before)))
                .header("if-match", before.etag());
            isipo.send(request.header("idempotency-key", before.id()).json(&body))
        };
        let first = send().await;
        assert_eq!((first.status, first.header("idempotency-replayed")), (200, ""), "{}", first.text);
        let again = send().await;
        assert_eq!(
            (again.status, again.header("idempotency-replayed"), &again.text),
            (200, "true", &first.text),
            "{body}"
        );
        let history = isipo.get(&format!("{}/history", path(&before))).await;
        assert_eq!(history.items("kind").len(), way.len() + 2, "it happened once");
    }
}

async fn a_change_of_state_needs_the_version_that_was_seen(service: &Service) {
    let isipo = service.login("isipo").await;
    let accepted = brought(&isipo, &stone(&isipo).await, &["in_progress", "submitted", "accepted"]).await;
    let bare = isipo.request(Method::POST, &format!("{}/transitions", path(&accepted)));
    let bare = isipo.send(bare.json(&json!({"to": "in_progress", "reason": "شکایت"}))).await;
    assert_eq!((bare.status, bare.code()), (428, "precondition_required"));
    for body in [json!({"to": "in_progress", "reason": "شکایت"}), json!({"to": "accepted"})] {
        let stale = isipo.transition(&path(&accepted), "\"1\"", body.clone()).await;
        assert_eq!((stale.status, stale.code()), (412, "stale_version"), "{body}");
    }
    assert_eq!(isipo.get(&path(&accepted)).await.body, accepted.body);
}
