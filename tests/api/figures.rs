//! What a project shows and nobody edits, computed here by hand; and what projects and milestones bring
//! along.

use chrono::Days;
use khoosheh::persian::Date;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    includes::statements,
    leads::{assignment, cda},
    milestones::{MILESTONES, milestone},
    on_both, on_each,
    process::Server,
    projects::{ORGANISATIONS, PROJECTS, implementing, made, named, project, stone, walk},
    support::{Answer, Backend, Client, Scratch, Service},
};

on_both!(
    progress_is_the_sum_of_weight_times_accepted_fraction,
    weights_that_total_ten_thousand_make_a_whole,
    the_demonstration_stands_where_its_data_say,
    the_lead_is_who_leads_today,
    an_answer_changes_with_the_figures,
    each_include_brings_what_its_own_address_answers,
    an_include_brings_nothing_from_outside_the_scope,
);

/// Day, weight and title of milestones that a project gets.
async fn planned(client: &Client, project: &str, milestones: &[(&str, u32)]) -> Vec<String> {
    let mut paths = Vec::new();
    for (due_on, weight_bp) in milestones {
        let input =
            milestone(json!({"due_on": due_on, "weight_bp": weight_bp, "title_fa": format!("تا {due_on}")}));
        paths.push(made(client, &format!("{project}/milestones"), input).await.header("location").to_owned());
    }
    paths
}

async fn enter(client: &Client, path: &str, body: Value) {
    let entered = client.transition(path, "*", body).await;
    assert_eq!(entered.status, 200, "{}", entered.text);
}

async fn accept(client: &Client, path: &str, fraction: u32) {
    for body in [
        json!({"to": "in_progress"}),
        json!({"to": "submitted"}),
        json!({"to": "accepted", "accepted_fraction_bp": fraction}),
    ] {
        enter(client, path, body).await;
    }
}

/// Progress, plan, overdue milestones, and the id of the next one.
fn figures(project: &Value) -> (u64, u64, u64, Option<&str>) {
    let number = |field: &str| project[field].as_u64().unwrap();
    (
        number("progress_bp"),
        number("planned_bp"),
        number("overdue_milestones"),
        project["next_milestone"]["id"].as_str(),
    )
}

async fn progress_is_the_sum_of_weight_times_accepted_fraction(service: &Service) {
    let isipo = service.login("isipo").await;
    let created = implementing(service, &isipo, "زیتون").await;
    let path = created.header("location");
    let today = Date::today_in_iran().naive().to_string();
    // Another project's milestones count for that one.
    planned(&isipo, project(&isipo, "عسل", json!({})).await.header("location"), &[("2015-01-01", 5_000)])
        .await;
    let paths =
        planned(&isipo, path, &[("2999-01-01", 3_334), ("2015-01-01", 3_333), (today.as_str(), 3_333)]).await;
    let [future, past, present] = &paths[..] else { panic!() };
    let id = |path: &str| path.rsplit('/').next().unwrap().to_owned();
    let check = async |progress: u64, planned: u64, overdue: u64, next: Option<&str>| {
        let one = isipo.get(path).await;
        assert_eq!(figures(&one.body), (progress, planned, overdue, next.map(id).as_deref()));
        let list = isipo.get(&format!("{PROJECTS}?q=زیتون")).await;
        assert_eq!(list.body["items"], json!([one.body]), "a list says the same");
        one
    };
    // What is due today is planned by now, and not overdue.
    let one = check(0, 6_666, 1, Some(past)).await;
    let next =
        json!({"id": id(past), "title_fa": "تا 2015-01-01", "due_on": "2015-01-01", "state": "planned"});
    assert_eq!(one.body["next_milestone"], next);
    enter(&isipo, past, json!({"to": "in_progress"})).await;
    assert_eq!(isipo.get(path).await.body["next_milestone"]["state"], "in_progress");
    enter(&isipo, past, json!({"to": "submitted"})).await;
    check(0, 6_666, 1, Some(past)).await;
    // 3333 × 0.5 = 1666.5
    enter(&isipo, past, json!({"to": "accepted", "accepted_fraction_bp": 5_000})).await;
    check(1_666, 6_666, 0, Some(present)).await;
    // 1666.5 + 1666.5 = 3333: rounded down once, not each.
    accept(&isipo, present, 5_000).await;
    check(3_333, 6_666, 0, Some(future)).await;
    accept(&isipo, future, 10_000).await;
    check(6_667, 6_666, 0, None).await;
    enter(&isipo, future, json!({"to": "in_progress", "reason": "بازبینی"})).await;
    check(3_333, 6_666, 0, Some(future)).await;
    enter(&isipo, past, json!({"to": "in_progress", "reason": "بازبینی"})).await;
    check(1_666, 6_666, 1, Some(past)).await;
    let weighed = isipo.patch(present, "*", json!({"weight_bp": 1, "due_on": "2999-01-02"})).await;
    assert_eq!(weighed.status, 200, "{}", weighed.text);
    check(0, 3_333, 1, Some(past)).await;
    assert_eq!(isipo.delete(past, "*").await.status, 204);
    check(0, 0, 0, Some(future)).await;
}

async fn weights_that_total_ten_thousand_make_a_whole(service: &Service) {
    let isipo = service.login("isipo").await;
    for (cluster, weights, progress) in
        [("زیتون", [3_333, 3_333, 3_334], 10_000), ("عسل", [3_333; 3], 9_999), ("طیور", [10_000; 3], 30_000)]
    {
        let created = implementing(service, &isipo, cluster).await;
        let due = weights.map(|weight| ("2015-01-01", weight));
        for path in planned(&isipo, created.header("location"), &due).await {
            accept(&isipo, &path, 10_000).await;
        }
        assert_eq!(
            figures(&isipo.get(created.header("location")).await.body),
            (progress, progress, 0, None),
            "{weights:?}"
        );
    }
}

/// All are due by 1395-12-30. Four (500 + 400 + 400 + 400) are not accepted, the laboratory (800) to 80 %:
/// 10000 - 1700 - 160.
async fn the_demonstration_stands_where_its_data_say(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let shown = lorestan.get(&format!("{}?calendar=persian", stone(&lorestan).await)).await;
    let brand = named(&lorestan, MILESTONES, "brand").await;
    assert_eq!(figures(&shown.body), (8_140, 10_000, 4, Some(brand.as_str())));
    assert_eq!(
        (&shown.body["next_milestone"]["due_on"], &shown.body["next_milestone"]["state"]),
        (&json!("1395-06-31"), &json!("in_progress"))
    );
    assert_eq!(shown.body["lead_cda"]["name_en"], "Sample CDA");
}

async fn the_lead_is_who_leads_today(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let (first, second) = (cda(&lorestan, 2, "IR-15").await, cda(&lorestan, 3, "IR-15").await);
    let project = project(&lorestan, "زیتون", json!({})).await;
    let list = format!("{}/assignments", project.header("location"));
    let today = Date::today_in_iran().naive();
    let day = |from_today: i64| match from_today {
        days @ 0.. => today.checked_add_days(Days::new(days.unsigned_abs())).unwrap().to_string(),
        days => today.checked_sub_days(Days::new(days.unsigned_abs())).unwrap().to_string(),
    };
    for (role, from, to, leads) in [
        ("lead", day(0), day(0), true),
        ("lead", day(-9), "...".into(), true),
        ("lead", day(-9), day(-1), false),
        ("lead", day(1), "...".into(), false),
        ("assistant", day(-9), "...".into(), false),
    ] {
        let made = made(&lorestan, &list, assignment(&first, role, &from, &to)).await;
        let expected = if leads {
            json!({"id": first.id(), "name_fa": first.body["name_fa"], "name_en": null})
        } else {
            Value::Null
        };
        let shown = lorestan.get(project.header("location")).await;
        assert_eq!(shown.body["lead_cda"], expected, "{role} {from} {to}");
        assert_eq!(lorestan.get(&format!("{PROJECTS}?q=زیتون")).await.body["items"][0]["lead_cda"], expected);
        assert_eq!(lorestan.delete(made.header("location"), "*").await.status, 204);
        assert_eq!(lorestan.get(project.header("location")).await.body["lead_cda"], Value::Null);
    }
    made(&lorestan, &list, assignment(&first, "lead", &day(-9), &day(-1))).await;
    made(&lorestan, &list, assignment(&second, "lead", &day(0), "...")).await;
    assert_eq!(lorestan.get(project.header("location")).await.body["lead_cda"]["id"], second.id());
}

async fn an_answer_changes_with_the_figures(service: &Service) {
    let isipo = service.login("isipo").await;
    let created = implementing(service, &isipo, "زیتون").await;
    let path = created.header("location");
    let milestone = planned(&isipo, path, &[("2015-01-01", 5_000)]).await.remove(0);
    let before = isipo.get(path).await;
    let known =
        |before: &Answer| isipo.send(isipo.request(Method::GET, path).header("if-none-match", before.etag()));
    assert_eq!(known(&before).await.status, 304);
    accept(&isipo, &milestone, 8_000).await;
    let after = known(&before).await;
    assert_eq!(
        (after.status, &after.body["progress_bp"], &after.body["version"]),
        (200, &json!(4_000), &json!(1))
    );
    assert_ne!(after.etag(), before.etag());
    assert_eq!(known(&after).await.status, 304);
    let patched = isipo.patch(path, before.etag(), json!({"title_en": "Olives"})).await;
    assert_eq!(patched.status, 200, "the project itself is the version seen: {}", patched.text);
    assert_eq!(isipo.patch(path, after.etag(), json!({"title_en": "Oil"})).await.status, 412);
}

async fn each_include_brings_what_its_own_address_answers(service: &Service) {
    let (lorestan, ministry) = (service.login("lorestan").await, service.login("ministry").await);
    let stone = stone(&lorestan).await;
    let bare = project(&lorestan, "زیتون", json!({})).await;
    // The whole CDA and the organisation hold personal data: masked for the ministry, as at their own
    // addresses.
    for client in [&lorestan, &ministry] {
        let all = client
            .get(&format!(
                "{stone}?include=cluster,organisation,lead_cda,assignments,supervisions,partners,phases"
            ))
            .await;
        assert_eq!(all.status, 200, "{}", all.text);
        for part in ["assignments", "supervisions", "partners", "phases"] {
            assert_eq!(all.body[part], client.get(&format!("{stone}/{part}")).await.body["items"], "{part}");
            let alone = client.get(&format!("{stone}?include={part}")).await;
            assert_eq!((&alone.body[part], alone.body.get("cluster")), (&all.body[part], None));
            let empty = client.get(&format!("{}?include={part}", bare.header("location"))).await;
            assert_eq!(empty.body[part], json!([]), "{part}");
        }
        let cda = client.get(&format!("/api/v1/cdas/{}", all.body["lead_cda"]["id"].as_str().unwrap())).await;
        assert_eq!(all.body["lead_cda"]["cda"], cda.body);
        let organisation =
            client.get(&format!("{ORGANISATIONS}/{}", all.body["organisation_id"].as_str().unwrap())).await;
        assert_eq!(all.body["organisation"], organisation.body);
        let mut cluster =
            client.get(&format!("/api/v1/clusters/{}", all.body["cluster_id"].as_str().unwrap())).await.body;
        if all.body["cluster"].get("current_project").is_none() {
            cluster.as_object_mut().unwrap().remove("current_project");
        }
        assert_eq!(all.body["cluster"], cluster);
        for item in walk(client, &format!("{PROJECTS}?page_size=1&include=cluster,phases,lead_cda")).await {
            let one = client
                .get(&format!("{PROJECTS}/{}?include=cluster,phases,lead_cda", item["id"].as_str().unwrap()))
                .await;
            assert_eq!(item, one.body, "a list brings the same");
        }
    }
    let study = named(&lorestan, MILESTONES, "شناختی").await;
    let with = lorestan.get(&format!("{MILESTONES}/{study}?include=project")).await;
    assert_eq!(with.body["project"], lorestan.get(&stone).await.body);
    let persian = lorestan.get(&format!("{MILESTONES}?include=project&calendar=persian&page_size=1")).await;
    assert_eq!(persian.body["items"][0]["project"]["contract_end"], "1395-12-30");
    for (path, include) in [
        (stone.as_str(), "milestones"),
        (MILESTONES, "projects"),
        (PROJECTS, "cluster,cluster"),
        (PROJECTS, "cluster.claims"),
    ] {
        assert_eq!(lorestan.get(&format!("{path}?include={include}")).await.status, 400, "{include}");
    }
}

async fn an_include_brings_nothing_from_outside_the_scope(service: &Service) {
    let (isipo, lorestan) = (service.login("isipo").await, service.login("lorestan").await);
    let kerman = json!({"kind": "bank", "name_fa": "بانک کرمان", "province": "IR-08", "external_refs": [{"system": "x", "key": "kerman-only"}]});
    let kerman = made(&isipo, ORGANISATIONS, kerman).await;
    let partner = json!({"organisation_id": kerman.id(), "role": "وام"});
    let refused = isipo.post(&format!("{}/partners", stone(&isipo).await), partner).await;
    assert_eq!(
        (refused.status, refused.errors()),
        (422, vec![("/organisation_id", "other_province")]),
        "Lorestan could not see its partner"
    );
    project(&isipo, "پسته", json!({"organisation_id": kerman.id()})).await;
    for path in [stone(&isipo).await, PROJECTS.to_owned()] {
        let seen = lorestan
            .get(&format!(
                "{path}?include=cluster,organisation,lead_cda,assignments,supervisions,partners,phases"
            ))
            .await;
        assert!(
            seen.status == 200 && !seen.text.contains("kerman-only") && !seen.text.contains("IR-08"),
            "{}",
            seen.text
        );
    }
}

/// Fifty projects and more milestones: an include costs as many statements as its own list, whatever the size
/// of the page.
async fn pages_of_any_size_cost_the_same(backend: Backend) {
    let Some(scratch) = Scratch::copy(backend).await else { return };
    let server = Server::serve(&scratch.url, &[]).await;
    let lorestan = server.client().login("lorestan").await;
    for number in 0..50 {
        let path = project(&lorestan, "زیتون", json!({})).await.header("location").to_owned();
        planned(&lorestan, &path, &[("2015-01-01", 100)]).await;
        let who = cda(&lorestan, 2 + number, "IR-15").await;
        made(&lorestan, &format!("{path}/assignments"), assignment(&who, "lead", "2015-01-01", "...")).await;
    }
    let stone = stone(&lorestan).await;
    // Figures are three statements: of the sums, the next milestones and the leads; what states may follow is
    // one or two more; personal values are one.
    let parts = [
        ("cluster", 3),
        ("organisation", 2),
        ("lead_cda", 3),
        ("assignments", 1),
        ("supervisions", 1),
        ("partners", 1),
        ("phases", 1),
    ];
    for (list, one, own, parts) in [
        (PROJECTS.to_owned(), stone.clone(), 5, &parts[..]),
        (
            MILESTONES.to_owned(),
            format!("{MILESTONES}/{}", named(&lorestan, MILESTONES, "brand").await),
            2,
            &[("project", 5)],
        ),
        (format!("{stone}/milestones"), stone.clone(), 3, &[]),
    ] {
        let all = parts.iter().map(|(part, _)| *part).collect::<Vec<_>>().join(",");
        let includes = std::iter::once((String::new(), 0))
            .chain(parts.iter().map(|(part, more)| (format!("&include={part}"), *more)));
        let includes = includes.chain(
            (!parts.is_empty())
                .then(|| (format!("&include={all}"), parts.iter().map(|(_, more)| more).sum())),
        );
        for (include, more) in includes {
            for size in [1, 5, 50] {
                let path = format!("{list}?page_size={size}{include}");
                assert_eq!(statements(&lorestan, &path, own + more).await, own + more, "{path}");
            }
            if !parts.is_empty() {
                let path = format!("{one}?calendar=gregorian{include}");
                assert_eq!(statements(&lorestan, &path, own + more).await, own + more, "{path}");
            }
        }
    }
    server.kill();
    scratch.remove().await;
}

on_each!(pages_of_any_size_cost_the_same);
