//! Indicators before and after.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    earned_value::{enriched, told},
    then::Then,
};
use crate::{
    indicators::indicator,
    measurements::MEASUREMENTS,
    on_both,
    projects::{made, project},
    support::{Answer, Service, moment},
};

on_both!(what_two_projects_of_kerman_measured, means_are_exact_and_speak_of_the_same_projects,);

const REPORT: &str = "indicators";
const FIGURES: [&str; 9] = [
    "projects",
    "measured",
    "coverage_bp",
    "baseline",
    "targeted",
    "target",
    "latest",
    "change_bp",
    "improved",
];

fn figures(report: &Answer, code: &str) -> Value {
    let row = report.body["items"].as_array().unwrap().iter().find(|row| row["code"] == code).unwrap();
    FIGURES.iter().map(|name| row[*name].clone()).collect()
}

fn nothing(projects: u32) -> Value {
    let coverage = if projects == 0 { Value::Null } else { json!(0) };
    json!([projects, 0, coverage, null, 0, null, null, null, 0])
}

async fn what_two_projects_of_kerman_measured(service: &Service) {
    let (isipo, kerman, lorestan) = enriched(service).await;
    let measured = |projects: u32, coverage: u32| {
        (
            json!([projects, 1, coverage, "0", 1, "3", "2.4", null, 1]),
            json!([projects, 1, coverage, "100", 1, "88", "91.5", -850, 1]),
        )
    };
    for (query, (sales, cost)) in [
        ("as_of=1394-12-28", (nothing(0), nothing(0))),
        ("as_of=1394-12-29", (nothing(2), nothing(2))),
        ("as_of=1397-12-28", (nothing(2), nothing(2))),
        ("as_of=1397-12-29", measured(2, 5_000)),
        ("period=1397", measured(2, 5_000)),
        ("period=1398-Q1", (nothing(2), nothing(2))),
        ("industry=01", measured(1, 10_000)),
        ("industry=1393", (nothing(1), nothing(1))),
    ] {
        for client in [&isipo, &kerman] {
            let report = told(client, REPORT, query).await;
            assert_eq!(
                (figures(&report, "COST-RETURN"), figures(&report, "COST-UNIT")),
                (sales.clone(), cost.clone()),
                "{query}"
            );
        }
        let elsewhere = told(&lorestan, REPORT, &format!("{query}&province=IR-08,IR-15")).await;
        assert_eq!(
            (figures(&elsewhere, "COST-RETURN"), figures(&elsewhere, "COST-UNIT")),
            (nothing(0), nothing(0)),
            "{query}"
        );
        let totals = &elsewhere.body["totals"];
        assert_eq!(
            (&totals["projects"], &totals["measured"], &totals["coverage_bp"]),
            (&json!(0), &json!(0), &Value::Null)
        );
    }
    assert_eq!(
        told(&kerman, REPORT, "known_at=2020-01-01T00:00:00Z").await.body["total"],
        0,
        "nothing was known before the data came"
    );
    let report = told(&isipo, REPORT, "").await;
    let count = report.items("code").len();
    let totals = json!({"indicators": count, "indicators_measured": 2, "projects": 4, "measured": 2, "coverage_bp": 5_000, "improved": 2});
    assert_eq!(report.body["totals"], totals);
    assert_eq!(
        report.items("theme")[..3],
        ["return_on_cost"; 3],
        "themes come in the order of the programme"
    );
    let themes = report.items("theme");
    assert_eq!(
        (themes.first(), themes.last()),
        (Some(&"return_on_cost"), Some(&"public_private_cooperation"))
    );
    let svg = isipo.get(&format!("/api/v1/reports/{REPORT}?format=svg")).await;
    assert!(
        svg.text.contains("Unit cost") && !svg.text.contains("Additional sales"),
        "what stood at 0 has no index: {}",
        svg.text
    );
}

async fn means_are_exact_and_speak_of_the_same_projects(service: &Service) {
    let (isipo, kerman) = (service.login("isipo").await, service.login("kerman").await);
    let mut projects = Vec::new();
    for _ in 0..10 {
        projects.push(project(&isipo, "زیتون", json!({})).await);
    }
    let mut ids = BTreeMap::new();
    for (code, direction) in [("MEAN-HUGE", "up"), ("MEAN-LESS", "down"), ("MEAN-HALF", "up")] {
        let made = made(
            &isipo,
            "/api/v1/indicators",
            indicator(code, json!({"direction": direction, "decimals": 6})),
        )
        .await;
        ids.insert(code, made.id().to_owned());
    }
    let measure = async |place: usize, code: &str, kind: &str, period: &str, value: &str| {
        let input = json!({"project_id": projects[place].id(), "indicator_id": ids[code], "kind": kind, "period": period, "value": value});
        made(&isipo, MEASUREMENTS, input).await
    };
    // Ten of the greatest values are beyond 64 bits in millionths.
    for place in 0..10 {
        measure(place, "MEAN-HUGE", "baseline", "1393", "-999999999999.999999").await;
        measure(place, "MEAN-HUGE", "actual", "1394-Q1", "999999999999.999999").await;
    }
    // 1, 1, 3 before; 1, 2, 1 after; a fourth project is not measured.
    for (place, before, after) in [(0, "1", "1"), (1, "1", "2"), (2, "3", "1")] {
        measure(place, "MEAN-LESS", "baseline", "1393", before).await;
        measure(place, "MEAN-LESS", "actual", "1394-Q2", after).await;
    }
    measure(3, "MEAN-LESS", "baseline", "1393", "1000").await;
    measure(3, "MEAN-LESS", "target", "1395", "1").await;
    // What does not count: a later baseline, an earlier actual value, a target before the last.
    measure(0, "MEAN-LESS", "baseline", "1394-Q1", "500").await;
    measure(0, "MEAN-LESS", "actual", "1394-Q1", "7").await;
    measure(3, "MEAN-LESS", "actual", "1392-Q4", "7").await;
    measure(0, "MEAN-LESS", "target", "1394", "7").await;
    measure(0, "MEAN-LESS", "target", "1410", "0.5").await;
    measure(0, "MEAN-HALF", "baseline", "1393", "0.000001").await;
    let half = measure(1, "MEAN-HALF", "baseline", "1393", "0.000002").await;
    for (place, value) in [(0, "-0.000001"), (1, "-0.000002")] {
        measure(place, "MEAN-HALF", "actual", "1394-Q1", value).await;
    }
    let before = moment();
    let corrected = isipo.patch(half.header("location"), "*", json!({"value": "0.000005"})).await;
    assert_eq!(corrected.status, 200, "{}", corrected.text);

    let huge = json!([10, 10, 10_000, "-999999999999.999999", 0, null, "999999999999.999999", 20_000, 10]);
    let less = json!([4, 3, 7_500, "1.666667", 1, "0.5", "1.333333", -2_000, 1]);
    // 1 and 2 are 1.5, which is 2; −1 and −2 are −1.5, which is −1: half up.
    let half = json!([2, 2, 10_000, "0.000002", 0, null, "-0.000001", -20_000, 0]);
    let corrected = json!([2, 2, 10_000, "0.000003", 0, null, "-0.000001", -15_000, 0]);
    for (query, expected) in [
        ("as_of=1394-06-31".to_owned(), [&huge, &less, &corrected]),
        (format!("as_of=1394-06-31&known_at={before}"), [&huge, &less, &half]),
        ("as_of=1394-06-31&industry=0126".to_owned(), [&huge, &less, &corrected]),
        ("as_of=1394-06-31&industry=02".to_owned(), [&nothing(0); 3]),
        ("as_of=1394-06-31&province=IR-08".to_owned(), [&nothing(0); 3]),
        // The second quarter is not over: one is measured, with 7 of the first.
        (
            "as_of=1394-06-30".to_owned(),
            [&huge, &json!([4, 1, 2_500, "1", 1, "0.5", "7", 60_000, 0]), &corrected],
        ),
        (
            "period=1394-Q2".to_owned(),
            [
                &json!([10, 0, 0, null, 0, null, null, null, 0]),
                &less,
                &json!([2, 0, 0, null, 0, null, null, null, 0]),
            ],
        ),
    ] {
        let report = told(&isipo, REPORT, &query).await;
        for (code, expected) in ["MEAN-HUGE", "MEAN-LESS", "MEAN-HALF"].iter().zip(expected) {
            assert_eq!(figures(&report, code), *expected, "{code} {query}");
        }
    }
    let elsewhere = told(&kerman, REPORT, "as_of=1394-06-31&province=IR-15").await;
    assert_eq!(figures(&elsewhere, "MEAN-LESS"), nothing(0));
    let retired = isipo
        .patch(&format!("/api/v1/indicators/{}", ids["MEAN-LESS"]), "*", json!({"is_active": false}))
        .await;
    assert_eq!(retired.status, 200);
    assert_eq!(
        figures(&told(&isipo, REPORT, "as_of=1394-06-31").await, "MEAN-LESS"),
        less,
        "what was measured stays"
    );
    assert!(!told(&kerman, REPORT, "as_of=1394-06-31").await.items("code").contains(&"MEAN-LESS"));
}

fn millionths(value: &Value) -> i128 {
    let (text, sign) =
        value.as_str().unwrap().strip_prefix('-').map_or((value.as_str().unwrap(), 1), |rest| (rest, -1));
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    sign * format!("{whole}{rest:0<6}").parse::<i128>().unwrap()
}

/// Indicators are what the measurements themselves say; how many values were compared.
pub async fn agree(then: &Then<'_>) -> usize {
    let (indicators, measurements) = (then.listed("indicators").await, then.listed("measurements").await);
    let (rows, _) = then.report(REPORT, "").await;
    assert_eq!(rows.len(), indicators.len());
    let mut compared = 0;
    for row in rows {
        let own = indicators.iter().find(|one| one["code"] == row["code"]).unwrap();
        let of = |kind: &str| {
            let mut values: Vec<&Value> = measurements
                .iter()
                .filter(|one| one["indicator_id"] == own["id"] && one["kind"] == kind)
                .collect();
            values.sort_by_key(|one| one["period_end"].to_string());
            values
        };
        let ended = |one: &&Value| one["period_end"].as_str().unwrap() <= then.day;
        let mut first: BTreeMap<&str, &Value> = BTreeMap::new();
        for value in of("baseline").into_iter().filter(ended) {
            first.entry(value["project_id"].as_str().unwrap()).or_insert(value);
        }
        let (mut sums, mut measured, mut improved) = ((0, 0), 0, 0);
        for (project, baseline) in &first {
            let later = |one: &&Value| {
                one["project_id"] == *project && one["period_end"].as_str() > baseline["period_end"].as_str()
            };
            let Some(latest) = of("actual").into_iter().filter(ended).rfind(later) else { continue };
            let (before, now) = (millionths(&baseline["value"]), millionths(&latest["value"]));
            sums = (sums.0 + before, sums.1 + now);
            measured += 1;
            improved += i64::from(if own["direction"] == "up" { now > before } else { now < before });
        }
        let found = (&row["projects"], &row["measured"], &row["improved"]);
        assert_eq!(
            found,
            (&json!(first.len()), &json!(measured), &json!(improved)),
            "{} {then}",
            row["code"]
        );
        if measured > 0 {
            assert_eq!(
                (millionths(&row["baseline"]) * measured, millionths(&row["latest"]) * measured),
                sums
            );
        }
        for field in ["theme", "name_fa", "name_en", "unit_fa", "unit_en", "direction"] {
            assert_eq!(row[field], own[field]);
        }
        compared += measured as usize;
    }
    compared
}
