//! Followers of the feed while many write, and while the service and they themselves are cut off again and
//! again: in the end each holds exactly what the service has.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use khoosheh::{
    enterprises::entity::Model,
    policy::Caller,
    store::{Transaction, connection},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::sleep;
use uuid::Uuid;

use crate::{
    changes::{CHANGES, Held},
    enterprises::{ENTERPRISES, enterprise},
    process::Server,
    support::{Answer, Backend, Client, Scratch},
};

const WRITERS: usize = 8;
/// Deeds of each writer; some of them are transactions of many writes.
const DEEDS: usize = 250;
const PROVINCES: [&str; 3] = ["IR-15", "IR-08", "IR-23"];

#[actix_web::test]
async fn sqlite() {
    everybody_ends_with_the_same(Backend::Sqlite, 1).await;
}

#[actix_web::test]
async fn postgres() {
    everybody_ends_with_the_same(Backend::Postgres, 2).await;
}

/// Numbers that look like chance, and are the same each time (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

/// What all share.
struct Stage {
    servers: Mutex<Vec<Option<Server>>>,
    db: khoosheh::store::Database,
    /// The enterprises that somebody has made.
    ids: Mutex<Vec<Uuid>>,
    writes: AtomicUsize,
    is_over: AtomicBool,
}

impl Stage {
    /// Sends a request to one of the servers, again and again until one answers.
    async fn send(
        &self,
        client: &Client,
        dice: &mut Dice,
        request: impl Fn(&Client) -> reqwest::RequestBuilder,
    ) -> Answer {
        loop {
            let address = {
                let servers = self.servers.lock().unwrap();
                let alive: Vec<_> = servers.iter().flatten().map(|server| server.address.clone()).collect();
                if alive.is_empty() { None } else { Some(alive[dice.below(alive.len())].clone()) }
            };
            if let Some(address) = address {
                let sent = request(&Client { address, ..client.clone() }).send().await;
                if let Some(answer) = whole(sent).await {
                    return answer;
                }
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    fn any_id(&self, dice: &mut Dice) -> Option<Uuid> {
        let ids = self.ids.lock().unwrap();
        (!ids.is_empty()).then(|| ids[dice.below(ids.len())])
    }
}

/// The answer, if it came to its end and was one.
async fn whole(sent: reqwest::Result<reqwest::Response>) -> Option<Answer> {
    let response = sent.ok().filter(|response| response.status() != StatusCode::SERVICE_UNAVAILABLE)?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.ok()?;
    assert!(status < 500, "{text}");
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    Some(Answer { status, headers, text, body })
}

async fn write(stage: Arc<Stage>, client: Client, number: usize) {
    let mut dice = Dice(0x9e37_79b9 + number as u64);
    for deed in 0..DEEDS {
        let id = stage.any_id(&mut dice);
        let path = id.map(|id| format!("{ENTERPRISES}/{id}"));
        match (dice.below(10), path) {
            (0..3, _) | (_, None) => {
                let body = enterprise(
                    &format!("واحد {number}-{deed}"),
                    json!({"province": PROVINCES[dice.below(3)]}),
                );
                let key = format!("\"{}\"", Uuid::now_v7());
                let request = |client: &Client| {
                    client.request(Method::POST, ENTERPRISES).header("idempotency-key", &key).json(&body)
                };
                let made = stage.send(&client, &mut dice, request).await;
                assert_eq!(made.status, 201, "{}", made.text);
                stage.ids.lock().unwrap().push(made.id().parse().unwrap());
            }
            (3..7, Some(path)) => {
                let fields = match dice.below(3) {
                    0 => json!({"province": PROVINCES[dice.below(3)]}),
                    _ => json!({"employment_total": dice.below(1_000)}),
                };
                stage
                    .send(&client, &mut dice, |client| {
                        client.request(Method::PATCH, &path).header("if-match", "*").json(&fields)
                    })
                    .await;
            }
            (7, Some(path)) => {
                stage
                    .send(&client, &mut dice, |client| {
                        client.request(Method::DELETE, &path).header("if-match", "*")
                    })
                    .await;
            }
            _ => long_transaction(&stage, &mut dice).await,
        }
        stage.writes.fetch_add(1, Relaxed);
    }
}

/// Many writes in one transaction, which takes its time.
async fn long_transaction(stage: &Stage, dice: &mut Dice) {
    let mut ids: Vec<_> = (0..=dice.below(6)).filter_map(|_| stage.any_id(dice)).collect();
    ids.sort();
    ids.dedup();
    let Ok(transaction) = Transaction::begin(&stage.db, Caller::service(), "long".to_owned()).await else {
        return;
    };
    for id in ids {
        if let Ok(before) = transaction.present::<Model>(id).await {
            let changed = Model {
                employment_female: None,
                employment_total: Some(dice.below(500) as i32),
                ..before.clone()
            };
            if transaction.update(&before, changed).await.is_err() {
                return;
            }
        }
        sleep(Duration::from_millis(dice.below(30) as u64)).await;
    }
    let _ = transaction.commit().await;
}

/// Follows until all is over. It is cut off now and then, and goes on from what it has kept.
async fn follow(stage: Arc<Stage>, client: Client, number: usize) -> (Client, Held) {
    let mut dice = Dice(0xdead_beef + number as u64);
    let size = [1_000, 7, 40][number];
    let mut kept = Held::default();
    let mut held = kept.clone();
    loop {
        let is_over = stage.is_over.load(Relaxed);
        let path = match held.cursor.as_str() {
            "" => format!("{CHANGES}?snapshot=true&page_size={size}"),
            cursor => format!("{CHANGES}?since={cursor}&page_size={size}&wait=1"),
        };
        let answer = stage.send(&client, &mut dice, |client| client.request(Method::GET, &path)).await;
        match dice.below(10) {
            0 => held = kept.clone(),
            1..5 => _ = held.apply(&answer),
            _ => {
                let has_more = held.apply(&answer);
                kept = held.clone();
                if is_over && !has_more && answer.items("id").is_empty() {
                    return (client, held);
                }
            }
        }
    }
}

async fn everybody_ends_with_the_same(backend: Backend, instances: usize) {
    let Some(scratch) = Scratch::copy(backend).await else { return };
    let mut servers = Vec::new();
    for _ in 0..instances {
        servers.push(Some(Server::serve(&scratch.url, &[]).await));
    }
    let anybody = servers[0].as_ref().unwrap().client();
    let (isipo, kerman, lorestan) =
        (anybody.login("isipo").await, anybody.login("kerman").await, anybody.login("lorestan").await);
    let stage = Arc::new(Stage {
        servers: Mutex::new(servers),
        db: connection::connect(&scratch.url.parse().unwrap(), 8).await.unwrap(),
        ids: Mutex::default(),
        writes: AtomicUsize::new(0),
        is_over: AtomicBool::new(false),
    });
    let clients = [isipo.clone(), kerman, lorestan];
    let followers: Vec<_> = clients
        .into_iter()
        .enumerate()
        .map(|(number, client)| actix_web::rt::spawn(follow(stage.clone(), client, number)))
        .collect();
    let writers: Vec<_> = (0..WRITERS)
        .map(|number| actix_web::rt::spawn(write(stage.clone(), isipo.clone(), number)))
        .collect();
    for kill in 1..6 {
        while stage.writes.load(Relaxed) < kill * WRITERS * DEEDS / 6 {
            sleep(Duration::from_millis(10)).await;
        }
        let victim = stage.servers.lock().unwrap()[kill % instances].take().unwrap();
        victim.kill();
        let reborn = Server::serve(&scratch.url, &[]).await;
        stage.servers.lock().unwrap()[kill % instances] = Some(reborn);
    }
    for writer in writers {
        writer.await.unwrap();
    }
    stage.is_over.store(true, Relaxed);
    let address = stage.servers.lock().unwrap()[0].as_ref().unwrap().address.clone();
    for follower in followers {
        let (client, held) = follower.await.unwrap();
        let client = Client { address: address.clone(), ..client };
        assert!(
            held.records == Held::snapshot(&client, "").await.records,
            "what is held is what a new client gets"
        );
        let enterprises = held.records.iter().filter(|((resource, _), _)| resource == "enterprise");
        let enterprises: BTreeMap<_, _> =
            enterprises.map(|((_, id), (version, _))| (id.clone(), *version)).collect();
        assert_eq!(enterprises, listed(&client).await, "and what the list has");
        assert!(enterprises.len() > 20, "there is something to compare");
    }
    let servers = std::mem::take(&mut *stage.servers.lock().unwrap());
    servers.into_iter().flatten().for_each(Server::kill);
    scratch.remove().await;
}

/// The versions of all enterprises that the list has.
async fn listed(client: &Client) -> BTreeMap<String, i64> {
    let (mut listed, mut path) = (BTreeMap::new(), format!("{ENTERPRISES}?page_size=200"));
    loop {
        let page = client.get(&path).await;
        let items = page.body["items"].as_array().unwrap().iter();
        listed.extend(
            items.map(|item| (item["id"].as_str().unwrap().to_owned(), item["version"].as_i64().unwrap())),
        );
        match page.body["next_cursor"].as_str() {
            Some(cursor) => path = format!("{ENTERPRISES}?page_size=200&cursor={cursor}"),
            None => return listed,
        }
    }
}
