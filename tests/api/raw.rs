//! HTTP/1.1 by hand, for what a well-behaved client does not send.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{Answer, Client};

/// Sends a request and reads its answer, which must be a problem where it refuses.
pub async fn send(
    client: &Client,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let answer = try_send(client, method, target, headers, body)
        .await
        .unwrap_or_else(|| panic!("{method} {target:.80}: the connection was closed"));
    if answer.status >= 400 && method != "HEAD" {
        answer.check_problem(target.split('?').next().unwrap());
    }
    answer
}

/// Sends a request; none where the connection is closed without an answer.
pub async fn try_send(
    client: &Client,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Option<Answer> {
    let mut stream = open(client, method, target, headers, body).await;
    let mut bytes = Vec::new();
    // A server that has seen enough may reset the connection after its answer.
    let _ = tokio::time::timeout(std::time::Duration::from_secs(20), stream.read_to_end(&mut bytes))
        .await
        .expect("an answer within 20 s");
    parse(&bytes)
}

/// A connection on which a request was sent, perhaps with a part of its body only.
pub async fn open(
    client: &Client,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> TcpStream {
    let address = client.address.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut request = format!(
        "{method} {target} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\naccept-language: en\r\n"
    )
    .into_bytes();
    if let Some(token) = &client.token {
        request.extend(format!("authorization: Bearer {token}\r\n").bytes());
    }
    for (name, value) in headers {
        request.extend(format!("{name}: {value}\r\n").bytes());
    }
    let has_length = headers.iter().any(|(name, _)| matches!(*name, "content-length" | "transfer-encoding"));
    if !has_length && !body.is_empty() {
        request.extend(format!("content-length: {}\r\n", body.len()).bytes());
    }
    request.extend(b"\r\n");
    request.extend(body);
    let _ = stream.write_all(&request).await;
    stream
}

/// An answer from its bytes. The service knows the length of all its answers.
pub fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().unwrap();
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    }
    let text = String::from_utf8(bytes[end + 4..].to_vec()).unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    Some(Answer { status, headers, text, body })
}
