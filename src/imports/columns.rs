//! Columns of import files: names in both languages and value types, derived from the OpenAPI document.

use std::collections::HashMap;

use sea_orm::{DeriveActiveEnum, EnumIter, Iterable, prelude::StringLen};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::titles::TITLES;
pub use super::titles::{KEY, PROVINCE_NAME};
use crate::{
    http::{contract::Contract, document, glossary},
    persian::text,
    personal,
    policy::Caller,
};

/// Resources that can be imported.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = ImportedResource)]
pub enum Resource {
    /// Clusters.
    #[default]
    Clusters,
    /// Enterprises.
    Enterprises,
    /// CDAs.
    Cdas,
    /// Projects.
    Projects,
    /// Milestones.
    Milestones,
    /// Measurements.
    Measurements,
    /// Payments.
    Payments,
}

/// Kinds of records that a column can refer to by something other than an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A cluster.
    Cluster,
    /// An organisation.
    Organisation,
    /// A project.
    Project,
    /// A milestone.
    Milestone,
    /// An indicator.
    Indicator,
}

/// Identifiers by which a column refers to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Its code in the programme.
    Code,
    /// Key in the other system.
    Key,
    /// Its national id.
    LegalId,
}

/// A column that refers to records otherwise than by their ids.
#[derive(Debug)]
pub struct Reference {
    /// Its name.
    pub column: &'static str,
    /// Field for the id or ids.
    pub member: &'static str,
    /// Whether the field is a list.
    pub is_list: bool,
    /// Kind of the referenced record.
    pub target: Target,
    /// Identifier used.
    pub by: By,
}

impl Reference {
    /// Whether an author may use it: a national id is personal data, and so is its existence.
    pub fn is_open_to(&self, author: &Caller) -> bool {
        self.by != By::LegalId || author.may(personal::PERMISSION)
    }
}

const fn reference(column: &'static str, member: &'static str, target: Target, by: By) -> Reference {
    Reference { column, member, is_list: false, target, by }
}

const REFERENCES: &[Reference] = &[
    reference("cluster_code", "cluster_id", Target::Cluster, By::Code),
    reference("cluster_key", "cluster_id", Target::Cluster, By::Key),
    reference("organisation_legal_id", "organisation_id", Target::Organisation, By::LegalId),
    reference("organisation_key", "organisation_id", Target::Organisation, By::Key),
    reference(
        "receiving_organisation_legal_id",
        "receiving_organisation_id",
        Target::Organisation,
        By::LegalId,
    ),
    reference("receiving_organisation_key", "receiving_organisation_id", Target::Organisation, By::Key),
    reference("project_code", "project_id", Target::Project, By::Code),
    reference("project_key", "project_id", Target::Project, By::Key),
    reference("milestone_key", "milestone_id", Target::Milestone, By::Key),
    reference("indicator_code", "indicator_id", Target::Indicator, By::Code),
    Reference {
        column: "predecessor_keys",
        member: "predecessors",
        is_list: true,
        target: Target::Milestone,
        by: By::Key,
    },
];

impl Resource {
    /// The segment of its path.
    pub fn path(self) -> String {
        sea_orm::ActiveEnum::to_value(&self).replace('_', "-")
    }

    /// Whether these permissions allow importing it: to write it, and to see the personal data that rows are
    /// validated against, which the outcome of many rows would reveal.
    pub fn is_open_to(self, has: impl Fn(&str) -> bool) -> bool {
        has(&format!("{}:write", self.path())) && (self != Self::Cdas || has(personal::PERMISSION))
    }

    /// Whether validation of a new record is independent of others of its kind, so that many can be created
    /// together.
    pub fn stands_alone(self) -> bool {
        self == Self::Enterprises
    }

    /// Schema of the input.
    fn input(self) -> &'static str {
        match self {
            Self::Clusters => "ClusterInput",
            Self::Enterprises => "EnterpriseInput",
            Self::Cdas => "CdaInput",
            Self::Projects => "ProjectInput",
            Self::Milestones => "MilestoneInput",
            Self::Measurements => "MeasurementInput",
            Self::Payments => "PaymentInput",
        }
    }

    /// The names of its columns, in the order of the template.
    #[rustfmt::skip]
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Clusters => &[
                KEY, "code", "name_fa", "name_en", "aliases", "province", PROVINCE_NAME, "counties", "location.latitude", "location.longitude",
                "products", "isic", "identified_on", "identified_precision", "identified_not_later_than", "employment_total",
                "employment_female", "annual_turnover_irr", "export_usd", "firms_by_size.micro", "firms_by_size.small",
                "firms_by_size.medium", "firms_by_size.large",
            ],
            Self::Enterprises => &[
                KEY, "name_fa", "name_en", "province", PROVINCE_NAME, "county", "location.latitude", "location.longitude", "isic", "size",
                "employment_total", "employment_female", "cluster_code", "cluster_key", "cluster_id", "member_from", "member_to",
                "organisation_legal_id", "organisation_key", "organisation_id",
            ],
            Self::Cdas => &[
                KEY, "national_code", "name_fa", "name_en", "mobile", "email", "province", PROVINCE_NAME, "education",
            ],
            Self::Projects => &[
                KEY, "code", "cluster_code", "cluster_key", "cluster_id", "organisation_legal_id", "organisation_key", "organisation_id",
                "title_fa", "title_en", "contract_no", "contract_start", "contract_end", "planned_months", "budget.cda_fee",
                "budget.supervision", "budget.subproject", "budget.training", "vision", "receiving_organisation_legal_id",
                "receiving_organisation_key", "receiving_organisation_id",
            ],
            Self::Milestones => &[
                KEY, "project_code", "project_key", "project_id", "phase", "pillar", "title_fa", "title_en", "weight_bp", "planned_start",
                "due_on", "predecessor_keys", "predecessors", "budget_irr", "evidence_required",
            ],
            Self::Measurements => &[
                KEY, "project_code", "project_key", "project_id", "indicator_code", "indicator_id", "kind", "period", "value", "source", "note",
            ],
            Self::Payments => &[
                KEY, "project_code", "project_key", "project_id", "line", "amount_irr", "paid_on", "milestone_key", "milestone_id",
                "document_no", "payee_fa", "reconciled_on", "note",
            ],
        }
    }

    /// Columns that refer to other records by something other than an id.
    pub fn references(self) -> impl Iterator<Item = &'static Reference> {
        REFERENCES.iter().filter(move |reference| self.names().contains(&reference.column))
    }

    /// Its columns, in the order of the template.
    pub fn columns(self, contract: &Contract) -> Vec<Column> {
        let schemas = contract.schemas();
        let input = &schemas[self.input()];
        let required = document::required_properties(input, schemas);
        let column = |name: &'static str| {
            let reference = REFERENCES.iter().find(|reference| reference.column == name);
            let (title_fa, title_en) = TITLES
                .iter()
                .find(|(known, ..)| *known == name)
                .map_or((name, name), |(_, fa, en)| (*fa, *en));
            let (kind, values, about) = match (name, reference) {
                (KEY, _) => (
                    Kind::Text,
                    Vec::new(),
                    "What the other system calls the record. By it a record is found again.".to_owned(),
                ),
                (PROVINCE_NAME, _) => (
                    Kind::Text,
                    Vec::new(),
                    "The name of the province, in place of its code or to confirm it.".to_owned(),
                ),
                (_, Some(reference)) => {
                    let kind = if reference.is_list { Kind::List } else { Kind::Text };
                    (kind, Vec::new(), format!("In place of `{}`.", reference.member))
                }
                (name, None) => {
                    let schema = name
                        .split('.')
                        .fold(input, |schema, part| &property(schema, schemas)["properties"][part]);
                    let schema = if name.starts_with("budget.") { &schemas["Amount"] } else { schema };
                    let values = property(schema, schemas)["enum"].as_array();
                    let values =
                        values.into_iter().flatten().filter_map(Value::as_str).map(Choice::of).collect();
                    (Kind::of(schema, schemas), values, about(schema, schemas))
                }
            };
            let is_required = name == KEY || required.contains(&name);
            Column { name, title_fa, title_en, kind, required: is_required, values, about }
        };
        self.names().iter().copied().map(column).collect()
    }

    /// Every resource that can be imported.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::iter()
    }
}

/// Resolves a schema reference, or the non-null alternative of a schema.
fn property<'a>(schema: &'a Value, schemas: &'a Value) -> &'a Value {
    if let Some(alternatives) = schema["oneOf"].as_array() {
        return alternatives
            .iter()
            .find(|alternative| alternative["type"] != "null")
            .map_or(schema, |found| property(found, schemas));
    }
    name_of(schema).map_or(schema, |name| &schemas[name])
}

fn name_of(schema: &Value) -> Option<&str> {
    let alternatives = schema["oneOf"].as_array().into_iter().flatten();
    std::iter::once(schema)
        .chain(alternatives)
        .find_map(|schema| schema["$ref"].as_str()?.strip_prefix("#/components/schemas/"))
}

fn about(schema: &Value, schemas: &Value) -> String {
    let alternatives = schema["oneOf"].as_array().into_iter().flatten();
    let own = std::iter::once(schema).chain(alternatives).find_map(|schema| schema["description"].as_str());
    own.or(property(schema, schemas)["description"].as_str()).unwrap_or_default().replace('\n', " ")
}

/// Types of column values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ImportColumnKind)]
pub enum Kind {
    /// Text.
    Text,
    /// A whole number.
    Integer,
    /// A whole amount, in rials or dollars.
    Amount,
    /// A decimal number.
    Decimal,
    /// A number with a fraction.
    Number,
    /// Yes or no.
    Boolean,
    /// A day, in the calendar of the import.
    Date,
    /// A period of the Persian calendar, such as `1393-Q2`.
    Period,
    /// One of the `values`.
    Choice,
    /// Several texts, with `;` or `،` between them.
    List,
    /// Several classes of ISIC, the primary one first.
    Classes,
}

impl Kind {
    fn of(schema: &Value, schemas: &Value) -> Self {
        let inner = property(schema, schemas);
        let is = |kind: &str| {
            inner["type"] == kind
                || inner["type"].as_array().is_some_and(|kinds| kinds.iter().any(|one| one == kind))
        };
        match name_of(schema) {
            Some("Decimal") => Self::Decimal,
            Some("PersianPeriod") => Self::Period,
            _ if inner["enum"].is_array() => Self::Choice,
            _ if inner["format"] == "date" => Self::Date,
            _ if is("string") && inner["format"] == "int64" => Self::Amount,
            _ if is("integer") => Self::Integer,
            _ if is("number") => Self::Number,
            _ if is("boolean") => Self::Boolean,
            _ if is("array") && name_of(&inner["items"]) == Some("Isic") => Self::Classes,
            _ if is("array") => Self::List,
            _ => Self::Text,
        }
    }
}

/// A value that a column may have.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ImportColumnValue)]
pub struct Choice {
    /// Its code.
    #[schema(example = "diagnostic")]
    pub code: String,
    /// Its Persian term, which is also accepted.
    #[schema(required, example = "مطالعهٔ شناختی")]
    pub word_fa: Option<&'static str>,
}

impl Choice {
    fn of(code: &str) -> Self {
        Self { code: code.to_owned(), word_fa: glossary::in_persian(code) }
    }

    /// Whether a text denotes this value.
    pub fn is_meant(&self, written: &str) -> bool {
        let key = text::key(written);
        self.code == written
            || text::key(&self.code) == key
            || self.word_fa.is_some_and(|word| text::key(word) == key)
    }
}

/// A column that a file may have.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ImportColumn)]
pub struct Column {
    /// Its name, also the member of a line of NDJSON.
    #[schema(example = "name_fa")]
    pub name: &'static str,
    /// Its heading in Persian.
    #[schema(example = "نام فارسی")]
    pub title_fa: &'static str,
    /// Its heading in English.
    #[schema(example = "Name in Persian")]
    pub title_en: &'static str,
    /// Type of the values.
    pub kind: Kind,
    /// Whether it is required for a new record.
    #[schema(example = true)]
    pub required: bool,
    /// Allowed values of a `choice` column.
    pub values: Vec<Choice>,
    /// Description.
    #[schema(example = "The name in Persian.")]
    pub about: String,
}

/// The columns for texts of several lines.
const LONG: [&str; 2] = ["note", "vision"];

impl Column {
    /// Whether a cell may have line ends.
    pub fn takes_lines(&self) -> bool {
        matches!(self.kind, Kind::List | Kind::Classes) || LONG.contains(&self.name)
    }
}

/// The columns of a resource, found by their headings.
pub struct Columns {
    columns: Vec<Column>,
    by_heading: HashMap<String, usize>,
}

impl Columns {
    /// Columns of a resource.
    pub fn of(resource: Resource, contract: &Contract) -> Self {
        let columns = resource.columns(contract);
        let headings = |(place, column): (usize, &Column)| {
            [column.name, column.title_fa, column.title_en].map(|heading| (text::key(heading), place))
        };
        let by_heading = columns.iter().enumerate().flat_map(headings).collect();
        Self { columns, by_heading }
    }

    /// The column of a heading: its name, or its title in either language, however the letters are written.
    pub fn headed(&self, heading: &str) -> Option<&Column> {
        let place = self.by_heading.get(&text::key(heading))?;
        self.columns.get(*place)
    }

    /// The column of a name.
    pub fn named(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}
