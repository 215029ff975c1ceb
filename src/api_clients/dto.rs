//! DTOs of API clients: representation and input.

use serde::{Deserialize, Serialize};
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, schema::Type},
};

use super::entity::Model;
use crate::{
    accounts::account::{Kind, Scopes},
    policy::Role,
    provinces::ProvinceCode,
    store::{Fields, Input, RecordInfo, external_ref::ExternalRefs},
};

/// OAuth 2 scopes that can be granted to an API client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GrantedScope(pub String);

impl PartialSchema for GrantedScope {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(Role::Integrator.permissions().iter().copied()))
            .examples([serde_json::json!("projects:read")])
            .description(Some("A scope of OAuth 2 that an API client can be granted."))
            .into()
    }
}

impl ToSchema for GrantedScope {}

/// An API client: another system that uses this service, in one province or in the nation.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ApiClient {
    #[serde(flatten)]
    info: RecordInfo,
    /// The `client_id` with which it requests tokens.
    #[schema(example = "lorestan-erp")]
    client_id: String,
    /// The name that people see.
    #[schema(example = "سامانهٔ شرکت شهرک‌های صنعتی لرستان")]
    display_name: String,
    /// The province that exists for it; null for the nation.
    #[schema(required)]
    province: Option<ProvinceCode>,
    /// Granted permissions.
    scopes: Vec<GrantedScope>,
    /// Whether it is disabled.
    #[schema(example = false)]
    disabled: bool,
}

impl From<&Model> for ApiClient {
    fn from(row: &Model) -> Self {
        let input = ApiClientInput::from(row);
        Self {
            info: row.into(),
            client_id: input.client_id,
            display_name: input.display_name,
            province: input.province,
            scopes: input.scopes,
            disabled: input.disabled,
        }
    }
}

/// An API client with its secret, which is shown only once.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApiClientWithSecret {
    #[serde(flatten)]
    client: ApiClient,
    /// The secret with which it requests tokens. It is shown only once and stored only as a hash; the answer
    /// to a repeated request (`Idempotency-Key`) lacks it. In that case make a new one.
    #[schema(required = false, nullable = false, example = "pX4vN0sQm7RkT2bYc9LwE1aH")]
    client_secret: Option<String>,
}

/// Input of an API client. The service generates the secret.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiClientInput {
    /// The `client_id`: small Latin letters, digits, `.`, `_` and `-`. User names are of the same namespace.
    #[schema(pattern = "^[a-z0-9][a-z0-9._-]{1,49}$", example = "lorestan-erp")]
    pub client_id: String,
    /// The name that people see.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "\\S",
        format = "name",
        example = "سامانهٔ شرکت شهرک‌های صنعتی لرستان"
    )]
    pub display_name: String,
    /// Its province; the nation by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub province: Option<ProvinceCode>,
    /// Granted permissions: the least that its work needs.
    #[schema(min_items = 1, max_items = 20, example = json!(["reference:read", "projects:read", "milestones:read"]))]
    pub scopes: Vec<GrantedScope>,
    /// Whether it is disabled.
    #[serde(default)]
    #[schema(example = false)]
    pub disabled: bool,
    /// Identifiers of the client in other systems.
    #[serde(default)]
    pub external_refs: ExternalRefs,
}

impl From<&Model> for ApiClientInput {
    fn from(row: &Model) -> Self {
        let row = row.clone();
        Self {
            client_id: row.username,
            display_name: row.display_name,
            province: row.province,
            scopes: row.scopes.0.into_iter().map(GrantedScope).collect(),
            disabled: row.disabled,
            external_refs: row.external_refs,
        }
    }
}

impl Input<Model> for ApiClientInput {}

impl Fields<Model> for ApiClientInput {
    fn external_refs(&mut self) -> &mut ExternalRefs {
        &mut self.external_refs
    }

    fn over(self, row: &Model) -> Model {
        let mut scopes: Vec<String> = self.scopes.into_iter().map(|scope| scope.0).collect();
        scopes.sort_unstable();
        scopes.dedup();
        Model {
            kind: Kind::Client,
            role: Role::Integrator,
            username: self.client_id,
            display_name: self.display_name,
            province: self.province,
            scopes: Scopes(scopes),
            disabled: self.disabled,
            external_refs: self.external_refs,
            ..row.clone()
        }
    }
}

/// Filters of the list of API clients.
#[derive(Debug, Deserialize, IntoParams)]
pub struct ApiClientFilter {
    /// Any of these provinces.
    #[param(style = Form, explode = false, min_items = 1, max_items = 31)]
    pub province: Option<Vec<ProvinceCode>>,
}
