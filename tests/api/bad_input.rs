//! Bad bodies and query strings of every kind give a problem that names what is wrong: never a 500, never an
//! empty reply.

use khoosheh::api;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    conform, on_both, raw,
    support::{Answer, Client, Service},
    sweep::{Operation, Records, operations},
};

on_both!(
    malformed_json_is_located,
    every_broken_rule_is_named_at_once,
    numbers_keep_their_bounds,
    text_keeps_its_bounds,
    query_strings_are_read_strictly,
    every_field_of_every_body_is_checked,
);

const CLUSTERS: &str = "/api/v1/clusters";

/// Sends these bytes as the JSON of a new cluster.
async fn post_bytes(client: &Client, bytes: impl Into<Vec<u8>>) -> Answer {
    client
        .send(
            client
                .request(Method::POST, CLUSTERS)
                .header("content-type", "application/json")
                .body(bytes.into()),
        )
        .await
}

/// A cluster with one more field, or another value of one.
fn cluster_with(field: &str, value: Value) -> Value {
    let mut body = json!({"province": "IR-15", "name_fa": "ورشو", "isic": [{"code": "2599"}]});
    body[field] = value;
    body
}

async fn malformed_json_is_located(service: &Service) {
    let isipo = service.login("isipo").await;
    let deep = ["[".repeat(10_000), "]".repeat(10_000)].concat();
    let deep_field = format!("{{\"name_fa\": {}1{}}}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    for (body, line, column) in [
        ("", 1, 0),
        ("   \n ", 2, 1),
        ("{\"province\": \"IR-15\",\n \"name_fa\": }", 2, 13),
        ("{\"name_fa\": \"ورشو\"", 1, 22),
        ("{\"name_fa\": 'x'}", 1, 13),
        ("{} {}", 1, 4),
        ("{\"name_fa\": \"\\ud800\"}", 1, 20),
        ("{\"employment_total\": 1e400}", 1, 26),
        ("{\"name_fa\": \"a\u{1}\"}", 1, 15),
        ("NaN", 1, 1),
        (&deep, 1, 128),
        (&deep_field, 1, 643),
    ] {
        let answer = post_bytes(&isipo, body).await;
        assert_eq!((answer.status, answer.code()), (400, "malformed_json"), "{body:.40}: {}", answer.text);
        assert_eq!(
            (&answer.body["line"], &answer.body["column"]),
            (&json!(line), &json!(column)),
            "{body:.40}: {}",
            answer.text
        );
    }
    let answer = post_bytes(&isipo, b"{\"name_fa\": \"\xff\xfe\"}".to_vec()).await;
    assert_eq!((answer.status, answer.code()), (400, "malformed_json"), "{}", answer.text);
    assert!(answer.body["detail"].as_str().unwrap().contains("UTF-8 from byte 13"), "{}", answer.text);
}

async fn every_broken_rule_is_named_at_once(service: &Service) {
    let isipo = service.login("isipo").await;
    let body = json!({
        "province": 15, "name_fa": ["سنگ"], "isic": "2396", "employment_total": "many", "employment_female": -1, "export_usd": 7,
        "identified_on": "1392-13-01", "location": {"latitude": "north", "longitude": 200, "altitude": 1}, "aliases": [1, ""],
        "external_refs": [{"system": 1}], "surprise/~": true,
    });
    let answer = isipo.post(CLUSTERS, body).await;
    assert_eq!((answer.status, answer.code()), (422, "validation_failed"));
    assert_eq!(
        answer.errors(),
        [
            ("/aliases/0", "wrong_type"),
            ("/aliases/1", "too_short"),
            ("/aliases/1", "wrong_pattern"),
            ("/employment_female", "too_small"),
            ("/employment_total", "wrong_type"),
            ("/export_usd", "wrong_type"),
            ("/external_refs/0/key", "required"),
            ("/external_refs/0/system", "wrong_type"),
            ("/identified_on", "no_such_day"),
            ("/isic", "wrong_type"),
            ("/location/altitude", "unknown_field"),
            ("/location/latitude", "wrong_type"),
            ("/location/longitude", "too_large"),
            ("/name_fa", "wrong_type"),
            ("/province", "not_in_list"),
            ("/province", "wrong_type"),
            ("/surprise~1~0", "unknown_field"),
        ],
        "{}",
        answer.text
    );
    for body in [json!([]), json!("ورشو"), json!(null), json!(1)] {
        let answer = isipo.post(CLUSTERS, body).await;
        assert_eq!((answer.status, answer.errors()), (422, vec![("", "wrong_type")]), "{}", answer.text);
    }
    let empty = isipo.post(CLUSTERS, json!({})).await;
    assert_eq!(empty.errors(), [("/isic", "required"), ("/name_fa", "required"), ("/province", "required")]);
    let persian = isipo
        .send(isipo.request(Method::POST, CLUSTERS).header("accept-language", "fa").json(&json!({})))
        .await;
    assert_eq!(persian.errors(), empty.errors(), "the codes are the same in every language");
}

async fn numbers_keep_their_bounds(service: &Service) {
    let isipo = service.login("isipo").await;
    for (body, code) in [
        ("{\"employment_total\": 9223372036854775808}", "too_large"),
        ("{\"employment_total\": 1e300}", "too_large"),
        ("{\"employment_total\": 100000001}", "too_large"),
        ("{\"employment_total\": -1}", "too_small"),
        ("{\"employment_total\": -9223372036854775809}", "too_small"),
        ("{\"employment_total\": 1.5}", "wrong_type"),
        ("{\"employment_total\": true}", "wrong_type"),
        ("{\"employment_total\": \"12\"}", "wrong_type"),
        ("{\"export_usd\": \"9223372036854775808\"}", "wrong_format"),
        ("{\"export_usd\": \"-1\"}", "wrong_pattern"),
        ("{\"export_usd\": \"1.5\"}", "wrong_pattern"),
        ("{\"export_usd\": 12}", "wrong_type"),
        ("{\"location\": {\"latitude\": 90.001, \"longitude\": 0}}", "too_large"),
    ] {
        let answer = post_bytes(&isipo, body).await;
        let field = body.split('"').nth(1).unwrap();
        let named = answer
            .errors()
            .into_iter()
            .any(|(pointer, found)| pointer.starts_with(&format!("/{field}")) && found == code);
        assert!(answer.status == 422 && named, "{body} should be {code}: {}", answer.text);
    }
    // A whole number may be written as a float (JSON does not tell them apart).
    let whole =
        post_bytes(&isipo, cluster_with("employment_total", json!(12)).to_string().replace("12}", "1.2e1}"))
            .await;
    assert_eq!((whole.status, &whole.body["employment_total"]), (201, &json!(12)), "{}", whole.text);
}

async fn text_keeps_its_bounds(service: &Service) {
    let isipo = service.login("isipo").await;
    let long = |length: usize| "ن".repeat(length);
    for (field, value, errors) in [
        ("name_fa", json!(long(201)), vec![("/name_fa", "too_long")]),
        ("name_fa", json!(""), vec![("/name_fa", "too_short"), ("/name_fa", "wrong_pattern")]),
        (
            "name_fa",
            json!(" \u{200c}\u{200f} "),
            vec![("/name_fa", "wrong_format"), ("/name_fa", "wrong_pattern")],
        ),
        ("name_fa", json!("و\0رشو"), vec![("/name_fa", "nul_character")]),
        ("aliases", json!(["ورشو", "و\0رشو"]), vec![("/aliases/1", "nul_character")]),
        ("aliases", json!(vec![long(1); 21]), vec![("/aliases", "too_many_items")]),
        ("isic", json!([]), vec![("/isic", "too_few_items")]),
        ("isic", json!([{"code": "9999"}]), vec![("/isic/0/code", "not_in_list")]),
        ("isic", json!([{"code": "2599"}, {"code": "2599"}]), vec![("/isic/1/code", "repeated_items")]),
        ("province", json!("IR-99"), vec![("/province", "not_in_list")]),
        ("code", json!("کد"), vec![("/code", "wrong_pattern")]),
    ] {
        let answer = isipo.post(CLUSTERS, cluster_with(field, value)).await;
        assert_eq!((answer.status, answer.errors()), (422, errors), "{}", answer.text);
    }
    assert_eq!(
        isipo.post(CLUSTERS, cluster_with("name_fa", json!(long(200)))).await.status,
        201,
        "200 letters, whatever their bytes"
    );
    // An unknown member with a NUL in its name is named, too.
    let answer = isipo.post(CLUSTERS, cluster_with("a\0b", json!(1))).await;
    assert_eq!((answer.status, answer.errors()), (422, vec![("/a\0b", "unknown_field")]), "{}", answer.text);
}

async fn query_strings_are_read_strictly(service: &Service) {
    let isipo = service.login("isipo").await;
    for (query, errors) in [
        ("surprise=1", vec![("/surprise", "unknown_parameter")]),
        ("Q=سنگ", vec![("/Q", "unknown_parameter")]),
        ("state=sleeping", vec![("/state/0", "not_in_list")]),
        ("state=", vec![("/state/0", "not_in_list")]),
        ("state=candidate,,identified", vec![("/state/1", "not_in_list")]),
        ("state=candidate&state=identified", vec![("/state", "repeated")]),
        ("page_size=0", vec![("/page_size", "too_small")]),
        ("page_size=201", vec![("/page_size", "too_large")]),
        ("page_size=-1", vec![("/page_size", "too_small")]),
        ("page_size=1.5", vec![("/page_size", "wrong_type")]),
        ("page_size=99999999999999999999", vec![("/page_size", "wrong_type")]),
        ("count=yes", vec![("/count", "wrong_type")]),
        ("sort=employment", vec![("/sort/0", "not_in_list")]),
        ("fields=name_fa,password", vec![("/fields/1", "not_in_list")]),
        ("q=", vec![("/q", "wrong_pattern")]),
        ("q=a%00", vec![("/q", "nul_character")]),
        ("q=a%00b&state=x", vec![("/q", "nul_character"), ("/state/0", "not_in_list")]),
        ("updated_since=yesterday", vec![("/updated_since", "wrong_format")]),
        (
            "identified_by=1392/12/29",
            vec![("/identified_by", "wrong_format"), ("/identified_by", "wrong_pattern")],
        ),
        ("calendar=lunar", vec![("/calendar", "not_in_list")]),
        ("format=pdf", vec![("/format", "not_in_list")]),
    ] {
        let answer = isipo.get(&format!("{CLUSTERS}?{query}")).await;
        assert_eq!(
            (answer.status, answer.code(), answer.errors()),
            (400, "invalid_parameter", errors),
            "{query}: {}",
            answer.text
        );
        assert!(
            answer.body["errors"].as_array().unwrap().iter().all(|error| error["in"] == "query"),
            "{query}: {}",
            answer.text
        );
    }
    let no_day = isipo.get(&format!("{CLUSTERS}?identified_by=1392-12-30&calendar=persian")).await;
    assert_eq!(
        (no_day.status, no_day.errors()),
        (422, vec![("/identified_by", "no_such_day")]),
        "{}",
        no_day.text
    );
    for query in ["q=%FF", "q=%D8", "%C0%80=1", "q=%ZZ", "q=%", "q=%2", "q=%u0633"] {
        let answer = raw::send(&isipo, "GET", &format!("{CLUSTERS}?{query}"), &[], b"").await;
        assert_eq!((answer.status, answer.code()), (400, "invalid_parameter"), "{query}: {}", answer.text);
    }
    for cursor in ["x", "%25", "eyJzb3J0IjoiaWQifQ", "AAAA"] {
        let answer = isipo.get(&format!("{CLUSTERS}?cursor={cursor}")).await;
        assert_eq!((answer.status, answer.code()), (400, "invalid_cursor"), "{cursor}: {}", answer.text);
    }
}

/// Every field of every body gets null, values of other types and far too much text. What its schema does not
/// allow is named by its pointer.
async fn every_field_of_every_body_is_checked(service: &Service) {
    let admin = service.login("admin").await;
    let records = Records::make(service, "IR-15").await;
    let bad_values = [
        json!(null),
        json!(true),
        json!(-1.5),
        json!(1e300),
        json!(""),
        json!("و\0"),
        json!("x".repeat(5_000)),
        json!([null]),
        json!({"x": 1}),
    ];
    let mut refused = 0;
    for operation in operations().iter().filter(|operation| !operation.media_types().is_empty()) {
        let media_type = operation.media_types()[0];
        let media = &operation.document["requestBody"]["content"][media_type];
        let schema = &api::document()
            .pointer(media["schema"]["$ref"].as_str().unwrap().trim_start_matches('#'))
            .unwrap();
        for (field, schema) in schema["properties"].as_object().into_iter().flatten() {
            let is_allowed = conform::schema(schema);
            for value in &bad_values {
                let mut body = media["example"].clone();
                body[field] = value.clone();
                let answer = send_as(&admin, operation, &records, media_type, &body).await;
                let place = format!("{} {field}={:.60}: {}", operation.id(), value.to_string(), answer.text);
                assert!((200..500).contains(&answer.status), "{place}");
                let is_form = media_type.contains("form");
                let is_refused = if is_form {
                    value.as_str().is_some_and(|text| text.len() > 1)
                } else {
                    !is_allowed.is_valid(value) || *value == "و\0"
                };
                if is_refused {
                    assert!(matches!(answer.status, 400 | 422), "{place}");
                    assert!(
                        answer.errors().iter().any(|(pointer, _)| pointer.starts_with(&format!("/{field}"))),
                        "{place}"
                    );
                    refused += 1;
                } else if !is_form {
                    assert_ne!(answer.status, 400, "the document takes it: {place}");
                }
            }
        }
    }
    assert!(refused > 1_500, "only {refused} values were refused: the sweep has lost its way");
}

async fn send_as(
    client: &Client,
    operation: &Operation,
    records: &Records,
    media_type: &str,
    body: &Value,
) -> Answer {
    let request = operation.request(client, &operation.path_to(records), "*");
    client
        .send(if media_type.contains("form") {
            let pairs = body.as_object().unwrap().iter().map(|(name, value)| {
                (name.as_str(), value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            });
            request.form(&pairs.collect::<Vec<_>>())
        } else {
            request.header("content-type", media_type).body(body.to_string())
        })
        .await
}
