//! DTOs of users: representation and input.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    accounts::account::{Kind, Model},
    policy::{Role, roles::Belonging},
    problem::{Problem, Text, Violation},
    provinces::ProvinceCode,
    store::{Fields, Input, RecordInfo, external_ref::ExternalRefs},
};

/// A user account.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct User {
    #[serde(flatten)]
    info: RecordInfo,
    /// Login name.
    #[schema(example = "lorestan")]
    username: String,
    /// The name that people see.
    #[schema(example = "مدیر خوشه‌های لرستان")]
    display_name: String,
    /// Role in the programme.
    #[schema(example = "provincial_manager")]
    role: Role,
    /// The province that exists for the user; null for national roles.
    #[schema(required, example = "IR-15")]
    province: Option<ProvinceCode>,
    /// Whether the account is disabled.
    #[schema(example = false)]
    disabled: bool,
    /// CDA record of the user; null for other roles.
    #[schema(required, example = json!(null))]
    cda_id: Option<Uuid>,
}

impl From<&Model> for User {
    fn from(row: &Model) -> Self {
        Self {
            info: row.into(),
            username: row.username.clone(),
            display_name: row.display_name.clone(),
            role: row.role,
            province: row.province.clone(),
            disabled: row.disabled,
            cda_id: row.cda_id,
        }
    }
}

/// Input of a user account.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "username": "lorestan", "display_name": "مدیر خوشه‌های لرستان", "role": "provincial_manager", "province": "IR-15",
    "password": "correct horse battery staple",
}))]
pub struct UserInput {
    /// Login name: small Latin letters, digits, `.`, `_` and `-`.
    #[schema(pattern = "^[a-z0-9][a-z0-9._-]{1,49}$", example = "lorestan")]
    pub username: String,
    /// The name that people see.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "\\S",
        format = "name",
        example = "مدیر خوشه‌های لرستان"
    )]
    pub display_name: String,
    /// Role in the programme. API clients are not users.
    #[schema(value_type = UserRole, example = "provincial_manager")]
    pub role: Role,
    /// The province, for provincial roles, supervisors and CDAs.
    #[schema(example = "IR-15")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub province: Option<ProvinceCode>,
    /// The password, of 12 characters at least; needed at creation, never answered. The user has to change it
    /// at the first login.
    #[schema(min_length = 12, max_length = 200, format = Password, write_only, example = "correct horse battery staple")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// Whether the account is disabled.
    #[serde(default)]
    #[schema(example = false)]
    pub disabled: bool,
    /// CDA record of the user, for the role `cda`: its assignments determine the projects that the user may
    /// change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cda_id: Option<Uuid>,
    /// Identifiers of the account in other systems.
    #[serde(default)]
    pub external_refs: ExternalRefs,
}

/// The roles of people.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[allow(dead_code, missing_docs)]
pub enum UserRole {
    NationalAdmin,
    NationalManager,
    NationalViewer,
    Auditor,
    ProvincialManager,
    ProvincialViewer,
    Supervisor,
    Cda,
}

impl From<&Model> for UserInput {
    fn from(row: &Model) -> Self {
        Self {
            username: row.username.clone(),
            display_name: row.display_name.clone(),
            role: row.role,
            province: row.province.clone(),
            password: None,
            disabled: row.disabled,
            cda_id: row.cda_id,
            external_refs: row.external_refs.clone(),
        }
    }
}

impl UserInput {
    /// The password of a new account.
    pub fn required_password(&self) -> Result<String, Problem> {
        self.password.clone().ok_or_else(|| {
            Problem::invalid(vec![Violation::body(
                "/password",
                "required",
                Text::new("این فیلد لازم است.", "This field is required."),
            )])
        })
    }
}

/// The password is added to the row only after hashing.
impl Fields<Model> for UserInput {
    fn external_refs(&mut self) -> &mut ExternalRefs {
        &mut self.external_refs
    }

    fn over(self, row: &Model) -> Model {
        Model {
            kind: Kind::Person,
            username: self.username,
            display_name: self.display_name,
            role: self.role,
            province: self.province,
            disabled: self.disabled,
            cda_id: self.cda_id,
            external_refs: self.external_refs,
            ..row.clone()
        }
    }
}

impl Input<Model> for UserInput {
    /// Checks that province and CDA fit the role.
    fn onto_row(self, row: &Model) -> Result<Model, Problem> {
        let mut faults = Vec::new();
        match (self.role.province(), &self.province) {
            (Belonging::Province, None) => {
                faults.push(Violation::body(
                    "/province",
                    "required",
                    Text::new("این نقش استان می‌خواهد.", "This role needs a province."),
                ));
            }
            (Belonging::Nation, Some(_)) => {
                let detail =
                    Text::new("این نقش ملی است و استان ندارد.", "This role is national and has no province.");
                faults.push(Violation::body("/province", "not_applicable", detail));
            }
            _ => {}
        }
        if self.cda_id.is_some() && self.role != Role::Cda {
            let detail = Text::new(
                "تنها نقش عامل توسعه به یک عامل توسعه پیوند می‌خورد.",
                "Only the role of a CDA is tied to a CDA.",
            );
            faults.push(Violation::body("/cda_id", "not_applicable", detail));
        }
        if !faults.is_empty() {
            return Err(Problem::invalid(faults));
        }
        Ok(self.over(row))
    }
}

/// Filters of the list of users.
#[derive(Debug, Deserialize, IntoParams)]
pub struct UserFilter {
    /// Any of these roles.
    #[param(style = Form, explode = false, min_items = 1, max_items = 8, value_type = Option<Vec<UserRole>>)]
    pub role: Option<Vec<Role>>,
    /// Any of these provinces.
    #[param(style = Form, explode = false, min_items = 1, max_items = 31)]
    pub province: Option<Vec<ProvinceCode>>,
}
