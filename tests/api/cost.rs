//! What a request may take: while one caller asks for too much, others are served, memory stays within a
//! bound, and all is given back.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::{io::AsyncReadExt, net::TcpStream};

use crate::{
    on_both,
    process::Server,
    raw,
    support::{Answer, Backend, Client, Scratch, Service},
};

on_both!(a_problem_is_small_whatever_it_refuses);

/// What a process may need above what it needs in peace.
pub const MORE_MEMORY: u64 = 64 * 1024 * 1024;
/// A read as everybody does it.
const ORDINARY: &str = "/api/v1/clusters?page_size=10";

/// Has somebody attack a server of its own, on each database, with these variables.
pub async fn attacked(variables: &[(&str, &str)], attack: impl AsyncFn(&Server, &Client)) {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let Some(scratch) = Scratch::copy(backend).await else { continue };
        let server = Server::serve(&scratch.url, variables).await;
        let (attacker, reader) =
            (server.client().login("lorestan").await, server.client().login("isipo").await);
        for _ in 0..3 {
            assert_eq!(reader.get(ORDINARY).await.status, 200);
        }
        let (before, mut peak, mut reads) = (server.memory(), 0, 0);
        let reading = async {
            loop {
                let answer = reader.get(ORDINARY).await;
                assert_eq!(answer.status, 200, "an ordinary read: {}", answer.text);
                (peak, reads) = (peak.max(server.memory()), reads + 1);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            () = attack(&server, &attacker) => {}
            () = reading => {}
        }
        peak = peak.max(server.memory());
        assert!(reads > 0, "{backend:?}: nobody else was served");
        assert!(peak <= before + MORE_MEMORY, "{backend:?}: from {before} to {peak} bytes");
        eprintln!("{backend:?}: {reads} reads, from {} to {} MiB", before >> 20, peak >> 20);
        assert_eq!(reader.get(ORDINARY).await.status, 200);
        server.kill();
        scratch.remove().await;
    }
}

/// Whether the service has answered yet, and the status of its answer.
pub async fn answered(stream: &mut TcpStream, patience: Duration) -> Option<u16> {
    let mut bytes = [0; 12];
    tokio::time::timeout(patience, stream.read_exact(&mut bytes)).await.ok()?.ok()?;
    std::str::from_utf8(&bytes[9..]).ok()?.parse().ok()
}

fn nuls(bytes: usize) -> String {
    let pairs = (0..).map(|n| format!("{n}=%00&"));
    let mut form = String::new();
    for pair in pairs {
        if form.len() + pair.len() > bytes {
            break;
        }
        form.push_str(&pair);
    }
    form
}

fn check_that_it_is_small(refused: &Answer, what: &str) {
    assert!((400..500).contains(&refused.status), "{what}: {} {:.500}", refused.status, refused.text);
    assert!(refused.text.len() <= 32 * 1024, "{what}: {} bytes", refused.text.len());
    let errors = refused.body["errors"].as_array().map_or(0, Vec::len);
    assert!(errors <= 100, "{what}: {errors} errors");
}

async fn a_problem_is_small_whatever_it_refuses(service: &Service) {
    let (nobody, lorestan) = (service.anonymous(), service.login("lorestan").await);
    let form = |client: &Client, bytes| {
        let request = client
            .request(Method::POST, "/api/v1/auth/token")
            .header("content-type", "application/x-www-form-urlencoded");
        request.body(nuls(bytes))
    };
    for language in ["fa", "en"] {
        let refused = nobody.send(form(&nobody, 16_000).header("accept-language", language)).await;
        check_that_it_is_small(&refused, "a form");
        assert!(refused.body["errors"].as_array().unwrap().len() > 50);
    }
    assert_eq!(
        raw::send(&nobody, "POST", "/api/v1/auth/token", &[FORM, ("content-length", "16385")], b"")
            .await
            .status,
        413
    );
    let long = "x".repeat(900_000);
    let many: Value =
        (0..60_000).map(|n| (format!("~{n}\u{1}"), json!("\0"))).collect::<serde_json::Map<_, _>>().into();
    for (what, body) in [
        ("unknown fields with NUL", many),
        ("items of another type", json!({"province": "IR-15", "name_fa": "سنگ", "isic": vec![1; 400_000]})),
        ("a long name of a field", json!({ &long: 1 })),
        ("a long value", json!({"province": &long, "name_fa": [&long], "isic": [{"code": &long}]})),
        ("wrong items in each item", json!({"isic": vec![json!({"code": 1, "x": 1, "y": 2}); 30_000]})),
    ] {
        check_that_it_is_small(&lorestan.post("/api/v1/clusters", body).await, what);
    }
    for query in [
        nuls(50_000),
        "a=1&".repeat(10_000),
        format!("{}=1", "y".repeat(50_000)),
        format!("province={}", "q,".repeat(20_000)),
    ] {
        let what = format!("a query {query:.20}");
        check_that_it_is_small(
            &raw::send(&lorestan, "GET", &format!("/api/v1/clusters?{query}"), &[], b"").await,
            &what,
        );
    }
    let columns = (0..9_000).map(|n| format!("c{n}")).collect::<Vec<_>>().join(",");
    let import = lorestan
        .request(Method::POST, "/api/v1/imports?resource=clusters&system=erp&mode=validate")
        .header("content-type", "text/csv");
    let refused = lorestan.send(import.body(format!("{columns}\n1\n"))).await;
    check_that_it_is_small(&refused, "headings");
    assert_eq!(refused.body["errors"].as_array().unwrap().len(), 100);
    let path = format!("/api/v1/clusters/{}", "z".repeat(60_000));
    let refused = raw::try_send(&lorestan, "GET", &path, &[], b"").await.unwrap();
    check_that_it_is_small(&refused, "a path");
}

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

#[actix_web::test]
async fn sixteen_who_are_refused_hold_nobody_up() {
    attacked(&[], async |server, attacker| {
        let form = nuls(1024 * 1024).into_bytes();
        let body =
            json!({"province": "IR-15", "name_fa": "سنگ", "isic": vec![1; 500_000]}).to_string().into_bytes();
        let nobody = server.client();
        let refusals = (0..16).map(async |_| {
            for _ in 0..3 {
                // The server may close the connection before it has read everything.
                raw::try_send(&nobody, "POST", "/api/v1/auth/token", &[FORM], &form).await;
                let refused = raw::try_send(
                    attacker,
                    "POST",
                    "/api/v1/clusters",
                    &[("content-type", "application/json")],
                    &body,
                )
                .await;
                assert!(refused.is_none_or(|refused| [422, 429].contains(&refused.status)));
            }
        });
        futures_util::future::join_all(refusals).await;
    })
    .await;
}

#[actix_web::test]
async fn unfinished_uploads_of_an_account_are_bounded() {
    const IMPORT: &str = "/api/v1/imports?resource=clusters&system=erp&mode=validate";
    let patience = Duration::from_secs(2);
    attacked(&[], async |_, attacker| {
        let part = vec![b'x'; 4 * 1024 * 1024];
        let csv = ("content-type", "text/csv");
        for (length, most) in [(("content-length", "60000000"), 2), (("transfer-encoding", "chunked"), 8)] {
            let body = if most == 2 { part.clone() } else { [b"400000\r\n", &part[..], b"\r\n"].concat() };
            let opened = (0..25).map(async |_| {
                let mut stream = raw::open(attacker, "POST", IMPORT, &[csv, length], &body).await;
                let status = answered(&mut stream, patience).await;
                (stream, status)
            });
            let opened = futures_util::future::join_all(opened).await;
            let waiting = opened.iter().filter(|(_, status)| status.is_none()).count();
            let refused = opened.iter().filter(|(_, status)| *status == Some(429)).count();
            assert_eq!((waiting, refused), (most, 25 - most), "{length:?}");
            drop(opened);
            // What they held is given back as soon as they are gone.
            let next = crate::resilience::until(async || {
                let request = attacker
                    .request(Method::POST, IMPORT)
                    .header("content-type", "text/csv")
                    .body("key,name_fa,province,isic\n");
                Some(attacker.send(request).await).filter(|answer| answer.status != 429)
            });
            assert_eq!(next.await.status, 201);
        }
    })
    .await;
}
