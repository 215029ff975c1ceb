//! Random transitions and edits by random roles: whatever they try, the rules between records (`domain.md`)
//! hold, and what is refused changes nothing. The walk is long and always the same, so that what it finds can
//! be found again.

use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use reqwest::Method;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};

use crate::{
    decisions::decision,
    every_role::Stored,
    leads::{assignment, cda},
    on_both,
    projects::{PROJECTS, made, project, stone},
    story::attach,
    support::{Answer, Client, Service},
};

on_both!(no_rule_is_ever_broken);

const STEPS: usize = 500;
const ACTORS: [&str; 7] = ["admin", "isipo", "lorestan", "kerman", "ministry", "cda", "supervisor"];

/// Something that somebody tries. Numbers choose among what there is.
#[derive(Clone, Debug)]
enum Deed {
    Enter { kind: usize, which: usize, to: usize, late: u64 },
    Weigh { which: usize, weight: u32 },
    Delay { which: usize, month: u32 },
    Add { which: usize, weight: u32 },
    Delete { which: usize },
    Budget { which: usize, amount: u32 },
    Pay { which: usize, amount: u32 },
    Assign { which: usize, who: usize, lead: bool, from: u32, to: u32 },
    End { which: usize, to: u32 },
    Certify { who: usize, until: u32 },
    Freeze { which: usize, from: usize, to: usize, weight: u32, cancelled: bool },
    Prove { which: usize },
    Contract { which: usize, end: u32 },
}

fn deed() -> impl Strategy<Value = Deed> {
    let one = 0..64_usize;
    prop_oneof![
        24 => (prop_oneof![1 => Just(0_usize), 6 => Just(1), 9 => Just(2), 1 => Just(3)], one.clone(), one.clone(), 0..64_u64)
            .prop_map(|(kind, which, to, late)| Deed::Enter { kind, which, to, late }),
        1 => (one.clone(), 0..10_001_u32).prop_map(|(which, weight)| Deed::Weigh { which, weight }),
        1 => (one.clone(), 1..13_u32).prop_map(|(which, month)| Deed::Delay { which, month }),
        1 => (one.clone(), prop_oneof![Just(0), 0..5_000_u32]).prop_map(|(which, weight)| Deed::Add { which, weight }),
        1 => one.clone().prop_map(|which| Deed::Delete { which }),
        1 => (one.clone(), 0..2_000_u32).prop_map(|(which, amount)| Deed::Budget { which, amount }),
        2 => (one.clone(), 1..700_u32).prop_map(|(which, amount)| Deed::Pay { which, amount }),
        2 => (one.clone(), one.clone(), any::<bool>(), 2010..2030_u32, 2010..2030_u32)
            .prop_map(|(which, who, lead, from, to)| Deed::Assign { which, who, lead, from, to }),
        1 => (one.clone(), 2010..2030_u32).prop_map(|(which, to)| Deed::End { which, to }),
        1 => (one.clone(), 2010..2040_u32).prop_map(|(who, until)| Deed::Certify { who, until }),
        1 => (one.clone(), one.clone(), one.clone(), 0..800_u32, any::<bool>())
            .prop_map(|(which, from, to, weight, cancelled)| Deed::Freeze { which, from, to, weight, cancelled }),
        2 => one.clone().prop_map(|which| Deed::Prove { which }),
        1 => (one, 2010..2030_u32).prop_map(|(which, end)| Deed::Contract { which, end }),
    ]
}

/// The states that may be asked for, and what `domain.md` lets follow: cluster, project, milestone, CDA.
const FOLLOWS: [&[(&str, &str)]; 4] = [
    &[
        ("candidate", "identified merged split withdrawn"),
        ("identified", "prioritised merged split withdrawn"),
        ("prioritised", "feasibility merged split withdrawn"),
        ("feasibility", "feasible not_feasible merged split withdrawn"),
        ("feasible", "merged split withdrawn"),
        ("not_feasible", "prioritised merged split withdrawn"),
        ("in_development", "merged split withdrawn"),
        ("developed", "merged split withdrawn"),
    ],
    &[
        ("draft", "approved"),
        ("approved", "contracted suspended terminated"),
        ("contracted", "diagnostic suspended terminated"),
        ("diagnostic", "planning suspended terminated"),
        ("planning", "implementing suspended terminated"),
        ("implementing", "evaluating suspended terminated"),
        ("evaluating", "handed_over suspended terminated"),
        ("handed_over", "closed suspended terminated"),
        (
            "suspended",
            "approved contracted diagnostic planning implementing evaluating handed_over terminated",
        ),
    ],
    &[
        ("planned", "in_progress"),
        ("in_progress", "submitted"),
        ("submitted", "accepted returned"),
        ("returned", "in_progress"),
        ("accepted", "in_progress"),
    ],
    &[
        ("applicant", "certified"),
        ("certified", "suspended expired revoked"),
        ("suspended", "certified revoked"),
        ("expired", "certified revoked"),
    ],
];

/// Who may do what, by hand: the roles whose attempt can succeed.
fn may(actor: &str, deed: &Deed, from: &str, to: &str) -> bool {
    let is_manager = ["admin", "isipo", "lorestan"].contains(&actor);
    match deed {
        Deed::Enter { kind: 2, .. } if from == "accepted" => ["admin", "isipo"].contains(&actor),
        Deed::Enter { kind: 2, .. } if ["accepted", "returned"].contains(&to) => {
            is_manager || actor == "supervisor"
        }
        Deed::Enter { kind: 2, .. }
        | Deed::Weigh { .. }
        | Deed::Delay { .. }
        | Deed::Add { .. }
        | Deed::Delete { .. }
        | Deed::Prove { .. } => is_manager || actor == "cda",
        _ => is_manager,
    }
}

struct World {
    stored: Stored,
    clients: Vec<(&'static str, Client)>,
    isipo: Client,
    cdas: Vec<String>,
    decision: String,
}

impl World {
    async fn ids(&self, table: &str) -> Vec<String> {
        let sql =
            format!("SELECT id FROM {table} WHERE deleted_at IS NULL AND province = 'IR-15' ORDER BY id");
        let rows = self
            .stored
            .0
            .query_all_raw(Statement::from_string(self.stored.0.get_database_backend(), sql))
            .await
            .unwrap();
        rows.iter().map(|row| row.try_get::<uuid::Uuid>("", "id").unwrap().to_string()).collect()
    }

    async fn pick(&self, table: &str, which: usize) -> String {
        let ids = self.ids(table).await;
        ids[which % ids.len()].clone()
    }

    /// What a deed is as a request; none where there is nothing to do it to.
    async fn request(
        &self,
        client: &Client,
        deed: &Deed,
        turn: usize,
    ) -> Option<(reqwest::RequestBuilder, Option<(String, String)>)> {
        let post = |path: String, body: Value| {
            client.request(Method::POST, &path).header("if-match", "*").json(&body)
        };
        let patch = |path: String, body: Value| {
            client.request(Method::PATCH, &path).header("if-match", "*").json(&body)
        };
        let in_project = |id: &str, part: &str| format!("{PROJECTS}/{id}/{part}");
        let request = match deed {
            Deed::Enter { kind, which, to, late } => {
                let (table, list) = [
                    ("cluster", "clusters"),
                    ("project", "projects"),
                    ("milestone", "milestones"),
                    ("cda", "cdas"),
                ][*kind];
                let path = format!("/api/v1/{list}/{}", self.pick(table, *which).await);
                let from = self.isipo.get(&path).await.body["state"].as_str().unwrap().to_owned();
                // Mostly the way ahead, now and then an end, now and then anything.
                let next = FOLLOWS[*kind]
                    .iter()
                    .find(|(state, _)| *state == from)
                    .map_or(Vec::new(), |(_, next)| next.split(' ').collect());
                let every: Vec<_> =
                    FOLLOWS[*kind].iter().flat_map(|(from, next)| next.split(' ').chain([*from])).collect();
                let to = match to % 8 {
                    0 => every[to % every.len()],
                    1 if !next.is_empty() => next[to % next.len()],
                    _ if from == "suspended" && !next.is_empty() => next[to % next.len()],
                    _ => next.first().copied().unwrap_or(every[0]),
                };
                // Time goes by, and some come late with what they tell.
                let days = (STEPS - turn) as u64 + if *late < 4 { 400 } else { 0 };
                let day = chrono::Utc::now().date_naive() - chrono::Days::new(days);
                let body = json!({"to": to, "effective_on": day.to_string(), "reason": "آزمون", "decision_id": self.decision});
                return Some((post(format!("{path}/transitions"), body), Some((from, to.to_owned()))));
            }
            Deed::Weigh { which, weight } => patch(
                format!("/api/v1/milestones/{}", self.pick("milestone", *which).await),
                json!({"weight_bp": weight}),
            ),
            Deed::Delay { which, month } => patch(
                format!("/api/v1/milestones/{}", self.pick("milestone", *which).await),
                json!({"due_on": format!("2015-{month:02}-10")}),
            ),
            Deed::Add { which, weight } => {
                let body = json!({"phase": "implementation", "title_fa": "افزوده", "weight_bp": weight, "due_on": "2015-09-01"});
                post(in_project(&self.pick("project", *which).await, "milestones"), body)
            }
            Deed::Delete { which } => client
                .request(
                    Method::DELETE,
                    &format!("/api/v1/milestones/{}", self.pick("milestone", *which).await),
                )
                .header("if-match", "*"),
            Deed::Budget { which, amount } => {
                let budget = json!([{"line": "training", "amount_irr": amount.to_string()}]);
                patch(format!("{PROJECTS}/{}", self.pick("project", *which).await), json!({"budget": budget}))
            }
            Deed::Pay { which, amount } => {
                let id = self.pick("project", *which).await;
                let body = json!({"project_id": id, "line": "training", "amount_irr": amount.to_string(), "paid_on": "2016-01-01", "document_no": "1"});
                post("/api/v1/payments".to_owned(), body)
            }
            Deed::Assign { which, who, lead, from, to } => {
                let role = if *lead { "lead" } else { "assistant" };
                let until = if to % 3 == 0 { Value::Null } else { json!(format!("{to}-01-01")) };
                let body = json!({"cda_id": self.cdas[who % self.cdas.len()], "role": role, "valid_from": format!("{from}-01-01"), "valid_to": until});
                post(in_project(&self.pick("project", *which).await, "assignments"), body)
            }
            Deed::End { which, to } => {
                let project = self.pick("project", *which).await;
                let listed = self.isipo.get(&in_project(&project, "assignments")).await;
                let id = listed.items("id").first()?.to_string();
                patch(
                    format!("{}/{id}", in_project(&project, "assignments")),
                    json!({"valid_to": format!("{to}-06-01")}),
                )
            }
            Deed::Certify { who, until } => {
                let certificate = json!({"title": "t", "issuer": "i", "issued_on": "2010-01-01", "expires_on": format!("{until}-01-01")});
                patch(
                    format!("/api/v1/cdas/{}", self.cdas[who % self.cdas.len()]),
                    json!({"certificates": [certificate]}),
                )
            }
            Deed::Freeze { which, from, to, weight, cancelled } => {
                let project = self.pick("project", *which).await;
                let listed =
                    self.isipo.get(&format!("{}?page_size=200", in_project(&project, "milestones"))).await;
                let items = listed.body["items"].as_array().unwrap().clone();
                let (from, to) = (items.get(from % items.len().max(1))?, items.get(to % items.len().max(1))?);
                let (less, more) = (from["weight_bp"].as_u64().unwrap(), to["weight_bp"].as_u64().unwrap());
                let moved = if *cancelled { less } else { u64::from(*weight) };
                let first = match cancelled {
                    true => json!({"milestone_id": from["id"], "cancelled": true}),
                    false => json!({"milestone_id": from["id"], "weight_bp": less.saturating_sub(moved)}),
                };
                let changes =
                    json!([first, {"milestone_id": to["id"], "weight_bp": (more + moved).min(10_000)}]);
                post(
                    in_project(&project, "baselines"),
                    json!({"changes": changes, "decision_id": self.decision, "reason": "آزمون"}),
                )
            }
            Deed::Prove { which } => {
                let subject = self.pick("milestone", *which).await;
                let body = json!({
                    "subject_kind": "milestone", "subject_id": subject, "kind": "evidence", "title_fa": "سند", "file_name": "a.txt",
                    "media_type": "text/plain", "sha256": "0".repeat(64), "size_bytes": 5,
                });
                post("/api/v1/attachments".to_owned(), body)
            }
            Deed::Contract { which, end } => patch(
                format!("{PROJECTS}/{}", self.pick("project", *which).await),
                json!({"contract_end": format!("{end}-03-20")}),
            ),
        };
        Some((request, None))
    }

    /// Every rule between records, as the tables themselves tell it.
    async fn check(&self, after: &str) {
        const NEVER: [(&str, &str); 10] = [
            (
                "two leads at a time",
                "assignment a JOIN assignment b ON a.project_id = b.project_id AND a.id < b.id WHERE a.role = 'lead' AND b.role = 'lead' \
                 AND a.deleted_at IS NULL AND b.deleted_at IS NULL AND a.valid_from <= COALESCE(b.valid_to, '9999-12-31') \
                 AND b.valid_from <= COALESCE(a.valid_to, '9999-12-31')",
            ),
            (
                "a lead without a certificate",
                "assignment a JOIN cda c ON c.id = a.cda_id JOIN project p ON p.id = a.project_id WHERE a.role = 'lead' AND a.deleted_at IS NULL \
                 AND c.state <> 'certified' AND (a.valid_to IS NULL OR a.valid_to > '2026-12-31') AND p.state NOT IN ('closed', 'terminated')",
            ),
            (
                "two live projects of a cluster",
                "project a JOIN project b ON a.cluster_id = b.cluster_id AND a.id < b.id WHERE a.deleted_at IS NULL AND b.deleted_at IS NULL \
                 AND a.state NOT IN ('draft', 'closed', 'terminated') AND b.state NOT IN ('draft', 'closed', 'terminated')",
            ),
            (
                "another province than the cluster's",
                "project p JOIN cluster c ON c.id = p.cluster_id WHERE p.province <> c.province",
            ),
            (
                "a frozen plan that is not whole",
                "(SELECT m.project_id FROM milestone m WHERE m.deleted_at IS NULL AND m.state <> 'cancelled' \
                 AND EXISTS (SELECT 1 FROM baseline b WHERE b.project_id = m.project_id) GROUP BY m.project_id HAVING SUM(m.weight_bp) <> 10000) x WHERE 1 = 1",
            ),
            (
                "a status date before the one preceding it",
                "status_event a JOIN status_event b ON a.resource = b.resource AND a.record_id = b.record_id AND a.id < b.id \
                 WHERE a.effective_on > b.effective_on",
            ),
            (
                "a finished project with open milestones",
                "milestone m JOIN project p ON p.id = m.project_id WHERE m.deleted_at IS NULL AND m.state NOT IN ('accepted', 'cancelled') \
                 AND p.state IN ('evaluating', 'handed_over', 'closed')",
            ),
            (
                "a cluster in development without a project under contract, or the other way round",
                "cluster c WHERE c.deleted_at IS NULL AND (c.state = 'in_development') <> EXISTS (SELECT 1 FROM project p WHERE p.cluster_id = c.id \
                 AND p.deleted_at IS NULL AND (p.state IN ('contracted', 'diagnostic', 'planning', 'implementing', 'evaluating', 'handed_over') \
                 OR p.suspended_from IN ('contracted', 'diagnostic', 'planning', 'implementing', 'evaluating', 'handed_over')))",
            ),
            (
                "a milestone outside of its phase",
                "milestone m JOIN phase f ON f.project_id = m.project_id AND f.phase = m.phase WHERE m.deleted_at IS NULL AND f.deleted_at IS NULL \
                 AND (m.due_on > f.planned_end OR m.due_on < f.planned_start)",
            ),
            (
                "a phase outside of the contract",
                "phase f JOIN project p ON p.id = f.project_id WHERE f.deleted_at IS NULL \
                 AND (f.planned_end > p.contract_end OR f.planned_start < p.contract_start)",
            ),
        ];
        for (name, from) in NEVER {
            let sql = format!("SELECT COUNT(*) AS n FROM {from}");
            let row = self
                .stored
                .0
                .query_one_raw(Statement::from_string(self.stored.0.get_database_backend(), sql))
                .await
                .unwrap();
            let broken: i64 = row.unwrap().try_get("", "n").unwrap();
            assert_eq!(broken, 0, "{name} after {after}");
        }
        // What is derived is what the milestones say, and no line pays more than it has.
        for project in self.isipo.get(&format!("{PROJECTS}?page_size=200&province=IR-15")).await.body["items"]
            .as_array()
            .unwrap()
        {
            let id = project["id"].as_str().unwrap();
            let milestones = self.isipo.get(&format!("{PROJECTS}/{id}/milestones?page_size=200")).await;
            let counted = milestones.body["items"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|milestone| milestone["state"] != "cancelled");
            let earned: u64 = counted
                .map(|m| m["weight_bp"].as_u64().unwrap() * m["accepted_fraction_bp"].as_u64().unwrap())
                .sum();
            assert_eq!(project["progress_bp"], earned / 10_000, "progress after {after}");
            let paid = self.isipo.get(&format!("/api/v1/payments?project_id={id}&page_size=200")).await;
            let paid: u64 =
                paid.items("amount_irr").iter().map(|amount| amount.parse::<u64>().unwrap()).sum();
            let approved =
                project["budget"].as_array().unwrap().iter().find(|line| line["line"] == "training");
            let approved =
                approved.map_or(0, |line| line["amount_irr"].as_str().unwrap().parse::<u64>().unwrap());
            assert!(paid <= approved, "{paid} of {approved} is paid after {after}");
        }
    }
}

/// Gives a draft what its whole life asks for, but for people and money.
async fn prepare(client: &Client, draft: &Answer, decision: &str) {
    for kind in ["diagnostic_study", "action_plan", "completion_licence"] {
        attach(client, ("project", draft.id()), kind, Some(decision)).await;
    }
    let indicator = client.get("/api/v1/indicators?theme=innovation").await.items("id")[0].to_owned();
    for (kind, period) in [("baseline", "1393"), ("actual", "1395")] {
        let body = json!({"indicator_id": indicator, "project_id": draft.id(), "kind": kind, "period": period, "value": "1"});
        made(client, "/api/v1/measurements", body).await;
    }
    for due_on in ["2015-09-01", "2016-03-01"] {
        let body = json!({"phase": "implementation", "title_fa": "نیم", "weight_bp": 5_000, "due_on": due_on, "evidence_required": true});
        let milestone = made(client, &format!("{}/milestones", draft.header("location")), body).await;
        attach(client, ("milestone", milestone.id()), "evidence", None).await;
    }
    let receiver = json!({"receiving_organisation_id": draft.body["organisation_id"]});
    assert_eq!(client.patch(draft.header("location"), "*", receiver).await.status, 200);
}

/// The demonstration, with two clusters that wait for the one project of several drafts, and two CDAs more.
async fn world(service: &Service) -> World {
    let isipo = service.login("isipo").await;
    let mut clients = Vec::new();
    for actor in ACTORS {
        clients.push((actor, service.login(actor).await));
    }
    let decision = decision(&isipo, json!({})).await.id().to_owned();
    let (first, second) = (cda(&isipo, 81, "IR-15").await, cda(&isipo, 82, "IR-15").await);
    let contract = json!({
        "budget": [{"line": "training", "amount_irr": "900"}], "contract_no": "1", "contract_start": "2014-03-21", "contract_end": "2017-03-20",
    });
    for cluster in ["زیتون", "عسل"] {
        let found = isipo.cluster_named(cluster).await;
        service.put_in_state("cluster", found.id(), "feasible").await;
        for _ in 0..2 {
            let draft = project(&isipo, cluster, contract.clone()).await;
            let path = draft.header("location");
            made(&isipo, &format!("{path}/assignments"), assignment(&first, "lead", "2014-03-21", "..."))
                .await;
            made(
                &isipo,
                &format!("{path}/supervisions"),
                json!({"kind": "senior", "person_name": "ناظر ارشد", "valid_from": "2014-03-21"}),
            )
            .await;
            prepare(&isipo, &draft, &decision).await;
        }
    }
    let stone = isipo.get(&stone(&isipo).await).await;
    for milestone in
        isipo.get(&format!("{PROJECTS}/{}/milestones?page_size=50", stone.id())).await.items("id")
    {
        attach(&isipo, ("milestone", milestone), "evidence", None).await;
    }
    let cdas = vec![
        first.id().to_owned(),
        second.id().to_owned(),
        stone.body["lead_cda"]["id"].as_str().unwrap().to_owned(),
    ];
    World { stored: Stored(service.database().await), clients, isipo, cdas, decision }
}

async fn no_rule_is_ever_broken(service: &Service) {
    let world = world(service).await;
    let mut runner = TestRunner::deterministic();
    let attempts = (0..ACTORS.len(), deed());
    world.check("the beginning").await;
    let mut done = 0;
    for turn in 0..STEPS {
        let (actor, deed) = attempts.new_tree(&mut runner).unwrap().current();
        let (actor, client) = &world.clients[actor];
        let Some((request, step)) = world.request(client, &deed, turn).await else { continue };
        let before = world.stored.now().await;
        let answer: Answer = client.send(request).await;
        let name = format!("{actor} tries {deed:?} {step:?}: {} {}", answer.status, answer.text);
        assert_ne!(answer.status, 500, "{name}");
        if answer.status >= 300 {
            assert_eq!(world.stored.now().await, before, "what is refused changes nothing: {name}");
            continue;
        }
        let (from, to) = step.unwrap_or_default();
        assert!(may(actor, &deed, &from, &to), "{name}");
        if let Deed::Enter { kind, .. } = deed {
            let next = FOLLOWS[kind].iter().find(|(state, _)| *state == from).map_or("", |(_, next)| next);
            assert!(next.split(' ').any(|state| state == to), "{name}");
        }
        done += 1;

        world.check(&name).await;
    }
    assert!(done > STEPS / 12, "only {done} of {STEPS} attempts succeeded: the walk has lost its way");
}
