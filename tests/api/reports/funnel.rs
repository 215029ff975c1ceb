//! The funnel of clusters.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use khoosheh::persian::{Calendar, Date, calendar::using};
use serde_json::{Value, json};

use super::then::Then;
use crate::{
    clusters::{claimed, register},
    on_both,
    support::{Client, Service, moment},
};

on_both!(clusters_are_counted_by_their_states);

const REPORT: &str = "/api/v1/reports/funnel?industry=2610";

/// The states that have or had clusters: state, count, count before, median of days.
async fn filled(client: &Client, query: &str) -> Value {
    let answer = client.get(&format!("{REPORT}&{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text);
    let rows = answer.body["items"].as_array().unwrap();
    assert_eq!(rows.len(), 11, "every state has its row");
    let told = rows
        .iter()
        .map(|row| json!([row["state"], row["count"], row["count_before"], row["median_days_in_state"]]));
    told.filter(|row| row[1] != 0 || row[2] != 0).collect()
}

async fn clusters_are_counted_by_their_states(service: &Service) {
    let isipo = service.login("isipo").await;
    let components = json!({"isic": [{"code": "2610"}]});
    let mut paths = Vec::new();
    for (name, identified_on) in [("یکم", "2015-03-01"), ("دوم", "2015-03-11"), ("سوم", "2015-03-16")]
    {
        let path = claimed(&isipo, name, components.clone()).await.header("location").to_owned();
        let identified = json!({"to": "identified", "effective_on": identified_on});
        assert_eq!(isipo.transition(&path, "*", identified).await.status, 200);
        paths.push(path);
    }
    let before = moment();
    register(&isipo, "چهارم", components).await;
    let withdrawn = json!({"to": "withdrawn", "effective_on": "2015-04-10", "reason": "کنار رفت"});
    assert_eq!(isipo.transition(&paths[2], "*", withdrawn).await.status, 200);

    let identified = |count: u32, before: u32, days: &str| json!(["identified", count, before, days]);
    let left = json!(["withdrawn", 1, 0, "10"]);
    for (query, expected) in [
        ("as_of=2015-03-20&since=2015-03-01", json!([identified(3, 1, "9")])),
        ("as_of=2015-04-20&since=2015-03-12", json!([identified(2, 2, "45"), left])),
        // The last day of 1393 is 2015-03-20.
        ("as_of=2015-04-20", json!([identified(2, 3, "45"), left])),
        ("as_of=2015-04-20&period=1394-Q1", json!([identified(2, 3, "45"), left])),
        ("as_of=2015-02-28", json!([])),
        (&format!("as_of=2015-04-20&known_at={before}"), json!([identified(3, 3, "40")])),
        ("as_of=2015-04-20&province=IR-08", json!([])),
    ] {
        assert_eq!(filled(&isipo, query).await, expected, "{query}");
    }
    let today = filled(&isipo, "").await;
    assert_eq!(
        (&today[0], &today[1][1]),
        (&json!(["candidate", 1, 0, "0"]), &json!(2)),
        "a candidate counts from its registration"
    );
    let totals =
        isipo.get(&format!("{REPORT}&as_of=2015-04-20&since=2015-03-12")).await.body["totals"].clone();
    assert_eq!(totals, json!({"since": "2015-03-12", "count": 3, "count_before": 2, "change": 1}));
    assert_eq!(filled(&service.login("kerman").await, "as_of=2015-04-20").await, json!([]));
    let late = isipo.get(&format!("{REPORT}&as_of=2015-04-20&since=2015-04-21")).await;
    assert_eq!((late.status, late.errors()), (400, vec![("/since", "too_late")]));
}

fn day(persian: &str) -> Date {
    using(Calendar::Persian, || Date::parse(persian)).unwrap()
}

/// The days that the clusters have spent in their states by that day.
async fn stays(then: &Then<'_>) -> BTreeMap<String, Vec<i64>> {
    let mut stays = BTreeMap::<String, Vec<i64>>::new();
    for (id, cluster) in then.records("clusters").await.iter() {
        let created = cluster["created_at"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
        let entered =
            then.events(&format!("clusters/{id}"), then.day).await.into_iter().map(|(_, since)| since).max();
        let entered = entered.map_or(Date::in_iran(created), |since| day(&since));
        let state = cluster["state"].as_str().unwrap();
        if state != "candidate" || entered <= day(then.day) {
            stays
                .entry(state.to_owned())
                .or_default()
                .push((day(then.day).naive() - entered.naive()).num_days());
        }
    }
    stays
}

/// The funnel is what the clusters themselves say of that day and of one before; how many were compared.
pub async fn agrees(then: &Then<'_>, before: &Then<'_>) -> usize {
    let (now, earlier) = (stays(then).await, stays(before).await);
    let (rows, totals) = then.report("funnel", &format!("&since={}", before.day)).await;
    for row in &rows {
        let state = row["state"].as_str().unwrap();
        let mut days = now.get(state).cloned().unwrap_or_default();
        days.sort();
        let median =
            (!days.is_empty()).then(|| (days[(days.len() - 1) / 2] + days[days.len() / 2]) as f64 / 2.0);
        let told = row["median_days_in_state"].as_str().map(|text| text.parse::<f64>().unwrap());
        assert_eq!((&row["count"], told), (&json!(days.len()), median), "{state} {then}");
        assert_eq!(row["count_before"], earlier.get(state).map_or(0, Vec::len), "{state} {before}");
    }
    let count = now.values().map(Vec::len).sum::<usize>();
    assert_eq!(totals["count"], count);
    count
}
