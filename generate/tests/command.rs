//! The command: it fills an empty database, or one that holds the demonstration, and nothing else.

use std::{
    path::Path,
    process::{Command, Output},
};

use khoosheh::{
    api, clusters, demo, projects, server,
    store::{Database, connection, verify},
};
use sea_orm::{EntityTrait, PaginatorTrait};

fn generate(database: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_generate"));
    command.args(arguments).env("DATABASE_URL", url(database)).output().unwrap()
}

fn url(database: &Path) -> String {
    format!("sqlite://{}", database.display())
}

async fn open(database: &Path) -> Database {
    connection::create(&url(database).parse().unwrap(), 1).await.unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[actix_web::test]
async fn an_empty_database_is_filled() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("made.sqlite");
    let missing = generate(&database, &["--scale", "0"]);
    assert!(missing.status.code() == Some(1) && stderr(&missing).contains("there is no database"));
    assert!(!database.exists(), "a missing database stays missing");
    let db = open(&database).await;
    server::migrate(&db).await.unwrap();
    db.close().await.unwrap();

    let made = generate(&database, &["--scale", "0", "--seed", "3"]);
    let printed = String::from_utf8(made.stdout.clone()).unwrap();
    assert!(made.status.success(), "{}", stderr(&made));
    assert!(printed.contains("31 cluster\n") && printed.contains("1550 milestone\n"), "{printed}");
    assert_eq!(stderr(&made).lines().count(), 31, "a line for each province: {}", stderr(&made));
    verify::verify(&open(&database).await, api::kinds()).await.unwrap();
    let refused = generate(&database, &["--scale", "0", "--seed", "3"]);
    assert!(refused.status.code() == Some(1) && stderr(&refused).contains("clusters already"));
    for scale in ["-1", "eleven", "NaN", "11"] {
        assert_eq!(generate(&database, &["--scale", scale]).status.code(), Some(2), "{scale}");
    }
}

#[actix_web::test]
async fn the_demonstration_can_be_larger() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("demo.sqlite");
    let db = open(&database).await;
    server::migrate(&db).await.unwrap();
    demo::fill(&db, "correct horse battery staple").await.unwrap();
    let count = async |db: &Database| {
        let clusters = clusters::entity::Entity::find().count(db).await.unwrap();
        (clusters, projects::entity::Entity::find().count(db).await.unwrap())
    };
    let (clusters, projects) = count(&db).await;
    db.close().await.unwrap();
    let made = generate(&database, &["--beside", "--scale", "0"]);
    assert!(made.status.success(), "{}", stderr(&made));
    assert_eq!(count(&open(&database).await).await, (clusters + 31, projects + 31), "one for each province");
}
