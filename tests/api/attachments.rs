//! Attachments: announced, sent, downloaded, and kept from those whom they do not concern.

use std::{collections::BTreeSet, time::Duration};

use futures_util::StreamExt;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use crate::{
    decisions::{DECISIONS, decision},
    measurements::{MEASUREMENTS, measurement},
    milestones::milestone,
    on_both,
    projects::{made, project, stone},
    raw,
    resilience::until,
    support::{Answer, Client, Service},
};

on_both!(
    a_file_is_announced_sent_and_downloaded,
    sending_again_changes_nothing,
    what_is_not_announced_is_refused,
    a_file_is_what_its_bytes_say,
    files_have_a_limit,
    what_is_complete_stays_what_it_is,
    an_announcement_may_be_corrected_until_the_file_comes,
    a_download_is_never_shown_or_compressed,
    everything_has_its_place,
    attachments_are_found,
    what_has_attachments_stays,
    cdas_attach_to_their_own_projects,
    a_broken_upload_leaves_nothing,
    a_slow_upload_is_no_fault_and_a_silent_one_is,
    a_store_that_fails_says_so_without_its_paths,
);

pub const ATTACHMENTS: &str = "/api/v1/attachments";
const PDF: &[u8] = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF\n";

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What announces a PDF of these bytes, attached to a record; `more` adds to it.
fn announced(subject: (&str, &str), bytes: &[u8], more: Value) -> Value {
    let ending = match more["media_type"].as_str() {
        Some("image/png") => "png",
        Some("image/jpeg") => "jpg",
        Some("text/plain") => "txt",
        Some("text/csv") => "csv",
        Some(media_type) if media_type.ends_with("wordprocessingml.document") => "docx",
        _ => "pdf",
    };
    let mut input = json!({
        "subject_kind": subject.0, "subject_id": subject.1, "kind": "evidence", "title_fa": "گزارش آزمایشگاه",
        "file_name": format!("گزارش ۱.{ending}"), "media_type": "application/pdf", "sha256": sha256(bytes), "size_bytes": bytes.len(),
    });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

/// A PDF that is announced for the demonstration's project.
pub async fn attachment(client: &Client, bytes: &[u8], more: Value) -> Answer {
    let project = stone(client).await;
    made(client, ATTACHMENTS, announced(("project", project.rsplit('/').next().unwrap()), bytes, more)).await
}

pub async fn send(client: &Client, attachment: &Answer, bytes: &[u8]) -> Answer {
    send_as(client, attachment, attachment.body["media_type"].as_str().unwrap(), bytes).await
}

async fn send_as(client: &Client, attachment: &Answer, media_type: &str, bytes: &[u8]) -> Answer {
    let request = client.request(Method::PUT, &format!("{}/content", path(attachment)));
    client.send(request.header("content-type", media_type).body(bytes.to_vec())).await
}

pub fn path(attachment: &Answer) -> String {
    format!("{ATTACHMENTS}/{}", attachment.id())
}

/// The answer to a download, and its bytes.
async fn download(client: &Client, attachment: &Answer) -> (StatusCode, reqwest::header::HeaderMap, Vec<u8>) {
    let answer = client.request(Method::GET, &format!("{}/content", path(attachment))).send().await.unwrap();
    (answer.status(), answer.headers().clone(), answer.bytes().await.unwrap().to_vec())
}

/// The names of the files that are stored.
fn stored(service: &Service) -> Vec<String> {
    let files = std::fs::read_dir(service.files()).unwrap();
    files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

async fn a_file_is_announced_sent_and_downloaded(service: &Service) {
    let lorestan = service.login("lorestan").await;
    // More than is written at once, and than passes a socket at once.
    let bytes = [PDF, &vec![7; 3 * 1024 * 1024 + 17]].concat();
    let created = attachment(&lorestan, &bytes, json!({"note": "نوبت دوم"})).await;
    let expected = json!({
        "subject_kind": "project", "province": "IR-15", "is_complete": false, "received_at": null, "decision_id": null, "note": "نوبت دوم",
        "kind": "evidence", "title_fa": "گزارش آزمایشگاه", "file_name": "گزارش ۱.pdf", "media_type": "application/pdf", "version": 1,
        "sha256": sha256(&bytes), "size_bytes": bytes.len(), "project_id": created.body["subject_id"],
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&created.body[field], value, "{field}");
    }
    let early = lorestan.get(&format!("{}/content", path(&created))).await;
    assert_eq!((early.status, early.code()), (404, "not_found"));
    assert!(early.body["detail"].as_str().unwrap().contains("not come yet"), "{}", early.text);

    let sent = send(&lorestan, &created, &bytes).await;
    assert_eq!(
        (sent.status, &sent.body["is_complete"], &sent.body["version"]),
        (200, &json!(true), &json!(2)),
        "{}",
        sent.text
    );
    assert_eq!(sent.body["received_at"], sent.body["updated_at"]);
    assert_eq!((lorestan.get(&path(&created)).await.body, sent.etag()), (sent.body.clone(), "\"2\""));
    assert_eq!(stored(service), [sha256(&bytes)]);

    let (status, headers, content) = download(&lorestan, &created).await;
    assert!(status == 200 && content == bytes, "every byte comes back");
    assert_eq!(headers["content-length"], bytes.len().to_string().as_str());
    assert_eq!(headers["content-type"], "application/pdf");
    let history = lorestan.get(&format!("{}/history", path(&created))).await;
    assert_eq!(history.items("kind"), ["created", "updated"]);
    let told = history.body["items"][1]["changes"].as_array().unwrap();
    let fields: BTreeSet<&str> = told.iter().map(|change| change["field"].as_str().unwrap()).collect();
    assert_eq!(fields, BTreeSet::from(["is_complete", "received_at"]));

    assert_eq!(lorestan.delete(&path(&created), sent.etag()).await.status, 204);
    assert_eq!(download(&lorestan, &created).await.0, 404);
    assert_eq!(send(&lorestan, &created, &bytes).await.status, 404);
    assert_eq!(stored(service).len(), 1, "the file itself is kept");
}

async fn sending_again_changes_nothing(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let created = attachment(&lorestan, PDF, json!({})).await;
    let first = send(&lorestan, &created, PDF).await;
    let file = service.files().join(sha256(PDF));
    let written = std::fs::metadata(&file).unwrap().modified().unwrap();
    let again = send(&lorestan, &created, PDF).await;
    assert_eq!((again.status, &again.body, again.etag()), (200, &first.body, first.etag()));
    assert_eq!(send(&lorestan, &created, b"%PDF-something else").await.status, 422);
    assert_eq!(std::fs::metadata(&file).unwrap().modified().unwrap(), written);
    assert_eq!(
        lorestan.get(&format!("{}/history", path(&created))).await.items("kind"),
        ["created", "updated"]
    );

    // The same content for another record is one file, which has to be sent nevertheless: to know a hash
    // opens nothing.
    let other = attachment(&lorestan, PDF, json!({})).await;
    assert_eq!(download(&lorestan, &other).await.0, 404);
    assert_eq!(send(&lorestan, &other, PDF).await.body["is_complete"], true);
    assert_eq!(stored(service).len(), 1);

    // Many at once: one of them is written down.
    let third = attachment(&lorestan, b"%PDF-1.4", json!({})).await;
    let answers = futures_util::future::join_all((0..6).map(|_| send(&lorestan, &third, b"%PDF-1.4"))).await;
    assert!(
        answers.iter().all(|answer| answer.status == 200 && answer.body == answers[0].body),
        "{answers:?}"
    );
    assert_eq!(answers[0].body["version"], 2);
    assert_eq!(stored(service).len(), 2);
}

async fn what_is_not_announced_is_refused(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let created = attachment(&lorestan, PDF, json!({})).await;
    let mut other = PDF.to_vec();
    other[20] ^= 1;
    for (bytes, expected) in [
        (&PDF[..PDF.len() - 1], (422, vec![("", "wrong_size")])),
        (&other, (422, vec![("", "wrong_sha256")])),
        (b"", (422, vec![("", "wrong_size"), ("", "wrong_type_of_content")])),
        (&[PDF, b"1"].concat(), (413, vec![])),
        (&vec![7; 2_000_000], (413, vec![])),
    ] {
        let refused = send(&lorestan, &created, bytes).await;
        assert_eq!((refused.status, refused.errors()), expected, "{}", refused.text);
    }
    let chunks = futures_util::stream::iter([PDF, b"1"]).map(Ok::<_, std::io::Error>);
    let unannounced = lorestan
        .request(Method::PUT, &format!("{}/content", path(&created)))
        .header("content-type", "application/pdf");
    assert_eq!(
        lorestan.send(unannounced.body(reqwest::Body::wrap_stream(chunks))).await.code(),
        "payload_too_large"
    );
    for media_type in ["image/png", "application/json", "application/octet-stream"] {
        let refused = send_as(&lorestan, &created, media_type, PDF).await;
        assert_eq!((refused.status, refused.code()), (415, "unsupported_media_type"), "{media_type}");
    }
    assert_eq!(send_as(&lorestan, &created, "image/png", PDF).await.header("accept"), "application/pdf");
    assert_eq!(lorestan.get(&path(&created)).await.body, created.body, "nothing was changed");
    assert_eq!(stored(service), [""; 0]);
    assert_eq!(send_as(&lorestan, &created, "Application/PDF; version=1.7", PDF).await.status, 200);
}

async fn a_file_is_what_its_bytes_say(service: &Service) {
    let lorestan = service.login("lorestan").await;
    const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    for (media_type, bytes, is_so) in [
        ("image/png", &png[..], true),
        ("image/jpeg", png, false),
        ("text/plain", png, false),
        ("text/plain", "متن ساده".as_bytes(), true),
        ("text/csv", "سال,شاغل\n۱۳۹۲,۱۲\n".as_bytes(), true),
        ("text/csv", b"caf\xe9,1\n", false),
        ("text/plain", b"<html><script>alert(1)</script></html>", false),
        ("application/pdf", b"MZ\x90\0\x03", false),
        (DOCX, b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x08\0\0\0mimetype", false),
    ] {
        let created = attachment(&lorestan, bytes, json!({"media_type": media_type})).await;
        let sent = send(&lorestan, &created, bytes).await;
        if is_so {
            assert_eq!(sent.status, 200, "{media_type}: {}", sent.text);
            assert_eq!(download(&lorestan, &created).await.1["content-type"], media_type);
        } else {
            assert_eq!(
                (sent.status, sent.errors()),
                (422, vec![("", "wrong_type_of_content")]),
                "{media_type}: {}",
                sent.text
            );
        }
    }
}

async fn files_have_a_limit(service: &Service) {
    let (running, small) = service.beside(|config| config.attachment_limit = 2_048).await;
    let lorestan = small.login("lorestan").await;
    let within = attachment(&lorestan, &[PDF, &vec![7; 1_000]].concat(), json!({})).await;
    let bytes = [PDF, &vec![7; 4_000]].concat();
    let subject = ("project", within.body["subject_id"].as_str().unwrap());
    let too_large = (422, vec![("/size_bytes", "too_large")]);
    for refused in [
        lorestan.post(ATTACHMENTS, announced(subject, &bytes, json!({}))).await,
        lorestan.put(&format!("{ATTACHMENTS}/by-ref/erp/1"), announced(subject, &bytes, json!({}))).await,
        lorestan.patch(&path(&within), "*", json!({"size_bytes": 2_049})).await,
        lorestan.patch(&path(&within), "*", json!({"size_bytes": 5_368_709_121_i64})).await,
    ] {
        assert_eq!((refused.status, refused.errors()), too_large, "{}", refused.text);
    }
    // What was announced to an instance with a higher limit.
    let created = attachment(&service.login("lorestan").await, &bytes, json!({})).await;
    let refused = send(&lorestan, &created, &bytes).await;
    assert_eq!((refused.status, refused.code()), (413, "payload_too_large"), "{}", refused.text);
    assert_eq!(send(&service.login("lorestan").await, &created, &bytes).await.status, 200);
    let titled = lorestan.patch(&path(&created), "*", json!({"title_fa": "گزارش بزرگ"})).await;
    assert_eq!(titled.status, 200, "what is there is there: {}", titled.text);
    running.stop().await;
}

async fn what_is_complete_stays_what_it_is(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let created = attachment(&lorestan, PDF, json!({})).await;
    let sent = send(&lorestan, &created, PDF).await;
    let elsewhere = project(&lorestan, "زیتون", json!({})).await;
    for (patch, pointers) in [
        (json!({"sha256": sha256(b"x"), "size_bytes": 1}), vec!["/sha256", "/size_bytes"]),
        (json!({"media_type": "image/png"}), vec!["/media_type"]),
        (json!({"subject_id": elsewhere.id()}), vec!["/subject_id"]),
        (json!({"subject_kind": "cluster"}), vec!["/subject_kind"]),
    ] {
        let refused = lorestan.patch(&path(&created), "*", patch).await;
        let expected: Vec<_> = pointers.into_iter().map(|pointer| (pointer, "immutable")).collect();
        assert_eq!((refused.status, refused.errors()), (422, expected), "{}", refused.text);
    }
    let patch = json!({"title_fa": "گزارش نهایی", "file_name": "گزارش نهایی.pdf", "kind": "diagnostic_study", "note": "بازبینی شد"});
    let changed = lorestan.patch(&path(&created), sent.etag(), patch).await;
    assert_eq!((changed.status, &changed.body["is_complete"]), (200, &json!(true)), "{}", changed.text);
    assert_eq!(
        (download(&lorestan, &created).await.2.as_slice(), &changed.body["kind"]),
        (PDF, &json!("diagnostic_study"))
    );
}

async fn an_announcement_may_be_corrected_until_the_file_comes(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let created = attachment(&lorestan, b"wrong", json!({"media_type": "image/png"})).await;
    let elsewhere = project(&lorestan, "زیتون", json!({})).await;
    let milestone =
        made(&lorestan, &format!("{}/milestones", elsewhere.header("location")), milestone(json!({}))).await;
    let right = announced(("milestone", milestone.id()), PDF, json!({}));
    let corrected = lorestan.patch(&path(&created), created.etag(), right).await;
    assert_eq!(
        (corrected.status, &corrected.body["project_id"]),
        (200, &json!(elsewhere.id())),
        "{}",
        corrected.text
    );
    assert_eq!(send(&lorestan, &corrected, PDF).await.status, 200);

    // While the file is on its way, others change the record: the title is no matter, the hash is.
    for (patch, status) in
        [(json!({"title_fa": "نو"}), 200), (json!({"sha256": sha256(b"x"), "size_bytes": 1}), 422)]
    {
        let created = attachment(&lorestan, PDF, json!({})).await;
        let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Vec<u8>, std::io::Error>>(1);
        let body = futures_util::stream::unfold(receiver, |mut receiver| async move {
            receiver.recv().await.map(|chunk| (chunk, receiver))
        });
        let request = lorestan
            .request(Method::PUT, &format!("{}/content", path(&created)))
            .header("content-type", "application/pdf");
        let sending = lorestan.send(request.body(reqwest::Body::wrap_stream(body)));
        let meanwhile = async {
            sender.send(Ok(PDF[..9].to_vec())).await.unwrap();
            tokio::time::sleep(Duration::from_millis(200)).await;
            assert_eq!(lorestan.patch(&path(&created), "*", patch).await.status, 200);
            sender.send(Ok(PDF[9..].to_vec())).await.unwrap();
            drop(sender);
        };
        let (sent, ()) = tokio::join!(sending, meanwhile);
        assert_eq!(
            (sent.status, sent.body["version"].as_i64()),
            (status, (status == 200).then_some(3)),
            "{}",
            sent.text
        );
        assert_eq!(lorestan.get(&path(&created)).await.body["is_complete"], status == 200);
    }
}

async fn a_download_is_never_shown_or_compressed(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let text = "بسیار تکراری ".repeat(2_000);
    let created = attachment(
        &lorestan,
        text.as_bytes(),
        json!({"media_type": "text/plain", "file_name": "گزارش \"۱\"; x=1.txt"}),
    )
    .await;
    assert_eq!(send(&lorestan, &created, text.as_bytes()).await.status, 200);
    let content = format!("{}/content", path(&created));
    let get = |name: &'static str, value: String| {
        lorestan.request(Method::GET, &content).header(name, value).send()
    };
    let answer = get("accept-encoding", "gzip, br, zstd".to_owned()).await.unwrap();
    let header = |name: &str| answer.headers().get(name).map_or("", |value| value.to_str().unwrap());
    let etag = format!("\"{}\"", sha256(text.as_bytes()));
    for (name, value) in [
        ("content-encoding", ""),
        ("content-length", text.len().to_string().as_str()),
        (
            "content-disposition",
            "attachment; filename*=UTF-8''%DA%AF%D8%B2%D8%A7%D8%B1%D8%B4%20%22%DB%B1%22%3B%20x%3D1.txt",
        ),
        ("content-security-policy", "sandbox; default-src 'none'"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("accept-ranges", "none"),
        ("etag", &etag),
    ] {
        assert_eq!(header(name), value, "{name}");
    }
    assert_eq!(answer.text().await.unwrap(), text);
    for (tag, status) in [
        (etag.clone(), 304),
        (format!("W/{etag}, \"x\""), 304),
        ("*".to_owned(), 304),
        ("\"2\"".to_owned(), 200),
    ] {
        let answer = get("if-none-match", tag).await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), answer.headers()["etag"].to_str().unwrap()),
            (status, etag.as_str())
        );
    }
    for (accept, status) in [
        ("image/*", 200),
        ("text/plain", 200),
        ("*/*", 200),
        ("application/problem+json", 200),
        ("audio/ogg", 406),
    ] {
        assert_eq!(get("accept", accept.to_owned()).await.unwrap().status().as_u16(), status, "{accept}");
    }
    let head = lorestan.request(Method::HEAD, &content).send().await.unwrap();
    assert_eq!(
        (head.status().as_u16(), head.headers()["content-length"].to_str().unwrap()),
        (200, text.len().to_string().as_str())
    );
    assert_eq!(head.text().await.unwrap(), "");
}

async fn everything_has_its_place(service: &Service) {
    let (lorestan, kerman, isipo) =
        (service.login("lorestan").await, service.login("kerman").await, service.login("isipo").await);
    let cluster = lorestan.cluster_named("زیتون").await;
    let project = project(&lorestan, "زیتون", json!({})).await;
    let milestone =
        made(&lorestan, &format!("{}/milestones", project.header("location")), milestone(json!({}))).await;
    let claims = format!("/api/v1/clusters/{}/claims", cluster.id());
    let claim = made(&lorestan, &claims, json!({"source_title": "استانداری"})).await;
    let nil = uuid::Uuid::nil().to_string();
    for (kind, id, of_project) in [
        ("cluster", cluster.id(), false),
        ("cluster_claim", claim.id(), false),
        ("project", project.id(), true),
        ("milestone", milestone.id(), true),
    ] {
        let created = made(&lorestan, ATTACHMENTS, announced((kind, id), PDF, json!({}))).await;
        assert_eq!(
            (&created.body["province"], created.body["project_id"] == project.id()),
            (&json!("IR-15"), of_project),
            "{kind}"
        );
        assert_eq!(kerman.get(&path(&created)).await.status, 404);
        assert_eq!(isipo.get(&path(&created)).await.body, created.body);
        let unknown = (422, vec![("/subject_id", "unknown_record")]);
        for (client, subject) in
            [(&kerman, (kind, id)), (&lorestan, (kind, nil.as_str())), (&lorestan, (kind, created.id()))]
        {
            let refused = client.post(ATTACHMENTS, announced(subject, PDF, json!({}))).await;
            assert_eq!((refused.status, refused.errors()), unknown, "{kind}: {}", refused.text);
        }
        assert_eq!(send(&kerman, &created, PDF).await.status, 404);
        assert_eq!(download(&kerman, &created).await.0, 404);
        assert_eq!(lorestan.delete(&path(&created), "*").await.status, 204);
    }
    assert_eq!(lorestan.delete(&format!("{claims}/{}", claim.id()), "*").await.status, 204);
    assert_eq!(
        lorestan.post(ATTACHMENTS, announced(("cluster_claim", claim.id()), PDF, json!({}))).await.status,
        422,
        "a tombstone"
    );
    let paths = ["a/b.pdf", "..\\b.pdf", "a\u{202}\u{7}.pdf", "a\n.pdf", " a.pdf", ""];
    // What looks like a PDF and would be opened as something else.
    let disguises = [
        "a.exe",
        "a.pdf.hta",
        "a.pdf ",
        "a.pdf.",
        "pdf",
        ".pdf",
        "..",
        "a.png",
        "a\u{202e}fdp.exe",
        "a\u{202e}exe.pdf",
        "\u{2066}a.pdf",
    ];
    for name in paths.into_iter().chain(disguises) {
        let refused = lorestan
            .post(ATTACHMENTS, announced(("project", project.id()), PDF, json!({"file_name": name})))
            .await;
        assert_eq!(refused.status, 422, "{name}");
        assert!(refused.errors().iter().all(|(pointer, _)| *pointer == "/file_name"), "{}", refused.text);
    }
    let loud = json!({"file_name": "گزارش ۱۳۹۲.نهایی.PDF"});
    assert_eq!(
        made(&lorestan, ATTACHMENTS, announced(("project", project.id()), PDF, loud)).await.status,
        201
    );
}

async fn attachments_are_found(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let olive = project(&lorestan, "زیتون", json!({})).await;
    let milestone =
        made(&lorestan, &format!("{}/milestones", olive.header("location")), milestone(json!({}))).await;
    let minutes = json!({"kind": "minutes", "title_fa": "صورت‌جلسهٔ مهر"});
    let of_milestone =
        made(&lorestan, ATTACHMENTS, announced(("milestone", milestone.id()), PDF, json!({}))).await;
    let of_project = made(&lorestan, ATTACHMENTS, announced(("project", olive.id()), PDF, minutes)).await;
    let of_another = attachment(&lorestan, PDF, json!({"file_name": "زیتون.pdf"})).await;
    assert_eq!(send(&lorestan, &of_project, PDF).await.status, 200);
    let (one, two, three) = (of_milestone.id(), of_project.id(), of_another.id());
    for (query, found) in [
        (format!("subject_id={}", milestone.id()), vec![one]),
        (format!("project_id={}", olive.id()), vec![one, two]),
        ("subject_kind=milestone,cluster".to_owned(), vec![one]),
        ("kind=minutes".to_owned(), vec![two]),
        ("is_complete=true".to_owned(), vec![two]),
        ("is_complete=false".to_owned(), vec![one, three]),
        ("province=IR-15".to_owned(), vec![one, two, three]),
        ("province=IR-08".to_owned(), vec![]),
        ("q=صورتجلسه".to_owned(), vec![two]),
        ("q=زيتون".to_owned(), vec![three]),
        ("sort=-created_at".to_owned(), vec![three, two, one]),
        ("sort=-updated_at".to_owned(), vec![two, three, one]),
    ] {
        assert_eq!(lorestan.get(&format!("{ATTACHMENTS}?{query}")).await.items("id"), found, "{query}");
    }
    let by_ref = format!("{ATTACHMENTS}/by-ref/erp/A-1");
    let put = lorestan.put(&by_ref, announced(("project", olive.id()), PDF, json!({}))).await;
    assert_eq!((put.status, lorestan.get(&by_ref).await.body), (201, put.body.clone()), "{}", put.text);
}

async fn what_has_attachments_stays(service: &Service) {
    let (lorestan, isipo) = (service.login("lorestan").await, service.login("isipo").await);
    let cluster = made(
        &lorestan,
        "/api/v1/clusters",
        json!({"province": "IR-15", "name_fa": "ورشو", "isic": [{"code": "2599"}]}),
    )
    .await;
    let claims = format!("/api/v1/clusters/{}/claims", cluster.id());
    let claim = made(&lorestan, &claims, json!({"source_title": "استانداری"})).await;
    let project = project(&lorestan, "زیتون", json!({})).await;
    let milestone =
        made(&lorestan, &format!("{}/milestones", project.header("location")), milestone(json!({}))).await;
    let value =
        measurement(&lorestan, project.header("location"), "MARKET-EXPORT", "actual", "1393-H2").await;
    let value = made(&lorestan, MEASUREMENTS, value).await;
    let meeting = decision(&lorestan, json!({})).await;
    for (kind, record) in [
        ("measurement", &value),
        ("milestone", &milestone),
        ("project", &project),
        ("cluster_claim", &claim),
        ("cluster", &cluster),
        ("decision", &meeting),
    ] {
        let created = made(&lorestan, ATTACHMENTS, announced((kind, record.id()), PDF, json!({}))).await;
        let place = record.header("location");
        let refused = lorestan.delete(place, "*").await;
        assert_eq!(
            (refused.status, &refused.body["referred_by"]),
            (409, &json!(["attachment"])),
            "{kind}: {}",
            refused.text
        );
        if kind == "decision" {
            let moved = lorestan
                .patch(place, "*", json!({"project_id": stone(&lorestan).await.rsplit('/').next()}))
                .await;
            assert_eq!((moved.status, moved.code()), (409, "moved_away"), "{}", moved.text);
            assert_eq!(lorestan.patch(place, "*", json!({"title_fa": "نو"})).await.status, 200);
        }
        if kind == "cluster" {
            let moved = isipo.patch(place, "*", json!({"province": "IR-08"})).await;
            assert_eq!((moved.status, moved.code()), (409, "moved_away"), "{}", moved.text);
        }
        assert_eq!(lorestan.delete(&path(&created), "*").await.status, 204);
        assert_eq!(lorestan.delete(place, "*").await.status, 204, "{kind}");
    }
    // A decision that endorses a document stays as well, and the document stays where the decision holds.
    let elsewhere = made(
        &isipo,
        DECISIONS,
        json!({"body": "provincial_committee", "decided_on": "2014-04-09", "title_fa": "مصوبه", "province": "IR-08"}),
    );
    let (own, elsewhere) = (decision(&lorestan, json!({})).await, elsewhere.await);
    let endorsed = attachment(&isipo, PDF, json!({"decision_id": own.id()})).await;
    let refused = lorestan.delete(own.header("location"), "*").await;
    assert_eq!(
        (refused.status, &refused.body["referred_by"]),
        (409, &json!(["attachment"])),
        "{}",
        refused.text
    );
    let kerman = made(
        &isipo,
        ATTACHMENTS,
        announced(("decision", elsewhere.id()), PDF, json!({"decision_id": elsewhere.id()})),
    )
    .await;
    for patch in [
        json!({"decision_id": elsewhere.id()}),
        json!({"subject_kind": "decision", "subject_id": elsewhere.id()}),
    ] {
        let refused = isipo.patch(&path(&endorsed), "*", patch).await;
        assert_eq!(
            (refused.status, refused.errors()),
            (422, vec![("/decision_id", "other_province")]),
            "{}",
            refused.text
        );
    }
    assert_eq!(kerman.body["province"], "IR-08");
}

async fn cdas_attach_to_their_own_projects(service: &Service) {
    let (lorestan, cda, supervisor) =
        (service.login("lorestan").await, service.login("cda").await, service.login("supervisor").await);
    let (own, other) = (stone(&lorestan).await, project(&lorestan, "زیتون", json!({})).await);
    let own = own.rsplit('/').next().unwrap();
    let cluster = lorestan.cluster_named("سنگ").await;
    let created = made(&cda, ATTACHMENTS, announced(("project", own), PDF, json!({}))).await;
    assert_eq!(send(&cda, &created, PDF).await.status, 200);
    let refused = |answer: Answer, code: &str| {
        assert_eq!((answer.status, answer.code()), (403, code), "{}", answer.text)
    };
    refused(supervisor.post(ATTACHMENTS, announced(("project", own), PDF, json!({}))).await, "forbidden");
    for subject in [("project", other.id()), ("cluster", cluster.id())] {
        refused(cda.post(ATTACHMENTS, announced(subject, PDF, json!({}))).await, "not_assigned");
        let bytes = [PDF, subject.0.as_bytes()].concat();
        let of_others = made(&lorestan, ATTACHMENTS, announced(subject, &bytes, json!({}))).await;
        refused(send(&cda, &of_others, &bytes).await, "not_assigned");
        refused(cda.patch(&path(&of_others), "*", json!({"title_fa": "نو"})).await, "not_assigned");
        refused(
            cda.patch(&path(&of_others), "*", json!({"subject_kind": "project", "subject_id": own})).await,
            "not_assigned",
        );
        refused(cda.delete(&path(&of_others), "*").await, "not_assigned");
        assert_eq!(lorestan.get(&path(&of_others)).await.body, of_others.body);
        assert!(!stored(service).contains(&sha256(&bytes)), "nothing is stored for who may not write");
        assert_eq!(send(&lorestan, &of_others, &bytes).await.status, 200);
        let (status, _, content) = download(&cda, &of_others).await;
        assert_eq!((status.as_u16(), content), (200, bytes), "what a CDA may read it may download");
    }
    assert_eq!(cda.patch(&path(&created), "*", json!({"title_fa": "نو"})).await.status, 200);
}

async fn a_broken_upload_leaves_nothing(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let bytes = [PDF, &vec![7; 2_000_000]].concat();
    let created = attachment(&lorestan, &bytes, json!({})).await;
    let length = bytes.len().to_string();
    let headers = [("content-type", "application/pdf"), ("content-length", length.as_str())];
    for part in [0, 100, 1_000_000] {
        let mut connection =
            raw::open(&lorestan, "PUT", &format!("{}/content", path(&created)), &headers, &bytes[..part])
                .await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        connection.shutdown().await.unwrap();
        drop(connection);
        until(async || stored(service).is_empty().then_some(())).await;
        assert_eq!(lorestan.get(&path(&created)).await.body, created.body);
    }
    assert_eq!(send(&lorestan, &created, &bytes).await.status, 200);
    assert_eq!(stored(service), [sha256(&bytes)]);
}

async fn a_slow_upload_is_no_fault_and_a_silent_one_is(service: &Service) {
    let (running, hasty) =
        service.beside(|config| (config.body_timeout_seconds, config.request_timeout_seconds) = (1, 2)).await;
    let lorestan = hasty.login("lorestan").await;
    let bytes = [PDF, &vec![7; 100_000]].concat();
    let created = attachment(&lorestan, &bytes, json!({})).await;
    let piece = bytes.len().div_ceil(10);
    let chunks: Vec<Vec<u8>> = bytes.chunks(piece).map(<[u8]>::to_vec).collect();
    let slowly = futures_util::stream::iter(chunks).then(|chunk| async move {
        tokio::time::sleep(Duration::from_millis(400)).await;
        Ok::<_, std::io::Error>(chunk)
    });
    let request = lorestan
        .request(Method::PUT, &format!("{}/content", path(&created)))
        .header("content-type", "application/pdf");
    let sent = lorestan.send(request.body(reqwest::Body::wrap_stream(slowly))).await;
    assert_eq!(sent.status, 200, "longer than a request may take in all: {}", sent.text);

    let created = attachment(&lorestan, &bytes, json!({})).await;
    let length = bytes.len().to_string();
    let headers = [("content-type", "application/pdf"), ("content-length", length.as_str())];
    let target = format!("{}/content", path(&created));
    let silent = raw::send(&lorestan, "PUT", &target, &headers, &bytes[..50_000]).await;
    assert_eq!(
        (silent.status, silent.code(), silent.header("connection")),
        (408, "request_timeout", "close"),
        "{}",
        silent.text
    );
    // A byte now and then keeps nobody busy for long.
    let mut connection = raw::open(&lorestan, "PUT", &target, &headers, &bytes[..1]).await;
    let drip = async {
        for byte in &bytes[1..40] {
            tokio::time::sleep(Duration::from_millis(200)).await;
            if connection.write_all(&[*byte]).await.is_err() {
                return true;
            }
        }
        false
    };
    assert!(drip.await, "the service closes the connection");
    running.stop().await;
}

async fn a_store_that_fails_says_so_without_its_paths(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let (first, second) =
        (attachment(&lorestan, PDF, json!({})).await, attachment(&lorestan, b"%PDF-2", json!({})).await);
    assert_eq!(send(&lorestan, &first, PDF).await.status, 200);
    let folder = service.files();
    // A file in the place of the folder: root may write everywhere else.
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::write(&folder, "").unwrap();
    for answer in
        [send(&lorestan, &second, b"%PDF-2").await, lorestan.get(&format!("{}/content", path(&first))).await]
    {
        assert_eq!(
            (answer.status, answer.code(), answer.header("retry-after")),
            (503, "unavailable", "2"),
            "{}",
            answer.text
        );
        assert!(
            !answer.text.contains(folder.to_str().unwrap()) && !answer.text.contains("directory"),
            "{}",
            answer.text
        );
    }
    assert_eq!(lorestan.get(&path(&second)).await.body, second.body);
    std::fs::remove_file(&folder).unwrap();
    assert_eq!(send(&lorestan, &second, b"%PDF-2").await.status, 200, "as soon as it is back");
}
