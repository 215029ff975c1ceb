//! The whole life of a development project, told through the API by those who would live it: and at every
//! gate what happens to somebody who comes too early. Each refusal names everything that is missing, and
//! leaves nothing half done.

use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    clusters::register,
    decisions::decision,
    every_role::Stored,
    leads::{assignment, cda},
    milestones::milestone,
    on_both,
    projects::{ORGANISATIONS, PROJECTS, made, named},
    support::{Answer, Client, PASSWORD, Service},
};

on_both!(from_candidate_to_developed, a_project_that_is_terminated_leaves_its_cluster_feasible);

/// A record that changes its state by the hand of somebody.
pub struct Gate<'a> {
    stored: &'a Stored,
    client: &'a Client,
    path: &'a str,
}

impl Gate<'_> {
    async fn attempt(&self, to: &str, on: &str, more: &Value) -> Answer {
        let mut body = json!({"to": to, "effective_on": on});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.client.transition(self.path, "*", body).await
    }

    /// It is too early: exactly this is missing, as the record itself says too, and nothing is written.
    async fn lacks(&self, to: &str, on: &str, more: Value, missing: &[&str]) {
        let (written, before) = (self.stored.now().await, self.client.get(self.path).await);
        let shown =
            before.body["allowed_transitions"].as_array().unwrap().iter().find(|allowed| allowed["to"] == to);
        let shown: Vec<_> = shown.unwrap()["missing"]
            .as_array()
            .unwrap()
            .iter()
            .map(|guard| guard["code"].as_str().unwrap())
            .collect();
        assert_eq!(shown, missing, "{to}: what the record says");
        let refused = self.attempt(to, on, &more).await;
        assert_eq!(
            (refused.status, refused.code(), refused.missing()),
            (409, "requirements_missing", missing.to_vec()),
            "{to}: {}",
            refused.text
        );
        assert!(
            refused.body["missing"]
                .as_array()
                .unwrap()
                .iter()
                .all(|guard| !guard["detail"].as_str().unwrap().is_empty())
        );
        assert_eq!(self.stored.now().await, written, "{to}: nothing is written");
        assert_eq!(self.client.get(self.path).await.body, before.body, "{to}: nothing has happened");
    }

    async fn enters(&self, to: &str, on: &str, more: Value) -> Answer {
        let entered = self.attempt(to, on, &more).await;
        assert_eq!((entered.status, &entered.body["state"]), (200, &json!(to)), "{}", entered.text);
        entered
    }
}

/// A document with its content.
pub async fn attach(client: &Client, subject: (&str, &str), kind: &str, decision: Option<&str>) -> Answer {
    let content = format!("{kind} of {} {}", subject.0, subject.1);
    let sha256: String = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
    let input = json!({
        "subject_kind": subject.0, "subject_id": subject.1, "kind": kind, "title_fa": "سند", "file_name": "سند.txt", "media_type": "text/plain",
        "sha256": sha256, "size_bytes": content.len(), "decision_id": decision,
    });
    let created = made(client, "/api/v1/attachments", input).await;
    let put = client
        .request(Method::PUT, &format!("{}/content", created.header("location")))
        .header("content-type", "text/plain");
    let stored = client.send(put.body(content)).await;
    assert_eq!((stored.status, &stored.body["is_complete"]), (200, &json!(true)), "{}", stored.text);
    stored
}

/// An account of a role in Lorestan, logged in.
async fn account(service: &Service, username: &str, role: &str, more: Value) -> (Answer, Client) {
    let mut input = json!({"username": username, "display_name": username, "role": role, "province": "IR-15", "password": PASSWORD});
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let made = made(&service.login("admin").await, "/api/v1/users", input).await;
    service.own_passwords().await;
    (made, service.login(username).await)
}

/// The cluster «جاجیم», on its way from a name that somebody mentions to one that was found feasible.
async fn feasible(stored: &Stored, lorestan: &Client) -> Answer {
    let cluster = register(lorestan, "جاجیم", json!({})).await;
    let path = cluster.header("location");
    let gate = Gate { stored, client: lorestan, path };
    gate.lacks("identified", "2014-03-01", json!({}), &["no_claim"]).await;
    made(
        lorestan,
        &format!("{path}/claims"),
        json!({"source_title": "رئیس شرکت", "claimed_on": "2014-02-26", "claimed_name": "جاجیم و گلیم"}),
    )
    .await;
    gate.enters("identified", "2014-03-01", json!({})).await;

    let committee = decision(lorestan, json!({"cluster_id": cluster.id()})).await;
    gate.lacks("prioritised", "2014-04-09", json!({"decision_id": committee.id()}), &["no_priority_scores"])
        .await;
    let scores = json!({"importance": 80, "promotability": 70, "viability": 60, "sustainability": 50});
    assert_eq!(lorestan.patch(path, "*", json!({"priority_scores": scores})).await.status, 200);
    let undecided = gate.attempt("prioritised", "2014-04-09", &json!({})).await;
    assert_eq!((undecided.status, undecided.errors()), (422, vec![("/decision_id", "required")]));
    gate.enters("prioritised", "2014-04-09", json!({"decision_id": committee.id()})).await;

    gate.lacks("feasibility", "2014-05-01", json!({}), &["no_executor"]).await;
    let university = named(lorestan, ORGANISATIONS, "University").await;
    let study =
        made(lorestan, &format!("{path}/feasibility-studies"), json!({"executor_id": university})).await;
    gate.enters("feasibility", "2014-05-01", json!({})).await;

    gate.lacks("feasible", "2014-07-01", json!({}), &["no_positive_study"]).await;
    let judged = json!({"criteria": [{"criterion": "بازار", "score": 80}], "result": "negative", "approved_on": "2014-06-20"});
    assert_eq!(lorestan.patch(study.header("location"), "*", judged).await.status, 200);
    gate.lacks("feasible", "2014-07-01", json!({}), &["no_positive_study"]).await;
    assert_eq!(
        lorestan.patch(study.header("location"), "*", json!({"result": "positive"})).await.status,
        200
    );
    gate.lacks("not_feasible", "2014-07-01", json!({}), &["no_negative_study"]).await;
    gate.enters("feasible", "2014-07-01", json!({})).await
}

async fn from_candidate_to_developed(service: &Service) {
    let stored = &Stored(service.database().await);
    let (isipo, lorestan) = (service.login("isipo").await, service.login("lorestan").await);
    let cluster = feasible(stored, &lorestan).await;
    let cluster_path = format!("/api/v1/clusters/{}", cluster.id());
    let state_of_cluster =
        async || lorestan.get(&cluster_path).await.body["state"].as_str().unwrap().to_owned();

    // The project is drafted and approved.
    let company = named(&lorestan, ORGANISATIONS, "Lorestan").await;
    let draft =
        json!({"cluster_id": cluster.id(), "organisation_id": company, "title_fa": "توسعهٔ خوشهٔ جاجیم"});
    let project = made(&lorestan, PROJECTS, draft).await;
    let (id, path) = (project.id(), project.header("location"));
    let gate = Gate { stored, client: &lorestan, path };
    let council = decision(&lorestan, json!({"body": "steering_council", "project_id": id})).await;
    let by_decision = json!({"decision_id": council.id()});
    gate.lacks("approved", "2014-08-01", by_decision.clone(), &["no_budget"]).await;
    let budget =
        json!([{"line": "cda_fee", "amount_irr": "1000"}, {"line": "training", "amount_irr": "500"}]);
    assert_eq!(lorestan.patch(path, "*", json!({"budget": budget})).await.status, 200);
    gate.enters("approved", "2014-08-01", by_decision.clone()).await;

    // It is put under contract, with its people.
    let missing = ["no_contract", "no_certified_lead", "no_supervisor"];
    gate.lacks("contracted", "2014-09-01", json!({}), &missing).await;
    let contract =
        json!({"contract_no": "1393/7", "contract_start": "2014-09-23", "contract_end": "2017-09-22"});
    assert_eq!(lorestan.patch(path, "*", contract).await.status, 200);
    gate.lacks("contracted", "2014-09-01", json!({}), &missing[1..]).await;
    let agent = cda(&lorestan, 77, "IR-15").await;
    let lead =
        made(&lorestan, &format!("{path}/assignments"), assignment(&agent, "lead", "2014-09-01", "..."))
            .await;
    gate.lacks("contracted", "2014-09-01", json!({}), &missing[2..]).await;
    let (cda_account, cda) = account(service, "jajim-cda", "cda", json!({"cda_id": agent.id()})).await;
    let (supervisor_account, supervisor) =
        account(service, "jajim-supervisor", "supervisor", json!({})).await;
    let supervision =
        json!({"kind": "technical", "account_id": supervisor_account.id(), "valid_from": "2014-09-01"});
    made(&lorestan, &format!("{path}/supervisions"), supervision).await;
    assert_eq!(state_of_cluster().await, "feasible");
    gate.enters("contracted", "2014-09-01", json!({})).await;
    assert_eq!(state_of_cluster().await, "in_development", "the contract of its project sets it");
    let history = lorestan.get(&format!("{cluster_path}/history")).await;
    assert_eq!(history.items("kind").last(), Some(&"transitioned"));

    // Trust building opens with the diagnostic study, which is attached and endorsed.
    for (phase, end) in
        [("diagnostic", "2015-03-20"), ("trust_building", "2017-09-22"), ("implementation", "2017-06-01")]
    {
        made(
            &lorestan,
            &format!("{path}/phases"),
            json!({"phase": phase, "planned_start": "2014-09-23", "planned_end": end}),
        )
        .await;
    }
    let early = gate.attempt("diagnostic", "2014-09-22", &json!({})).await;
    assert_eq!(early.missing(), ["not_started"]);
    gate.enters("diagnostic", "2014-09-23", json!({})).await;
    let trust = lorestan.get(&format!("{path}/phases")).await.body["items"][1].clone();
    assert_eq!((&trust["phase"], &trust["actual_start"]), (&json!("trust_building"), &json!("2014-09-23")));
    gate.lacks("planning", "2015-03-01", json!({}), &["no_diagnostic_study", "no_indicator_baseline"]).await;
    let study = attach(&cda, ("project", id), "diagnostic_study", None).await;
    gate.lacks("planning", "2015-03-01", json!({}), &["no_diagnostic_study", "no_indicator_baseline"]).await;
    let endorsed = lorestan
        .patch(&format!("/api/v1/attachments/{}", study.id()), "*", json!({"decision_id": council.id()}))
        .await;
    assert_eq!(endorsed.status, 200, "{}", endorsed.text);
    gate.lacks("planning", "2015-03-01", json!({}), &["no_indicator_baseline"]).await;
    let indicator = lorestan.get("/api/v1/indicators?theme=innovation").await.items("id")[0].to_owned();
    let value = |kind: &str, period: &str, value: &str| json!({"indicator_id": indicator, "project_id": id, "kind": kind, "period": period, "value": value});
    made(&cda, "/api/v1/measurements", value("baseline", "1393", "1")).await;
    gate.enters("planning", "2015-03-01", json!({})).await;

    // The plan is made, endorsed, and frozen when it is whole.
    let missing = ["no_action_plan", "weights_not_whole", "no_baseline"];
    gate.lacks("implementing", "2015-04-04", json!({}), &missing).await;
    attach(&cda, ("project", id), "action_plan", None).await;
    gate.lacks("implementing", "2015-04-04", json!({}), &missing).await;
    attach(&lorestan, ("project", id), "action_plan", Some(council.id())).await;
    let mut milestones = Vec::new();
    for weight in [3_333, 3_333] {
        let more = json!({"project_id": id, "phase": "implementation", "weight_bp": weight, "due_on": "2016-03-19", "evidence_required": true});
        milestones.push(made(&cda, "/api/v1/milestones", milestone(more)).await);
    }
    gate.lacks("implementing", "2015-04-04", json!({}), &missing[1..]).await;
    let baselines = format!("{path}/baselines");
    let short = lorestan.post(&baselines, json!({"frozen_on": "2015-04-01"})).await;
    assert_eq!(
        (short.status, short.errors()),
        (422, vec![("/changes", "weights_not_whole")]),
        "{}",
        short.text
    );
    let third = json!({"project_id": id, "phase": "implementation", "weight_bp": 3_334, "due_on": "2016-06-20", "predecessors": [milestones[0].id()]});
    milestones.push(made(&cda, "/api/v1/milestones", milestone(third)).await);
    gate.lacks("implementing", "2015-04-04", json!({}), &missing[2..]).await;
    let first = made(&lorestan, &baselines, json!({"frozen_on": "2015-04-01"})).await;
    assert_eq!((&first.body["number"], first.body["milestones"].as_array().unwrap().len()), (&json!(1), 3));
    gate.enters("implementing", "2015-04-04", json!({})).await;

    // Milestones are worked on, handed in with evidence, returned, and accepted by the supervisor.
    let paths: Vec<String> =
        milestones.iter().map(|milestone| format!("/api/v1/milestones/{}", milestone.id())).collect();
    Gate { stored, client: &cda, path: &paths[2] }
        .lacks("in_progress", "2015-05-01", json!({}), &["predecessors_open"])
        .await;
    let work = Gate { stored, client: &cda, path: &paths[0] };
    let review = Gate { stored, client: &supervisor, path: &paths[0] };
    work.enters("in_progress", "2015-05-01", json!({})).await;
    work.lacks("submitted", "2015-09-01", json!({}), &["no_evidence"]).await;
    attach(&cda, ("milestone", milestones[0].id()), "evidence", None).await;
    work.enters("submitted", "2015-09-01", json!({})).await;
    assert_eq!(
        work.attempt("accepted", "2015-09-02", &json!({})).await.code(),
        "forbidden",
        "not by the CDA who submitted it"
    );
    review.enters("returned", "2015-09-10", json!({"reason": "فهرست شرکت‌کنندگان نیست"})).await;
    work.enters("in_progress", "2015-09-11", json!({})).await;
    work.enters("submitted", "2015-10-01", json!({})).await;
    review.enters("accepted", "2015-10-05", json!({})).await;
    gate.lacks("evaluating", "2016-07-01", json!({}), &["milestones_open"]).await;
    let work = Gate { path: &paths[2], ..work };
    work.enters("in_progress", "2015-10-06", json!({})).await;
    work.enters("submitted", "2016-05-01", json!({})).await;
    Gate { path: &paths[2], ..review }
        .enters("accepted", "2016-05-05", json!({"accepted_fraction_bp": 8_000}))
        .await;
    // The second one is given up: a re-baseline spreads its weight.
    let frozen = cda.patch(&paths[1], "*", json!({"weight_bp": 0})).await;
    assert_eq!(
        (frozen.status, frozen.code(), frozen.errors()),
        (409, "plan_frozen", vec![("/weight_bp", "frozen")])
    );
    let changes = json!([{"milestone_id": milestones[1].id(), "cancelled": true}, {"milestone_id": milestones[0].id(), "weight_bp": 6_666}]);
    let again = json!({"frozen_on": "2016-06-01", "changes": changes});
    assert_eq!(
        lorestan.post(&baselines, again.clone()).await.errors(),
        [("/decision_id", "required"), ("/reason", "required")]
    );
    let again = json!({"frozen_on": "2016-06-01", "changes": changes, "decision_id": council.id(), "reason": "نبود تقاضا"});
    assert_eq!(made(&lorestan, &baselines, again).await.body["number"], 2);
    assert_eq!(lorestan.get(&paths[1]).await.body["state"], "cancelled");
    // 6666 × 1 + 3334 × 0.8 = 9333.2
    let now = lorestan.get(path).await;
    assert_eq!((&now.body["progress_bp"], &now.body["weight_total_bp"]), (&json!(9_333), &json!(10_000)));
    gate.enters("evaluating", "2016-07-01", json!({})).await;

    // A quarter is reported and accepted on its way up.
    let report = json!({"project_id": id, "quarter": "1394-Q2", "narrative_fa": "نخستین نقطهٔ عطف تحویل شد."});
    let report = made(&cda, "/api/v1/progress-reports", report).await;
    let report = report.header("location");
    for (client, to, on) in [
        (&cda, "submitted", "2015-10-01"),
        (&supervisor, "supervisor_reviewed", "2015-10-03"),
        (&lorestan, "province_approved", "2015-10-10"),
        (&isipo, "nationally_accepted", "2015-10-20"),
    ] {
        Gate { stored, client, path: report }.enters(to, on, json!({})).await;
    }

    // What was reached is measured, received, paid and reconciled.
    let missing = ["no_final_values", "no_receiving_body"];
    gate.lacks("handed_over", "2017-08-01", json!({}), &missing).await;
    made(&cda, "/api/v1/measurements", value("actual", "1395", "4")).await;
    gate.lacks("handed_over", "2017-08-01", json!({}), &missing[1..]).await;
    let association = named(&lorestan, ORGANISATIONS, "Association").await;
    assert_eq!(
        lorestan.patch(path, "*", json!({"receiving_organisation_id": association})).await.status,
        200
    );
    gate.enters("handed_over", "2017-08-01", json!({})).await;
    let payment = json!({"project_id": id, "line": "cda_fee", "amount_irr": "1000", "paid_on": "2017-08-10", "document_no": "12"});
    let payment = made(&lorestan, "/api/v1/payments", payment).await;
    let missing = ["no_completion_licence", "payments_open", "assignments_open"];
    gate.lacks("closed", "2017-10-01", json!({}), &missing).await;
    attach(&lorestan, ("project", id), "completion_licence", None).await;
    gate.lacks("closed", "2017-10-01", json!({}), &missing[1..]).await;
    assert_eq!(
        lorestan.patch(payment.header("location"), "*", json!({"reconciled_on": "2017-09-01"})).await.status,
        200
    );
    gate.lacks("closed", "2017-10-01", json!({}), &missing[2..]).await;
    let ended = json!({"valid_to": "2017-09-22", "end_reason": "پایان قرارداد"});
    assert_eq!(lorestan.patch(lead.header("location"), "*", ended).await.status, 200);
    gate.enters("closed", "2017-10-01", json!({})).await;
    assert_eq!(state_of_cluster().await, "developed");
    assert_eq!(cda_account.body["cda_id"], agent.id());

    // Whatever it was on a day can still be read, as it was known then.
    for (day, state, progress, cluster) in [
        ("2014-07-31", "draft", 0, "feasible"),
        ("2014-09-01", "contracted", 0, "in_development"),
        // By the weights of the baseline that was in force: 3333, and 3333 + 3334 × 0.8 = 6000.2.
        ("2015-10-05", "implementing", 3_333, "in_development"),
        ("2016-05-05", "implementing", 6_000, "in_development"),
        ("2016-06-01", "implementing", 9_333, "in_development"),
        ("2017-10-01", "closed", 9_333, "developed"),
    ] {
        let then = lorestan.get(&format!("{path}?as_of={day}")).await;
        assert_eq!(
            (&then.body["state"], &then.body["progress_bp"]),
            (&json!(state), &json!(progress)),
            "{day}: {}",
            then.text
        );
        assert_eq!(
            lorestan.get(&format!("{cluster_path}?as_of={day}")).await.body["state"],
            cluster,
            "{day}"
        );
    }
}

async fn a_project_that_is_terminated_leaves_its_cluster_feasible(service: &Service) {
    let stored = &Stored(service.database().await);
    let lorestan = service.login("lorestan").await;
    let cluster = feasible(stored, &lorestan).await;
    let cluster_path = format!("/api/v1/clusters/{}", cluster.id());
    let company = named(&lorestan, ORGANISATIONS, "Lorestan").await;
    let council = decision(&lorestan, json!({})).await;
    // The first one ends before its contract, the second one after it.
    for is_contracted in [false, true] {
        let draft = json!({
            "cluster_id": cluster.id(), "organisation_id": company, "title_fa": "توسعه", "budget": [{"line": "training", "amount_irr": "5"}],
            "contract_no": "1393/7", "contract_start": "2014-09-23", "contract_end": "2017-09-22",
        });
        let project = made(&lorestan, PROJECTS, draft).await;
        let path = project.header("location");
        let gate = Gate { stored, client: &lorestan, path };
        gate.enters("approved", "2014-08-01", json!({"decision_id": council.id()})).await;
        if is_contracted {
            let agent = cda(&lorestan, 77, "IR-15").await;
            made(
                &lorestan,
                &format!("{path}/assignments"),
                assignment(&agent, "lead", "2014-09-01", "2017-09-22"),
            )
            .await;
            let supervision = json!({"kind": "technical", "person_name": "ناظر", "valid_from": "2014-09-01"});
            made(&lorestan, &format!("{path}/supervisions"), supervision).await;
            let withdrawn = Gate { stored, client: &lorestan, path: &cluster_path };
            withdrawn.lacks("withdrawn", "2014-09-01", json!({"reason": "x"}), &["live_project"]).await;
            gate.enters("contracted", "2014-09-01", json!({})).await;
            assert_eq!(lorestan.get(&cluster_path).await.body["state"], "in_development");
        }
        let undecided = gate.attempt("terminated", "2015-01-01", &json!({"reason": "انصراف"})).await;
        assert_eq!((undecided.status, undecided.errors()), (422, vec![("/decision_id", "required")]));
        gate.enters("terminated", "2015-01-01", json!({"reason": "انصراف", "decision_id": council.id()}))
            .await;
        assert_eq!(lorestan.get(&cluster_path).await.body["state"], "feasible");
    }
}
