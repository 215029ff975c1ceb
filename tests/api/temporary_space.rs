//! No room for temporary files: 503 as long as it lasts, never a fault of ours, and what needs none goes on.

use khoosheh::{problem::Problem, store::connection};
use reqwest::Method;
use sea_orm::ConnectionTrait;

use crate::{
    on_both,
    process::Server,
    support::{Answer, Backend, Client, Scratch, Service},
};

on_both!(a_full_database_is_away);

const SHEET: &str = "/api/v1/reports/identified-clusters?format=xlsx";

async fn import(client: &Client, rows: usize) -> Answer {
    let file = format!("key,name_fa,province,isic\n{}", "K-1,ورشو,IR-15,2599\n".repeat(rows));
    let request = client.request(Method::POST, "/api/v1/imports?resource=clusters&system=erp&mode=validate");
    client.send(request.header("content-type", "text/csv").body(file)).await
}

async fn check_that_it_is_away(server: &Server) {
    let lorestan = server.client().login("lorestan").await;
    for refused in [lorestan.get(SHEET).await, import(&lorestan, 2_000).await] {
        assert_eq!(
            (refused.status, refused.code(), refused.header("retry-after")),
            (503, "unavailable", "30"),
            "{}",
            refused.text
        );
        assert!(
            refused.text.contains("temporary space") && !refused.text.contains("nowhere"),
            "{}",
            refused.text
        );
    }
    assert_eq!(lorestan.get(&SHEET.replace("xlsx", "csv")).await.status, 200, "what needs no space goes on");
    let line = crate::resilience::until(async || {
        server.log().lines().find(|line| line.contains("a temporary file could not be")).map(str::to_owned)
    });
    assert!(line.await.contains("ERROR"));
}

#[actix_web::test]
async fn no_place_for_temporary_files_is_no_fault_of_ours() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let Some(scratch) = Scratch::copy(backend).await else { continue };
        let server = Server::serve(&scratch.url, &[("TMPDIR", "/nowhere/at/all")]).await;
        check_that_it_is_away(&server).await;
        server.kill();
        scratch.remove().await;
    }
}

/// Files may not grow: with PostgreSQL, whose own files are not those of the process.
#[actix_web::test]
async fn a_full_disk_is_no_fault_of_ours() {
    let Some(scratch) = Scratch::copy(Backend::Postgres).await else { return };
    let server = Server::serve_through("trap '' XFSZ; ulimit -f 4; exec \"$0\" \"$@\"", &scratch.url).await;
    check_that_it_is_away(&server).await;
    server.kill();
    scratch.remove().await;
}

/// The databases' own temporary files and pages: PostgreSQL's limit of them, SQLite's limit of pages.
async fn a_full_database_is_away(service: &Service) {
    let db = connection::connect(&service.config.database_url, 1).await.unwrap();
    let (limits, large) = match db.get_database_backend() {
        sea_orm::DbBackend::Sqlite => (
            "PRAGMA max_page_count = 1",
            "CREATE TABLE large AS WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT 9999) SELECT n FROM n",
        ),
        _ => (
            "SET temp_file_limit = 64; SET work_mem = 64",
            "SELECT * FROM generate_series(1, 99999) n ORDER BY md5(n::text)",
        ),
    };
    db.execute_unprepared(limits).await.unwrap();
    let problem = Problem::from(db.execute_unprepared(large).await.unwrap_err());
    assert_eq!(problem.code(), "unavailable", "{problem}");
}
