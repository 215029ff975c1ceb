//! Who is let in, and what exists for whom.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    on_both,
    roles::ACCOUNTS,
    support::{Answer, Service, moment},
    sweep::{Records, guarded, plural},
};

on_both!(
    nobody_is_asked_for_a_token,
    every_account_holds_what_the_table_says,
    what_lies_elsewhere_does_not_exist,
    what_lies_elsewhere_is_not_listed,
    nobody_counts_what_lies_elsewhere,
    nobody_writes_into_another_province,
    a_national_organisation_is_for_everybody_and_kept_by_the_nation,
    a_key_of_somebody_else_opens_nothing,
);

async fn nobody_is_asked_for_a_token(service: &Service) {
    let records = Records::make(service, "IR-15").await;
    let nobody = service.anonymous();
    for operation in guarded() {
        let path = operation.path_to(&records);
        for (client, challenge) in [
            (nobody.clone(), "Bearer realm=\"khoosheh\""),
            (nobody.with_token("nonsense"), "Bearer realm=\"khoosheh\", error=\"invalid_token\""),
        ] {
            // Neither a bad query nor a bad body is looked at before the token.
            let request = operation.request(&client, &format!("{path}?surprise=1"), "\"1\"").body("{");
            let answer = client.send(request).await;
            assert_eq!(
                (answer.status, answer.code()),
                (401, "unauthenticated"),
                "{}: {}",
                operation.id(),
                answer.text
            );
            assert_eq!(answer.header("www-authenticate"), challenge, "{}", operation.id());
        }
    }
}

/// The permissions of each account, as it is told them itself.
async fn every_account_holds_what_the_table_says(service: &Service) {
    for account in &ACCOUNTS {
        let me = account.login(service).await.get("/api/v1/auth/me").await;
        let permissions = me.body["permissions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| p.as_str().unwrap())
            .collect::<BTreeSet<_>>();
        assert_eq!(
            (&me.body["role"], &me.body["province"]),
            (&json!(account.role), &json!(account.province))
        );
        assert_eq!(permissions, account.permissions(), "{}", account.name);
    }
}

async fn what_lies_elsewhere_does_not_exist(service: &Service) {
    let (foreign, own, other) = (
        Records::make(service, "IR-15").await,
        Records::make(service, "IR-08").await,
        Records::make(service, "IR-08").await,
    );
    let (stranger, owner) = (service.login("kerman").await, service.login("lorestan").await);
    let is_parent = |kind: &str| matches!(kind, "cluster" | "project" | "webhook");
    let kerman = ACCOUNTS.iter().find(|account| account.name == "kerman").unwrap();
    let versions = async || {
        let mut versions = Vec::new();
        for operation in
            guarded().iter().filter(|operation| kerman.may(operation.id()) && operation.method == Method::GET)
        {
            for (client, records) in [(&owner, &foreign), (&stranger, &own), (&stranger, &other)] {
                let answer = client.get(&operation.path_to(records)).await;
                assert_eq!(answer.status, 200, "{}: {}", operation.id(), answer.text);
                versions.push((operation.id(), answer.body["version"].clone()));
            }
        }
        versions
    };
    let before = versions().await;
    for operation in guarded().iter().filter(|operation| {
        operation.pattern.contains("{id}") && !operation.is_national() && kerman.may(operation.id())
    }) {
        let mut places = vec![operation.path_to(&foreign)];
        if operation.pattern.contains("_id}") {
            // What belongs to a record does not exist under another one either, not even under one's own.
            places.push(operation.path_to(&foreign.with(&own, is_parent)));
            places.push(operation.path_to(&own.with(&foreign, is_parent)));
            places.push(operation.path_to(&own.with(&other, is_parent)));
        }
        for path in places {
            let request = operation.request(&stranger, &path, "*");
            let answer = stranger
                .send(if operation.media_types().is_empty() {
                    request
                } else {
                    operation.with_body(request, &operation.body(&own))
                })
                .await;
            assert_eq!(
                (answer.status, answer.code()),
                (404, "not_found"),
                "{} {path}: {}",
                operation.id(),
                answer.text
            );
            assert_eq!(answer.etag(), "", "{}: an ETag tells that something is there", operation.id());
        }
    }
    assert_eq!(versions().await, before, "nothing was changed");
    // A tombstone and its history stay within the province as well.
    let path = format!("/api/v1/milestones/{}", foreign.id("milestone"));
    assert_eq!(owner.delete(&path, "*").await.status, 204);
    assert_eq!(stranger.delete(&path, "*").await.status, 404);
    assert_eq!(stranger.get(&format!("{path}/history")).await.status, 404);
    assert_eq!(owner.get(&format!("{path}/history")).await.items("kind"), ["created", "deleted"]);
}

/// Every list, with all that can come along, as JSON and as CSV: it has what is one's own, and nothing else.
async fn what_lies_elsewhere_is_not_listed(service: &Service) {
    let both = [Records::make(service, "IR-15").await, Records::make(service, "IR-08").await];
    for account in &ACCOUNTS {
        let client = account.login(service).await;
        let (seen, hidden): (Vec<_>, Vec<_>) =
            both.iter().partition(|records| account.province.is_none_or(|own| own == records.province));
        for operation in guarded()
            .iter()
            .filter(|operation| operation.method == Method::GET && account.may(operation.id()))
        {
            let includes = operation
                .parameter("include")
                .map(|parameter| parameter["schema"]["items"]["enum"].as_array().unwrap());
            let includes = includes.map(|names| {
                format!(
                    "&include={}",
                    names.iter().map(|name| name.as_str().unwrap()).collect::<Vec<_>>().join(",")
                )
            });
            let size = if operation.takes("page_size") { "page_size=200" } else { "" };
            for format in if operation.is_list() { vec!["", "&format=csv"] } else { vec![""] } {
                let path = operation.path_to(seen[0]);
                let sign = if path.contains('?') { '&' } else { '?' };
                let path = format!("{path}{sign}{size}{format}{}", includes.as_deref().unwrap_or_default());
                let answer = client.get(path.trim_end_matches(['?', '&'])).await;
                assert_eq!(answer.status, 200, "{} {path}: {}", account.name, answer.text);
                for (kind, id) in
                    hidden.iter().flat_map(|records| records.ids()).filter(|(kind, _)| *kind != "indicator")
                {
                    assert!(!answer.text.contains(id), "{} {path} shows a {kind} of elsewhere", account.name);
                }
                // A list under a record is that of the first ones.
                let own = if operation.pattern.contains('{') { &seen[..1] } else { &seen[..] };
                let listed =
                    |kind: &str| plural(kind) == operation.kind() && operation.id().starts_with("list_");
                for (_, id) in own.iter().flat_map(|records| records.ids()).filter(|(kind, _)| listed(kind)) {
                    assert!(answer.text.contains(id), "{} {path} lacks one's own", account.name);
                }
            }
            if operation.takes("count") {
                let path = operation.path_to(seen[0]);
                let (total, page) =
                    (client.count(&path).await, client.get(&format!("{path}?page_size=200")).await);
                assert_eq!(
                    page.body["items"].as_array().unwrap().len() as u64,
                    total.min(200),
                    "{} {path} counts what is not there",
                    account.name
                );
            }
        }
    }
}

/// The clusters of the demonstration, of which all are identified by 2026.
const CLUSTERS_OF: [(&str, u64); 2] = [("IR-15", 11), ("IR-08", 2)];

async fn nobody_counts_what_lies_elsewhere(service: &Service) {
    let moment = moment();
    let report = "/api/v1/reports/identified-clusters?as_of=2026-01-01";
    for account in &ACCOUNTS {
        let client = account.login(service).await;
        let expected: u64 = CLUSTERS_OF
            .iter()
            .filter(|(province, _)| account.province.is_none_or(|own| own == *province))
            .map(|(_, count)| count)
            .sum();
        assert_eq!(client.count("/api/v1/clusters").await, expected, "{}", account.name);
        for report in [report.to_owned(), format!("{report}&known_at={moment}")] {
            let (answer, csv) =
                (client.get(&report).await, client.get(&format!("{report}&format=csv")).await);
            let counts = [
                answer.body["total"].as_u64().unwrap(),
                answer.items("id").len() as u64,
                csv.text.lines().count() as u64 - 1,
            ];
            assert_eq!(counts, [expected; 3], "{} {report}", account.name);
        }
    }
    let (kerman, lorestan) = (service.login("kerman").await, service.login("lorestan").await);
    for (list, filters) in [
        ("clusters", "province=IR-15 q=سنگ state=in_development,feasibility isic=239"),
        ("projects", "province=IR-15 q=سنگ state=implementing"),
        ("milestones", "province=IR-15 overdue=true phase=diagnostic"),
        ("cdas", "province=IR-15 state=certified"),
        ("organisations", "province=IR-15 kind=association,university"),
    ] {
        for path in filters.split(' ').map(|filter| format!("/api/v1/{list}?{filter}")) {
            assert_eq!((kerman.count(&path).await, lorestan.count(&path).await > 0), (0, true), "{path}");
        }
    }
    // A page mark of somebody else opens nothing.
    let page = lorestan.get("/api/v1/clusters?page_size=1").await;
    let next = kerman
        .get(&format!("/api/v1/clusters?page_size=200&cursor={}", page.body["next_cursor"].as_str().unwrap()))
        .await;
    assert!(
        next.status == 400 || next.items("province").iter().all(|province| *province == "IR-08"),
        "{}",
        next.text
    );
}

async fn nobody_writes_into_another_province(service: &Service) {
    let (own, foreign) = (Records::make(service, "IR-08").await, Records::make(service, "IR-15").await);
    let (kerman, lorestan) = (service.login("kerman").await, service.login("lorestan").await);
    let before = lorestan.count("/api/v1/clusters").await;
    let outside = json!({"province": "IR-15", "name_fa": "ورشو", "isic": [{"code": "2599"}]});
    let refused = |answer: Answer| {
        assert_eq!((answer.status, answer.code()), (403, "outside_scope"), "{}", answer.text)
    };
    refused(kerman.post("/api/v1/clusters", outside.clone()).await);
    refused(kerman.put("/api/v1/clusters/by-ref/province-erp/new", outside.clone()).await);
    refused(kerman.put(&format!("/api/v1/clusters/by-ref/province-erp/{}", foreign.key), outside).await);
    // References are unique in the whole service: what is taken elsewhere can be neither seen nor taken.
    let taken = json!({"province": "IR-08", "name_fa": "ورشو", "isic": [{"code": "2599"}]});
    assert_eq!(
        kerman.put(&format!("/api/v1/clusters/by-ref/province-erp/{}", foreign.key), taken).await.code(),
        "duplicate"
    );
    assert_eq!(lorestan.count("/api/v1/clusters").await, before);
    let operations = guarded();
    let path = |kind: &str| {
        operations.iter().find(|operation| operation.id() == format!("get_{kind}")).unwrap().path_to(&own)
    };
    for kind in ["cluster", "organisation", "cda", "decision", "enterprise"] {
        refused(kerman.patch(&path(kind), "*", json!({"province": "IR-15"})).await);
    }
    for (kind, field, to) in [
        ("organisation", "parent_id", "organisation"),
        ("project", "cluster_id", "cluster"),
        ("project", "organisation_id", "organisation"),
        ("assignment", "cda_id", "cda"),
        ("partner", "organisation_id", "organisation"),
        ("supervision", "organisation_id", "organisation"),
        ("supervision", "account_id", "user"),
        ("milestone", "predecessors", "milestone"),
        ("enterprise", "organisation_id", "organisation"),
        ("enterprise", "cluster_id", "cluster"),
        ("feasibility_study", "executor_id", "organisation"),
        ("feasibility_study", "decision_id", "decision"),
        ("lineage_entry", "decision_id", "decision"),
        ("value_chain_stage", "feeds", "value_chain_stage"),
        ("value_chain_stage", "enterprises", "enterprise"),
        ("network", "members", "enterprise"),
        ("joint_action", "participants", "enterprise"),
        ("decision", "cluster_id", "cluster"),
        ("decision", "project_id", "project"),
    ] {
        let (value, pointer) = match field {
            "predecessors" | "feeds" => (json!([foreign.id(to)]), format!("/{field}/0")),
            "enterprises" => {
                (json!([{"enterprise_id": foreign.id(to)}]), "/enterprises/0/enterprise_id".to_owned())
            }
            "members" | "participants" => (json!([foreign.id(to), own.id("member")]), format!("/{field}/0")),
            _ => (json!(foreign.id(to)), format!("/{field}")),
        };
        let answer = kerman.patch(&path(kind), "*", json!({field: value})).await;
        assert_eq!(
            (answer.status, answer.errors()),
            (422, vec![(pointer.as_str(), "unknown_record")]),
            "{kind}: {}",
            answer.text
        );
        assert_eq!(kerman.get(&path(kind)).await.body["version"], 1, "{kind}");
    }
}

async fn a_national_organisation_is_for_everybody_and_kept_by_the_nation(service: &Service) {
    let admin = service.login("admin").await;
    let national = json!({"kind": "bank", "name_fa": "بانک ملی", "external_refs": [{"system": "nation", "key": "bank"}]});
    let bank = admin.put("/api/v1/organisations/by-ref/nation/bank", national.clone()).await;
    assert_eq!((bank.status, &bank.body["province"]), (201, &Value::Null), "{}", bank.text);
    let path = bank.header("location");
    for account in &ACCOUNTS {
        let client = account.login(service).await;
        for seen in [
            path,
            "/api/v1/organisations/by-ref/nation/bank",
            "/api/v1/organisations?page_size=200",
            &format!("{path}/history"),
        ] {
            let answer = client.get(seen).await;
            assert!(
                answer.status == 200 && answer.text.contains("بانک ملی"),
                "{} {seen}: {}",
                account.name,
                answer.text
            );
        }
        let refusal = match (account.may("update_organisation"), account.province) {
            (false, _) => Some((403, "forbidden")),
            (true, Some(_)) => Some((403, "outside_scope")),
            (true, None) => None,
        };
        let name = account.name;
        let new = json!({"kind": "bank", "name_fa": format!("بانک {name}")});
        let put = client
            .request(Method::PUT, "/api/v1/organisations/by-ref/nation/bank")
            .header("if-match", "*")
            .json(&national);
        for answer in [
            client.post("/api/v1/organisations", new.clone()).await,
            client.put(&format!("/api/v1/organisations/by-ref/nation/{name}"), new).await,
            client.patch(path, "*", json!({"name_en": name})).await,
            client.send(put).await,
        ] {
            match refusal {
                None => assert!(answer.status < 300, "{name}: {}", answer.text),
                Some(refusal) => {
                    assert_eq!((answer.status, answer.code()), refusal, "{name}: {}", answer.text)
                }
            }
        }
        if let Some(refusal) = refusal {
            let answer = client.delete(path, "*").await;
            assert_eq!((answer.status, answer.code()), refusal, "{name}: {}", answer.text);
        }
    }
    // Nobody makes a provincial one national, or the other way round, but the nation.
    let own = Records::make(service, "IR-15").await;
    let lorestan = service.login("lorestan").await;
    let own = format!("/api/v1/organisations/{}", own.id("organisation"));
    for (place, province) in [(own.as_str(), Value::Null), (path, json!("IR-15"))] {
        assert_eq!(lorestan.patch(place, "*", json!({"province": province})).await.code(), "outside_scope");
    }
    assert_eq!(admin.delete(path, "*").await.status, 204);
}

async fn a_key_of_somebody_else_opens_nothing(service: &Service) {
    let body = json!({"province": "IR-15", "name_fa": "ورشو", "isic": [{"code": "2599"}]});
    let post = async |account: &str| {
        let client = service.login(account).await;
        let request =
            client.request(Method::POST, "/api/v1/clusters").header("idempotency-key", "shared").json(&body);
        client.send(request).await
    };
    assert_eq!(post("lorestan").await.status, 201);
    assert_eq!(post("kerman").await.code(), "outside_scope");
    assert_eq!(post("isipo").await.code(), "duplicate", "the key of another account is another key");
    assert_eq!(post("lorestan").await.header("idempotency-replayed"), "true");
}
