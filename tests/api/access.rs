//! Who may call what, and what exists for whom: swept over every operation of the document.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    on_both,
    support::{Client, Service},
    sweep::{Operation, Records, operations},
};

/// The role table of `domain.md` by hand: account, role, province, and what the role may do.
const ACCOUNTS: [(&str, &str, Option<&str>, &[&str]); 9] = [
    ("admin", "national_admin", None, &["reference:read", "clusters:read", "clusters:write", "reports:read", "users:manage"]),
    ("isipo", "national_manager", None, &["reference:read", "clusters:read", "clusters:write", "reports:read"]),
    ("ministry", "national_viewer", None, &["reference:read", "clusters:read", "reports:read"]),
    ("lorestan", "provincial_manager", Some("IR-15"), &["reference:read", "clusters:read", "clusters:write", "reports:read"]),
    ("kerman", "provincial_manager", Some("IR-08"), &["reference:read", "clusters:read", "clusters:write", "reports:read"]),
    ("lorestan-viewer", "provincial_viewer", Some("IR-15"), &["reference:read", "clusters:read", "reports:read"]),
    ("supervisor", "supervisor", Some("IR-15"), &["reference:read", "clusters:read", "reports:read"]),
    ("cda", "cda", Some("IR-15"), &["reference:read", "clusters:read", "reports:read"]),
    ("integrator", "integrator", Some("IR-15"), &["reference:read", "clusters:read", "clusters:write", "reports:read"]),
];

/// What every guarded operation needs; nothing but a valid token where it is empty.
const NEEDS: [(&str, &[&str]); 6] = [
    ("", &["get_me", "change_password"]),
    ("reference:read", &["list_provinces", "get_province", "list_industries", "get_industry"]),
    ("clusters:read", &["list_clusters", "get_cluster", "get_cluster_by_reference", "get_cluster_history", "list_claims", "get_claim"]),
    (
        "clusters:write",
        &[
            "create_cluster",
            "put_cluster_by_reference",
            "update_cluster",
            "delete_cluster",
            "transition_cluster",
            "create_claim",
            "update_claim",
            "delete_claim",
        ],
    ),
    ("reports:read", &["list_reports", "get_identified_clusters"]),
    ("users:manage", &["list_users", "create_user", "get_user", "update_user", "delete_user", "get_user_history"]),
];

/// What anybody may call.
const PUBLIC: [&str; 10] = [
    "create_token",
    "revoke_token",
    "list_signing_keys",
    "get_authorization_server",
    "get_liveness",
    "get_readiness",
    "get_metrics",
    "get_openapi_document",
    "list_problem_kinds",
    "get_problem_kind",
];

#[test]
fn the_tables_cover_every_operation() {
    let ids = |guarded: bool| operations().iter().filter(|o| o.is_guarded() == guarded).map(Operation::id).collect::<BTreeSet<_>>();
    assert_eq!(ids(true), NEEDS.iter().flat_map(|(_, ids)| ids.iter().copied()).collect(), "say in NEEDS what a new operation needs");
    assert_eq!(ids(false), PUBLIC.into_iter().collect(), "say in PUBLIC what anybody may call");
}

#[test]
fn the_document_names_the_roles() {
    for operation in operations().iter().filter(|operation| operation.is_guarded()) {
        let holders = ACCOUNTS.iter().filter(|(.., held)| may(held, operation.id())).map(|(_, role, ..)| *role).collect::<BTreeSet<_>>();
        let all = BTreeSet::from(["every role"]);
        let documented = operation.document["x-roles"].as_array().unwrap().iter().map(|role| role.as_str().unwrap()).collect::<BTreeSet<_>>();
        assert_eq!(documented, if needs(operation.id()).is_empty() { all } else { holders }, "{}", operation.id());
    }
}

fn needs(id: &str) -> &'static str {
    NEEDS.iter().find(|(_, ids)| ids.contains(&id)).unwrap_or_else(|| panic!("{id} is not in NEEDS")).0
}

fn may(held: &[&str], id: &str) -> bool {
    needs(id).is_empty() || held.contains(&needs(id))
}

on_both!(
    nobody_is_asked_for_a_token,
    every_role_may_do_what_the_table_says,
    what_lies_elsewhere_does_not_exist,
    what_lies_elsewhere_is_not_listed,
    nobody_writes_into_another_province,
    a_key_of_somebody_else_opens_nothing,
);

async fn nobody_is_asked_for_a_token(service: &Service) {
    let records = Records::make(service, "IR-15").await;
    let nobody = service.anonymous();
    for operation in operations().iter().filter(|operation| operation.is_guarded()) {
        let path = operation.path_to(&records);
        for (client, challenge) in
            [(nobody.clone(), "Bearer realm=\"khoosheh\""), (nobody.with_token("nonsense"), "Bearer realm=\"khoosheh\", error=\"invalid_token\"")]
        {
            // Neither a bad query nor a bad body is looked at before the token.
            let request = operation.request(&client, &format!("{path}?surprise=1"), "\"1\"").body("{");
            let answer = client.send(request).await;
            assert_eq!((answer.status, answer.code()), (401, "unauthenticated"), "{}: {}", operation.id(), answer.text);
            assert_eq!(answer.header("www-authenticate"), challenge, "{}", operation.id());
        }
    }
}

async fn every_role_may_do_what_the_table_says(service: &Service) {
    let (lorestan, kerman) = (Records::make(service, "IR-15").await, Records::make(service, "IR-08").await);
    for (account, role, province, held) in ACCOUNTS {
        let client = login(service, account).await;
        let me = client.get("/api/v1/auth/me").await;
        let permissions = me.body["permissions"].as_array().unwrap().iter().map(|p| p.as_str().unwrap()).collect::<BTreeSet<_>>();
        assert_eq!((&me.body["role"], &me.body["province"]), (&json!(role), &json!(province)));
        assert_eq!(permissions, held.iter().copied().collect(), "{account}");
        let records = if province == Some("IR-08") { &kerman } else { &lorestan };
        for operation in operations().iter().filter(|operation| operation.is_guarded()) {
            // An empty body and a version that never was: who may write is told so, and nothing is changed.
            let request = operation.request(&client, &operation.path_to(records), "\"999\"");
            let request = if operation.media_types().is_empty() { request } else { request.json(&json!({})) };
            let allowed = match operation.method {
                Method::GET => 200,
                Method::PATCH | Method::DELETE => 412,
                _ => 422,
            };
            let answer = client.send(request).await;
            let expected = if may(held, operation.id()) { allowed } else { 403 };
            assert_eq!(answer.status, expected, "{account} {}: {}", operation.id(), answer.text);
            assert!(answer.status != 403 || answer.code() == "forbidden", "{account} {}: {}", operation.id(), answer.text);
        }
    }
}

async fn what_lies_elsewhere_does_not_exist(service: &Service) {
    let (lorestan, kerman) = (Records::make(service, "IR-15").await, Records::make(service, "IR-08").await);
    let stranger = service.login("kerman").await;
    let owner = service.login("lorestan").await;
    let named =
        operations().into_iter().filter(|operation| operation.pattern.contains("/clusters/{id}") || operation.id() == "get_cluster_by_reference");
    for operation in named {
        let paths = [
            operation.path_to(&lorestan),
            // A claim does not exist under another cluster either, not even under one's own.
            operation.path_to(&Records {
                cluster: kerman.cluster.clone(),
                key: lorestan.key.clone(),
                claim: lorestan.claim.clone(),
                user: String::new(),
            }),
        ];
        let has_own_record = !operation.pattern.contains("{claim_id}") && operation.id() != "get_cluster_by_reference";
        for path in &paths[..if has_own_record { 1 } else { 2 }] {
            let request = operation.request(&stranger, path, "\"1\"");
            let answer = stranger.send(if operation.media_types().is_empty() { request } else { request.json(&good_body(&operation)) }).await;
            assert_eq!((answer.status, answer.code()), (404, "not_found"), "{} {path}: {}", operation.id(), answer.text);
            assert_eq!(answer.etag(), "", "{}: an ETag tells that something is there", operation.id());
        }
    }
    for path in [format!("/api/v1/clusters/{}", lorestan.cluster), format!("/api/v1/clusters/{}/claims/{}", lorestan.cluster, lorestan.claim)] {
        assert_eq!(owner.get(&path).await.etag(), "\"1\"", "nothing was changed");
    }
    // A tombstone and its history stay within the province as well.
    let path = format!("/api/v1/clusters/{}", lorestan.cluster);
    assert_eq!(owner.delete(&path, "\"1\"").await.status, 204);
    assert_eq!(stranger.delete(&path, "\"1\"").await.status, 404);
    assert_eq!(stranger.get(&format!("{path}/history")).await.status, 404);
    assert_eq!(owner.get(&format!("{path}/history")).await.items("kind"), ["created", "deleted"]);
}

/// A body with which the operation would succeed for somebody else.
fn good_body(operation: &Operation) -> Value {
    match operation.id() {
        "transition_cluster" => json!({"to": "identified"}),
        "update_cluster" => json!({"name_en": "Taken over"}),
        "create_claim" | "update_claim" => json!({"source_title": "Taken over"}),
        other => panic!("{other}: say here what a good body is"),
    }
}

async fn what_lies_elsewhere_is_not_listed(service: &Service) {
    let kerman = service.login("kerman").await;
    let moment = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let report = format!("/api/v1/reports/identified-clusters?as_of=2026-01-01&known_at={moment}");
    let lists = ["/api/v1/clusters?page_size=200", "/api/v1/reports/identified-clusters?as_of=2026-01-01", &report];
    for list in lists {
        let total = |client: Client| async move {
            let counted = if list.contains("/reports/") { list.to_owned() } else { format!("{list}&count=true") };
            let answer = client.get(&counted).await;
            assert_eq!(answer.body["items"].as_array().unwrap().len(), answer.body["total"], "{list}");
            let csv = client.get(&format!("{list}&format=csv")).await;
            assert_eq!(csv.text.lines().count(), answer.body["total"].as_u64().unwrap() as usize + 1, "{list}: {}", csv.text);
            answer.body["total"].as_u64().unwrap()
        };
        for (account, _, province, _) in ACCOUNTS {
            let seen = if province == Some("IR-08") { 0 } else { 11 };
            assert_eq!(total(login(service, account).await).await, seen, "{account} {list}");
        }
    }
    for filter in ["province=IR-15", "province=IR-15,IR-08", "q=سنگ", "state=candidate,identified,prioritised,in_development", "sort=-code", "isic=C"]
    {
        let found = kerman.get(&format!("/api/v1/clusters?{filter}&count=true")).await;
        assert_eq!((found.body["total"].as_u64(), &found.body["items"]), (Some(0), &json!([])), "{filter}");
    }
    // A page mark of somebody else opens nothing.
    let page = service.login("lorestan").await.get("/api/v1/clusters?page_size=1").await;
    let next = kerman.get(&format!("/api/v1/clusters?page_size=1&cursor={}", page.body["next_cursor"].as_str().unwrap())).await;
    assert!(next.status == 400 || next.body["items"] == json!([]), "{}", next.text);
}

async fn nobody_writes_into_another_province(service: &Service) {
    let own = Records::make(service, "IR-08").await;
    let foreign = Records::make(service, "IR-15").await;
    let kerman = service.login("kerman").await;
    let outside = json!({"province": "IR-15", "name_fa": "ورشو", "isic": [{"code": "2599"}]});
    let refused = |answer: crate::support::Answer| assert_eq!((answer.status, answer.code()), (403, "outside_scope"), "{}", answer.text);
    refused(kerman.post("/api/v1/clusters", outside.clone()).await);
    refused(kerman.put("/api/v1/clusters/by-ref/province-erp/new", outside.clone()).await);
    refused(kerman.put(&format!("/api/v1/clusters/by-ref/province-erp/{}", foreign.key), outside).await);
    refused(kerman.patch(&format!("/api/v1/clusters/{}", own.cluster), "\"1\"", json!({"province": "IR-15"})).await);
    // References are unique in the whole service: what is taken elsewhere can be neither seen nor taken.
    let taken = json!({"province": "IR-08", "name_fa": "ورشو", "isic": [{"code": "2599"}]});
    assert_eq!(kerman.put(&format!("/api/v1/clusters/by-ref/province-erp/{}", foreign.key), taken).await.code(), "duplicate");
    let count = service.login("lorestan").await.get("/api/v1/clusters?count=true").await;
    assert_eq!(count.body["total"], 12, "eleven and the one of this test");
    assert_eq!(kerman.get(&format!("/api/v1/clusters/{}", own.cluster)).await.etag(), "\"1\"");
}

async fn a_key_of_somebody_else_opens_nothing(service: &Service) {
    let body = json!({"province": "IR-15", "name_fa": "ورشو", "isic": [{"code": "2599"}]});
    let post = async |account: &str| {
        let client = service.login(account).await;
        let request = client.request(Method::POST, "/api/v1/clusters").header("idempotency-key", "shared").json(&body);
        client.send(request).await
    };
    assert_eq!(post("lorestan").await.status, 201);
    assert_eq!(post("kerman").await.code(), "outside_scope");
    assert_eq!(post("isipo").await.code(), "duplicate", "the key of another account is another key");
    assert_eq!(post("lorestan").await.header("idempotency-replayed"), "true");
}

async fn login(service: &Service, account: &str) -> Client {
    match account {
        "integrator" => service.login_integrator().await,
        person => service.login(person).await,
    }
}
