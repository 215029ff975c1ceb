//! What the demonstration shows beyond what every test begins with.

use khoosheh::{demo, store::Files};
use serde_json::{Value, json};

use crate::{
    on_both,
    projects::PROJECTS,
    support::{Client, Service},
};

on_both!(the_demonstration_shows_the_programme_at_work);

async fn of(client: &Client, path: &str) -> Vec<Value> {
    client.get(path).await.body["items"].as_array().unwrap().clone()
}

async fn the_demonstration_shows_the_programme_at_work(service: &Service) {
    demo::enrich(&service.database().await, &Files::open(&service.config).unwrap()).await.unwrap();
    let (isipo, lorestan) = (service.login("isipo").await, service.login("lorestan").await);
    let states: Vec<_> = of(&isipo, &format!("{PROJECTS}?sort=code"))
        .await
        .iter()
        .map(|p| (p["province"].clone(), p["state"].clone()))
        .collect();
    let expected = [("IR-08", "closed"), ("IR-08", "suspended"), ("IR-15", "implementing")];
    assert_eq!(states, expected.map(|(province, state)| (json!(province), json!(state))));
    assert_eq!(of(&lorestan, PROJECTS).await.len(), 1, "the second province is elsewhere");

    let closed = isipo.get(&format!("{PROJECTS}?state=closed")).await.items("id")[0].to_owned();
    let closed = format!("{PROJECTS}/{closed}");
    let baselines = of(&isipo, &format!("{closed}/baselines")).await;
    let weights = |baseline: &Value| {
        baseline["milestones"]
            .as_array()
            .unwrap()
            .iter()
            .map(|m| m["weight_bp"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        baselines.iter().map(weights).collect::<Vec<_>>(),
        [vec![2_500, 3_000, 3_000, 1_500], vec![2_500, 3_000, 4_500]]
    );
    // 2500; then 2500 + 3000 + 3000; then, by the second baseline, all of it.
    for (day, state, progress) in [
        ("1395-06-10", "approved", 0),
        ("1396-08-01", "implementing", 2_500),
        ("1397-08-30", "implementing", 8_500),
        ("1397-09-01", "implementing", 10_000),
        ("1398-07-01", "closed", 10_000),
    ] {
        let then = isipo.get(&format!("{closed}?as_of={day}&calendar=persian")).await;
        assert_eq!(
            (&then.body["state"], &then.body["progress_bp"]),
            (&json!(state), &json!(progress)),
            "{day}: {}",
            then.text
        );
    }
    for (path, count) in [
        ("/api/v1/indicators?theme=innovation", 3),
        ("/api/v1/measurements?kind=actual", 2),
        ("/api/v1/payments?reconciled=true", 2),
        ("/api/v1/enterprises", 3),
        ("/api/v1/progress-reports?state=nationally_accepted", 2),
        ("/api/v1/progress-reports?state=returned&province=IR-15", 1),
        ("/api/v1/decisions", 1),
    ] {
        assert!(of(&isipo, path).await.len() >= count, "{path}");
    }
    let study = &of(&isipo, "/api/v1/attachments?kind=diagnostic_study").await[0];
    let content = isipo.get(&format!("/api/v1/attachments/{}/content", study["id"].as_str().unwrap())).await;
    assert_eq!((content.status, content.text.len() as u64), (200, study["size_bytes"].as_u64().unwrap()));
}
