//! The eleven clusters of Lorestan: data of the first source, and the states that a second one reports for
//! some.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{insert, record};
use crate::{
    clusters::{claims, dto::ClusterInput, entity, rules::State},
    problem::Problem,
    store::Transaction,
};

/// A row of `data/lorestan-1392.csv`. Dates are Persian.
#[derive(Debug, Deserialize)]
struct Row {
    province: String,
    name_fa: String,
    name_en: String,
    isic: String,
    identified_not_later_than: String,
    source: String,
    state: State,
    state_effective_on: Option<String>,
    state_source: Option<String>,
}

/// Loads all of them.
pub async fn load(transaction: &Transaction) -> Result<(), Problem> {
    let file = include_str!("../../data/lorestan-1392.csv");
    for row in csv::Reader::from_reader(file.as_bytes()).deserialize() {
        load_one(transaction, row.map_err(Problem::internal)?).await?;
    }
    Ok(())
}

async fn load_one(transaction: &Transaction, row: Row) -> Result<(), Problem> {
    let isic: Vec<Value> = row.isic.split(';').map(|code| json!({ "code": code })).collect();
    let bound = &row.identified_not_later_than;
    let cluster = json!({
        "province": row.province, "name_fa": row.name_fa, "name_en": row.name_en, "isic": isic,
        "identified_precision": "not_later_than", "identified_not_later_than": bound,
    });
    let candidate: entity::Model =
        insert::<ClusterInput, _>(transaction, cluster, Default::default()).await?;
    let of_cluster = || claims::Model { cluster_id: candidate.id, ..Default::default() };
    let claim = json!({ "source_title": row.source, "claimed_name": row.name_fa });
    insert::<claims::ClaimInput, _>(transaction, claim, of_cluster()).await?;

    let (effective_on, reason) =
        match (row.state_effective_on.filter(|day| !day.is_empty()), row.state_source) {
            (Some(day), Some(source)) => {
                let claim = json!({ "source_title": source, "claimed_on": day, "claimed_name": row.name_fa });
                insert::<claims::ClaimInput, _>(transaction, claim, of_cluster()).await?;
                (day, source)
            }
            _ => (bound.clone(), row.source),
        };
    // The sources give the state of a cluster, but not its history.
    record(transaction, &candidate, row.state, &effective_on, &reason).await.map(|_| ())
}
