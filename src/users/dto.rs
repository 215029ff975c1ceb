//! Users as clients see and write them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    auth::{
        Role,
        account::{Kind, Model},
        policy::Belonging,
    },
    http::{Problem, Text, Violation},
    provinces::ProvinceCode,
    store::{RecordInfo, external_ref::ExternalRefs},
};

/// A user account.
#[derive(Debug, Serialize, ToSchema)]
pub struct User {
    #[serde(flatten)]
    info: RecordInfo,
    /// What the user logs in with.
    #[schema(example = "lorestan")]
    username: String,
    /// The name that people see.
    #[schema(example = "مدیر خوشه‌های لرستان")]
    display_name: String,
    /// What the user is in the programme.
    #[schema(example = "provincial_manager")]
    role: Role,
    /// The province that exists for the user; null for national roles.
    #[schema(required, example = "IR-15")]
    province: Option<ProvinceCode>,
    /// Whether the account is shut out.
    #[schema(example = false)]
    disabled: bool,
}

impl From<&Model> for User {
    fn from(row: &Model) -> Self {
        Self {
            info: row.into(),
            username: row.username.clone(),
            display_name: row.display_name.clone(),
            role: row.role,
            province: row.province.clone().map(ProvinceCode),
            disabled: row.disabled,
        }
    }
}

/// What a user account is made of.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserInput {
    /// What the user logs in with: small Latin letters, digits, `.`, `_` and `-`.
    #[schema(pattern = "^[a-z0-9][a-z0-9._-]{1,49}$", example = "lorestan")]
    pub username: String,
    /// The name that people see.
    #[schema(min_length = 1, max_length = 200, pattern = "\\S", example = "مدیر خوشه‌های لرستان")]
    pub display_name: String,
    /// What the user is in the programme. API clients are not users.
    #[schema(value_type = UserRole, example = "provincial_manager")]
    pub role: Role,
    /// The province, for provincial roles, supervisors and CDAs.
    #[schema(example = "IR-15")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub province: Option<ProvinceCode>,
    /// The password, of 12 characters at least; needed at creation, never answered.
    #[schema(min_length = 12, max_length = 200, format = Password, write_only, example = "correct horse battery staple")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// Whether the account is shut out.
    #[serde(default)]
    #[schema(example = false)]
    pub disabled: bool,
    /// What other systems call the account.
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
            province: row.province.clone().map(ProvinceCode),
            password: None,
            disabled: row.disabled,
            external_refs: row.external_refs.clone(),
        }
    }
}

impl UserInput {
    /// The password of a new account.
    pub fn required_password(&self) -> Result<String, Problem> {
        self.password.clone().ok_or_else(|| {
            Problem::invalid(vec![Violation::body("/password", "required", Text::new("این فیلد لازم است.", "This field is required."))])
        })
    }

    /// A row for a new account, still without a password.
    pub fn into_new_row(&self) -> Result<Model, Problem> {
        self.onto_row(&Model { kind: Kind::Person, ..Model::default() })
    }

    /// The row with this input. The province must fit the role.
    pub fn onto_row(&self, row: &Model) -> Result<Model, Problem> {
        let fault = match (self.role.province(), &self.province) {
            (Belonging::Province, None) => Some(("required", Text::new("این نقش استان می‌خواهد.", "This role needs a province."))),
            (Belonging::Nation, Some(_)) => {
                Some(("not_applicable", Text::new("این نقش ملی است و استان ندارد.", "This role is national and has no province.")))
            }
            _ => None,
        };
        if let Some((code, detail)) = fault {
            return Err(Problem::invalid(vec![Violation::body("/province", code, detail)]));
        }
        Ok(Model {
            username: self.username.clone(),
            display_name: self.display_name.clone(),
            role: self.role,
            province: self.province.as_ref().map(|province| province.0.clone()),
            disabled: self.disabled,
            external_refs: self.external_refs.clone(),
            ..row.clone()
        })
    }
}

/// Which users to list.
#[derive(Debug, Deserialize, IntoParams)]
pub struct UserFilter {
    /// Any of these roles.
    #[param(style = Form, explode = false, min_items = 1, max_items = 7, value_type = Option<Vec<UserRole>>)]
    pub role: Option<Vec<Role>>,
    /// Any of these provinces.
    #[param(style = Form, explode = false, min_items = 1, max_items = 31)]
    pub province: Option<Vec<ProvinceCode>>,
    /// Words that the user name or display name has, or the beginnings of words.
    #[param(max_length = 100, pattern = "[\\p{L}\\p{N}]")]
    pub q: Option<String>,
    /// Changed at this moment or later.
    pub updated_since: Option<DateTime<Utc>>,
}
