//! An import that is cut off at any moment goes on, and ends as if it had run through.

use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, Statement};
use serde_json::Value;

use super::{CSV, counts, rows, send};
use crate::{
    process::Server,
    support::{Backend, Scratch},
};

const ROWS: usize = 4_000;
const KILLS: usize = 10;

#[actix_web::test]
async fn sqlite() {
    ends_as_if_it_had_run_through(Backend::Sqlite).await;
}

#[actix_web::test]
async fn postgres() {
    ends_as_if_it_had_run_through(Backend::Postgres).await;
}

/// New records, changes of records before, repetitions and bad rows.
fn file() -> String {
    let row = |number: usize| match number % 10 {
        3 => format!("E-{},واحد {number} تازه,IR-15,2396,{number}\n", number - 2),
        7 => format!("E-{number},,IR-15,2396,1\n"),
        _ => format!("E-{number},واحد {number},IR-15,2396,{number}\n"),
    };
    "key,name_fa,province,isic,employment_total\n".to_owned() + &(0..ROWS).map(row).collect::<String>()
}

/// What there is in the end: each enterprise with its history's length, and what became of each row, without
/// what chance decides.
async fn everything(db: &khoosheh::store::Database) -> Vec<String> {
    let sql = "SELECT r.reference AS name, e.name_fa, e.version, (SELECT count(*) FROM change_log l WHERE l.record_id = e.id) AS entries \
               FROM enterprise e JOIN external_ref r ON r.record_id = e.id WHERE r.system = 'erp' ORDER BY r.reference";
    let outcomes = "SELECT r.number AS name, r.outcome AS name_fa, r.line AS version, r.errors AS entries FROM import_row r ORDER BY r.number";
    let mut told = Vec::new();
    for row in db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap() {
        let (name, name_fa): (String, String) =
            (row.try_get("", "name").unwrap(), row.try_get("", "name_fa").unwrap());
        let (version, entries): (i64, i64) =
            (row.try_get("", "version").unwrap(), row.try_get("", "entries").unwrap());
        told.push(format!("{name} {name_fa} {version} {entries}"));
    }
    for row in db.query_all_raw(Statement::from_string(db.get_database_backend(), outcomes)).await.unwrap() {
        let (number, line): (i64, i64) =
            (row.try_get("", "name").unwrap(), row.try_get("", "version").unwrap());
        let (outcome, errors): (String, Value) =
            (row.try_get("", "name_fa").unwrap(), row.try_get("", "entries").unwrap());
        told.push(format!("{number} {line} {outcome} {errors}"));
    }
    told
}

/// Imports the file; the server is killed so many times, and each time at a later moment of its turns.
async fn run(backend: Backend, kills: usize) -> Option<(Vec<String>, usize)> {
    let scratch = Scratch::copy(backend).await?;
    let mut server = Server::serve(&scratch.url, &[]).await;
    let lorestan = server.client().login("lorestan").await;
    let sent = send(&lorestan, "resource=enterprises&mode=apply&system=erp", CSV, file()).await;
    assert_eq!(sent.status, 201, "{}", sent.text);
    let (token, path) = (lorestan.token.clone().unwrap(), sent.header("location").to_owned());
    let (mut killed, mut cut) = (0, 0);
    let mut before = -1;
    let patience = Instant::now() + Duration::from_secs(180);
    let done = loop {
        assert!(Instant::now() < patience, "it does not end");
        let client = server.client().with_token(&token);
        let import = client.get(&path).await.body;
        let rows_done = import["rows_done"].as_i64().unwrap();
        assert!(rows_done >= before, "what was done is not done again: {rows_done} after {before}");
        if import["state"] == "finished" {
            let failed = rows(&client, &path, "&outcome=failed").await.len() as i64;
            assert_eq!(failed, import["failed"]);
            break import;
        }
        if killed < kills && (rows_done > before || killed == 0) {
            // Into the middle of a turn, at another place each time.
            tokio::time::sleep(Duration::from_millis(13 * killed as u64)).await;
            server.kill();
            (killed, before) = (killed + 1, rows_done);
            cut += usize::from(rows_done < ROWS as i64);
            server = Server::serve(&scratch.url, &[]).await;
        } else {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert_eq!(counts(&done).iter().sum::<i64>(), ROWS as i64);
    server.kill();
    let db = khoosheh::store::connection::connect(&scratch.url.parse().unwrap(), 1).await.unwrap();
    let told = everything(&db).await;
    assert_eq!(
        crate::process::run(&["verify"], &[("DATABASE_URL", scratch.url.as_str())], "").await.code,
        0,
        "the history is whole"
    );
    db.close().await.unwrap();
    scratch.remove().await;
    Some((told, cut))
}

async fn ends_as_if_it_had_run_through(backend: Backend) {
    let Some((through, _)) = run(backend, 0).await else { return };
    let (cut_off, kills) = run(backend, KILLS).await.unwrap();
    assert!(kills >= 5, "it was cut off {kills} times only");
    assert!(through.len() > ROWS, "{} facts are compared", through.len());
    let difference = through.iter().zip(&cut_off).find(|(one, other)| one != other);
    assert!(through.len() == cut_off.len() && difference.is_none(), "{difference:?}");
}
