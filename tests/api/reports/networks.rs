//! Networks and joint actions.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::then::Then;
use crate::{
    clusters::CLUSTERS,
    enterprises::{ENTERPRISES, enterprise},
    on_both,
    projects::{made, stone},
    support::{Service, moment},
};

on_both!(networks_are_counted_with_members_and_cost);

const FIGURES: [&str; 8] = [
    "kind",
    "formed",
    "formed_in_period",
    "active",
    "members",
    "cost_irr",
    "private_irr",
    "private_share_bp",
];

fn figures(rows: &[Value]) -> Value {
    rows.iter().map(|row| json!(FIGURES.map(|name| &row[name]))).collect()
}

async fn networks_are_counted_with_members_and_cost(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let mut firms = Vec::new();
    for name in ["یک", "دو", "سه"] {
        firms.push(made(&lorestan, ENTERPRISES, enterprise(name, json!({}))).await.id().to_owned());
    }
    let [a, b, c] = [&firms[0], &firms[1], &firms[2]];
    let networks = format!("{CLUSTERS}/{}/networks", lorestan.cluster_named("سنگ").await.id());
    for (kind, members, formed_on, dissolved_on, cost, share) in [
        ("horizontal", [a, b], json!("2015-01-01"), json!(null), json!("1000"), json!(5_000)),
        ("horizontal", [b, c], json!("2016-01-01"), json!("2017-01-01"), json!("333"), json!(3_333)),
        ("vertical", [a, c], json!(null), json!(null), json!(null), json!(null)),
    ] {
        let network = json!({"kind": kind, "name_fa": "شبکه", "members": members, "formed_on": formed_on, "dissolved_on": dissolved_on,
            "cost_irr": cost, "private_share_bp": share});
        made(&lorestan, &networks, network).await;
    }
    let before = moment();
    let actions = format!("{}/joint-actions", stone(&lorestan).await);
    let bought = json!({"title_fa": "خرید", "participants": [a, b], "started_on": "2016-06-01", "cost_irr": "2000", "private_share_bp": 10_000});
    made(&lorestan, &actions, bought).await;
    let fair = json!({"title_fa": "نمایشگاه", "participants": [b, c], "started_on": "2016-07-01", "ended_on": "2016-08-01"});
    made(&lorestan, &actions, fair).await;

    let undated = json!(["vertical", 1, 0, 1, 2, "0", "0", null]);
    // 333 × 3333 / 10,000 is 110 and some; 610 of 1333 are 4576 and a tenth.
    let both = |in_period: u32, active: u32, members: u32| {
        json!(["horizontal", 2, in_period, active, members, "1333", "610", 4_576])
    };
    for (query, expected) in [
        ("as_of=2014-12-31", json!([undated])),
        ("as_of=2015-06-30", json!([["horizontal", 1, 1, 1, 2, "1000", "500", 5_000], undated])),
        (
            "as_of=2016-06-30",
            json!([both(2, 2, 3), undated, ["joint_action", 1, 1, 1, 2, "2000", "2000", 10_000]]),
        ),
        ("period=1394", json!([both(1, 2, 3), undated])),
        (
            "as_of=2017-01-01",
            json!([both(2, 1, 2), undated, ["joint_action", 2, 2, 1, 2, "2000", "2000", 10_000]]),
        ),
        (&format!("as_of=2017-01-01&known_at={before}"), json!([both(2, 1, 2), undated])),
        ("as_of=2017-01-01&industry=01", json!([])),
    ] {
        let report = lorestan.get(&format!("/api/v1/reports/networks?{query}")).await;
        assert_eq!(report.status, 200, "{}", report.text);
        assert_eq!(figures(report.body["items"].as_array().unwrap()), expected, "{query}");
    }
    let totals = lorestan.get("/api/v1/reports/networks?as_of=2016-06-30").await.body["totals"].clone();
    let expected = json!({"formed": 4, "formed_in_period": 3, "active": 4, "cost_irr": "3333", "private_irr": "2610", "private_share_bp": 7_831});
    assert_eq!(totals, expected);
    assert_eq!(
        service
            .login("kerman")
            .await
            .get("/api/v1/reports/networks?as_of=2017-01-01&province=IR-15")
            .await
            .body["total"],
        0
    );
}

/// What the lists of networks and joint actions come to on a day: by cluster and kind.
async fn counted(then: &Then<'_>) -> BTreeMap<(String, String), Value> {
    let mut together = Vec::new();
    for cluster in then.listed("clusters").await {
        let id = cluster["id"].as_str().unwrap();
        for network in then.listed(&format!("clusters/{id}/networks")).await {
            together.push((
                id.to_owned(),
                network["kind"].as_str().unwrap().to_owned(),
                ["formed_on", "dissolved_on", "members"],
                network,
            ));
        }
    }
    for project in then.listed("projects").await {
        for action in
            then.listed(&format!("projects/{}/joint-actions", project["id"].as_str().unwrap())).await
        {
            let cluster = project["cluster_id"].as_str().unwrap().to_owned();
            together.push((
                cluster,
                "joint_action".to_owned(),
                ["started_on", "ended_on", "participants"],
                action,
            ));
        }
    }
    let mut counted = BTreeMap::<_, (u32, u32, BTreeSet<String>, i64, i64)>::new();
    for (cluster, kind, [began, ended, members], record) in together {
        if record[began].as_str().is_some_and(|day| day > then.day) {
            continue;
        }
        let (formed, active, firms, cost, private) = counted.entry((cluster, kind)).or_default();
        *formed += 1;
        if record[ended].as_str().is_none_or(|day| day > then.day) {
            *active += 1;
            firms.extend(
                record[members].as_array().unwrap().iter().map(|firm| firm.as_str().unwrap().to_owned()),
            );
        }
        let own: i64 = record["cost_irr"].as_str().map_or(0, |text| text.parse().unwrap());
        *cost += own;
        *private += own * record["private_share_bp"].as_i64().unwrap_or(0) / 10_000;
    }
    let told = |(formed, active, firms, cost, private): (u32, u32, BTreeSet<String>, i64, i64)| {
        json!([formed, active, firms.len(), cost.to_string(), private.to_string()])
    };
    counted.into_iter().map(|(of, counted)| (of, told(counted))).collect()
}

/// The report says what the lists come to; how many rows were compared.
pub async fn agree(then: &Then<'_>) -> usize {
    let (rows, _) = then.report("networks", "").await;
    let told: BTreeMap<_, _> = rows
        .iter()
        .map(|row| {
            let [cluster, kind] = ["cluster_id", "kind"].map(|name| row[name].as_str().unwrap().to_owned());
            (
                (cluster, kind),
                json!(["formed", "active", "members", "cost_irr", "private_irr"].map(|name| &row[name])),
            )
        })
        .collect();
    assert_eq!(told, counted(then).await, "{then}");
    told.len()
}
