//! Files in a bucket: the real binary with an S3 of the tests' own, which knows what the service asks of one.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, dev::ServerHandle, web};
use reqwest::Method;
use serde_json::json;

use crate::{
    attachments::{ATTACHMENTS, sha256},
    process::{Server, run},
    projects::{made, stone},
    support::{Answer, Backend, Client, Scratch},
};

const KEY: &str = "AKIAKHOOSHEH";
const SECRET: &str = "the-secret-of-the-bucket";

/// What is in the bucket, and what was asked of it.
#[derive(Default)]
struct Kept {
    objects: BTreeMap<String, Vec<u8>>,
    parts: BTreeMap<u32, Vec<u8>>,
    asked: Vec<String>,
    is_away: bool,
}

struct Bucket {
    address: String,
    kept: Arc<Mutex<Kept>>,
    handle: ServerHandle,
}

impl Bucket {
    async fn open() -> Self {
        let kept: Arc<Mutex<Kept>> = Default::default();
        let shared = web::Data::from(kept.clone());
        let app = move || {
            App::new()
                .app_data(shared.clone())
                .app_data(web::PayloadConfig::new(1 << 30))
                .default_service(web::to(answer))
        };
        let server = HttpServer::new(app).workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", server.addrs()[0]);
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { address, kept, handle }
    }

    fn names(&self) -> Vec<String> {
        self.kept.lock().unwrap().objects.keys().cloned().collect()
    }

    /// What was asked since the last time.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.kept.lock().unwrap().asked)
    }
}

/// Signed requests for objects, whole and in parts (Amazon S3 API reference).
async fn answer(request: HttpRequest, body: web::Bytes, kept: web::Data<Mutex<Kept>>) -> HttpResponse {
    let header = |name: &str| request.headers().get(name).map_or("", |value| value.to_str().unwrap());
    let signed = header("authorization");
    let scope = format!("AWS4-HMAC-SHA256 Credential={KEY}/");
    let is_signed = signed.starts_with(&scope)
        && signed.contains("/ir-west/s3/aws4_request")
        && signed.contains("Signature=");
    let hash = header("x-amz-content-sha256");
    if !is_signed || (hash != "UNSIGNED-PAYLOAD" && hash != sha256(&body)) {
        return HttpResponse::Forbidden().body("<Error><Code>SignatureDoesNotMatch</Code></Error>");
    }
    let mut kept = kept.lock().unwrap();
    if kept.is_away {
        return HttpResponse::InternalServerError()
            .body(format!("<Error><Code>InternalError</Code><Message>{SECRET}</Message></Error>"));
    }
    let (name, query) = (request.path().to_owned(), request.query_string());
    kept.asked.push(format!("{} {}", request.method(), query.split('=').next().unwrap()));
    let etag = format!("\"{}\"", &sha256(&body)[..32]);
    match (request.method().as_str(), query) {
        ("POST", "uploads" | "uploads=") => HttpResponse::Ok()
            .body("<InitiateMultipartUploadResult><Bucket>b</Bucket><Key>k</Key><UploadId>one</UploadId></InitiateMultipartUploadResult>"),
        ("PUT", query) if query.contains("partNumber") => {
            let number = query.split('&').find_map(|pair| pair.strip_prefix("partNumber=")).unwrap().parse().unwrap();
            kept.parts.insert(number, body.to_vec());
            HttpResponse::Ok().insert_header(("etag", etag)).finish()
        }
        ("POST", _) => {
            let whole = std::mem::take(&mut kept.parts).into_values().flatten().collect();
            kept.objects.insert(name, whole);
            HttpResponse::Ok().body("<CompleteMultipartUploadResult><ETag>\"e\"</ETag></CompleteMultipartUploadResult>")
        }
        ("DELETE", _) => {
            kept.parts.clear();
            HttpResponse::NoContent().finish()
        }
        ("PUT", _) => {
            kept.objects.insert(name, body.to_vec());
            HttpResponse::Ok().insert_header(("etag", etag)).finish()
        }
        _ => match kept.objects.get(&name) {
            Some(object) => HttpResponse::Ok()
                .insert_header(("etag", etag))
                .insert_header(("last-modified", "Tue, 24 Nov 2026 08:30:00 GMT"))
                .body(object.clone()),
            None => HttpResponse::NotFound().body("<Error><Code>NoSuchKey</Code></Error>"),
        },
    }
}

/// A JPEG that is announced for the demonstration's project, and its bytes.
async fn announce(client: &Client, size: usize) -> (Answer, Vec<u8>) {
    let bytes: Vec<u8> =
        b"\xff\xd8\xff\xe0".iter().copied().chain((4..size).map(|n| (n % 251) as u8)).collect();
    let project = stone(client).await;
    let input = json!({
        "subject_kind": "project", "subject_id": project.rsplit('/').next().unwrap(), "kind": "photo", "title_fa": "کارگاه", "file_name": "1.jpg",
        "media_type": "image/jpeg", "sha256": sha256(&bytes), "size_bytes": bytes.len(),
    });
    (made(client, ATTACHMENTS, input).await, bytes)
}

async fn put(client: &Client, attachment: &Answer, bytes: &[u8]) -> Answer {
    let request = client.request(Method::PUT, &format!("{}/content", attachment.header("location")));
    client.send(request.header("content-type", "image/jpeg").body(bytes.to_vec())).await
}

#[actix_web::test]
async fn files_are_kept_in_a_bucket() {
    let (scratch, bucket) = (Scratch::copy(Backend::Sqlite).await.unwrap(), Bucket::open().await);
    let variables = [
        ("KHOOSHEH_ATTACHMENTS_URL", "s3://files/khoosheh"),
        ("KHOOSHEH_ATTACHMENTS_ENDPOINT", bucket.address.as_str()),
        ("KHOOSHEH_ATTACHMENTS_REGION", "ir-west"),
        ("AWS_ACCESS_KEY_ID", KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
    ];
    let server = Server::serve(&scratch.url, &variables).await;
    let lorestan = server.client().login("lorestan").await;
    // One that is sent at once, and one that goes in parts of five mebibytes. Before a record refers to one,
    // it is asked for under the lock of its content.
    for (size, asked) in [
        (100_000, vec!["PUT ", "HEAD ", "GET "]),
        (
            11 << 20,
            vec![
                "POST uploads",
                "PUT partNumber",
                "PUT partNumber",
                "PUT partNumber",
                "POST uploadId",
                "HEAD ",
                "GET ",
                "GET ",
            ],
        ),
    ] {
        let (created, bytes) = announce(&lorestan, size).await;
        let sent = put(&lorestan, &created, &bytes).await;
        assert_eq!((sent.status, &sent.body["is_complete"]), (200, &json!(true)), "{}", sent.text);
        assert!(
            bucket.names().contains(&format!("/files/khoosheh/{}", sha256(&bytes))),
            "{:?}",
            bucket.names()
        );
        let content = lorestan
            .request(Method::GET, &format!("{}/content", created.header("location")))
            .send()
            .await
            .unwrap();
        assert!(content.status() == 200 && content.bytes().await.unwrap() == bytes);
        assert_eq!(bucket.asked(), asked);
        assert_eq!(put(&lorestan, &created, &bytes).await.body, sent.body);
        assert_eq!(bucket.asked(), [""; 0], "what is there is not stored again");
    }
    // What somebody has changed, cut or taken away past the service is never given.
    for size in [50_000, 6 << 20] {
        let (created, bytes) = announce(&lorestan, size + 1).await;
        assert_eq!(put(&lorestan, &created, &bytes).await.status, 200);
        let (name, content) = (
            format!("/files/khoosheh/{}", sha256(&bytes)),
            format!("{}/content", created.header("location")),
        );
        let mut changed = bytes.clone();
        changed[size] ^= 1;
        for damage in [Some(changed), Some(bytes[..size].to_vec()), None] {
            bucket.kept.lock().unwrap().objects.remove(&name);
            bucket.kept.lock().unwrap().objects.extend(damage.map(|bytes| (name.clone(), bytes)));
            let refused = lorestan.get(&content).await;
            assert_eq!((refused.status, refused.code()), (500, "file_damaged"), "{}", refused.text);
        }
        bucket.asked();
    }
    let (created, bytes) = announce(&lorestan, 6 << 20).await;
    let mut wrong = bytes.clone();
    wrong[10] ^= 1;
    assert_eq!(put(&lorestan, &created, &wrong).await.errors(), [("", "wrong_sha256")]);
    crate::resilience::until(async || {
        bucket.kept.lock().unwrap().asked.iter().any(|asked| asked.starts_with("DELETE")).then_some(())
    })
    .await;
    assert_eq!(
        (bucket.names().len(), bucket.kept.lock().unwrap().parts.len()),
        (2, 0),
        "nothing is left of it"
    );

    let (created, bytes) = announce(&lorestan, 1_000).await;
    bucket.kept.lock().unwrap().is_away = true;
    let refused = put(&lorestan, &created, &bytes).await;
    assert_eq!((refused.status, refused.code()), (503, "unavailable"), "{}", refused.text);
    assert!(!refused.text.contains(SECRET) && !refused.text.contains(&bucket.address), "{}", refused.text);
    bucket.kept.lock().unwrap().is_away = false;
    assert_eq!(put(&lorestan, &created, &bytes).await.status, 200);

    let variables = [&variables[..], &[("DATABASE_URL", scratch.url.as_str())]].concat();
    let shown = run(&["serve", "--check-config"], &variables, "").await;
    assert!(
        shown.code == 0 && shown.stdout.contains("the bucket s3://files/khoosheh answers"),
        "{}{}",
        shown.stdout,
        shown.stderr
    );
    assert!(
        shown.stdout.contains("s3://files/khoosheh") && !shown.stdout.contains(SECRET),
        "{}",
        shown.stdout
    );
    server.kill();
    bucket.handle.stop(false).await;
    scratch.remove().await;
}
