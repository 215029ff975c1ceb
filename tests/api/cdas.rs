//! CDAs: their registration, certificates, states, and what keeps them from being deleted.

use std::sync::atomic::{AtomicU32, Ordering};

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    auth::{is_live, log_in},
    on_both,
    organisations::lives_and_dies,
    personal_data::in_script,
    support::{Answer, Client, PASSWORD, Service},
};

on_both!(
    a_cda_from_registration_to_tombstone,
    every_field_comes_back_as_it_was_given,
    certificates_keep_their_order_of_days,
    days_are_persian_within_certificates_too,
    states_follow_each_other_as_the_domain_says,
    a_change_of_state_has_its_day_and_reason,
    cdas_are_listed_and_found,
    another_system_keeps_its_cdas,
    a_province_keeps_its_own_cdas,
    a_national_code_belongs_to_one_cda_of_a_province,
    a_cda_at_work_stays,
    an_account_belongs_to_a_cda_of_its_province,
    an_account_and_its_cda_stay_in_one_province,
);

pub const CDAS: &str = "/api/v1/cdas";

/// A national code by the rule of the civil registry: the digits weighted 10 to 2, modulo 11.
pub fn national_code(serial: u32) -> String {
    let body = format!("{serial:09}");
    let sum: u32 =
        body.chars().zip((2..=10).rev()).map(|(digit, weight)| digit.to_digit(10).unwrap() * weight).sum();
    format!("{body}{}", if sum % 11 < 2 { sum % 11 } else { 11 - sum % 11 })
}

/// A national code that no other record has.
fn fresh_code() -> String {
    static USED: AtomicU32 = AtomicU32::new(1_000);
    national_code(USED.fetch_add(1, Ordering::Relaxed))
}

async fn attempt(client: &Client, more: Value) -> Answer {
    let mut input = json!({"national_code": fresh_code(), "name_fa": "عامل نو", "province": "IR-15"});
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    client.post(CDAS, input).await
}

/// Registers a CDA of Lorestan; `more` adds to it.
pub async fn register(client: &Client, more: Value) -> Answer {
    let created = attempt(client, more).await;
    assert_eq!(created.status, 201, "{}", created.text);
    created
}

fn path(id: &str) -> String {
    format!("{CDAS}/{id}")
}

/// What makes an applicant one that can be certified.
fn certificates() -> Value {
    json!({"certificates": [{"title": "عامل توسعه", "issuer": "سازمان", "issued_on": "2010-01-01"}]})
}

async fn enter(client: &Client, id: &str, to: &str) -> Answer {
    client.transition(&path(id), "*", json!({"to": to, "reason": "مصوبه"})).await
}

/// The demonstration's CDA, who leads the stone project.
pub async fn sample(client: &Client) -> Answer {
    let found = client.get(&format!("{CDAS}?q=sample")).await;
    client.get(&path(found.items("id")[0])).await
}

async fn a_cda_from_registration_to_tombstone(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let empty = lorestan.post(CDAS, json!({})).await;
    assert_eq!(
        (empty.status, empty.errors()),
        (422, vec![("/name_fa", "required"), ("/national_code", "required"), ("/province", "required")])
    );
    let created = register(&lorestan, json!({})).await;
    let path = created.header("location");
    assert_eq!((path, created.version_tag()), (self::path(created.id()).as_str(), "\"1\""));
    assert_eq!((&created.body["state"], &created.body["certificates"]), (&json!("applicant"), &json!([])));
    let missing = &created.body["allowed_transitions"][0]["missing"];
    assert_eq!(
        (&created.body["allowed_transitions"][0]["to"], &missing[0]["code"]),
        (&json!("certified"), &json!("no_certificate"))
    );
    for field in ["name_en", "mobile", "email", "education"] {
        assert_eq!(created.body[field], Value::Null, "{field}");
    }
    assert_eq!(
        lorestan.patch(path, "*", json!({"state": "certified"})).await.errors(),
        [("/state", "unknown_field")]
    );
    lives_and_dies(&lorestan, &created, json!({"name_en": "New", "mobile": "09121234567"})).await;

    let other = register(&lorestan, certificates()).await;
    let path = other.header("location");
    let bare = lorestan.post(&format!("{path}/transitions"), json!({"to": "certified"})).await;
    assert_eq!((bare.status, bare.code(), bare.version_tag()), (428, "precondition_required", "\"1\""));
    assert_eq!(lorestan.transition(path, "\"2\"", json!({"to": "certified"})).await.code(), "stale_version");
    assert_eq!(lorestan.transition(path, "\"1\"", json!({"to": "certified"})).await.version_tag(), "\"2\"");
    let history = lorestan.get(&format!("{path}/history")).await;
    assert_eq!(history.items("kind"), ["created", "transitioned"]);
    assert_eq!(
        history.body["items"][1]["changes"],
        json!([{"field": "state", "from": "applicant", "to": "certified"}])
    );
}

async fn every_field_comes_back_as_it_was_given(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let full = json!({
        "national_code": fresh_code(), "name_fa": "عامل نمونهٔ دوم", "name_en": "Second sample", "mobile": "+989121234567",
        "email": "second@example.ir", "province": "IR-15", "education": "کارشناسی", "external_refs": [{"system": "erp", "key": "C-1"}],
        "certificates": [
            {"title": "عامل توسعه", "issuer": "سازمان", "issued_on": "2014-03-20", "expires_on": "2014-03-20"},
            {"title": "مذاکره", "issuer": "دانشگاه", "issued_on": "2013-01-01", "expires_on": null},
        ],
    });
    let created = lorestan.post(CDAS, full.clone()).await;
    let read = lorestan.get(created.header("location")).await;
    assert_eq!((created.status, &read.body), (201, &created.body), "{}", created.text);
    let kept: serde_json::Map<_, _> =
        full.as_object().unwrap().keys().map(|field| (field.clone(), read.body[field].clone())).collect();
    assert_eq!(Value::Object(kept), full);
    let emptied = lorestan
        .patch(created.header("location"), "*", json!({"mobile": null, "email": null, "certificates": null}))
        .await;
    assert_eq!(
        (&emptied.body["mobile"], &emptied.body["certificates"]),
        (&Value::Null, &json!([])),
        "{}",
        emptied.text
    );
}

async fn certificates_keep_their_order_of_days(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let held = |issued: &str, expires: Value| json!({"title": "x", "issuer": "y", "issued_on": issued, "expires_on": expires});
    let good = held("2014-03-20", json!("2017-03-20"));
    let (backwards, open) = (held("2014-03-20", json!("2014-03-19")), held("2014-03-20", Value::Null));
    let mut unknown = good.clone();
    unknown["grade"] = json!(20);
    let created = register(&lorestan, json!({"certificates": [good, open]})).await;
    for (certificates, errors) in [
        (
            json!([good, backwards, open, backwards]),
            vec![("/certificates/1/expires_on", "too_early"), ("/certificates/3/expires_on", "too_early")],
        ),
        (
            json!([{"title": "x"}]),
            vec![("/certificates/0/issued_on", "required"), ("/certificates/0/issuer", "required")],
        ),
        (
            json!([{"title": " ", "issuer": "y", "issued_on": "2014-03-20"}]),
            vec![("/certificates/0/title", "wrong_pattern")],
        ),
        (json!([held("2014-02-30", Value::Null)]), vec![("/certificates/0/issued_on", "no_such_day")]),
        (json!([unknown]), vec![("/certificates/0/grade", "unknown_field")]),
        (json!({"title": "x"}), vec![("/certificates", "wrong_type")]),
        (Value::Array(vec![good.clone(); 51]), vec![("/certificates", "too_many_items")]),
    ] {
        for refused in [
            attempt(&lorestan, json!({"certificates": certificates})).await,
            lorestan.patch(created.header("location"), "*", json!({"certificates": certificates})).await,
        ] {
            assert_eq!((refused.status, refused.errors()), (422, errors.clone()), "{}", refused.text);
        }
    }
    assert_eq!(lorestan.get(created.header("location")).await.version_tag(), "\"1\"");
}

async fn days_are_persian_within_certificates_too(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let (certificate, code) = (
        json!([{"title": "t", "issuer": "i", "issued_on": "1392-12-29", "expires_on": "1403-12-30"}]),
        fresh_code(),
    );
    let input =
        json!({"national_code": code, "name_fa": "نو", "province": "IR-15", "certificates": certificate});
    let created = lorestan.post(&format!("{CDAS}?calendar=persian"), input).await;
    assert_eq!((created.status, &created.body["certificates"]), (201, &certificate), "{}", created.text);
    let path = created.header("location");
    let gregorian =
        json!([{"title": "t", "issuer": "i", "issued_on": "2014-03-20", "expires_on": "2025-03-20"}]);
    assert_eq!(lorestan.get(path).await.body["certificates"], gregorian);
    let patched = lorestan.patch(&format!("{path}?calendar=persian"), "*", json!({"name_en": "New"})).await;
    assert_eq!(patched.body["certificates"], certificate, "what a patch leaves alone stays");
    assert_eq!(lorestan.get(path).await.body["certificates"], gregorian);
    for (calendar, expected) in [("persian", &certificate), ("gregorian", &gregorian)] {
        let history = lorestan.get(&format!("{path}/history?calendar={calendar}")).await;
        let changes = history.body["items"][0]["changes"].as_array().unwrap().clone();
        assert_eq!(
            changes.iter().find(|change| change["field"] == "certificates").unwrap()["to"],
            *expected,
            "{calendar}"
        );
        let table =
            lorestan.get(&format!("{CDAS}?q=New&fields=certificates&format=csv&calendar={calendar}")).await;
        let [issued, expires] = ["issued_on", "expires_on"].map(|field| expected[0][field].as_str().unwrap());
        assert!(table.text.contains(issued) && table.text.contains(expires), "{calendar}: {}", table.text);
    }
    let missing = json!({"certificates": [{"title": "t", "issuer": "i", "issued_on": "1392-12-30"}]});
    let refused = lorestan.patch(&format!("{path}?calendar=persian"), "*", missing).await;
    assert_eq!((refused.status, refused.errors()), (422, vec![("/certificates/0/issued_on", "no_such_day")]));
    let certified =
        lorestan.transition(path, "*", json!({"to": "certified", "effective_on": "2014-03-20"})).await;
    assert_eq!(certified.status, 200, "{}", certified.text);
    let suspend = lorestan
        .request(Method::POST, &format!("{path}/transitions?calendar=persian"))
        .header("if-match", "*");
    let early = lorestan
        .send(suspend.json(&json!({"to": "suspended", "reason": "x", "effective_on": "1392-12-28"})))
        .await;
    assert_eq!((early.status, early.errors()), (422, vec![("/effective_on", "too_early")]));
}

/// `domain.md`: applicant → certified → suspended | expired | revoked. What is suspended or expired can be
/// certified again or revoked; a revocation is for good (proposed).
async fn states_follow_each_other_as_the_domain_says(service: &Service) {
    let lorestan = service.login("lorestan").await;
    for (way, allowed) in [
        (&[][..], &["certified"][..]),
        (&["certified"], &["suspended", "expired", "revoked"]),
        (&["certified", "suspended"], &["certified", "revoked"]),
        (&["certified", "expired"], &["certified", "revoked"]),
        (&["certified", "revoked"], &[]),
    ] {
        for to in ["applicant", "certified", "suspended", "expired", "revoked"] {
            let cda = register(&lorestan, certificates()).await;
            for state in way {
                assert_eq!(enter(&lorestan, cda.id(), state).await.body["state"], *state);
            }
            let before = lorestan.get(&path(cda.id())).await;
            let shown = before.body["allowed_transitions"]
                .as_array()
                .unwrap()
                .iter()
                .map(|to| to["to"].as_str().unwrap());
            assert_eq!(shown.collect::<Vec<_>>(), allowed, "{way:?}");
            let answer = enter(&lorestan, cda.id(), to).await;
            if allowed.contains(&to) {
                assert_eq!(
                    (answer.status, &answer.body["state"]),
                    (200, &json!(to)),
                    "{way:?}: {}",
                    answer.text
                );
            } else {
                assert_eq!(
                    (answer.status, answer.code()),
                    (409, "transition_not_allowed"),
                    "{way:?} {to}: {}",
                    answer.text
                );
                assert_eq!(answer.body["allowed"], json!(allowed));
                assert_eq!(lorestan.get(&path(cda.id())).await.body, before.body);
            }
        }
    }
}

async fn a_change_of_state_has_its_day_and_reason(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let cda = register(&lorestan, certificates()).await;
    let change = async |body: Value| lorestan.transition(&path(cda.id()), "*", body).await;
    assert_eq!(
        change(json!({"to": "certified", "effective_on": "2999-01-01"})).await.errors(),
        [("/effective_on", "in_future")]
    );
    assert_eq!(change(json!({"to": "wise"})).await.errors(), [("/to", "not_in_list")]);
    assert_eq!(
        change(json!({"to": "certified", "effective_on": "2020-01-01"})).await.status,
        200,
        "it needs no reason"
    );
    for to in ["suspended", "revoked"] {
        assert_eq!(change(json!({"to": to})).await.errors(), [("/reason", "required")]);
        let both = change(json!({"to": to, "effective_on": "2019-12-31"})).await;
        assert_eq!(
            (both.status, both.errors()),
            (422, vec![("/effective_on", "too_early"), ("/reason", "required")]),
            "all at once"
        );
    }
    assert_eq!(lorestan.get(&path(cda.id())).await.version_tag(), "\"2\"");
    assert_eq!(change(json!({"to": "expired"})).await.status, 200, "nor does this one");

    let key = [("idempotency-key", "certify-again"), ("if-match", "\"3\"")];
    let post = || {
        lorestan
            .request(Method::POST, &format!("{}/transitions", path(cda.id())))
            .json(&json!({"to": "certified"}))
    };
    let send = async || {
        lorestan.send(key.iter().fold(post(), |request, (name, value)| request.header(*name, *value))).await
    };
    let (first, second) = (send().await, send().await);
    assert_eq!((first.status, second.status, &second.body), (200, 200, &first.body));
    assert_eq!((first.header("idempotency-replayed"), second.header("idempotency-replayed")), ("", "true"));
}

async fn cdas_are_listed_and_found(service: &Service) {
    let isipo = service.login("isipo").await;
    let second =
        register(&isipo, json!({"name_fa": "كيان يزدي", "name_en": "+Kian", "province": "IR-21"})).await;
    let third =
        json!({"name_fa": "آزاد بختیاری", "name_en": "Azad", "certificates": certificates()["certificates"]});
    let third = register(&isipo, third).await;
    enter(&isipo, third.id(), "certified").await;
    enter(&isipo, third.id(), "suspended").await;
    let names = async |query: &str| {
        let list = isipo.get(&format!("{CDAS}?{query}")).await;
        list.items("name_en").iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()
    };
    let (by_name, by_age) = (["Azad", "Sample CDA", "+Kian"], ["Sample CDA", "+Kian", "Azad"]);
    for (sort, expected) in
        [("name_fa", by_name), ("created_at,id", by_age), ("id", by_age), ("updated_at,id", by_age)]
    {
        assert_eq!(names(&format!("sort={sort}")).await, expected, "{sort}");
        let descending = sort.split(',').map(|key| format!("-{key}")).collect::<Vec<_>>().join(",");
        assert_eq!(
            names(&format!("sort={descending}")).await,
            expected.into_iter().rev().collect::<Vec<_>>(),
            "{descending}"
        );
    }
    for (filter, expected) in [
        ("state=suspended", &["Azad"][..]),
        ("state=certified,suspended", &["Azad", "Sample CDA"]),
        ("state=revoked", &[]),
        ("province=IR-21", &["+Kian"]),
        ("province=IR-15&state=certified", &["Sample CDA"]),
        ("q=کیان یزدی", &["+Kian"]),
        ("q=بختياري", &["Azad"]),
        ("q=ازاد", &["Azad"]),
        (&format!("updated_since={}", second.body["created_at"].as_str().unwrap()), &["Azad", "+Kian"]),
    ] {
        assert_eq!(names(&format!("sort=name_fa&{filter}")).await, expected, "{filter}");
    }
    for wrong in ["state=wise", "province=IR-99", "national_code=1", "sort=national_code", "include=projects"]
    {
        assert_eq!(isipo.get(&format!("{CDAS}?{wrong}")).await.status, 400, "{wrong}");
    }
    let table = isipo
        .get(&format!("{CDAS}?format=csv&q=kian&fields=name_fa,name_en,national_code,state,certificates"))
        .await;
    let code = second.body["national_code"].as_str().unwrap();
    assert_eq!(
        table.text,
        format!("national_code,name_fa,name_en,certificates,state\r\n{code},كيان يزدي,'+Kian,,applicant\r\n")
    );
    let whole = isipo.get(&format!("{CDAS}?format=csv&state=revoked")).await;
    let columns = "id,version,created_at,created_by,updated_at,updated_by,external_refs,national_code,name_fa,name_en,mobile,email,province,education,certificates,state,allowed_transitions";
    assert_eq!(
        (whole.header("content-type").split(';').next(), whole.text.trim_end()),
        (Some("text/csv"), columns)
    );
}

async fn another_system_keeps_its_cdas(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let by_ref = format!("{CDAS}/by-ref/erp/C-17");
    let put = async |etag: Option<&str>, body: &Value| {
        let request = lorestan.request(Method::PUT, &by_ref).json(body);
        lorestan.send(etag.iter().fold(request, |request, etag| request.header("if-match", *etag))).await
    };
    let mut input = json!({"national_code": fresh_code(), "name_fa": "نو", "province": "IR-15", "email": "new@example.ir"});
    input["certificates"] = certificates()["certificates"].clone();
    let created = put(None, &input).await;
    assert_eq!(
        (created.status, lorestan.get(&by_ref).await.body),
        (201, created.body.clone()),
        "{}",
        created.text
    );
    assert_eq!(enter(&lorestan, created.id(), "certified").await.status, 200);
    input.as_object_mut().unwrap().remove("email");
    assert_eq!((put(None, &input).await.status, put(Some("\"1\""), &input).await.status), (428, 412));
    let replaced = put(Some("\"2\""), &input).await;
    assert_eq!(
        (replaced.status, &replaced.body["email"], &replaced.body["state"]),
        (200, &Value::Null, &json!("certified")),
        "{}",
        replaced.text
    );
}

async fn a_province_keeps_its_own_cdas(service: &Service) {
    let [isipo, lorestan, kerman] =
        [service.login("isipo").await, service.login("lorestan").await, service.login("kerman").await];
    let cda = sample(&lorestan).await;
    assert_eq!(
        (kerman.get(CDAS).await.body["items"].clone(), enter(&kerman, cda.id(), "revoked").await.status),
        (json!([]), 404)
    );
    let free = register(&lorestan, json!({})).await;
    assert_eq!(attempt(&kerman, json!({})).await.code(), "outside_scope");
    assert_eq!(
        lorestan.patch(&path(free.id()), "*", json!({"province": "IR-08"})).await.code(),
        "outside_scope"
    );
    assert_eq!(isipo.patch(&path(free.id()), "*", json!({"province": "IR-08"})).await.status, 200);
    assert_eq!(
        (lorestan.get(&path(free.id())).await.status, kerman.get(&path(free.id())).await.status),
        (404, 200)
    );
}

async fn a_national_code_belongs_to_one_cda_of_a_province(service: &Service) {
    let [lorestan, kerman] = [service.login("lorestan").await, service.login("kerman").await];
    let code = fresh_code();
    let holder = register(&lorestan, json!({"national_code": code})).await;
    let other = register(&lorestan, json!({})).await;
    for spelling in [code.clone(), in_script(&code, '۰'), in_script(&code, '٠')] {
        for refused in [
            attempt(&lorestan, json!({"national_code": spelling})).await,
            lorestan.patch(&path(other.id()), "*", json!({"national_code": spelling})).await,
        ] {
            assert_eq!(
                (refused.status, refused.code(), refused.errors()),
                (409, "duplicate", vec![("/national_code", "duplicate")])
            );
            assert!(!refused.text.contains(holder.id()), "not a word about whose it is");
        }
    }
    // Another province does not learn of it.
    let elsewhere = attempt(&kerman, json!({"national_code": code, "province": "IR-08"})).await;
    assert_eq!(elsewhere.status, 201, "{}", elsewhere.text);
    assert_eq!(
        attempt(&kerman, json!({"national_code": code, "province": "IR-08"})).await.code(),
        "duplicate"
    );
    let moved =
        service.login("isipo").await.patch(&path(elsewhere.id()), "*", json!({"province": "IR-15"})).await;
    assert_eq!(
        (moved.status, moved.errors()),
        (409, vec![("/national_code", "duplicate")]),
        "{}",
        moved.text
    );
    assert_eq!(lorestan.delete(&path(holder.id()), "*").await.status, 204);
    assert_eq!(
        lorestan.patch(&path(other.id()), "*", json!({"national_code": code})).await.body["national_code"],
        code
    );
}

async fn a_cda_at_work_stays(service: &Service) {
    let [admin, lorestan] = [service.login("admin").await, service.login("lorestan").await];
    let cda = sample(&lorestan).await;
    let refused = async |expected: Value| {
        let refused = lorestan.delete(&path(cda.id()), cda.etag()).await;
        assert_eq!(
            (refused.status, refused.code(), &refused.body["referred_by"]),
            (409, "still_referred_to", &expected),
            "{}",
            refused.text
        );
    };
    refused(json!(["assignment", "account"])).await;
    let user = admin.get("/api/v1/users?role=cda").await;
    let untied =
        admin.patch(&format!("/api/v1/users/{}", user.items("id")[0]), "*", json!({"cda_id": null})).await;
    assert_eq!((untied.status, &user.body["items"][0]["cda_id"]), (200, &json!(cda.id())), "{}", untied.text);
    refused(json!(["assignment"])).await;
    let project = format!("/api/v1/projects/{}", lorestan.get("/api/v1/projects").await.items("id")[0]);
    let assignments = lorestan.get(&format!("{project}/assignments")).await;
    lorestan.delete(&format!("{project}/assignments/{}", assignments.items("id")[0]), "*").await;
    assert_eq!(lorestan.delete(&path(cda.id()), cda.etag()).await.status, 204);
}

fn user(role: &str, cda: &str) -> Value {
    json!({"username": "agent", "display_name": "عامل", "password": PASSWORD, "role": role, "province": "IR-15", "cda_id": cda})
}

async fn an_account_belongs_to_a_cda_of_its_province(service: &Service) {
    let admin = service.login("admin").await;
    let (own, second, elsewhere) = (
        register(&admin, json!({})).await,
        register(&admin, json!({})).await,
        register(&admin, json!({"province": "IR-08"})).await,
    );
    let nobody = uuid::Uuid::now_v7().to_string();
    for (role, cda, code) in [
        ("cda", nobody.as_str(), "unknown_record"),
        ("cda", elsewhere.id(), "other_province"),
        ("supervisor", own.id(), "not_applicable"),
        ("provincial_manager", own.id(), "not_applicable"),
    ] {
        let refused = admin.post("/api/v1/users", user(role, cda)).await;
        assert_eq!((refused.status, refused.errors()), (422, vec![("/cda_id", code)]), "{role}");
    }
    let created = admin.post("/api/v1/users", user("cda", own.id())).await;
    assert_eq!((created.status, &created.body["cda_id"]), (201, &json!(own.id())), "{}", created.text);
    let path = created.header("location");
    for (change, code) in [
        (json!({"cda_id": nobody}), "unknown_record"),
        (json!({"cda_id": elsewhere.id()}), "other_province"),
        (json!({"role": "supervisor"}), "not_applicable"),
    ] {
        let refused = admin.patch(path, "*", change.clone()).await;
        assert_eq!(
            (refused.status, refused.errors()),
            (422, vec![("/cda_id", code)]),
            "{change}: {}",
            refused.text
        );
    }
    for change in [json!(second.id()), Value::Null, json!(own.id())] {
        let login = log_in(&admin, "agent", PASSWORD).await;
        let token = login.body["access_token"].as_str().unwrap();
        assert!(is_live(&admin, token).await);
        assert_eq!(admin.patch(path, "*", json!({"cda_id": change})).await.body["cda_id"], change);
        assert!(!is_live(&admin, token).await, "{change}: what the session may do has changed");
    }
}

/// Neither moves away without the other.
async fn an_account_and_its_cda_stay_in_one_province(service: &Service) {
    let admin = service.login("admin").await;
    let cda = register(&admin, json!({})).await;
    let created = admin.post("/api/v1/users", user("cda", cda.id())).await;
    let moved = admin.patch(&path(cda.id()), cda.etag(), json!({"province": "IR-08"})).await;
    assert_eq!(
        (moved.status, moved.code()),
        (409, "moved_away"),
        "a CDA of Kerman with an account of Lorestan: {}",
        moved.text
    );
    let moved = admin.patch(created.header("location"), created.etag(), json!({"province": "IR-08"})).await;
    assert_eq!((moved.status, moved.errors()), (422, vec![("/cda_id", "other_province")]), "{}", moved.text);
}
