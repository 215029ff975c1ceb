//! No secret in any message: every command with passwords of every shape, and all that it prints.

use clap::Command;

use crate::{
    process::{Outcome, Server, run},
    support::{Backend, PASSWORD, Scratch},
};

/// Both halves of each secret: a part of it is as bad as all of it.
const HALVES: [&str; 3] = ["5ecret", "H1dden", "777123777"];

fn check(outcome: &Outcome, of: &str) {
    for half in HALVES {
        assert!(
            !outcome.stdout.contains(half) && !outcome.stderr.contains(half),
            "{of}: {half} in\n{}\n{}",
            outcome.stdout,
            outcome.stderr
        );
    }
}

/// The words of all commands that do something, each with arguments that it takes.
fn commands(file: &str) -> Vec<Vec<String>> {
    let mut lines = Vec::new();
    let mut waiting = vec![(Vec::new(), khoosheh::cli::command())];
    while let Some((words, command)) = waiting.pop() {
        for child in command.get_subcommands() {
            waiting.push(([words.clone(), vec![child.get_name().to_owned()]].concat(), child.clone()));
        }
        if !command.has_subcommands() {
            lines.push([words, arguments(&command, file)].concat());
        }
    }
    let serve = lines.iter().find(|line| line[0] == "serve").unwrap().clone();
    lines.push([serve, vec!["--check-config".to_owned()]].concat());
    lines
}

fn arguments(command: &Command, file: &str) -> Vec<String> {
    let mut words = Vec::new();
    for argument in command.get_arguments().filter(|argument| argument.is_required_set()) {
        words.extend(argument.get_long().map(|long| format!("--{long}")));
        let value = match argument.get_id().as_str() {
            "file" => file,
            "folder" => "/nowhere/backup",
            "resource" if command.get_name() == "erase" => "cda",
            "record_id" => "01a22c3d-b05e-7220-89b2-15d139f3137a",
            "reason" => "request",
            "resource" => "clusters",
            "system" => "erp",
            "username" => "nobody",
            "role" => "national_viewer",
            other => panic!("{}: give the argument {other} a value here", command.get_name()),
        };
        words.push(value.to_owned());
    }
    words
}

/// Variables of the environment with a secret in each.
fn shapes(place: &str, toml: &str, address: &str, password: &str) -> Vec<Vec<(&'static str, String)>> {
    let own = |url: &str| vec![("DATABASE_URL", url.to_owned())];
    vec![
        own("postgres://u:5ecret#H1dden@127.0.0.1:1/x"),
        own("postgres://u:12#H1dden@127.0.0.1:1/x"),
        own("postgres://u:5ecret/H1dden@127.0.0.1:1/x"),
        own("postgres://u:12/H1dden@127.0.0.1:1/x"),
        own("postgres://u:5ecret?H1dden@127.0.0.1:1/x"),
        own("postgres://u:5ecret@H1dden@127.0.0.1:1/x"),
        own("postgres://u:5ecret%H1dden@127.0.0.1:1/x"),
        own("postgres://u:5ecret%ffH1dden@127.0.0.1:1/x"),
        own("postgres://u@127.0.0.1:1/x?password=5ecretH1dden&sslmode=disable"),
        own("postgres://u@127.0.0.1:1/x?sslpassword=5ecretH1dden"),
        // No role of this name, and no database.
        own(&format!("postgres://nobody_here:5ecretH1dden@{place}/x")),
        own(&format!("postgres://postgres:5ecretH1dden@{place}/no_such_database")),
        own("5ecretH1dden"),
        own("777123777"),
        own("[5ecret, H1dden"),
        vec![("KHOOSHEH_CONFIG", toml.to_owned())],
        vec![("DATABASE_URL_FILE", address.to_owned())],
        vec![
            ("DATABASE_URL", "postgres://u@127.0.0.1:1/x".to_owned()),
            ("PGPASSWORD_FILE", password.to_owned()),
        ],
        vec![
            ("DATABASE_URL", "postgres://u@127.0.0.1:1/x".to_owned()),
            ("KHOOSHEH_ATTACHMENTS_URL", "s3://bucket".to_owned()),
            ("KHOOSHEH_ATTACHMENTS_ENDPOINT", "http://127.0.0.1:1".to_owned()),
            ("AWS_ACCESS_KEY_ID_FILE", password.to_owned()),
            ("AWS_SECRET_ACCESS_KEY_FILE", password.to_owned()),
        ],
        vec![
            ("DATABASE_URL", "postgres://u@127.0.0.1:1/x".to_owned()),
            ("KHOOSHEH_ATTACHMENTS_URL", "s3://5ecret:H1dden@bucket".to_owned()),
        ],
        vec![
            ("DATABASE_URL", "postgres://u@127.0.0.1:1/x".to_owned()),
            ("KHOOSHEH_PUBLIC_URL", "https://u:5ecretH1dden@host".to_owned()),
        ],
    ]
}

#[actix_web::test]
async fn no_command_prints_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (rows, toml) = (
        path("rows.csv", "reference\n1\n"),
        path("broken.toml", "database_url = \"postgres://u:5ecret\"H1dden@h/x\"\n"),
    );
    let address = path("address", "postgres://u:5ecret#H1dden@127.0.0.1:1/x\n");
    let password = path("password", "5ecret#H1dden\n");
    let server = std::env::var("TEST_DATABASE_URL")
        .unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432/postgres".into());
    let place = server.rsplit_once('@').unwrap().1.split('/').next().unwrap().to_owned();
    let shapes = shapes(&place, &toml, &address, &password);
    for words in commands(&rows) {
        let needs_database = !["openapi", "states"].contains(&words[0].as_str());
        let outcomes = shapes.iter().map(async |shape| {
            let common = [
                ("KHOOSHEH_LOG_FILTER", "trace"),
                ("KHOOSHEH_DEMO_PASSWORD", "5ecretH1dden"),
                ("KHOOSHEH_BIND", "127.0.0.1:0"),
            ];
            let variables: Vec<_> =
                shape.iter().map(|(name, value)| (*name, value.as_str())).chain(common).collect();
            let words: Vec<_> = words.iter().map(String::as_str).collect();
            let outcome = run(&words, &variables, "5ecret H1dden\n").await;
            check(&outcome, &format!("{words:?} with {shape:?}"));
            assert_eq!(
                outcome.code,
                i32::from(needs_database),
                "{words:?} with {shape:?}: {}",
                outcome.stderr
            );
        });
        futures_util::future::join_all(outcomes).await;
    }
}

#[actix_web::test]
async fn no_log_of_a_service_has_a_secret() {
    let Some(scratch) = Scratch::copy(Backend::Postgres).await else { return };
    // The server asks for no password, and so takes any.
    let url = scratch.url.replace("postgres@127.0.0.1", "postgres:5ecretH1dden@localhost");
    assert!(url.contains("5ecret"), "{url}");
    let server = Server::serve(&url, &[("KHOOSHEH_LOG_FILTER", "trace")]).await;
    server.client().login("lorestan").await.get("/api/v1/clusters").await;
    let shown = run(
        &["serve", "--check-config"],
        &[("DATABASE_URL", &url), ("KHOOSHEH_ATTACHMENTS_URL", "file:///tmp/khoosheh-files")],
        "",
    )
    .await;
    assert!(
        shown.code == 0 && shown.stdout.contains("postgres:…@") && shown.stdout.contains("up to date"),
        "{}{}",
        shown.stdout,
        shown.stderr
    );
    check(&shown, "--check-config");
    let log = server.greeting.clone() + &server.log();
    assert!(log.len() > 1_000 && HALVES.iter().all(|half| !log.contains(half)), "a secret in the log");
    server.kill();
    scratch.remove().await;
}

#[actix_web::test]
async fn secrets_come_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let check = async |variables: &[(&str, &str)]| run(&["serve", "--check-config"], variables, "").await;
    let (workers, address, empty) =
        (path("workers", "3\n"), path("address", "postgres://u@127.0.0.1:1/5ecret\r\n"), path("empty", "\n"));
    let read = check(&[("KHOOSHEH_WORKERS_FILE", &workers), ("DATABASE_URL_FILE", &address)]).await;
    assert!(
        read.stdout.contains("\"workers\": 3") && read.stdout.contains("127.0.0.1:1/5ecret\""),
        "{}{}",
        read.stdout,
        read.stderr
    );
    for (variables, named) in [
        (
            &[("KHOOSHEH_WORKERS_FILE", workers.as_str()), ("KHOOSHEH_WORKERS", "3")][..],
            "KHOOSHEH_WORKERS and KHOOSHEH_WORKERS_FILE",
        ),
        (&[("DATABASE_URL_FILE", "/nowhere/address")], "DATABASE_URL_FILE: /nowhere/address"),
        (
            &[
                ("PGPASSWORD_FILE", folder.path().to_str().unwrap()),
                ("DATABASE_URL", "postgres://u@127.0.0.1:1/x"),
            ],
            "PGPASSWORD_FILE",
        ),
        (&[("AWS_SECRET_ACCESS_KEY_FILE", &empty)], "AWS_SECRET_ACCESS_KEY_FILE"),
        (
            &[("KHOOSHEH_DEMO_PASSWORD_FILE", "/nowhere"), ("KHOOSHEH_DEMO_PASSWORD", "x")],
            "KHOOSHEH_DEMO_PASSWORD and",
        ),
        (&[("KHOOSHEH_SURPRISE_FILE", &workers)], "surprise_file"),
    ] {
        let refused = check(variables).await;
        assert!(
            refused.code == 1 && refused.stdout.is_empty() && refused.stderr.contains(named),
            "{variables:?}: {}",
            refused.stderr
        );
    }
    // The demonstration takes its password from a file, and does not repeat it.
    let (url, password) =
        (format!("sqlite://{}", folder.path().join("demo.sqlite").display()), path("password", PASSWORD));
    let server = Server::start(
        &["demo", "--bind", "127.0.0.1:0", "--database-url", &url],
        &[("KHOOSHEH_DEMO_PASSWORD_FILE", &password)],
    )
    .await;
    server.client().login("admin").await;
    assert!(!(server.greeting.clone() + &server.log()).contains(PASSWORD));
}

/// Neither part of an address nor of a file is the password that is shown.
#[actix_web::test]
async fn a_password_from_a_file_goes_with_the_connection() {
    let Some(scratch) = Scratch::copy(Backend::Postgres).await else { return };
    let (_, place) = scratch.url.split_once('@').unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "p#ss/w?rd@%\n").unwrap();
    let url = format!("postgres://postgres@{place}");
    let variables = [
        ("DATABASE_URL", url.as_str()),
        ("PGPASSWORD_FILE", file.to_str().unwrap()),
        ("KHOOSHEH_ATTACHMENTS_URL", "file:///tmp/khoosheh-files"),
    ];
    let shown = run(&["serve", "--check-config"], &variables, "").await;
    assert!(shown.code == 0 && shown.stdout.contains("postgres:…@"), "{}{}", shown.stdout, shown.stderr);
    scratch.remove().await;
}
