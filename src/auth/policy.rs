//! The role table: who may do what.

use sea_orm::{
    DeriveActiveEnum, EnumIter, Iterable,
    prelude::StringLen,
    sea_query::{Condition, Expr, ExprTrait, IntoColumnRef},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What an account is in the programme.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything in the nation, accounts and API clients included.
    NationalAdmin,
    /// All domain records of the nation; national decisions and acceptances.
    NationalManager,
    /// Reads everything but personal data; reports.
    NationalViewer,
    /// All domain records of one province; provincial decisions and acceptances.
    ProvincialManager,
    /// Reads one province.
    ProvincialViewer,
    /// Reads the province; reviews milestones and reports of assigned projects.
    Supervisor,
    /// Reads the province; milestones, evidence, measurements and reports of assigned projects.
    Cda,
    /// An API client: what its granted scopes say, in one province or the nation. Without a grant it may do nothing.
    #[default]
    Integrator,
}

/// Every permission, as an OAuth 2 scope, with what it allows.
pub const PERMISSIONS: &[(&str, &str)] = &[
    ("reference:read", "Read provinces and industries"),
    ("clusters:read", "Read clusters, their claims and their history"),
    ("clusters:write", "Create, change and delete clusters and claims; change the state of clusters"),
    ("reports:read", "Read reports"),
    ("users:manage", "Manage user accounts"),
];

const READ: &[&str] = &["reference:read", "clusters:read", "reports:read"];
const WRITE: &[&str] = &["reference:read", "clusters:read", "reports:read", "clusters:write"];
const ALL: &[&str] = &["reference:read", "clusters:read", "reports:read", "clusters:write", "users:manage"];

impl Role {
    /// What the role may do. An integrator may do what it was granted, and this at the most.
    pub fn permissions(self) -> &'static [&'static str] {
        match self {
            Self::NationalAdmin => ALL,
            Self::NationalManager | Self::ProvincialManager | Self::Integrator => WRITE,
            Self::NationalViewer | Self::ProvincialViewer | Self::Supervisor | Self::Cda => READ,
        }
    }

    /// Whether an account of the role belongs to one province.
    pub fn province(self) -> Belonging {
        match self {
            Self::NationalAdmin | Self::NationalManager | Self::NationalViewer => Belonging::Nation,
            Self::ProvincialManager | Self::ProvincialViewer | Self::Supervisor | Self::Cda => Belonging::Province,
            Self::Integrator => Belonging::Either,
        }
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

/// Where an account of a role belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belonging {
    /// To the nation.
    Nation,
    /// To one province.
    Province,
    /// To either.
    Either,
}

/// The part of the country that exists for a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All of it.
    Nation,
    /// One province, by its code.
    Province(String),
}

impl Scope {
    /// The condition that a row's province column lies within the scope.
    pub fn holds(&self, province: impl IntoColumnRef) -> Condition {
        match self {
            Self::Nation => Condition::all(),
            Self::Province(own) => Condition::all().add(Expr::col(province).eq(own.as_str())),
        }
    }

    /// The province, where the scope is one.
    pub fn province(&self) -> Option<&str> {
        match self {
            Self::Nation => None,
            Self::Province(own) => Some(own),
        }
    }
}
