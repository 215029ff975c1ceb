//! Enterprises that stages of the value chain, networks and joint actions refer to, read from their table
//! without depending on its module.

use std::collections::{BTreeSet, HashSet};

use sea_orm::{
    ConnectionTrait, EntityTrait, QueryFilter,
    sea_query::{Alias, Expr, ExprTrait, Query, SimpleExpr},
};
use uuid::Uuid;

use crate::{
    checks,
    problem::{Problem, Violation},
    store::{Record, Transaction, lock, search},
};

/// Required location of enterprises.
pub enum Of {
    /// In a cluster.
    Cluster(Uuid),
    /// In a province.
    Province(String),
}

/// Checks that each id is that of a live enterprise there; otherwise returns the violation at its place. The
/// enterprises cannot be deleted or moved before the end of the transaction.
pub async fn check(
    transaction: &Transaction,
    ids: &[Uuid],
    of: Of,
    pointer: impl Fn(usize) -> String,
) -> Result<Vec<Violation>, Problem> {
    // In a fixed order, to avoid deadlocks between writers.
    for id in ids.iter().collect::<BTreeSet<_>>() {
        // The same lock as `Transaction::lock` for the record.
        lock::for_transaction(&**transaction, &format!("enterprise {id}")).await?;
    }
    let column = |name: &'static str| Expr::col(Alias::new(name));
    let there = match of {
        Of::Cluster(cluster) => column("cluster_id").eq(cluster),
        Of::Province(province) => column("province").eq(province),
    };
    let live = Query::select()
        .column(Alias::new("id"))
        .from(Alias::new("enterprise"))
        .and_where(column("id").is_in(ids.iter().copied()))
        .and_where(column("deleted_at").is_null())
        .and_where(there)
        .to_owned();
    let rows = transaction.query_all(&live).await?;
    let found = rows.iter().map(|row| row.try_get::<Uuid>("", "id")).collect::<Result<HashSet<_>, _>>()?;
    let unknown = ids.iter().enumerate().filter(|(_, id)| !found.contains(id));
    Ok(unknown.map(|(index, _)| checks::unknown_record(&pointer(index))).collect())
}

/// The term of a record that names an enterprise.
pub fn term(enterprise: Uuid) -> (&'static str, String) {
    (ENTERPRISE, enterprise.to_string())
}

const ENTERPRISE: &str = "enterprise";

/// Whether a live record of a kind refers to an enterprise.
pub async fn is_named_by<R: Record>(transaction: &Transaction, enterprise: Uuid) -> Result<bool, Problem> {
    let names: SimpleExpr = search::has_any::<R>(ENTERPRISE, [enterprise.to_string()]);
    Ok(R::Entity::find().filter(names).one(&**transaction).await?.is_some())
}
