//! Lists: their pages and their order.

use std::{cmp::Ordering, collections::BTreeSet};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::DateTime;
use khoosheh::{api, persian::text};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    clusters::{CLUSTERS, claimed, register},
    on_both,
    support::{Answer, Client, Service},
};

on_both!(
    pages_give_every_record_once_in_every_documented_order,
    the_link_leads_through_a_filtered_list,
    records_that_come_and_go_disturb_no_page,
    the_longest_name_has_a_cursor_too,
    a_page_has_a_size_and_a_total,
    a_cursor_that_was_tampered_with_is_refused,
);

const NAMES: [&str; 30] = [
    "پسته",
    "چرم",
    "ژلاتین",
    "گبه",
    "یخچال",
    "آجر",
    "بلور",
    "تره",
    "جارو",
    "حصیر",
    "خرما",
    "دوغ",
    "ذرت",
    "رنگ",
    "زعفران",
    "سفال",
    "شیر",
    "صابون",
    "طلا",
    "ظروف",
    "عطر",
    "غلات",
    "فرش",
    "قند",
    "کاشی",
    "لاستیک",
    "موکت",
    "نمد",
    "ورق",
    "هلو",
];

/// Thirty more clusters, alike in some fields and without a value in some.
async fn fill(isipo: &Client) {
    for (name, n) in NAMES.iter().zip(0..) {
        let province = ["IR-15", "IR-08", "IR-00"][n as usize % 3];
        let some = |every: u64, value: Value| if n % every == 0 { Value::Null } else { value };
        let created = claimed(
            isipo,
            name,
            json!({
                "province": province,
                "identified_not_later_than": some(2, json!(format!("2010-01-{:02}", 1 + n % 9))),
                "employment_total": some(4, json!(n % 5 * 100)),
                "annual_turnover_irr": some(5, json!((n % 3 * 1_000_000_000_000_000).to_string())),
                "export_usd": some(3, json!((n % 7).to_string())),
            }),
        )
        .await;
        if n % 6 == 0 {
            assert_eq!(
                isipo.transition(created.header("location"), "*", json!({"to": "identified"})).await.status,
                200
            );
        }
    }
}

/// The ids of a list, page by page, following `next_cursor`.
async fn walk(client: &Client, path: &str) -> Vec<String> {
    let (mut ids, mut cursor): (Vec<String>, _) = (Vec::new(), String::new());
    loop {
        assert!(
            ids.iter().collect::<BTreeSet<_>>().len() == ids.len(),
            "{path} gives a record twice, and may have no end: {ids:?}"
        );
        let page = client.get(&format!("{path}{cursor}")).await;
        assert_eq!(page.status, 200, "{}", page.text);
        ids.extend(page.items("id").into_iter().map(str::to_owned));
        let Some(next) = page.body["next_cursor"].as_str() else { return ids };
        cursor = format!("&cursor={next}");
    }
}

/// What a record is sorted by: a missing value is the smallest, a missing date the latest.
fn sort_value(item: &Value, key: &str) -> (i64, String) {
    let value = &item[key];
    match key {
        "name_fa" => (0, text::key(value.as_str().unwrap())),
        "created_at" | "updated_at" => {
            (DateTime::parse_from_rfc3339(value.as_str().unwrap()).unwrap().timestamp_micros(), String::new())
        }
        "identified_not_later_than" => (0, value.as_str().unwrap_or("9999-12-31").to_owned()),
        "employment_total" => (value.as_i64().unwrap_or(-1), String::new()),
        "annual_turnover_irr" | "export_usd" => {
            (value.as_str().map_or(-1, |amount| amount.parse().unwrap()), String::new())
        }
        _ => (0, value.as_str().unwrap().to_owned()),
    }
}

/// Equals are ordered by id, in the direction of the last key.
fn in_order(items: &[Value], sort: &str) -> Vec<String> {
    let last = if sort.rsplit(',').next().unwrap().starts_with('-') { "-id" } else { "id" };
    let keys: Vec<&str> = sort.split(',').chain([last]).collect();
    let compare = |a: &Value, b: &Value| {
        keys.iter().fold(Ordering::Equal, |order, key| {
            let (bare, is_descending) = key.strip_prefix('-').map_or((*key, false), |bare| (bare, true));
            let next = sort_value(a, bare).cmp(&sort_value(b, bare));
            order.then(if is_descending { next.reverse() } else { next })
        })
    };
    let mut sorted = items.to_vec();
    sorted.sort_by(compare);
    sorted.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

/// The parameter of the document that says what clusters can be sorted by.
fn documented_sorts() -> Vec<&'static str> {
    let parameters = api::document()["paths"][CLUSTERS]["get"]["parameters"].as_array().unwrap();
    let sort = parameters.iter().find(|parameter| parameter["name"] == "sort").unwrap();
    sort["schema"]["items"]["enum"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect()
}

async fn pages_give_every_record_once_in_every_documented_order(service: &Service) {
    let isipo = service.login("isipo").await;
    let before = isipo.count(CLUSTERS).await as usize;
    fill(&isipo).await;
    let all = isipo.get(&format!("{CLUSTERS}?page_size=200")).await.body["items"].as_array().unwrap().clone();
    let documented = documented_sorts();
    assert_eq!((all.len(), documented.len()), (before + NAMES.len(), 22));
    let mixed = [
        "-employment_total,code",
        "province,-name_fa",
        "state,-identified_not_later_than,export_usd",
        "-annual_turnover_irr,province,-id",
    ];
    for sort in documented.into_iter().chain(mixed) {
        assert_eq!(
            walk(&isipo, &format!("{CLUSTERS}?page_size=7&sort={sort}")).await,
            in_order(&all, sort),
            "{sort}"
        );
    }
    assert_eq!(
        walk(&isipo, &format!("{CLUSTERS}?page_size=1&sort=-state,code")).await,
        in_order(&all, "-state,code")
    );
    assert_eq!(
        walk(&isipo, &format!("{CLUSTERS}?page_size=7")).await,
        in_order(&all, "id"),
        "unsorted, as they were created"
    );
}

async fn the_link_leads_through_a_filtered_list(service: &Service) {
    let isipo = service.login("isipo").await;
    fill(&isipo).await;
    for letter in ["ا", "ب"] {
        register(&isipo, &format!("پستهٔ {letter}"), json!({})).await;
    }
    let mut page = isipo
        .send(isipo.request(Method::GET, CLUSTERS).query(&[
            ("q", "پسته"),
            ("province", "IR-15"),
            ("sort", "-name_fa"),
            ("page_size", "1"),
        ]))
        .await;
    let mut names = Vec::new();
    loop {
        names.push(page.items("name_fa")[0].to_owned());
        let Some(next) = page.body["next_cursor"].as_str() else { break };
        let link = page
            .header("link")
            .strip_prefix('<')
            .and_then(|link| link.strip_suffix(">; rel=\"next\""))
            .unwrap()
            .to_owned();
        assert!(
            link.starts_with("/api/v1/clusters?q=%D9%BE") && link.ends_with(&format!("&cursor={next}")),
            "{link}"
        );
        assert_eq!(link.matches("cursor=").count(), 1);
        page = isipo.get(&link).await;
    }
    assert_eq!((names, page.header("link")), (["پستهٔ ب", "پستهٔ ا", "پسته"].map(str::to_owned).to_vec(), ""));
}

async fn records_that_come_and_go_disturb_no_page(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let page = async |cursor: &Value| {
        let cursor = cursor.as_str().map_or(String::new(), |cursor| format!("&cursor={cursor}"));
        lorestan.get(&format!("{CLUSTERS}?sort=code&page_size=4{cursor}")).await
    };
    let codes = |page: &Answer| page.items("code").into_iter().map(str::to_owned).collect::<Vec<_>>();
    let first = page(&Value::Null).await;
    assert_eq!(codes(&first), ["15-0001", "15-0002", "15-0003", "15-0004"]);
    for code in ["15-0000", "15-0004a", "zz"] {
        register(&lorestan, code, json!({"code": code})).await;
    }
    for gone in [first.items("id")[3], lorestan.cluster_named("طیور").await.id()] {
        assert_eq!(lorestan.delete(&format!("{CLUSTERS}/{gone}"), "*").await.status, 204);
    }
    let second = page(&first.body["next_cursor"]).await;
    assert_eq!(codes(&second), ["15-0004a", "15-0005", "15-0006", "15-0008"]);
    let third = page(&second.body["next_cursor"]).await;
    assert_eq!(
        (codes(&third), &third.body["next_cursor"]),
        (["15-0009", "15-0010", "15-0011", "zz"].map(str::to_owned).to_vec(), &Value::Null)
    );
}

/// Some characters fold to many: ﷺ is eighteen.
async fn the_longest_name_has_a_cursor_too(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let input = crate::clusters::cluster(&"ﷺ".repeat(200), json!({}));
    let longest = lorestan.post(CLUSTERS, input).await;
    assert_eq!((longest.status, longest.errors()), (422, vec![("/name_fa", "too_long")]), "{}", longest.text);
    register(&lorestan, &"گ".repeat(200), json!({})).await;
    let count = lorestan.get(&format!("{CLUSTERS}?count=true")).await.body["total"].as_u64().unwrap();
    assert_eq!(
        walk(&lorestan, &format!("{CLUSTERS}?page_size=1&sort=name_fa,code")).await.len() as u64,
        count
    );
}

async fn a_page_has_a_size_and_a_total(service: &Service) {
    let lorestan = service.login("lorestan").await;
    for (query, size, total, has_next) in [
        ("", 11, Value::Null, false),
        ("?count=true", 11, json!(11), false),
        ("?page_size=200&count=false", 11, Value::Null, false),
        ("?page_size=1&count=true", 1, json!(11), true),
        ("?page_size=11", 11, Value::Null, false),
        ("?page_size=3&count=true&isic=C", 3, json!(8), true),
        ("?count=true&province=IR-08", 0, json!(0), false),
    ] {
        let page = lorestan.get(&format!("{CLUSTERS}{query}")).await;
        let seen = (page.items("id").len(), page.body["total"].clone(), page.body["next_cursor"].is_string());
        assert_eq!(seen, (size, total, has_next), "{query}");
    }
    for (query, error) in [
        ("page_size=0", ("/page_size", "too_small")),
        ("page_size=201", ("/page_size", "too_large")),
        ("page_size=-1", ("/page_size", "too_small")),
        ("page_size=ten", ("/page_size", "wrong_type")),
        ("page_size=1.5", ("/page_size", "wrong_type")),
        ("page_size=99999999999999999999", ("/page_size", "wrong_type")),
        ("count=maybe", ("/count", "wrong_type")),
        ("sort=price", ("/sort/0", "not_in_list")),
        ("sort=code,code", ("/sort", "repeated_items")),
        ("sort=", ("/sort/0", "not_in_list")),
    ] {
        let refused = lorestan.get(&format!("{CLUSTERS}?{query}")).await;
        assert_eq!(
            (refused.status, refused.code(), refused.errors()),
            (400, "invalid_parameter", vec![error]),
            "{query}"
        );
    }
}

async fn a_cursor_that_was_tampered_with_is_refused(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let page = async |query: &str| lorestan.get(&format!("{CLUSTERS}?page_size=2&{query}")).await;
    let cursor = page("sort=code").await.body["next_cursor"].as_str().unwrap().to_owned();
    let refused = async |query: &str| {
        let answer = page(query).await;
        assert_eq!((answer.status, answer.code()), (400, "invalid_cursor"), "{query}");
    };
    assert_eq!(
        page(&format!("sort=code&cursor={cursor}&calendar=persian&fields=code&count=true"))
            .await
            .items("code"),
        ["15-0003", "15-0004"]
    );
    for other in [
        "sort=-code",
        "sort=name_fa",
        "sort=code,name_fa",
        "sort=code&state=identified",
        "sort=code&q=a",
        "page_size=2",
    ] {
        refused(&format!("{}&cursor={cursor}", other.trim_start_matches("page_size=2"))).await;
    }
    for text in
        ["x", "%21%21", "bnVsbA", "e30", "W10", "%DB%B1", &format!("{cursor}A"), &format!("{cursor}=")]
    {
        refused(&format!("sort=code&cursor={text}")).await;
    }
    for length in 1..cursor.len() {
        refused(&format!("sort=code&cursor={}", &cursor[..length])).await;
    }
    let bytes = URL_SAFE_NO_PAD.decode(&cursor).unwrap();
    for index in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[index] ^= 1;
        refused(&format!("sort=code&cursor={}", URL_SAFE_NO_PAD.encode(flipped))).await;
    }
    let foreign = lorestan.get(&format!("/api/v1/provinces?sort=code&cursor={cursor}")).await;
    assert_eq!((foreign.status, foreign.code()), (400, "invalid_cursor"), "a cursor of another list");
}
