//! How clusters are assessed: challenges and opportunities by category, firms by size, and priority scores.

use khoosheh::{server, store::schema};
use serde_json::{Value, json};

use crate::{
    clusters::{CLUSTERS, cluster, register},
    on_both,
    support::{Client, Service},
};

on_both!(
    an_assessment_comes_back_as_it_was_given,
    all_four_counts_and_scores_are_needed,
    a_part_of_an_assessment_is_patched,
    a_cluster_of_before_has_no_assessment,
);

fn assessment() -> Value {
    let categories = [
        "scale",
        "business_environment",
        "organisational_infrastructure",
        "technology",
        "finance_links",
        "networks",
        "market_knowledge",
    ];
    let challenges: Vec<Value> = categories
        .iter()
        .map(|category| json!({"category": category, "text": format!("كمبود: {category}")}))
        .collect();
    json!({
        "challenges": challenges,
        "opportunities": [{"category": "networks", "text": "یک"}, {"category": "networks", "text": "دو"}],
        "firms_by_size": {"micro": 62, "small": 31, "medium": 4, "large": 0},
        "priority_scores": {"importance": 100, "promotability": 0, "viability": 65, "sustainability": 60},
    })
}

async fn an_assessment_comes_back_as_it_was_given(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let bare = register(&lorestan, "ورشو", json!({})).await;
    let nothing = [json!([]), json!([]), Value::Null, Value::Null];
    assert_eq!(shown(&bare.body), nothing);
    let given = assessment();
    let changed = lorestan.patch(bare.header("location"), "*", given.clone()).await;
    assert_eq!((changed.status, shown(&changed.body)), (200, shown(&given)), "{}", changed.text);
    assert_eq!(lorestan.get(bare.header("location")).await.body, changed.body);
    let created = register(&lorestan, "گلیم", given.clone()).await;
    assert_eq!(shown(&created.body), shown(&given));

    let table =
        lorestan.get(&format!("{CLUSTERS}?q=گلیم&format=csv&fields=firms_by_size,priority_scores")).await;
    let header = "firms_by_size.micro,firms_by_size.small,firms_by_size.medium,firms_by_size.large,\
                  priority_scores.importance,priority_scores.promotability,priority_scores.viability,priority_scores.sustainability";
    assert_eq!(table.text, format!("{header}\r\n62,31,4,0,100,0,65,60\r\n"));
    let emptied =
        json!({"challenges": null, "opportunities": [], "firms_by_size": null, "priority_scores": null});
    assert_eq!(shown(&lorestan.patch(created.header("location"), "*", emptied).await.body), nothing);
    let history = lorestan.get(&format!("{}/history", created.header("location"))).await;
    let last = history.body["items"][1]["changes"].as_array().unwrap();
    assert!(
        last.contains(&json!({"field": "priority_scores", "from": given["priority_scores"], "to": null})),
        "{last:?}"
    );
}

fn shown(body: &Value) -> [Value; 4] {
    ["challenges", "opportunities", "firms_by_size", "priority_scores"].map(|field| body[field].clone())
}

async fn all_four_counts_and_scores_are_needed(service: &Service) {
    let lorestan = service.login("lorestan").await;
    for (input, errors) in [
        (
            json!({"challenges": [{"category": "weather", "text": "x"}]}),
            vec![("/challenges/0/category", "not_in_list")],
        ),
        (json!({"challenges": [{"category": "scale"}]}), vec![("/challenges/0/text", "required")]),
        (
            json!({"opportunities": [{"category": "scale", "text": " "}]}),
            vec![("/opportunities/0/text", "wrong_pattern")],
        ),
        (
            json!({"opportunities": [{"category": "scale", "text": "x", "weight": 1}]}),
            vec![("/opportunities/0/weight", "unknown_field")],
        ),
        (
            json!({"firms_by_size": {"micro": -1, "small": 1, "medium": 1}}),
            vec![("/firms_by_size/large", "required"), ("/firms_by_size/micro", "too_small")],
        ),
        (
            json!({"firms_by_size": {"micro": 1.5, "small": 0, "medium": 0, "large": 0}}),
            vec![("/firms_by_size/micro", "wrong_type")],
        ),
        (
            json!({"priority_scores": {"importance": 101, "promotability": 1}}),
            vec![
                ("/priority_scores/importance", "too_large"),
                ("/priority_scores/sustainability", "required"),
                ("/priority_scores/viability", "required"),
            ],
        ),
    ] {
        let refused = lorestan.post(CLUSTERS, cluster("ورشو", input.clone())).await;
        assert_eq!((refused.status, refused.errors()), (422, errors), "{input}");
    }
}

async fn a_part_of_an_assessment_is_patched(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let created = register(&lorestan, "ورشو", assessment()).await;
    let changed = lorestan
        .patch(
            created.header("location"),
            "*",
            json!({"firms_by_size": {"small": 30}, "priority_scores": {"viability": 1}}),
        )
        .await;
    assert_eq!(
        changed.body["firms_by_size"],
        json!({"micro": 62, "small": 30, "medium": 4, "large": 0}),
        "{}",
        changed.text
    );
    assert_eq!(
        changed.body["priority_scores"],
        json!({"importance": 100, "promotability": 0, "viability": 1, "sustainability": 60})
    );
    let refused =
        lorestan.patch(created.header("location"), "*", json!({"firms_by_size": {"small": null}})).await;
    assert_eq!(refused.errors(), [("/firms_by_size/small", "wrong_type")]);
    let bare = register(&lorestan, "گلیم", json!({})).await;
    let refused = lorestan
        .patch(bare.header("location"), "*", json!({"firms_by_size": {"small": 30, "large": 1}}))
        .await;
    assert_eq!(
        refused.errors(),
        [("/firms_by_size/medium", "required"), ("/firms_by_size/micro", "required")],
        "half of it onto none"
    );
}

/// The rows of a database that is brought up to date.
async fn a_cluster_of_before_has_no_assessment(service: &Service) {
    let db = service.database().await;
    let is_assessed = async || {
        schema::migrations(&db).await.unwrap().iter().any(|migration| {
            migration.name.ends_with("_cluster_side") && migration.state == schema::State::Applied
        })
    };
    while is_assessed().await {
        schema::migrate_down(&db).await.unwrap();
    }
    server::migrate(&db).await.unwrap();
    let (running, client) = service.beside(|_| {}).await;
    let lorestan: Client = client.login("lorestan").await;
    let stone = lorestan.cluster_named("سنگ").await;
    assert_eq!(shown(&stone.body), [json!([]), json!([]), Value::Null, Value::Null]);
    let changed = lorestan.patch(&format!("{CLUSTERS}/{}", stone.id()), stone.etag(), assessment()).await;
    assert_eq!((changed.status, shown(&changed.body)), (200, shown(&assessment())), "{}", changed.text);
    running.stop().await;
}
