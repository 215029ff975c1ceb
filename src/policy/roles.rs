//! Roles and their permissions.

use std::sync::LazyLock;

use sea_orm::{
    DeriveActiveEnum, EnumIter, Iterable,
    prelude::StringLen,
    sea_query::{Condition, Expr, ExprTrait, IntoColumnRef},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Roles of accounts.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything in the nation, accounts and API clients included.
    NationalAdmin,
    /// All domain records of the nation; national decisions and acceptances.
    NationalManager,
    /// Reads everything but personal data; reports.
    NationalViewer,
    /// Reads everything masked, the security log and the history of all records; changes nothing.
    Auditor,
    /// All domain records of one province; provincial decisions and acceptances.
    ProvincialManager,
    /// Reads one province.
    ProvincialViewer,
    /// Reads the province; reviews milestones and reports of assigned projects.
    Supervisor,
    /// Reads the province; milestones, evidence, measurements and reports of assigned projects.
    Cda,
    /// An API client: its granted scopes, in one province or the nation. Without a grant it has no
    /// permissions.
    #[default]
    Integrator,
}

/// All permissions, as OAuth 2 scopes, with descriptions.
pub const PERMISSIONS: &[(&str, &str)] = &[
    ("reference:read", "Read provinces and industries"),
    (
        "clusters:read",
        "Read clusters and what belongs to them: claims, lineage, feasibility studies, value chain, networks",
    ),
    (
        "clusters:write",
        "Create, change and delete clusters and what belongs to them; change the state of clusters",
    ),
    ("organisations:read", "Read organisations"),
    ("organisations:write", "Create, change and delete organisations"),
    ("enterprises:read", "Read enterprises"),
    ("enterprises:write", "Create, change and delete enterprises"),
    ("cdas:read", "Read CDAs, without their personal data"),
    ("cdas:write", "Create, change and delete CDAs; change their state"),
    (
        "projects:read",
        "Read projects with their assignments, supervisions, partners, phases, baselines and joint actions",
    ),
    (
        "projects:write",
        "Create, change and delete projects and what belongs to them; change the state of projects",
    ),
    ("milestones:read", "Read milestones"),
    (
        "milestones:write",
        "Create, change and delete milestones, begin and submit them; for CDAs those of their projects",
    ),
    ("milestones:review", "Accept and return milestones; for supervisors those of their projects"),
    ("decisions:read", "Read decisions of councils and committees"),
    ("decisions:write", "Record, change and delete decisions"),
    ("indicators:read", "Read the catalogue of indicators"),
    ("indicators:write", "Keep the catalogue of indicators, for the nation"),
    ("measurements:read", "Read measurements"),
    ("measurements:write", "Create, change and delete measurements; for CDAs those of their projects"),
    ("progress-reports:read", "Read progress reports"),
    ("progress-reports:write", "Write and submit progress reports; for CDAs those of their projects"),
    (
        "progress-reports:review",
        "Review and return progress reports; for supervisors those of their projects",
    ),
    ("progress-reports:approve", "Approve progress reports for the province and, nationally, accept them"),
    ("payments:read", "Read payments"),
    ("payments:write", "Record, change and delete payments"),
    ("attachments:read", "Read and download attachments"),
    ("attachments:write", "Attach documents and evidence; for CDAs to what belongs to their projects"),
    ("personal-data:read", "See national codes, legal ids, phone numbers and email addresses unmasked"),
    ("reports:read", "Read reports"),
    ("changes:read", "Follow the changes of all that the other permissions let read"),
    ("imports:write", "Import files of what the other permissions let write"),
    (
        "webhooks:manage",
        "Keep webhooks for the changes of all that the other permissions let read, and see their deliveries",
    ),
    ("personal-data:erase", "Erase the personal data of natural persons for good"),
    ("users:manage", "Manage user accounts"),
    ("api-clients:manage", "Manage API clients"),
    ("history:read", "Read the history of all records, accounts and API clients included"),
    ("security-events:read", "Read the security log"),
];

const READ: [&str; 15] = [
    "reference:read",
    "clusters:read",
    "organisations:read",
    "enterprises:read",
    "cdas:read",
    "projects:read",
    "milestones:read",
    "decisions:read",
    "indicators:read",
    "measurements:read",
    "progress-reports:read",
    "payments:read",
    "attachments:read",
    "reports:read",
    "changes:read",
];
const WRITE: [&str; 18] = [
    "clusters:write",
    "organisations:write",
    "enterprises:write",
    "cdas:write",
    "projects:write",
    "milestones:write",
    "milestones:review",
    "decisions:write",
    "indicators:write",
    "measurements:write",
    "progress-reports:write",
    "progress-reports:review",
    "progress-reports:approve",
    "payments:write",
    "attachments:write",
    "imports:write",
    "webhooks:manage",
    "personal-data:read",
];
const OF_SUPERVISORS: [&str; 2] = ["milestones:review", "progress-reports:review"];
const OF_CDAS: [&str; 4] =
    ["milestones:write", "measurements:write", "progress-reports:write", "attachments:write"];
const MANAGE: [&str; 3] = ["personal-data:erase", "users:manage", "api-clients:manage"];
const AUDIT: [&str; 2] = ["history:read", "security-events:read"];

/// Operations available to an account whose password was set by somebody else, besides those without a token.
pub const BEFORE_PASSWORD_CHANGE: [&str; 2] = ["get_me", "change_password"];

impl Role {
    /// Permissions of the role. For an integrator these are the maximum that can be granted.
    pub fn permissions(self) -> &'static [&'static str] {
        static ALL: LazyLock<Vec<&str>> = LazyLock::new(|| [&READ[..], &WRITE, &MANAGE, &AUDIT].concat());
        static AUDITOR: LazyLock<Vec<&str>> = LazyLock::new(|| [&READ[..], &AUDIT].concat());
        static SUPERVISOR: LazyLock<Vec<&str>> = LazyLock::new(|| [&READ[..], &OF_SUPERVISORS].concat());
        static CDA: LazyLock<Vec<&str>> = LazyLock::new(|| [&READ[..], &OF_CDAS].concat());
        match self {
            Self::NationalAdmin => &ALL,
            Self::NationalManager | Self::ProvincialManager | Self::Integrator => {
                &ALL[..READ.len() + WRITE.len()]
            }
            Self::NationalViewer | Self::ProvincialViewer => &READ,
            Self::Auditor => &AUDITOR,
            Self::Supervisor => &SUPERVISOR,
            Self::Cda => &CDA,
        }
    }

    /// Whether an account of the role belongs to one province.
    pub fn province(self) -> Belonging {
        match self {
            Self::NationalAdmin | Self::NationalManager | Self::NationalViewer | Self::Auditor => {
                Belonging::Nation
            }
            Self::ProvincialManager | Self::ProvincialViewer | Self::Supervisor | Self::Cda => {
                Belonging::Province
            }
            Self::Integrator => Belonging::Either,
        }
    }

    /// Whether an account of the role may belong to the nation.
    pub fn may_be_national(self) -> bool {
        self.province() != Belonging::Province
    }

    /// The name in tokens and documents, such as `national_admin`.
    pub fn name(self) -> String {
        sea_orm::ActiveEnum::to_value(&self)
    }

    /// The roles that hold a permission.
    pub fn holding(permission: &str) -> Vec<Self> {
        Self::iter().filter(|role| role.permissions().contains(&permission)).collect()
    }
}

/// Where accounts of a role may belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belonging {
    /// To the nation.
    Nation,
    /// To one province.
    Province,
    /// To either.
    Either,
}

/// Scope of a caller: the part of the country that is visible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The whole country.
    Nation,
    /// One province, by its code.
    Province(String),
}

impl Scope {
    /// Condition that the province column of a row is within the scope.
    pub fn holds(&self, province: impl IntoColumnRef) -> Condition {
        match self {
            Self::Nation => Condition::all(),
            Self::Province(own) => Condition::all().add(Expr::col(province).eq(own.as_str())),
        }
    }

    /// Condition that the province column of a row is within the scope or empty: national records are visible
    /// to everybody.
    pub fn holds_or_national(&self, province: impl IntoColumnRef + Clone) -> Condition {
        Condition::any()
            .add(self.holds(province.clone()))
            .add_option(self.province().map(|_| Expr::col(province).is_null()))
    }

    /// The province, where the scope is one.
    pub fn province(&self) -> Option<&str> {
        match self {
            Self::Nation => None,
            Self::Province(own) => Some(own),
        }
    }
}
