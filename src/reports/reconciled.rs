//! Reconciliation of the claims of two sources: the explanation of one cluster, and the breakdown of their
//! difference.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Totals,
    reconciliation::{ClaimedCluster, Explanation, Finding, ReconciledCluster, Relation},
};
use crate::{clusters::lineage::Kind as LineageKind, persian::text};

/// A claimed cluster before the comparison.
pub struct Side {
    /// The cluster.
    pub cluster: ClaimedCluster,
    /// Its names in A and in B; none where the source does not claim it.
    pub names: [Option<String>; 2],
    /// Its lineage relations to claimed clusters.
    pub links: Vec<Link>,
    /// The names that it had.
    pub former_names: Vec<String>,
}

/// A relation of a cluster to a claimed one.
#[derive(Clone, Debug, Deserialize)]
pub struct Link {
    code: String,
    kind: LineageKind,
    relation: Relation,
}

impl Side {
    /// The source that alone claims it, and the other one; none where both do.
    fn alone(&self) -> Option<(usize, usize)> {
        match self.names {
            [Some(_), None] => Some((0, 1)),
            [None, Some(_)] => Some((1, 0)),
            _ => None,
        }
    }

    /// Reconciles one cluster: a merger or a split takes precedence over a name as its explanation.
    fn reconciled(&self, by_code: &HashMap<&str, &Self>, by_name: Option<Link>) -> ReconciledCluster {
        let explanation = self.alone().and_then(|(_, other)| {
            let claimed =
                |link: &Link| by_code.get(link.code.as_str()).filter(|side| side.names[other].is_some());
            self.links.iter().chain(&by_name).find_map(|link| Some((link, claimed(link)?))).map(
                |(link, side)| Explanation {
                    kind: link.kind,
                    relation: link.relation,
                    cluster_id: side.cluster.id,
                    code: side.cluster.code.clone(),
                    name_fa: side.cluster.name_fa.clone(),
                },
            )
        });
        let finding = match (self.alone(), &explanation) {
            (None, _) => Finding::Matched,
            (_, Some(_)) => Finding::ExplainedByLineage,
            (Some((0, _)), None) => Finding::OnlyInA,
            (Some(_), None) => Finding::OnlyInB,
        };
        let [claimed_name_a, claimed_name_b] = self.names.clone();
        ReconciledCluster {
            cluster: self.cluster.clone(),
            claimed_name_a,
            claimed_name_b,
            finding,
            explanation,
        }
    }
}

/// Reconciles each cluster.
pub fn reconcile(all: &[Side]) -> Vec<ReconciledCluster> {
    let by_code = all.iter().map(|side| (side.cluster.code.as_str(), side)).collect();
    all.iter().zip(former_names(all)).map(|(side, by_name)| side.reconciled(&by_code, by_name)).collect()
}

/// For each cluster that one source alone claims, the first that the other claims under a name that this one
/// had, or that had the name of this one. Names are compared in their folded form.
fn former_names(all: &[Side]) -> Vec<Option<Link>> {
    let mut former: HashMap<String, Vec<&Side>> = HashMap::new();
    let mut present: HashMap<String, Vec<&Side>> = HashMap::new();
    for side in all {
        side.former_names.iter().for_each(|name| former.entry(text::key(name)).or_default().push(side));
        side.present_names().for_each(|name| present.entry(text::key(name)).or_default().push(side));
    }
    let link = |side: &Side| {
        let (_, other) = side.alone()?;
        let found = |names: &HashMap<String, Vec<&Side>>, name: &str, relation| {
            let others = names.get(&text::key(name)).into_iter().flatten();
            let others = others
                .filter(move |found| found.names[other].is_some() && found.cluster.id != side.cluster.id);
            others
                .map(|found| Link { code: found.cluster.code.clone(), kind: LineageKind::Renamed, relation })
                .collect::<Vec<_>>()
        };
        let before = side.former_names.iter().flat_map(|name| found(&present, name, Relation::Predecessor));
        let after = side.present_names().flat_map(|name| found(&former, name, Relation::Successor));
        before.chain(after).min_by(|one, two| one.code.cmp(&two.code))
    };
    all.iter().map(link).collect()
}

impl Side {
    fn present_names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().flatten().chain([&self.cluster.name_fa]).map(String::as_str)
    }
}

/// Agreement of two sources.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct ReconciliationTotals {
    /// The first source; null where there is no claim.
    #[schema(
        required,
        example = "Provincial company: industrial clusters of Lorestan identified up to late 1392"
    )]
    a: Option<String>,
    /// Second source; null if there is only one.
    #[schema(required, example = "Head of the provincial company, reported 1392-12-07")]
    b: Option<String>,
    /// Number of clusters that A claims.
    #[schema(minimum = 0, example = 11)]
    named_a: i64,
    /// Number of clusters that B claims.
    #[schema(minimum = 0, example = 2)]
    named_b: i64,
    /// Number that A states, as requested; null if it names all.
    #[schema(required, example = json!(null))]
    stated_a: Option<i64>,
    /// Number that B states, as requested; null if it names all.
    #[schema(required, example = 13)]
    stated_b: Option<i64>,
    /// Number that both claim.
    #[schema(minimum = 0, example = 2)]
    matched: i64,
    /// Number that only A claims, without an explanation.
    #[schema(minimum = 0, example = 9)]
    only_in_a: i64,
    /// Number that only B claims, without an explanation.
    #[schema(minimum = 0, example = 0)]
    only_in_b: i64,
    /// Number that only one claims, explained by lineage.
    #[schema(minimum = 0, example = 0)]
    explained: i64,
    /// Number that B states, or otherwise names, minus that of A.
    #[schema(example = 2)]
    difference: i64,
    /// Part of the difference that lineage explains.
    #[schema(example = 0)]
    by_lineage: i64,
    /// Part of the difference from clusters that are named and that the other source does not have.
    #[schema(example = 0)]
    by_name: i64,
    /// Part of the difference that neither explains.
    #[schema(example = 2)]
    unexplained: i64,
}

impl ReconciliationTotals {
    /// Sets the compared sources.
    pub fn begin(&mut self, [a, b]: [Option<String>; 2], [stated_a, stated_b]: [Option<i64>; 2]) {
        (self.a, self.b, self.stated_a, self.stated_b) = (a, b, stated_a, stated_b);
    }
}

impl Totals<ReconciledCluster> for ReconciliationTotals {
    fn add(&mut self, row: &ReconciledCluster) {
        let [in_a, in_b] = [&row.claimed_name_a, &row.claimed_name_b].map(|name| i64::from(name.is_some()));
        self.named_a += in_a;
        self.named_b += in_b;
        match row.finding {
            Finding::Matched => self.matched += 1,
            Finding::OnlyInA => self.only_in_a += 1,
            Finding::OnlyInB => self.only_in_b += 1,
            Finding::ExplainedByLineage => {
                self.explained += 1;
                self.by_lineage += in_b - in_a;
            }
        }
    }

    /// difference = by_lineage + by_name + unexplained, as the handler explains.
    fn finish(&mut self) {
        let unnamed_a = self.stated_a.unwrap_or(self.named_a) - self.named_a;
        let unnamed_b = self.stated_b.unwrap_or(self.named_b) - self.named_b;
        self.difference = self.named_b + unnamed_b - self.named_a - unnamed_a;
        // Clusters named by only one source may be among the unnamed ones of the other.
        let (aside_a, aside_b) = (self.only_in_a.min(unnamed_b.max(0)), self.only_in_b.min(unnamed_a.max(0)));
        self.by_name = (self.only_in_b - aside_b) - (self.only_in_a - aside_a);
        self.unexplained = (unnamed_b - aside_a) - (unnamed_a - aside_b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Inputs: named by A, by B, explained of A, of B, stated by A, by B. Expected: the parts of the
    /// difference.
    #[test]
    fn every_part_of_the_difference_has_its_place() {
        for (matched, [only_a, only_b], [explained_a, explained_b], stated, expected) in [
            // Lorestan: 11 against 13 of which 2 are named.
            (2, [9, 0], [0, 0], [None, Some(13)], [2, 0, 0, 2]),
            // One of A became two of B, which B names: one more than before by lineage.
            (2, [8, 0], [1, 2], [None, Some(13)], [2, 1, 0, 1]),
            // B names all 13: the thirteenth has a name, and no explanation by lineage.
            (10, [0, 1], [1, 2], [None, None], [2, 1, 1, 0]),
            // Two of A became one of B.
            (3, [0, 0], [2, 1], [None, None], [-1, -1, 0, 0]),
            // Both leave some unnamed: those that only B names may be among those of A.
            (5, [1, 2], [0, 0], [Some(8), Some(10)], [2, 0, 0, 2]),
            // B states fewer than it names: the source contradicts itself, so the difference is unexplained.
            (4, [0, 0], [0, 0], [None, Some(3)], [-1, 0, 0, -1]),
            (0, [0, 0], [0, 0], [None, None], [0, 0, 0, 0]),
        ] {
            let mut totals = ReconciliationTotals {
                named_a: matched + only_a + explained_a,
                named_b: matched + only_b + explained_b,
                matched,
                only_in_a: only_a,
                only_in_b: only_b,
                by_lineage: explained_b - explained_a,
                ..ReconciliationTotals::default()
            };
            [totals.stated_a, totals.stated_b] = stated;
            totals.finish();
            assert_eq!([totals.difference, totals.by_lineage, totals.by_name, totals.unexplained], expected);
            assert_eq!(totals.difference, totals.by_lineage + totals.by_name + totals.unexplained);
        }
    }
}
