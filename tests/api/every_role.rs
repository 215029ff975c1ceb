//! Every operation of the document as every role, inside and outside of what is its own, with good input and
//! with broken input. What is expected follows from the role table, the place and the operation.

use std::cmp::Reverse;

use reqwest::Method;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};

use crate::{
    auth::log_in,
    on_both,
    roles::{ACCOUNTS, Account},
    support::{Answer, Client, PASSWORD, Service},
    sweep::{NEW_PASSWORD, Operation, Records, guarded},
};

on_both!(
    every_operation_answers_every_role,
    every_broken_rule_of_a_body_is_named,
    milestones_are_moved_by_those_who_may
);

/// Where records lie, seen from an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Within its scope, and for a CDA or a supervisor in a project that is assigned to it.
    Own,
    /// Within its scope, in a project of others.
    Unassigned,
    /// In another province.
    Elsewhere,
}

impl Place {
    fn of(account: &Account) -> Vec<Self> {
        match (account.province, account.is_assigned()) {
            (None, _) => vec![Self::Own],
            (Some(_), false) => vec![Self::Own, Self::Elsewhere],
            (Some(_), true) => vec![Self::Own, Self::Unassigned, Self::Elsewhere],
        }
    }

    /// One record of every kind there.
    async fn records(self, service: &Service, account: &Account) -> Records {
        let province = match (self, account.province) {
            (Self::Elsewhere, Some("IR-15")) => "IR-08",
            (Self::Elsewhere, _) => "IR-15",
            (_, own) => own.unwrap_or("IR-15"),
        };
        let records = Records::make(service, province).await;
        if self == Self::Own && account.is_assigned() {
            let me = account.login(service).await.get("/api/v1/auth/me").await;
            let (list, link) = match account.role {
                "cda" => (
                    "assignments",
                    json!({"cda_id": me.body["cda_id"], "role": "assistant", "valid_from": "2014-03-20"}),
                ),
                _ => (
                    "supervisions",
                    json!({"account_id": me.id(), "kind": "technical", "valid_from": "2014-03-20"}),
                ),
            };
            let linked = service
                .login("admin")
                .await
                .post(&format!("/api/v1/projects/{}/{list}", records.id("project")), link)
                .await;
            assert_eq!(linked.status, 201, "{}", linked.text);
        }
        records
    }
}

/// What is written, past the service.
pub struct Stored(pub khoosheh::store::Database);

/// The tables of records: every write of one adds 1 to a version here, and an entry to the change log.
const TABLES: &str = "account cluster cluster_claim organisation cda project assignment supervision partner phase milestone decision baseline \
                      attachment indicator measurement payment enterprise feasibility_study lineage_entry value_chain_stage network \
                      progress_report joint_action webhook";

impl Stored {
    pub async fn now(&self) -> i64 {
        let versions = TABLES
            .split(' ')
            .map(|table| format!("+ (SELECT COALESCE(SUM(version), 0) FROM {table})"))
            .collect::<String>();
        let sql = format!("SELECT CAST((SELECT count(*) FROM change_log) {versions} AS bigint) AS n");
        let row =
            self.0.query_one_raw(Statement::from_string(self.0.get_database_backend(), sql)).await.unwrap();
        row.unwrap().try_get("", "n").unwrap()
    }

    /// Sends a request that is to write so many records, and is to be answered so.
    async fn check(
        &self,
        client: &Client,
        request: reqwest::RequestBuilder,
        expected: (u16, &str),
        writes: i64,
        place: &str,
    ) -> Answer {
        let before = self.now().await;
        let answer = client.send(request).await;
        let code = if answer.status < 400 { "" } else { answer.code() };
        assert_eq!((answer.status, code), expected, "{place}: {}", answer.text);
        assert_eq!(self.now().await - before, 2 * writes, "{place}: what was written");
        assert!(
            answer.status != 404 || answer.etag().is_empty(),
            "{place}: an ETag tells that something is there"
        );
        answer
    }
}

/// A good call of an operation.
struct Call<'a> {
    operation: &'a Operation,
    path: String,
    body: Option<Value>,
    if_match: Option<&'static str>,
    success: u16,
}

/// What the owner of a webhook may do, and administrators of accounts: the sweep's webhooks are an
/// administrator's.
const OF_OWNERS: &str = "create_webhook_secret";

/// The deletions that other records are in the way of.
const REFERRED_TO: [&str; 7] = [
    "delete_indicator",
    "delete_cluster",
    "delete_organisation",
    "delete_cda",
    "delete_project",
    "delete_decision",
    "delete_enterprise",
];

impl<'a> Call<'a> {
    /// One, and two where the operation may create or replace.
    fn all(operation: &'a Operation, records: &Records) -> Vec<Self> {
        let body = (!operation.media_types().is_empty()).then(|| operation.body(records));
        let path = operation.path_to(records);
        if operation.takes("IfMatchOnReplace") {
            let (mut unnamed, new) = (operation.body(records), format!("{path}-new"));
            unnamed["external_refs"] = json!([]);
            return vec![
                Self { operation, path: new, body: Some(unnamed), if_match: None, success: 201 },
                Self { operation, path, body, if_match: Some("*"), success: 200 },
            ];
        }
        let success = operation.document["responses"]
            .as_object()
            .unwrap()
            .keys()
            .find(|status| status.starts_with('2'))
            .unwrap();
        let if_match = operation.takes("IfMatch").then_some("*");
        vec![Self { operation, path, body, if_match, success: success.parse().unwrap() }]
    }

    fn request(
        &self,
        client: &Client,
        if_match: Option<&str>,
        body: Option<&Value>,
    ) -> reqwest::RequestBuilder {
        let mut request = client.request(self.operation.method.clone(), &self.path);
        if let Some(tag) = if_match {
            request = request.header("if-match", tag);
        }
        if let Some(body) = body { self.operation.with_body(request, body) } else { request }
    }

    /// Whether it changes a record where it succeeds: a file is there already, deliveries and sessions are no
    /// records, and GET is safe.
    fn writes(&self) -> bool {
        let is_about_others = matches!(
            self.operation.id(),
            "test_webhook" | "replay_webhook" | "replay_webhook_delivery" | "delete_other_sessions"
        );
        self.operation.method != Method::GET && !self.operation.takes_file() && !is_about_others
    }

    /// Whether the path names a record, which has to be there, and is not there for everybody.
    fn names_a_record(&self) -> bool {
        !self.operation.is_national()
            && (self.operation.pattern.contains("{id}")
                || (self.operation.pattern.contains("{key}") && self.operation.method == Method::GET))
    }

    /// What the table of roles, the place and the rules between records make of it.
    fn expected(&self, account: &Account, place: Place) -> (u16, &'static str) {
        let (id, kind) = (self.operation.id(), self.operation.kind());
        let is_write = self.operation.method != Method::GET;
        match place {
            _ if !account.may(id) => (403, "forbidden"),
            _ if self.operation.is_national() && is_write && account.province.is_some() => {
                (403, "outside_scope")
            }
            // A system has a secret, which it does not choose.
            _ if id == "change_password" && account.role == "integrator" => (403, "forbidden"),
            _ if id == "delete_session" => (404, "not_found"),
            Place::Elsewhere if self.names_a_record() => (404, "not_found"),
            Place::Elsewhere if is_write && self.success == 200 => (412, "stale_version"),
            Place::Elsewhere
                if matches!(
                    kind,
                    "project"
                        | "milestone"
                        | "decision"
                        | "attachment"
                        | "measurement"
                        | "payment"
                        | "progress_report"
                        | "enterprise"
                ) && is_write =>
            {
                (422, "validation_failed")
            }
            Place::Elsewhere
                if is_write && self.body.as_ref().is_some_and(|body| body.get("province").is_some()) =>
            {
                (403, "outside_scope")
            }
            Place::Unassigned
                if is_write
                    && matches!(kind, "milestone" | "attachment" | "measurement" | "progress_report") =>
            {
                (403, "not_assigned")
            }
            // Supervisors accept and return; to begin and to submit is the work of those who write.
            Place::Own
                if matches!(id, "transition_milestone" | "transition_progress_report")
                    && account.role == "supervisor" =>
            {
                (403, "forbidden")
            }
            // It is submitted by then.
            _ if id == "delete_progress_report" => (409, "report_locked"),
            // The other records that are made belong to them.
            _ if id == OF_OWNERS && !account.may("create_user") => (403, "forbidden"),
            _ if REFERRED_TO.contains(&id) => (409, "still_referred_to"),
            _ => (self.success, ""),
        }
    }

    /// What the same call gets once it has succeeded: none where it may be repeated.
    fn expected_again(&self) -> Option<(u16, &'static str)> {
        let is_unique = matches!(
            self.operation.kind(),
            "cluster"
                | "organisation"
                | "cda"
                | "user"
                | "api_client"
                | "phase"
                | "indicator"
                | "measurement"
                | "progress_report"
        );
        match self.operation.method.as_str() {
            "POST" if self.operation.id().starts_with("transition_") => Some((409, "transition_not_allowed")),
            "POST" if self.success == 201 && is_unique => Some((409, "duplicate")),
            "PUT" if self.success == 201 => Some((428, "precondition_required")),
            "DELETE" => Some((204, "")),
            _ => None,
        }
    }
}

async fn every_operation_answers_every_role(service: &Service) {
    let stored = Stored(service.database().await);
    for account in &ACCOUNTS {
        for place in Place::of(account) {
            let records = place.records(service, account).await;
            let mut client = account.login(service).await;
            let mut operations = guarded();
            // Deletions go last, and what belongs to a record before it. Nobody works in a project once it is
            // suspended.
            operations.sort_by_key(|operation| match operation.id() {
                "transition_project" => (2, Reverse(0)),
                _ if operation.method == Method::DELETE => {
                    (1, Reverse(operation.pattern.matches('{').count()))
                }
                _ => (0, Reverse(0)),
            });
            for (turn, call) in
                operations.iter().flat_map(|operation| Call::all(operation, &records)).enumerate()
            {
                let name = format!("{} {place:?} {}", account.name, call.operation.id());
                refuse(&stored, account, place, &client, &call, turn).await;
                let expected = call.expected(account, place);
                let is_write = expected.0 == call.success && call.writes();
                let good = || call.request(&client, call.if_match, call.body.as_ref());
                stored.check(&client, good(), expected, is_write.into(), &name).await;
                if let Some(again) = call.expected_again().filter(|_| expected.0 == call.success) {
                    stored.check(&client, good(), again, 0, &format!("{name} again")).await;
                }
                if call.operation.id() == "change_password" && is_write {
                    change_back(service, account.name).await;
                    client = account.login(service).await;
                }
            }
        }
    }
}

/// The password that everybody begins with is the present one again.
async fn change_back(service: &Service, username: &str) {
    let login = log_in(&service.anonymous(), username, NEW_PASSWORD).await;
    let changed = service.anonymous().with_token(login.body["access_token"].as_str().unwrap());
    let back = changed
        .post("/api/v1/auth/password", json!({"current_password": NEW_PASSWORD, "new_password": PASSWORD}))
        .await;
    assert_eq!(back.status, 204, "{}", back.text);
}

/// Calls with a version that never was, and with a body that breaks one rule, in turn: who may not call is
/// told that first.
async fn refuse(
    stored: &Stored,
    account: &Account,
    place: Place,
    client: &Client,
    call: &Call<'_>,
    turn: usize,
) {
    let name = format!("{} {place:?} {}", account.name, call.operation.id());
    let refusal = |otherwise| match place {
        _ if !account.may(call.operation.id()) => (403, "forbidden"),
        Place::Elsewhere if call.names_a_record() => (404, "not_found"),
        _ if call.operation.id() == OF_OWNERS && !account.may("create_user") => (403, "forbidden"),
        // A file is not even received from those who may not write it.
        Place::Unassigned if call.operation.takes_file() => (403, "not_assigned"),
        _ => otherwise,
    };
    if call.operation.takes("IfMatch") {
        let stale = call.request(client, Some("\"999\""), call.body.as_ref());
        stored.check(client, stale, refusal((412, "stale_version")), 0, &format!("{name} stale")).await;
    }
    let Some(body) = &call.body else { return };
    let broken = call.operation.broken(body);
    let (broken, pointer, code) = &broken[turn % broken.len()];
    let request = call.request(client, call.if_match, Some(broken));
    let refusal = refusal((422, "validation_failed"));
    if refusal.0 == 404 {
        // What a body breaks may be found out before the record is looked for.
        let answer = client.send(request).await;
        assert!(
            answer.status == 404 || answer.errors().contains(&(pointer, code)),
            "{name}: {}",
            answer.text
        );
    } else {
        stored.check(client, request, refusal, 0, &format!("{name} with a broken {pointer}")).await;
    }
}

async fn every_broken_rule_of_a_body_is_named(service: &Service) {
    let (admin, stored) = (service.login("admin").await, Stored(service.database().await));
    let records = Records::make(service, "IR-15").await;
    let mut broken_rules = 0;
    for operation in guarded().iter().filter(|operation| !operation.media_types().is_empty()) {
        for call in Call::all(operation, &records) {
            for (body, pointer, code) in operation.broken(call.body.as_ref().unwrap()) {
                let name = format!("{} with {body}", operation.id());
                let answer = stored
                    .check(
                        &admin,
                        call.request(&admin, call.if_match, Some(&body)),
                        (422, "validation_failed"),
                        0,
                        &name,
                    )
                    .await;
                let errors = answer.errors();
                assert!(errors.contains(&(&pointer, code)), "{name}: {code} at {pointer}: {}", answer.text);
                assert!(
                    errors.iter().all(|(found, _)| *found == pointer),
                    "{name}: nothing else is wrong: {}",
                    answer.text
                );
                broken_rules += 1;
            }
        }
    }
    assert!(broken_rules > 300, "only {broken_rules}: the sweep has lost its way");
}

/// By hand: each step of a milestone, and the permission that it needs. Reopening is national.
const STEPS: [(&str, &str); 7] = [
    ("in_progress", "milestones:write"),
    ("submitted", "milestones:write"),
    ("returned", "milestones:review"),
    ("in_progress", "milestones:write"),
    ("submitted", "milestones:write"),
    ("accepted", "milestones:review"),
    ("in_progress", "milestones:review nationally"),
];

async fn milestones_are_moved_by_those_who_may(service: &Service) {
    let (admin, stored) = (service.login("admin").await, Stored(service.database().await));
    for account in &ACCOUNTS {
        for place in Place::of(account) {
            let records = place.records(service, account).await;
            let path = format!("/api/v1/milestones/{}/transitions", records.id("milestone"));
            let client = account.login(service).await;
            for (to, needs) in STEPS {
                let (permission, is_national) =
                    needs.split_once(' ').map_or((needs, false), |(permission, _)| (permission, true));
                let expected = match place {
                    _ if !account.may("transition_milestone") => (403, "forbidden"),
                    Place::Elsewhere => (404, "not_found"),
                    Place::Unassigned => (403, "not_assigned"),
                    Place::Own if !account.permissions().contains(permission) => (403, "forbidden"),
                    Place::Own if is_national && account.province.is_some() => (403, "forbidden"),
                    Place::Own => (200, ""),
                };
                let request = |client: &Client| {
                    client
                        .request(Method::POST, &path)
                        .header("if-match", "*")
                        .json(&json!({"to": to, "reason": "نمونه"}))
                };
                let name = format!("{} {place:?} to {to}", account.name);
                stored.check(&client, request(&client), expected, (expected.0 == 200).into(), &name).await;
                if expected.0 != 200 {
                    stored.check(&admin, request(&admin), (200, ""), 1, &name).await;
                }
            }
        }
    }
}
