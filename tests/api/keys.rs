//! The keys that sign access tokens: encrypted at rest, rotated without a logout; files and database roles
//! with the least rights.

use std::os::unix::fs::PermissionsExt;

use jsonwebtoken::decode_header;
use khoosheh::{
    accounts::{Authenticator, signing_key},
    config::{Config, Secret},
};
use sea_orm::{ConnectionTrait, EntityTrait};

use crate::{
    auth::{is_live, log_in, refresh},
    on_both,
    process::{Server, run},
    resilience::until,
    support::{Backend, Client, PASSWORD, Scratch, Service},
};

on_both!(
    keys_are_encrypted_by_the_configuration,
    a_rotation_logs_nobody_out,
    a_compromised_key_verifies_nothing
);

const FIRST: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const SECOND: &str = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";

fn with_keys(config: &mut Config, keys: &[&str]) {
    config.secrets.signing_key_encryption = keys.iter().map(|key| Secret::new(key)).collect();
}

fn kid(token: &str) -> String {
    decode_header(token).unwrap().kid.unwrap()
}

async fn stored(service: &Service) -> Vec<signing_key::Model> {
    signing_key::Entity::find().all(&service.database().await).await.unwrap()
}

async fn keys_are_encrypted_by_the_configuration(service: &Service) {
    let clear = stored(service).await;
    assert!(clear.len() == 1 && !clear[0].is_sealed());
    let before = service.login("lorestan").await.token.unwrap();
    for keys in [&[FIRST][..], &[FIRST], &[SECOND, FIRST], &[SECOND]] {
        let earlier = stored(service).await;
        let (running, client) = service.beside(|config| with_keys(config, keys)).await;
        assert!(is_live(&client, &before).await, "it is the same key");
        running.stop().await;
        let sealed = stored(service).await;
        assert!(sealed.len() == 1 && sealed[0].is_sealed(), "{keys:?}");
        assert!(
            !sealed[0].pkcs8.windows(32).any(|part| clear[0].pkcs8.windows(32).any(|secret| part == secret)),
            "nothing of it is in the clear"
        );
        let is_same_key = earlier[0].is_sealed() && keys == [FIRST] || keys == [SECOND];
        assert_eq!(sealed == earlier, is_same_key, "{keys:?}: what is sealed by the first one is left alone");
    }
    for keys in [&[][..], &[FIRST]] {
        let mut config = service.config.clone();
        with_keys(&mut config, keys);
        let problem = Authenticator::load(&service.database().await, &config)
            .await
            .err()
            .expect("the key is of another one");
        let message = format!("{problem:?}");
        assert!(message.contains("KHOOSHEH_SIGNING_KEY_ENCRYPTION"), "{message}");
    }
}

async fn a_rotation_logs_nobody_out(service: &Service) {
    let nobody = service.anonymous();
    let before = log_in(&nobody, "lorestan", PASSWORD).await;
    let old = before.body["access_token"].as_str().unwrap();
    let url = service.database_url().to_owned();
    let rotate = async |arguments: &[&str]| {
        let done =
            run(&[&["keys", "rotate"], arguments].concat(), &[("DATABASE_URL", url.as_str())], "").await;
        assert_eq!(done.code, 0, "{}", done.stderr);
    };
    // Published, and not used yet.
    rotate(&[]).await;
    until(async || {
        (nobody.get("/.well-known/jwks.json").await.body["keys"].as_array().unwrap().len() == 2).then_some(())
    })
    .await;
    assert_eq!(kid(&service.login("lorestan").await.token.unwrap()), kid(old));
    // An instance that has seen a new key signs with it, and one that has not learns it from the first token.
    rotate(&["--after", "0"]).await;
    let (running, elsewhere) = service.beside(|_| {}).await;
    let new = elsewhere.login("kerman").await.token.unwrap();
    assert_ne!(kid(&new), kid(old));
    assert!(is_live(&nobody, &new).await, "at once");
    assert!(is_live(&nobody, old).await && is_live(&elsewhere, old).await);
    until(async || (kid(&service.login("lorestan").await.token.unwrap()) == kid(&new)).then_some(())).await;
    let list = run(&["keys", "list"], &[("DATABASE_URL", url.as_str())], "").await;
    assert!(list.stdout.lines().count() == 3 && list.stdout.contains("without end"), "{}", list.stdout);

    // Once its tokens have ended, the old key verifies nothing; the session goes on.
    let ended = "UPDATE signing_key SET verifies_until = '2026-01-01T00:00:00+00:00' WHERE verifies_until IS NOT NULL";
    service.database().await.execute_unprepared(ended).await.unwrap();
    until(async || (!is_live(&nobody, old).await && !is_live(&elsewhere, old).await).then_some(())).await;
    assert_eq!(nobody.get("/.well-known/jwks.json").await.body["keys"].as_array().unwrap().len(), 1);
    assert_eq!(refresh(&nobody, before.body["refresh_token"].as_str().unwrap()).await.status, 200);
    assert_eq!(signing_key::forget_old(&service.database().await).await.unwrap(), 2);
    running.stop().await;
}

async fn a_compromised_key_verifies_nothing(service: &Service) {
    let nobody = service.anonymous();
    let login = log_in(&nobody, "lorestan", PASSWORD).await;
    let old = login.body["access_token"].as_str().unwrap();
    assert!(is_live(&nobody, old).await);
    let done =
        run(&["keys", "rotate", "--compromised"], &[("DATABASE_URL", service.database_url())], "").await;
    assert_eq!(done.code, 0, "{}", done.stderr);
    until(async || (!is_live(&nobody, old).await).then_some(())).await;
    let refreshed = refresh(&nobody, login.body["refresh_token"].as_str().unwrap()).await;
    assert!(is_live(&nobody, refreshed.body["access_token"].as_str().unwrap()).await, "the session goes on");
}

#[actix_web::test]
async fn a_service_says_whether_its_keys_are_encrypted() {
    let scratch = Scratch::copy(Backend::Sqlite).await.unwrap();
    let url = ("DATABASE_URL", scratch.url.as_str());
    let files = format!("file://{}", scratch.files().display());
    let check = async |more: &[(&str, &str)]| {
        run(
            &["serve", "--check-config"],
            &[&[url, ("KHOOSHEH_ATTACHMENTS_URL", files.as_str())], more].concat(),
            "",
        )
        .await
    };
    let (without, with) = (check(&[]).await, check(&[("KHOOSHEH_SIGNING_KEY_ENCRYPTION", FIRST)]).await);
    assert!(
        without.code == 0 && without.stdout.contains("not encrypted"),
        "{}{}",
        without.stdout,
        without.stderr
    );
    assert!(
        with.code == 0 && with.stdout.contains("encrypted in the database") && !with.stdout.contains(FIRST),
        "{}",
        with.stdout
    );
    let short = check(&[("KHOOSHEH_SIGNING_KEY_ENCRYPTION", "short")]).await;
    assert!(
        short.code == 1 && short.stderr.contains("32 characters") && !short.stderr.contains("short,"),
        "{}",
        short.stderr
    );
    let server = Server::serve(&scratch.url, &[]).await;
    assert!(server.greeting.contains("not encrypted"), "{}", server.greeting);
    server.kill();
    let file = scratch.files().with_extension("key");
    std::fs::write(&file, format!("{FIRST}\n")).unwrap();
    let server =
        Server::serve(&scratch.url, &[("KHOOSHEH_SIGNING_KEY_ENCRYPTION_FILE", file.to_str().unwrap())])
            .await;
    assert!(!(server.greeting.clone() + &server.log()).contains("not encrypted"), "{}", server.greeting);
    server.client().login("lorestan").await;
    server.kill();
    let refused = run(&["serve"], &[url, ("KHOOSHEH_BIND", "127.0.0.1:0")], "").await;
    assert!(
        refused.code == 1 && refused.stderr.contains("KHOOSHEH_SIGNING_KEY_ENCRYPTION"),
        "{}",
        refused.stderr
    );
}

#[actix_web::test]
async fn files_are_their_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (url, files) =
        (format!("sqlite://{}", path("new.sqlite").display()), format!("file://{}", path("files").display()));
    let variables = [("KHOOSHEH_ATTACHMENTS_URL", files.as_str()), ("KHOOSHEH_DEMO_PASSWORD", PASSWORD)];
    let server = Server::start(&["demo", "--bind", "127.0.0.1:0", "--database-url", &url], &variables).await;
    server.client().login("admin").await;
    let mut waiting = vec![folder.path().to_owned()];
    let mut count = 0;
    while let Some(place) = waiting.pop() {
        for entry in std::fs::read_dir(place).unwrap().map(Result::unwrap) {
            let mode = entry.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{}: {mode:o}", entry.path().display());
            count += 1;
            if entry.path().is_dir() {
                waiting.push(entry.path());
            }
        }
    }
    assert!(count > 3, "the database, its log and the files: {count}");
    server.kill();
}

/// The roles of `deploy/postgres-roles.sh`: the one that migrates owns the tables, the one that serves reads
/// and writes rows.
#[actix_web::test]
async fn the_service_needs_no_superuser() {
    let Some(scratch) = Scratch::empty(Backend::Postgres).await else { return };
    let address = scratch.url.clone();
    let (server_of, name) = address.rsplit_once('/').unwrap();
    let (owner, service) = (format!("{name}_owner"), format!("{name}_service"));
    let place = server_of.rsplit_once('@').unwrap().1;
    let (host, port) = place.split_once(':').unwrap_or((place, "5432"));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/postgres-roles.sh");
    let environment = [
        ("PGHOST", host),
        ("PGPORT", port),
        ("POSTGRES_USER", "postgres"),
        ("POSTGRES_DB", name),
        ("KHOOSHEH_OWNER", &owner),
        ("KHOOSHEH_SERVICE", &service),
        ("KHOOSHEH_OWNER_PASSWORD", "it's \\ one"),
        ("KHOOSHEH_SERVICE_PASSWORD", "another"),
    ];
    let made = || std::process::Command::new("sh").arg(script).envs(environment).output().unwrap();
    for time in ["first", "second"] {
        let made = made();
        assert!(made.status.success(), "{time}: {}", String::from_utf8_lossy(&made.stderr));
    }
    let url = |role: &str| format!("postgres://{role}@{place}/{name}");
    let up = run(&["migrate", "up"], &[("DATABASE_URL", url(&owner).as_str())], "").await;
    assert_eq!(up.code, 0, "{}", up.stderr);
    let as_service = [("DATABASE_URL", url(&service))];
    let as_service: Vec<_> = as_service.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let created =
        run(&["user", "create", "first", "--role", "national_admin"], &as_service, &format!("{PASSWORD}\n"))
            .await;
    assert_eq!(created.code, 0, "{}", created.stderr);
    let server = Server::serve(&url(&service), &[]).await;
    let admin: Client = server.client().login("first").await;
    let made =
        admin.post("/api/v1/organisations", serde_json::json!({"kind": "bank", "name_fa": "بانک"})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    for path in
        ["/health/ready", "/api/v1/changes?snapshot=true", "/api/v1/history", "/api/v1/reports/funnel"]
    {
        let answer = admin.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    }
    let db =
        khoosheh::store::connection::connect(&url(&service).parse().unwrap(), 1).await.unwrap().unguarded();
    for forbidden in [
        "CREATE TABLE x (y int)",
        "DROP TABLE payment",
        "ALTER TABLE payment ADD COLUMN z int",
        "CREATE ROLE z",
        "COPY payment TO PROGRAM 'true'",
    ] {
        assert!(db.execute_unprepared(forbidden).await.is_err(), "{forbidden}");
    }
    db.close().await.unwrap();
    server.kill();
    scratch.remove().await;
    let drop = format!("DROP ROLE {owner}; DROP ROLE {service}");
    let dropped = std::process::Command::new("psql")
        .args(["-h", host, "-p", port, "-U", "postgres", "-c", &drop])
        .output()
        .unwrap();
    assert!(dropped.status.success(), "{}", String::from_utf8_lossy(&dropped.stderr));
}
