//! Progress reports: written by the CDA, reviewed three times, and final once the nation has accepted them.

use khoosheh::persian::Date;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    measurements::{MEASUREMENTS, measurement},
    on_both,
    projects::{PROJECTS, comes_in_order, made, project, stone},
    support::{Answer, Client, Service},
};

on_both!(
    a_report_goes_from_draft_to_acceptance,
    every_state_of_a_report_leads_where_the_domain_says,
    each_role_takes_its_steps_and_no_others,
    a_quarter_is_over_before_it_is_submitted,
    what_is_under_review_does_not_change,
    every_rule_of_a_report_is_kept,
    there_is_one_report_of_a_quarter,
    an_accepted_quarter_is_locked,
    reports_belong_to_a_project_and_to_those_who_work_in_it,
    another_system_puts_reports_by_its_own_keys,
    filters_of_reports_let_through_what_they_name,
    reports_are_listed_in_every_documented_order,
);

pub const REPORTS: &str = "/api/v1/progress-reports";

/// What a report of a project (its path) needs; `more` adds to it.
fn report(project: &str, quarter: &str, more: Value) -> Value {
    let project_id = project.rsplit('/').next().unwrap();
    let mut input =
        json!({"project_id": project_id, "quarter": quarter, "narrative_fa": "دو نشست برگزار شد."});
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

async fn enter(client: &Client, path: &str, to: &str) -> Answer {
    client.transition(path, "*", json!({"to": to, "reason": "بررسی شد"})).await
}

/// A new report of a project that a national manager brings through these states.
async fn brought(isipo: &Client, project: &str, quarter: &str, way: &[&str]) -> String {
    let created = made(isipo, REPORTS, report(project, quarter, json!({}))).await;
    for state in way {
        let entered = enter(isipo, created.header("location"), state).await;
        assert_eq!(entered.status, 200, "{state}: {}", entered.text);
    }
    created.header("location").to_owned()
}

/// The quarters of some years that are over, each once.
fn quarters() -> impl Iterator<Item = String> {
    (1350..1394).flat_map(|year| (1..=4).map(move |quarter| format!("{year}-Q{quarter}")))
}

fn shown(answer: &Answer) -> Vec<&str> {
    answer.body["allowed_transitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|allowed| allowed["to"].as_str().unwrap())
        .collect()
}

async fn a_report_goes_from_draft_to_acceptance(service: &Service) {
    let (cda, supervisor) = (service.login("cda").await, service.login("supervisor").await);
    let (lorestan, isipo) = (service.login("lorestan").await, service.login("isipo").await);
    let project = stone(&cda).await;
    let issues = json!([{"text": "تأخیر اعتبار", "action": "پیگیری"}, {"text": "نبود برق", "action": null}]);
    let draft = report(
        &project,
        "1393-Q2",
        json!({"issues": issues, "external_refs": [{"system": "app", "key": "1"}]}),
    );
    let created = made(&cda, REPORTS, draft.clone()).await;
    let path = created.header("location");
    assert_eq!(path, format!("{REPORTS}/{}", created.id()));
    for (field, value) in draft.as_object().unwrap() {
        assert_eq!(&created.body[field], value, "{field}");
    }
    let expected = json!({
        "province": "IR-15", "state": "draft", "period_start": "2014-06-22", "period_end": "2014-09-22", "due_on": "2014-10-07",
        "submitted_on": null, "accepted_on": null, "allowed_transitions": [{"to": "submitted", "needs": [], "missing": []}],
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&created.body[field], value, "{field}");
    }
    assert_eq!(cda.get(path).await.body, created.body);
    let persian = cda.get(&format!("{path}?calendar=persian&include=project")).await;
    let days = ["quarter", "period_start", "period_end", "due_on"]
        .map(|field| persian.body[field].as_str().unwrap());
    assert_eq!(days, ["1393-Q2", "1393-04-01", "1393-06-31", "1393-07-15"]);
    assert_eq!(persian.body["project"]["code"], "15-P-0001");

    let step = async |client: &Client, to: &str, on: &str, more: Value| {
        let mut body = json!({"to": to, "effective_on": on});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = client.transition(path, "*", body).await;
        assert_eq!((answer.status, &answer.body["state"]), (200, &json!(to)), "{}", answer.text);
        [answer.body["submitted_on"].clone(), answer.body["accepted_on"].clone()]
    };
    assert_eq!(step(&cda, "submitted", "2014-10-01", json!({})).await, [json!("2014-10-01"), Value::Null]);
    assert_eq!(
        step(&supervisor, "returned", "2014-10-02", json!({"reason": "فهرست نیست"})).await,
        [Value::Null, Value::Null]
    );
    let rewritten = cda.patch(path, "*", json!({"narrative_fa": "سه نشست برگزار شد.", "issues": []})).await;
    assert_eq!((rewritten.status, &rewritten.body["issues"]), (200, &json!([])), "{}", rewritten.text);
    assert_eq!(step(&cda, "submitted", "2014-10-05", json!({})).await, [json!("2014-10-05"), Value::Null]);
    step(&supervisor, "supervisor_reviewed", "2014-10-06", json!({})).await;
    step(&lorestan, "province_approved", "2014-10-07", json!({})).await;
    assert_eq!(
        step(&isipo, "nationally_accepted", "2014-10-08", json!({})).await,
        [json!("2014-10-05"), json!("2014-10-08")]
    );
    let done = lorestan.get(path).await;
    assert_eq!((shown(&done).len(), &done.body["version"]), (0, &json!(8)));
    let history = lorestan.get(&format!("{path}/history")).await;
    let kinds = [
        "created",
        "transitioned",
        "transitioned",
        "updated",
        "transitioned",
        "transitioned",
        "transitioned",
        "transitioned",
    ];
    assert_eq!(history.items("kind"), kinds);
    assert!(!history.text.contains("allowed_transitions"));
}

/// What leads to each state, and what may follow.
const TABLE: [(&[&str], &[&str]); 6] = [
    (&[], &["submitted"]),
    (&["submitted"], &["supervisor_reviewed", "returned"]),
    (&["submitted", "supervisor_reviewed"], &["province_approved", "returned"]),
    (&["submitted", "supervisor_reviewed", "province_approved"], &["nationally_accepted", "returned"]),
    (&["submitted", "supervisor_reviewed", "province_approved", "nationally_accepted"], &[]),
    (&["submitted", "returned"], &["submitted"]),
];
const STATES: [&str; 6] =
    ["draft", "submitted", "supervisor_reviewed", "province_approved", "nationally_accepted", "returned"];

async fn every_state_of_a_report_leads_where_the_domain_says(service: &Service) {
    let isipo = service.login("isipo").await;
    let (project, mut quarters) = (stone(&isipo).await, quarters());
    for (way, next) in TABLE {
        let path = brought(&isipo, &project, &quarters.next().unwrap(), way).await;
        let now = isipo.get(&path).await;
        assert_eq!(shown(&now), next, "{}", now.body["state"]);
        for to in STATES.into_iter().filter(|to| !next.contains(to)) {
            let refused = enter(&isipo, &path, to).await;
            assert_eq!(
                (refused.status, refused.code(), &refused.body["allowed"]),
                (409, "transition_not_allowed", &json!(next)),
                "{to}"
            );
        }
        for to in next {
            let path = brought(&isipo, &project, &quarters.next().unwrap(), way).await;
            if *to == "returned" {
                let bare = isipo.transition(&path, "*", json!({"to": to})).await;
                assert_eq!((bare.status, bare.errors()), (422, vec![("/reason", "required")]));
            }
            assert_eq!(enter(&isipo, &path, to).await.body["state"], **to);
        }
        assert_eq!(isipo.get(&path).await.body, now.body, "nothing has happened");
    }
    let path = brought(&isipo, &project, "1379-Q1", &["submitted"]).await;
    let early = isipo
        .transition(&path, "*", json!({"to": "supervisor_reviewed", "effective_on": "2000-01-01"}))
        .await;
    assert_eq!((early.status, early.errors()), (422, vec![("/effective_on", "too_early")]));
    let stale = isipo.transition(&path, "\"1\"", json!({"to": "supervisor_reviewed"})).await;
    assert_eq!((stale.status, stale.code()), (412, "stale_version"));
}

/// The CDA submits, the supervisor reviews, the province approves, the nation accepts; whoever may do a
/// review may return too.
async fn each_role_takes_its_steps_and_no_others(service: &Service) {
    let isipo = service.login("isipo").await;
    let (assigned, other) = (stone(&isipo).await, project(&isipo, "زیتون", json!({})).await);
    let (other, mut quarters) = (other.header("location"), quarters());
    let steps: [(&str, &[&str]); 8] = [
        ("submitted", &[]),
        ("submitted", &["submitted", "returned"]),
        ("supervisor_reviewed", &["submitted"]),
        ("returned", &["submitted"]),
        ("province_approved", &["submitted", "supervisor_reviewed"]),
        ("returned", &["submitted", "supervisor_reviewed"]),
        ("nationally_accepted", &["submitted", "supervisor_reviewed", "province_approved"]),
        ("returned", &["submitted", "supervisor_reviewed", "province_approved"]),
    ];
    let [yes, no, not_assigned, nowhere] =
        [(200, ""), (403, "forbidden"), (403, "not_assigned"), (404, "not_found")];
    for (who, project, expected) in [
        ("cda", assigned.as_str(), [yes, yes, no, no, no, no, no, no]),
        ("cda", other, [not_assigned; 8]),
        ("supervisor", assigned.as_str(), [no, no, yes, yes, no, no, no, no]),
        ("supervisor", other, [not_assigned; 8]),
        ("lorestan", other, [yes, yes, yes, yes, yes, yes, no, no]),
        ("integrator", other, [yes, yes, yes, yes, yes, yes, no, no]),
        ("isipo", other, [yes; 8]),
        ("ministry", other, [no; 8]),
        ("lorestan-viewer", assigned.as_str(), [no; 8]),
        ("kerman", assigned.as_str(), [nowhere; 8]),
    ] {
        let client =
            if who == "integrator" { service.login_integrator().await } else { service.login(who).await };
        for ((to, way), expected) in steps.into_iter().zip(expected) {
            let quarter = quarters.next().unwrap_or_else(|| panic!("more quarters are needed"));
            let path = brought(&isipo, project, &quarter, way).await;
            let before = isipo.get(&path).await;
            let answer = enter(&client, &path, to).await;
            assert_eq!((answer.status, answer.code()), expected, "{who}: {} to {to}", before.body["state"]);
            let now = if expected == yes { json!(to) } else { before.body["state"].clone() };
            assert_eq!(isipo.get(&path).await.body["state"], now, "{who}: {to}");
        }
    }
}

async fn a_quarter_is_over_before_it_is_submitted(service: &Service) {
    let cda = service.login("cda").await;
    let project = stone(&cda).await;
    let past = made(&cda, REPORTS, report(&project, "1393-Q2", json!({}))).await;
    for (on, status) in [("2014-09-22", 409), ("2014-09-23", 200)] {
        let answer = cda
            .transition(past.header("location"), "*", json!({"to": "submitted", "effective_on": on}))
            .await;
        let missing = if status == 409 { vec!["quarter_not_over"] } else { vec![] };
        assert_eq!((answer.status, answer.missing()), (status, missing), "{on}: {}", answer.text);
    }
    let (year, month, _) = Date::today_in_iran().persian();
    let now =
        made(&cda, REPORTS, report(&project, &format!("{year}-Q{}", month.div_ceil(3)), json!({}))).await;
    let refused = enter(&cda, now.header("location"), "submitted").await;
    assert_eq!(
        (refused.status, refused.code(), refused.missing()),
        (409, "requirements_missing", vec!["quarter_not_over"])
    );
    assert_eq!(now.body["allowed_transitions"][0]["missing"][0]["code"], "quarter_not_over");
}

async fn what_is_under_review_does_not_change(service: &Service) {
    let isipo = service.login("isipo").await;
    let (project, mut quarters) = (stone(&isipo).await, quarters());
    for (way, _) in TABLE {
        let quarter = quarters.next().unwrap();
        let path = brought(&isipo, &project, &quarter, way).await;
        let (is_open, is_draft) = (way.is_empty() || way.last() == Some(&"returned"), way.is_empty());
        let changed = isipo.patch(&path, "*", json!({"narrative_fa": "چیز دیگر"})).await;
        let expected = if is_open { (200, "") } else { (409, "report_locked") };
        assert_eq!((changed.status, changed.code()), expected, "{way:?}: {}", changed.text);
        let deleted = isipo.delete(&path, "*").await;
        let expected = if is_draft { (204, "") } else { (409, "report_locked") };
        assert_eq!((deleted.status, deleted.code()), expected, "{way:?}: {}", deleted.text);
        assert_eq!(isipo.get(&path).await.status, if is_draft { 404 } else { 200 });
    }
}

async fn every_rule_of_a_report_is_kept(service: &Service) {
    let cda = service.login("cda").await;
    let project = stone(&cda).await;
    let created = made(&cda, REPORTS, report(&project, "1393-Q2", json!({}))).await;
    let next = format!("{}-Q1", Date::today_in_iran().persian().0 + 1);
    for (patch, errors) in [
        (json!({"quarter": "1393"}), vec![("/quarter", "wrong_pattern")]),
        (json!({"quarter": "1393-H1"}), vec![("/quarter", "wrong_pattern")]),
        (json!({"quarter": "1393-05"}), vec![("/quarter", "wrong_pattern")]),
        (json!({"quarter": "1393-Q5"}), vec![("/quarter", "wrong_pattern")]),
        (json!({"quarter": "2014-06-22"}), vec![("/quarter", "wrong_pattern")]),
        (json!({"quarter": 1393}), vec![("/quarter", "wrong_type")]),
        (json!({"quarter": null}), vec![("/quarter", "wrong_type")]),
        (json!({"quarter": next}), vec![("/quarter", "in_future")]),
        (json!({"narrative_fa": "؟!"}), vec![("/narrative_fa", "wrong_pattern")]),
        (json!({"narrative_fa": "خ".repeat(20_001)}), vec![("/narrative_fa", "too_long")]),
        (json!({"issues": [{"action": "پیگیری"}]}), vec![("/issues/0/text", "required")]),
        (json!({"issues": [{"text": "یک"}, {"text": " "}]}), vec![("/issues/1/text", "wrong_pattern")]),
        (json!({"issues": [{"text": "یک", "by": "من"}]}), vec![("/issues/0/by", "unknown_field")]),
        (json!({"issues": vec![json!({"text": "یک"}); 51]}), vec![("/issues", "too_many_items")]),
        (json!({"state": "submitted"}), vec![("/state", "unknown_field")]),
        (json!({"due_on": "2015-01-01"}), vec![("/due_on", "unknown_field")]),
    ] {
        let refused = cda.patch(created.header("location"), "*", patch.clone()).await;
        assert_eq!((refused.status, refused.errors()), (422, errors), "{patch}");
    }
    assert_eq!(
        cda.post(REPORTS, json!({})).await.errors(),
        [("/narrative_fa", "required"), ("/quarter", "required")]
    );
    let both = cda.post(REPORTS, json!({"quarter": next, "narrative_fa": "آینده"})).await;
    assert_eq!(
        both.errors(),
        [("/project_id", "required"), ("/quarter", "in_future")],
        "all broken rules at once"
    );
    let moved = cda.patch(created.header("location"), "*", json!({"quarter": "1394-Q4"})).await;
    let days = ["period_start", "period_end", "due_on"].map(|field| moved.body[field].as_str().unwrap());
    assert_eq!(
        days,
        ["2015-12-22", "2016-03-19", "2016-04-03"],
        "what follows from the quarter changes with it"
    );
}

async fn there_is_one_report_of_a_quarter(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let (stone, olive) = (stone(&lorestan).await, project(&lorestan, "زیتون", json!({})).await);
    let first = made(&lorestan, REPORTS, report(&stone, "1393-Q2", json!({}))).await;
    let again = lorestan.post(REPORTS, report(&stone, "1393-Q2", json!({}))).await;
    assert_eq!(
        (again.status, again.code(), again.errors()),
        (409, "duplicate", vec![("/quarter", "duplicate")])
    );
    made(&lorestan, REPORTS, report(olive.header("location"), "1393-Q2", json!({}))).await;
    let second = made(&lorestan, REPORTS, report(&stone, "1393-Q3", json!({}))).await;
    let moved = lorestan.patch(second.header("location"), "*", json!({"quarter": "1393-Q2"})).await;
    assert_eq!((moved.status, moved.errors()), (409, vec![("/quarter", "duplicate")]));
    assert_eq!(lorestan.delete(first.header("location"), "*").await.status, 204);
    made(&lorestan, REPORTS, report(&stone, "1393-Q2", json!({}))).await;
}

async fn an_accepted_quarter_is_locked(service: &Service) {
    let (isipo, cda) = (service.login("isipo").await, service.login("cda").await);
    let (stone, olive) = (stone(&isipo).await, project(&isipo, "زیتون", json!({})).await);
    let value = async |project: &str, code: &str, kind: &str, period: &str| {
        measurement(&isipo, project, code, kind, period).await
    };
    // Those of the quarter, of a half and a year that end in it, and of what lies beside it.
    let quarter = made(&cda, MEASUREMENTS, value(&stone, "JOINT-COUNT", "actual", "1393-Q2").await).await;
    let half = made(&cda, MEASUREMENTS, value(&stone, "MARKET-EXPORT", "actual", "1393-H1").await).await;
    let target = made(&cda, MEASUREMENTS, value(&stone, "JOINT-COUNT", "target", "1393-Q2").await).await;
    let before = made(&cda, MEASUREMENTS, value(&stone, "JOINT-COUNT", "actual", "1393-Q1").await).await;
    let year = made(&cda, MEASUREMENTS, value(&stone, "SCALE-SALES", "actual", "1393").await).await;
    let elsewhere =
        made(&isipo, MEASUREMENTS, value(olive.header("location"), "JOINT-COUNT", "actual", "1393-Q2").await)
            .await;
    let all = [&quarter, &half, &target, &before, &year, &elsewhere];
    let path =
        brought(&isipo, &stone, "1393-Q2", &["submitted", "supervisor_reviewed", "province_approved"]).await;
    for one in all {
        assert_eq!(
            isipo.patch(one.header("location"), "*", json!({"value": "8"})).await.status,
            200,
            "not yet"
        );
    }
    assert_eq!(enter(&isipo, &path, "nationally_accepted").await.status, 200);

    let is_locked = |answer: Answer| {
        assert_eq!((answer.status, answer.code()), (409, "period_locked"), "{}", answer.text)
    };
    for one in [&quarter, &half] {
        for client in [&isipo, &cda] {
            is_locked(client.patch(one.header("location"), "*", json!({"value": "9"})).await);
            is_locked(
                client
                    .patch(one.header("location"), "*", json!({"kind": "target", "period": "1395-Q1"}))
                    .await,
            );
            is_locked(client.delete(one.header("location"), "*").await);
        }
        assert_eq!(cda.get(one.header("location")).await.body["value"], "8");
    }
    is_locked(cda.post(MEASUREMENTS, value(&stone, "INFO-VISITS", "actual", "1393-06").await).await);
    is_locked(cda.post(MEASUREMENTS, value(&stone, "INFO-VISITS", "actual", "1393-04").await).await);
    is_locked(cda.patch(before.header("location"), "*", json!({"period": "1393-Q2"})).await);
    is_locked(cda.patch(target.header("location"), "*", json!({"kind": "actual"})).await);
    for period in ["1393-03", "1393-07"] {
        made(&cda, MEASUREMENTS, value(&stone, "INFO-VISITS", "actual", period).await).await;
    }
    for one in [&target, &before, &year, &elsewhere] {
        assert_eq!(
            isipo.patch(one.header("location"), "*", json!({"value": "9"})).await.status,
            200,
            "{}",
            one.text
        );
        assert_eq!(isipo.delete(one.header("location"), "*").await.status, 204);
    }
}

async fn reports_belong_to_a_project_and_to_those_who_work_in_it(service: &Service) {
    let (isipo, lorestan, cda) =
        (service.login("isipo").await, service.login("lorestan").await, service.login("cda").await);
    let supervisor = service.login("supervisor").await;
    let (stone, olive) = (stone(&lorestan).await, project(&lorestan, "زیتون", json!({})).await);
    let pistachio = project(&isipo, "پسته", json!({})).await;
    let own = made(&cda, REPORTS, report(&stone, "1393-Q1", json!({}))).await;
    let others = made(&lorestan, REPORTS, report(olive.header("location"), "1393-Q1", json!({}))).await;
    for refused in [
        cda.post(REPORTS, report(olive.header("location"), "1393-Q2", json!({}))).await,
        cda.patch(others.header("location"), "*", json!({"narrative_fa": "نه"})).await,
        cda.delete(others.header("location"), "*").await,
    ] {
        assert_eq!((refused.status, refused.code()), (403, "not_assigned"), "{}", refused.text);
    }
    assert_eq!(cda.get(others.header("location")).await.status, 200);
    assert_eq!(
        supervisor.patch(own.header("location"), "*", json!({"narrative_fa": "نه"})).await.code(),
        "forbidden"
    );
    let unknown = lorestan.post(REPORTS, report(pistachio.header("location"), "1393-Q1", json!({}))).await;
    assert_eq!((unknown.status, unknown.errors()), (422, vec![("/project_id", "unknown_record")]));
    let moved = lorestan.patch(own.header("location"), "*", json!({"project_id": olive.id()})).await;
    assert_eq!((moved.status, moved.errors()), (422, vec![("/project_id", "immutable")]));
    let kept = lorestan.delete(&format!("{PROJECTS}/{}", olive.id()), "*").await;
    assert_eq!((kept.status, &kept.body["referred_by"]), (409, &json!(["progress_report"])));
    for status in [204, 204] {
        assert_eq!(cda.delete(own.header("location"), "*").await.status, status);
    }
    assert_eq!(
        cda.get(&format!("{}/history", own.header("location"))).await.items("kind"),
        ["created", "deleted"]
    );
}

async fn another_system_puts_reports_by_its_own_keys(service: &Service) {
    let erp = service.login_integrator().await;
    let (stone, path) = (stone(&erp).await, format!("{REPORTS}/by-ref/erp/7"));
    let created = erp.put(&path, report(&stone, "1393-Q2", json!({"issues": [{"text": "برق"}]}))).await;
    assert_eq!(
        (created.status, &created.body["issues"][0]["action"]),
        (201, &Value::Null),
        "{}",
        created.text
    );
    assert_eq!(erp.get(&path).await.body, created.body);
    assert_eq!(erp.put(&path, report(&stone, "1393-Q2", json!({}))).await.code(), "precondition_required");
    let put = |etag: &str| {
        erp.request(Method::PUT, &path).header("if-match", etag).json(&report(&stone, "1393-Q3", json!({})))
    };
    let replaced = erp.send(put(created.etag())).await;
    assert_eq!(
        (replaced.status, &replaced.body["issues"], &replaced.body["quarter"]),
        (200, &json!([]), &json!("1393-Q3"))
    );
    assert_eq!(enter(&erp, created.header("location"), "submitted").await.status, 200);
    assert_eq!(erp.send(put("*")).await.code(), "report_locked");
}

async fn filters_of_reports_let_through_what_they_name(service: &Service) {
    let (isipo, cda, supervisor) =
        (service.login("isipo").await, service.login("cda").await, service.login("supervisor").await);
    let (stone, olive, pistachio) = (
        stone(&isipo).await,
        project(&isipo, "زیتون", json!({})).await,
        project(&isipo, "پسته", json!({})).await,
    );
    for (project, quarter, way) in [
        (stone.as_str(), "1392-Q4", &["submitted", "supervisor_reviewed"][..]),
        (&stone, "1393-Q1", &["submitted"]),
        (&stone, "1393-Q2", &[]),
        (olive.header("location"), "1393-Q3", &["submitted"]),
        (pistachio.header("location"), "1393-Q4", &[]),
    ] {
        brought(&isipo, project, quarter, way).await;
    }
    let noted = isipo.get(&format!("{REPORTS}?quarter=1393-Q4")).await.items("id")[0].to_owned();
    let issue = json!({"issues": [{"text": "خشک‌سالي", "action": "آبیاری"}]});
    assert_eq!(isipo.patch(&format!("{REPORTS}/{noted}"), "*", issue).await.status, 200);
    for (query, quarters, own) in [
        (String::new(), vec!["1392-Q4", "1393-Q1", "1393-Q2", "1393-Q3", "1393-Q4"], 4),
        (format!("project_id={}", olive.id()), vec!["1393-Q3"], 1),
        ("state=submitted".into(), vec!["1393-Q1", "1393-Q3"], 2),
        ("state=draft,supervisor_reviewed".into(), vec!["1392-Q4", "1393-Q2", "1393-Q4"], 2),
        ("state=returned".into(), vec![], 0),
        ("province=IR-08".into(), vec!["1393-Q4"], 0),
        ("quarter=1393-Q2".into(), vec!["1393-Q2"], 1),
        ("quarter=1393-Q2,1392-Q4".into(), vec!["1392-Q4", "1393-Q2"], 2),
        ("mine=true".into(), vec!["1392-Q4", "1393-Q1", "1393-Q2", "1393-Q3", "1393-Q4"], 3),
        ("mine=true&state=submitted".into(), vec!["1393-Q1", "1393-Q3"], 1),
        ("q=خشکسالی".into(), vec!["1393-Q4"], 0),
        ("q=نشست".into(), vec!["1392-Q4", "1393-Q1", "1393-Q2", "1393-Q3", "1393-Q4"], 4),
    ] {
        let page = isipo.get(&format!("{REPORTS}?sort=period_end&count=true&{query}")).await;
        assert_eq!(
            (page.items("quarter"), &page.body["total"]),
            (quarters.clone(), &json!(quarters.len())),
            "{query}"
        );
        for client in [&cda, &supervisor] {
            assert_eq!(client.count(&format!("{REPORTS}?{query}")).await, own, "{query}");
        }
    }
    for (query, error) in [
        ("state=lost", ("/state/0", "not_in_list")),
        ("quarter=1393-Q1,1393-H1", ("/quarter/1", "wrong_pattern")),
        ("sort=due_on", ("/sort/0", "not_in_list")),
    ] {
        assert_eq!(isipo.get(&format!("{REPORTS}?{query}")).await.errors(), [error], "{query}");
    }
}

async fn reports_are_listed_in_every_documented_order(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let (stone, olive) = (stone(&lorestan).await, project(&lorestan, "زیتون", json!({})).await);
    for quarter in ["1394-Q1", "1392-Q3", "1393-Q2"] {
        for project in [stone.as_str(), olive.header("location")] {
            made(&lorestan, REPORTS, report(project, quarter, json!({}))).await;
        }
    }
    let first = lorestan.get(REPORTS).await.items("id")[0].to_owned();
    assert_eq!(
        lorestan.patch(&format!("{REPORTS}/{first}"), "*", json!({"narrative_fa": "تازه"})).await.status,
        200
    );
    comes_in_order(&lorestan, REPORTS, &["period_end", "created_at", "updated_at", "id"]).await;
}
