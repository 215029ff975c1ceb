//! One lead CDA at a time in a project (rule 1 of `domain.md`), whoever writes and however many.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    on_both,
    project_states::one_wins,
    projects::{made, project},
    support::{Answer, Client, Service},
};

on_both!(
    the_days_of_two_leads_do_not_overlap,
    a_lead_is_certified_and_independent,
    a_lead_without_an_end_leads_for_good,
    a_change_does_not_make_a_second_lead,
    of_sixteen_leads_one_is_assigned,
    of_eight_assistants_one_becomes_the_lead,
    of_two_leads_that_grow_towards_each_other_one_does,
);

const OVERLAP: (u16, &str) = (409, "lead_assigned");

/// A certified CDA of a province with the national code that follows from this number (its last digit checks
/// the others).
pub async fn cda(client: &Client, number: u32, province: &str) -> Answer {
    let digits = format!("{number:09}");
    let rest = digits
        .bytes()
        .zip((2..=10).rev())
        .map(|(digit, weight)| u32::from(digit - b'0') * weight)
        .sum::<u32>()
        % 11;
    let national_code = format!("{digits}{}", if rest < 2 { rest } else { 11 - rest });
    let certificate = json!({"title": "عامل توسعه", "issuer": "سازمان", "issued_on": "2000-01-01"});
    let input = json!({"national_code": national_code, "name_fa": "عامل آزمون", "province": province, "certificates": [certificate]});
    let created = made(client, "/api/v1/cdas", input).await;
    let certified = client
        .transition(
            created.header("location"),
            created.etag(),
            json!({"to": "certified", "effective_on": "2000-01-01"}),
        )
        .await;
    assert_eq!(certified.status, 200, "{}", certified.text);
    created
}

/// An assignment of a CDA from a day, to a day unless that is `...`.
pub fn assignment(cda: &Answer, role: &str, from: &str, to: &str) -> Value {
    json!({"cda_id": cda.id(), "role": role, "valid_from": from, "valid_to": Some(to).filter(|to| *to != "...")})
}

/// The path of the assignments of a new project.
async fn assignments(client: &Client, cluster: &str) -> String {
    format!("{}/assignments", project(client, cluster, json!({})).await.header("location"))
}

/// How many leads a project has.
async fn leads(client: &Client, path: &str) -> usize {
    client.get(path).await.items("role").iter().filter(|role| **role == "lead").count()
}

async fn the_days_of_two_leads_do_not_overlap(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let (path, elsewhere) = (assignments(&lorestan, "زیتون").await, assignments(&lorestan, "عسل").await);
    let (first, second) = (cda(&lorestan, 2, "IR-15").await, cda(&lorestan, 3, "IR-15").await);
    let present = made(&lorestan, &path, assignment(&first, "lead", "2015-02-01", "2015-06-30")).await;
    // The same CDA twice would be two leads as well.
    for who in [&first, &second] {
        for (role, from, to, path, is_free) in [
            ("lead", "2015-01-01", "2015-01-31", &path, true),
            ("lead", "2015-01-01", "2015-02-01", &path, false),
            ("lead", "2015-02-01", "2015-06-30", &path, false),
            ("lead", "2015-03-01", "2015-03-01", &path, false),
            ("lead", "2015-01-01", "2015-12-31", &path, false),
            ("lead", "2015-06-30", "2015-07-31", &path, false),
            ("lead", "2015-07-01", "2015-07-31", &path, true),
            ("lead", "2015-01-01", "...", &path, false),
            ("lead", "2015-06-30", "...", &path, false),
            ("lead", "2015-07-01", "...", &path, true),
            ("assistant", "2015-02-01", "2015-06-30", &path, true),
            ("assistant", "2015-01-01", "...", &path, true),
            ("lead", "2015-02-01", "2015-06-30", &elsewhere, true),
        ] {
            let answer = lorestan.post(path, assignment(who, role, from, to)).await;
            if is_free {
                assert_eq!(answer.status, 201, "{role} {from} {to}: {}", answer.text);
                assert_eq!(lorestan.delete(answer.header("location"), "*").await.status, 204);
            } else {
                assert_eq!((answer.status, answer.code()), OVERLAP, "{role} {from} {to}");
                assert_eq!(answer.errors(), [("/valid_from", "overlap")]);
            }
        }
    }
    assert_eq!(lorestan.delete(present.header("location"), "*").await.status, 204);
    made(&lorestan, &path, assignment(&second, "lead", "2015-03-01", "2015-04-01")).await;
}

/// Rule 1: certified for the whole assignment, and not the person who supervises.
async fn a_lead_is_certified_and_independent(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let path = assignments(&lorestan, "زیتون").await;
    let person = cda(&lorestan, 2, "IR-15").await;
    let cda_path = person.header("location");
    let until = |day: &str| json!({"certificates": [{"title": "t", "issuer": "i", "issued_on": "2015-01-01", "expires_on": day}]});
    assert_eq!(lorestan.patch(cda_path, "*", until("2016-12-31")).await.status, 200);
    for (from, to) in [("2014-12-31", "2016-01-01"), ("2015-01-01", "2017-01-01"), ("2015-01-01", "...")] {
        let refused = lorestan.post(&path, assignment(&person, "lead", from, to)).await;
        assert_eq!(
            (refused.status, refused.code(), refused.errors()),
            (409, "cda_not_certified", vec![("/cda_id", "not_certified")]),
            "{from} {to}"
        );
    }
    made(&lorestan, &path, assignment(&person, "assistant", "2014-12-31", "...")).await;
    let led = made(&lorestan, &path, assignment(&person, "lead", "2015-01-01", "2016-12-31")).await;
    let longer = lorestan.patch(led.header("location"), "*", json!({"valid_to": "2017-01-01"})).await;
    assert_eq!(longer.code(), "cda_not_certified");
    let shorter = lorestan.patch(cda_path, "*", until("2016-06-01")).await;
    assert_eq!((shorter.status, shorter.errors()), (409, vec![("/certificates", "not_certified")]));
    // Nobody loses the certificate while leading, and everybody may afterwards.
    for (to, on, missing) in [
        ("suspended", "2016-06-01", vec!["leads_a_project"]),
        ("expired", "2016-12-31", vec!["leads_a_project"]),
        ("expired", "2017-01-01", vec![]),
    ] {
        let answer =
            lorestan.transition(cda_path, "*", json!({"to": to, "effective_on": on, "reason": "x"})).await;
        assert_eq!(
            (answer.status, answer.missing()),
            (if missing.is_empty() { 200 } else { 409 }, missing),
            "{to} on {on}: {}",
            answer.text
        );
    }
    let supervisions = path.replace("assignments", "supervisions");
    let same = json!({"kind": "technical", "person_name": "عامل  آزمون", "valid_from": "2015-01-01"});
    let refused = lorestan.post(&supervisions, same.clone()).await;
    assert_eq!(
        (refused.status, refused.code(), refused.errors()),
        (409, "not_independent", vec![("/person_name", "same_person")])
    );
    let elsewhere = assignments(&lorestan, "عسل").await;
    made(&lorestan, &elsewhere.replace("assignments", "supervisions"), same).await;
    let refused = lorestan.post(&elsewhere, assignment(&person, "assistant", "2015-01-01", "...")).await;
    assert_eq!(
        (refused.status, refused.errors()),
        (409, vec![("/cda_id", "same_person")]),
        "the other way round"
    );
}

async fn a_lead_without_an_end_leads_for_good(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let path = assignments(&lorestan, "زیتون").await;
    let (first, second) = (cda(&lorestan, 2, "IR-15").await, cda(&lorestan, 3, "IR-15").await);
    let present = made(&lorestan, &path, assignment(&first, "lead", "2015-02-01", "...")).await;
    for (from, to) in [("2015-02-01", "..."), ("2999-01-01", "2999-12-31"), ("2015-01-01", "2015-02-01")] {
        let refused = lorestan.post(&path, assignment(&second, "lead", from, to)).await;
        assert_eq!((refused.status, refused.code()), OVERLAP, "{from} {to}");
    }
    made(&lorestan, &path, assignment(&second, "lead", "2015-01-01", "2015-01-31")).await;
    let ended = json!({"valid_to": "2015-06-30", "end_reason": "پایان قرارداد"});
    assert_eq!(lorestan.patch(present.header("location"), present.etag(), ended).await.status, 200);
    made(&lorestan, &path, assignment(&second, "lead", "2015-07-01", "...")).await;
    let reopened = lorestan.patch(present.header("location"), "*", json!({"valid_to": null})).await;
    assert_eq!((reopened.status, reopened.code()), OVERLAP);
}

async fn a_change_does_not_make_a_second_lead(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let path = assignments(&lorestan, "زیتون").await;
    let (first, second) = (cda(&lorestan, 2, "IR-15").await, cda(&lorestan, 3, "IR-15").await);
    let early = made(&lorestan, &path, assignment(&first, "lead", "2015-01-01", "2015-03-31")).await;
    let late = made(&lorestan, &path, assignment(&second, "lead", "2015-07-01", "...")).await;
    let helper = made(&lorestan, &path, assignment(&second, "assistant", "2015-03-01", "2015-08-01")).await;
    for (changed, patch, status) in [
        (&early, json!({"contract_no": "7"}), 200),
        (&early, json!({"valid_to": "2015-07-01"}), 409),
        (&early, json!({"valid_to": null}), 409),
        (&early, json!({"valid_to": "2015-06-30"}), 200),
        (&early, json!({"valid_to": "2015-03-31"}), 200),
        (&late, json!({"valid_from": "2015-03-31"}), 409),
        (&late, json!({"valid_from": "2015-04-01"}), 200),
        (&late, json!({"valid_from": "2015-07-01"}), 200),
        (&helper, json!({"role": "lead"}), 409),
        (&helper, json!({"role": "lead", "valid_from": "2015-04-01"}), 409),
        (&helper, json!({"role": "lead", "valid_from": "2015-04-01", "valid_to": "2015-06-30"}), 200),
        (&early, json!({"role": "assistant", "valid_to": null}), 200),
        (&helper, json!({"valid_from": "2015-01-01"}), 200),
        (&early, json!({"role": "lead"}), 409),
    ] {
        let answer = lorestan.patch(changed.header("location"), "*", patch.clone()).await;
        let (code, errors) =
            if status == 200 { ("", vec![]) } else { ("lead_assigned", vec![("/valid_from", "overlap")]) };
        assert_eq!(
            (answer.status, answer.code(), answer.errors()),
            (status, code, errors),
            "{patch}: {}",
            answer.text
        );
    }
}

async fn of_sixteen_leads_one_is_assigned(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let path = assignments(&lorestan, "زیتون").await;
    let mut bodies = Vec::new();
    for number in 0..16 {
        let from = format!("2015-01-{:02}", number + 1);
        bodies.push(assignment(&cda(&lorestan, number + 2, "IR-15").await, "lead", &from, "..."));
    }
    let answers = join_all(bodies.into_iter().map(|body| lorestan.post(&path, body))).await;
    one_wins(&answers, 201, "lead_assigned", ("/valid_from", "overlap"));
    assert_eq!(lorestan.get(&path).await.items("role"), ["lead"]);
}

async fn of_eight_assistants_one_becomes_the_lead(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let path = assignments(&lorestan, "زیتون").await;
    let mut helpers = Vec::new();
    for number in 2..10 {
        let who = cda(&lorestan, number, "IR-15").await;
        helpers.push(made(&lorestan, &path, assignment(&who, "assistant", "2015-01-01", "...")).await);
    }
    let lead = json!({"role": "lead"});
    let answers = join_all(
        helpers.iter().map(|helper| lorestan.patch(helper.header("location"), helper.etag(), lead.clone())),
    )
    .await;
    one_wins(&answers, 200, "lead_assigned", ("/valid_from", "overlap"));
    assert_eq!(leads(&lorestan, &path).await, 1);
}

async fn of_two_leads_that_grow_towards_each_other_one_does(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let path = assignments(&lorestan, "زیتون").await;
    let who = cda(&lorestan, 2, "IR-15").await;
    for year in 2011..2015 {
        let early = made(
            &lorestan,
            &path,
            assignment(&who, "lead", &format!("{year}-01-01"), &format!("{year}-03-31")),
        )
        .await;
        let late = made(
            &lorestan,
            &path,
            assignment(&who, "lead", &format!("{year}-09-01"), &format!("{year}-12-31")),
        )
        .await;
        let grow = |answer: &Answer, field: &str| {
            let request =
                lorestan.request(Method::PATCH, answer.header("location")).header("if-match", answer.etag());
            lorestan.send(request.json(&json!({field: format!("{year}-06-01")})))
        };
        let answers = join_all([grow(&early, "valid_to"), grow(&late, "valid_from")]).await;
        one_wins(&answers, 200, "lead_assigned", ("/valid_from", "overlap"));
    }
}
