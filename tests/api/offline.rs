//! An app that is offline for a month: both sides edit, then the app sends what it has kept and takes in what
//! has changed. Conflicts are seen, with both versions at hand; nothing is lost on either side.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    changes::Held,
    milestones::{MILESTONES, milestone},
    on_both,
    projects::made,
    support::{Answer, Client, Service},
};

on_both!(a_month_without_a_network);

const DAYS: usize = 30;
const FOLLOWED: &str = "&resource=milestone";
const FIELDS: [&str; 2] = ["title_fa", "title_en"];

/// What the app has kept until there is a network.
enum Edit {
    /// A new record, by the key that makes sending it again harmless.
    Add { key: String, body: Value },
    /// A change of a record in the version that the app held.
    Change { id: String, field: &'static str, value: String },
}

/// Who has written what: record, field, value.
type Written = Vec<(String, &'static str, String)>;

/// A change and its answer; sometimes the answer is lost, and the app sends it again.
async fn change(app: &Client, id: &str, version: i64, body: &Value, is_lost: bool) -> Answer {
    let send =
        async || app.patch(&format!("{MILESTONES}/{id}"), &format!("\"{version}\""), body.clone()).await;
    if is_lost {
        send().await;
    }
    send().await
}

async fn a_month_without_a_network(service: &Service) {
    let (app, office) = (service.login("cda").await, service.login("lorestan").await);
    let project =
        app.get("/api/v1/projects?mine=true").await.body["items"][0]["id"].as_str().unwrap().to_owned();
    let new = |name: String| {
        milestone(json!({"project_id": project, "title_fa": name, "weight_bp": 0, "phase": "implementation"}))
    };
    let mut ids = Vec::new();
    for number in 0..12 {
        ids.push(made(&office, MILESTONES, new(format!("دیدار {number}"))).await.id().to_owned());
    }
    let mut held = Held::snapshot(&app, FOLLOWED).await;

    let (mut queue, mut by_office, mut deleted): (Vec<Edit>, Written, Vec<String>) = Default::default();
    for day in 0..DAYS {
        // The office works on, and knows nothing of the app.
        for deed in 0..2 {
            let id = &ids[(day * 5 + deed * 7) % ids.len()];
            let (field, value) = (FIELDS[(day + deed) % 2], format!("اداره {day}-{deed}"));
            if !deleted.contains(id) {
                assert_eq!(
                    office.patch(&format!("{MILESTONES}/{id}"), "*", json!({field: value})).await.status,
                    200
                );
                by_office.push((id.clone(), field, value));
            }
        }
        if day % 10 == 9 {
            let id = &ids[day % ids.len()];
            assert_eq!(office.delete(&format!("{MILESTONES}/{id}"), "*").await.status, 204);
            deleted.push(id.clone());
        }
        made(&office, MILESTONES, new(format!("از اداره {day}"))).await;
        // So does the app, on what it holds.
        let id = ids[(day * 5 + 1) % ids.len()].clone();
        queue.push(Edit::Change { id, field: FIELDS[day % 3 % 2], value: format!("میدان {day}") });
        if day % 4 == 0 {
            queue.push(Edit::Add {
                key: format!("\"app-{day}\""), body: new(format!("از میدان {day}"))
            });
        }
    }

    // There is a network.
    let mut versions: BTreeMap<String, i64> =
        held.records.iter().map(|((_, id), (version, _))| (id.clone(), *version)).collect();
    let (mut by_app, mut conflicts, mut orphans, mut added) = (Written::new(), 0, Vec::new(), Vec::new());
    for (number, edit) in queue.into_iter().enumerate() {
        let is_lost = number % 4 == 1;
        match edit {
            Edit::Add { key, body } => {
                let send = async || {
                    app.send(
                        app.request(Method::POST, MILESTONES).header("idempotency-key", &key).json(&body),
                    )
                    .await
                };
                let (first, again) = (send().await, send().await);
                assert_eq!((first.status, first.id()), (201, again.id()), "{}", first.text);
                added.push(first.id().to_owned());
            }
            Edit::Change { id, field, value } => {
                let mine = json!({field: value});
                let answer = change(&app, &id, versions[&id], &mine, is_lost).await;
                let version = match answer.status {
                    200 => answer.body["version"].as_i64().unwrap(),
                    412 => {
                        // Both versions are at hand: the app's own, with what it was made on, and the present
                        // one.
                        let theirs = app.get(&format!("{MILESTONES}/{id}")).await;
                        let version = theirs.body["version"].as_i64().unwrap();
                        assert!(
                            version > versions[&id] && answer.etag() == format!("\"{version}\""),
                            "{}",
                            answer.text
                        );
                        if theirs.body[field] == value {
                            // It was the app's own change, of which it did not hear.
                            version
                        } else {
                            conflicts += 1;
                            let merged = change(&app, &id, version, &mine, false).await;
                            assert_eq!(
                                (merged.status, &merged.body[field]),
                                (200, &json!(value)),
                                "{}",
                                merged.text
                            );
                            let other = FIELDS[usize::from(field == FIELDS[0])];
                            assert_eq!(
                                merged.body[other], theirs.body[other],
                                "what the office has written elsewhere stays"
                            );
                            merged.body["version"].as_i64().unwrap()
                        }
                    }
                    404 => {
                        orphans.push(id);
                        continue;
                    }
                    other => panic!("{other}: {}", answer.text),
                };
                versions.insert(id.clone(), version);
                by_app.push((id, field, value));
            }
        }
    }
    held.follow(&app, FOLLOWED).await;

    assert!(
        conflicts >= 5 && orphans.len() >= 2 && added.len() == 8,
        "{conflicts} conflicts, {} orphans, {} new",
        orphans.len(),
        added.len()
    );
    assert!(
        orphans.iter().all(|id| deleted.contains(id)),
        "only what the office has deleted is gone, and the app knows of it"
    );
    nothing_is_lost(&office, &held, &by_office, &by_app, &added).await;
}

async fn nothing_is_lost(
    office: &Client,
    held: &Held,
    by_office: &Written,
    by_app: &Written,
    added: &[String],
) {
    // Every value that somebody has written was there, and what was written last is there.
    let mut last: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for (id, field, value) in by_office.iter().chain(by_app) {
        let history = office.get(&format!("{MILESTONES}/{id}/history")).await;
        let changes = history.body["items"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|entry| entry["changes"].as_array().unwrap());
        let times = changes.filter(|change| change["field"] == *field && change["to"] == *value).count();
        assert_eq!(times, 1, "{id} {field} {value}");
        last.insert((id, field), value);
    }
    // The app holds exactly what the service has.
    let mut count = 0;
    let mut next = format!("{MILESTONES}?page_size=200");
    loop {
        let page = office.get(&next).await;
        for record in page.body["items"].as_array().unwrap() {
            let key = ("milestone".to_owned(), record["id"].as_str().unwrap().to_owned());
            let (version, data) = held.records.get(&key).unwrap_or_else(|| panic!("{key:?} is not held"));
            assert_eq!(json!(version), record["version"]);
            for field in FIELDS {
                assert_eq!(data[field], record[field], "{key:?}");
                if let Some(value) = last.get(&(key.1.as_str(), field)) {
                    assert_eq!(data[field], *value, "{key:?}: the last word");
                }
            }
            count += 1;
        }
        match page.body["next_cursor"].as_str() {
            Some(cursor) => next = format!("{MILESTONES}?page_size=200&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(held.records.len(), count, "and nothing else");
    assert!(added.iter().all(|id| held.records.contains_key(&("milestone".to_owned(), id.clone()))));
}
