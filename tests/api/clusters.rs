//! Clusters, from their registration to their tombstone.

use serde_json::json;

use crate::{on_both, support::Service};

on_both!(a_provincial_company_registers_a_cluster);

async fn a_provincial_company_registers_a_cluster(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let created = lorestan.post("/api/v1/clusters", json!({"province": "IR-15", "name_fa": "ورشو", "isic": [{"code": "2599"}]})).await;
    assert_eq!(created.status, 201, "{}", created.text);
    assert_eq!(created.body["state"], "candidate");
    assert_eq!(created.body["isic"], json!([{"code": "2599", "primary": true}]));
    assert_eq!(created.body["code"], "15-0012");
    assert_eq!(created.header("location"), format!("/api/v1/clusters/{}", created.id()));
    assert_eq!(created.etag(), "\"1\"");

    let path = created.header("location");
    let changed = lorestan.patch(path, created.etag(), json!({"name_en": "German silver", "employment_total": 120})).await;
    assert_eq!((changed.status, changed.etag()), (200, "\"2\""));
    assert_eq!(changed.body["name_en"], "German silver");
    let stale = lorestan.patch(path, created.etag(), json!({"name_en": "Nickel silver"})).await;
    assert_eq!((stale.status, stale.code(), stale.etag()), (412, "stale_version", "\"2\""));

    assert_eq!(lorestan.delete(path, changed.etag()).await.status, 204);
    assert_eq!(lorestan.get(path).await.status, 404);
    assert_eq!(lorestan.delete(path, "\"1\"").await.status, 204, "repeating a deletion is no error");
    let history = lorestan.get(&format!("{path}/history")).await;
    assert_eq!(history.items("kind"), ["created", "updated", "deleted"]);
}
