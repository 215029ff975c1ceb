//! Published statistics: one fixed set of tables for each Persian quarter, created once and never changed.
//!
//! A quarter is published some days after its end (`statistics_delay_days`), by the first instance to do so,
//! or by `khoosheh statistics publish`. Figures about firms pass [`control()`]; nothing else about single
//! firms is published. `docs/published-statistics.md` explains the rules.

pub mod cells;
pub mod control;
pub mod entity;
pub mod sums;
pub mod unseen;

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use chrono::{NaiveDate, TimeDelta};
use sea_orm::{
    ActiveValue::Set, ConnectionTrait, EntityTrait, FromQueryResult, IntoActiveModel, QueryFilter,
    QueryOrder, entity::prelude::*,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use self::{
    cells::{Firm, Key},
    control::{Former, control},
    entity::{cell, programme, release},
};
use crate::{
    clusters::rules::State,
    lifecycle,
    persian::{Date, PersianPeriod},
    policy::Caller,
    problem::Problem,
    projects::rules::UNDER_WAY,
    store::{
        Database, Transaction, bulk, connection, lock, now, probe,
        sql::{Composer, count_where},
        temporal_relations::{CLUSTER, Knowledge, PROJECT},
    },
    values::hex,
};

/// States in which a cluster is published: from its identification to its end.
pub const PUBLISHED: [State; 7] = [
    State::Identified,
    State::Prioritised,
    State::Feasibility,
    State::Feasible,
    State::NotFeasible,
    State::InDevelopment,
    State::Developed,
];

/// An enterprise as a release counts it.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult, Serialize, Deserialize)]
pub struct Counted {
    id: Uuid,
    primary_isic: String,
    province: String,
    /// Persons employed; none if unknown.
    employment_total: Option<i32>,
}

/// All that is read to make a release.
struct Material {
    /// The quarters that were published, in their order: the enterprises of each, and its cells.
    former: Vec<(Vec<Counted>, Vec<cell::Model>)>,
    enterprises: Vec<Counted>,
    programme: Vec<programme::Model>,
}

/// The quarter due for publication on a day, with a delay in days after its end.
pub fn due(today: Date, delay_days: u32) -> PersianPeriod {
    let day = today.naive() - TimeDelta::days(delay_days.into());
    let begun = PersianPeriod::of(Date::from(day), 3).first_day();
    PersianPeriod::of(Date::from(begun.naive() - TimeDelta::days(1)), 3)
}

/// Publishes a quarter that has ended, from what is known now, unless it is published already. Returns
/// whether it published it.
///
/// # Errors
/// A later quarter was published already, the quarter has not ended, or the database does not answer.
pub async fn publish(db: &Database, quarter: PersianPeriod) -> Result<bool, Problem> {
    if quarter.months() != 3 || quarter.last_day() >= Date::today_in_iran() {
        return Err(Problem::internal(format!("{quarter} is not a quarter that has ended")));
    }
    loop {
        let heads = entity::heads(db).await?;
        match heads.first() {
            _ if heads.iter().any(|head| head.quarter == quarter) => return Ok(false),
            Some(head) if head.as_of > quarter.last_day().naive() => {
                return Err(Problem::internal(format!(
                    "{} was published already, so that {quarter} cannot be any more",
                    head.quarter
                )));
            }
            _ => {}
        }
        // Where nothing can be written, nothing is worked out.
        probe::write(db).await?;
        let material = read(db, quarter).await?;
        let known = material.former.len();
        let basis = serde_json::to_vec(&material.enterprises).map_err(Problem::internal)?;
        let (cells, programme) = on_a_thread(move || (cells(&material, quarter), material.programme)).await?;
        let transaction = Transaction::begin(db, Caller::service(), String::new()).await?;
        lock::for_transaction(&*transaction, "published statistics").await?;
        // Another instance may have been faster, even before this one has read the published quarters.
        let published =
            release::Entity::find().filter(release::Column::Quarter.eq(quarter)).count(&*transaction).await?;
        if published > 0 || release::Entity::find().count(&*transaction).await? as usize != known {
            transaction.roll_back().await;
            continue;
        }
        let release = release::Model {
            quarter,
            as_of: quarter.last_day().naive(),
            published_at: transaction.now(),
            digest: digest(&cells, &programme),
            basis,
        };
        release::Entity::insert(release.into_active_model()).exec_without_returning(&*transaction).await?;
        bulk::insert_all(&*transaction, programme.into_iter().map(set_programme).collect()).await?;
        bulk::insert_all(&*transaction, cells.into_iter().map(set_cell).collect()).await?;
        transaction.commit().await?;
        return Ok(true);
    }
}

/// Runs minutes of work that writes nothing on a separate thread. An ending process does not wait for it,
/// unlike for a blocking task of its runtime.
async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    let (sender, done) = tokio::sync::oneshot::channel();
    let thread = std::thread::Builder::new().name("statistics".to_owned());
    // Without a waiting caller, the result is dropped.
    thread.spawn(move || drop(sender.send(work()))).map_err(Problem::internal)?;
    done.await.map_err(Problem::internal)
}

fn set_programme(row: programme::Model) -> programme::ActiveModel {
    programme::ActiveModel {
        quarter: Set(row.quarter),
        province: Set(row.province),
        clusters: Set(row.clusters),
        in_development: Set(row.in_development),
        developed: Set(row.developed),
        running_projects: Set(row.running_projects),
        closed_projects: Set(row.closed_projects),
    }
}

fn set_cell(row: cell::Model) -> cell::ActiveModel {
    cell::ActiveModel {
        quarter: Set(row.quarter),
        level: Set(row.level),
        area: Set(row.area),
        industry: Set(row.industry),
        enterprises: Set(row.enterprises),
        employment: Set(row.employment),
    }
}

/// Reads the data of a release, in one snapshot.
async fn read(db: &Database, quarter: PersianPeriod) -> Result<Material, Problem> {
    let transaction = connection::begin_to_survey(db).await?;
    let mut former = Vec::new();
    for release in release::Entity::find().order_by_asc(release::Column::AsOf).all(&transaction).await? {
        let enterprises = serde_json::from_slice(&release.basis).map_err(Problem::internal)?;
        former.push((
            enterprises,
            cell::Entity::find().filter(cell::Column::Quarter.eq(release.quarter)).all(&transaction).await?,
        ));
    }
    let enterprises = "SELECT id, primary_isic, province, employment_total FROM enterprise WHERE deleted_at IS NULL ORDER BY id";
    let enterprises = Counted::find_by_statement(Composer::new(&transaction).statement(enterprises))
        .all(&transaction)
        .await?;
    let programme = programme_of(&transaction, quarter).await?;
    Ok(Material { former, enterprises, programme })
}

/// The clusters and projects of the provinces, in the states of the last day of a quarter.
async fn programme_of(
    db: &impl ConnectionTrait,
    quarter: PersianPeriod,
) -> Result<Vec<programme::Model>, DbErr> {
    let mut sql = Composer::new(db);
    let day = quarter.last_day().naive();
    let knowledge = Knowledge { at: None, on: Some(day) };
    let (clusters, projects) =
        (CLUSTER.known(knowledge, "", &mut sql), PROJECT.known(knowledge, "", &mut sql));
    let names = PUBLISHED.map(lifecycle::State::name);
    let (published, day, quarter) =
        (sql.texts(names.iter().map(String::as_str)), sql.day(day), sql.bind(quarter.to_string()));
    let query = format!(
        "SELECT CAST({quarter} AS text) AS quarter, o.code AS province, COALESCE(c.clusters, 0) AS clusters, \
           COALESCE(c.in_development, 0) AS in_development, COALESCE(c.developed, 0) AS developed, \
           COALESCE(p.running, 0) AS running_projects, COALESCE(p.closed, 0) AS closed_projects \
         FROM province o \
           LEFT JOIN (SELECT province, COUNT(*) AS clusters, {} AS in_development, {} AS developed FROM {clusters} k \
             WHERE state IN {published} AND identified_not_later_than <= {day} GROUP BY province) c ON c.province = o.code \
           LEFT JOIN (SELECT province, {} AS running, {} AS closed FROM {projects} k GROUP BY province) p ON p.province = o.code \
         ORDER BY o.code",
        count_where("state = 'in_development'"),
        count_where("state = 'developed'"),
        count_where(&format!("state IN {UNDER_WAY}")),
        count_where("state = 'closed'"),
    );
    programme::Model::find_by_statement(sql.statement(query)).all(db).await
}

/// The cells of a release: enterprises and employment, each under the control by itself.
fn cells(material: &Material, quarter: PersianPeriod) -> Vec<cell::Model> {
    let controlled = |value: fn(&Counted) -> Option<i64>, told: fn(&cell::Model) -> bool| {
        let firms = |counted: &[Counted]| {
            counted.iter().filter_map(|one| Some(one.firm(value(one)?))).collect::<Vec<_>>()
        };
        let key = |row: &cell::Model| Key {
            level: row.level,
            industry: row.industry.clone(),
            area: row.area.clone(),
        };
        let former = material.former.iter().map(|(counted, cells)| Former {
            firms: firms(counted),
            published: cells.iter().filter(|row| told(row)).map(key).collect::<HashSet<_>>(),
        });
        control(&firms(&material.enterprises), &former.collect::<Vec<_>>())
    };
    let enterprises = controlled(|_| Some(1), |row| row.enterprises.is_some());
    let employment = controlled(
        |one| one.employment_total.map(|total| i64::from(total.max(0))),
        |row| row.employment.is_some(),
    );
    let mut employment: BTreeMap<Key, Option<i64>> = employment.into_iter().collect();
    let row = |(key, enterprises): (Key, Option<i64>)| {
        let employment = employment.remove(&key).flatten();
        cell::Model {
            quarter,
            level: key.level,
            area: key.area,
            industry: key.industry,
            enterprises,
            employment,
        }
    };
    let mut cells: Vec<_> = enterprises.into_iter().map(row).collect();
    cells.sort_by(|a, b| (a.level, &a.area, &a.industry).cmp(&(b.level, &b.area, &b.industry)));
    cells
}

impl Counted {
    fn firm(&self, value: i64) -> Firm {
        Firm { id: self.id, class: self.primary_isic.clone(), province: self.province.clone(), value }
    }
}

/// SHA-256 over all that is published of a quarter.
fn digest(cells: &[cell::Model], programme: &[programme::Model]) -> String {
    let mut hash = Sha256::new();
    cells.iter().for_each(|row| hash.update(format!("{row:?}\n")));
    programme.iter().for_each(|row| hash.update(format!("{row:?}\n")));
    hex(&hash.finalize())
}

/// Interval between checks for a quarter to publish.
const PAUSE: Duration = Duration::from_secs(3_600);
/// A service that has just started has other things to do.
const FIRST_PAUSE: Duration = Duration::from_secs(60);

/// Publishes each quarter a number of days after its end, until stopped. All instances check; one publishes.
pub async fn keep_publishing(db: Database, delay_days: u32) {
    let mut pause = FIRST_PAUSE;
    loop {
        tokio::time::sleep(pause).await;
        pause = PAUSE;
        match publish_due(&db, delay_days).await {
            Ok(Some(quarter)) => tracing::info!(%quarter, "the statistics were published"),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "the statistics could not be published"),
        }
    }
}

/// Publishes the quarter that is due, unless it or a later one is published. Returns it.
pub async fn publish_due(db: &Database, delay_days: u32) -> Result<Option<PersianPeriod>, Problem> {
    let quarter = due(Date::in_iran(now()), delay_days);
    let newest: Option<NaiveDate> = entity::heads(db).await?.first().map(|head| head.as_of);
    let is_due = newest.is_none_or(|newest| newest < quarter.last_day().naive());
    Ok((is_due && publish(db, quarter).await?).then_some(quarter))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_process_that_ends_does_not_wait_for_it() {
        use std::sync::mpsc::channel;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let ((begins, begun), (end, ended), (leaves, left)) = (channel(), channel::<()>(), channel());
        let under_way = runtime.spawn(on_a_thread(move || begins.send(()).is_ok() && ended.recv().is_ok()));
        begun.recv().unwrap();
        under_way.abort();
        std::thread::spawn(move || {
            drop(runtime);
            leaves.send(())
        });
        assert!(
            left.recv_timeout(Duration::from_secs(2)).is_ok(),
            "the runtime waits for work that nobody wants"
        );
        drop(end);
    }

    #[test]
    fn a_quarter_is_due_some_days_after_its_end() {
        for (today, delay, expected) in [
            ((1405, 7, 1), 0, "1405-Q2"),
            ((1405, 6, 31), 0, "1405-Q1"),
            ((1405, 7, 20), 20, "1405-Q1"),
            ((1405, 7, 21), 20, "1405-Q2"),
            ((1405, 1, 10), 20, "1404-Q3"),
        ] {
            let (year, month, day) = today;
            assert_eq!(
                due(Date::from_persian(year, month, day).unwrap(), delay).to_string(),
                expected,
                "{today:?} {delay}"
            );
        }
    }
}
