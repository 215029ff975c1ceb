//! Overdue milestones.

use serde_json::{Value, json};

use super::{
    earned_value::{enriched, told},
    then::Then,
};
use crate::{
    decisions::decision,
    leads::{assignment, cda},
    milestones::{MILESTONES, milestone},
    on_both,
    projects::{PROJECTS, made, project},
    support::{Answer, Client, Service, moment},
};

on_both!(
    the_stone_project_was_late_now_and_then,
    two_projects_of_kerman_are_late,
    the_plan_in_force_decides_what_is_late,
);

const REPORT: &str = "overdue-milestones";

fn rows(report: &Answer, fields: &[&str]) -> Vec<Value> {
    let items = report.body["items"].as_array().unwrap();
    items.iter().map(|item| fields.iter().map(|field| item[*field].clone()).collect()).collect()
}

async fn the_stone_project_was_late_now_and_then(service: &Service) {
    let (lorestan, isipo, kerman) =
        (service.login("lorestan").await, service.login("isipo").await, service.login("kerman").await);
    for (day, expected) in [
        ("1393-05-31", vec![]),
        ("1393-06-01", vec![json!(["مطالعهٔ شناختی خوشه", "1393-05-31", 1, 600])]),
        // The second one, of 1393-06-15, is accepted on its day.
        ("1393-06-19", vec![json!(["مطالعهٔ شناختی خوشه", "1393-05-31", 19, 600])]),
        ("1393-06-20", vec![]),
        ("1393-11-17", vec![json!(["تشکیل شورای راهبری خوشه", "1393-10-30", 17, 500])]),
        ("1395-03-11", vec![json!(["کنسرسیوم صادراتی سنگ لرستان", "1394-12-25", 77, 900])]),
        ("1395-05-08", vec![json!(["آزمایشگاه مشترک سنگ", "1395-03-31", 39, 800])]),
        // Accepted on that day, though not in whole.
        ("1395-05-09", vec![]),
        ("1395-09-15", vec![json!(["نشان تجاری مشترک سنگ لرستان", "1395-06-31", 75, 500])]),
    ] {
        for client in [&lorestan, &isipo] {
            let report = told(client, REPORT, &format!("as_of={day}&province=IR-15")).await;
            assert_eq!(rows(&report, &["title_fa", "due_on", "days_late", "weight_bp"]), expected, "{day}");
        }
        let elsewhere = told(&kerman, REPORT, &format!("as_of={day}&province=IR-15,IR-08")).await;
        assert_eq!(
            (&elsewhere.body["total"], &elsewhere.body["totals"]["weight_bp"]),
            (&json!(0), &json!(0))
        );
    }
    let last = told(&lorestan, REPORT, "as_of=1396-01-01").await;
    let late = rows(&last, &["days_late", "due_on", "lead_cda"]);
    let days: Vec<_> = late.iter().map(|row| row[0].as_i64().unwrap()).collect();
    // 1395 is a leap year: six months of 30 days from 1395-06-31, then one day.
    assert_eq!(days, [181, 61, 46, 1]);
    assert!(
        late.iter()
            .all(|row| row[2]["name_fa"] == "عامل توسعهٔ نمونه" && row[2].as_object().unwrap().len() == 2)
    );
    let by_age = json!({"days_1_to_30": 1, "days_31_to_90": 2, "days_91_to_180": 0, "days_181_to_365": 1, "days_over_365": 0});
    assert_eq!(last.body["totals"], json!({"milestones": 4, "weight_bp": 1_700, "by_age": by_age}));
    for (query, count) in [
        ("min_days_late=46", 3),
        ("min_days_late=47", 2),
        ("min_days_late=182", 0),
        ("industry=239", 4),
        ("industry=01", 0),
    ] {
        assert_eq!(
            told(&lorestan, REPORT, &format!("as_of=1396-01-01&{query}")).await.items("id").len(),
            count,
            "{query}"
        );
    }
    assert_eq!(
        told(&lorestan, REPORT, "period=1395-Q4").await.items("due_on"),
        ["1395-10-30", "1395-11-15"],
        "due in it and late at its end"
    );
    for (query, error) in [("min_days_late=0", "too_small"), ("min_days_late=36501", "too_large")] {
        let refused = lorestan.get(&format!("/api/v1/reports/{REPORT}?{query}")).await;
        assert_eq!((refused.status, refused.errors()), (400, vec![("/min_days_late", error)]));
    }
}

async fn two_projects_of_kerman_are_late(service: &Service) {
    let (isipo, kerman, lorestan) = enriched(service).await;
    let fields = ["project_state", "cluster_fa", "days_late", "weight_bp"];
    for (day, mut expected) in [
        // The laboratories of both projects are 40 days late.
        (
            "1397-02-09",
            vec![
                json!(["implementing", "پسته", 40, 3_000]),
                json!(["implementing", "فرش دستباف", 40, 3_000]),
            ],
        ),
        ("1397-02-10", vec![json!(["implementing", "فرش دستباف", 41, 3_000])]),
        ("1397-05-01", vec![json!(["suspended", "فرش دستباف", 125, 3_000])]),
        // What the pistachio project gave up is not late; what it weighs more is reached.
        (
            "1398-01-01",
            vec![
                json!(["suspended", "فرش دستباف", 366, 3_000]),
                json!(["suspended", "فرش دستباف", 180, 3_000]),
                json!(["suspended", "فرش دستباف", 60, 1_500]),
            ],
        ),
    ] {
        for client in [&kerman, &isipo] {
            let report = told(client, REPORT, &format!("as_of={day}&province=IR-08")).await;
            let mut told = rows(&report, &fields);
            for rows in [&mut told, &mut expected] {
                rows.sort_by_key(|row| (std::cmp::Reverse(row[2].as_i64()), row[1].to_string()));
            }
            assert_eq!(told, expected, "{day}");
            assert_eq!(
                report.body["totals"]["weight_bp"],
                expected.iter().map(|row| row[3].as_i64().unwrap()).sum::<i64>()
            );
        }
        assert_eq!(told(&lorestan, REPORT, &format!("as_of={day}&province=IR-08")).await.body["total"], 0);
    }
    let nation = told(&isipo, REPORT, "as_of=1398-01-01").await;
    assert_eq!(nation.body["totals"]["milestones"], 3 + 4, "with the stone project's");
    let due: Vec<_> = nation.items("due_on");
    assert!(due.is_sorted(), "{due:?}");
}

async fn the_plan_in_force_decides_what_is_late(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let project = project(&lorestan, "زیتون", json!({})).await;
    service.put_in_state("project", project.id(), "planning").await;
    let mut milestones = Vec::new();
    let add = async |title: &str, weight: u32| {
        let input = milestone(
            json!({"project_id": project.id(), "title_fa": title, "weight_bp": weight, "due_on": "2015-06-21"}),
        );
        made(&lorestan, MILESTONES, input).await
    };
    for (title, weight) in [("یک", 4_000), ("دو", 3_000), ("سه", 3_000)] {
        milestones.push(add(title, weight).await);
    }
    let baselines = format!("{PROJECTS}/{}/baselines", project.id());
    made(&lorestan, &baselines, json!({"frozen_on": "2015-04-01"})).await;
    service.put_in_state("project", project.id(), "implementing").await;
    let added = add("چهار", 0).await;
    let person = cda(&lorestan, 2, "IR-15").await;
    made(
        &lorestan,
        &format!("{PROJECTS}/{}/assignments", project.id()),
        assignment(&person, "lead", "2015-07-10", "2015-12-01"),
    )
    .await;
    let before = moment();
    let changes = json!([
        {"milestone_id": milestones[0].id(), "weight_bp": 2_500, "due_on": "2015-12-01"},
        {"milestone_id": milestones[1].id(), "cancelled": true},
        {"milestone_id": added.id(), "weight_bp": 4_500},
    ]);
    let decision = decision(&lorestan, json!({})).await;
    let second = json!({"frozen_on": "2015-07-15", "decision_id": decision.id(), "reason": "تغییر بازار", "changes": changes});
    made(&lorestan, &baselines, second).await;

    let late = async |client: &Client, query: &str| {
        let report = client.get(&format!("/api/v1/reports/{REPORT}?industry=0126&{query}")).await;
        let mut told = rows(&report, &["title_fa", "days_late", "weight_bp"]);
        told.sort_by_key(|row| (std::cmp::Reverse(row[1].as_i64()), row[0].as_str().map(str::to_owned)));
        (told, report)
    };
    let [one, two, three] = [("یک", 4_000), ("دو", 3_000), ("سه", 3_000)]
        .map(|(title, weight)| move |days: i64| json!([title, days, weight]));
    let four = |days: i64, weight: i64| json!(["چهار", days, weight]);
    let first_plan = |days: i64| vec![four(days, 0), two(days), three(days), one(days)];
    for (query, mut expected) in [
        ("as_of=2015-06-21", vec![]),
        ("as_of=2015-07-01", first_plan(10)),
        ("as_of=2015-07-14", first_plan(23)),
        ("as_of=2015-07-15", vec![four(24, 4_500), three(24)]),
        ("as_of=2015-12-01", vec![four(163, 4_500), three(163)]),
        ("as_of=2015-12-02", vec![four(164, 4_500), three(164), json!(["یک", 1, 2_500])]),
        (&format!("as_of=2015-12-02&known_at={before}"), first_plan(164)),
        ("as_of=2015-12-02&known_at=2020-01-01T00:00:00Z", vec![]),
    ] {
        expected.sort_by_key(|row| (std::cmp::Reverse(row[1].as_i64()), row[0].as_str().map(str::to_owned)));
        let (told, report) = late(&lorestan, query).await;
        assert_eq!(told, expected, "{query}");
        assert_eq!(
            report.body["totals"]["weight_bp"],
            expected.iter().map(|row| row[2].as_i64().unwrap()).sum::<i64>(),
            "{query}"
        );
        let is_led = ["as_of=2015-07-14", "as_of=2015-07-15", "as_of=2015-12-01"].contains(&query);
        let lead = if is_led { json!(person.id()) } else { Value::Null };
        assert!(rows(&report, &["lead_cda"]).iter().all(|row| row[0]["id"] == lead), "{query}");
    }
    // Today: what a project leaves behind when it ends is late no more.
    for (state, count) in [("implementing", 3), ("suspended", 3), ("terminated", 0), ("closed", 0)] {
        service.put_in_state("project", project.id(), state).await;
        let (told, report) = late(&lorestan, "").await;
        assert_eq!(told.len(), count, "{state}");
        assert!(rows(&report, &["project_state"]).iter().all(|row| row[0] == state));
    }
}

/// What is late is what the milestones themselves say; how many were compared.
pub async fn agree(then: &Then<'_>) -> usize {
    let (projects, clusters) = (then.records("projects").await, then.records("clusters").await);
    let mut expected = Vec::new();
    for (id, milestone) in then.records("milestones").await.iter() {
        let project = &projects[milestone["project_id"].as_str().unwrap()];
        if milestone["is_overdue"] == false
            || ["closed", "terminated"].contains(&project["state"].as_str().unwrap())
        {
            continue;
        }
        let lead = &project["lead_cda"];
        let lead =
            if lead.is_null() { Value::Null } else { json!({"id": lead["id"], "name_fa": lead["name_fa"]}) };
        expected.push(json!({
            "id": id, "title_fa": milestone["title_fa"], "title_en": milestone["title_en"], "project_id": project["id"],
            "project_code": project["code"], "project_state": project["state"], "province": milestone["province"], "phase": milestone["phase"],
            "cluster_fa": clusters[project["cluster_id"].as_str().unwrap()]["name_fa"], "due_on": milestone["due_on"],
            "weight_bp": milestone["weight_bp"], "state": milestone["state"], "lead_cda": lead,
        }));
    }
    expected.sort_by_key(|row| (row["due_on"].to_string(), row["id"].to_string()));
    let (mut told, totals) = then.report(REPORT, "").await;
    let ages: Vec<i64> = told
        .iter_mut()
        .map(|row| row.as_object_mut().unwrap().shift_remove("days_late").unwrap().as_i64().unwrap())
        .collect();
    assert_eq!(told, expected, "{then}");
    assert!(ages.iter().all(|days| *days > 0) && ages.is_sorted_by(|a, b| a >= b));
    let weight: i64 = expected.iter().map(|row| row["weight_bp"].as_i64().unwrap()).sum();
    assert_eq!((&totals["milestones"], &totals["weight_bp"]), (&json!(expected.len()), &json!(weight)));
    told.len()
}
