//! Access tokens: what is in them, which keys verify them, and which ones are refused.

use aws_lc_rs::{rand::SystemRandom, signature::Ed25519KeyPair};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode_header, jwk::Jwk};
use khoosheh::{accounts::signing_key, policy::roles::PERMISSIONS};
use sea_orm::EntityTrait;
use serde_json::{Value, json};

use crate::{auth::is_live, on_both, support::Service};

on_both!(the_published_keys_verify_a_token, forged_tokens_are_refused);

/// Header or payload of a token.
fn part(token: &str, index: usize) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(index).unwrap()).unwrap()).unwrap()
}

async fn the_published_keys_verify_a_token(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let token = lorestan.token.clone().unwrap();
    let keys = lorestan.get("/.well-known/jwks.json").await;
    let keys = keys.body["keys"].as_array().unwrap();
    let header = decode_header(&token).unwrap();
    assert_eq!((header.typ.as_deref(), header.alg), (Some("at+jwt"), Algorithm::EdDSA), "RFC 9068");
    let key =
        keys.iter().find(|key| key["kid"].as_str() == header.kid.as_deref()).expect("the key of the token");
    assert_eq!((&key["kty"], &key["crv"], &key["use"]), (&json!("OKP"), &json!("Ed25519"), &json!("sig")));
    assert!(keys.iter().all(|key| key.get("d").is_none()), "no private key is published");

    let jwk: Jwk = serde_json::from_value(key.clone()).unwrap();
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_audience(&["khoosheh"]);
    let claims = jsonwebtoken::decode::<Value>(&token, &DecodingKey::from_jwk(&jwk).unwrap(), &validation)
        .unwrap()
        .claims;
    let me = lorestan.get("/api/v1/auth/me").await;
    assert_eq!((&claims["sub"], &claims["client_id"]), (&me.body["id"], &json!("lorestan")));
    assert_eq!((&claims["roles"], &claims["province"]), (&json!(["provincial_manager"]), &json!("IR-15")));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 900);

    let metadata = lorestan.get("/.well-known/oauth-authorization-server").await.body;
    let issuer = claims["iss"].as_str().unwrap();
    let at = |path: &str| json!(format!("{issuer}{path}"));
    assert_eq!(metadata["issuer"], claims["iss"]);
    assert_eq!(
        (&metadata["token_endpoint"], &metadata["revocation_endpoint"]),
        (&at("/api/v1/auth/token"), &at("/api/v1/auth/revoke"))
    );
    assert_eq!(metadata["jwks_uri"], at("/.well-known/jwks.json"));
    assert_eq!(metadata["grant_types_supported"], json!(["password", "refresh_token", "client_credentials"]));
    assert_eq!(metadata["scopes_supported"], PERMISSIONS.iter().map(|(name, _)| *name).collect::<Value>());
}

async fn forged_tokens_are_refused(service: &Service) {
    let (running, fresh) = service.beside(|_| {}).await;
    let genuine = service.login("lorestan").await.token.unwrap();
    let row = signing_key::Entity::find().one(&service.database().await).await.unwrap().unwrap();
    let header = decode_header(&genuine).unwrap();
    let claims = part(&genuine, 1);
    let key = EncodingKey::from_ed_der(&row.pkcs8);
    let with = |changes: Value| {
        let mut changed = claims.clone();
        changed.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        changed
    };
    let signed = |header: &Header, claims: &Value, key: &EncodingKey| {
        jsonwebtoken::encode(header, claims, key).unwrap()
    };
    assert!(
        is_live(
            &fresh,
            &signed(&header, &with(json!({"jti": "0193f0a0-0000-7000-8000-000000000000"})), &key)
        )
        .await,
        "our own forgery is good"
    );

    let now = chrono::Utc::now().timestamp();
    let other_session = part(&service.login("kerman").await.token.unwrap(), 1)["sid"].clone();
    let early = signed(&header, &with(json!({"iat": now + 5, "nbf": now + 5})), &key);
    assert!(is_live(&fresh, &early).await, "clocks differ by some seconds");
    let mut forged: Vec<(&str, String)> = Vec::new();
    for (name, changes) in [
        ("expired", json!({"iat": now - 1000, "exp": now - 1})),
        ("wrong audience", json!({"aud": "somebody else"})),
        ("wrong issuer", json!({"iss": "http://elsewhere.example"})),
        ("unknown account", json!({"sub": "0193f0a0-0000-7000-8000-000000000000"})),
        ("unknown session", json!({"sid": "0193f0a0-0000-7000-8000-000000000000"})),
        ("no expiry", json!({"exp": null})),
        ("the session of somebody else", json!({"sid": other_session})),
        ("not yet good", json!({"nbf": now + 60})),
        ("issued in the future", json!({"iat": now + 60})),
    ] {
        forged.push((name, signed(&header, &with(changes), &key)));
    }
    for (name, header) in [
        ("type JWT", Header { typ: Some("JWT".into()), ..header.clone() }),
        ("no type", Header { typ: None, ..header.clone() }),
        ("no key id", Header { kid: None, ..header.clone() }),
        ("unknown key id", Header { kid: Some("another".into()), ..header.clone() }),
    ] {
        forged.push((name, signed(&header, &claims, &key)));
    }
    let other = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).unwrap();
    forged.push(("another key", signed(&header, &claims, &EncodingKey::from_ed_der(other.as_ref()))));
    let jwks = service.anonymous().get("/.well-known/jwks.json").await;
    let public = URL_SAFE_NO_PAD.decode(jwks.body["keys"][0]["x"].as_str().unwrap()).unwrap();
    let symmetric = Header { alg: Algorithm::HS256, ..header.clone() };
    forged.push((
        "the public key as a secret",
        signed(&symmetric, &claims, &EncodingKey::from_secret(&public)),
    ));

    let [head, body, signature]: [&str; 3] = genuine.split('.').collect::<Vec<_>>().try_into().unwrap();
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let none = encode(&json!({"alg": "none", "typ": "at+jwt", "kid": row.id}));
    let raised =
        encode(&with(json!({"scope": "users:manage", "roles": ["national_admin"], "province": null})));
    forged.extend([
        ("tampered", format!("{head}.{raised}.{signature}")),
        ("no algorithm", format!("{none}.{raised}.")),
        ("no algorithm, with a signature", format!("{none}.{body}.{signature}")),
        ("no signature", format!("{head}.{body}.")),
        ("cut off", format!("{head}.{body}")),
        ("another encoding", format!("{head}.{body}.{signature}=")),
        ("nothing", String::new()),
        ("dots", "..".to_owned()),
        ("very long", "x".repeat(20_000)),
    ]);
    for (name, token) in &forged {
        let answer = fresh.with_token(token).get("/api/v1/clusters").await;
        assert_eq!((answer.status, answer.code()), (401, "unauthenticated"), "{name}: {}", answer.text);
        assert!(answer.header("www-authenticate").starts_with("Bearer realm=\"khoosheh\""), "{name}");
    }
    for header in [
        format!("Basic {genuine}"),
        format!("bearer{genuine}"),
        genuine.clone(),
        format!("Bearer {genuine} {genuine}"),
    ] {
        let nobody = service.anonymous();
        let answer = nobody
            .send(nobody.request(reqwest::Method::GET, "/api/v1/clusters").header("authorization", &header))
            .await;
        assert_eq!(answer.status, 401, "{header:.20}");
    }
    assert!(is_live(&fresh, &genuine).await);
    running.stop().await;
}
