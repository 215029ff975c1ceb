//! Payments: what is paid stays within the approved budget, whoever writes at the same time.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    milestones::MILESTONES,
    on_both,
    projects::{comes_in_order, made, project, stone},
    support::{Answer, Client, Service},
};

on_both!(
    a_payment_is_recorded_changed_and_deleted,
    every_rule_of_a_payment_is_kept,
    a_line_is_not_overdrawn,
    a_budget_is_not_cut_below_what_is_paid,
    a_project_takes_payments_while_it_is_open,
    of_eight_payments_those_happen_that_fit,
    a_payment_and_a_cut_do_not_both_happen,
    a_payment_is_for_a_milestone_of_its_project,
    payments_belong_to_a_project_and_to_those_who_keep_its_books,
    filters_of_payments_let_through_what_they_name,
    payments_are_listed_in_every_documented_order,
);

pub const PAYMENTS: &str = "/api/v1/payments";

/// What a payment of a project (its path) needs; `more` adds to it.
fn payment(project: &str, line: &str, amount: &str, more: Value) -> Value {
    let project_id = project.rsplit('/').next().unwrap();
    let mut input = json!({"project_id": project_id, "line": line, "amount_irr": amount, "paid_on": "2015-01-01", "document_no": "1"});
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

async fn paid(client: &Client, project: &str, line: &str, amount: &str) -> Answer {
    made(client, PAYMENTS, payment(project, line, amount, json!({}))).await
}

/// A contracted project of the olive cluster with this budget.
async fn olive(service: &Service, client: &Client, budget: Value) -> String {
    let created = project(client, "زیتون", json!({"budget": budget})).await;
    service.put_in_state("project", created.id(), "contracted").await;
    created.header("location").to_owned()
}

fn is_exceeded(answer: &Answer, remaining: &str) {
    assert_eq!(
        (answer.status, answer.code(), answer.errors()),
        (409, "budget_exceeded", vec![("/amount_irr", "too_large")]),
        "{}",
        answer.text
    );
    assert!(
        answer.body["detail"].as_str().unwrap().contains(&format!(" {remaining} rials")),
        "{}",
        answer.text
    );
}

async fn a_payment_is_recorded_changed_and_deleted(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let stone = stone(&lorestan).await;
    let milestone = lorestan.get(&format!("{stone}/milestones")).await.items("id")[0].to_owned();
    let more = json!({
        "milestone_id": milestone, "document_no": "1393/7", "payee_fa": "عامل", "reconciled_on": "2015-01-01", "note": "قسط",
        "external_refs": [{"system": "erp", "key": "7"}],
    });
    let input = payment(&stone, "cda_fee", "1", more);
    let created = made(&lorestan, PAYMENTS, input.clone()).await;
    let path = created.header("location");
    for (field, value) in input.as_object().unwrap() {
        assert_eq!(&created.body[field], value, "{field}");
    }
    assert_eq!((&created.body["province"], &lorestan.get(path).await.body), (&json!("IR-15"), &created.body));
    let whole = lorestan.get(&format!("{path}?include=project,milestone&calendar=persian")).await;
    assert_eq!(
        (&whole.body["project"]["code"], &whole.body["milestone"]["id"]),
        (&json!("15-P-0001"), &json!(milestone))
    );
    assert_eq!(
        (&whole.body["paid_on"], &whole.body["reconciled_on"]),
        (&json!("1393-10-11"), &json!("1393-10-11"))
    );

    let changed = lorestan
        .patch(path, created.etag(), json!({"amount_irr": "900000000", "line": "training", "note": null}))
        .await;
    assert_eq!(
        (&changed.body["amount_irr"], &changed.body["note"]),
        (&json!("900000000"), &Value::Null),
        "{}",
        changed.text
    );
    assert_eq!(
        lorestan.patch(path, created.etag(), json!({"amount_irr": "2"})).await.code(),
        "stale_version"
    );
    let by_ref = format!("{PAYMENTS}/by-ref/erp/7");
    assert_eq!(lorestan.get(&by_ref).await.body, changed.body);
    let bare = payment(&stone, "training", "5", json!({}));
    let replaced = lorestan
        .send(lorestan.request(Method::PUT, &by_ref).header("if-match", changed.etag()).json(&bare))
        .await;
    assert_eq!(
        (replaced.status, &replaced.body["milestone_id"], &replaced.body["amount_irr"]),
        (200, &Value::Null, &json!("5"))
    );
    for status in [204, 204] {
        assert_eq!(lorestan.delete(path, replaced.etag()).await.status, status);
    }
    assert_eq!(lorestan.get(path).await.status, 404);
    assert_eq!(
        lorestan.get(&format!("{path}/history")).await.items("kind"),
        ["created", "updated", "updated", "deleted"]
    );
}

async fn every_rule_of_a_payment_is_kept(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let created = paid(&lorestan, &stone(&lorestan).await, "cda_fee", "5").await;
    for (patch, errors) in [
        (json!({"amount_irr": "0"}), vec![("/amount_irr", "wrong_pattern")]),
        (json!({"amount_irr": "-5"}), vec![("/amount_irr", "wrong_pattern")]),
        (json!({"amount_irr": "1000000000000000000"}), vec![("/amount_irr", "wrong_pattern")]),
        (json!({"amount_irr": 5}), vec![("/amount_irr", "wrong_type")]),
        (json!({"line": "bribes"}), vec![("/line", "not_in_list")]),
        (json!({"document_no": " "}), vec![("/document_no", "wrong_pattern")]),
        (json!({"paid_on": "2999-01-01"}), vec![("/paid_on", "in_future")]),
        (json!({"reconciled_on": "2999-01-01"}), vec![("/reconciled_on", "in_future")]),
        (json!({"reconciled_on": "2014-12-31"}), vec![("/reconciled_on", "too_early")]),
        (
            json!({"paid_on": "2999-01-02", "reconciled_on": "2999-01-01"}),
            vec![("/paid_on", "in_future"), ("/reconciled_on", "in_future"), ("/reconciled_on", "too_early")],
        ),
        (json!({"province": "IR-08"}), vec![("/province", "unknown_field")]),
    ] {
        let refused = lorestan.patch(created.header("location"), "*", patch.clone()).await;
        assert_eq!((refused.status, refused.errors()), (422, errors), "{patch}");
    }
    let empty = lorestan.post(PAYMENTS, json!({})).await;
    assert_eq!(
        empty.errors(),
        ["amount_irr", "document_no", "line", "paid_on"]
            .map(|field| (format!("/{field}"), "required"))
            .each_ref()
            .map(|(p, c)| (p.as_str(), *c))
    );
}

/// Rule 8 of `domain.md`.
async fn a_line_is_not_overdrawn(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let budget = json!([{"line": "cda_fee", "amount_irr": "100"}, {"line": "training", "amount_irr": "999999999999999999"}]);
    let olive = olive(service, &lorestan, budget).await;
    let pay = async |line: &str, amount: &str| {
        lorestan.post(PAYMENTS, payment(&olive, line, amount, json!({}))).await
    };
    is_exceeded(&pay("cda_fee", "101").await, "100");
    is_exceeded(&pay("supervision", "1").await, "0");
    let first = pay("cda_fee", "60").await;
    assert_eq!(first.status, 201, "{}", first.text);
    is_exceeded(&pay("cda_fee", "41").await, "40");
    assert_eq!(pay("cda_fee", "40").await.status, 201, "the line is used up to its last rial");
    is_exceeded(&pay("cda_fee", "1").await, "0");
    is_exceeded(&lorestan.patch(first.header("location"), "*", json!({"amount_irr": "61"})).await, "60");
    assert_eq!(lorestan.patch(first.header("location"), "*", json!({"note": "همان"})).await.status, 200);
    assert_eq!(lorestan.patch(first.header("location"), "*", json!({"amount_irr": "50"})).await.status, 200);
    is_exceeded(&pay("cda_fee", "11").await, "10");

    let whole = pay("training", "999999999999999999").await;
    assert_eq!(whole.status, 201, "{}", whole.text);
    is_exceeded(&pay("training", "999999999999999999").await, "0");
    is_exceeded(&lorestan.patch(first.header("location"), "*", json!({"line": "training"})).await, "0");
    assert_eq!(lorestan.delete(whole.header("location"), "*").await.status, 204);
    assert_eq!(
        lorestan.patch(first.header("location"), "*", json!({"line": "training"})).await.status,
        200,
        "what is deleted is not paid"
    );
    assert_eq!(
        pay("cda_fee", "60").await.status,
        201,
        "what is paid from another line is not paid from this one"
    );
    is_exceeded(&lorestan.patch(first.header("location"), "*", json!({"line": "cda_fee"})).await, "0");
}

async fn a_budget_is_not_cut_below_what_is_paid(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let line = |name: &str, amount: &str| json!({"line": name, "amount_irr": amount});
    let olive = olive(service, &lorestan, json!([line("cda_fee", "100"), line("training", "100")])).await;
    for (name, amount) in [("cda_fee", "40"), ("cda_fee", "20"), ("training", "100")] {
        paid(&lorestan, &olive, name, amount).await;
    }
    let cut = async |budget: Value| lorestan.patch(&olive, "*", json!({"budget": budget})).await;
    for (budget, errors) in [
        (
            json!([line("cda_fee", "59"), line("training", "100")]),
            vec![("/budget/0/amount_irr", "too_small")],
        ),
        (
            json!([line("training", "99"), line("cda_fee", "59")]),
            vec![("/budget/0/amount_irr", "too_small"), ("/budget/1/amount_irr", "too_small")],
        ),
        (json!([line("cda_fee", "60")]), vec![("/budget", "too_small")]),
    ] {
        let refused = cut(budget.clone()).await;
        assert_eq!(
            (refused.status, refused.code(), refused.errors()),
            (409, "budget_exceeded", errors),
            "{budget}"
        );
    }
    assert_eq!(lorestan.patch(&olive, "*", json!({"title_en": "Olives"})).await.status, 200);
    assert_eq!(cut(json!([line("cda_fee", "60"), line("training", "100")])).await.status, 200);
    let exceeded = lorestan.post(PAYMENTS, payment(&olive, "cda_fee", "1", json!({}))).await;
    is_exceeded(&exceeded, "0");
}

async fn a_project_takes_payments_while_it_is_open(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let olive = olive(service, &lorestan, json!([{"line": "cda_fee", "amount_irr": "100"}])).await;
    let before = paid(&lorestan, &olive, "cda_fee", "1").await;
    let open = [
        "contracted",
        "diagnostic",
        "planning",
        "implementing",
        "evaluating",
        "handed_over",
        "suspended",
        "terminated",
    ];
    for state in ["draft", "approved", "closed"].into_iter().chain(open) {
        service.put_in_state("project", olive.rsplit('/').next().unwrap(), state).await;
        let created = lorestan.post(PAYMENTS, payment(&olive, "cda_fee", "1", json!({}))).await;
        let changed = lorestan.patch(before.header("location"), "*", json!({"note": state})).await;
        if open.contains(&state) {
            assert_eq!((created.status, changed.status), (201, 200), "{state}: {}", created.text);
            assert_eq!(lorestan.delete(created.header("location"), "*").await.status, 204, "{state}");
            continue;
        }
        for refused in [created, changed, lorestan.delete(before.header("location"), "*").await] {
            assert_eq!(
                (refused.status, refused.code()),
                (409, "project_not_open"),
                "{state}: {}",
                refused.text
            );
            assert!(
                refused.body["detail"].as_str().unwrap().contains(&format!("'{state}'")),
                "{}",
                refused.text
            );
        }
    }
}

async fn of_eight_payments_those_happen_that_fit(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let olive = olive(
        service,
        &lorestan,
        json!([{"line": "cda_fee", "amount_irr": "350"}, {"line": "training", "amount_irr": "100"}]),
    )
    .await;
    let pay = |line: &'static str| lorestan.post(PAYMENTS, payment(&olive, line, "100", json!({})));
    let mut answers = join_all((0..8).map(|_| pay("cda_fee"))).await;
    let won = answers.iter().filter(|answer| answer.status == 201).count();
    answers.retain(|answer| answer.status != 201);
    assert_eq!(won, 3, "{answers:#?}");
    for lost in &answers {
        is_exceeded(lost, "50");
    }
    // Eight changes of one line into another that has room for one.
    let paid: Vec<String> = lorestan
        .get(&format!("{PAYMENTS}?line=cda_fee"))
        .await
        .items("id")
        .iter()
        .map(|id| format!("{PAYMENTS}/{id}"))
        .collect();
    let moved =
        join_all(paid.iter().map(|path| lorestan.patch(path, "*", json!({"line": "training"})))).await;
    assert_eq!(moved.iter().filter(|answer| answer.status == 200).count(), 1, "{moved:#?}");
    assert_eq!(lorestan.count(&format!("{PAYMENTS}?line=training")).await, 1);
}

async fn a_payment_and_a_cut_do_not_both_happen(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let full = json!([{"line": "cda_fee", "amount_irr": "100"}]);
    let olive = olive(service, &lorestan, full.clone()).await;
    for _ in 0..6 {
        let cut = lorestan.patch(&olive, "*", json!({"budget": [{"line": "cda_fee", "amount_irr": "50"}]}));
        let (pay, cut) =
            tokio::join!(lorestan.post(PAYMENTS, payment(&olive, "cda_fee", "60", json!({}))), cut);
        match (pay.status, cut.status) {
            (201, 409) => assert_eq!(cut.errors(), [("/budget/0/amount_irr", "too_small")]),
            (409, 200) => is_exceeded(&pay, "50"),
            both => panic!("{both:?}: {} {}", pay.text, cut.text),
        }
        if pay.status == 201 {
            assert_eq!(lorestan.delete(pay.header("location"), "*").await.status, 204);
        }
        assert_eq!(lorestan.patch(&olive, "*", json!({"budget": full})).await.status, 200);
    }
}

async fn a_payment_is_for_a_milestone_of_its_project(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let (stone, olive) = (
        stone(&lorestan).await,
        olive(service, &lorestan, json!([{"line": "cda_fee", "amount_irr": "100"}])).await,
    );
    let input =
        json!({"phase": "diagnostic", "title_fa": "نقطهٔ عطف", "weight_bp": 100, "due_on": "2015-06-21"});
    let own = made(&lorestan, &format!("{olive}/milestones"), input).await;
    let elsewhere = lorestan.get(&format!("{stone}/milestones")).await.items("id")[0].to_owned();
    for unknown in [elsewhere.as_str(), olive.rsplit('/').next().unwrap()] {
        let refused =
            lorestan.post(PAYMENTS, payment(&olive, "cda_fee", "1", json!({"milestone_id": unknown}))).await;
        assert_eq!((refused.status, refused.errors()), (422, vec![("/milestone_id", "unknown_record")]));
    }
    let paid =
        made(&lorestan, PAYMENTS, payment(&olive, "cda_fee", "1", json!({"milestone_id": own.id()}))).await;
    let path = format!("{MILESTONES}/{}", own.id());
    let refused = lorestan.delete(&path, "*").await;
    assert_eq!(
        (refused.status, refused.code(), &refused.body["referred_by"]),
        (409, "still_referred_to", &json!(["payment"]))
    );
    assert_eq!(lorestan.delete(paid.header("location"), "*").await.status, 204);
    let again = lorestan.post(PAYMENTS, payment(&olive, "cda_fee", "1", json!({"milestone_id": own.id()})));
    let (paid, deleted) = tokio::join!(again, lorestan.delete(&path, "*"));
    assert!(
        [(201, 409), (422, 204)].contains(&(paid.status, deleted.status)),
        "{} {}",
        paid.text,
        deleted.text
    );
}

async fn payments_belong_to_a_project_and_to_those_who_keep_its_books(service: &Service) {
    let (isipo, lorestan) = (service.login("isipo").await, service.login("lorestan").await);
    let stone = stone(&lorestan).await;
    let created = paid(&lorestan, &stone, "cda_fee", "1").await;
    let pistachio = project(&isipo, "پسته", json!({})).await;
    let moved = lorestan.patch(created.header("location"), "*", json!({"project_id": pistachio.id()})).await;
    assert_eq!((moved.status, moved.errors()), (422, vec![("/project_id", "immutable")]));
    let unknown = lorestan.post(PAYMENTS, payment(pistachio.id(), "cda_fee", "1", json!({}))).await;
    assert_eq!((unknown.status, unknown.errors()), (422, vec![("/project_id", "unknown_record")]));
    let none = lorestan.post(PAYMENTS, payment(&stone, "cda_fee", "1", json!({"project_id": null}))).await;
    assert_eq!((none.status, none.errors()), (422, vec![("/project_id", "required")]));
    for name in ["cda", "supervisor", "lorestan-viewer"] {
        let client = service.login(name).await;
        assert_eq!(client.get(created.header("location")).await.status, 200, "{name}");
        assert_eq!(
            client.post(PAYMENTS, payment(&stone, "cda_fee", "1", json!({}))).await.code(),
            "forbidden",
            "{name}"
        );
    }
    assert_eq!(service.login("kerman").await.get(created.header("location")).await.status, 404);
    let refused = lorestan.delete(&stone, "*").await;
    assert!(refused.body["referred_by"].as_array().unwrap().contains(&json!("payment")), "{}", refused.text);
}

async fn filters_of_payments_let_through_what_they_name(service: &Service) {
    let (isipo, lorestan) = (service.login("isipo").await, service.login("lorestan").await);
    let stone = stone(&isipo).await;
    let pistachio =
        project(&isipo, "پسته", json!({"budget": [{"line": "training", "amount_irr": "10"}]})).await;
    service.put_in_state("project", pistachio.id(), "contracted").await;
    let milestone = isipo.get(&format!("{stone}/milestones")).await.items("id")[0].to_owned();
    for (project, line, amount, more) in [
        (stone.as_str(), "cda_fee", "1", json!({"paid_on": "1393-01-31"})),
        (
            &stone,
            "cda_fee",
            "2",
            json!({"paid_on": "1393-02-01", "reconciled_on": "1393-02-02", "payee_fa": "كارگاه"}),
        ),
        (&stone, "supervision", "3", json!({"paid_on": "1394-01-01", "milestone_id": milestone})),
        (pistachio.header("location"), "training", "4", json!({"paid_on": "1394-01-02"})),
    ] {
        made(&isipo, &format!("{PAYMENTS}?calendar=persian"), payment(project, line, amount, more)).await;
    }
    for (query, amounts, own) in [
        (String::new(), vec!["1", "2", "3", "4"], 3),
        (format!("project_id={}", pistachio.id()), vec!["4"], 0),
        ("line=cda_fee".into(), vec!["1", "2"], 2),
        ("line=supervision,training".into(), vec!["3", "4"], 1),
        ("province=IR-08".into(), vec!["4"], 0),
        (format!("milestone_id={milestone}"), vec!["3"], 1),
        ("paid_from=1393-02-01".into(), vec!["2", "3", "4"], 2),
        ("paid_before=1393-02-01".into(), vec!["1"], 1),
        ("paid_from=1393-02-01&paid_before=1394-01-02".into(), vec!["2", "3"], 2),
        ("reconciled=true".into(), vec!["2"], 1),
        ("reconciled=false&line=cda_fee".into(), vec!["1"], 1),
        ("q=کارگاه".into(), vec!["2"], 1),
    ] {
        let page =
            isipo.get(&format!("{PAYMENTS}?calendar=persian&sort=amount_irr&count=true&{query}")).await;
        assert_eq!(
            (page.items("amount_irr"), &page.body["total"]),
            (amounts.clone(), &json!(amounts.len())),
            "{query}"
        );
        assert_eq!(lorestan.count(&format!("{PAYMENTS}?calendar=persian&{query}")).await, own, "{query}");
    }
    for (query, error) in [
        ("line=bribes", ("/line/0", "not_in_list")),
        ("reconciled=perhaps", ("/reconciled", "wrong_type")),
        ("amount_irr=5", ("/amount_irr", "unknown_parameter")),
    ] {
        assert_eq!(isipo.get(&format!("{PAYMENTS}?{query}")).await.errors(), [error], "{query}");
    }
}

async fn payments_are_listed_in_every_documented_order(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let stone = stone(&lorestan).await;
    // As many digits each, so that they sort as text does.
    for (amount, day) in
        [("30", "2015-02-01"), ("10", "2015-03-01"), ("20", "2015-01-01"), ("10", "2015-02-01")]
    {
        made(&lorestan, PAYMENTS, payment(&stone, "cda_fee", amount, json!({"paid_on": day}))).await;
    }
    let first = lorestan.get(PAYMENTS).await.items("id")[0].to_owned();
    assert_eq!(lorestan.patch(&format!("{PAYMENTS}/{first}"), "*", json!({"note": "؟"})).await.status, 200);
    comes_in_order(&lorestan, PAYMENTS, &["paid_on", "amount_irr", "created_at", "updated_at", "id"]).await;
}
