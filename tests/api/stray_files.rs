//! A path that is mistyped makes no database: only `demo`, `migrate up` and `restore` make files.

use std::path::Path;

use crate::{process::run, support::Backend, support::Scratch};

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Every command that works on a database that is there, but for `backup`, which has a folder to write to.
const COMMANDS: [&[&str]; 11] = [
    &["serve"],
    &["serve", "--check-config"],
    &["migrate", "status"],
    &["migrate", "down"],
    &["import", "rows.csv", "--resource", "clusters", "--system", "erp"],
    &["verify"],
    &["summaries", "check"],
    &["summaries", "rebuild"],
    &["user", "create", "first", "--role", "national_admin"],
    &["user", "password", "first"],
    &["user", "disable", "first"],
];

#[actix_web::test]
async fn a_missing_database_stays_missing() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("notes.txt"), "This is no database.").unwrap();
    std::fs::create_dir(folder.path().join("folder")).unwrap();
    let before = names(folder.path());
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for (name, why) in [
        ("khoosheh.sqlte", "there is no database"),
        ("nowhere/khoosheh.sqlite", "there is no folder"),
        ("folder", "is a folder"),
        ("notes.txt", "is not a database"),
    ] {
        for command in COMMANDS {
            // What is asked for in the address itself makes no exception.
            for url in [format!("sqlite://{}", at(name)), format!("sqlite://{}?mode=rwc", at(name))] {
                let files = format!("file://{}", at("files"));
                let variables = [
                    ("DATABASE_URL", url.as_str()),
                    ("KHOOSHEH_ATTACHMENTS_URL", &files),
                    ("KHOOSHEH_BIND", "127.0.0.1:0"),
                ];
                let refused = run(command, &variables, "").await;
                let is_clear =
                    refused.stderr.contains(why) && refused.stderr.contains(name.split('/').next().unwrap());
                assert!(
                    refused.code == 1 && is_clear && refused.stderr.contains("database_url"),
                    "{command:?} {url}: {}",
                    refused.stderr
                );
                assert!(!refused.stderr.contains("migrate up"), "{command:?}: {}", refused.stderr);
                assert_eq!(names(folder.path()), before, "{command:?} {url}");
            }
        }
    }
    let up =
        run(&["migrate", "up"], &[("DATABASE_URL", &format!("sqlite://{}", at("new.sqlite")))], "").await;
    assert!(up.code == 0 && Path::new(&at("new.sqlite")).is_file(), "{}", up.stderr);
    for name in ["folder", "notes.txt", "nowhere/new.sqlite"] {
        let up = run(&["migrate", "up"], &[("DATABASE_URL", &format!("sqlite://{}", at(name)))], "").await;
        assert!(up.code == 1 && up.stderr.contains(name.split('/').next().unwrap()), "{}", up.stderr);
    }
}

#[actix_web::test]
async fn a_check_of_the_configuration_tries_it_and_changes_nothing() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let (Some(full), Some(empty)) = (Scratch::copy(backend).await, Scratch::empty(backend).await) else {
            continue;
        };
        let folder = full.files().parent().unwrap().to_owned();
        std::fs::write(folder.join("file"), "").unwrap();
        let before = names(&folder);
        let check = async |url: &str, files: &str| {
            let files = format!("file://{}/{files}", folder.display());
            run(
                &["serve", "--check-config"],
                &[("DATABASE_URL", url), ("KHOOSHEH_ATTACHMENTS_URL", &files)],
                "",
            )
            .await
        };
        let right = check(&full.url, "files/below").await;
        let version =
            if backend == Backend::Sqlite { "database: SQLite 3." } else { "database: PostgreSQL " };
        assert!(
            right.code == 0
                && right.stdout.contains(version)
                && right.stdout.contains("tables are up to date"),
            "{}",
            right.stderr
        );
        assert!(right.stdout.ends_with("the configuration is right\n"), "{}", right.stdout);
        let wrong = check(&full.url, "file/below").await;
        assert!(wrong.code == 1 && wrong.stderr.contains("/file is no folder"), "{}", wrong.stderr);
        let wrong = check(&empty.url, "files").await;
        assert!(wrong.code == 1 && wrong.stderr.contains("khoosheh migrate up"), "{}", wrong.stderr);
        let wrong = check("postgres://u@127.0.0.1:1/x", "file").await;
        assert!(
            wrong.code == 1 && wrong.stderr.contains("refused") && wrong.stderr.contains("is no folder"),
            "all at once: {}",
            wrong.stderr
        );
        assert_eq!(names(&folder), before);
        full.remove().await;
        empty.remove().await;
    }
}
