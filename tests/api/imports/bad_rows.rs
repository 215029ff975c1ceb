//! Of many rows, exactly the bad ones are named: each with its line, its column and the rule.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{CSV, counts, import, rows};
use crate::{enterprises::ENTERPRISES, on_both, support::Service};

on_both!(of_ten_thousand_rows_exactly_the_bad_ones_are_named);

const ROWS: usize = 10_000;
const BAD: usize = 137;

type Cells = &'static [(usize, &'static str)];

/// What can be wrong with a row: which cells are other ones, and the column and code that say so.
const WRONG: [(Cells, &str, &str); 12] = [
    (&[(0, "")], "key", "required"),
    (&[(0, "بد/کلید")], "key", "wrong_pattern"),
    (&[(0, "E-00000")], "key", "repeated_key"),
    (&[(1, "")], "name_fa", "required"),
    (&[(1, "؟؟؟")], "name_fa", "wrong_pattern"),
    (&[(2, "لورستان")], "province_name", "unknown_province"),
    (&[(3, "9999")], "isic", "not_in_list"),
    (&[(4, "دوازده")], "employment_total", "wrong_type"),
    (&[(4, "10"), (5, "11")], "employment_female", "too_large"),
    (&[(6, "1393/12/30")], "member_from", "no_such_day"),
    (&[(7, "15-9999")], "cluster_code", "unknown_record"),
    (&[(8, "huge")], "size", "not_in_list"),
];

/// The file, and what is wrong in which line of it.
fn file() -> (String, BTreeMap<i64, (&'static str, &'static str)>) {
    let mut file =
        "key,name_fa,province_name,isic,employment_total,employment_female,member_from,cluster_code,size\n"
            .to_owned();
    let (mut line, mut expected) = (2, BTreeMap::new());
    for number in 0..ROWS {
        let mut cells =
            [&format!("E-{number:05}"), &format!("واحد {number}"), "لرستان", "2396", "24", "5", "", "", ""]
                .map(str::to_owned);
        // Spread over the file, and over its turns.
        if number % (ROWS / BAD) == 5 && expected.len() < BAD {
            let (wrong, column, code) = WRONG[expected.len() % WRONG.len()];
            wrong.iter().for_each(|(place, cell)| (*cell).clone_into(&mut cells[*place]));
            expected.insert(line, (column, code));
        } else if number % 1_000 == 7 {
            // An editor counts the lines of a cell too.
            cells[3] = "\"2396\n1393\"".to_owned();
        }
        line += 1 + cells[3].matches('\n').count() as i64;
        file.push_str(&format!("{}\n", cells.join(",")));
    }
    assert_eq!(expected.len(), BAD);
    (file, expected)
}

async fn of_ten_thousand_rows_exactly_the_bad_ones_are_named(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let (file, expected) = file();
    let before = lorestan.count(ENTERPRISES).await;
    let order = "resource=enterprises&system=erp&calendar=persian";
    let told = |rows: Vec<Value>| -> BTreeMap<i64, (String, String)> {
        let faults = rows.into_iter().map(|row| {
            let fault = &row["errors"][0];
            assert_eq!(row["errors"].as_array().unwrap().len(), 1, "{row}");
            (
                row["line"].as_i64().unwrap(),
                (
                    fault["column"].as_str().unwrap_or_default().to_owned(),
                    fault["code"].as_str().unwrap().to_owned(),
                ),
            )
        });
        faults.collect()
    };
    let expected: BTreeMap<_, _> = expected
        .into_iter()
        .map(|(line, (column, code))| (line, (column.to_owned(), code.to_owned())))
        .collect();

    // First a part of it, seen only.
    let some: String = file.lines().take(2_001).map(|line| format!("{line}\n")).collect();
    let (seen, all) = import(&lorestan, &format!("{order}&mode=validate"), CSV, some).await;
    assert_eq!((seen["state"].as_str(), lorestan.count(ENTERPRISES).await), (Some("finished"), before));
    assert!(
        all.iter().all(|row| row["record_id"].is_null() == (row["outcome"] != "unchanged")),
        "nothing is there"
    );
    let failed = told(all.into_iter().filter(|row| row["outcome"] == "failed").collect());
    assert!(
        failed.len() > 20 && failed.iter().all(|(line, fault)| expected.get(line) == Some(fault)),
        "{failed:?}"
    );

    let (done, all) = import(&lorestan, &format!("{order}&mode=apply"), CSV, file).await;
    assert_eq!(
        (done["state"].as_str(), counts(&done)),
        (Some("finished"), [(ROWS - BAD) as i64, 0, 0, BAD as i64])
    );
    assert_eq!(all.len(), ROWS);
    assert_eq!(lorestan.count(ENTERPRISES).await - before, (ROWS - BAD) as u64);
    let path = format!("{}/{}", super::IMPORTS, done["id"].as_str().unwrap());
    let failed = told(rows(&lorestan, &path, "&outcome=failed").await);
    assert_eq!(failed, expected);
}
