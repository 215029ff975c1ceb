//! The feed of changes.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use khoosheh::{clusters, config::Config, policy::Caller, store::Transaction};
use sea_orm::{ConnectionTrait, EntityTrait};
use serde_json::{Value, json};

use crate::{
    clusters::{CLUSTERS, claimed, register},
    on_both,
    support::{Answer, Backend, Client, Service},
};

on_both!(
    a_follower_learns_of_each_change_once,
    a_snapshot_is_the_state_of_its_moment,
    whoever_loses_a_record_is_told,
    a_cursor_is_for_one_question,
    nobody_makes_a_cursor,
    without_a_key_the_rest_is_there,
    a_follower_sees_what_it_may_see,
    whoever_waits_hears_at_once,
);

pub const CHANGES: &str = "/api/v1/changes";

/// What a client that keeps records by the feed holds.
#[derive(Clone, Default)]
pub struct Held {
    /// Of each record, by kind and id, the version and the data.
    pub records: BTreeMap<(String, String), (i64, Value)>,
    pub cursor: String,
    /// The newest version that was told of each record, also of those that are gone.
    newest: BTreeMap<(String, String), i64>,
}

impl Held {
    pub async fn snapshot(client: &Client, query: &str) -> Self {
        let mut held = Self::default();
        held.apply(&client.get(&format!("{CHANGES}?snapshot=true{query}")).await);
        held.follow(client, query).await;
        held
    }

    /// Takes in an answer, and says whether there is more.
    pub fn apply(&mut self, answer: &Answer) -> bool {
        assert_eq!(answer.status, 200, "{}", answer.text);
        for change in answer.body["items"].as_array().unwrap() {
            let key =
                (change["resource"].as_str().unwrap().to_owned(), change["id"].as_str().unwrap().to_owned());
            let version = change["version"].as_i64().unwrap();
            let before = self.newest.insert(key.clone(), version).unwrap_or(0);
            assert!(version > before, "{key:?}: {version} comes after {before}");
            match change["kind"].as_str().unwrap() {
                "upsert" => self.records.insert(key, (version, change["data"].clone())),
                _ => self.records.remove(&key),
            };
        }
        self.cursor = answer.body["next_cursor"].as_str().unwrap().to_owned();
        answer.body["has_more"] == true
    }

    pub async fn follow(&mut self, client: &Client, query: &str) {
        while self.apply(&since(client, &self.cursor, query).await) {}
    }

    fn names(&self) -> Vec<&str> {
        self.records.values().filter_map(|(_, data)| data["name_fa"].as_str()).collect()
    }
}

pub async fn since(client: &Client, cursor: &str, query: &str) -> Answer {
    client.get(&format!("{CHANGES}?since={cursor}{query}")).await
}

/// Of each change what it is, to whom, and which version it made.
pub fn told(answer: &Answer) -> Vec<(&str, &str, i64)> {
    let items = answer.body["items"].as_array().unwrap().iter();
    items
        .map(|item| {
            (
                item["kind"].as_str().unwrap(),
                item["resource"].as_str().unwrap(),
                item["version"].as_i64().unwrap(),
            )
        })
        .collect()
}

async fn a_follower_learns_of_each_change_once(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let Held { cursor, .. } = Held::snapshot(&lorestan, "").await;
    let nothing = since(&lorestan, &cursor, "").await;
    assert_eq!((told(&nothing), &nothing.body["has_more"]), (vec![], &json!(false)));

    let silver = claimed(&lorestan, "ورشو", json!({})).await;
    let path = silver.header("location");
    let identified = json!({"to": "identified", "effective_on": "2015-03-01"});
    assert_eq!(lorestan.transition(path, "*", identified).await.status, 200);
    let changed = lorestan.patch(path, "*", json!({"name_en": "German silver"})).await;
    assert_eq!(lorestan.delete(path, "*").await.status, 204);
    let expected = [
        ("upsert", "cluster", 1),
        ("upsert", "cluster_claim", 1),
        ("upsert", "cluster", 2),
        ("upsert", "cluster", 3),
        ("deleted", "cluster_claim", 2),
        ("deleted", "cluster", 4),
    ];
    let all = since(&lorestan, &cursor, "").await;
    assert_eq!(told(&all), expected);
    let item = &all.body["items"][3];
    assert_eq!(
        (&item["id"], &item["changed_at"], &item["data"]["name_en"]),
        (&silver.body["id"], &changed.body["updated_at"], &json!("German silver"))
    );
    assert_eq!(all.body["items"][5]["data"], Value::Null);

    let (mut cursor, mut one_by_one) = (cursor, Vec::new());
    loop {
        let page = since(&lorestan, &cursor, "&page_size=1").await;
        one_by_one.extend(
            told(&page)
                .into_iter()
                .map(|(kind, resource, version)| (kind.to_owned(), resource.to_owned(), version)),
        );
        cursor = page.body["next_cursor"].as_str().unwrap().to_owned();
        if page.body["has_more"] == false {
            break;
        }
    }
    assert_eq!(
        one_by_one
            .iter()
            .map(|(kind, resource, version)| (kind.as_str(), resource.as_str(), *version))
            .collect::<Vec<_>>(),
        expected
    );
    let persian = lorestan.get(&format!("{CHANGES}?calendar=persian&resource=cluster_claim")).await;
    let days = persian.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|item| item["data"]["claimed_on"].as_str())
        .collect::<Vec<_>>();
    assert!(!days.is_empty() && days.iter().all(|day| day.starts_with("13")), "{days:?}");
}

async fn a_snapshot_is_the_state_of_its_moment(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let whole = Held::snapshot(&lorestan, "").await;
    let mut held = Held::default();
    assert!(
        held.apply(&lorestan.get(&format!("{CHANGES}?snapshot=true&page_size=1")).await),
        "there is more"
    );
    // While it is read, what has been read and what is still to come are changed.
    for name in ["سنگ", "زیتون", "عسل"] {
        let path = format!("{CLUSTERS}/{}", lorestan.cluster_named(name).await.id());
        assert_eq!(lorestan.patch(&path, "*", json!({"name_en": "Renamed"})).await.status, 200);
    }
    register(&lorestan, "ورشو", json!({})).await;
    held.follow(&lorestan, "&page_size=1").await;
    assert_eq!(held.records, whole.records, "first all as it was");
    held.follow(&lorestan, "&page_size=1").await;
    assert_eq!(held.records, Held::snapshot(&lorestan, "").await.records, "then what has changed since");
    assert_eq!(held.names().iter().filter(|name| **name == "ورشو").count(), 1);

    let all = lorestan.get(&format!("{CLUSTERS}?page_size=200")).await;
    let listed: BTreeMap<_, _> = all.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["id"].as_str().unwrap(), item["version"].as_i64()))
        .collect();
    let clusters = held.records.iter().filter(|((resource, _), _)| resource == "cluster");
    assert_eq!(
        clusters.map(|((_, id), (version, _))| (id.as_str(), Some(*version))).collect::<BTreeMap<_, _>>(),
        listed
    );
    let claims = Held::snapshot(&lorestan, "&resource=cluster_claim").await;
    assert!(
        !claims.records.is_empty() && claims.records.keys().all(|(resource, _)| resource == "cluster_claim")
    );
}

async fn whoever_loses_a_record_is_told(service: &Service) {
    let (isipo, kerman, lorestan) =
        (service.login("isipo").await, service.login("kerman").await, service.login("lorestan").await);
    let (mut of_kerman, mut of_lorestan) =
        (Held::snapshot(&kerman, "").await, Held::snapshot(&lorestan, "").await);
    let national =
        isipo.post("/api/v1/organisations", json!({"kind": "ministry", "name_fa": "وزارت نمونه"})).await;
    assert_eq!(national.status, 201, "{}", national.text);
    let honey = isipo.cluster_named("عسل").await;
    assert_eq!(
        isipo.patch(&format!("{CLUSTERS}/{}", honey.id()), "*", json!({"province": "IR-08"})).await.status,
        200
    );
    let left = since(&lorestan, &of_lorestan.cursor, "").await;
    let lost = ("out_of_scope", "cluster_claim", 2);
    assert_eq!(told(&left), [("upsert", "organisation", 1), lost, lost, ("out_of_scope", "cluster", 3)]);
    assert_eq!((&left.body["items"][3]["data"], left.text.contains("عسل")), (&Value::Null, false));
    of_lorestan.follow(&lorestan, "").await;
    of_kerman.follow(&kerman, "").await;
    assert!(of_kerman.names().contains(&"عسل") && !of_lorestan.names().contains(&"عسل"));
    // What was everybody's becomes the province's own.
    let own = isipo.patch(national.header("location"), "*", json!({"province": "IR-08"})).await;
    assert_eq!(own.status, 200, "{}", own.text);
    assert_eq!(told(&since(&lorestan, &of_lorestan.cursor, "").await), [("out_of_scope", "organisation", 2)]);
    assert_eq!(told(&since(&kerman, &of_kerman.cursor, "").await), [("upsert", "organisation", 2)]);
    // What happens to it from now on is no matter of others.
    of_lorestan.follow(&lorestan, "").await;
    assert_eq!(
        isipo.patch(&format!("{CLUSTERS}/{}", honey.id()), "*", json!({"name_en": "Honey"})).await.status,
        200
    );
    assert_eq!(told(&since(&lorestan, &of_lorestan.cursor, "").await), []);
    for (held, client) in [(&mut of_kerman, &kerman), (&mut of_lorestan, &lorestan)] {
        held.follow(client, "").await;
        assert_eq!(held.records, Held::snapshot(client, "").await.records);
    }
}

async fn a_cursor_is_for_one_question(service: &Service) {
    let (lorestan, kerman) = (service.login("lorestan").await, service.login("kerman").await);
    let Held { cursor, .. } = Held::snapshot(&lorestan, "").await;
    for (client, query) in [(&lorestan, "&resource=cluster"), (&kerman, "")] {
        let refused = since(client, &cursor, query).await;
        assert_eq!((refused.status, refused.code()), (410, "resync_required"));
    }
    for broken in ["x", "e30", &cursor[..cursor.len() - 4], &format!("{cursor}AAAA")] {
        let refused = since(&lorestan, broken, "").await;
        assert_eq!((refused.status, refused.code()), (400, "invalid_cursor"), "{broken}");
    }
    // Cursors of the format that was not sealed, sound or not, open nothing.
    for seen in ["1:1:", "1:9000000000000000000:", "5:4:", "'"] {
        let former =
            json!({"lineage": "7.1.5", "question": "0123456789abcdef", "place": {"after": {"seen": seen}}});
        let refused = since(&lorestan, &URL_SAFE_NO_PAD.encode(former.to_string()), "").await;
        assert_eq!((refused.status, refused.code()), (410, "resync_required"), "{seen}");
    }
    for (query, pointer) in
        [("page_size=0", "/page_size"), ("wait=26", "/wait"), ("resource=account", "/resource/0")]
    {
        let refused = lorestan.get(&format!("{CHANGES}?{query}")).await;
        assert_eq!((refused.status, refused.errors()[0].0), (400, pointer));
    }
}

async fn nobody_makes_a_cursor(service: &Service) {
    let (lorestan, isipo) = (service.login("lorestan").await, service.login("isipo").await);
    let Held { cursor, .. } = Held::snapshot(&lorestan, "").await;
    let bytes = URL_SAFE_NO_PAD.decode(&cursor).unwrap();
    let readable = String::from_utf8_lossy(&bytes);
    for clear in ["seen", "place", "cluster"] {
        assert!(!readable.contains(clear), "a cursor says nothing to those who hold it: {clear}");
    }
    let refused = async |bytes: &[u8]| {
        let refused = since(&lorestan, &URL_SAFE_NO_PAD.encode(bytes), "").await;
        assert!(
            [(400, "invalid_cursor"), (410, "resync_required")].contains(&(refused.status, refused.code())),
            "{}",
            refused.text
        );
        refused.status
    };
    for place in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[place] ^= 1 << (place % 8);
        refused(&damaged).await;
        if place % 7 == 1 {
            refused(&bytes[..place]).await;
        }
    }
    // Of two sound cursors, none is made by putting parts of them together.
    let theirs = URL_SAFE_NO_PAD.decode(Held::snapshot(&isipo, "").await.cursor).unwrap();
    for (ours, their) in [(21, 21), (bytes.len() - 16, theirs.len() - 16)] {
        assert_eq!(refused(&[&bytes[..ours], &theirs[their..]].concat()).await, 400);
    }
    assert_eq!(refused(&theirs).await, 410, "it is another's");
    assert_eq!(told(&since(&lorestan, &cursor, "").await), [], "the cursor itself goes on");
    let (running, beside) = service.beside(|_| {}).await;
    let beside = beside.with_token(lorestan.token.as_deref().unwrap());
    assert_eq!(told(&since(&beside, &cursor, "").await), [], "in another instance too");
    running.stop().await;
}

/// An instance that cannot make the key, as nobody may write, does all the rest.
async fn without_a_key_the_rest_is_there(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let db = service.database().await;
    let is_sqlite = service.database_url().starts_with("sqlite");
    db.execute_unprepared("DELETE FROM service_secret WHERE name = 'cursors of followers'").await.unwrap();
    if !is_sqlite {
        let (_, name) = service.database_url().rsplit_once('/').unwrap();
        db.execute_unprepared(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on"))
            .await
            .unwrap();
    }
    let url = format!("{}{}", service.database_url(), if is_sqlite { "?mode=ro" } else { "" });
    let read_only = |config: &mut Config| config.database_url = url.parse().unwrap();
    let (running, reader) = service.beside(read_only).await;
    let reader = reader.with_token(lorestan.token.as_deref().unwrap());
    assert_eq!(reader.get(CLUSTERS).await.status, 200);
    assert_eq!(reader.get(&format!("{CHANGES}?snapshot=true")).await.code(), "unavailable");
    running.stop().await;
    // It is made once somebody may.
    if !is_sqlite {
        db.execute_unprepared("SET default_transaction_read_only = off; ").await.unwrap();
        let (_, name) = service.database_url().rsplit_once('/').unwrap();
        db.execute_unprepared(&format!("ALTER DATABASE {name} RESET default_transaction_read_only"))
            .await
            .unwrap();
    }
    let (first, second) = (service.beside(|_| {}).await, service.beside(|_| {}).await);
    let token = lorestan.token.as_deref().unwrap();
    let (one, other) = (first.1.with_token(token), second.1.with_token(token));
    let path = format!("{CHANGES}?snapshot=true&page_size=1000");
    let (from_one, from_other) = tokio::join!(one.get(&path), other.get(&path));
    for (answer, client) in [(from_one, &other), (from_other, &one)] {
        let cursor = answer.body["next_cursor"].as_str().unwrap_or_else(|| panic!("{}", answer.text));
        assert_eq!(since(client, cursor, "").await.status, 200, "both have the same key");
    }
    first.0.stop().await;
    second.0.stop().await;
}

async fn a_follower_sees_what_it_may_see(service: &Service) {
    let (lorestan, viewer) = (service.login("lorestan").await, service.login("lorestan-viewer").await);
    let of_cda = async |client: &Client| {
        let held = Held::snapshot(client, "&resource=cda").await;
        let (_, data) = held.records.into_values().next().unwrap();
        let own = client.get(&format!("/api/v1/cdas/{}", data["id"].as_str().unwrap())).await;
        (data["national_code"].clone(), own.body["national_code"].clone())
    };
    let (seen, masked) = (of_cda(&lorestan).await, of_cda(&viewer).await);
    assert_eq!((&seen.0, &masked.0), (&seen.1, &masked.1));
    assert_ne!(seen.0, masked.0);
    // A system that may read measurements gets nothing else.
    let client = json!({"client_id": "measuring", "display_name": "سنجه‌ها", "province": "IR-15", "scopes": ["changes:read", "measurements:read"]});
    let admin = service.login("admin").await;
    let made = admin.post("/api/v1/api-clients", client).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", made.body["client_id"].as_str().unwrap()),
        ("client_secret", made.body["client_secret"].as_str().unwrap()),
    ];
    let token = service.anonymous().form("/api/v1/auth/token", &form).await.body["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let measuring = service.anonymous().with_token(&token);
    let all = measuring.get(&format!("{CHANGES}?page_size=1000")).await;
    assert!(all.items("resource").iter().all(|resource| *resource == "measurement"), "{}", all.text);
    assert_eq!(measuring.get(&format!("{CHANGES}?resource=measurement,cluster")).await.code(), "forbidden");
}

async fn whoever_waits_hears_at_once(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let Held { cursor, .. } = Held::snapshot(&lorestan, "").await;
    let begun = Instant::now();
    let quiet = since(&lorestan, &cursor, "&wait=2").await;
    assert_eq!(told(&quiet), []);
    assert!(begun.elapsed() > Duration::from_secs(1), "it waited");
    let cursor = quiet.body["next_cursor"].as_str().unwrap();
    let (heard, _) = tokio::join!(since(&lorestan, cursor, "&wait=25"), async {
        register(&lorestan, "ورشو", json!({})).await;
    });
    assert_eq!(told(&heard), [("upsert", "cluster", 1)]);
}

/// On PostgreSQL a transaction may take its numbers first and commit last.
#[actix_web::test]
async fn what_commits_late_is_not_left_out() {
    let Some(service) = Service::start(Backend::Postgres, |_| {}).await else { return };
    let lorestan = service.login("lorestan").await;
    let Held { cursor, .. } = Held::snapshot(&lorestan, "").await;
    let db = service.database().await;
    let stone: uuid::Uuid = lorestan.cluster_named("سنگ").await.id().parse().unwrap();
    let before = clusters::entity::Entity::find_by_id(stone).one(&db).await.unwrap().unwrap();
    let late = Transaction::begin(&db, Caller::service(), "late".to_owned()).await.unwrap();
    let changed = clusters::entity::Model { employment_total: Some(7), ..before.clone() };
    late.update(&before, changed).await.unwrap();
    register(&lorestan, "ورشو", json!({})).await;
    let early = since(&lorestan, &cursor, "").await;
    assert_eq!(told(&early), [("upsert", "cluster", 1)], "what is not committed is not told");
    late.commit().await.unwrap();
    register(&lorestan, "خیارشور", json!({})).await;
    let cursor = early.body["next_cursor"].as_str().unwrap();
    let rest = since(&lorestan, cursor, "").await;
    assert_eq!(told(&rest), [("upsert", "cluster", before.version + 1), ("upsert", "cluster", 1)]);
    assert_eq!(rest.body["items"][0]["data"]["employment_total"], 7);
    service.stop().await;
}

/// A dump that is restored brings the numbers of another server with it.
#[actix_web::test]
async fn a_restored_database_is_followed_from_its_snapshot() {
    let Some(service) = Service::start(Backend::Postgres, |_| {}).await else { return };
    let before = Held::snapshot(&service.login("lorestan").await, "").await.records;
    service
        .database()
        .await
        .execute_unprepared("UPDATE change_log SET transaction_id = 9000000000000000000 + seq")
        .await
        .unwrap();
    let service = service.restart().await;
    let lorestan = service.login("lorestan").await;
    let held = Held::snapshot(&lorestan, "").await;
    assert!(!before.is_empty() && held.records == before);
    register(&lorestan, "ورشو", json!({})).await;
    assert_eq!(told(&since(&lorestan, &held.cursor, "").await), [("upsert", "cluster", 1)]);
    service.stop().await;
}
