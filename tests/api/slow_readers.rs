//! Clients that read slowly, or not at all: they hold no connection to the database, little memory, and are
//! disconnected.

use std::time::{Duration, Instant};

use khoosheh::store::connection;
use reqwest::Method;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    attachments::{self, attachment, send},
    cost::{answered, attacked},
    process::Server,
    raw,
    resilience::until,
    support::{Backend, Client, Scratch},
};

const REPORT: &str = "/api/v1/reports/identified-clusters";

/// Makes many clusters of the few that the demonstration has, past the service.
async fn multiply_clusters(server: &Server, by: usize) {
    let db = connection::connect(&server.database_url.parse().unwrap(), 1).await.unwrap().unguarded();
    let backend = db.get_database_backend();
    let one = db
        .query_one_raw(Statement::from_string(backend, "SELECT * FROM cluster LIMIT 1"))
        .await
        .unwrap()
        .unwrap();
    let id = if backend == DbBackend::Sqlite { "randomblob(16)" } else { "gen_random_uuid()" };
    let columns = one.column_names();
    let values: Vec<String> = columns
        .iter()
        .map(|column| match column.as_str() {
            "id" => id.to_owned(),
            "code" | "name_key" => format!("c.{column} || '-' || n.n"),
            column => format!("c.{column}"),
        })
        .collect();
    let numbers = format!("WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {by})");
    let (columns, values) = (columns.join(", "), values.join(", "));
    db.execute_unprepared(&format!(
        "INSERT INTO cluster ({columns}) {numbers} SELECT {values} FROM cluster c, n"
    ))
    .await
    .unwrap();
    db.close().await.unwrap();
}

/// The transactions of PostgreSQL that wait for a client; none are known of SQLite.
async fn idle_transactions(server: &Server) -> i64 {
    let db = connection::connect(&server.database_url.parse().unwrap(), 1).await.unwrap().unguarded();
    if db.get_database_backend() == DbBackend::Sqlite {
        return 0;
    }
    let sql = "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction' \
               AND state_change < now() - interval '1 second'";
    let row = db.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await.unwrap().unwrap();
    row.try_get("", "n").unwrap()
}

async fn asked(client: &Client, target: &str, many: usize) -> Vec<TcpStream> {
    futures_util::future::join_all((0..many).map(|_| raw::open(client, "GET", target, &[], b""))).await
}

/// Reads what is left after the status; whether it is a whole answer.
async fn is_whole(mut stream: TcpStream) -> bool {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut bytes))
        .await
        .expect("an end of the connection");
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&bytes[..end]);
    let length = head.split("\r\n").find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    read.is_ok() && bytes.len() - end - 4 == length.parse::<usize>().unwrap()
}

#[actix_web::test]
async fn who_does_not_read_a_report_holds_nothing_and_is_disconnected() {
    let variables = [
        ("KHOOSHEH_READER_TIMEOUT_SECONDS", "3"),
        ("KHOOSHEH_CONNECTIONS_PER_WORKER", "2"),
        ("KHOOSHEH_REQUEST_TIMEOUT_SECONDS", "11"),
    ];
    attacked(&variables, async |server, attacker| {
        multiply_clusters(server, 500).await;
        let report = attacker.get(&format!("{REPORT}?format=csv")).await;
        assert!(report.status == 200 && report.text.len() > 800_000, "{} bytes", report.text.len());
        let sockets = server.sockets();
        // Long polls are quiet for longer than a reader may be slow.
        let cursor = attacker.get("/api/v1/changes?snapshot=true&page_size=200").await;
        let poll = format!("/api/v1/changes?wait=6&since={}", cursor.body["next_cursor"].as_str().unwrap());
        let quiet = attacker.get(&poll);
        let absent = async {
            let mut streams = Vec::new();
            // One after the other: what they cost while they are made is not what this is about.
            for _ in 0..8 {
                let mut stream = asked(attacker, &format!("{REPORT}?format=csv"), 1).await.remove(0);
                assert_eq!(answered(&mut stream, Duration::from_secs(20)).await, Some(200));
                streams.push(stream);
            }
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            assert_eq!(idle_transactions(server).await, 0, "no transaction waits for a reader");
            assert_eq!(attacker.get(&format!("{REPORT}?format=csv")).await.text.len(), report.text.len());
            let begun = Instant::now();
            until(async || Some(()).filter(|()| server.sockets() <= sockets + 2)).await;
            assert!(begun.elapsed() < Duration::from_secs(10), "they are disconnected");
            let mut whole = 0;
            for stream in streams {
                whole += usize::from(is_whole(stream).await);
            }
            assert!(whole <= 2, "{whole} of them were not disconnected");
        };
        let (quiet, ()) = tokio::join!(quiet, absent);
        assert_eq!(quiet.status, 200);
    })
    .await;
}

#[actix_web::test]
async fn unread_answers_take_little_memory_and_few_connections() {
    let variables = [
        ("KHOOSHEH_CONNECTIONS_PER_ADDRESS", "300"),
        ("KHOOSHEH_UNREAD_BYTES_PER_ADDRESS", "4000000"),
        ("KHOOSHEH_READER_TIMEOUT_SECONDS", "3"),
    ];
    attacked(&variables, async |server, attacker| {
        let sockets = server.sockets();
        for target in ["/openapi.json", "/docs/swagger-ui-bundle.js"] {
            let mut streams = asked(&server.client(), target, 500).await;
            let served = futures_util::future::join_all(
                streams.iter_mut().map(|stream| answered(stream, Duration::from_secs(10))),
            )
            .await;
            let (whole, closed) = (
                served.iter().filter(|status| **status == Some(200)).count(),
                served.iter().filter(|status| status.is_none()).count(),
            );
            assert!(
                (200..=300).contains(&whole) && closed >= 200,
                "{target}: {whole} were served, {closed} were not"
            );
            drop(streams);
            until(async || Some(()).filter(|()| server.sockets() <= sockets + 20)).await;
        }
        let file = [&b"%PDF-1.7\n"[..], &vec![b'x'; 1_000_000]].concat();
        let announced = attachment(attacker, &file, json!({})).await;
        assert_eq!(send(attacker, &announced, &file).await.status, 200);
        let content = format!("{}/content", attachments::path(&announced));
        let mut streams = asked(attacker, &content, 60).await;
        let served = futures_util::future::join_all(
            streams.iter_mut().map(|stream| answered(stream, Duration::from_secs(20))),
        )
        .await;
        assert!(served.contains(&Some(200)) && served.contains(&Some(429)), "{served:?}");
        drop(streams);
        let again = until(async || {
            let answer = attacker.request(Method::GET, &content).send().await.unwrap();
            Some(answer).filter(|answer| answer.status() == 200)
        });
        assert_eq!(again.await.bytes().await.unwrap(), file);
    })
    .await;
}

/// However connections end, each gives its place back: of four that an address has, a hundred come and go.
#[actix_web::test]
async fn connections_give_their_places_back() {
    let scratch = Scratch::copy(Backend::Sqlite).await.unwrap();
    let variables = [
        ("KHOOSHEH_CONNECTIONS_PER_ADDRESS", "4"),
        ("KHOOSHEH_READER_TIMEOUT_SECONDS", "1"),
        ("KHOOSHEH_BODY_TIMEOUT_SECONDS", "1"),
        ("KHOOSHEH_UNREAD_BYTES_PER_ADDRESS", "0"),
    ];
    let server = Server::serve(&scratch.url, &variables).await;
    let client = server.client();
    let open = async |head: &str| {
        let mut stream = TcpStream::connect(server.address.trim_start_matches("http://")).await.unwrap();
        let _ = stream.write_all(head.as_bytes()).await;
        stream
    };
    const WHOLE: &str = "GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n";
    const LONG: &str = "GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n";
    let served = async || {
        // A pool of its own: no connection of before is used again.
        let request = reqwest::Client::new()
            .get(format!("{}/health/live", client.address))
            .header("connection", "close");
        request.send().await.ok().filter(|answer| answer.status() == 200).map(|_| ())
    };
    for (way, head) in [
        ("read and closed", WHOLE),
        ("reset", LONG),
        ("closed on one side", LONG),
        ("not HTTP", "nonsense\r\n\r\n"),
        ("silent", ""),
        ("unread", LONG),
    ] {
        for _ in 0..3 {
            let mut streams = Vec::new();
            for _ in 0..4 {
                streams.push(open(head).await);
            }
            for stream in &mut streams {
                match way {
                    "read and closed" => {
                        assert_eq!(answered(stream, Duration::from_secs(5)).await, Some(200))
                    }
                    "reset" => stream.set_zero_linger().unwrap(),
                    "closed on one side" => stream.shutdown().await.unwrap(),
                    // The service ends it by itself.
                    "not HTTP" | "silent" | "unread" => {}
                    way => panic!("{way}"),
                }
            }
            if matches!(way, "not HTTP" | "silent" | "unread") {
                until(&served).await;
            }
            drop(streams);
            until(&served).await;
        }
    }
    let places: Vec<_> = [open(WHOLE).await, open(WHOLE).await, open(WHOLE).await, open(WHOLE).await].into();
    for mut stream in places {
        assert_eq!(
            answered(&mut stream, Duration::from_secs(5)).await,
            Some(200),
            "all four places are there again"
        );
    }
    server.kill();
    scratch.remove().await;
}
