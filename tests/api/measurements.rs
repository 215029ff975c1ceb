//! Measurements: their values, their periods, and the indicators that they are of.

use khoosheh::persian::Date;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    indicators::{INDICATORS, coded, indicator},
    on_both,
    projects::{PROJECTS, comes_in_order, made, project, stone},
    support::{Answer, Client, Service},
};

on_both!(
    a_measurement_is_recorded_changed_and_deleted,
    values_are_exact,
    a_period_fits_its_indicator,
    a_period_does_not_follow_the_calendar,
    there_is_one_value_of_a_kind_for_each_period,
    a_measured_indicator_stays_what_it_is,
    measurements_belong_to_a_project_and_to_those_who_work_in_it,
    filters_of_measurements_let_through_what_they_name,
    measurements_are_listed_in_every_documented_order,
);

pub const MEASUREMENTS: &str = "/api/v1/measurements";

/// What a measurement of a project (its path) needs.
pub async fn measurement(client: &Client, project: &str, code: &str, kind: &str, period: &str) -> Value {
    let project_id = project.rsplit('/').next().unwrap();
    json!({"project_id": project_id, "indicator_id": coded(client, code).await, "kind": kind, "period": period, "value": "7"})
}

async fn measured(client: &Client, project: &str, code: &str, kind: &str, period: &str) -> Answer {
    made(client, MEASUREMENTS, measurement(client, project, code, kind, period).await).await
}

async fn a_measurement_is_recorded_changed_and_deleted(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let stone = stone(&lorestan).await;
    let mut input = measurement(&lorestan, &stone, "MARKET-EXPORT", "actual", "1393-H2").await;
    let more = json!({"value": "120.5", "source": "گمرک", "note": "قطعی", "external_refs": [{"system": "erp", "key": "7"}]});
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let created = made(&lorestan, MEASUREMENTS, input.clone()).await;
    let path = created.header("location");
    for (field, value) in input.as_object().unwrap() {
        assert_eq!(&created.body[field], value, "{field}");
    }
    let shown = ["province", "period_start", "period_end"].map(|field| created.body[field].as_str().unwrap());
    assert_eq!(shown, ["IR-15", "2014-09-23", "2015-03-20"]);
    assert_eq!(lorestan.get(path).await.body, created.body);
    let whole = lorestan.get(&format!("{path}?include=indicator,project")).await;
    assert_eq!(
        (&whole.body["indicator"]["code"], &whole.body["project"]["code"]),
        (&json!("MARKET-EXPORT"), &json!("15-P-0001"))
    );

    let changed = lorestan
        .patch(path, created.etag(), json!({"value": "130", "note": null, "period": "1394-H1"}))
        .await;
    assert_eq!(
        (&changed.body["value"], &changed.body["note"]),
        (&json!("130"), &Value::Null),
        "{}",
        changed.text
    );
    assert_eq!(
        (&changed.body["period_start"], &changed.body["period_end"]),
        (&json!("2015-03-21"), &json!("2015-09-22"))
    );
    assert_eq!(lorestan.patch(path, created.etag(), json!({"value": "1"})).await.code(), "stale_version");
    let by_ref = format!("{MEASUREMENTS}/by-ref/erp/7");
    assert_eq!(lorestan.get(&by_ref).await.body, changed.body);
    let bare = measurement(&lorestan, &stone, "MARKET-EXPORT", "target", "1395").await;
    let replaced = lorestan
        .send(lorestan.request(Method::PUT, &by_ref).header("if-match", changed.etag()).json(&bare))
        .await;
    assert_eq!(
        (replaced.status, &replaced.body["source"], &replaced.body["kind"]),
        (200, &Value::Null, &json!("target")),
        "{}",
        replaced.text
    );
    let table = lorestan.get(&format!("{MEASUREMENTS}?calendar=persian&format=csv")).await;
    assert!(table.text.contains(",1395,1395-01-01,1395-12-30,7,"), "{}", table.text);

    assert_eq!(lorestan.delete(path, created.etag()).await.status, 412);
    for status in [204, 204] {
        assert_eq!(lorestan.delete(path, replaced.etag()).await.status, status);
    }
    assert_eq!(lorestan.get(path).await.status, 404);
    let history = lorestan.get(&format!("{path}/history?calendar=persian")).await;
    assert_eq!(history.items("kind"), ["created", "updated", "updated", "deleted"]);
    assert!(
        history.text.contains(r#"{"field":"period_start","from":"1393-07-01","to":"1394-01-01"}"#),
        "{}",
        history.text
    );
}

async fn values_are_exact(service: &Service) {
    let isipo = service.login("isipo").await;
    let stone = stone(&isipo).await;
    made(&isipo, INDICATORS, indicator("EXACT", json!({"decimals": 6, "frequency": "year"}))).await;
    let created = measured(&isipo, &stone, "EXACT", "actual", "1393").await;
    for (given, kept) in [
        ("999999999999.999999", "999999999999.999999"),
        ("-999999999999.999999", "-999999999999.999999"),
        ("-0.000001", "-0.000001"),
        ("0.1", "0.1"),
        ("12.500", "12.5"),
        ("-0.0", "0"),
    ] {
        let changed = isipo.patch(created.header("location"), "*", json!({"value": given})).await;
        assert_eq!((changed.status, &changed.body["value"]), (200, &json!(kept)), "{given}");
        assert_eq!(isipo.get(created.header("location")).await.body, changed.body, "{given}");
    }
    for (wrong, code) in [
        (json!("1000000000000"), "wrong_pattern"),
        (json!("0.0000001"), "wrong_pattern"),
        (json!("1e3"), "wrong_pattern"),
        (json!("۱۲"), "wrong_pattern"),
        (json!("07"), "wrong_pattern"),
        (json!(12.5), "wrong_type"),
    ] {
        let refused = isipo.patch(created.header("location"), "*", json!({"value": wrong})).await;
        assert_eq!((refused.status, refused.errors()), (422, vec![("/value", code)]), "{wrong}");
    }
    // Exports have one decimal.
    let exports = measured(&isipo, &stone, "MARKET-EXPORT", "target", "1395").await;
    for (value, status) in [("1.5", 200), ("1.50", 200), ("1.55", 422), ("-1.000001", 422)] {
        let answer = isipo.patch(exports.header("location"), "*", json!({"value": value})).await;
        let errors = if status == 200 { vec![] } else { vec![("/value", "too_many_decimals")] };
        assert_eq!((answer.status, answer.errors()), (status, errors), "{value}");
    }
}

async fn a_period_fits_its_indicator(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let stone = stone(&lorestan).await;
    let (year, month, _) = Date::today_in_iran().persian();
    let now = [
        format!("{year}-{month:02}"),
        format!("{year}-Q{}", month.div_ceil(3)),
        format!("{year}-H{}", month.div_ceil(6)),
        year.to_string(),
    ];
    let next = (year + 1).to_string();
    for (code, fitting) in [("INFO-VISITS", 0), ("JOINT-COUNT", 1), ("MARKET-EXPORT", 2), ("SCALE-SALES", 3)]
    {
        for (length, period) in now.iter().enumerate() {
            let input = measurement(&lorestan, &stone, code, "actual", period).await;
            let answer = lorestan.post(MEASUREMENTS, input).await;
            let expected =
                if length == fitting { (201, vec![]) } else { (422, vec![("/period", "wrong_frequency")]) };
            assert_eq!((answer.status, answer.errors()), expected, "{code} {period}");
            for kind in ["baseline", "target"] {
                measured(&lorestan, &stone, code, kind, period).await;
            }
        }
        let future = ["-01", "-Q1", "-H1", ""][fitting];
        let refused = lorestan
            .post(
                MEASUREMENTS,
                measurement(&lorestan, &stone, code, "actual", &format!("{next}{future}")).await,
            )
            .await;
        assert_eq!((refused.status, refused.errors()), (422, vec![("/period", "in_future")]), "{code}");
        let target = measured(&lorestan, &stone, code, "target", &format!("{next}{future}")).await;
        let refused = lorestan.patch(target.header("location"), "*", json!({"kind": "actual"})).await;
        assert_eq!(refused.errors(), [("/period", "in_future")], "{code}");
    }
    for wrong in [
        "1393-Q5",
        "1393-H3",
        "1393-13",
        "1393-00",
        "1393-1",
        "2014",
        "93",
        "1393-q1",
        "1393-01-01",
        "۱۳۹۳",
        "",
    ] {
        let refused = lorestan
            .post(MEASUREMENTS, measurement(&lorestan, &stone, "SCALE-SALES", "target", wrong).await)
            .await;
        assert_eq!((refused.status, refused.errors()), (422, vec![("/period", "wrong_pattern")]), "{wrong}");
    }
    let mut all_wrong = measurement(&lorestan, &stone, "SCALE-SALES", "actual", "1393-Q1").await;
    all_wrong["value"] = json!("0.5");
    let refused = lorestan.post(MEASUREMENTS, all_wrong).await;
    assert_eq!(
        refused.errors(),
        [("/period", "wrong_frequency"), ("/value", "too_many_decimals")],
        "all broken rules at once"
    );
}

async fn a_period_does_not_follow_the_calendar(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let stone = stone(&lorestan).await;
    let input = measurement(&lorestan, &stone, "SCALE-SALES", "actual", "1403").await;
    let created = made(&lorestan, &format!("{MEASUREMENTS}?calendar=persian"), input).await;
    let shown = |answer: &Answer| {
        ["period", "period_start", "period_end"].map(|field| answer.body[field].as_str().unwrap().to_owned())
    };
    assert_eq!(shown(&created), ["1403", "1403-01-01", "1403-12-30"]);
    assert_eq!(shown(&lorestan.get(created.header("location")).await), ["1403", "2024-03-20", "2025-03-20"]);
}

async fn there_is_one_value_of_a_kind_for_each_period(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let (stone, olive) = (stone(&lorestan).await, project(&lorestan, "زیتون", json!({})).await);
    let first = measured(&lorestan, &stone, "SCALE-SALES", "actual", "1393").await;
    let again = measurement(&lorestan, &stone, "SCALE-SALES", "actual", "1393").await;
    let taken = lorestan.post(MEASUREMENTS, again.clone()).await;
    assert_eq!(
        (taken.status, taken.code(), taken.errors()),
        (409, "duplicate", vec![("/period", "duplicate")])
    );
    for (project, code, kind, period) in [
        (stone.as_str(), "SCALE-SALES", "baseline", "1393"),
        (&stone, "SCALE-SALES", "target", "1393"),
        (&stone, "SCALE-SALES", "actual", "1394"),
        (&stone, "COST-UNIT", "actual", "1393"),
        (olive.header("location"), "SCALE-SALES", "actual", "1393"),
    ] {
        measured(&lorestan, project, code, kind, period).await;
    }
    let other = measured(&lorestan, &stone, "SCALE-SALES", "actual", "1392").await;
    let moved = lorestan.patch(other.header("location"), "*", json!({"period": "1393"})).await;
    assert_eq!((moved.status, moved.errors()), (409, vec![("/period", "duplicate")]));
    assert_eq!(lorestan.delete(first.header("location"), "*").await.status, 204);
    made(&lorestan, MEASUREMENTS, again).await;
}

async fn a_measured_indicator_stays_what_it_is(service: &Service) {
    let isipo = service.login("isipo").await;
    let stone = stone(&isipo).await;
    let own = made(&isipo, INDICATORS, indicator("OWN", json!({}))).await;
    let only = measured(&isipo, &stone, "OWN", "actual", "1393-Q1").await;
    let change = async |patch: Value| isipo.patch(own.header("location"), "*", patch).await;
    for refused in [
        change(json!({"frequency": "year"})).await,
        change(json!({"decimals": 1})).await,
        isipo.delete(own.header("location"), "*").await,
    ] {
        assert_eq!(
            (refused.status, refused.code(), &refused.body["referred_by"]),
            (409, "still_referred_to", &json!(["measurement"]))
        );
    }
    assert_eq!(change(json!({"decimals": 3, "name_en": "Own", "is_active": false})).await.status, 200);
    let inactive =
        isipo.post(MEASUREMENTS, measurement(&isipo, &stone, "OWN", "actual", "1393-Q2").await).await;
    assert_eq!((inactive.status, inactive.errors()), (422, vec![("/indicator_id", "inactive")]));
    assert_eq!(
        isipo.patch(only.header("location"), "*", json!({"value": "0.125"})).await.status,
        200,
        "what is there can be corrected"
    );
    assert_eq!(isipo.delete(only.header("location"), "*").await.status, 204);
    assert_eq!(change(json!({"frequency": "year", "decimals": 0})).await.status, 200);
    assert_eq!(isipo.delete(own.header("location"), "*").await.status, 204);
}

async fn measurements_belong_to_a_project_and_to_those_who_work_in_it(service: &Service) {
    let (isipo, lorestan, cda) =
        (service.login("isipo").await, service.login("lorestan").await, service.login("cda").await);
    let (stone, olive, pistachio) = (
        stone(&lorestan).await,
        project(&lorestan, "زیتون", json!({})).await,
        project(&isipo, "پسته", json!({})).await,
    );
    let own = measured(&cda, &stone, "SCALE-SALES", "baseline", "1392").await;
    assert_eq!(cda.patch(own.header("location"), "*", json!({"value": "8"})).await.status, 200);
    let others = measured(&lorestan, olive.header("location"), "SCALE-SALES", "baseline", "1392").await;
    for refused in [
        cda.post(
            MEASUREMENTS,
            measurement(&cda, olive.header("location"), "SCALE-SALES", "actual", "1393").await,
        )
        .await,
        cda.patch(others.header("location"), "*", json!({"value": "8"})).await,
        cda.delete(others.header("location"), "*").await,
    ] {
        assert_eq!((refused.status, refused.code()), (403, "not_assigned"), "{}", refused.text);
    }
    assert_eq!(cda.get(others.header("location")).await.status, 200);
    let supervisor = service.login("supervisor").await;
    assert_eq!(
        supervisor.patch(own.header("location"), "*", json!({"value": "8"})).await.code(),
        "forbidden"
    );

    let moved = lorestan.patch(own.header("location"), "*", json!({"project_id": olive.id()})).await;
    assert_eq!((moved.status, moved.errors()), (422, vec![("/project_id", "immutable")]));
    let mut input =
        measurement(&lorestan, pistachio.header("location"), "SCALE-SALES", "actual", "1393").await;
    let unknown = lorestan.post(MEASUREMENTS, input.clone()).await;
    assert_eq!((unknown.status, unknown.errors()), (422, vec![("/project_id", "unknown_record")]));
    input.as_object_mut().unwrap().remove("project_id");
    assert_eq!(lorestan.post(MEASUREMENTS, input.clone()).await.errors(), [("/project_id", "required")]);
    input["project_id"] = json!(olive.id());
    input["indicator_id"] = json!(olive.id());
    assert_eq!(lorestan.post(MEASUREMENTS, input).await.errors(), [("/indicator_id", "unknown_record")]);

    let kept = lorestan.delete(&format!("{PROJECTS}/{}", olive.id()), "*").await;
    assert_eq!((kept.status, &kept.body["referred_by"]), (409, &json!(["measurement"])));
    assert_eq!(lorestan.delete(own.header("location"), "*").await.status, 204);
}

async fn filters_of_measurements_let_through_what_they_name(service: &Service) {
    let (isipo, lorestan) = (service.login("isipo").await, service.login("lorestan").await);
    let (stone, pistachio) = (stone(&isipo).await, project(&isipo, "پسته", json!({})).await);
    for (project, code, kind, period) in [
        (stone.as_str(), "SCALE-SALES", "baseline", "1392"),
        (&stone, "SCALE-SALES", "actual", "1393"),
        (&stone, "JOINT-COUNT", "actual", "1393-Q1"),
        (&stone, "MARKET-EXPORT", "target", "1394-H1"),
        (pistachio.header("location"), "SCALE-SALES", "actual", "1393"),
    ] {
        measured(&isipo, project, code, kind, period).await;
    }
    let noted = isipo.get(&format!("{MEASUREMENTS}?kind=target")).await.items("id")[0].to_owned();
    assert_eq!(
        isipo.patch(&format!("{MEASUREMENTS}/{noted}"), "*", json!({"source": "گمرک ایران"})).await.status,
        200
    );
    let sales = coded(&isipo, "SCALE-SALES").await;
    for (query, periods, own) in [
        (String::new(), vec!["1392", "1393-Q1", "1393", "1393", "1394-H1"], 4),
        (format!("project_id={}", pistachio.id()), vec!["1393"], 0),
        (format!("indicator_id={sales}"), vec!["1392", "1393", "1393"], 2),
        ("theme=scale".into(), vec!["1392", "1393", "1393"], 2),
        ("theme=joint_action,target_market_presence".into(), vec!["1393-Q1", "1394-H1"], 2),
        ("theme=innovation".into(), vec![], 0),
        ("kind=actual".into(), vec!["1393-Q1", "1393", "1393"], 2),
        ("kind=baseline,target".into(), vec!["1392", "1394-H1"], 2),
        ("province=IR-08".into(), vec!["1393"], 0),
        ("period_from=1393-03-31".into(), vec!["1393-Q1", "1393", "1393", "1394-H1"], 3),
        ("period_from=1393-04-01&period_before=1394-01-01".into(), vec!["1393", "1393"], 1),
        ("period_before=1393-03-31".into(), vec!["1392"], 1),
        ("q=گمرك".into(), vec!["1394-H1"], 1),
    ] {
        let page =
            isipo.get(&format!("{MEASUREMENTS}?calendar=persian&sort=period_end&count=true&{query}")).await;
        assert_eq!(
            (page.items("period"), &page.body["total"]),
            (periods.clone(), &json!(periods.len())),
            "{query}"
        );
        assert_eq!(lorestan.count(&format!("{MEASUREMENTS}?calendar=persian&{query}")).await, own, "{query}");
    }
    for (query, error) in [
        ("kind=forecast", ("/kind/0", "not_in_list")),
        ("period=1393", ("/period", "unknown_parameter")),
        ("theme=water", ("/theme/0", "not_in_list")),
    ] {
        assert_eq!(isipo.get(&format!("{MEASUREMENTS}?{query}")).await.errors(), [error], "{query}");
    }
}

async fn measurements_are_listed_in_every_documented_order(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let stone = stone(&lorestan).await;
    for period in ["1394", "1392", "1393"] {
        for code in ["SCALE-SALES", "COST-UNIT"] {
            measured(&lorestan, &stone, code, "actual", period).await;
        }
    }
    let first = lorestan.get(MEASUREMENTS).await.items("id")[0].to_owned();
    assert_eq!(
        lorestan.patch(&format!("{MEASUREMENTS}/{first}"), "*", json!({"note": "؟"})).await.status,
        200
    );
    comes_in_order(&lorestan, MEASUREMENTS, &["period_end", "created_at", "updated_at", "id"]).await;
}
