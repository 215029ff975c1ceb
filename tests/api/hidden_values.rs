//! What a role sees masked it cannot find out: whatever the value is, every answer is the same, in every
//! format, order and count.

use std::collections::{BTreeMap, BTreeSet};

use calamine::Reader;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    api_clients::client_with,
    cdas::{self, CDAS, national_code},
    on_both,
    organisations::{self, ORGANISATIONS},
    resilience::until,
    roles::ACCOUNTS,
    support::{Client, Service},
    sweep::{Operation, Records, guarded},
};

on_both!(no_answer_depends_on_a_masked_value, nobody_finds_or_orders_by_a_masked_value);

/// The fields that are masked.
const MASKED: [&str; 5] = ["national_code", "mobile", "email", "legal_id", "phone"];

/// What tells versions and moments, which a change of a masked value changes as any other does.
const OF_VERSIONS: [&str; 9] = [
    "version",
    "updated_at",
    "updated_by",
    "changed_at",
    "hash",
    "previous_hash",
    "request_id",
    "position",
    "next_cursor",
];

/// Values of a CDA and of an organisation that are masked alike: the first are before those of all others,
/// the last after them.
fn values(number: usize) -> [Value; 2] {
    let (code, id) =
        [("0050041231", "10800451230"), ("5120041231", "54500451230"), ("9970041231", "99700451230")][number];
    let (mobile, phone) = [
        ("+989110000067", "+982188880077"),
        ("+989210000067", "+983132200077"),
        ("+989360000067", "+986633200077"),
    ][number];
    let user = ["aaa", "mmm", "zzz"][number];
    let email = format!("{user}@example.ir");
    [
        json!({"national_code": code, "mobile": mobile, "email": email}),
        json!({"legal_id": id, "phone": phone, "email": email}),
    ]
}

/// Everybody who may read something of it, and sees it masked.
async fn masked_readers(service: &Service) -> Vec<(&'static str, Client)> {
    let mut readers = Vec::new();
    for account in ACCOUNTS.iter().filter(|account| !account.permissions().contains("personal-data:read")) {
        readers.push((account.name, account.login(service).await));
    }
    let writes =
        ["cdas:write", "organisations:write", "enterprises:write", "imports:write", "webhooks:manage"];
    let scopes: Vec<&str> = ACCOUNTS
        .iter()
        .find(|account| account.name == "ministry")
        .unwrap()
        .permissions()
        .into_iter()
        .chain(writes)
        .collect();
    let (_, blind) = client_with(&service.login("admin").await, "blind", &scopes, json!("IR-15")).await;
    readers.push(("blind", blind));
    assert!(readers.len() > 5, "{}", readers.len());
    readers
}

/// The lead CDA of the stone project and its executing organisation, with these values.
async fn change(service: &Service, number: usize) {
    let isipo = service.login("isipo").await;
    let cda = cdas::sample(&isipo).await;
    let project = isipo.get("/api/v1/projects?q=سنگ").await;
    let organisation = project.items("organisation_id")[0];
    let [of_cda, of_organisation] = values(number);
    for (path, values) in [
        (format!("{CDAS}/{}", cda.id()), of_cda),
        (format!("{ORGANISATIONS}/{organisation}"), of_organisation),
    ] {
        let changed = isipo.patch(&path, "*", values).await;
        assert_eq!(changed.status, 200, "{}", changed.text);
    }
}

/// All that an operation can be asked for: each format, each order, each include, and everything together.
fn questions(operation: &Operation, records: &Records, now: &str) -> Vec<String> {
    let path = operation.path_to(records);
    let values = |name: &str| {
        let schema = operation.parameter(name).map(|parameter| &parameter["schema"]);
        let choices = schema
            .and_then(|schema| schema["enum"].as_array().or_else(|| schema["items"]["enum"].as_array()));
        choices.into_iter().flatten().map(|value| value.as_str().unwrap()).collect::<Vec<_>>()
    };
    let includes = values("include");
    let mut common = Vec::new();
    if !includes.is_empty() {
        common.push(format!("include={}", includes.join(",")));
    }
    if operation.takes("page_size") {
        common.push("page_size=200".to_owned());
    }
    // One page has them all, however many are added.
    if operation.id() == "list_history" {
        common.push("resource=cda".to_owned());
    }
    // The log grows by what is asked here.
    if operation.id() == "list_security_events" {
        common.push(format!("until={now}"));
    }
    let mut questions = vec![Vec::new()];
    questions.extend(values("format").into_iter().map(|format| vec![format!("format={format}")]));
    questions.extend(values("sort").into_iter().map(|sort| vec![format!("sort={sort}")]));
    if operation.takes("count") && operation.id() != "list_history" {
        questions.push(vec!["count=true".to_owned()]);
    }
    if operation.takes("known_at") {
        questions.push(vec![format!("known_at={now}")]);
    }
    if operation.id() == "list_changes" {
        questions.push(vec!["snapshot=true".to_owned()]);
    }
    let address = |question: Vec<String>| {
        let query = [question, common.clone()].concat().join("&");
        let separator = if path.contains('?') { "&" } else { "?" };
        if query.is_empty() { path.clone() } else { format!("{path}{separator}{query}") }
    };
    questions.into_iter().map(address).collect()
}

/// An answer without versions and moments: what was said of several versions alike is said once.
fn timeless(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| !OF_VERSIONS.contains(&name.as_str()));
            members.values_mut().for_each(timeless);
        }
        Value::Array(items) => {
            items.iter_mut().for_each(timeless);
            let mut seen = BTreeSet::new();
            items.retain(|item| !item.is_object() || seen.insert(item.to_string()));
        }
        _ => {}
    }
}

/// The lines of a table without the columns of versions and moments.
fn timeless_table(table: &[u8]) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(table);
    let lines: Vec<Vec<String>> =
        reader.records().map(|line| line.unwrap().iter().map(str::to_owned).collect()).collect();
    let Some(head) = lines.first().cloned() else { return Vec::new() };
    let is_kept = |index: usize| {
        head.get(index).is_none_or(|name| !OF_VERSIONS.contains(&name.rsplit('.').next().unwrap()))
    };
    // A cell may hold a whole record.
    let in_cell = |cell: String| match serde_json::from_str::<Value>(&cell) {
        Ok(mut record) if record.is_object() => {
            timeless(&mut record);
            record.to_string()
        }
        _ => cell,
    };
    let kept = |line: Vec<String>| {
        line.into_iter()
            .enumerate()
            .filter(|(index, _)| is_kept(*index))
            .map(|(_, cell)| in_cell(cell))
            .collect::<Vec<_>>()
    };
    let mut seen = BTreeSet::new();
    lines.into_iter().map(kept).filter(|line| seen.insert(line.clone())).collect()
}

/// The cells of a workbook, but for the moments at which it was made.
fn timeless_book(bytes: Vec<u8>) -> String {
    let mut book =
        calamine::open_workbook_from_rs::<calamine::Xlsx<_>, _>(std::io::Cursor::new(bytes)).unwrap();
    let mut text = String::new();
    for (name, range) in book.worksheets() {
        let rows = range.rows().map(|row| row.iter().map(ToString::to_string).collect::<Vec<_>>());
        let rows =
            rows.filter(|row| !["Made at", "Known at"].contains(&row.first().map_or("", String::as_str)));
        text += &format!("{name}: {:?}\n", rows.collect::<Vec<_>>());
    }
    text
}

/// What somebody is answered, as far as it is not about versions.
async fn answered(client: &Client, path: &str) -> String {
    let answer = client.request(Method::GET, path).send().await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    let bytes = answer.bytes().await.unwrap().to_vec();
    let media_type = headers.get("content-type").map_or("", |value| value.to_str().unwrap());
    let body = match media_type.split(';').next().unwrap() {
        "text/csv" => format!("{:?}", timeless_table(&bytes)),
        kind if kind.ends_with("json") => {
            let mut body: Value = serde_json::from_slice(&bytes).unwrap();
            timeless(&mut body);
            body.to_string()
        }
        kind if kind.ends_with("spreadsheetml.sheet") => timeless_book(bytes),
        _ => String::from_utf8(bytes).unwrap(),
    };
    format!("{status} {body}")
}

async fn no_answer_depends_on_a_masked_value(service: &Service) {
    let admin = service.login("admin").await;
    // Others, between which it would move in any order by the value.
    for (number, name) in ["نخست", "دوم", "سوم"].into_iter().enumerate() {
        let middle = json!({"mobile": "+989210000055", "email": "lll@example.ir", "national_code": national_code(400_000_000 + number as u32)});
        cdas::register(&admin, middle).await;
        organisations::register(
            &admin,
            name,
            json!({"province": "IR-15", "phone": "+982188880055", "email": "lll@example.ir"}),
        )
        .await;
    }
    let records = Records::make(service, "IR-15").await;
    until(async || {
        let import = admin.get(&format!("/api/v1/imports/{}", records.id("import"))).await;
        (!["waiting", "running"].contains(&import.body["state"].as_str().unwrap())).then_some(())
    })
    .await;
    let readers = masked_readers(service).await;
    // What is told of the two changes before is told of the third.
    change(service, 1).await;
    change(service, 0).await;
    let now = crate::support::moment();
    let operations: Vec<_> =
        guarded().into_iter().filter(|operation| operation.method == Method::GET).collect();
    let mut asked = Vec::new();
    for (name, reader) in &readers {
        for operation in &operations {
            for path in questions(operation, &records, &now) {
                let answer = answered(reader, &path).await;
                if answer.starts_with("200") {
                    asked.push((*name, reader, path, answer));
                }
            }
        }
    }
    let formats = |part: &str| asked.iter().filter(|(_, _, path, _)| path.contains(part)).count();
    assert!(asked.len() > 1_500, "only {}", asked.len());
    assert!(
        [("format=xlsx", 60), ("format=csv", 200), ("sort=", 600), ("count=true", 80)]
            .iter()
            .all(|(part, least)| formats(part) > *least)
    );
    let masks = |text: &str| text.matches("******1231").count() + text.matches("*******1230").count();
    assert!(
        asked.iter().filter(|(.., answer)| masks(answer) > 0).count() > 20,
        "they are in many of them, masked"
    );
    let before: BTreeMap<(&str, &String), &String> =
        asked.iter().map(|(name, _, path, answer)| ((*name, path), answer)).collect();
    change(service, 2).await;
    let mut tell = Vec::new();
    for (name, reader, path, _) in &asked {
        let after = answered(reader, path).await;
        if after != *before[&(*name, path)] {
            tell.push(format!("{name} {path}:\n{}\n{after}", before[&(*name, path)]));
        }
    }
    assert!(tell.is_empty(), "{} answers depend on what is masked: {}", tell.len(), tell[0]);
}

async fn nobody_finds_or_orders_by_a_masked_value(service: &Service) {
    change(service, 1).await;
    let readers = masked_readers(service).await;
    let [cda, organisation] = values(1);
    let mut said = Vec::new();
    for value in [cda, organisation].iter().flat_map(|values| values.as_object().unwrap().values()) {
        let value = value.as_str().unwrap();
        // As it is, its beginning, and without what is shown.
        said.extend(
            [
                value,
                &value[..value.len() - 4],
                value.split('@').next().unwrap(),
                value.trim_start_matches("+98"),
            ]
            .map(str::to_owned),
        );
    }
    let mut found = 0;
    for operation in guarded().iter().filter(|operation| {
        operation.method == Method::GET && operation.takes("sort") && !operation.pattern.contains('{')
    }) {
        let names = operation.document["parameters"]
            .as_array()
            .unwrap()
            .iter()
            .map(|parameter| parameter["name"].as_str().unwrap_or_default());
        assert!(
            names.clone().all(|name| !MASKED.contains(&name)),
            "{} filters by what is masked",
            operation.id()
        );
        for (name, reader) in &readers {
            if reader.get(operation.pattern).await.status == 403 {
                continue;
            }
            for field in MASKED {
                for question in
                    [format!("sort={field}"), format!("sort=-{field}"), format!("{field}={}", said[0])]
                {
                    let refused = reader.get(&format!("{}?{question}", operation.pattern)).await;
                    assert_eq!(refused.status, 400, "{name} {} {question}: {}", operation.id(), refused.text);
                }
            }
            for query in said.iter().filter(|_| operation.takes("q")) {
                let request = reader
                    .request(Method::GET, operation.pattern)
                    .query(&[("q", query.as_str()), ("count", "true")]);
                let answer = reader.send(request).await;
                assert_eq!(
                    (answer.status, &answer.body["total"], &answer.body["items"]),
                    (200, &json!(0), &json!([])),
                    "{name} {query}: {}",
                    answer.text
                );
                found += 1;
            }
        }
    }
    assert!(found > 500, "only {found}");
}
