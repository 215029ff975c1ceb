//! The summaries of earned value: made right again in turns, while others write.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use khoosheh::store::{
    earned_value::{Sources, deltas, summary},
    sql::Composer,
};
use sea_orm::ConnectionTrait;
use serde_json::json;

use super::earned_value::enriched;
use crate::{
    on_both,
    projects::PROJECTS,
    support::{Backend, Scratch, Service},
};

on_both!(others_write_while_summaries_are_made_right, sums_are_made_right_where_days_are);

/// A project for each province beside those of the demonstration.
async fn fill(service: &Service) {
    let today = chrono::NaiveDate::from_ymd_opt(2026, 11, 22).unwrap();
    ::generate::fill(&service.database().await, ::generate::Plan { scale: 0.0, seed: 7, today })
        .await
        .unwrap();
}

async fn others_write_while_summaries_are_made_right(service: &Service) {
    let (_, _, lorestan) = enriched(service).await;
    fill(service).await;
    let db = service.database().await;
    for tampering in [
        "UPDATE earned_value_day SET planned_irr = planned_irr + 1",
        "DELETE FROM earned_value_day WHERE earned_irr > 0",
        "UPDATE earned_value_summary SET cost_irr = cost_irr + 1",
        "DELETE FROM earned_value_summary WHERE grain = 'month'",
        "INSERT INTO earned_value_day SELECT id, '1900-01-01', province, 1, 1, 1, 1, 1, 1 FROM project",
    ] {
        db.execute_unprepared(tampering).await.unwrap();
    }
    assert!(summary::differences(&db).await.unwrap() > 0);
    let project = lorestan.get(&format!("{PROJECTS}?state=implementing")).await.items("id")[0].to_owned();
    let payment = json!({"project_id": project, "line": "cda_fee", "amount_irr": "1000000", "paid_on": "2016-05-01", "document_no": "9"});
    let payment = lorestan.post("/api/v1/payments", payment).await;
    assert_eq!(payment.status, 201, "{}", payment.text);

    let (is_done, written) = (AtomicBool::new(false), AtomicU32::new(0));
    let rebuild = async {
        summary::rebuild_in_turns(&db, 1).await.unwrap();
        is_done.store(true, Ordering::Relaxed);
    };
    let write = async {
        for amount in 2_000_000.. {
            let answer = lorestan
                .patch(payment.header("location"), "*", json!({"amount_irr": amount.to_string()}))
                .await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            if is_done.load(Ordering::Relaxed) {
                return;
            }
            written.fetch_add(1, Ordering::Relaxed);
        }
    };
    tokio::join!(rebuild, write);
    let written = written.load(Ordering::Relaxed);
    assert!(written >= 5, "{written} writes between the first turn and the last");
    assert_eq!(summary::differences(&db).await.unwrap(), 0);
}

async fn sums_are_made_right_where_days_are(service: &Service) {
    enriched(service).await;
    let db = service.database().await;
    for tampering in [
        "UPDATE earned_value_summary SET earned_irr = earned_irr - 3 WHERE grain = 'day'",
        "DELETE FROM earned_value_summary WHERE province = 'IR-15'",
        "INSERT INTO earned_value_summary (province, grain, first_day, planned_irr, earned_irr, cost_irr, rebaselines) \
         VALUES ('IR-99', 'day', '2020-01-01', 1, 0, 0, 0)",
    ] {
        assert_eq!(summary::differences(&db).await.unwrap(), 0);
        db.execute_unprepared(tampering).await.unwrap();
        assert!(summary::differences(&db).await.unwrap() > 0, "{tampering}");
        summary::rebuild(&db).await.unwrap();
    }
    assert_eq!(summary::differences(&db).await.unwrap(), 0);
}

/// However many projects there are, SQLite asks for events and entries by their indexes: it compares no
/// milestone with every acceptance.
#[actix_web::test]
async fn each_milestone_is_looked_up_on_sqlite() {
    let scratch = Scratch::copy(Backend::Sqlite).await.unwrap();
    let db =
        khoosheh::store::connection::connect(&scratch.url.parse().unwrap(), 1).await.unwrap().unguarded();
    let mut sql = Composer::new(&db);
    let table =
        |columns: &str, table: &str| format!("(SELECT {columns} FROM {table} WHERE deleted_at IS NULL)");
    let sources = Sources {
        projects: table("id, province, budget", "project"),
        baselines: table("project_id, number, frozen_on, milestones", "baseline"),
        payments: table("project_id, amount_irr, paid_on", "payment"),
        known_at: None,
        as_of: None,
        is_plan: false,
    };
    let deltas = deltas(&sources, &mut sql);
    let plan = db
        .query_all_raw(sql.statement(format!("EXPLAIN QUERY PLAN SELECT * FROM {deltas} v")))
        .await
        .unwrap();
    let plan: Vec<String> = plan.iter().map(|row| row.try_get("", "detail").unwrap()).collect();
    let count = |step: &str| plan.iter().filter(|line| line.starts_with(step)).count();
    assert_eq!(
        count("SEARCH e USING INDEX status_event_record (resource=? AND record_id=?)"),
        2,
        "{plan:#?}"
    );
    assert_eq!(
        count("SEARCH l USING INDEX change_log_record (resource=? AND record_id=? AND version=?)"),
        1,
        "{plan:#?}"
    );
    for once in ["value_project", "value_plan", "value_accepted", "value_earned"] {
        assert_eq!(count(&format!("MATERIALIZE {once}")), 1, "{plan:#?}");
    }
    db.close().await.unwrap();
    scratch.remove().await;
}
