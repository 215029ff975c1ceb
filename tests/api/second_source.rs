//! The second source about Lorestan (1392-12-07) names thirteen clusters where the first one (end of 1392)
//! names eleven. Both are kept side by side: what the first one reported stays, until somebody decides, and
//! can be read as it was for ever.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    clusters::{CLUSTERS, register},
    decisions::decision,
    on_both,
    projects::made,
    support::{Client, Service, moment},
};

on_both!(the_second_source_stands_beside_the_first);

const SECOND: &str = "رئیس شرکت شهرک‌های صنعتی لرستان، ۱۳۹۲/۱۲/۷";
const THIRTEEN: [&str; 13] = [
    "طیور",
    "قزل‌آلا",
    "خوراک دام",
    "ورشو",
    "جاجیم و گلیم",
    "زیتون",
    "گیاهان دارویی",
    "انار و انجیر",
    "خیارشور",
    "برنج‌کوبی",
    "نایلون",
    "عسل",
    "سنگ",
];
const REPORT: &str = "/api/v1/reports/identified-clusters?province=IR-15&as_of=1392-12-29&calendar=persian";

/// The report without its sources and lineage, of which there is more than before.
async fn reported(client: &Client, more: &str) -> (Value, Vec<Value>) {
    let report = client.get(&format!("{REPORT}{more}")).await;
    let mut items = report.body["items"].as_array().unwrap().clone();
    items.iter_mut().for_each(|item| {
        item.as_object_mut().unwrap().retain(|name, _| !["sources", "lineage"].contains(&name.as_str()))
    });
    (report.body["total"].clone(), items)
}

async fn the_second_source_stands_beside_the_first(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let (first, before) = (reported(&lorestan, "").await, lorestan.get(REPORT).await);
    assert_eq!(first.0, 11);
    let handicrafts = lorestan.cluster_named("صنایع").await;
    let before_recording = moment();

    // Every one of the thirteen gets its claim; three of them are new.
    let mut new = Vec::new();
    for name in THIRTEEN {
        let found = lorestan.send(lorestan.request(Method::GET, CLUSTERS).query(&[("q", name)])).await;
        let path = match found.items("id").first() {
            Some(id) => format!("{CLUSTERS}/{id}"),
            None => {
                let created = register(&lorestan, name, json!({})).await;
                new.push((name, created.header("location").to_owned(), created.id().to_owned()));
                created.header("location").to_owned()
            }
        };
        let claim = json!({"source_title": SECOND, "claimed_on": "1392-12-07", "claimed_name": name});
        made(&lorestan, &format!("{path}/claims?calendar=persian"), claim).await;
    }
    assert_eq!(new.iter().map(|(name, ..)| *name).collect::<Vec<_>>(), ["ورشو", "جاجیم و گلیم", "خیارشور"]);
    // Two of them are what the handicrafts were: the third has no explanation.
    let lineage = format!("{CLUSTERS}/{}/lineage", handicrafts.id());
    for (_, _, part) in &new[..2] {
        let entry = json!({"kind": "split_into", "other_cluster_id": part, "effective_on": "1392-12-29", "source_title": SECOND});
        made(&lorestan, &format!("{lineage}?calendar=persian"), entry).await;
    }
    assert_eq!(reported(&lorestan, "").await, first, "what the first source reported stays");
    let with_lineage = lorestan.get(REPORT).await;
    let told = with_lineage.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["id"] == handicrafts.id())
        .unwrap();
    assert_eq!(told["lineage"], json!(["split_into", "split_into"]));
    let unchanged = lorestan.get(&format!("{REPORT}&known_at={before_recording}")).await;
    assert_eq!(
        (&unchanged.body["items"], &unchanged.body["total"]),
        (&before.body["items"], &json!(11)),
        "to the letter, sources included"
    );
    let with_claims = lorestan
        .get(&format!("{CLUSTERS}/{}?include=claims", lorestan.cluster_named("زیتون").await.id()))
        .await;
    let titles: Vec<_> = with_claims.body["claims"]
        .as_array()
        .unwrap()
        .iter()
        .map(|claim| claim["source_title"].as_str().unwrap())
        .collect();
    assert!(titles.len() == 2 && titles[1] == SECOND, "{titles:?}");

    // The province follows the second source: thirteen, and eleven to whoever asks what was known before.
    let after_recording = moment();
    let decision = decision(&lorestan, json!({})).await;
    for (_, path, _) in &new {
        let identified = json!({"to": "identified", "effective_on": "2014-02-26"});
        assert_eq!(lorestan.transition(path, "*", identified).await.status, 200);
    }
    let split = json!({"to": "split", "effective_on": "2014-03-20", "decision_id": decision.id(), "reason": "مصوبهٔ کارگروه"});
    let split = lorestan.transition(&format!("{CLUSTERS}/{}", handicrafts.id()), "*", split).await;
    assert_eq!(split.status, 200, "{}", split.text);
    let (total, items) = reported(&lorestan, "").await;
    let mut names: Vec<_> = items.iter().map(|item| item["name_fa"].as_str().unwrap()).collect();
    let mut thirteen = THIRTEEN;
    names.sort_unstable();
    thirteen.sort_unstable();
    assert_eq!((total, names), (json!(13), thirteen.to_vec()));
    for known_at in [&before_recording, &after_recording] {
        assert_eq!(reported(&lorestan, &format!("&known_at={known_at}")).await, first);
    }
    // The parts tell where they come from.
    let of_part = lorestan.get(&format!("{}/lineage", new[0].1)).await;
    assert_eq!(
        (of_part.items("kind"), of_part.items("cluster_id")),
        (vec!["split_into"], vec![handicrafts.id()])
    );
}
