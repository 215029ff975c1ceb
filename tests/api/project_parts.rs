//! What belongs to a project: assignments, supervisions, partners and phases, and how their dates nest.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    leads::{assignment, cda},
    on_both,
    projects::{ORGANISATIONS, PROJECTS, made, named, project, stone},
    support::Service,
};

on_both!(
    parts_come_change_and_go,
    parts_refer_to_what_exists_and_fits,
    parts_belong_to_their_project,
    a_supervision_says_who_supervises,
    a_phase_comes_once_and_in_order,
    a_phase_lies_in_the_contract,
    a_phase_holds_its_milestones,
    a_contract_holds_what_belongs_to_it,
    dates_nest_in_the_persian_calendar_too,
);

const PARTS: [&str; 4] = ["assignments", "supervisions", "partners", "phases"];
const CONTRACT: (&str, &str) = ("2015-01-01", "2017-12-31");

fn phase(name: &str, start: &str, end: &str) -> Value {
    json!({"phase": name, "planned_start": start, "planned_end": end})
}

/// Its start is not known where that is `...`.
fn milestone(phase: &str, start: &str, due: &str) -> Value {
    json!({"phase": phase, "title_fa": "نقطه", "weight_bp": 100, "planned_start": Some(start).filter(|start| *start != "..."), "due_on": due})
}

async fn parts_come_change_and_go(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let created = project(&lorestan, "زیتون", json!({})).await;
    let project = created.header("location");
    let (who, bank) = (cda(&lorestan, 2, "IR-15").await, named(&lorestan, ORGANISATIONS, "bank").await);
    let assigned = json!({"cda_id": who.id(), "role": "lead", "valid_from": "2015-01-01", "valid_to": null, "contract_no": "7", "end_reason": null});
    let supervised = json!({
        "kind": "senior", "organisation_id": bank, "account_id": null, "person_name": "ناظر", "valid_from": "2015-01-01", "valid_to": "2015-01-01",
        "contract_no": null,
    });
    let phased = json!({
        "phase": "diagnostic", "planned_start": "2015-01-01", "planned_end": "2015-06-30", "actual_start": "2014-12-01", "actual_end": "2015-07-01",
    });
    for (part, full, patch) in [
        ("assignments", assigned, json!({"valid_to": "2015-12-31", "end_reason": "پایان"})),
        ("supervisions", supervised, json!({"valid_to": null, "kind": "technical"})),
        ("partners", json!({"organisation_id": bank, "role": "وام"}), json!({"role": "ضمانت"})),
        ("phases", phased, json!({"planned_end": "2015-07-31", "actual_end": null})),
    ] {
        let list = format!("{project}/{part}");
        let mut input = full.clone();
        input.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        input["external_refs"] = json!([{"system": "erp", "key": "1"}]);
        let made = made(&lorestan, &list, input).await;
        let path = made.header("location");
        assert_eq!(path, format!("{list}/{}", made.id()));
        let read = lorestan.get(path).await;
        assert_eq!(
            (&read.body, read.version_tag(), &read.body["project_id"]),
            (&made.body, "\"1\"", &json!(created.id()))
        );
        for (field, value) in full.as_object().unwrap() {
            assert_eq!(&read.body[field], value, "{part} {field}");
        }
        assert_eq!(lorestan.get(&list).await.body["items"], json!([read.body]));
        assert!(lorestan.get(&format!("{list}?format=csv")).await.text.contains(made.id()), "{part}");

        assert_eq!(
            lorestan.send(lorestan.request(Method::PATCH, path).json(&patch)).await.status,
            428,
            "{part}"
        );
        let changed = lorestan.patch(path, "\"1\"", patch.clone()).await;
        assert_eq!((changed.status, changed.version_tag()), (200, "\"2\""), "{}", changed.text);
        assert!(
            patch.as_object().unwrap().iter().all(|(field, value)| changed.body[field] == *value),
            "{}",
            changed.text
        );
        assert_eq!(lorestan.patch(path, "\"1\"", patch).await.status, 412, "{part}");
        assert_eq!(lorestan.delete(path, "\"1\"").await.status, 412, "{part}");
        assert_eq!(lorestan.delete(path, "\"2\"").await.status, 204, "{part}");
        assert_eq!(lorestan.delete(path, "\"2\"").await.status, 204, "{part}");
        assert_eq!(
            (lorestan.get(path).await.status, lorestan.get(&list).await.items("id").len()),
            (404, 0),
            "{part}"
        );
    }
}

async fn parts_refer_to_what_exists_and_fits(service: &Service) {
    let isipo = service.login("isipo").await;
    let created = project(&isipo, "زیتون", json!({})).await;
    let project = created.header("location");
    let (own, strange) = (cda(&isipo, 2, "IR-15").await, cda(&isipo, 3, "IR-08").await);
    let from = "2015-01-01";
    for (part, input, error) in [
        ("assignments", assignment(&strange, "lead", from, "..."), ("/cda_id", "other_province")),
        ("assignments", assignment(&created, "lead", from, "..."), ("/cda_id", "unknown_record")),
        ("assignments", assignment(&own, "lead", from, "2014-12-31"), ("/valid_to", "too_early")),
        ("assignments", assignment(&own, "boss", from, "..."), ("/role", "not_in_list")),
        ("assignments", json!({"cda_id": own.id(), "role": "lead"}), ("/valid_from", "required")),
        (
            "supervisions",
            json!({"kind": "technical", "organisation_id": own.id(), "valid_from": from}),
            ("/organisation_id", "unknown_record"),
        ),
        (
            "supervisions",
            json!({"kind": "technical", "person_name": "ن", "valid_from": from, "valid_to": "2014-12-31"}),
            ("/valid_to", "too_early"),
        ),
        (
            "partners",
            json!({"organisation_id": own.id(), "role": "وام"}),
            ("/organisation_id", "unknown_record"),
        ),
        ("partners", json!({"organisation_id": own.id()}), ("/role", "required")),
        ("phases", phase("holiday", from, from), ("/phase", "not_in_list")),
    ] {
        let refused = isipo.post(&format!("{project}/{part}"), input.clone()).await;
        assert_eq!((refused.status, refused.errors()), (422, vec![error]), "{part} {input}");
    }
    let assigned =
        made(&isipo, &format!("{project}/assignments"), assignment(&own, "lead", from, "...")).await;
    let moved = isipo.patch(assigned.header("location"), "*", json!({"cda_id": strange.id()})).await;
    assert_eq!(moved.errors(), [("/cda_id", "other_province")]);
    let pistachio = isipo.cluster_named("پسته").await;
    let moved = isipo.patch(project, "*", json!({"cluster_id": pistachio.id()})).await;
    assert_eq!((moved.status, moved.code()), (409, "moved_away"), "the assignment is of the province");
}

async fn parts_belong_to_their_project(service: &Service) {
    let (lorestan, kerman) = (service.login("lorestan").await, service.login("kerman").await);
    let (stone, other) = (stone(&lorestan).await, project(&lorestan, "زیتون", json!({})).await);
    for (part, count) in PARTS.into_iter().zip([1, 1, 3, 6]) {
        let list = lorestan.get(&format!("{stone}/{part}")).await;
        assert_eq!(list.items("id").len(), count, "{part}");
        let id = list.items("id")[0];
        assert_eq!(
            lorestan.get(&format!("{}/{part}/{id}", other.header("location"))).await.status,
            404,
            "{part} of another project"
        );
        assert_eq!(
            lorestan.delete(&format!("{}/{part}/{id}", other.header("location")), "*").await.status,
            404,
            "{part}"
        );
        for path in [format!("{stone}/{part}"), format!("{stone}/{part}/{id}")] {
            assert_eq!(kerman.get(&path).await.status, 404, "{path}");
        }
        assert_eq!(lorestan.get(&format!("{PROJECTS}/{id}/{part}")).await.status, 404);
    }
}

async fn a_supervision_says_who_supervises(service: &Service) {
    let (lorestan, admin) = (service.login("lorestan").await, service.login("admin").await);
    let created = project(&lorestan, "زیتون", json!({})).await;
    let path = format!("{}/supervisions", created.header("location"));
    let input = |more: Value| {
        let mut input = json!({"kind": "technical", "valid_from": "2015-01-01"});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    let refused = lorestan.post(&path, input(json!({}))).await;
    assert_eq!((refused.status, refused.errors()), (422, vec![("/organisation_id", "required")]));
    let account =
        async |name: &str| admin.get(&format!("/api/v1/users?q={name}")).await.items("id")[0].to_owned();
    let supervisor = account("supervisor").await;
    let kerman = json!({"username": "kerman-supervisor", "display_name": "ناظر", "role": "supervisor", "province": "IR-08", "password": "correct horse battery"});
    let elsewhere = made(&admin, "/api/v1/users", kerman).await;
    for (client, id, code) in [
        (&lorestan, account("cda").await, "not_a_supervisor"),
        (&lorestan, account("lorestan-viewer").await, "not_a_supervisor"),
        (&lorestan, elsewhere.id().to_owned(), "unknown_record"),
        (&admin, elsewhere.id().to_owned(), "not_a_supervisor"),
        (&lorestan, created.id().to_owned(), "unknown_record"),
    ] {
        let refused = client.post(&path, input(json!({"account_id": id}))).await;
        assert_eq!(
            (refused.status, refused.errors()),
            (422, vec![("/account_id", code)]),
            "{}",
            refused.text
        );
    }
    let isipo = named(&lorestan, ORGANISATIONS, "ISIPO").await;
    let by_name = made(&lorestan, &path, input(json!({"person_name": "ناظر"}))).await;
    for who in [json!({"account_id": supervisor}), json!({"organisation_id": isipo})] {
        made(&lorestan, &path, input(who)).await;
    }
    let nobody = lorestan.patch(by_name.header("location"), "*", json!({"person_name": null})).await;
    assert_eq!(nobody.errors(), [("/organisation_id", "required")]);
    let mine = service.login("supervisor").await.get(&format!("{PROJECTS}?mine=true")).await;
    assert!(mine.items("id").contains(&created.id()), "who supervises finds the project");
}

async fn a_phase_comes_once_and_in_order(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let created = project(&lorestan, "زیتون", json!({})).await;
    let path = format!("{}/phases", created.header("location"));
    let first = made(&lorestan, &path, phase("diagnostic", "2015-01-01", "2015-06-30")).await;
    let second = made(&lorestan, &path, phase("trust_building", "2015-01-01", "2015-06-30")).await;
    for refused in [
        lorestan.post(&path, phase("diagnostic", "2016-01-01", "2016-06-30")).await,
        lorestan.patch(second.header("location"), "*", json!({"phase": "diagnostic"})).await,
    ] {
        assert_eq!((refused.status, refused.errors()), (409, vec![("/phase", "duplicate")]));
    }
    let other = project(&lorestan, "عسل", json!({})).await;
    made(
        &lorestan,
        &format!("{}/phases", other.header("location")),
        phase("diagnostic", "2015-01-01", "2015-01-01"),
    )
    .await;
    for (patch, errors) in [
        (json!({"planned_end": "2014-12-31"}), vec![("/planned_end", "too_early")]),
        (
            json!({"actual_start": "2015-02-02", "actual_end": "2015-02-01"}),
            vec![("/actual_end", "too_early")],
        ),
        (json!({"actual_end": "2015-02-01"}), vec![("/actual_start", "required")]),
        (json!({"actual_start": "2999-01-01"}), vec![("/actual_start", "in_future")]),
        (
            json!({"actual_start": "2015-02-01", "actual_end": "2999-01-01"}),
            vec![("/actual_end", "in_future")],
        ),
        (
            json!({"planned_end": "2014-12-31", "actual_start": "2999-01-02", "actual_end": "2999-01-01"}),
            vec![
                ("/actual_end", "in_future"),
                ("/actual_end", "too_early"),
                ("/actual_start", "in_future"),
                ("/planned_end", "too_early"),
            ],
        ),
    ] {
        let refused = lorestan.patch(first.header("location"), "*", patch.clone()).await;
        assert_eq!((refused.status, refused.errors()), (422, errors), "{patch}");
    }
    assert_eq!(lorestan.delete(first.header("location"), "*").await.status, 204);
    made(&lorestan, &path, phase("diagnostic", "2999-01-01", "2999-01-01")).await;
}

async fn a_phase_lies_in_the_contract(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let contract = json!({"contract_start": CONTRACT.0, "contract_end": CONTRACT.1});
    let created = project(&lorestan, "زیتون", contract).await;
    let path = format!("{}/phases", created.header("location"));
    let other = made(&lorestan, &path, phase("handover", CONTRACT.0, CONTRACT.1)).await;
    for (start, end, errors) in [
        ("2014-12-31", CONTRACT.1, vec![("/planned_start", "too_early")]),
        (CONTRACT.0, "2018-01-01", vec![("/planned_end", "too_late")]),
        ("2014-12-31", "2018-01-01", vec![("/planned_end", "too_late"), ("/planned_start", "too_early")]),
        ("2018-01-01", "2018-01-02", vec![("/planned_end", "too_late"), ("/planned_start", "too_late")]),
    ] {
        let input = phase("diagnostic", start, end);
        let days = json!({"planned_start": start, "planned_end": end});
        for refused in
            [lorestan.post(&path, input).await, lorestan.patch(other.header("location"), "*", days).await]
        {
            assert_eq!((refused.status, refused.errors()), (422, errors.clone()), "{start} {end}");
        }
    }
    let open = json!({"contract_start": null});
    assert_eq!(lorestan.patch(created.header("location"), "*", open).await.status, 200);
    made(&lorestan, &path, phase("diagnostic", "1999-01-01", CONTRACT.1)).await;
    let late = lorestan.post(&path, phase("evaluation", "1999-01-01", "2018-01-01")).await;
    assert_eq!(late.errors(), [("/planned_end", "too_late")]);
}

async fn a_phase_holds_its_milestones(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let contract = json!({"contract_start": CONTRACT.0, "contract_end": CONTRACT.1});
    let created = project(&lorestan, "زیتون", contract).await;
    let (phases, milestones) = (
        format!("{}/phases", created.header("location")),
        format!("{}/milestones", created.header("location")),
    );
    let diagnostic = made(&lorestan, &phases, phase("diagnostic", "2015-02-01", "2015-06-30")).await;
    for (name, start, due, errors) in [
        ("diagnostic", "2015-02-01", "2015-06-30", vec![]),
        ("diagnostic", "2015-01-31", "2015-03-01", vec![("/planned_start", "too_early")]),
        (
            "diagnostic",
            "2015-01-31",
            "2015-07-01",
            vec![("/due_on", "too_late"), ("/planned_start", "too_early")],
        ),
        ("diagnostic", "...", "2015-01-31", vec![("/due_on", "too_early")]),
        ("diagnostic", "2015-04-02", "2015-04-01", vec![("/due_on", "too_early")]),
        // A phase that is not planned yet has the bounds of the contract.
        ("evaluation", "2015-01-01", "2017-12-31", vec![]),
        (
            "evaluation",
            "2014-12-31",
            "2018-01-01",
            vec![("/due_on", "too_late"), ("/planned_start", "too_early")],
        ),
    ] {
        let answer = lorestan.post(&milestones, milestone(name, start, due)).await;
        let expected = if errors.is_empty() { 201 } else { 422 };
        assert_eq!((answer.status, answer.errors()), (expected, errors), "{name} {start} {due}");
    }
    let late = lorestan.post(&phases, phase("evaluation", "2015-01-02", "2017-12-30")).await;
    assert_eq!(late.errors(), [("/planned_end", "too_early"), ("/planned_start", "too_late")]);
    let whole = lorestan.get(&milestones).await.items("id")[1].to_owned();
    let moved =
        lorestan.patch(&format!("/api/v1/milestones/{whole}"), "*", json!({"phase": "diagnostic"})).await;
    assert_eq!(moved.errors(), [("/due_on", "too_late"), ("/planned_start", "too_early")]);

    for (patch, errors) in [
        (json!({"planned_start": "2015-02-02"}), vec![("/planned_start", "too_late")]),
        (json!({"planned_end": "2015-06-29"}), vec![("/planned_end", "too_early")]),
        (json!({"planned_start": "2015-01-01", "planned_end": "2015-07-01"}), vec![]),
    ] {
        let answer = lorestan.patch(diagnostic.header("location"), "*", patch.clone()).await;
        assert_eq!(answer.errors(), errors, "{patch}");
    }
    // Of a milestone only the day by which it is due may be known.
    let planned = made(&lorestan, &phases, phase("action_plan", "2016-01-01", "2016-12-31")).await;
    made(&lorestan, &milestones, milestone("action_plan", "...", "2016-03-01")).await;
    made(&lorestan, &milestones, milestone("action_plan", "2016-06-01", "2016-07-01")).await;
    let refused =
        lorestan.patch(planned.header("location"), "*", json!({"planned_start": "2016-03-02"})).await;
    assert_eq!(
        (refused.status, refused.errors()),
        (422, vec![("/planned_start", "too_late")]),
        "a milestone is due before"
    );
}

async fn a_contract_holds_what_belongs_to_it(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let contract = json!({"contract_start": CONTRACT.0, "contract_end": CONTRACT.1});
    let (phased, bare) =
        (project(&lorestan, "زیتون", contract.clone()).await, project(&lorestan, "عسل", contract).await);
    made(
        &lorestan,
        &format!("{}/phases", phased.header("location")),
        phase("diagnostic", "2015-02-01", "2015-06-30"),
    )
    .await;
    made(
        &lorestan,
        &format!("{}/milestones", bare.header("location")),
        milestone("diagnostic", "...", "2015-02-01"),
    )
    .await;
    made(
        &lorestan,
        &format!("{}/milestones", bare.header("location")),
        milestone("diagnostic", "2015-03-01", "2015-06-30"),
    )
    .await;
    for (patch, errors) in [
        (json!({"contract_start": "2015-02-02"}), vec![("/contract_start", "too_late")]),
        (json!({"contract_end": "2015-06-29"}), vec![("/contract_end", "too_early")]),
        (
            json!({"contract_start": "2015-02-02", "contract_end": "2015-06-29"}),
            vec![("/contract_end", "too_early"), ("/contract_start", "too_late")],
        ),
        (json!({"contract_start": "2015-02-01", "contract_end": "2015-06-30"}), vec![]),
        (json!({"contract_start": null, "contract_end": null}), vec![]),
    ] {
        for (what, created) in [("a phase", &phased), ("milestones", &bare)] {
            let answer = lorestan.patch(created.header("location"), "*", patch.clone()).await;
            let expected = if errors.is_empty() { 200 } else { 422 };
            assert_eq!((answer.status, answer.errors()), (expected, errors.clone()), "{what}: {patch}");
        }
    }
}

/// The demonstration's contract is from 1393-01-20 to 1395-12-30, its phases and milestones from 1393-02-01
/// to that day.
async fn dates_nest_in_the_persian_calendar_too(service: &Service) {
    let lorestan = service.login("lorestan").await;
    let stone = stone(&lorestan).await;
    let study = json!({"phase": "diagnostic", "title_fa": "مطالعه", "weight_bp": 0, "due_on": "2014-06-21", "planned_start": "2014-04-21"});
    let study = made(&lorestan, &format!("{stone}/milestones"), study).await.header("location").to_owned();
    let handover = lorestan.get(&format!("{stone}/phases")).await.items("id")[5].to_owned();
    let handover = format!("{stone}/phases/{handover}");
    for (path, patch, errors) in [
        // A phase and a milestone lie outside then.
        (&stone, json!({"contract_end": "1395-12-29"}), vec![("/contract_end", "too_early"); 2]),
        (&stone, json!({"contract_start": "1393-02-02"}), vec![("/contract_start", "too_late"); 2]),
        (&stone, json!({"contract_start": "1393-02-01"}), vec![]),
        (&stone, json!({"contract_end": "1394-12-30"}), vec![("/contract_end", "no_such_day")]),
        (&handover, json!({"planned_end": "1396-01-01"}), vec![("/planned_end", "too_late")]),
        (&handover, json!({"planned_end": "1395-12-29"}), vec![("/planned_end", "too_early")]),
        (&handover, json!({"planned_start": "1395-11-02"}), vec![("/planned_start", "too_late")]),
        (&study, json!({"due_on": "1393-07-01"}), vec![("/due_on", "too_late")]),
        (&study, json!({"due_on": "1393-06-31"}), vec![]),
        (&study, json!({"planned_start": "1393-01-31"}), vec![("/planned_start", "too_early")]),
    ] {
        let answer = lorestan.patch(&format!("{path}?calendar=persian"), "*", patch.clone()).await;
        let expected = if errors.is_empty() { 200 } else { 422 };
        assert_eq!((answer.status, answer.errors()), (expected, errors), "{patch}");
    }
    assert_eq!(lorestan.get(&study).await.body["due_on"], "2014-09-22", "1393-06-31");
}
