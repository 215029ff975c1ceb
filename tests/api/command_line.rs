//! The command line: configuration, migrations, accounts, and the demonstration.

use serde_json::json;

use crate::{
    auth::{is_live, log_in},
    on_both, on_each,
    process::{Server, run},
    support::{Backend, PASSWORD, Scratch, Service},
};

on_both!(accounts_are_kept_from_the_command_line);

on_each!(tables_come_first);

async fn tables_come_first(backend: Backend) {
    let Some(scratch) = Scratch::empty(backend).await else { return };
    let url = [("DATABASE_URL", scratch.url.as_str()), ("KHOOSHEH_BIND", "127.0.0.1:0")];
    let refused = run(&["serve"], &url, "").await;
    let last = refused.stderr.lines().last().unwrap_or_default();
    assert!(
        refused.code == 1 && last.starts_with("khoosheh: ") && last.contains("khoosheh migrate up"),
        "{}",
        refused.stderr
    );
    let missing = run(&["migrate", "status"], &url, "").await;
    assert!(
        missing.code == 0
            && missing.stdout.lines().count() > 0
            && missing.stdout.lines().all(|line| line.starts_with("missing ")),
        "{}",
        missing.stdout
    );

    let up = || run(&["migrate", "up"], &url, "");
    for outcome in <[_; 4]>::from(tokio::join!(up(), up(), up(), up())) {
        assert_eq!(outcome.code, 0, "all of those that migrate at once succeed: {}", outcome.stderr);
        assert!(outcome.stdout.lines().all(|line| line.starts_with("applied ")), "{}", outcome.stdout);
    }
    let server = Server::serve(&scratch.url, &[]).await;
    assert_eq!(server.client().get("/health/ready").await.status, 200);
    let created =
        run(&["user", "create", "first", "--role", "national_admin"], &url, "the first password\n").await;
    assert_eq!(created.code, 0, "{}", created.stderr);
    let login = log_in(&server.client(), "first", "the first password").await;
    let admin = server.client().with_token(login.body["access_token"].as_str().unwrap());
    assert_eq!(admin.get("/api/v1/provinces?count=true").await.body["total"], 31);
    assert_eq!(admin.get("/api/v1/industries?count=true").await.body["total"], 766);
    assert_eq!(admin.get("/api/v1/clusters?count=true").await.body["total"], 0);

    let count = missing.stdout.lines().count();
    for _ in 0..count {
        assert_eq!(run(&["migrate", "down"], &url, "").await.code, 0);
    }
    assert_eq!(
        run(&["migrate", "status"], &url, "").await.stdout,
        missing.stdout,
        "every change can be taken back"
    );
    assert_eq!(admin.get("/health/ready").await.code(), "unavailable");
    server.kill();
    scratch.remove().await;
}

async fn accounts_are_kept_from_the_command_line(service: &Service) {
    let nobody = service.anonymous();
    let url = service.database_url().to_owned();
    let user = async |arguments: &[&str], input: &str| {
        run(&[&["user"], arguments].concat(), &[("DATABASE_URL", url.as_str())], input).await
    };
    let create =
        ["create", "ilam", "--role", "provincial_manager", "--province", "IR-16", "--display-name", "ایلام"];

    let created = user(&create, "").await;
    assert_eq!(created.code, 0, "{}", created.stderr);
    let random =
        created.stdout.trim().strip_prefix("password: ").expect("a random password is printed").to_owned();
    let login = log_in(&nobody, "ilam", &random).await;
    let token = login.body["access_token"].as_str().unwrap();
    let me = nobody.with_token(token).get("/api/v1/auth/me").await;
    assert_eq!((&me.body["role"], &me.body["province"]), (&json!("provincial_manager"), &json!("IR-16")));

    assert_eq!(user(&["password", "ilam"], "a given password\n").await.code, 0);
    assert_eq!(log_in(&nobody, "ilam", &random).await.code(), "invalid_grant");
    assert_eq!(log_in(&nobody, "ilam", "a given password").await.status, 200);
    assert_eq!(user(&["disable", "ilam"], "").await.code, 0);
    assert_eq!(log_in(&nobody, "ilam", "a given password").await.code(), "invalid_grant");
    let (running, fresh) = service.beside(|_| {}).await;
    assert!(!is_live(&fresh, token).await, "its sessions are over");
    running.stop().await;
    let admin = service.login("admin").await;
    let history = admin.get(&format!("/api/v1/users/{}/history", me.id())).await;
    assert_eq!(history.items("request_id"), ["command line"; 3]);

    for (arguments, input, reason) in [
        (&create[..], "", "exists already"),
        (&["create", "yazd", "--role", "provincial_manager"], "", "province"),
        (&["create", "yazd", "--role", "provincial_manager", "--province", "IR-99"], "", "IR-99"),
        (&["create", "yazd", "--role", "national_viewer", "--province", "IR-15"], "", "province"),
        (&["create", "yazd", "--role", "integrator"], "", "integrator"),
        (&["create", "yazd", "--role", "emperor"], "", "emperor"),
        (&["create", "Yazd!", "--role", "national_viewer"], "", "Yazd!"),
        (&["create", "yazd", "--role", "national_viewer"], "short\n", "12 characters"),
        (&["create", "yazd", "--role", "national_viewer"], "password1234\n", "easily guessed"),
        (&["password", "lorestan"], "aaaaaaaaaaaa\n", "easily guessed"),
        (&["password", "lorestan"], "correct horse battery staple\n", "the present one"),
        (&["password", "nobody-here"], "", "nobody-here"),
        (&["disable", "nobody-here"], "", "nobody-here"),
    ] {
        let refused = user(arguments, input).await;
        assert!(
            refused.code > 0 && refused.stderr.contains(reason),
            "{arguments:?}: {} {}",
            refused.code,
            refused.stderr
        );
        assert!(
            !refused.stderr.contains("$argon2") && !refused.stderr.contains("INSERT"),
            "{}",
            refused.stderr
        );
    }
    assert_eq!(admin.get("/api/v1/users?q=yazd").await.items("username"), [""; 0]);
}

#[actix_web::test]
async fn a_wrong_configuration_is_explained() {
    let check = async |variables: &[(&str, &str)], arguments: &[&str]| {
        run(&[&["serve", "--check-config"], arguments].concat(), variables, "").await
    };
    for (variable, value, key) in [
        ("KHOOSHEH_WORKERS", "many", "workers"),
        ("KHOOSHEH_WORKERS", "0", "workers"),
        ("KHOOSHEH_BIND", "everywhere", "bind"),
        ("DATABASE_URL", "mysql://localhost/x", "database_url"),
        ("KHOOSHEH_PUBLIC_URL", "khoosheh.example", "public_url"),
        ("KHOOSHEH_BODY_LIMIT", "-1", "body_limit"),
        ("KHOOSHEH_BODY_TIMEOUT_SECONDS", "30", "request_timeout_seconds"),
        ("KHOOSHEH_ACCESS_TOKEN_SECONDS", "1", "access_token_seconds"),
        ("KHOOSHEH_LOG_FORMAT", "xml", "log_format"),
        ("KHOOSHEH_LOG_FILTER", "khoosheh=loud", "log_filter"),
        ("KHOOSHEH_ATTACHMENTS_URL", "khoosheh-files", "attachments_url"),
        ("KHOOSHEH_ATTACHMENTS_URL", "file://", "attachments_url"),
        ("KHOOSHEH_ATTACHMENTS_URL", "s3://key:secret@bucket", "attachments_url"),
        ("KHOOSHEH_ATTACHMENTS_ENDPOINT", "s3.example.ir", "attachments_endpoint"),
        ("KHOOSHEH_ATTACHMENT_LIMIT", "10", "attachment_limit"),
        ("KHOOSHEH_SURPRISE", "1", "surprise"),
    ] {
        let wrong = check(&[(variable, value)], &[]).await;
        assert!(
            wrong.code == 1 && wrong.stderr.to_lowercase().contains(key),
            "{variable}={value}: {} {}",
            wrong.code,
            wrong.stderr
        );
        assert!(
            wrong.stdout.is_empty() && !wrong.stderr.contains("secret"),
            "{}{}",
            wrong.stdout,
            wrong.stderr
        );
    }
    let several = check(
        &[("KHOOSHEH_WORKERS", "0"), ("KHOOSHEH_BODY_LIMIT", "1"), ("KHOOSHEH_REFRESH_TOKEN_DAYS", "0")],
        &[],
    )
    .await;
    assert!(
        ["workers", "body_limit", "refresh_token_days"].iter().all(|key| several.stderr.contains(key)),
        "all at once: {}",
        several.stderr
    );

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("khoosheh.toml");
    let path = file.to_str().unwrap();
    std::fs::write(&file, "workers = 5\nbody_limit = 4096\n").unwrap();
    let layered = check(&[("KHOOSHEH_WORKERS", "6")], &["--config", path]).await;
    assert!(
        layered.stdout.contains("\"workers\": 6") && layered.stdout.contains("\"body_limit\": 4096"),
        "{}{}",
        layered.stdout,
        layered.stderr
    );
    std::fs::write(&file, "worker = 5\n").unwrap();
    let misspelt = check(&[], &["--config", path]).await;
    assert!(misspelt.code == 1 && misspelt.stderr.contains("worker"), "{}", misspelt.stderr);
    let absent = check(&[], &["--config", "/nowhere/khoosheh.toml"]).await;
    assert!(absent.code == 1 && absent.stderr.contains("/nowhere/khoosheh.toml"), "{}", absent.stderr);
}

#[actix_web::test]
async fn the_document_is_printed_without_a_database() {
    let printed = run(&["openapi"], &[("DATABASE_URL", "postgres://nowhere.invalid/x")], "").await;
    assert_eq!(printed.code, 0, "{}", printed.stderr);
    assert_eq!(printed.stdout, format!("{:#}\n", khoosheh::api::document()));
}

#[actix_web::test]
async fn the_demonstration_stays_at_home() {
    let refused = run(&["demo", "--database-url", "postgres://localhost/production"], &[], "").await;
    assert!(refused.code == 1 && refused.stderr.contains("SQLite"), "{}", refused.stderr);
    for address in ["0.0.0.0:0", "192.0.2.1:8080", "[::]:0"] {
        let refused =
            run(&["demo", "--bind", address, "--database-url", "sqlite://nowhere/demo.sqlite"], &[], "")
                .await;
        assert!(refused.code == 1 && refused.stderr.contains("loopback"), "{address}: {}", refused.stderr);
    }
}

#[actix_web::test]
async fn the_demonstration_keeps_its_data() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("demo.sqlite").display());
    let arguments = ["demo", "--bind", "127.0.0.1:0", "--database-url", &url];
    let first = Server::start(&arguments, &[("KHOOSHEH_DEMO_PASSWORD", PASSWORD)]).await;
    for account in
        ["admin", "isipo", "ministry", "lorestan", "kerman", "lorestan-viewer", "supervisor", "cda"]
    {
        assert_eq!(log_in(&first.client(), account, PASSWORD).await.status, 200, "{account}");
    }
    let lorestan = first.client().login("lorestan").await;
    let report = lorestan
        .get("/api/v1/reports/identified-clusters?province=IR-15&as_of=1392-12-29&calendar=persian")
        .await;
    assert_eq!(report.body["total"], 11);
    let created = lorestan
        .post("/api/v1/clusters", json!({"province": "IR-15", "name_fa": "ورشو", "isic": [{"code": "2599"}]}))
        .await;
    let (path, token) = (created.header("location").to_owned(), lorestan.token.clone().unwrap());
    first.terminate();
    assert_eq!(first.ended().await, 0);

    let second = Server::start(&arguments, &[("KHOOSHEH_DEMO_PASSWORD", "another password")]).await;
    let lorestan = second.client().login("lorestan").await;
    assert_eq!(lorestan.get(&path).await.body, created.body, "with the password that it was made with");
    assert_eq!(
        lorestan.get("/api/v1/clusters?count=true").await.body["total"],
        12,
        "nothing is loaded twice"
    );
    assert_ne!(lorestan.token, Some(token));
}

#[actix_web::test]
async fn the_demonstration_tells_its_password() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("demo.sqlite").display());
    let server = Server::start(&["demo", "--bind", "127.0.0.1:0", "--database-url", &url], &[]).await;
    let greeting = crate::resilience::until(async || {
        Some(server.greeting.clone() + &server.log()).filter(|text| text.contains("curl"))
    })
    .await;
    let password =
        greeting.split_once("password of all of them: ").expect(&greeting).1.lines().next().unwrap();
    assert!(password.len() >= 20, "{password}");
    assert_eq!(log_in(&server.client(), "isipo", password).await.status, 200);
    let line = greeting.lines().find(|line| line.trim_start().starts_with("curl")).unwrap().trim();
    let answered = std::process::Command::new("sh").args(["-c", line]).output().unwrap();
    let report: serde_json::Value =
        serde_json::from_slice(&answered.stdout).expect("the printed line works as it stands");
    assert_eq!(report["total"], 11);
}
