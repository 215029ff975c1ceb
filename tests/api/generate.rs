//! Made data: it keeps the rules that it was not held against, and is the same each time.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ::generate::Plan;
use chrono::NaiveDate;
use khoosheh::{
    api, cdas, clusters,
    lifecycle::{State, Stateful},
    milestones, progress_reports, projects, server,
    store::{Record, change_log, connection, earned_value::summary, status_event, verify},
};
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, Statement};
use serde_json::json;

use crate::{
    on_both, on_each,
    support::{Backend, Scratch, Service},
};

on_both!(made_data_stands_beside_the_demonstration);

on_each!(made_data_keeps_the_rules);

/// As little as there can be: one cluster, one project and one firm for each province.
const LEAST: Plan = Plan { scale: 0.0, seed: 7, today: NaiveDate::from_ymd_opt(2026, 11, 22).unwrap() };

async fn made_data_stands_beside_the_demonstration(service: &Service) {
    let (isipo, db) = (service.login("isipo").await, service.database().await);
    let (clusters, projects) = (isipo.count("/api/v1/clusters").await, isipo.count("/api/v1/projects").await);
    ::generate::fill(&db, LEAST).await.unwrap();
    verify::verify(&db, api::kinds()).await.unwrap();
    assert_eq!(summary::differences(&db).await.unwrap(), 0);
    assert_eq!(isipo.count("/api/v1/clusters").await, clusters + 31);
    assert_eq!(isipo.count("/api/v1/projects").await, projects + 31);
    for list in [
        "clusters?include=claims,industry",
        "projects?include=cluster,organisation,lead_cda,assignments,supervisions,partners,phases",
        "milestones?sort=due_on&include=project",
        "enterprises?include=organisation,cluster",
        "organisations",
        "cdas",
        "decisions",
        "measurements?include=indicator",
        "progress-reports",
        "payments?include=milestone",
        "reports/identified-clusters?as_of=2020-03-19&known_at=2019-03-19T00:00:00Z",
    ] {
        let answer = isipo
            .get(&format!("/api/v1/{list}{}calendar=persian", if list.contains('?') { '&' } else { '?' }))
            .await;
        assert!(
            answer.status == 200 && !answer.body["items"].as_array().unwrap().is_empty(),
            "{list}: {}",
            answer.text
        );
    }
    let codes = isipo.get("/api/v1/clusters?province=IR-15&sort=-code&page_size=1").await;
    assert_eq!(codes.items("code"), ["15-0012"], "after those of the demonstration");
    let closed =
        isipo.get("/api/v1/projects?state=closed,implementing&page_size=1").await.items("id")[0].to_owned();
    for path in ["baselines", "joint-actions", "history", "assignments"]
        .map(|part| format!("/api/v1/projects/{closed}/{part}"))
    {
        assert_eq!(isipo.get(&path).await.status, 200, "{path}");
    }
    let history = isipo.get(&format!("/api/v1/projects/{closed}/history")).await;
    assert_eq!(history.body["is_intact"], true);
    // A code that is given out now follows those that were made.
    let lorestan = service.login("lorestan").await;
    let created = lorestan
        .post("/api/v1/clusters", json!({"province": "IR-15", "name_fa": "ورشو", "isic": [{"code": "2599"}]}))
        .await;
    assert_eq!((created.status, created.body["code"].as_str()), (201, Some("15-0013")), "{}", created.text);
}

async fn filled(backend: Backend, seed: u64) -> Option<(Scratch, khoosheh::store::Database)> {
    let scratch = Scratch::empty(backend).await?;
    let db = connection::connect(&scratch.url.parse().unwrap(), 1).await.unwrap();
    server::migrate(&db).await.unwrap();
    ::generate::fill(&db, Plan { seed, ..LEAST }).await.unwrap();
    Some((scratch, db))
}

async fn made_data_keeps_the_rules(backend: Backend) {
    let Some((scratch, db)) = filled(backend, 7).await else { return };
    let Some((again, other)) = filled(backend, 7).await else { return };
    let hashes = hashes(&db).await;
    assert!(hashes.len() > 5_000 && hashes == self::hashes(&other).await, "the same seed makes the same");
    verify::verify(&db, api::kinds()).await.unwrap();
    states_follow_the_table(&db).await;
    one_project_at_a_time(&db).await;
    plans_are_whole(&db).await;
    for (sql, what) in [
        (
            "SELECT code AS found FROM province p WHERE NOT EXISTS (SELECT 1 FROM project x WHERE x.province = p.code)",
            "a province without a project",
        ),
        (
            "SELECT code AS found FROM province p WHERE NOT EXISTS (SELECT 1 FROM enterprise x WHERE x.province = p.code)",
            "a province without a firm",
        ),
        (
            "SELECT p.code AS found FROM project p JOIN milestone m ON m.project_id = p.id \
               WHERE p.state = 'closed' AND m.state NOT IN ('accepted', 'cancelled')",
            "an open milestone of a closed project",
        ),
        (
            "SELECT p.code AS found FROM project p JOIN payment y ON y.project_id = p.id WHERE p.state = 'closed' AND y.reconciled_on IS NULL",
            "an open payment of a closed project",
        ),
        (
            "SELECT a.end_reason AS found FROM assignment a JOIN assignment b ON b.project_id = a.project_id AND b.id <> a.id AND b.role = a.role \
               WHERE a.role = 'lead' AND a.valid_from <= COALESCE(b.valid_to, '9999-12-31') AND b.valid_from <= COALESCE(a.valid_to, '9999-12-31')",
            "two leads at a time",
        ),
        (
            "SELECT s.person_name AS found FROM supervision s JOIN assignment a ON a.project_id = s.project_id JOIN cda c ON c.id = a.cda_id \
               WHERE c.name_fa = s.person_name",
            "a CDA who supervises",
        ),
        (
            "SELECT m.title_fa AS found FROM milestone m JOIN phase f ON f.project_id = m.project_id AND f.phase = m.phase \
               WHERE m.planned_start < f.planned_start OR m.due_on > f.planned_end",
            "a milestone outside its phase",
        ),
    ] {
        let found = Found::find_by_statement(Statement::from_string(
            sea_orm::ConnectionTrait::get_database_backend(&db),
            sql,
        ))
        .all(&db)
        .await
        .unwrap();
        assert!(found.is_empty(), "{what}: {:?}", found[0].found);
    }
    for (scratch, db) in [(scratch, db), (again, other)] {
        db.close().await.unwrap();
        scratch.remove().await;
    }
}

#[derive(FromQueryResult)]
struct Found {
    found: Option<String>,
}

/// The hashes of all entries that were made. The catalogue of indicators has other ids in each database, and
/// personal values have salts of their own.
async fn hashes(db: &khoosheh::store::Database) -> BTreeSet<String> {
    use change_log::{Column, Entity};
    let made =
        Entity::find().filter(Column::RequestId.eq("generate")).filter(Column::Resource.ne("measurement"));
    let made = made.filter(Column::Resource.is_not_in(khoosheh::store::personal::resources()));
    made.all(db).await.unwrap().into_iter().map(|entry| entry.hash).collect()
}

/// The steps of a kind of record: its name, from where, to where.
fn steps<R: Stateful>() -> impl Iterator<Item = (String, String, String)> {
    let each = |step: &khoosheh::lifecycle::Step<R>| {
        step.from.iter().map(|from| (R::RESOURCE.into(), from.name(), step.to.name())).collect::<Vec<_>>()
    };
    R::STEPS.iter().flat_map(each)
}

async fn states_follow_the_table(db: &khoosheh::store::Database) {
    let mut allowed: BTreeSet<_> =
        steps::<clusters::entity::Model>().chain(steps::<projects::entity::Model>()).collect();
    allowed.extend(
        steps::<milestones::entity::Model>()
            .chain(steps::<progress_reports::entity::Model>())
            .chain(steps::<cdas::entity::Model>()),
    );
    // A cluster is developed once more.
    allowed.insert(("cluster".into(), "developed".into(), "feasible".into()));
    let events =
        status_event::Entity::find().order_by_asc(status_event::Column::Version).all(db).await.unwrap();
    let mut before: HashMap<_, (String, NaiveDate)> = HashMap::new();
    for event in events {
        let step = (event.resource.clone(), event.from_state.clone(), event.to_state.clone());
        assert!(allowed.contains(&step), "{step:?}");
        assert!(
            event.effective_on < LEAST.today && event.effective_on <= event.recorded_at.date_naive(),
            "{event:?}"
        );
        if let Some((state, on)) =
            before.insert(event.record_id, (event.to_state.clone(), event.effective_on))
        {
            assert!(state == event.from_state && on <= event.effective_on, "{event:?} after {state} on {on}");
        }
    }
    assert!(before.len() > 1_000);
}

/// In a cluster no project is approved before the one before it has ended.
async fn one_project_at_a_time(db: &khoosheh::store::Database) {
    let rows = projects::entity::Entity::find().all(db).await.unwrap();
    let events = status_event::Entity::find()
        .filter(status_event::Column::Resource.eq("project"))
        .all(db)
        .await
        .unwrap();
    let day = |row: &projects::entity::Model, states: &[&str]| {
        events
            .iter()
            .find(|event| event.record_id == row.id && states.contains(&event.to_state.as_str()))
            .map(|event| event.effective_on)
    };
    let mut lives: BTreeMap<_, Vec<(NaiveDate, NaiveDate)>> = BTreeMap::new();
    for row in &rows {
        if let Some(approved) = day(row, &["approved"]) {
            lives
                .entry(row.cluster_id)
                .or_default()
                .push((approved, day(row, &["closed", "terminated"]).unwrap_or(NaiveDate::MAX)));
        }
    }
    assert!(lives.len() > 20);
    for lives in lives.values_mut() {
        lives.sort();
        assert!(lives.windows(2).all(|pair| pair[0].1 < pair[1].0), "{lives:?}");
    }
}

/// The weights of each baseline total 10,000, and those of its milestones today too.
async fn plans_are_whole(db: &khoosheh::store::Database) {
    let baselines = milestones::baselines::Entity::find().all(db).await.unwrap();
    assert!(baselines.len() > 20 && baselines.iter().any(|baseline| baseline.number > 1));
    for baseline in baselines {
        let view = serde_json::to_value(baseline.view()).unwrap();
        let weights = view["milestones"]
            .as_array()
            .unwrap()
            .iter()
            .map(|milestone| milestone["weight_bp"].as_i64().unwrap());
        assert_eq!(weights.sum::<i64>(), 10_000, "baseline {}", baseline.number);
    }
    let mut today: HashMap<_, i32> = HashMap::new();
    for row in milestones::entity::Entity::find().all(db).await.unwrap() {
        if row.baseline_number.is_some() && row.state != milestones::rules::State::Cancelled {
            *today.entry(row.project_id).or_default() += row.weight_bp;
        }
    }
    assert!(today.values().all(|total| *total == 10_000), "{today:?}");
}
