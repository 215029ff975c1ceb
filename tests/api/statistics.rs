//! The published statistics: they are made once, stay as they are, and tell nothing of single firms to
//! whoever computes with them.

use std::collections::{BTreeMap, HashMap};

use khoosheh::statistics::{publish, publish_due};
use reqwest::Method;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::{
    clusters::CLUSTERS,
    enterprises::{ENTERPRISES, enterprise},
    on_both,
    process::run,
    projects::{made, walk},
    support::{Backend, Client, Service},
};

on_both!(
    a_quarter_is_published_once_and_stays,
    no_difference_tells_of_fewer_than_three_firms,
    several_instances_publish_one_quarter,
    a_quarter_is_published_from_the_command_line,
);

const STATISTICS: &str = "/api/v1/public/statistics";

async fn a_quarter_is_published_once_and_stays(service: &Service) {
    let (nobody, isipo, db) = (service.anonymous(), service.login("isipo").await, service.database().await);
    let none = nobody.get(STATISTICS).await;
    assert_eq!(
        (none.status, &none.body, none.header("cache-control")),
        (200, &json!({"items": []}), "public, max-age=300")
    );
    assert_eq!(nobody.get(&format!("{STATISTICS}/latest/programme")).await.code(), "not_found");
    for number in 0..4 {
        let firm = json!({"province": "IR-08", "isic": [{"code": "2610"}], "employment_total": 20 + number});
        made(&isipo, ENTERPRISES, enterprise(&format!("واحد {number}"), firm)).await;
    }
    let quarter = "1404-Q4".parse().unwrap();
    assert!(publish(&db, quarter).await.unwrap());

    let (table, programme) =
        (format!("{STATISTICS}/1404-Q4/enterprises"), format!("{STATISTICS}/1404-Q4/programme"));
    let before = [nobody.get(&table).await, nobody.get(&programme).await];
    assert_eq!((before[0].status, before[0].header("cache-control")), (200, "public, max-age=86400"));
    assert_eq!(
        (&before[0].body["quarter"], &before[0].body["as_of"]),
        (&json!("1404-Q4"), &json!("2026-03-20"))
    );
    let names = [
        "area",
        "area_en",
        "level",
        "isic",
        "isic_en",
        "enterprises",
        "enterprises_suppressed",
        "employment",
        "employment_suppressed",
    ];
    let class = before[0].body["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["isic"] == "2610" && row["area"] == "IR-08")
        .unwrap();
    let title = "Manufacture of electronic components and boards";
    assert_eq!(
        json!(names.map(|name| &class[name])),
        json!(["IR-08", "Kerman", "class", "2610", title, 4, false, 86, false])
    );
    let lorestan =
        before[1].body["items"].as_array().unwrap().iter().find(|row| row["province"] == "IR-15").unwrap();
    let figures = ["clusters", "in_development", "developed", "running_projects", "closed_projects"]
        .map(|name| &lorestan[name]);
    assert_eq!(
        (before[1].body["items"].as_array().unwrap().len(), json!(figures)),
        (31, json!([11, 1, 0, 1, 0]))
    );

    // Corrections show in later quarters only.
    for id in walk(&isipo, &format!("{ENTERPRISES}?isic=2610"))
        .await
        .iter()
        .map(|row| row["id"].as_str().unwrap().to_owned())
        .take(3)
    {
        assert_eq!(
            isipo.patch(&format!("{ENTERPRISES}/{id}"), "*", json!({"employment_total": 100})).await.status,
            200
        );
    }
    let olive = isipo.cluster_named("زیتون").await;
    assert_eq!(isipo.delete(&format!("{CLUSTERS}/{}", olive.id()), "*").await.status, 204);
    assert!(!publish(&db, quarter).await.unwrap(), "it is published already");
    for (path, held) in [(&table, &before[0]), (&programme, &before[1])] {
        let again = nobody.get(path).await;
        assert_eq!((&again.text, again.etag()), (&held.text, held.etag()));
        assert_eq!(
            nobody.send(nobody.request(Method::GET, path).header("if-none-match", held.etag())).await.status,
            304
        );
    }
    assert!(publish(&db, "1405-Q1".parse().unwrap()).await.unwrap());
    assert!(publish(&db, "1404-Q3".parse().unwrap()).await.is_err(), "a later one was published");
    assert!(publish(&db, "1405-H1".parse().unwrap()).await.is_err(), "that is no quarter");
    assert!(publish(&db, "1499-Q1".parse().unwrap()).await.is_err(), "it has not ended");
    let list = nobody.get(STATISTICS).await;
    assert_eq!(list.items("quarter"), ["1405-Q1", "1404-Q4"]);
    let latest = nobody.get(&format!("{STATISTICS}/latest/enterprises?isic=2610&area=IR-08")).await;
    assert_eq!(
        (latest.header("cache-control"), &latest.body["items"][0]["employment"]),
        ("public, max-age=300", &json!(323))
    );
    assert_eq!(nobody.get(&table).await.text, before[0].text, "former quarters stay");
    tables_come_in_all_formats(&nobody, &table).await;
}

async fn tables_come_in_all_formats(nobody: &Client, table: &str) {
    let selected = format!("{table}?area=IR-08&level=class&isic=2610");
    let csv = nobody.get(&format!("{selected}&format=csv")).await;
    let head = "area,area_fa,area_en,level,isic,isic_fa,isic_en,enterprises,enterprises_suppressed,employment,employment_suppressed";
    let mut lines = csv.text.lines();
    assert_eq!(lines.next(), Some(head));
    assert!(
        lines.next().is_some_and(|line| line.starts_with("IR-08,کرمان,Kerman,class,2610,"))
            && lines.next().is_none(),
        "{}",
        csv.text
    );
    let request = |path: &str| nobody.request(Method::GET, path).header("accept-language", "fa");
    let book = request(&format!("{selected}&format=xlsx")).send().await.unwrap();
    let (status, headers) = (book.status().as_u16(), book.headers().clone());
    let bytes = book.bytes().await.unwrap();
    assert_eq!(
        (status, &bytes[..2], &headers["cache-control"]),
        (200, &b"PK"[..], &"public, max-age=86400".parse().unwrap())
    );
    let known = request(&format!("{selected}&format=xlsx"))
        .header("if-none-match", &headers["etag"])
        .send()
        .await
        .unwrap();
    assert_eq!(known.status().as_u16(), 304);
    assert_eq!(nobody.get(&format!("{table}?format=geojson")).await.status, 400);
    for unknown in ["1404-Q2", "1404", "2026-Q1", "x"] {
        assert_eq!(
            nobody.get(&format!("{STATISTICS}/{unknown}/enterprises")).await.code(),
            "not_found",
            "{unknown}"
        );
    }
    assert_eq!(nobody.get(&format!("{table}?area=IR-99")).await.status, 400);
}

async fn several_instances_publish_one_quarter(service: &Service) {
    let [one, other, third] = [service.database().await, service.database().await, service.database().await];
    let outcomes = futures_util::future::join_all([&one, &other, &third].map(|db| publish_due(db, 20))).await;
    let published: Vec<_> = outcomes.into_iter().filter_map(|outcome| outcome.unwrap()).collect();
    assert_eq!(published.len(), 1, "{published:?}");
    assert_eq!(publish_due(&one, 20).await.unwrap(), None);
    assert_eq!(service.anonymous().get(STATISTICS).await.items("quarter"), [published[0].to_string()]);
}

async fn a_quarter_is_published_from_the_command_line(service: &Service) {
    let url = [("DATABASE_URL", service.database_url())];
    let first = run(&["statistics", "publish"], &url, "").await;
    assert!(
        first.code == 0 && first.stdout.ends_with(" is published\n"),
        "{} {}",
        first.stdout,
        first.stderr
    );
    let again = run(&["statistics", "publish"], &url, "").await;
    assert!(again.code == 0 && again.stdout.contains("stays as it is"), "{} {}", again.stdout, again.stderr);
    assert_eq!(service.anonymous().get(STATISTICS).await.items("quarter").len(), 1);
}

/// Firms by their number, each with its class, province and value.
type Firms = HashMap<usize, (String, String, i64)>;

/// What is known of a sum by one who knows all: the value of each firm in it, by number; -1 where it is not
/// in it.
type Sum = Vec<i64>;

/// The firms of the register that have a value, numbered alike in all quarters.
async fn firms(
    isipo: &Client,
    numbers: &mut BTreeMap<String, usize>,
    value: impl Fn(&Value) -> Option<i64>,
) -> Firms {
    let mut firms = Firms::new();
    for row in walk(isipo, &format!("{ENTERPRISES}?page_size=200")).await {
        let next = numbers.len();
        let number = *numbers.entry(row["id"].as_str().unwrap().to_owned()).or_insert(next);
        let class =
            row["isic"].as_array().unwrap().iter().find(|class| class["primary"] == true).unwrap()["code"]
                .as_str()
                .unwrap()
                .to_owned();
        if let Some(value) = value(&row) {
            firms.insert(number, (class, row["province"].as_str().unwrap().to_owned(), value));
        }
    }
    firms
}

fn section(class: &str) -> &'static str {
    if class < "0500" { "A" } else { "C" }
}

/// The firms of a cell.
fn sum(firms: &Firms, row: &Value) -> Sum {
    let (level, isic, area) =
        (row["level"].as_str().unwrap(), row["isic"].as_str().unwrap(), row["area"].as_str().unwrap());
    let is_in = |class: &str, province: &str| {
        let is_of_industry = match level {
            "total" => true,
            "section" => section(class) == isic,
            _ => class.starts_with(isic),
        };
        is_of_industry && (area == "IR" || area == province)
    };
    (0..200)
        .map(|number| {
            firms
                .get(&number)
                .filter(|(class, province, _)| is_in(class, province))
                .map_or(-1, |(.., value)| *value)
        })
        .collect()
}

/// Whether no single firm can be told from the difference of two sums: nothing differs, or three firms do,
/// none by over four fifths.
fn is_safe(one: &Sum, other: &Sum) -> bool {
    let (mut firms, mut largest, mut total) = (0, 0, 0);
    for (a, b) in one.iter().zip(other).filter(|(a, b)| a != b) {
        let change = (a.max(&0) - b.max(&0)).abs();
        (firms, largest, total) = (firms + 1, change.max(largest), total + change);
    }
    firms == 0 || (firms >= 3 && total > 0 && largest * 5 <= total * 4)
}

/// What is left of each published cell without its published parts, by industry and by province.
fn remainders(rows: &[Value], firms: &Firms, name: &str) -> Vec<(String, Sum)> {
    let levels = ["total", "section", "division", "group", "class"];
    let depth = |row: &Value| levels.iter().position(|level| row["level"] == *level).unwrap();
    let mut left = Vec::new();
    let published: Vec<_> =
        rows.iter().filter(|row| !row[name].is_null()).map(|row| (row, sum(firms, row))).collect();
    for (whole, all) in &published {
        let finer = |part: &Value| depth(part) == depth(whole) + 1 && part["area"] == whole["area"];
        let smaller =
            |part: &Value| whole["area"] == "IR" && part["area"] != "IR" && part["isic"] == whole["isic"];
        for is_part in [&finer as &dyn Fn(&Value) -> bool, &smaller] {
            let mut rest = all.clone();
            for (_, part) in published
                .iter()
                .filter(|(row, _)| is_part(row))
                .filter(|(_, part)| part.iter().zip(all).all(|(a, b)| *a < 0 || a == b))
            {
                rest.iter_mut().zip(part).filter(|(_, part)| **part >= 0).for_each(|(rest, _)| *rest = -1);
            }
            left.push((
                format!("what is left of {} {} {}", whole["area"], whole["level"], whole["isic"]),
                rest,
            ));
        }
    }
    left
}

async fn no_difference_tells_of_fewer_than_three_firms(service: &Service) {
    let (nobody, isipo, db) = (service.anonymous(), service.login("isipo").await, service.database().await);
    let mut next = 0;
    let mut add = async |class: &str, province: &str, employment: Option<i64>| {
        next += 1;
        let firm = json!({"province": province, "isic": [{"code": class}], "employment_total": employment});
        made(&isipo, ENTERPRISES, enterprise(&format!("واحد {next}"), firm)).await.id().to_owned()
    };
    let mut ids = Vec::new();
    for (class, province, employments) in [
        // One firm of 2391 beside six of 2396; a giant in 1410; three of 3100 that become four; some that
        // have not told.
        ("2396", "IR-08", vec![20, 30, 25, 40, 22, 18]),
        ("2391", "IR-08", vec![31]),
        ("2396", "IR-10", vec![15, 16, 17, 18]),
        ("2395", "IR-10", vec![50, 40]),
        ("1410", "IR-08", vec![900, 10, 12, 14]),
        ("1410", "IR-10", vec![60, 70, 80]),
        ("3100", "IR-04", vec![33, 44, 55]),
        ("0126", "IR-04", vec![5, 6, 7, 8]),
        ("0145", "IR-10", vec![9, 9]),
    ] {
        for employment in employments {
            ids.push(add(class, province, (employment != 18).then_some(employment)).await);
        }
    }
    let (mut numbers, mut known, mut suppressed) = (BTreeMap::new(), [Vec::new(), Vec::new()], 0);
    for quarter in ["1404-Q1", "1404-Q2", "1404-Q3"] {
        let values: [fn(&Value) -> Option<i64>; 2] = [|_| Some(1), |row| row["employment_total"].as_i64()];
        let counted =
            [firms(&isipo, &mut numbers, values[0]).await, firms(&isipo, &mut numbers, values[1]).await];
        assert!(publish(&db, quarter.parse().unwrap()).await.unwrap());
        let table = nobody.get(&format!("{STATISTICS}/{quarter}/enterprises")).await;
        let rows = table.body["items"].as_array().unwrap();
        for ((name, firms), known) in ["enterprises", "employment"].into_iter().zip(&counted).zip(&mut known)
        {
            for row in rows {
                assert_eq!(row[name].is_null(), row[&format!("{name}_suppressed")] == true, "{row}");
                let Some(told) = row[name].as_i64() else {
                    suppressed += 1;
                    continue;
                };
                let sum = sum(firms, row);
                assert_eq!(told, sum.iter().map(|value| value.max(&0)).sum::<i64>(), "{quarter} {row}");
                known.push((format!("{quarter} {} {} {}", row["area"], row["level"], row["isic"]), sum));
            }
            known.extend(
                remainders(rows, firms, name)
                    .into_iter()
                    .map(|(left, sum)| (format!("{quarter} {left}"), sum)),
            );
        }
        // Until the next quarter: one becomes more, some change, one goes, one moves.
        let change = async |id: &str, fields: Value| {
            assert_eq!(isipo.patch(&format!("{ENTERPRISES}/{id}"), "*", fields).await.status, 200)
        };
        ids.push(add("3100", "IR-04", Some(77)).await);
        change(&ids[0], json!({"employment_total": 21})).await;
        change(&ids[7], json!({"employment_total": 19})).await;
        change(&ids[8], json!({"isic": [{"code": "2395"}]})).await;
        assert_eq!(isipo.delete(&format!("{ENTERPRISES}/{}", ids.remove(3)), "*").await.status, 204);
    }
    let nothing: Sum = vec![-1; 200];
    for known in &known {
        assert!(known.len() > 60, "{}", known.len());
        for (place, (name, sum)) in known.iter().enumerate() {
            assert!(is_safe(sum, &nothing), "{name}: {sum:?}");
            for (other_name, other) in &known[..place] {
                assert!(is_safe(sum, other), "{name} and {other_name}: {sum:?} {other:?}");
            }
        }
    }
    assert!(suppressed > 20, "{suppressed}");
}

/// A standby has the same quarters as the primary, which publishes them: it works nothing out that it cannot
/// write.
#[actix_web::test]
async fn an_instance_that_cannot_write_publishes_nothing() {
    let Some(service) = Service::start(Backend::Postgres, |_| {}).await else { return };
    let (_, name) = service.database_url().rsplit_once('/').unwrap();
    let db = service.database().await;
    made(&service.login("isipo").await, ENTERPRISES, enterprise("واحد نمونه", json!({"province": "IR-08"})))
        .await;
    // Whatever reads the enterprises would take a minute.
    db.execute_unprepared("ALTER TABLE enterprise RENAME TO enterprise_itself").await.unwrap();
    db.execute_unprepared("CREATE VIEW enterprise AS SELECT e.* FROM enterprise_itself e, pg_sleep(60) slow")
        .await
        .unwrap();
    db.execute_unprepared(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on"))
        .await
        .unwrap();
    let standby = khoosheh::store::connection::connect(&service.config.database_url, 1).await.unwrap();
    let begun = std::time::Instant::now();
    let refused = publish_due(&standby, 20).await;
    assert!(
        refused.is_err() && begun.elapsed() < std::time::Duration::from_secs(5),
        "{refused:?} after {:?}",
        begun.elapsed()
    );
    assert_eq!(service.anonymous().get(STATISTICS).await.body, json!({"items": []}));
    standby.close().await.unwrap();
    service.stop().await;
}
