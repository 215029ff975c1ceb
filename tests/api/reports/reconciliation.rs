//! What two sources claim, held against one another.

use std::collections::{BTreeMap, BTreeSet};

use khoosheh::{demo, store::Files};
use reqwest::Method;
use serde_json::{Value, json};

use super::REPORTS;
use crate::{
    clusters::{CLUSTERS, register},
    on_both,
    projects::{made, walk},
    support::{Answer, Client, Service, moment},
};

on_both!(
    the_sources_about_lorestan_differ_by_two,
    a_split_accounts_for_one,
    mergers_names_and_several_steps_explain_since_they_are_effective,
    every_source_that_is_asked_for_is_compared,
    the_comparison_keeps_to_the_scope,
    an_independent_comparison_agrees,
);

const PROVINCIAL: &str = "Provincial company: industrial clusters of Lorestan identified up to late 1392";
const HEAD: &str = "Head of the provincial company, reported 1392-12-07";

async fn told(client: &Client, query: &[(&str, &str)]) -> Answer {
    let path = format!("{REPORTS}/reconciliation?calendar=persian");
    let answer = client.send(client.request(Method::GET, &path).query(query)).await;
    assert_eq!(answer.status, 200, "{query:?}: {}", answer.text);
    answer
}

/// Named by A and B, matched, only in A and B, explained; the difference, and what of it is by lineage, by
/// name, and unexplained.
fn sums(answer: &Answer) -> ([i64; 6], [i64; 4]) {
    let number = |name: &str| answer.body["totals"][name].as_i64().unwrap();
    (
        ["named_a", "named_b", "matched", "only_in_a", "only_in_b", "explained"].map(number),
        ["difference", "by_lineage", "by_name", "unexplained"].map(number),
    )
}

/// Finding, and kind, relation and name of what explains it.
fn row(answer: &Answer, name: &str) -> [Value; 4] {
    let found = answer.body["items"].as_array().unwrap().iter().find(|row| row["cluster"]["name_fa"] == name);
    let row = found.unwrap_or_else(|| panic!("no {name}: {}", answer.text));
    [
        &row["finding"],
        &row["explanation"]["kind"],
        &row["explanation"]["relation"],
        &row["explanation"]["name_fa"],
    ]
    .map(Clone::clone)
}

async fn claim(client: &Client, cluster: &str, title: &str, more: Value) -> Answer {
    let mut input = json!({"source_title": title});
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    made(client, &format!("{CLUSTERS}/{cluster}/claims?calendar=persian"), input).await
}

async fn became(client: &Client, cluster: &str, kind: &str, other: &str, on: &str) -> Answer {
    let field = if kind == "renamed" { "former_name" } else { "other_cluster_id" };
    made(
        client,
        &format!("{CLUSTERS}/{cluster}/lineage?calendar=persian"),
        json!({"kind": kind, field: other, "effective_on": on}),
    )
    .await
}

async fn the_sources_about_lorestan_differ_by_two(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let answer = told(&lorestan, &[("stated_b", "13"), ("as_of", "1392-12-29")]).await;
    assert_eq!(
        (&answer.body["totals"]["a"], &answer.body["totals"]["b"]),
        (&json!(PROVINCIAL), &json!(HEAD))
    );
    assert_eq!(
        (&answer.body["totals"]["stated_a"], &answer.body["totals"]["stated_b"]),
        (&Value::Null, &json!(13))
    );
    // The nine that only the first names may be among the eleven that the second does not name.
    assert_eq!(sums(&answer), ([11, 2, 2, 9, 0, 0], [2, 0, 0, 2]));
    assert_eq!(
        (row(&answer, "سنگ")[0].clone(), row(&answer, "زیتون")[0].clone()),
        (json!("matched"), json!("only_in_a"))
    );
    let stone = &answer.body["items"][0];
    let expected = json!({
        "cluster": {"id": stone["cluster"]["id"], "code": "15-0001", "name_fa": "سنگ"}, "claimed_name_a": "سنگ", "claimed_name_b": "سنگ",
        "finding": "matched", "explanation": null,
    });
    assert_eq!(*stone, expected);
    // Without what it stated, the second source has nine clusters less, each with its name.
    assert_eq!(sums(&told(&lorestan, &[]).await), ([11, 2, 2, 9, 0, 0], [-9, 0, -9, 0]));
    // The head of the company spoke on 1392-12-07; the claims of the company have no day.
    assert_eq!(sums(&told(&lorestan, &[("as_of", "1392-12-06")]).await).0, [11, 0, 0, 11, 0, 0]);
    let csv = told(&lorestan, &[("format", "csv")]).await;
    assert!(csv.text.lines().nth(1).unwrap().contains("15-0001,سنگ,سنگ,سنگ,matched,,"), "{}", csv.text);
}

/// The handicrafts, which only the first source names, were split into two that the second names.
async fn a_split_accounts_for_one(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let handicrafts = lorestan.cluster_named("صنایع").await;
    let mut known = Vec::new();
    for name in ["ورشو", "جاجیم و گلیم"] {
        let part = register(&lorestan, name, json!({})).await;
        claim(&lorestan, part.id(), HEAD, json!({"claimed_on": "1392-12-07", "claimed_name": name})).await;
        known.push(part.body["updated_at"].as_str().unwrap().to_owned());
        became(&lorestan, handicrafts.id(), "split_into", part.id(), "1392-12-29").await;
    }
    let asked = [("stated_b", "13"), ("as_of", "1392-12-29")];
    let answer = told(&lorestan, &asked).await;
    assert_eq!(sums(&answer), ([11, 4, 2, 8, 0, 3], [2, 1, 0, 1]));
    assert_eq!(
        row(&answer, "صنایع دستی"),
        ["explained_by_lineage", "split_into", "successor", "ورشو"].map(Value::from)
    );
    assert_eq!(
        row(&answer, "جاجیم و گلیم"),
        ["explained_by_lineage", "split_into", "predecessor", "صنایع دستی"].map(Value::from)
    );
    // The day before it was not split yet: both parts are among what only the second source has.
    let before = told(&lorestan, &[("stated_b", "13"), ("as_of", "1392-12-28")]).await;
    assert_eq!(sums(&before), ([11, 4, 2, 9, 2, 0], [2, 0, 2, 0]));
    let then = told(&lorestan, &[asked[0], asked[1], ("known_at", &known[0])]).await;
    assert_eq!(sums(&then), ([11, 2, 2, 9, 0, 0], [2, 0, 0, 2]), "as it was known before");
}

async fn mergers_names_and_several_steps_explain_since_they_are_effective(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let mut ids = BTreeMap::new();
    for (name, sources) in [
        ("یک", "ا"),
        ("دو", "ا"),
        ("سه", ""),
        ("چهار", "ب"),
        ("پنج", "اب"),
        ("شش", "ا"),
        ("هفت نو", "ا"),
        ("هشت", "ب"),
        ("نه", "ب"),
    ] {
        let id = register(&lorestan, name, json!({})).await.id().to_owned();
        for source in sources.chars() {
            claim(&lorestan, &id, &source.to_string(), json!({})).await;
        }
        ids.insert(name, id);
    }
    // One and two went into three, and that into four; six went into five, which both name; seven was once
    // called as B calls eight.
    for (cluster, kind, other, on) in [
        ("یک", "merged_into", &ids["سه"], "1392-01-01"),
        ("دو", "merged_into", &ids["سه"], "1392-01-02"),
        ("سه", "merged_into", &ids["چهار"], "1393-01-01"),
        ("شش", "merged_into", &ids["پنج"], "1392-01-01"),
        ("هفت نو", "renamed", &"هشـت‌".to_owned(), "1392-06-01"),
        // A circle is no way out.
        ("چهار", "split_into", &ids["یک"], "1395-01-01"),
    ] {
        became(&lorestan, &ids[cluster], kind, other, on).await;
    }
    let at = async |day: &str| told(&lorestan, &[("a", "ا"), ("b", "ب"), ("as_of", day)]).await;
    let none = |finding: &str| [json!(finding), Value::Null, Value::Null, Value::Null];
    let late = at("1393-01-01").await;
    for (name, expected) in [
        ("یک", ["explained_by_lineage", "merged_into", "successor", "چهار"].map(Value::from)),
        ("دو", ["explained_by_lineage", "merged_into", "successor", "چهار"].map(Value::from)),
        ("چهار", ["explained_by_lineage", "merged_into", "predecessor", "یک"].map(Value::from)),
        ("پنج", none("matched")),
        ("شش", ["explained_by_lineage", "merged_into", "successor", "پنج"].map(Value::from)),
        ("هفت نو", ["explained_by_lineage", "renamed", "predecessor", "هشت"].map(Value::from)),
        ("هشت", ["explained_by_lineage", "renamed", "successor", "هفت نو"].map(Value::from)),
        ("نه", none("only_in_b")),
    ] {
        assert_eq!(row(&late, name), expected, "{name}");
    }
    // A: one, two, five, six, seven; B: four, five, eight, nine. By lineage 2 - 4, by name 1.
    assert_eq!(sums(&late), ([5, 4, 1, 0, 1, 6], [-1, -2, 1, 0]));
    assert_eq!(
        (row(&at("1392-12-29").await, "یک"), row(&at("1392-12-29").await, "چهار")),
        (none("only_in_a"), none("only_in_b"))
    );
    assert_eq!(
        (row(&at("1392-05-31").await, "هفت نو"), row(&at("1392-05-31").await, "هشت")),
        (none("only_in_a"), none("only_in_b"))
    );
    assert_eq!(row(&at("1395-01-01").await, "یک")[1], "merged_into", "a circle ends");
    // What both leave unnamed: A states 8, B 6, so that three and two are unnamed.
    let stated = told(
        &lorestan,
        &[("a", "ا"), ("b", "ب"), ("as_of", "1393-01-01"), ("stated_a", "8"), ("stated_b", "6")],
    )
    .await;
    assert_eq!(sums(&stated).1, [-2, -2, 0, 0]);
}

async fn every_source_that_is_asked_for_is_compared(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let olive = lorestan.cluster_named("زیتون").await;
    let older =
        claim(&lorestan, olive.id(), "خبر", json!({"claimed_on": "1391-01-01", "claimed_name": "زیتون‌ها"}))
            .await;
    claim(&lorestan, olive.id(), "خبر", json!({"claimed_on": "1393-01-01", "claimed_name": "باغ زیتون"}))
        .await;
    claim(&lorestan, olive.id(), "خبر", json!({"claimed_name": "زیتون بی‌تاریخ"})).await;
    let names = async |day: &str| {
        let answer = told(&lorestan, &[("a", "خبر"), ("as_of", day)]).await;
        assert_eq!(answer.body["totals"]["b"], PROVINCIAL, "the one with most claims beside it");
        let row = answer.body["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row["cluster"]["name_fa"] == "زیتون")
            .unwrap()
            .clone();
        (row["claimed_name_a"].clone(), row["claimed_name_b"].clone())
    };
    assert_eq!(names("1393-01-01").await, (json!("باغ زیتون"), json!("زیتون")), "the newest claim names it");
    assert_eq!(names("1392-12-29").await.0, "زیتون‌ها");
    assert_eq!(names("1390-12-29").await.0, "زیتون بی‌تاریخ");
    // Three claims about one cluster are one cluster; where no name is claimed the cluster's stands.
    assert_eq!(told(&lorestan, &[("b", "خبر")]).await.body["totals"]["named_b"], 1);
    assert_eq!(
        lorestan.patch(older.header("location"), "*", json!({"claimed_name": null})).await.status,
        200
    );
    assert_eq!(names("1392-12-29").await.0, "زیتون");
    let unknown = told(&lorestan, &[("a", "هیچ‌کس"), ("b", "کسی نیست")]).await;
    assert_eq!((sums(&unknown), &unknown.body["total"]), (([0; 6], [0; 4]), &json!(0)));
    for (query, error) in [
        ("stated_a=-1", ("/stated_a", "too_small")),
        ("stated_b=many", ("/stated_b", "wrong_type")),
        ("a=", ("/a", "too_short")),
    ] {
        let refused = lorestan.get(&format!("{REPORTS}/reconciliation?{query}")).await;
        assert!(refused.status == 400 && refused.errors().contains(&error), "{query}: {}", refused.text);
    }
}

async fn the_comparison_keeps_to_the_scope(service: &Service) {
    let (ministry, kerman, isipo) =
        (service.login("ministry").await, service.login("kerman").await, service.login("isipo").await);
    let none = told(&kerman, &[]).await;
    assert_eq!(
        (sums(&none), &none.body["totals"]["a"]),
        (([0; 6], [0; 4]), &Value::Null),
        "sources about others are not even named"
    );
    let pistachio = isipo.cluster_named("پسته").await;
    claim(&isipo, pistachio.id(), HEAD, json!({})).await;
    for (client, query, named) in [
        (&kerman, vec![], [1, 0]),
        (&kerman, vec![("province", "IR-15")], [0, 0]),
        (&kerman, vec![("a", PROVINCIAL), ("b", HEAD)], [0, 1]),
        (&kerman, vec![("a", PROVINCIAL), ("b", HEAD), ("province", "IR-15,IR-08")], [0, 1]),
        (&ministry, vec![], [11, 3]),
        (&ministry, vec![("province", "IR-15")], [11, 2]),
        (&ministry, vec![("province", "IR-08")], [1, 0]),
        (&ministry, vec![("industry", "0149,0125"), ("a", PROVINCIAL)], [1, 2]),
    ] {
        let answer = told(client, &query).await;
        let [named_a, named_b, ..] = sums(&answer).0;
        assert_eq!([named_a, named_b], named, "{query:?}");
    }
}

/// The comparison once more, from the lists of clusters, claims and lineage: of each cluster which source
/// claims it, and what it leads to.
async fn compared(client: &Client, [a, b]: [&str; 2], day: &str) -> BTreeMap<String, (bool, bool, bool)> {
    let mut claimed: BTreeMap<String, [bool; 2]> = BTreeMap::new();
    let mut codes = BTreeMap::new();
    let mut successors: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for cluster in walk(client, &format!("{CLUSTERS}?page_size=200&include=claims")).await {
        let (id, code) =
            (cluster["id"].as_str().unwrap().to_owned(), cluster["code"].as_str().unwrap().to_owned());
        for claim in cluster["claims"].as_array().unwrap() {
            let is_made = claim["claimed_on"].as_str().is_none_or(|on| on <= day);
            for (place, title) in [a, b].into_iter().enumerate() {
                if is_made && claim["source_title"] == title {
                    claimed.entry(id.clone()).or_default()[place] = true;
                }
            }
        }
        for entry in walk(client, &format!("{CLUSTERS}/{id}/lineage?page_size=200")).await {
            if let (Some(other), true) =
                (entry["other_cluster_id"].as_str(), entry["effective_on"].as_str().unwrap() <= day)
            {
                successors
                    .entry(entry["cluster_id"].as_str().unwrap().to_owned())
                    .or_default()
                    .insert(other.to_owned());
            }
        }
        codes.insert(id, code);
    }
    let reached = |from: &str| {
        let (mut found, mut open) = (BTreeSet::new(), vec![from.to_owned()]);
        while let Some(next) = open.pop() {
            open.extend(
                successors
                    .get(&next)
                    .into_iter()
                    .flatten()
                    .filter(|id| found.insert((*id).clone()))
                    .cloned()
                    .collect::<Vec<_>>(),
            );
        }
        found
    };
    let explained = |id: &str, other: usize| {
        let forth =
            reached(id).into_iter().any(|to| to != id && claimed.get(&to).is_some_and(|by| by[other]));
        forth || claimed.iter().any(|(from, by)| from != id && by[other] && reached(from).contains(id))
    };
    let told = claimed.iter().map(|(id, by)| {
        (codes[id].clone(), (by[0], by[1], by[0] != by[1] && explained(id, usize::from(by[0]))))
    });
    told.collect()
}

async fn an_independent_comparison_agrees(service: &Service) {
    demo::enrich(&service.database().await, &Files::open(&service.config).unwrap()).await.unwrap();
    let (isipo, lorestan, kerman) =
        (service.login("isipo").await, service.login("lorestan").await, service.login("kerman").await);
    // Everything becomes something of what comes three places later, each on a day of its own.
    let all: Vec<_> = walk(&lorestan, &format!("{CLUSTERS}?page_size=200&sort=code"))
        .await
        .iter()
        .map(|c| c["id"].as_str().unwrap().to_owned())
        .collect();
    for (place, id) in all.iter().enumerate().filter(|(place, _)| place % 2 == 0) {
        let kind = if place % 4 == 0 { "merged_into" } else { "split_into" };
        let day = format!("139{}-01-01", 2 + place / 3);
        became(&lorestan, id, kind, &all[(place + 3) % all.len()], &day).await;
        claim(
            &lorestan,
            &all[(place * 5 + 1) % all.len()],
            HEAD,
            json!({"claimed_on": format!("139{}-02-01", 1 + place / 2)}),
        )
        .await;
    }
    for (day, gregorian) in
        [("1392-12-29", "2014-03-20"), ("1394-01-01", "2015-03-21"), ("1396-06-01", "2017-08-23")]
    {
        for client in [&isipo, &lorestan, &kerman] {
            let known = moment();
            for query in [vec![], vec![("known_at", known.as_str())]] {
                let query = [vec![("a", PROVINCIAL), ("b", HEAD), ("as_of", day)], query].concat();
                let answer = told(client, &query).await;
                assert_eq!(
                    findings(&answer),
                    compared(client, [PROVINCIAL, HEAD], gregorian).await,
                    "{query:?}"
                );
            }
        }
    }
}

/// Of each cluster which source claims it, and whether lineage explains why the other does not.
fn findings(answer: &Answer) -> BTreeMap<String, (bool, bool, bool)> {
    let rows = answer.body["items"].as_array().unwrap().iter().map(|row| {
        let code = row["cluster"]["code"].as_str().unwrap().to_owned();
        (
            code,
            (
                !row["claimed_name_a"].is_null(),
                !row["claimed_name_b"].is_null(),
                row["finding"] == "explained_by_lineage",
            ),
        )
    });
    rows.collect()
}

/// The two sources that claim most are compared as their claims say; how many clusters were compared.
pub async fn agrees(client: &Client, day: &str, gregorian: &str) -> usize {
    let answer = told(client, &[("as_of", day)]).await;
    let [Some(a), Some(b)] = ["a", "b"].map(|source| answer.body["totals"][source].as_str()) else {
        return 0;
    };
    let told = findings(&answer);
    assert_eq!(told, compared(client, [a, b], gregorian).await, "{a} and {b} on {day}");
    told.len()
}
