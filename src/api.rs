//! API surface: the resources, and the document that describes them.

use crate::security_events;
use std::sync::LazyLock;

use actix_web::{App, web};
use serde_json::{Value, json};
use utoipa::openapi::OpenApi;

use crate::{
    accounts::account,
    api_clients, attachments, cdas, changes, clusters, decisions, enterprises, erasures, history,
    http::{
        Routes,
        authorization::Format,
        contract::Contract,
        document::{self, Frame, PREFIX},
    },
    imports, indicators, industries,
    lifecycle::machine::Machine,
    measurements, milestones, operation, organisations, payments,
    policy::{Role, roles::PERMISSIONS},
    problem::{Problem, ProblemBody, problem_types},
    progress_reports, projects, provinces, public, reports, sign_in,
    store::{registry::Registry, verify::Kind},
    users, webhooks,
};

/// Name and description of each tag, in the order of the documentation.
const TAGS: &[(&str, &str)] = &[
    ("auth", "Logging in and out (OAuth 2), who one is, and one's own sessions."),
    ("clusters", "Industrial clusters, the claims about them and their history."),
    (
        "organisations",
        "Ministries, provincial companies, associations, banks, firms: all that have a part in projects.",
    ),
    ("cdas", "Cluster development agents: who directs projects."),
    (
        "projects",
        "Cluster development projects, with their assignments, supervisions, partners, phases and milestones.",
    ),
    ("milestones", "What projects have to reach, by when, and how far they are."),
    ("enterprises", "The production units of a cluster: firms with their size, employment and industries."),
    ("decisions", "What the national council, provincial committees and steering councils have decided."),
    ("indicators", "The catalogue of indicators, by benefit theme."),
    ("measurements", "Baseline, target and actual values of indicators."),
    ("progress-reports", "The quarterly reports of projects, and their review."),
    ("payments", "What was paid, from which budget line."),
    ("attachments", "Documents and evidence, with their SHA-256."),
    ("reports", "Reports. Each says what was true on a day, as it was known at a moment."),
    ("changes", "What has changed since a cursor: how other systems stay in step with this one."),
    ("imports", "Files of records from other systems, with what became of each row."),
    ("webhooks", "Addresses that are told of changes, and what was sent to them."),
    ("public", "What everybody may know, without a token."),
    ("provinces", "The provinces and their codes."),
    ("industries", "The industries of ISIC Rev. 4."),
    ("history", "Who changed what when, of all records."),
    ("security-events", "The security log: logins, refusals, changes of accounts, reads of personal data."),
    ("users", "Accounts of people."),
    ("api-clients", "Accounts of other systems."),
    ("erasures", "Erasing the personal data of natural persons for good."),
    ("service", "The service itself: health, metrics, the document and the catalogue of problems."),
];

const DESCRIPTION: &str = "The system of record for industrial-cluster development (خوشه, \"cluster\").\n\n\
    **Start**: get a token at `POST /api/v1/auth/token`, then send it as `Authorization: Bearer …`.\n\n\
    **Dates** are Gregorian `YYYY-MM-DD`; with `calendar=persian` every date of the request and the answer is Persian. \
    **Money** is whole units in a string. **Text** is kept as given and compared in one folded form: «كشاورزي» finds «کشاورزی».\n\n\
    **Lists** are keyset pages: follow `next_cursor` or `Link: rel=\"next\"` until there is none. \
    **Changes** need the record's `ETag` in `If-Match`; send an `Idempotency-Key` with every POST and repeat it freely.\n\n\
    **Problems** are `application/problem+json` (RFC 9457) in the language of `Accept-Language`; `code` never changes, \
    and `errors` names every broken rule at once. What lies outside your scope does not exist for you (404). \
    The full list of codes is at [/problems](/problems).";

/// Every kind of record that has a history, as data of the application.
pub fn registry() -> web::Data<Registry> {
    static REGISTRY: LazyLock<web::Data<Registry>> =
        LazyLock::new(|| web::Data::new(Registry { kinds: kinds(), document: document() }));
    REGISTRY.clone()
}

/// All kinds of records with a history.
pub fn kinds() -> Vec<Kind> {
    vec![
        Kind::of::<account::Model>(),
        Kind::of::<api_clients::entity::Model>(),
        Kind::of::<attachments::entity::Model>(),
        Kind::of::<cdas::entity::Model>(),
        Kind::of::<clusters::claims::Model>(),
        Kind::of::<clusters::entity::Model>(),
        Kind::of::<clusters::feasibility_studies::Model>(),
        Kind::of::<clusters::lineage::Model>(),
        Kind::of::<clusters::networks::Model>(),
        Kind::of::<clusters::value_chain::Model>(),
        Kind::of::<decisions::entity::Model>(),
        Kind::of::<enterprises::entity::Model>(),
        Kind::of::<indicators::entity::Model>(),
        Kind::of::<measurements::entity::Model>(),
        Kind::of::<milestones::baselines::Model>(),
        Kind::of::<milestones::entity::Model>(),
        Kind::of::<organisations::entity::Model>(),
        Kind::of::<payments::entity::Model>(),
        Kind::of::<progress_reports::entity::Model>(),
        Kind::of::<projects::assignments::Model>(),
        Kind::of::<projects::entity::Model>(),
        Kind::of::<projects::joint_actions::Model>(),
        Kind::of::<projects::partners::Model>(),
        Kind::of::<projects::phases::Model>(),
        Kind::of::<projects::supervisions::Model>(),
        Kind::of::<webhooks::entity::Model>(),
    ]
}

/// State machines, in the order of `docs/states.md`.
pub fn machines() -> Vec<Machine> {
    vec![
        Machine::of::<clusters::entity::Model>("Cluster (خوشه)", "/clusters/{id}/transitions"),
        Machine::of::<projects::entity::Model>("Project (پروژه)", "/projects/{id}/transitions"),
        Machine::of::<milestones::entity::Model>("Milestone (نقطهٔ عطف)", "/milestones/{id}/transitions"),
        Machine::of::<progress_reports::entity::Model>(
            "Progress report (گزارش پیشرفت)",
            "/progress-reports/{id}/transitions",
        ),
        Machine::of::<cdas::entity::Model>("CDA (عامل توسعه)", "/cdas/{id}/transitions"),
    ]
}

/// Content of `docs/states.md`.
pub fn states_document() -> String {
    let introduction = "# States\n\nMade by `khoosheh states` from the tables in the code (`src/*/rules.rs`); a test keeps it fresh.\n";
    let sections = machines().iter().map(Machine::document).collect::<Vec<_>>().join("\n");
    format!("{introduction}\n{sections}")
}

/// All documented routes. Each resource has one line.
pub fn routes(routes: &mut Routes<'_>) {
    routes
        .under(PREFIX, |routes| {
            routes
                .configure(sign_in::endpoints::routes)
                .configure(clusters::routes)
                .configure(organisations::routes)
                .configure(cdas::routes)
                .configure(projects::routes)
                .configure(milestones::routes)
                .configure(enterprises::routes)
                .configure(decisions::routes)
                .configure(attachments::routes)
                .configure(indicators::routes)
                .configure(measurements::routes)
                .configure(progress_reports::routes)
                .configure(payments::routes)
                .configure(reports::routes)
                .configure(changes::routes)
                .configure(imports::routes)
                .configure(webhooks::routes)
                .configure(public::routes)
                .configure(provinces::routes)
                .configure(industries::routes)
                .configure(users::routes)
                .configure(api_clients::routes)
                .configure(history::routes)
                .configure(security_events::routes)
                .configure(erasures::routes);
        })
        .configure(sign_in::endpoints::well_known_routes)
        .configure(operation::routes)
        .service(problem_types::list_problem_kinds)
        .service(problem_types::get_problem_kind);
}

/// The OpenAPI document, generated from the handlers; independent of database and configuration.
pub fn document() -> &'static Value {
    static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
        let mut collected = OpenApi::default();
        let _ = App::new().configure(|config| routes(&mut Routes::described(config, &mut collected)));
        let mut problem = Vec::new();
        <ProblemBody as utoipa::ToSchema>::schemas(&mut problem);
        problem.push(("Problem".into(), <ProblemBody as utoipa::PartialSchema>::schema()));
        collected.components.get_or_insert_default().schemas.extend(problem);
        let document = serde_json::to_value(&collected).unwrap_or_default();
        document::complete(
            document,
            &Frame {
                info: json!({
                    "title": "Khoosheh", "version": env!("CARGO_PKG_VERSION"), "description": DESCRIPTION,
                    "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
                }),
                tags: TAGS,
                permissions: PERMISSIONS,
                machines: &machines(),
                formats: &formats,
                roles: &|permission| Role::holding(permission).into_iter().map(Role::name).collect(),
            },
        )
    });
    &DOCUMENT
}

/// The formats of a path that answers `items`.
fn formats(path: &str) -> &'static [Format] {
    match path.strip_prefix(PREFIX).unwrap_or(path) {
        "/changes" => &[Format::Json],
        "/public/clusters" => &[Format::Json, Format::Csv, Format::GeoJson],
        path => reports::formats(path)
            .or(public::statistics::formats(path))
            .unwrap_or(&[Format::Json, Format::Csv]),
    }
}

/// The document for validating requests. It takes a moment to create and never changes, so each process
/// creates it once.
pub fn contract() -> Result<web::Data<Contract>, Problem> {
    static CONTRACT: LazyLock<Result<web::Data<Contract>, String>> =
        LazyLock::new(|| Contract::new(document()).map(web::Data::new));
    CONTRACT.clone().map_err(Problem::internal)
}
