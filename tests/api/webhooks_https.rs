//! Receivers behind TLS, as all are in production.

use std::sync::Arc;

use rcgen::{CertifiedKey, KeyPair};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

use crate::{
    clusters::register,
    process::Server,
    resilience::until,
    support::{Backend, Scratch},
    webhooks::{Receivers, create, deliveries, log_of, secret, until_in_state},
};

/// Gives the address of a server that is known by a certificate, and passes on what comes to some receivers.
async fn encrypted(
    receivers: &Receivers,
    CertifiedKey { cert, signing_key }: CertifiedKey<KeyPair>,
) -> String {
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], signing_key.into());
    let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    let behind = receivers.address.trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, behind) = (acceptor.clone(), behind.clone());
            tokio::spawn(async move {
                let mut inner = TcpStream::connect(behind).await?;
                tokio::io::copy_bidirectional(&mut acceptor.accept(stream).await?, &mut inner).await
            });
        }
    });
    address
}

#[actix_web::test]
async fn only_who_has_a_certificate_of_an_authority_is_told() {
    let scratch = Scratch::copy(Backend::Sqlite).await.unwrap();
    let receivers = Receivers::start();
    let certificate = || rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (trusted, stranger) = (certificate(), certificate());
    let authorities = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(authorities.path(), trusted.cert.pem()).unwrap();
    let variables = [
        ("KHOOSHEH_WEBHOOK_NETWORKS", "[\"127.0.0.0/8\"]"),
        ("SSL_CERT_FILE", authorities.path().to_str().unwrap()),
    ];
    let server = Server::serve(&scratch.url, &variables).await;
    let client = server.client().login("lorestan").await;
    let known =
        create(&client, &format!("{}/known", encrypted(&receivers, trusted).await), &["cluster"]).await;
    let unknown =
        create(&client, &format!("{}/unknown", encrypted(&receivers, stranger).await), &["cluster"]).await;
    register(&client, "ورشو", json!({})).await;
    until_in_state(&client, &known, "delivered", 1).await;
    assert!(receivers.taken("known")[0].is_signed_with(secret(&known)));
    let failed = until(async || {
        deliveries(&client, &unknown, "").await.pop().filter(|delivery| delivery["attempts"] == 1)
    })
    .await;
    let log = until(async || {
        Some(log_of(&client, &unknown, &failed).await.body["log"].clone()).filter(|log| log[0].is_object())
    })
    .await;
    assert_eq!((&log[0]["fault"], receivers.requests("unknown").len()), (&json!("unreachable"), 0));
    server.kill();
    receivers.stop().await;
    scratch.remove().await;
}
