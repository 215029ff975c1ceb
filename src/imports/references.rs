//! References of rows to records, by codes, national ids or keys of the other system.

use std::collections::{BTreeSet, HashMap};

use sea_orm::{
    QueryFilter, QuerySelect,
    sea_query::{Alias, Expr, ExprTrait},
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    columns::{By, PROVINCE_NAME, Reference, Resource, Target},
    fault::Fault,
};
use crate::{
    checks, clusters, indicators, milestones, organisations,
    persian::text,
    personal,
    policy::Caller,
    problem::{Problem, Text, Violation},
    projects, provinces,
    store::{Record, Transaction, external_ref, personal::keys::Keyring, visible_rows},
};

/// References per lookup: more than a turn has rows, and than a row may have references.
const MOST: usize = 1_000;

/// Ids of the records that rows refer to.
#[derive(Default)]
pub struct Known(HashMap<(&'static str, String), Uuid>);

impl Known {
    /// Looks up the references of some rows, in a constant number of statements.
    pub async fn of<'a>(
        rows: impl Iterator<Item = &'a Map<String, Value>> + Clone,
        references: impl Iterator<Item = &'static Reference>,
        system: &str,
        transaction: &Transaction,
    ) -> Result<Self, Problem> {
        let mut known = HashMap::new();
        for reference in references.filter(|reference| reference.is_open_to(transaction.author())) {
            let said = rows
                .clone()
                .filter_map(|row| row.get(reference.column))
                .flat_map(texts)
                .filter(|said| !said.contains('\0'));
            let said: BTreeSet<String> = said.take(MOST).collect();
            if said.is_empty() {
                continue;
            }
            let found = match reference.target {
                Target::Cluster => {
                    find::<clusters::entity::Model>(reference.by, said, system, transaction).await
                }
                Target::Organisation => {
                    find::<organisations::entity::Model>(reference.by, said, system, transaction).await
                }
                Target::Project => {
                    find::<projects::entity::Model>(reference.by, said, system, transaction).await
                }
                Target::Milestone => {
                    find::<milestones::entity::Model>(reference.by, said, system, transaction).await
                }
                Target::Indicator => {
                    find::<indicators::entity::Model>(reference.by, said, system, transaction).await
                }
            };
            known.extend(found?.into_iter().map(|(said, id)| ((reference.column, said), id)));
        }
        Ok(Self(known))
    }
}

/// Replaces the references of a row by ids.
pub fn resolve(
    row: &mut Map<String, Value>,
    resource: Resource,
    known: &[&Known],
    author: &Caller,
) -> Vec<Fault> {
    let mut faults = Vec::new();
    for reference in resource.references() {
        let Some(said) = row.shift_remove(reference.column) else { continue };
        if Value::is_null(&said) {
            row.insert(reference.member.to_owned(), Value::Null);
            continue;
        }
        if !reference.is_open_to(author) {
            // The existence of a national id is personal data too.
            let detail = Text::new(
                format!("این ستون به اجازهٔ `{}` نیاز دارد؛ کلید سازمان را بنویسید.", personal::PERMISSION),
                format!(
                    "This column needs the permission `{}`: give the key of the organisation instead.",
                    personal::PERMISSION
                ),
            );
            faults.push(Fault::new(Some(reference.column), "not_permitted", detail));
            continue;
        }
        let id = |said: String| {
            let said = (reference.column, said);
            known.iter().find_map(|known| known.0.get(&said)).copied()
        };
        let ids: Vec<_> = texts(&said).map(id).collect();
        if ids.is_empty() || ids.contains(&None) {
            faults.push(fault(reference.column, &checks::unknown_record("")));
            continue;
        }
        let id = if reference.is_list { json!(ids) } else { json!(ids[0]) };
        if row.get(reference.member).is_some_and(|other| *other != id) {
            let detail = Text::new(
                "این ستون رکورد دیگری را نام می‌برد.",
                "This column names another record than the others do.",
            );
            faults.push(Fault::new(Some(reference.column), "reference_mismatch", detail));
        }
        row.insert(reference.member.to_owned(), id);
    }
    faults
}

fn fault(column: &str, violation: &Violation) -> Fault {
    Fault::new(Some(column), violation.code(), violation.detail().clone())
}

/// The texts of a value: one, or each of several.
fn texts(value: &Value) -> impl Iterator<Item = String> {
    let list = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    let said = |value: &Value| match value {
        Value::String(text) => text::nfc(text.trim()).into_owned(),
        other => other.to_string(),
    };
    list.iter().map(said).collect::<Vec<_>>().into_iter()
}

/// Ids of the records with these identifiers that exist for the author.
async fn find<R: Record>(
    by: By,
    said: BTreeSet<String>,
    system: &str,
    transaction: &Transaction,
) -> Result<HashMap<String, Uuid>, Problem> {
    let column = |name: &'static str| Expr::col((R::Entity::default(), Alias::new(name)));
    let visible = visible_rows::<R>(&transaction.author().scope).select_only();
    match by {
        By::Key => {
            let named = external_ref::of_keys(&**transaction, R::RESOURCE, system, &said).await?;
            let ids = visible
                .expr_as(column("id"), "id")
                .filter(column("id").is_in(named.iter().map(|(_, id)| *id)));
            let ids: BTreeSet<Uuid> =
                ids.into_tuple::<Uuid>().all(&**transaction).await?.into_iter().collect();
            Ok(named.into_iter().filter(|(_, id)| ids.contains(id)).collect())
        }
        By::Code | By::LegalId => {
            // A national id is in ASCII digits, and found by its blind index.
            let written: HashMap<String, String> =
                said.into_iter().map(|said| (text::latin_digits(&said), said)).collect();
            let (name, written) = match by {
                By::Code => ("code", written),
                _ => ("legal_id_index", by_index(transaction.keyring().await?, written)),
            };
            let found = visible
                .expr_as(column(name), "name")
                .expr_as(column("id"), "id")
                .filter(column(name).is_in(written.keys()));
            let found = found.into_tuple::<(String, Uuid)>().all(&**transaction).await?;
            Ok(found.into_iter().filter_map(|(name, id)| Some((written.get(&name)?.clone(), id))).collect())
        }
    }
}

/// Cells with national ids, by blind index.
fn by_index(keyring: &Keyring, written: HashMap<String, String>) -> HashMap<String, String> {
    let indexes = |(id, said): (String, String)| {
        keyring.indexes("legal_id", &id).into_iter().map(move |index| (index, said.clone()))
    };
    written.into_iter().flat_map(indexes).collect()
}

/// Replaces the name of a province by its code, or checks that the two agree.
pub fn name_province(row: &mut Map<String, Value>) -> Result<(), Fault> {
    let Some(said) = row.shift_remove(PROVINCE_NAME).filter(|said| !said.is_null()) else { return Ok(()) };
    let Some(province) = said.as_str().and_then(provinces::named) else {
        let detail = Text::new("استانی به این نام نیست.", "There is no province of this name.");
        return Err(Fault::new(Some(PROVINCE_NAME), "unknown_province", detail));
    };
    let code = json!(province.code);
    match row.get("province") {
        Some(given) if *given != code => {
            let (given, code) = (given.as_str().unwrap_or_default(), &province.code.0);
            let detail = Text::new(
                format!("کد استان {given} است، ولی کد استان {} {code} است.", province.name_fa),
                format!("The code says {given}, but {} has the code {code}.", province.name_en),
            );
            Err(Fault::new(Some(PROVINCE_NAME), "province_mismatch", detail))
        }
        _ => {
            row.insert("province".to_owned(), code);
            Ok(())
        }
    }
}
