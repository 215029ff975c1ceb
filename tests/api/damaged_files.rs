//! Stored files that somebody has changed, cut or removed: never given, and named by `verify`.

use std::path::{Path, PathBuf};

use reqwest::Method;
use serde_json::json;

use crate::{
    attachments::{ATTACHMENTS, sha256},
    on_both,
    process::{Outcome, Server, run},
    projects::{made, stone},
    support::{Answer, Backend, Client, Scratch, Service},
};

on_both!(a_file_that_was_tampered_with_is_never_sent, verify_names_the_first_file_that_is_damaged);

/// A file that is announced and sent.
async fn stored(client: &Client, bytes: &[u8]) -> Answer {
    let project = stone(client).await;
    let input = json!({
        "subject_kind": "project", "subject_id": project.rsplit('/').next().unwrap(), "kind": "minutes", "title_fa": "صورت‌جلسه",
        "file_name": "1.txt", "media_type": "text/plain", "sha256": sha256(bytes), "size_bytes": bytes.len(),
    });
    let created = made(client, ATTACHMENTS, input).await;
    let request = client
        .request(Method::PUT, &format!("{}/content", created.header("location")))
        .header("content-type", "text/plain");
    let sent = client.send(request.body(bytes.to_vec())).await;
    assert_eq!((sent.status, &sent.body["is_complete"]), (200, &json!(true)), "{}", sent.text);
    created
}

/// One that is read at once, and one that is read in parts.
fn contents() -> [Vec<u8>; 2] {
    ["کوتاه ".repeat(10), "بلند ".repeat(300_000)].map(String::into_bytes)
}

fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 1;
    bytes
}

/// What was done to a file, as `verify` says it, and whether a HEAD can tell.
fn damages(bytes: &[u8]) -> Vec<(Option<Vec<u8>>, String, bool)> {
    let size = bytes.len();
    let changed = "its SHA-256 is not the one that was recorded".to_owned();
    vec![
        (None, "it is missing".to_owned(), true),
        (Some(bytes[..size - 1].to_vec()), format!("it has {} bytes and not {size}", size - 1), true),
        (Some(Vec::new()), format!("it has 0 bytes and not {size}"), true),
        (Some([bytes, b"!"].concat()), format!("it has {} bytes and not {size}", size + 1), true),
        (Some(flipped(bytes, 0)), changed.clone(), false),
        (Some(flipped(bytes, size - 1)), changed, false),
    ]
}

fn put(path: &Path, content: &Option<Vec<u8>>) {
    match content {
        Some(content) => std::fs::write(path, content).unwrap(),
        None => std::fs::remove_file(path).unwrap(),
    }
}

async fn a_file_that_was_tampered_with_is_never_sent(service: &Service) {
    let lorestan = service.login("lorestan").await;
    for bytes in contents() {
        let created = stored(&lorestan, &bytes).await;
        let (content, file) =
            (format!("{}/content", created.header("location")), service.files().join(sha256(&bytes)));
        for (damage, what, is_seen) in damages(&bytes) {
            put(&file, &damage);
            let refused = lorestan.get(&content).await;
            assert_eq!(
                (refused.status, refused.code(), refused.etag()),
                (500, "file_damaged", ""),
                "{what}: {}",
                refused.text
            );
            assert!(!refused.text.contains(service.files().to_str().unwrap()), "{}", refused.text);
            let head = lorestan.request(Method::HEAD, &content).send().await.unwrap();
            assert_eq!(head.status().as_u16(), if is_seen { 500 } else { 200 }, "{what}");
            let known = lorestan
                .request(Method::GET, &content)
                .header("if-none-match", format!("\"{}\"", sha256(&bytes)))
                .send()
                .await
                .unwrap();
            assert_eq!(known.status(), 304, "the caller has it already");
            put(&file, &Some(bytes.clone()));
        }
        let whole = lorestan.request(Method::GET, &content).send().await.unwrap();
        assert!(whole.status() == 200 && whole.bytes().await.unwrap() == bytes);
        let head = lorestan.request(Method::HEAD, &content).send().await.unwrap();
        assert_eq!(
            (head.status().as_u16(), head.headers()["content-length"].to_str().unwrap()),
            (200, bytes.len().to_string().as_str())
        );
    }
}

async fn verify(service: &Service, folder: PathBuf, arguments: &[&str]) -> Outcome {
    let url = format!("file://{}", folder.display());
    let variables = [("DATABASE_URL", service.database_url()), ("KHOOSHEH_ATTACHMENTS_URL", url.as_str())];
    run(&[&["verify"], arguments].concat(), &variables, "").await
}

async fn verify_names_the_first_file_that_is_damaged(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let [short, long] = contents();
    let (first, second) = (stored(&lorestan, &short).await, stored(&lorestan, &long).await);
    // The same file again, a deleted attachment, one that was only announced, and a file of nobody.
    stored(&lorestan, &long).await;
    assert_eq!(lorestan.delete(second.header("location"), "*").await.status, 204);
    std::fs::write(service.files().join("0".repeat(64)), "nobody's").unwrap();
    let whole = verify(service, service.files(), &[]).await;
    let expected =
        format!("\nthe files are whole: those of 3 attachments, {} bytes\nroot: ", short.len() + long.len());
    assert!(whole.code == 0 && whole.stdout.contains(&expected), "{}{}", whole.stdout, whole.stderr);
    for (attachment, bytes) in [(&first, &short), (&second, &long)] {
        let file = service.files().join(sha256(bytes));
        for (damage, what, _) in damages(bytes) {
            put(&file, &damage);
            let named = format!(
                "khoosheh: the files are damaged at attachment {}, file {}: {what}\n",
                attachment.id(),
                sha256(bytes)
            );
            let outcome = verify(service, service.files(), &[]).await;
            assert_eq!((outcome.code, outcome.stderr), (1, named));
            put(&file, &Some(bytes.clone()));
        }
    }
    std::fs::remove_file(service.files().join(sha256(&long))).unwrap();
    let without = verify(service, service.files(), &["--without-files"]).await;
    assert!(without.code == 0 && !without.stdout.contains("files"), "{}{}", without.stdout, without.stderr);
    let elsewhere = verify(service, service.files().join("nowhere"), &[]).await;
    assert!(
        elsewhere.code == 1 && elsewhere.stderr.contains("the files cannot be read: "),
        "{}",
        elsewhere.stderr
    );
    assert!(!service.files().join("nowhere").exists(), "who only reads makes no folder");
}

#[actix_web::test]
async fn a_damaged_file_stands_in_the_log() {
    let scratch = Scratch::copy(Backend::Sqlite).await.unwrap();
    let url = format!("file://{}", scratch.files().display());
    let server = Server::serve(&scratch.url, &[("KHOOSHEH_ATTACHMENTS_URL", &url)]).await;
    let lorestan = server.client().login("lorestan").await;
    let [short, _] = contents();
    let created = stored(&lorestan, &short).await;
    std::fs::write(scratch.files().join(sha256(&short)), flipped(&short, 3)).unwrap();
    let refused = lorestan.get(&format!("{}/content", created.header("location"))).await;
    assert_eq!((refused.status, refused.code()), (500, "file_damaged"));
    let line = crate::resilience::until(async || {
        server.log().lines().find(|line| line.contains("a stored file is damaged")).map(str::to_owned)
    })
    .await;
    assert!(line.contains("ERROR") && line.contains(created.id()), "{line}");
    server.kill();
    scratch.remove().await;
}
