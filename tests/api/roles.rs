//! The role table of `domain.md` by hand: who may do what, and what every operation needs.

use std::collections::BTreeSet;

use crate::{
    support::{Client, Service},
    sweep::{Operation, guarded, operations},
};

#[rustfmt::skip]
const READ: &[&str] = &[
    "reference:read", "clusters:read", "organisations:read", "enterprises:read", "cdas:read", "projects:read", "milestones:read",
    "decisions:read", "indicators:read", "measurements:read", "progress-reports:read", "payments:read", "attachments:read", "reports:read",
    "changes:read",
];
#[rustfmt::skip]
const WRITE: &[&str] = &[
    "clusters:write", "organisations:write", "enterprises:write", "cdas:write", "projects:write", "milestones:write", "milestones:review",
    "decisions:write", "indicators:write", "measurements:write", "progress-reports:write", "progress-reports:review",
    "progress-reports:approve", "payments:write", "attachments:write", "imports:write", "webhooks:manage", "personal-data:read",
];

const AUDIT: &[&str] = &["history:read", "security-events:read"];

const CDA: &[&[&str]] =
    &[READ, &["milestones:write", "measurements:write", "progress-reports:write", "attachments:write"]];

/// All domain records, with what is personal in them.
pub const DOMAIN: [&[&str]; 2] = [READ, WRITE];

/// Somebody of the demonstration.
pub struct Account {
    pub name: &'static str,
    pub role: &'static str,
    pub province: Option<&'static str>,
    pub holds: &'static [&'static [&'static str]],
}

const fn account(
    name: &'static str,
    role: &'static str,
    province: Option<&'static str>,
    holds: &'static [&'static [&'static str]],
) -> Account {
    Account { name, role, province, holds }
}

pub const ACCOUNTS: [Account; 10] = [
    account(
        "admin",
        "national_admin",
        None,
        &[READ, WRITE, &["personal-data:erase", "users:manage", "api-clients:manage"], AUDIT],
    ),
    account("isipo", "national_manager", None, &DOMAIN),
    account("ministry", "national_viewer", None, &[READ]),
    account("auditor", "auditor", None, &[READ, AUDIT]),
    account("lorestan", "provincial_manager", Some("IR-15"), &DOMAIN),
    account("kerman", "provincial_manager", Some("IR-08"), &DOMAIN),
    account("lorestan-viewer", "provincial_viewer", Some("IR-15"), &[READ]),
    account(
        "supervisor",
        "supervisor",
        Some("IR-15"),
        &[READ, &["milestones:review", "progress-reports:review"]],
    ),
    account("cda", "cda", Some("IR-15"), CDA),
    account("integrator", "integrator", Some("IR-15"), &DOMAIN),
];

/// What every guarded operation needs: one of these permissions; nothing but a valid token where there is
/// none.
const NEEDS: &[(&str, &str)] = &[
    ("", "get_me change_password list_sessions delete_session delete_other_sessions"),
    ("changes:read", "list_changes"),
    ("reference:read", "list_provinces get_province list_industries get_industry"),
    (
        "clusters:read",
        "list_clusters get_cluster get_cluster_by_reference get_cluster_history list_claims get_claim",
    ),
    (
        "clusters:write",
        "create_cluster put_cluster_by_reference update_cluster delete_cluster transition_cluster create_claim update_claim delete_claim",
    ),
    (
        "clusters:read",
        "list_feasibility_studies get_feasibility_study list_lineage_entries get_lineage_entry",
    ),
    ("clusters:read", "list_value_chain_stages get_value_chain_stage list_networks get_network"),
    ("clusters:write", "create_feasibility_study update_feasibility_study delete_feasibility_study"),
    ("clusters:write", "create_lineage_entry update_lineage_entry delete_lineage_entry"),
    ("clusters:write", "create_value_chain_stage update_value_chain_stage delete_value_chain_stage"),
    ("clusters:write", "create_network update_network delete_network"),
    (
        "organisations:read",
        "list_organisations get_organisation get_organisation_by_reference get_organisation_history",
    ),
    (
        "organisations:write",
        "create_organisation put_organisation_by_reference update_organisation delete_organisation",
    ),
    ("cdas:read", "list_cdas get_cda get_cda_by_reference get_cda_history"),
    ("cdas:write", "create_cda put_cda_by_reference update_cda delete_cda transition_cda"),
    ("projects:read", "list_projects get_project get_project_by_reference get_project_history"),
    (
        "projects:read",
        "list_assignments get_assignment list_supervisions get_supervision list_partners get_partner list_phases get_phase",
    ),
    (
        "projects:write",
        "create_project put_project_by_reference update_project delete_project transition_project",
    ),
    (
        "projects:write",
        "create_assignment update_assignment delete_assignment create_supervision update_supervision delete_supervision",
    ),
    ("projects:read", "list_baselines get_baseline"),
    ("projects:write", "create_baseline"),
    ("projects:write", "create_partner update_partner delete_partner create_phase update_phase delete_phase"),
    ("projects:read", "list_joint_actions get_joint_action"),
    ("projects:write", "create_joint_action update_joint_action delete_joint_action"),
    (
        "milestones:read",
        "list_milestones list_project_milestones get_milestone get_milestone_by_reference get_milestone_history",
    ),
    (
        "milestones:write",
        "create_milestone create_project_milestone put_milestone_by_reference update_milestone delete_milestone",
    ),
    ("milestones:write milestones:review", "transition_milestone"),
    (
        "enterprises:read",
        "list_enterprises get_enterprise get_enterprise_by_reference get_enterprise_history",
    ),
    (
        "enterprises:write",
        "create_enterprise put_enterprise_by_reference update_enterprise delete_enterprise",
    ),
    ("decisions:read", "list_decisions get_decision get_decision_by_reference get_decision_history"),
    ("decisions:write", "create_decision put_decision_by_reference update_decision delete_decision"),
    (
        "attachments:read",
        "list_attachments get_attachment get_attachment_by_reference get_attachment_history get_attachment_content",
    ),
    (
        "attachments:write",
        "create_attachment put_attachment_by_reference update_attachment delete_attachment put_attachment_content",
    ),
    ("indicators:read", "list_indicators get_indicator get_indicator_by_reference get_indicator_history"),
    ("indicators:write", "create_indicator put_indicator_by_reference update_indicator delete_indicator"),
    (
        "measurements:read",
        "list_measurements get_measurement get_measurement_by_reference get_measurement_history",
    ),
    (
        "measurements:write",
        "create_measurement put_measurement_by_reference update_measurement delete_measurement",
    ),
    (
        "progress-reports:read",
        "list_progress_reports get_progress_report get_progress_report_by_reference get_progress_report_history",
    ),
    (
        "progress-reports:write",
        "create_progress_report put_progress_report_by_reference update_progress_report delete_progress_report",
    ),
    ("progress-reports:write progress-reports:review progress-reports:approve", "transition_progress_report"),
    ("payments:read", "list_payments get_payment get_payment_by_reference get_payment_history"),
    ("payments:write", "create_payment put_payment_by_reference update_payment delete_payment"),
    (
        "reports:read",
        "list_reports get_identified_clusters get_funnel get_province_league get_reconciliation get_project_status get_s_curve \
         get_overdue_milestones get_cda_portfolio get_reporting_compliance get_indicators get_networks get_budget \
         get_industry_by_province get_cluster_candidates",
    ),
    (
        "imports:write",
        "list_imports create_import list_import_columns get_import_template get_import list_import_rows follow_import",
    ),
    (
        "webhooks:manage",
        "list_webhooks create_webhook get_webhook update_webhook delete_webhook create_webhook_secret get_webhook_history",
    ),
    (
        "webhooks:manage",
        "test_webhook replay_webhook list_webhook_deliveries get_webhook_delivery replay_webhook_delivery",
    ),
    ("personal-data:erase", "list_erasures create_erasure"),
    ("users:manage", "list_users create_user get_user update_user delete_user get_user_history"),
    (
        "api-clients:manage",
        "list_api_clients create_api_client get_api_client update_api_client delete_api_client",
    ),
    ("api-clients:manage", "create_api_client_secret get_api_client_history"),
    ("history:read", "list_history"),
    ("security-events:read", "list_security_events"),
];

/// What anybody may call.
const PUBLIC: &str = "create_token revoke_token list_signing_keys get_authorization_server get_liveness get_readiness get_metrics \
                      get_openapi_document list_problem_kinds get_problem_kind list_public_clusters \
                      list_published_quarters get_published_programme get_published_enterprises";

impl Account {
    pub fn permissions(&self) -> BTreeSet<&'static str> {
        self.holds.iter().flat_map(|some| some.iter().copied()).collect()
    }

    /// Whether the account may call an operation somewhere.
    pub fn may(&self, id: &str) -> bool {
        let mut needs = needs(id).peekable();
        needs.peek().is_none() || needs.any(|permission| self.permissions().contains(permission))
    }

    /// Whether it works in the projects that are assigned to it.
    pub fn is_assigned(&self) -> bool {
        matches!(self.role, "supervisor" | "cda")
    }

    pub async fn login(&self, service: &Service) -> Client {
        match self.role {
            "integrator" => service.login_integrator().await,
            _ => service.login(self.name).await,
        }
    }
}

fn needs(id: &str) -> impl Iterator<Item = &'static str> {
    let row = NEEDS.iter().find(|(_, ids)| ids.split_whitespace().any(|listed| listed == id));
    row.unwrap_or_else(|| panic!("{id} is not in NEEDS")).0.split_whitespace()
}

#[test]
fn the_tables_cover_every_operation() {
    let sorted = |mut ids: Vec<&'static str>| {
        ids.sort_unstable();
        ids
    };
    let ids = |is_guarded: bool| {
        sorted(operations().iter().filter(|o| o.is_guarded() == is_guarded).map(Operation::id).collect())
    };
    let needing = NEEDS.iter().flat_map(|(_, ids)| ids.split_whitespace()).collect();
    assert_eq!(ids(true), sorted(needing), "say in NEEDS, once, what a new operation needs");
    assert_eq!(
        ids(false),
        sorted(PUBLIC.split_whitespace().collect()),
        "say in PUBLIC what anybody may call"
    );
}

#[test]
fn the_document_names_the_roles() {
    for operation in guarded() {
        let id = operation.id();
        let documented = operation.document["x-roles"]
            .as_array()
            .unwrap()
            .iter()
            .map(|role| role.as_str().unwrap())
            .collect::<BTreeSet<_>>();
        let holders = ACCOUNTS.iter().filter(|account| account.may(id)).map(|account| account.role).collect();
        assert_eq!(
            documented,
            if needs(id).next().is_none() { BTreeSet::from(["every role"]) } else { holders },
            "{id}"
        );
    }
}
