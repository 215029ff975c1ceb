//! Identified clusters.

use reqwest::Method;
use serde_json::{Value, json};

use super::then::Then;
use crate::{
    clusters::{CLUSTERS, register},
    decisions::decision,
    on_both,
    projects::{ORGANISATIONS, made, named},
    support::{Answer, Client, Service, moment},
};

on_both!(
    the_lorestan_report_says_what_was_identified_by_the_end_of_1392,
    the_report_speaks_both_calendars_and_csv,
    a_cluster_counts_from_its_upper_bound_on,
    what_is_merged_split_or_withdrawn_leaves_the_report,
    the_report_says_the_state_of_that_day,
    what_was_known_then_is_reported_for_ever,
    a_claim_is_a_source_while_it_stands,
    the_report_keeps_to_the_scope,
);

const REPORT: &str = "/api/v1/reports/identified-clusters";
const PROVINCIAL: &str = "Provincial company: industrial clusters of Lorestan identified up to late 1392";
const HEAD_OF_COMPANY: &str = "Head of the provincial company, reported 1392-12-07";

/// Name, English name, ISIC class and its title, state: all as `data/lorestan-1392.csv` has them.
const LORESTAN: [(&str, &str, &str, &str, &str); 11] = [
    ("سنگ", "Stone", "2396", "Cutting, shaping and finishing of stone", "in_development"),
    ("عسل", "Honey", "0149", "Raising of other animals", "feasibility"),
    ("صنایع دستی", "Handicrafts", "1393", "Manufacture of carpets and rugs", "identified"),
    ("قزل‌آلا", "Trout", "0322", "Freshwater aquaculture", "identified"),
    ("زیتون", "Olive", "0126", "Growing of oleaginous fruits", "identified"),
    ("خوراک دام", "Animal feed", "1080", "Manufacture of prepared animal feeds", "identified"),
    ("طیور", "Poultry", "0146", "Raising of poultry", "identified"),
    ("برنج‌کوبی", "Rice milling", "1061", "Manufacture of grain mill products", "identified"),
    ("نایلون", "Nylon (plastic film)", "2220", "Manufacture of plastics products", "identified"),
    (
        "انار و انجیر",
        "Pomegranate and fig",
        "0122",
        "Growing of tropical and subtropical fruits",
        "identified",
    ),
    (
        "گیاهان دارویی",
        "Medicinal plants",
        "0128",
        "Growing of spices, aromatic, drug and pharmaceutical crops",
        "identified",
    ),
];

async fn report(client: &Client, query: &[(&str, &str)]) -> Answer {
    let report = client.send(client.request(Method::GET, REPORT).query(query)).await;
    assert_eq!(report.status, 200, "{}", report.text);
    report
}

async fn the_lorestan_report_says_what_was_identified_by_the_end_of_1392(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let report = lorestan.get(&format!("{REPORT}?province=IR-15&as_of=1392-12-29&calendar=persian")).await;
    let expected: Vec<Value> = LORESTAN
        .iter()
        .zip(1..)
        .map(|((name_fa, name_en, code, title, state), number)| {
            let sources = if *state == "identified" { vec![PROVINCIAL] } else { vec![PROVINCIAL, HEAD_OF_COMPANY] };
            json!({
                "id": report.body["items"][number - 1]["id"], "code": format!("15-{number:04}"), "name_fa": name_fa, "name_en": name_en,
                "province": "IR-15", "primary_isic": {"code": code, "title_en": title}, "state": state, "identified_on": null,
                "identified_precision": "not_later_than", "identified_not_later_than": "1392-12-29", "sources": sources, "lineage": [], "location": null,
            })
        })
        .collect();
    let whole = json!({"as_of": "1392-12-29", "known_at": null, "scope": "IR-15", "period": null, "items": expected, "total": 11, "totals": {}});
    assert_eq!(report.body, whole);
}

async fn the_report_speaks_both_calendars_and_csv(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let persian = report(&lorestan, &[("as_of", "1392-12-29"), ("calendar", "persian")]).await;
    let gregorian = report(&lorestan, &[("as_of", "2014-03-20")]).await;
    assert_eq!((&gregorian.body["as_of"], &gregorian.body["total"]), (&json!("2014-03-20"), &json!(11)));
    assert_eq!(gregorian.items("identified_not_later_than"), ["2014-03-20"; 11]);
    assert_eq!(
        (gregorian.items("id"), gregorian.items("state")),
        (persian.items("id"), persian.items("state"))
    );
    assert_ne!(gregorian.etag(), persian.etag());

    let as_csv = lorestan
        .request(Method::GET, &format!("{REPORT}?as_of=1392-12-29&calendar=persian"))
        .header("accept", "text/csv");
    let csv = lorestan.send(as_csv).await;
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8; header=present");
    assert_eq!(
        csv.header("content-disposition"),
        "attachment; filename=\"identified-clusters-1392-12-29.csv\""
    );
    let lines: Vec<&str> = csv.text.split("\r\n").collect();
    assert_eq!(lines.len(), 13, "a header, eleven rows, and nothing after the last line break");
    assert_eq!(
        lines[0],
        "id,code,name_fa,name_en,province,primary_isic.code,primary_isic.title_en,state,\
         identified_on,identified_precision,identified_not_later_than,sources,lineage,location.latitude,location.longitude"
    );
    let olive = format!(
        "{},15-0005,زیتون,Olive,IR-15,0126,Growing of oleaginous fruits,identified,,not_later_than,1392-12-29,{PROVINCIAL},,,",
        persian.items("id")[4]
    );
    assert_eq!(lines[5], olive);
    assert!(lines[2].ends_with(&format!("\"{PROVINCIAL};{HEAD_OF_COMPANY}\",,,")));
}

async fn a_cluster_counts_from_its_upper_bound_on(service: &Service) {
    let lorestan = service.login("lorestan").await;
    for (day, total) in [("1392-12-28", 0), ("1392-12-29", 11), ("1393-01-01", 11), ("1300-01-01", 0)] {
        let report = report(&lorestan, &[("as_of", day), ("calendar", "persian")]).await;
        assert_eq!((&report.body["total"], report.items("id").len()), (&json!(total), total));
    }
    for (name, identified) in [
        ("تنها نامزد", json!({})),
        ("به ماه", json!({"identified_on": "2014-04-05", "identified_precision": "month"})),
        ("به روز", json!({"identified_on": "2014-04-05"})),
    ] {
        register(&lorestan, name, identified).await;
    }
    for (day, names) in [
        ("2014-04-04", vec![]),
        ("2014-04-05", vec!["به روز"]),
        ("2014-04-19", vec!["به روز"]),
        ("2014-04-20", vec!["به ماه", "به روز"]),
    ] {
        assert_eq!(report(&lorestan, &[("as_of", day)]).await.items("name_fa")[11..], names, "{day}");
    }
}

async fn what_is_merged_split_or_withdrawn_leaves_the_report(service: &Service) {
    let lorestan = service.login("lorestan").await;
    for (name, to) in [("زیتون", "merged"), ("طیور", "split"), ("نایلون", "withdrawn")] {
        let path = format!("{CLUSTERS}/{}", lorestan.cluster_named(name).await.id());
        let successors = match to {
            "merged" => vec![("merged_into", "عسل")],
            "split" => vec![("split_into", "عسل"), ("split_into", "سنگ")],
            _ => vec![],
        };
        let missing = match to {
            "merged" => vec!["no_merger"],
            "split" => vec!["no_split"],
            _ => vec![],
        };
        for (kind, successor) in successors {
            let early = lorestan
                .transition(&path, "*", json!({"to": to, "effective_on": "2015-01-01", "reason": "مصوبه"}))
                .await;
            assert_eq!((early.status, early.missing()), (409, missing.clone()), "one part is no split");
            let other = lorestan.cluster_named(successor).await;
            made(
                &lorestan,
                &format!("{path}/lineage"),
                json!({"kind": kind, "other_cluster_id": other.id(), "effective_on": "2015-01-01"}),
            )
            .await;
        }
        let moved = lorestan
            .transition(&path, "*", json!({"to": to, "effective_on": "2015-01-01", "reason": "مصوبه"}))
            .await;
        assert_eq!(moved.status, 200, "{}", moved.text);
    }
    for (day, total) in [("2014-12-31", 11), ("2015-01-01", 8), ("2026-01-01", 8)] {
        assert_eq!(report(&lorestan, &[("as_of", day)]).await.body["total"], total, "{day}");
    }
}

/// Has the committee prioritise a cluster on a day.
async fn prioritised(client: &Client, cluster: &str, on: &str) -> Answer {
    let scores = json!({"importance": 80, "promotability": 70, "viability": 60, "sustainability": 50});
    assert_eq!(client.patch(cluster, "*", json!({"priority_scores": scores})).await.status, 200);
    let decision = decision(client, json!({})).await;
    let entered = client
        .transition(
            cluster,
            "*",
            json!({"to": "prioritised", "effective_on": on, "decision_id": decision.id()}),
        )
        .await;
    assert_eq!(entered.status, 200, "{}", entered.text);
    entered
}

async fn the_report_says_the_state_of_that_day(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let path = format!("{CLUSTERS}/{}", lorestan.cluster_named("زیتون").await.id());
    prioritised(&lorestan, &path, "2015-01-01").await;
    let study = json!({"executor_id": named(&lorestan, ORGANISATIONS, "University").await});
    let study = made(&lorestan, &format!("{path}/feasibility-studies"), study).await;
    let enter = async |to: &str| {
        let entered = lorestan.transition(&path, "*", json!({"to": to, "effective_on": "2015-06-01"})).await;
        assert_eq!(entered.status, 200, "{}", entered.text);
    };
    enter("feasibility").await;
    let approved = json!({"result": "positive", "approved_on": "2015-06-01"});
    assert_eq!(lorestan.patch(study.header("location"), "*", approved).await.status, 200);
    enter("feasible").await;
    for (day, state) in [
        ("2014-03-20", "identified"),
        ("2014-12-31", "identified"),
        ("2015-05-31", "prioritised"),
        ("2015-06-01", "feasible"),
    ] {
        assert_eq!(report(&lorestan, &[("as_of", day)]).await.items("state")[4], state, "{day}");
    }
}

async fn what_was_known_then_is_reported_for_ever(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let known =
        async |moment: &str| report(&lorestan, &[("as_of", "2016-01-01"), ("known_at", moment)]).await;
    assert_eq!(
        known("2020-01-01T00:00:00Z").await.body["total"],
        0,
        "nothing was known before the data came"
    );

    let [olive, poultry, nylon] = ["زیتون", "طیور", "نایلون"].map(|name| lorestan.cluster_named(name));
    let (olive, poultry, nylon) = (olive.await, poultry.await, nylon.await);
    let path = |cluster: &Answer| format!("{CLUSTERS}/{}", cluster.id());
    let mut now = report(&lorestan, &[("as_of", "2016-01-01")]).await;
    let mut moments = Vec::new();
    let mut last = nylon.body["updated_at"].as_str().unwrap().to_owned();
    for step in 0..5 {
        let then = known(&last).await;
        assert_eq!(
            (&then.body["items"], &then.body["total"]),
            (&now.body["items"], &now.body["total"]),
            "after step {step}"
        );
        moments.push((last.clone(), then));
        let changed = match step {
            0 => {
                lorestan
                    .patch(&path(&olive), "*", json!({"name_fa": "زیتون رودبار", "isic": [{"code": "1040"}]}))
                    .await
            }
            1 => lorestan.patch(&path(&olive), "*", json!({"identified_not_later_than": "2016-01-02"})).await,
            2 => prioritised(&lorestan, &path(&poultry), "2015-01-01").await,
            3 => {
                lorestan
                    .transition(
                        &path(&poultry),
                        "*",
                        json!({"to": "withdrawn", "effective_on": "2015-02-01", "reason": "تکراری"}),
                    )
                    .await
            }
            _ => lorestan.delete(&path(&nylon), "*").await,
        };
        assert!(changed.status < 300, "{}", changed.text);
        let history = lorestan
            .get(&format!("{}/history", path([&olive, &olive, &poultry, &poultry, &nylon][step])))
            .await;
        last = history.items("changed_at").last().unwrap().to_string();
        now = report(&lorestan, &[("as_of", "2016-01-01")]).await;
    }
    assert_eq!(
        moments.iter().map(|(_, then)| then.body["total"].as_u64().unwrap()).collect::<Vec<_>>(),
        [11, 11, 10, 10, 9]
    );
    assert_eq!((&known(&last).await.body["items"], &now.body["total"]), (&now.body["items"], &json!(8)));
    for (moment, then) in moments {
        let again = known(&moment).await;
        assert_eq!(again.text, then.text, "known at {moment}");
        let path = format!("{REPORT}?as_of=2016-01-01&known_at={moment}");
        let held =
            lorestan.send(lorestan.request(Method::GET, &path).header("if-none-match", then.etag())).await;
        assert_eq!(held.status, 304, "known at {moment}");
    }
}

async fn a_claim_is_a_source_while_it_stands(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let olive = lorestan.cluster_named("زیتون").await;
    let claims = format!("{CLUSTERS}/{}/claims", olive.id());
    let sources =
        async |query: &[(&str, &str)]| report(&lorestan, query).await.body["items"][4]["sources"].clone();
    let claim = lorestan.post(&claims, json!({"source_title": "خبر"})).await;
    assert_eq!(sources(&[]).await, json!([PROVINCIAL, "خبر"]));
    let renamed = lorestan.patch(claim.header("location"), "*", json!({"source_title": "خبر روز"})).await;
    assert_eq!(lorestan.delete(claim.header("location"), "*").await.status, 204);
    assert_eq!(sources(&[]).await, json!([PROVINCIAL]));
    for (moment, known) in [
        (&olive, json!([PROVINCIAL])),
        (&claim, json!([PROVINCIAL, "خبر"])),
        (&renamed, json!([PROVINCIAL, "خبر روز"])),
    ] {
        assert_eq!(sources(&[("known_at", moment.body["updated_at"].as_str().unwrap())]).await, known);
    }
}

async fn the_report_keeps_to_the_scope(service: &Service) {
    let isipo = service.login("isipo").await;
    register(
        &isipo,
        "زیره",
        json!({"province": "IR-08", "isic": [{"code": "0128"}], "identified_on": "2013-01-01"}),
    )
    .await;
    // The clusters of Kerman that the demonstration has were identified later.
    for (who, query, scope, total) in [
        ("kerman", "", json!("IR-08"), 1),
        ("kerman", "province=IR-15", json!("IR-08"), 0),
        ("kerman", "province=IR-15,IR-08", json!("IR-08"), 1),
        ("lorestan-viewer", "", json!("IR-15"), 11),
        ("ministry", "", Value::Null, 12),
        ("ministry", "province=IR-08", Value::Null, 1),
        ("ministry", "province=IR-08,IR-15", Value::Null, 12),
        ("ministry", "province=IR-00", Value::Null, 0),
    ] {
        let client = service.login(who).await;
        let now = moment();
        for known_at in ["", &format!("&known_at={now}")] {
            let answer = client.get(&format!("{REPORT}?as_of=2014-03-20&{query}{known_at}")).await;
            assert_eq!(
                (answer.status, &answer.body["scope"], &answer.body["total"]),
                (200, &scope, &json!(total)),
                "{who} {query}{known_at}"
            );
            let csv = client.get(&format!("{REPORT}?as_of=2014-03-20&{query}{known_at}&format=csv")).await;
            assert_eq!(csv.text.lines().count(), total + 1, "{who} {query}");
        }
    }
}

/// The report is what the clusters themselves say; how many were compared.
pub async fn agrees(then: &Then<'_>) -> usize {
    const FIELDS: [&str; 5] = ["province", "code", "name_fa", "state", "identified_not_later_than"];
    let clusters = then.records("clusters").await;
    let identified = clusters
        .values()
        .filter(|cluster| cluster["identified_not_later_than"].as_str().is_some_and(|day| day <= then.day))
        .filter(|cluster| !["merged", "split", "withdrawn"].contains(&cluster["state"].as_str().unwrap()));
    let mut expected: Vec<_> = identified.map(|cluster| json!(FIELDS.map(|name| &cluster[name]))).collect();
    expected.sort_by_key(Value::to_string);
    let (rows, _) = then.report("identified-clusters", "").await;
    let told: Vec<_> = rows.iter().map(|row| json!(FIELDS.map(|name| &row[name]))).collect();
    assert_eq!(told, expected, "{then}");
    told.len()
}
