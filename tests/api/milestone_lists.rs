//! Lists of milestones: their filters, on the demonstration's data in the Persian calendar, and their order.

use chrono::{Days, NaiveDate};
use khoosheh::persian::Date;
use serde_json::json;

use crate::{
    milestones::{MILESTONES, milestone},
    on_both,
    projects::{comes_in_order, made, project, stone},
    support::Service,
};

on_both!(
    filters_of_milestones_let_through_what_they_name,
    the_present_month_quarter_and_year_are_persian,
    milestones_are_listed_in_every_documented_order,
    the_milestones_of_a_project_are_those_of_the_filter,
);

/// How many of the twenty milestones of `data/stone-milestones.csv` each filter leaves, counted by hand in
/// that file.
async fn filters_of_milestones_let_through_what_they_name(service: &Service) {
    let isipo = service.login("isipo").await;
    let stone = isipo.get(&stone(&isipo).await).await;
    let olive = project(&isipo, "زیتون", json!({})).await;
    let pistachio = project(&isipo, "پسته", json!({})).await;
    for project in [&olive, &pistachio] {
        // Due on 1402-01-01, and not before.
        made(
            &isipo,
            MILESTONES,
            milestone(json!({"project_id": project.id(), "due_on": "2023-03-21", "title_fa": "شناختی"})),
        )
        .await;
    }
    let (all, own) = (22, 20);
    for (query, counts) in [
        ("", [all, 21, own + 1]),
        ("mine=true", [all, 21, own]),
        ("mine=false", [all, 21, own + 1]),
        ("due_from=1394-01-01&due_before=1395-01-01", [5, 5, 5]),
        ("due_before=1393-06-15", [1, 1, 1]),
        ("due_before=1393-06-16", [2, 2, 2]),
        ("due_from=1393-10-30&due_before=1393-11-01", [2, 2, 2]),
        ("due_from=1395-12-30", [3, 2, 2]),
        ("due_from=1395-12-30&mine=true", [3, 2, 1]),
        ("due_from=1396-01-01&due_before=1402-01-01", [0, 0, 0]),
        ("due_from=1402-01-01&province=IR-08", [1, 0, 0]),
        ("overdue=true", [6, 5, 5]),
        ("overdue=true&mine=true", [6, 5, 4]),
        ("overdue=false", [16, 16, 16]),
        ("state=accepted", [16, 16, 16]),
        ("state=planned,in_progress", [6, 5, 5]),
        ("state=cancelled", [0, 0, 0]),
        ("pillar=bds", [3, 3, 3]),
        ("pillar=networking,support_institution", [12, 12, 12]),
        ("phase=implementation", [9, 9, 9]),
        ("phase=evaluation,handover", [3, 3, 3]),
        ("phase=diagnostic&overdue=false", [3, 3, 3]),
        ("province=IR-08", [1, 0, 0]),
        ("q=شناختي", [3, 2, 2]),
        ("q=export", [1, 1, 1]),
        ("due_in=this_month", [0, 0, 0]),
    ] {
        for (who, count) in ["isipo", "lorestan", "cda"].into_iter().zip(counts) {
            let page = service
                .login(who)
                .await
                .get(&format!("{MILESTONES}?calendar=persian&page_size=200&count=true&{query}"))
                .await;
            assert_eq!(page.status, 200, "{who}: {query}: {}", page.text);
            assert_eq!(
                (page.items("id").len(), &page.body["total"]),
                (count, &json!(count)),
                "{who}: {query}"
            );
        }
    }
    let supervisor = service.login("supervisor").await;
    assert_eq!(supervisor.get(&format!("{MILESTONES}?mine=true&page_size=200")).await.items("id").len(), own);
    let late = isipo
        .get(&format!("{MILESTONES}?calendar=persian&overdue=true&sort=due_on&project_id={}", stone.id()))
        .await;
    assert_eq!(late.items("due_on"), ["1395-06-31", "1395-10-30", "1395-11-15", "1395-12-30"]);
    assert!(late.body["items"].as_array().unwrap().iter().all(|item| item["is_overdue"] == true));
    let table = isipo
        .get(&format!("{MILESTONES}?calendar=persian&overdue=true&project_id={}&format=csv", stone.id()))
        .await;
    assert_eq!((table.text.lines().count(), table.text.contains("1395-06-31")), (5, true), "{}", table.text);
    for (query, status, error) in [
        ("due_before=1394-12-30&calendar=persian", 422, ("/due_before", "no_such_day")),
        ("due_in=1394", 400, ("/due_in", "not_in_list")),
        ("overdue=perhaps", 400, ("/overdue", "wrong_type")),
        ("state=overdue", 400, ("/state/0", "not_in_list")),
        ("weight_bp=100", 400, ("/weight_bp", "unknown_parameter")),
    ] {
        let refused = isipo.get(&format!("{MILESTONES}?{query}")).await;
        assert_eq!((refused.status, refused.errors()), (status, vec![error]), "{query}");
    }
}

async fn the_present_month_quarter_and_year_are_persian(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let project = project(&lorestan, "زیتون", json!({})).await;
    let today = Date::today_in_iran();
    let (year, month, _) = today.persian();
    let quarter = |month: u8| (month - 1) / 3;
    let first = |year: i32, month: u8| Date::from_persian(year, month, 1).unwrap().naive();
    let after = |months: u8, start: u8| {
        if start + months > 12 { first(year + 1, 1) } else { first(year, start + months) }
    };
    let bounds = [
        first(year, month),
        after(1, month),
        first(year, quarter(month) * 3 + 1),
        after(3, quarter(month) * 3 + 1),
        first(year, 1),
        first(year + 1, 1),
    ];
    let mut days: Vec<NaiveDate> = bounds
        .into_iter()
        .flat_map(|day| [day.checked_sub_days(Days::new(1)).unwrap(), day])
        .chain([today.naive()])
        .collect();
    days.sort();
    days.dedup();
    for day in &days {
        made(&lorestan, MILESTONES, milestone(json!({"project_id": project.id(), "due_on": day}))).await;
    }
    for (period, holds) in [
        ("this_month", (|now, day| now == day) as fn((i32, u8), (i32, u8)) -> bool),
        ("this_quarter", |now, day| (now.0, (now.1 - 1) / 3) == (day.0, (day.1 - 1) / 3)),
        ("this_year", |now, day| now.0 == day.0),
    ] {
        let page = lorestan
            .get(&format!("{MILESTONES}?project_id={}&sort=due_on&due_in={period}", project.id()))
            .await;
        let within = days.iter().filter(|day| {
            let (y, m, _) = Date::from(**day).persian();
            holds((year, month), (y, m))
        });
        let expected: Vec<String> = within.map(NaiveDate::to_string).collect();
        assert!(expected.len() >= 2 && expected.len() < days.len());
        assert_eq!(page.items("due_on"), expected, "{period}");
    }
}

async fn milestones_are_listed_in_every_documented_order(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let touched = lorestan.get(&format!("{MILESTONES}?page_size=3&sort=-due_on")).await;
    for id in touched.items("id") {
        assert_eq!(
            lorestan.patch(&format!("{MILESTONES}/{id}"), "*", json!({"budget_irr": "1"})).await.status,
            200
        );
    }
    comes_in_order(&lorestan, MILESTONES, &["due_on", "created_at", "updated_at", "id"]).await;
}

async fn the_milestones_of_a_project_are_those_of_the_filter(service: &Service) {
    let isipo = service.login("isipo").await;
    let stone = stone(&isipo).await;
    let olive = project(&isipo, "زیتون", json!({})).await;
    made(&isipo, MILESTONES, milestone(json!({"project_id": olive.id()}))).await;
    for (path, count) in [(stone.as_str(), 20), (olive.header("location"), 1)] {
        let id = path.rsplit('/').next().unwrap();
        for query in [
            "page_size=200&sort=-due_on&count=true",
            "page_size=200&include=project&calendar=persian",
            "page_size=200&fields=id,due_on",
        ] {
            let below = isipo.get(&format!("{path}/milestones?{query}")).await;
            assert_eq!(
                below.body,
                isipo.get(&format!("{MILESTONES}?project_id={id}&{query}")).await.body,
                "{query}"
            );
            assert_eq!(below.items("id").len(), count);
        }
    }
    let words = isipo.get(&format!("{stone}/milestones?q=export")).await;
    assert_eq!(words.items("title_en"), ["Export consortium for the stone of Lorestan"]);
    let refused = isipo.get(&format!("{stone}/milestones?project_id={}", olive.id())).await;
    assert_eq!((refused.status, refused.errors()), (400, vec![("/project_id", "unknown_parameter")]));
}
