//! Portfolios of CDAs.

use serde_json::{Value, json};

use super::{
    earned_value::{enriched, told},
    then::Then,
};
use crate::{
    cdas, leads,
    milestones::{MILESTONES, milestone},
    on_both,
    projects::{PROJECTS, implementing, made},
    support::{Answer, Service, moment},
};

on_both!(
    two_cdas_are_told_by_what_they_have_led,
    a_milestone_counts_for_who_led_on_its_day,
    a_certificate_expires,
);

const REPORT: &str = "cda-portfolio";
const FIGURES: [&str; 7] =
    ["projects_led", "projects_assisted", "load", "accepted", "on_time", "on_time_bp", "returns"];

/// The figures of a CDA; none where the report does not show it.
fn figures(report: &Answer, field: &str, value: &str) -> Option<Value> {
    let row = report.body["items"].as_array().unwrap().iter().find(|row| row[field] == value)?;
    Some(FIGURES.iter().map(|name| row[*name].clone()).collect())
}

async fn two_cdas_are_told_by_what_they_have_led(service: &Service) {
    let (isipo, kerman, lorestan) = enriched(service).await;
    for (query, expected) in [
        ("as_of=1394-05-09", None),
        ("as_of=1394-05-10", Some(json!([0, 0, "0", 0, 0, null, 0]))),
        // The purchasing networks: 1396-06-20 of 1396-06-31, and 1396-07-20.
        ("as_of=1396-12-29", Some(json!([2, 0, "2", 2, 1, 5_000, 0]))),
        // A laboratory, late.
        ("as_of=1397-02-10", Some(json!([2, 0, "2", 3, 1, 3_333, 0]))),
        // The consortium, in time; the carpets rest.
        ("as_of=1397-12-29", Some(json!([1, 0, "1", 4, 2, 5_000, 0]))),
        ("as_of=1398-07-01", Some(json!([0, 0, "0", 4, 2, 5_000, 0]))),
        ("period=1397", Some(json!([1, 0, "1", 2, 1, 5_000, 0]))),
        ("as_of=1397-12-29&industry=01", Some(json!([1, 0, "1", 3, 2, 6_667, 0]))),
        ("as_of=1397-12-29&industry=15", None),
    ] {
        for client in [&isipo, &kerman] {
            assert_eq!(figures(&told(client, REPORT, query).await, "province", "IR-08"), expected, "{query}");
        }
        assert_eq!(figures(&told(&lorestan, REPORT, query).await, "province", "IR-08"), None, "{query}");
    }
    // Of the sixteen milestones of the stone project seven came late.
    let nation = told(&isipo, REPORT, "as_of=1397-12-29").await;
    assert_eq!(figures(&nation, "province", "IR-15"), Some(json!([1, 0, "1", 16, 9, 5_625, 0])));
    let totals = |cdas: u32, led: u32, accepted: u32, on_time: u32, share: u32| json!({"cdas": cdas, "projects_led": led, "accepted": accepted, "on_time": on_time, "on_time_bp": share, "returns": 0});
    assert_eq!(nation.body["totals"], totals(2, 2, 20, 11, 5_500));
    for (client, query, expected) in [
        (&kerman, "", totals(1, 1, 4, 2, 5_000)),
        (&lorestan, "&province=IR-15,IR-08", totals(1, 1, 16, 9, 5_625)),
        (&isipo, "&province=IR-08", totals(1, 1, 4, 2, 5_000)),
    ] {
        assert_eq!(told(client, REPORT, &format!("as_of=1397-12-29{query}")).await.body["totals"], expected);
    }
    let nothing = told(&isipo, REPORT, "known_at=2020-01-01T00:00:00Z").await;
    assert_eq!(nothing.body["total"], 0, "nothing was known before the data came");
    for secret in ["0000000019", "09120000001", "cda@lorestan"] {
        assert!(!nation.text.contains(secret), "no personal data");
    }
}

async fn a_milestone_counts_for_who_led_on_its_day(service: &Service) {
    let isipo = service.login("isipo").await;
    let (led, assisted) =
        (implementing(service, &isipo, "زیتون").await, implementing(service, &isipo, "عسل").await);
    let (first, second) = (leads::cda(&isipo, 2, "IR-15").await, leads::cda(&isipo, 3, "IR-15").await);
    for (project, who, role, from, to) in [
        (&led, &first, "lead", "2015-01-01", "2015-06-29"),
        (&led, &second, "lead", "2015-07-01", "..."),
        (&assisted, &second, "assistant", "2015-01-01", "..."),
    ] {
        made(
            &isipo,
            &format!("{PROJECTS}/{}/assignments", project.id()),
            leads::assignment(who, role, from, to),
        )
        .await;
    }
    let work = async |way: &[(&str, &str)]| {
        let created =
            made(&isipo, MILESTONES, milestone(json!({"project_id": led.id(), "due_on": "2015-06-21"})))
                .await;
        for (to, on) in way {
            let moved = isipo
                .transition(
                    created.header("location"),
                    "*",
                    json!({"to": to, "effective_on": on, "reason": "بررسی"}),
                )
                .await;
            assert_eq!(moved.status, 200, "{}", moved.text);
        }
        created
    };
    let again = [
        ("in_progress", "2015-05-01"),
        ("submitted", "2015-06-01"),
        ("returned", "2015-06-10"),
        ("in_progress", "2015-06-10"),
    ];
    let reviewed =
        work(&[&again[..], &[("submitted", "2015-06-20"), ("accepted", "2015-06-21")]].concat()).await;
    work(&[("in_progress", "2015-06-01"), ("submitted", "2015-06-22"), ("accepted", "2015-07-01")]).await;
    // On these days nobody leads.
    work(&[("in_progress", "2015-06-01"), ("submitted", "2015-06-29"), ("returned", "2015-06-30")]).await;
    work(&[("in_progress", "2014-12-01"), ("submitted", "2014-12-30"), ("accepted", "2014-12-31")]).await;
    let before = moment();
    let reopened = json!({"to": "in_progress", "effective_on": "2015-08-01", "reason": "شکایت"});
    assert_eq!(isipo.transition(reviewed.header("location"), "*", reopened).await.status, 200);

    let known = format!("as_of=2015-08-01&known_at={before}");
    for (query, of_first, of_second) in [
        // Past the service the projects were put where they are: on a day they are drafts.
        ("as_of=2015-06-09", json!([0, 0, "0", 0, 0, null, 0]), json!([0, 0, "0", 0, 0, null, 0])),
        ("as_of=2015-06-20", json!([0, 0, "0", 0, 0, null, 1]), json!([0, 0, "0", 0, 0, null, 0])),
        ("as_of=2015-06-30", json!([0, 0, "0", 1, 1, 10_000, 1]), json!([0, 0, "0", 0, 0, null, 0])),
        ("as_of=2015-07-31", json!([0, 0, "0", 1, 1, 10_000, 1]), json!([0, 0, "0", 1, 0, 0, 0])),
        ("as_of=2015-08-01", json!([0, 0, "0", 0, 0, null, 1]), json!([0, 0, "0", 1, 0, 0, 0])),
        (&known, json!([0, 0, "0", 1, 1, 10_000, 1]), json!([0, 0, "0", 1, 0, 0, 0])),
        (
            "as_of=2015-07-31&period=1394-Q2",
            json!([0, 0, "0", 0, 0, null, 0]),
            json!([0, 0, "0", 1, 0, 0, 0]),
        ),
        ("", json!([0, 0, "0", 0, 0, null, 1]), json!([1, 1, "1.5", 1, 0, 0, 0])),
        ("industry=0126", json!([0, 0, "0", 0, 0, null, 1]), json!([1, 0, "1", 1, 0, 0, 0])),
    ] {
        let report = isipo.get(&format!("/api/v1/reports/{REPORT}?{query}")).await;
        assert_eq!(figures(&report, "id", first.id()), Some(of_first), "{query}");
        assert_eq!(figures(&report, "id", second.id()), Some(of_second), "{query}");
    }
    let honey = isipo.get(&format!("/api/v1/reports/{REPORT}?industry=0149")).await;
    assert_eq!(honey.items("id"), [second.id()], "who has worked with bees");
    service.put_in_state("project", assisted.id(), "suspended").await;
    let rests = isipo.get(&format!("/api/v1/reports/{REPORT}")).await;
    assert_eq!(
        figures(&rests, "id", second.id()),
        Some(json!([1, 0, "1", 1, 0, 0, 0])),
        "a project that rests is no load"
    );
}

async fn a_certificate_expires(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let person = leads::cda(&lorestan, 2, "IR-15").await;
    let applicant = cdas::register(&lorestan, json!({})).await;
    let held = |days: &[(&str, Option<&str>)]| {
        let certificate = |(issued_on, expires_on): &(&str, Option<&str>)| json!({"title": "t", "issuer": "i", "issued_on": issued_on, "expires_on": expires_on});
        json!({"certificates": days.iter().map(certificate).collect::<Vec<_>>()})
    };
    let before = moment();
    let two = held(&[("2009-01-01", Some("2016-12-31")), ("2000-01-01", Some("2010-01-01"))]);
    assert_eq!(lorestan.patch(person.header("location"), "*", two).await.status, 200);
    for (query, expected) in [
        ("as_of=2008-12-31".to_owned(), json!([1, "2010-01-01", 366])),
        ("as_of=2009-01-01".to_owned(), json!([2, "2016-12-31", 2_921])),
        ("as_of=2016-12-31".to_owned(), json!([2, "2016-12-31", 0])),
        ("as_of=2017-01-10".to_owned(), json!([2, "2016-12-31", -10])),
        (format!("as_of=2017-01-10&known_at={before}"), json!([1, null, null])),
    ] {
        let report = lorestan.get(&format!("/api/v1/reports/{REPORT}?{query}")).await;
        let row =
            report.body["items"].as_array().unwrap().iter().find(|row| row["id"] == person.id()).unwrap();
        let told: Value = ["certificates", "certificate_expires_on", "days_to_expiry"]
            .iter()
            .map(|name| row[*name].clone())
            .collect();
        assert_eq!(told, expected, "{query}");
        assert!(!report.items("id").contains(&applicant.id()), "an applicant has no portfolio");
    }
    let for_good = held(&[("2009-01-01", Some("2016-12-31")), ("2000-01-01", None)]);
    assert_eq!(lorestan.patch(person.header("location"), "*", for_good).await.status, 200);
    let report = lorestan.get(&format!("/api/v1/reports/{REPORT}?as_of=2017-01-10")).await;
    let row = report.body["items"].as_array().unwrap().iter().find(|row| row["id"] == person.id()).unwrap();
    assert_eq!(
        (&row["certificates"], &row["certificate_expires_on"], &row["days_to_expiry"]),
        (&json!(2), &Value::Null, &Value::Null)
    );
    let revoked = json!({"to": "revoked", "effective_on": "2015-01-01", "reason": "تخلف"});
    assert_eq!(lorestan.transition(person.header("location"), "*", revoked).await.status, 200);
    for (day, is_shown) in
        [("1999-12-31", false), ("2000-01-01", true), ("2014-12-31", true), ("2015-01-01", false)]
    {
        let report = lorestan.get(&format!("/api/v1/reports/{REPORT}?as_of={day}")).await;
        assert_eq!(report.items("id").contains(&person.id()), is_shown, "{day}");
    }
}

/// Portfolios are what the records themselves say; how many were compared.
pub async fn agree(then: &Then<'_>) -> usize {
    let projects = then.records("projects").await;
    let mut assignments = Vec::new();
    for id in projects.keys() {
        assignments.extend(then.listed(&format!("projects/{id}/assignments")).await);
    }
    let mut reviewed = Vec::new();
    for (id, milestone) in then.records("milestones").await.iter() {
        let reviews = then.events(&format!("milestones/{id}"), then.day).await;
        let returns: Vec<String> =
            reviews.into_iter().filter(|(state, _)| state == "returned").map(|(_, on)| on).collect();
        reviewed.push((milestone.clone(), returns));
    }
    let holds = |one: &Value, on: &str| {
        one["valid_from"].as_str().unwrap() <= on && one["valid_to"].as_str().is_none_or(|to| to >= on)
    };
    let mut expected = Vec::new();
    for cda in then.listed("cdas").await {
        let id = cda["id"].as_str().unwrap();
        let state = then
            .events(&format!("cdas/{id}"), then.day)
            .await
            .pop()
            .map_or(String::new(), |(state, _)| state);
        let own: Vec<&Value> = assignments
            .iter()
            .filter(|one| one["cda_id"] == id && one["valid_from"].as_str().unwrap() <= then.day)
            .collect();
        if own.is_empty() && !["certified", "suspended", "expired"].contains(&state.as_str()) {
            continue;
        }
        let live = |role: &str| {
            let here = own.iter().filter(|one| one["role"] == role && holds(one, then.day));
            let states =
                here.map(|one| projects[one["project_id"].as_str().unwrap()]["state"].as_str().unwrap());
            states.filter(|state| !["draft", "closed", "suspended", "terminated"].contains(state)).count()
        };
        let (mut accepted, mut on_time, mut returns) = (0_u64, 0_u64, 0_u64);
        for (milestone, returned) in &reviewed {
            let led = |on: &str| {
                own.iter().any(|one| {
                    one["project_id"] == milestone["project_id"] && one["role"] == "lead" && holds(one, on)
                })
            };
            if let Some(on) = milestone["accepted_on"].as_str().filter(|on| led(on)) {
                accepted += 1;
                on_time += u64::from(on <= milestone["due_on"].as_str().unwrap());
            }
            returns += returned.iter().filter(|on| led(on)).count() as u64;
        }
        let share = if accepted == 0 {
            Value::Null
        } else {
            json!((on_time * 10_000 * 2 + accepted) / (2 * accepted))
        };
        let (led, assisted) = (live("lead"), live("assistant"));
        let load = (led as f64 + assisted as f64 / 2.0).to_string();
        expected.push((
            cda["province"].to_string(),
            json!([
                id,
                [
                    json!(led),
                    json!(assisted),
                    json!(load),
                    json!(accepted),
                    json!(on_time),
                    share,
                    json!(returns)
                ]
            ]),
        ));
    }
    expected.sort_by_key(|(province, row)| (province.clone(), row[0].to_string()));
    let expected: Vec<Value> = expected.into_iter().map(|(_, row)| row).collect();
    let (rows, totals) = then.report(REPORT, "").await;
    let told: Vec<Value> =
        rows.iter().map(|row| json!([row["id"], FIGURES.map(|name| row[name].clone())])).collect();
    assert_eq!(told, expected, "{then}");
    let sum = |place: usize| expected.iter().map(|row| row[1][place].as_i64().unwrap()).sum::<i64>();
    assert_eq!(
        (&totals["projects_led"], &totals["accepted"], &totals["on_time"]),
        (&json!(sum(0)), &json!(sum(3)), &json!(sum(4)))
    );
    told.len()
}
