//! Reporting compliance, and the league of provinces that counts late reports too.

use std::collections::BTreeMap;

use chrono::Days;
use khoosheh::persian::{Calendar, Date, PersianPeriod};
use serde_json::{Value, json};

use super::{
    earned_value::{STATES, enriched, told},
    then::Then,
};
use crate::{
    on_both,
    support::{Answer, Client, Service},
};

on_both!(reports_are_due_while_a_project_is_under_way, provinces_are_set_side_by_side,);

/// The pistachio project of Kerman: under contract from 1395-06-20, its contract begins on 1395-07-01, it is
/// closed on 1398-07-01. Reports of 1396-Q2 (submitted 1396-07-08, accepted 1396-08-01) and 1396-Q3
/// (1396-10-09, 1396-11-02).
async fn reports_are_due_while_a_project_is_under_way(service: &Service) {
    let (isipo, kerman, lorestan) = enriched(service).await;
    let row = async |client: &Client, query: &str| {
        let answer = told(client, "reporting-compliance", query).await;
        let row =
            answer.body["items"].as_array().unwrap().iter().find(|row| row["cluster_fa"] == "پسته").cloned();
        row.map(|row| {
            ["due", "on_time", "late", "missing", "on_time_bp", "returns", "median_review_days"]
                .map(|name| row[name].clone())
                .to_vec()
        })
    };
    for (query, expected) in [
        // The first quarter ends on 1395-09-30: its report is due on 1395-10-15.
        ("as_of=1395-10-14", None),
        ("as_of=1395-10-15", Some(json!([1, 0, 0, 1, 0, 0, null]))),
        ("as_of=1396-07-30", Some(json!([4, 1, 0, 3, 2_500, 0, null]))),
        // From 1396-07-08 to 1396-08-01 there are 23 days, from 1396-10-09 to 1396-11-02 again.
        ("as_of=1396-12-29", Some(json!([5, 2, 0, 3, 4_000, 0, "23"]))),
        ("as_of=1396-12-29&deadline_days=8", Some(json!([5, 1, 1, 3, 2_000, 0, "23"]))),
        ("period=1396", Some(json!([3, 2, 0, 1, 6_667, 0, "23"]))),
        // Eleven quarters from 1395-Q3 to 1398-Q2; on the last day of the next one it is closed.
        ("as_of=1400-01-01", Some(json!([12, 2, 0, 10, 1_667, 0, "23"]))),
    ] {
        for client in [&isipo, &kerman] {
            assert_eq!(row(client, query).await.map(Value::from), expected, "{query}");
        }
        assert_eq!(row(&lorestan, query).await, None, "{query}");
    }
    // The stone project of Lorestan has one report that was returned, submitted on 1394-04-12 for 1394-Q1,
    // and one on 1394-07-10.
    let stone = told(&lorestan, "reporting-compliance", "period=1394&as_of=1394-08-30").await.body["items"]
        [0]
    .clone();
    assert_eq!(
        (&stone["due"], &stone["on_time"], &stone["missing"], &stone["returns"]),
        (&json!(2), &json!(2), &json!(0), &json!(1))
    );
    let before = told(&isipo, "reporting-compliance", "known_at=2020-01-01T00:00:00Z").await;
    assert_eq!(before.body["total"], 0, "nothing was known before the data came");
}

async fn provinces_are_set_side_by_side(service: &Service) {
    let (isipo, kerman, lorestan) = enriched(service).await;
    let league = told(&isipo, "province-league", "as_of=1397-08-30").await;
    assert_eq!(league.body["total"], 31);
    let row = |answer: &Answer, province: &str| {
        answer.body["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row["province"] == province)
            .unwrap()
            .clone()
    };
    let of_kerman = row(&league, "IR-08");
    let names = [
        "name_fa",
        "identified",
        "feasible",
        "running",
        "closed",
        "budget_at_completion_irr",
        "earned_value_irr",
        "progress_bp",
        "late_reports",
    ];
    // Two projects of 3,200 million: one with 85 %, one that rests with 25 %. Reports: two of ten quarters
    // each were in time for the first, and the other, which rests since 1397-05-01, missed seven.
    let expected = json!(["کرمان", 2, 2, 1, 0, "6400000000", "3520000000", 5_500, 13]);
    assert_eq!(names.map(|name| of_kerman[name].clone()).to_vec(), *expected.as_array().unwrap());
    let of_lorestan = row(&league, "IR-15");
    assert_eq!((&of_lorestan["identified"], &of_lorestan["running"]), (&json!(11), &json!(1)));
    let ranks =
        league.body["items"].as_array().unwrap().iter().map(|row| row["rank"].as_i64()).collect::<Vec<_>>();
    assert_eq!(
        (&ranks[..3], ranks[30]),
        (&[Some(1), Some(2), None][..], None),
        "who plans nothing has no place"
    );
    assert_eq!(league.body["totals"]["identified"], 13);
    for (client, province) in [(&kerman, "IR-08"), (&lorestan, "IR-15")] {
        let own = told(client, "province-league", "as_of=1397-08-30").await;
        let mut expected = row(&league, province);
        expected["rank"] = Value::Null;
        assert_eq!((&own.body["total"], row(&own, province)), (&json!(1), expected));
    }
}

/// What the league counts is what the other reports list, which are held against the records.
pub async fn league_agrees(then: &Then<'_>) -> usize {
    let (league, _) = then.report("province-league", "").await;
    let (clusters, _) = then.report("identified-clusters", "").await;
    let (projects, _) = then.report("project-status", &format!("&state={}", STATES.join(","))).await;
    let (reporting, _) = then.report("reporting-compliance", "").await;
    for row in &league {
        let own = |items: &[Value]| {
            items.iter().filter(|item| item["province"] == row["province"]).cloned().collect::<Vec<_>>()
        };
        let count = |items: &[Value], states: &[&str]| {
            items.iter().filter(|item| states.contains(&item["state"].as_str().unwrap())).count()
        };
        let sum = |items: &[Value], name: &str| {
            items
                .iter()
                .map(|item| {
                    item[name].as_str().map_or(item[name].as_i64(), |text| text.parse().ok()).unwrap()
                })
                .sum::<i64>()
        };
        let (clusters, projects, reporting) = (own(&clusters), own(&projects), own(&reporting));
        let name = format!("{} {then}", row["province"]);
        assert_eq!(row["identified"], clusters.len(), "{name}");
        assert_eq!(row["feasible"], count(&clusters, &["feasible", "in_development", "developed"]), "{name}");
        assert_eq!(row["running"], count(&projects, &STATES[2..8]), "{name}");
        assert_eq!(row["closed"], count(&projects, &["closed"]), "{name}");
        assert_eq!(row["earned_value_irr"], sum(&projects, "earned_value_irr").to_string(), "{name}");
        assert_eq!(row["late_reports"], sum(&reporting, "late") + sum(&reporting, "missing"), "{name}");
    }
    league.iter().filter(|row| row["running"] != 0).count()
}

/// What was due, came and is missing is what the projects' and reports' own histories say; how many projects
/// were compared.
pub async fn compliance_agrees(then: &Then<'_>) -> usize {
    let reports = then.listed("progress-reports").await;
    let mut handed_in = BTreeMap::new();
    for report in &reports {
        let reviews =
            then.events(&format!("progress-reports/{}", report["id"].as_str().unwrap()), then.day).await;
        if let Some(on) =
            reviews.into_iter().filter(|(state, _)| state == "submitted").map(|(_, on)| on).min()
        {
            handed_in.insert(["project_id", "quarter"].map(|name| report[name].as_str().unwrap()), on);
        }
    }
    let mut expected = BTreeMap::new();
    for (id, project) in then.records("projects").await.iter() {
        let stays = then.events(&format!("projects/{id}"), "1499-12-29").await;
        let (mut due, mut on_time, mut late, mut missing) = (0, 0, 0, 0);
        let mut quarter = PersianPeriod::of(Date::from_persian(1380, 7, 1).unwrap(), 3);
        loop {
            let last_day = quarter.last_day().in_calendar(Calendar::Persian);
            let deadline =
                Date::from(quarter.last_day().naive() + Days::new(15)).in_calendar(Calendar::Persian);
            if deadline.as_str() > then.day {
                break;
            }
            let state = stays
                .iter()
                .rev()
                .filter(|(_, since)| *since <= last_day)
                .max_by_key(|(_, since)| since.clone());
            let rests = ["draft", "approved", "closed", "suspended", "terminated"];
            let begun = project["contract_start"].as_str().is_some_and(|start| start <= last_day.as_str());
            if begun && state.is_some_and(|(state, _)| !rests.contains(&state.as_str())) {
                due += 1;
                match handed_in.get(&[id, quarter.to_string().as_str()]) {
                    Some(day) if *day <= deadline => on_time += 1,
                    Some(_) => late += 1,
                    None => missing += 1,
                }
            }
            quarter = quarter.next();
        }
        if due > 0 {
            expected.insert(id.clone(), json!([due, on_time, late, missing]));
        }
    }
    let (rows, totals) = then.report("reporting-compliance", "").await;
    let told: BTreeMap<_, _> = rows
        .iter()
        .map(|row| {
            (
                row["id"].as_str().unwrap().to_owned(),
                json!(["due", "on_time", "late", "missing"].map(|name| &row[name])),
            )
        })
        .collect();
    assert_eq!(told, expected, "{then}");
    assert_eq!(totals["due"], expected.values().map(|row| row[0].as_u64().unwrap()).sum::<u64>());
    told.len()
}
