//! Earned value: the status of projects, the S-curve, the budget; and the summaries that they read.

use std::collections::BTreeSet;

use khoosheh::{
    demo,
    store::{Files, earned_value::summary},
};
use serde_json::{Value, json};

use super::{REPORTS, then::Then};
use crate::{
    on_both,
    projects::PROJECTS,
    support::{Answer, Client, Service, moment},
};

on_both!(
    the_s_curve_follows_the_baseline_in_force,
    the_curve_of_the_past_plans_as_was_planned_then,
    the_status_of_a_project_is_told_as_of_a_day,
    the_budget_is_set_against_progress,
    summaries_are_never_behind,
    the_curve_of_the_nation_is_that_of_its_projects,
);

/// The demonstration with the programme at work, and who looks at it: the nation, Kerman, Lorestan.
pub async fn enriched(service: &Service) -> (Client, Client, Client) {
    demo::enrich(&service.database().await, &Files::open(&service.config).unwrap()).await.unwrap();
    (service.login("isipo").await, service.login("kerman").await, service.login("lorestan").await)
}

/// A report with Persian dates.
pub async fn told(client: &Client, report: &str, query: &str) -> Answer {
    let answer = client.get(&format!("{REPORTS}/{report}?calendar=persian&{query}")).await;
    assert_eq!(answer.status, 200, "{report}?{query}: {}", answer.text);
    answer
}

/// The project of the pistachio cluster of Kerman. Its budget is 3,200 million rials, so that 100 basis
/// points are 32 million.
async fn pistachio(client: &Client) -> String {
    client.get(&format!("{PROJECTS}?state=closed")).await.items("id")[0].to_owned()
}

/// Millions of rials.
fn millions(value: &Value) -> Value {
    value.as_str().map_or(Value::Null, |rials| json!(rials.parse::<i64>().unwrap() / 1_000_000))
}

fn points(curve: &Answer) -> Vec<Value> {
    let items = curve.body["items"].as_array().unwrap();
    let told = |point: &Value| {
        let [planned, earned, cost] =
            ["planned_value_irr", "earned_value_irr", "actual_cost_irr"].map(|name| millions(&point[name]));
        json!([
            point["period"],
            point["on"],
            planned,
            earned,
            cost,
            point["spi"],
            point["cpi"],
            point["rebaselines"]
        ])
    };
    items.iter().map(told).collect()
}

async fn the_s_curve_follows_the_baseline_in_force(service: &Service) {
    let (isipo, kerman, lorestan) = enriched(service).await;
    let project = pistachio(&isipo).await;
    // Due: 25 % at the end of 1396-Q2, 30 % of Q4, 30 % of 1397-Q2, 15 % of Q4. On 1397-09-01 the last is
    // given up and its weight goes to the third. Accepted: 1396-06-20, 1397-02-10, 1397-06-15. Paid: 760 on
    // 1397-03-10, 2,400 on 1398-04-20.
    let expected = [
        json!(["1396-Q2", "1396-06-31", 800, 800, 0, "1", null, 0]),
        json!(["1396-Q3", "1396-09-30", 800, 800, 0, "1", null, 0]),
        json!(["1396-Q4", "1396-12-29", 1_760, 800, 0, "0.4545", null, 0]),
        json!(["1397-Q1", "1397-03-31", 1_760, 1_760, 760, "1", "2.3158", 0]),
        json!(["1397-Q2", "1397-06-31", 2_720, 2_720, 760, "1", "3.5789", 0]),
        json!(["1397-Q3", "1397-09-30", 3_200, 3_200, 760, "1", "4.2105", 1]),
        json!(["1397-Q4", "1397-12-29", 3_200, 3_200, 760, "1", "4.2105", 0]),
        json!(["1398-Q1", "1398-03-31", 3_200, 3_200, 760, "1", "4.2105", 0]),
        json!(["1398-Q2", "1398-06-31", 3_200, 3_200, 3_160, "1", "1.0127", 0]),
        json!(["1398-Q3", "1398-07-15", 3_200, 3_200, 3_160, "1", "1.0127", 0]),
    ];
    for client in [&isipo, &kerman] {
        let curve = told(client, "s-curve", &format!("project_id={project}&as_of=1398-07-15")).await;
        assert_eq!(points(&curve), expected);
        assert_eq!(
            (
                millions(&curve.body["totals"]["budget_at_completion_irr"]),
                &curve.body["totals"]["rebaselines"]
            ),
            (json!(3_200), &json!(1))
        );
        // 3,200 × 3,160 / 3,200.
        assert_eq!(millions(&curve.body["totals"]["estimate_at_completion_irr"]), json!(3_160));
    }
    let of_year = told(&isipo, "s-curve", &format!("project_id={project}&period=1397")).await;
    assert_eq!(points(&of_year), expected[3..7]);
    let by_month = told(&isipo, "s-curve", &format!("project_id={project}&by=month&period=1397-Q1")).await;
    assert_eq!(
        points(&by_month),
        [
            json!(["1397-01", "1397-01-31", 1_760, 800, 0, "0.4545", null, 0]),
            json!(["1397-02", "1397-02-31", 1_760, 1_760, 0, "1", null, 0]),
            json!(["1397-03", "1397-03-31", 1_760, 1_760, 760, "1", "2.3158", 0]),
        ]
    );
    let elsewhere = told(&lorestan, "s-curve", &format!("project_id={project}")).await;
    assert_eq!(
        (points(&elsewhere), &elsewhere.body["totals"]["budget_at_completion_irr"]),
        (vec![], &json!("0"))
    );
}

async fn the_curve_of_the_past_plans_as_was_planned_then(service: &Service) {
    let (isipo, ..) = enriched(service).await;
    let project = pistachio(&isipo).await;
    let curve = told(&isipo, "s-curve", &format!("project_id={project}&as_of=1397-03-05")).await;
    let expected = [
        json!(["1396-Q2", "1396-06-31", 800, 800, 0, "1", null, 0]),
        json!(["1396-Q3", "1396-09-30", 800, 800, 0, "1", null, 0]),
        json!(["1396-Q4", "1396-12-29", 1_760, 800, 0, "0.4545", null, 0]),
        json!(["1397-Q1", "1397-03-05", 1_760, 1_760, 0, "1", null, 0]),
        // By the first baseline: nobody knew of the second.
        json!(["1397-Q2", "1397-06-31", 2_720, null, null, null, null, 0]),
        json!(["1397-Q3", "1397-09-30", 2_720, null, null, null, null, 0]),
        json!(["1397-Q4", "1397-12-29", 3_200, null, null, null, null, 0]),
    ];
    assert_eq!(points(&curve), expected);
    let nothing =
        told(&isipo, "s-curve", &format!("project_id={project}&known_at=2020-01-01T00:00:00Z")).await;
    assert_eq!(points(&nothing), Vec::<Value>::new(), "nothing was known before the data came");
}

async fn the_status_of_a_project_is_told_as_of_a_day(service: &Service) {
    let (isipo, kerman, lorestan) = enriched(service).await;
    let project = pistachio(&isipo).await;
    for (day, expected) in [
        (
            "1396-12-29",
            json!([
                "implementing",
                "implementation",
                1,
                5_500,
                2_500,
                "0.4545",
                null,
                "عامل توسعهٔ کرمان",
                551
            ]),
        ),
        (
            "1397-03-31",
            json!([
                "implementing",
                "implementation",
                1,
                5_500,
                5_500,
                "1",
                "2.3158",
                "عامل توسعهٔ کرمان",
                458
            ]),
        ),
        (
            "1397-08-30",
            json!([
                "implementing",
                "implementation",
                1,
                8_500,
                8_500,
                "1",
                "3.5789",
                "عامل توسعهٔ کرمان",
                305
            ]),
        ),
        (
            "1397-09-01",
            json!([
                "implementing",
                "implementation",
                2,
                10_000,
                10_000,
                "1",
                "4.2105",
                "عامل توسعهٔ کرمان",
                304
            ]),
        ),
        (
            "1398-06-31",
            json!(["handed_over", "handover", 2, 10_000, 10_000, "1", "1.0127", "عامل توسعهٔ کرمان", 0]),
        ),
    ] {
        for client in [&isipo, &kerman] {
            let status = told(client, "project-status", &format!("as_of={day}&province=IR-08")).await;
            let row = status.body["items"]
                .as_array()
                .unwrap()
                .iter()
                .find(|row| row["id"] == project.as_str())
                .unwrap()
                .clone();
            let names = [
                "state",
                "phase",
                "baseline_number",
                "planned_bp",
                "actual_bp",
                "spi",
                "cpi",
                "lead_cda_fa",
                "days_left",
            ];
            assert_eq!(names.map(|name| row[name].clone()).to_vec(), *expected.as_array().unwrap(), "{day}");
        }
        let other = told(&lorestan, "project-status", &format!("as_of={day}&province=IR-08")).await;
        assert_eq!((other.items("id").len(), &other.body["totals"]["planned_value_irr"]), (0, &json!("0")));
    }
    let closed = told(&isipo, "project-status", "state=closed").await;
    assert_eq!(
        (closed.items("id"), &closed.body["items"][0]["days_left"]),
        (vec![project.as_str()], &Value::Null)
    );
    assert!(
        !told(&isipo, "project-status", "").await.items("id").contains(&project.as_str()),
        "what is closed is shown to those who ask for it"
    );
    let pistachio_only =
        told(&isipo, "project-status", "state=closed,suspended,implementing&industry=01").await;
    assert_eq!(pistachio_only.items("id"), [project.as_str()], "pistachio is of class 0125");
}

async fn the_budget_is_set_against_progress(service: &Service) {
    let (isipo, kerman, lorestan) = enriched(service).await;
    let project = pistachio(&isipo).await;
    let row = async |client: &Client, query: &str| {
        let budget = told(client, "budget", query).await;
        budget.body["items"].as_array().unwrap().iter().find(|row| row["id"] == project.as_str()).cloned()
    };
    for (query, expected) in [
        // 760 / 3,200 = 23.75 %, of 85 % earned.
        ("as_of=1397-08-30", json!([3_200, 760, 760, 2_440, 2_375, 2_720, 8_500, -6_125])),
        ("as_of=1398-07-15", json!([3_200, 3_160, 3_160, 40, 9_875, 3_200, 10_000, -125])),
        ("period=1398", json!([3_200, 3_160, 2_400, 40, 9_875, 3_200, 10_000, -125])),
        ("period=1396", json!([3_200, 0, 0, 3_200, 0, 800, 2_500, -2_500])),
    ] {
        let row = row(&kerman, query).await.unwrap();
        let rials = ["approved_irr", "paid_irr", "paid_in_period_irr", "remaining_irr"]
            .map(|name| millions(&row[name]));
        let rest = [
            row["paid_bp"].clone(),
            millions(&row["earned_value_irr"]),
            row["progress_bp"].clone(),
            row["paid_ahead_bp"].clone(),
        ];
        assert_eq!([rials, rest].concat(), *expected.as_array().unwrap(), "{query}");
    }
    assert!(
        row(&lorestan, "").await.is_none() && row(&isipo, "as_of=1395-05-31").await.is_none(),
        "a draft has no approved budget"
    );
    // Two projects of 3,200 each; the carpets have earned 25 %: (3,200 + 800) / 6,400; paid 3,160 / 6,400.
    let totals = told(&kerman, "budget", "").await.body["totals"].clone();
    assert_eq!((&totals["progress_bp"], &totals["paid_bp"]), (&json!(6_250), &json!(4_938)));
}

/// Every state that a project may be in.
pub const STATES: [&str; 11] = [
    "draft",
    "approved",
    "contracted",
    "diagnostic",
    "planning",
    "implementing",
    "evaluating",
    "handed_over",
    "closed",
    "suspended",
    "terminated",
];

fn number(value: &Value) -> i64 {
    value.as_str().map_or_else(|| value.as_i64(), |text| text.parse().ok()).unwrap()
}

/// What is planned, earned and paid of a project: basis points and rials, from its baselines, its milestones
/// and its payments.
async fn valued(then: &Then<'_>, project: &Value, payments: &[Value]) -> Option<Value> {
    let id = project["id"].as_str().unwrap();
    let baselines = then.listed(&format!("projects/{id}/baselines")).await;
    let in_force =
        baselines.iter().filter(|one| one["number"] == 1 || one["frozen_on"].as_str().unwrap() <= then.day);
    let baseline = in_force.max_by_key(|one| number(&one["number"]))?;
    let ended = then
        .events(&format!("projects/{id}"), then.day)
        .await
        .into_iter()
        .filter(|(state, _)| state == "terminated")
        .map(|(_, on)| on)
        .max();
    let frozen = if baseline["number"] == 1 { "" } else { baseline["frozen_on"].as_str().unwrap() };
    let budget: i64 =
        project["budget"].as_array().unwrap().iter().map(|line| number(&line["amount_irr"])).sum();
    let milestones = then.records("milestones").await;
    let (mut planned_bp, mut planned, mut earned_bp, mut earned) = (0, 0, 0, 0);
    for planned_part in baseline["milestones"].as_array().unwrap() {
        let (weight, due) = (number(&planned_part["weight_bp"]), planned_part["due_on"].as_str().unwrap());
        let starts = due.max(frozen);
        if starts <= then.day && ended.as_deref().is_none_or(|ended| starts < ended) {
            planned_bp += weight;
            planned += budget * weight / 10_000;
        }
        let milestone = milestones.get(planned_part["milestone_id"].as_str().unwrap());
        if let Some(milestone) = milestone.filter(|milestone| milestone["state"] == "accepted") {
            let fraction = number(&milestone["accepted_fraction_bp"]);
            earned_bp += weight * fraction;
            earned +=
                i64::try_from(i128::from(budget) * i128::from(weight * fraction) / 100_000_000).unwrap();
        }
    }
    let own =
        payments.iter().filter(|one| one["project_id"] == id && one["paid_on"].as_str().unwrap() <= then.day);
    let paid: i64 = own.map(|one| number(&one["amount_irr"])).sum();
    Some(json!([
        baseline["number"],
        planned_bp,
        earned_bp / 10_000,
        planned.to_string(),
        earned.to_string(),
        paid.to_string()
    ]))
}

/// Status, curve and budget are what the projects, their baselines, milestones and payments themselves say;
/// how many projects have a plan.
pub async fn agrees(then: &Then<'_>) -> usize {
    let (rows, totals) = then.report("project-status", &format!("&state={}", STATES.join(","))).await;
    let (projects, payments) = (then.records("projects").await, then.listed("payments").await);
    assert_eq!(
        rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>(),
        projects.keys().cloned().collect()
    );
    let (mut planned, mut sums) = (0, [0; 3]);
    for row in &rows {
        let project = &projects[row["id"].as_str().unwrap()];
        assert_eq!(
            (&row["state"], &row["code"], &row["lead_cda_fa"]),
            (&project["state"], &project["code"], &project["lead_cda"]["name_fa"]),
            "{then}"
        );
        let names = [
            "baseline_number",
            "planned_bp",
            "actual_bp",
            "planned_value_irr",
            "earned_value_irr",
            "actual_cost_irr",
        ];
        let told = json!(names.map(|name| &row[name]));
        let expected = valued(then, project, &payments).await;
        assert_eq!(row["baseline_number"].is_null(), expected.is_none(), "{} {then}", row["code"]);
        if let Some(expected) = expected {
            assert_eq!(told, expected, "{} {then}", row["code"]);
            assert_eq!(
                (&row["planned_bp"], &row["actual_bp"]),
                (&project["planned_bp"], &project["progress_bp"]),
                "{} {then}",
                row["code"]
            );
            planned += 1;
        }
        sums.iter_mut().zip(&names[3..]).for_each(|(sum, name)| *sum += number(&row[*name]));
    }
    let curve = then.report("s-curve", "&by=month").await;
    let (budgets, budget) = then.report("budget", "").await;
    for ((name, sum), of_budget) in ["planned_value_irr", "earned_value_irr", "actual_cost_irr"]
        .into_iter()
        .zip(sums)
        .zip(["", "earned_value_irr", "paid_irr"])
    {
        assert_eq!(
            (&totals[name], &curve.1[name]),
            (&json!(sum.to_string()), &json!(sum.to_string())),
            "{name} {then}"
        );
        assert!(of_budget.is_empty() || budget[of_budget] == json!(sum.to_string()), "{of_budget} {then}");
    }
    for row in budgets {
        let project = &projects[row["id"].as_str().unwrap()];
        let lines: i64 =
            project["budget"].as_array().unwrap().iter().map(|line| number(&line["amount_irr"])).sum();
        assert_eq!(row["approved_irr"], lines.to_string(), "{then}");
    }
    planned
}

async fn summaries_are_never_behind(service: &Service) {
    let (isipo, _, lorestan) = enriched(service).await;
    let db = service.database().await;
    let differences = async || summary::differences(&db).await.unwrap();
    assert_eq!(differences().await, 0);
    let present =
        async || (told(&isipo, "s-curve", "").await.body, told(&isipo, "project-status", "").await.body);
    let mut before = present().await;
    // A payment, its correction, a milestone that is reopened, another budget.
    let project = lorestan.get(&format!("{PROJECTS}?state=implementing")).await.items("id")[0].to_owned();
    let path = format!("{PROJECTS}/{project}");
    let payment = json!({"project_id": project, "line": "cda_fee", "amount_irr": "1000000", "paid_on": "2016-05-01", "document_no": "۹"});
    let payment = lorestan.post("/api/v1/payments", payment).await;
    assert_eq!(payment.status, 201, "{}", payment.text);
    let milestones = lorestan.get(&format!("/api/v1/milestones?project_id={project}&state=accepted")).await;
    let milestone = format!("/api/v1/milestones/{}", milestones.items("id")[0]);
    let mut budget = lorestan.get(&path).await.body["budget"].clone();
    budget[0]["amount_irr"] = json!("9000000000");
    for step in 0..5 {
        let now = present().await;
        assert_ne!(now, before, "step {step}");
        assert_eq!(differences().await, 0, "step {step}");
        before = now;
        let changed = match step {
            0 => lorestan.patch(payment.header("location"), "*", json!({"amount_irr": "2000000"})).await,
            1 => isipo.transition(&milestone, "*", json!({"to": "in_progress", "reason": "بازگشایی"})).await,
            2 => lorestan.patch(&path, "*", json!({"budget": budget})).await,
            _ => lorestan.delete(payment.header("location"), "*").await,
        };
        assert!(changed.status < 300, "step {step}: {}", changed.text);
        if step == 3 {
            break;
        }
    }
    assert_eq!(differences().await, 0);
    let now = present().await;
    summary::rebuild(&db).await.unwrap();
    assert_eq!(present().await, now, "what is made anew is what was kept");
    use sea_orm::ConnectionTrait;
    db.execute_unprepared("UPDATE earned_value_day SET planned_irr = planned_irr + 1").await.unwrap();
    assert!(differences().await > 0, "the check finds what is wrong");
}

async fn the_curve_of_the_nation_is_that_of_its_projects(service: &Service) {
    let (isipo, kerman, lorestan) = enriched(service).await;
    for by in ["month", "quarter"] {
        let nation = told(&isipo, "s-curve", &format!("by={by}")).await;
        let both = told(&isipo, "s-curve", &format!("by={by}&province=IR-15,IR-08")).await;
        assert_eq!(nation.body["items"], both.body["items"], "there are projects in two provinces only");
        let known = moment();
        let live = told(&isipo, "s-curve", &format!("by={by}&known_at={known}")).await;
        assert_eq!(nation.body["items"], live.body["items"], "the summaries say what the records say");
        let parts = [
            told(&kerman, "s-curve", &format!("by={by}")).await,
            told(&lorestan, "s-curve", &format!("by={by}")).await,
        ];
        let sum = |period: &Value, name: &str| -> i64 {
            let of = |part: &Answer| {
                let points = part.body["items"].as_array().unwrap();
                let until =
                    points.iter().take_while(|point| point["period"].as_str() <= period.as_str()).last();
                until.and_then(|point| point[name].as_str()?.parse::<i64>().ok()).unwrap_or(0)
            };
            parts.iter().map(of).sum()
        };
        for point in nation.body["items"].as_array().unwrap() {
            for name in ["planned_value_irr", "earned_value_irr", "actual_cost_irr"] {
                let expected =
                    if point[name].is_null() { 0 } else { point[name].as_str().unwrap().parse().unwrap() };
                assert!(
                    point[name].is_null() || sum(&point["period"], name) == expected,
                    "{name} in {}",
                    point["period"]
                );
            }
        }
        assert_ne!(parts[0].body["totals"], nation.body["totals"], "a province does not see the nation");
    }
}
