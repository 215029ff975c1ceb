//! Reconciliation of the clusters that two sources claim: those that both name, those that only one names,
//! and the part of the difference due to mergers, splits and new names.

use actix_web::{HttpResponse, get};
use sea_orm::{
    DatabaseTransaction, FromQueryResult,
    prelude::{Json, Uuid},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Column, Common, Entry, Kind, Question, Report, ReportResponse, RowSink, TABLE, list,
    reconciled::{Link, ReconciliationTotals, Side, reconcile},
};
use crate::{
    clusters::lineage::Kind as LineageKind,
    problem::Problem,
    store::{
        sql::Composer,
        temporal_relations::{CLAIM, LINEAGE},
    },
};

/// The report.
pub struct Reconciliation;

/// Parameters of this report.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Sources {
    /// The first source, A: its title exactly as in the claims; when left out the source with most claims, of
    /// equal ones the first in the order of their titles.
    #[param(min_length = 1, max_length = 500, pattern = "\\S")]
    pub a: Option<String>,
    /// Second source, B; by default the one with most claims besides A.
    #[param(min_length = 1, max_length = 500, pattern = "\\S")]
    pub b: Option<String>,
    /// Number of clusters that A states, if it does not name them all.
    #[param(minimum = 0, maximum = 1_000_000)]
    pub stated_a: Option<i64>,
    /// Number of clusters that B states, if it does not name them all.
    #[param(minimum = 0, maximum = 1_000_000, example = 13)]
    pub stated_b: Option<i64>,
}

/// A cluster that a source claims.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReconciledCluster {
    /// The cluster.
    pub cluster: ClaimedCluster,
    /// Name under which A claims it, or its own name if A gives none; null if A does not claim it.
    #[schema(required, example = "سنگ")]
    pub claimed_name_a: Option<String>,
    /// The same for B.
    #[schema(required, example = "سنگ")]
    pub claimed_name_b: Option<String>,
    /// Finding.
    pub finding: Finding,
    /// Explanation why only one source claims it; null if there is nothing to explain, or no explanation.
    #[schema(required)]
    pub explanation: Option<Explanation>,
}

/// A cluster that is claimed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ClaimedCluster {
    /// Its id.
    pub id: Uuid,
    /// Its code.
    #[schema(example = "15-0001")]
    pub code: String,
    /// Its name in Persian.
    #[schema(example = "سنگ")]
    pub name_fa: String,
}

/// Findings of the comparison of two sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ReconciliationFinding)]
pub enum Finding {
    /// Both claim it.
    Matched,
    /// Only A claims it.
    OnlyInA,
    /// Only B claims it.
    OnlyInB,
    /// Only one claims it, and by its lineage it is, or was, one that the other claims.
    ExplainedByLineage,
}

/// Relation of a cluster to one that the other source claims.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ReconciliationExplanation)]
pub struct Explanation {
    /// Kind of lineage event; of several steps the first.
    pub kind: LineageKind,
    /// Relation of the other cluster to this one.
    pub relation: Relation,
    /// The cluster that the other source claims; of several the first by their codes.
    pub cluster_id: Uuid,
    /// Its code.
    #[schema(example = "15-0002")]
    pub code: String,
    /// Its name in Persian.
    #[schema(example = "عسل")]
    pub name_fa: String,
}

/// Relation of one cluster to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = LineageRelation)]
pub enum Relation {
    /// It emerged from the other: the other was merged or split into it, or has its present name.
    Successor,
    /// The other emerged from it.
    Predecessor,
}

/// The row of the query.
#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    code: String,
    name_fa: String,
    in_a: i64,
    in_b: i64,
    name_a: Option<String>,
    name_b: Option<String>,
    links: Json,
    former_names: Json,
}

impl Report for Reconciliation {
    const ENTRY: Entry = Entry {
        name: "reconciliation",
        title_fa: "تطبیق منابع",
        title_en: "Reconciliation of sources",
        formats: TABLE,
        parameters: &[
            ("a", "منبع الف"),
            ("b", "منبع ب"),
            ("stated_a", "شمار اعلام‌شدهٔ منبع الف"),
            ("stated_b", "شمار اعلام‌شدهٔ منبع ب"),
        ],
        reads: &["cluster", "cluster_claim", "lineage_entry"],
        columns: &[
            Column::new("cluster.id", Kind::Id, "شناسهٔ خوشه", "Id of the cluster"),
            Column::new("cluster.code", Kind::Text, "کد خوشه", "Code of the cluster"),
            Column::new("cluster.name_fa", Kind::Text, "خوشه", "Cluster"),
            Column::new("claimed_name_a", Kind::Text, "نام در منبع الف", "Name in A"),
            Column::new("claimed_name_b", Kind::Text, "نام در منبع ب", "Name in B"),
            Column::new("finding", Kind::Word, "یافته", "Finding"),
            Column::new("explanation.kind", Kind::Word, "نوع تبار", "Kind of lineage"),
            Column::new(
                "explanation.relation",
                Kind::Word,
                "نسبت خوشهٔ دیگر",
                "What the other cluster is to it",
            ),
            Column::new("explanation.cluster_id", Kind::Id, "شناسهٔ خوشهٔ دیگر", "Id of the other cluster"),
            Column::new("explanation.code", Kind::Text, "کد خوشهٔ دیگر", "Code of the other cluster"),
            Column::new("explanation.name_fa", Kind::Text, "خوشهٔ دیگر", "The other cluster"),
        ],
    };
    type Parameters = Sources;
    type Item = ReconciledCluster;
    type Totals = ReconciliationTotals;

    async fn tell(
        question: &Question<Self>,
        db: &DatabaseTransaction,
        out: &mut RowSink<Self>,
    ) -> Result<(), Problem> {
        let [a, b] = question.sources(db).await?;
        out.totals().begin([a.clone(), b.clone()], [question.own.stated_a, question.own.stated_b]);
        let mut sql = question.composer();
        let day = sql.day(question.as_of.naive());
        let (clusters, lineage, claims) =
            (question.clusters(&mut sql), question.known(&LINEAGE, &mut sql), question.claims(&mut sql));
        let [a, b] = [a, b].map(|title| sql.bind(title));
        let latest = "CASE WHEN l.claimed_on IS NULL THEN 1 ELSE 0 END, l.claimed_on DESC, l.id DESC";
        let link = sql.object(&[("kind", "x.kind"), ("relation", "x.relation"), ("code", "o.code")]);
        let (links, former) = (
            sql.array_of(&link, "o.code, x.kind, x.relation"),
            sql.array_of("e.former_name", "e.effective_on, e.id"),
        );
        let code = sql.bytewise("c.code");
        let query = format!(
            "WITH RECURSIVE spoken AS (SELECT c.id, c.province, c.code, c.name_fa FROM {clusters} c), \
               claim AS (SELECT l.*, ROW_NUMBER() OVER (PARTITION BY l.cluster_id, l.source_title ORDER BY {latest}) AS place FROM {claims} l), \
               claimed AS (SELECT c.*, CASE WHEN a.cluster_id IS NULL THEN 0 ELSE 1 END AS in_a, CASE WHEN b.cluster_id IS NULL THEN 0 ELSE 1 END AS in_b, \
                   a.claimed_name AS name_a, b.claimed_name AS name_b \
                 FROM spoken c LEFT JOIN claim a ON a.cluster_id = c.id AND a.source_title = {a} AND a.place = 1 \
                   LEFT JOIN claim b ON b.cluster_id = c.id AND b.source_title = {b} AND b.place = 1 \
                 WHERE a.cluster_id IS NOT NULL OR b.cluster_id IS NOT NULL), \
               entry AS (SELECT e.* FROM {lineage} e WHERE e.effective_on <= {day}), \
               path(origin, target, kind) AS (SELECT e.cluster_id, e.other_cluster_id, e.kind FROM entry e WHERE e.other_cluster_id IS NOT NULL \
                 UNION SELECT p.origin, e.other_cluster_id, p.kind FROM path p JOIN entry e ON e.cluster_id = p.target AND e.other_cluster_id IS NOT NULL), \
               related AS (SELECT p.origin AS one, p.target AS other, p.kind, 'successor' AS relation FROM path p \
                 UNION SELECT p.target, p.origin, p.kind, 'predecessor' FROM path p) \
             SELECT c.id, c.code, c.name_fa, CAST(c.in_a AS bigint) AS in_a, CAST(c.in_b AS bigint) AS in_b, c.name_a, c.name_b, \
               (SELECT COALESCE({links}, '[]') FROM related x JOIN claimed o ON o.id = x.other WHERE x.one = c.id AND x.other <> c.id) AS links, \
               (SELECT COALESCE({former}, '[]') FROM entry e WHERE e.cluster_id = c.id AND e.former_name IS NOT NULL) AS former_names \
             FROM claimed c ORDER BY c.province, {code}"
        );
        // At most one for each cluster: that the one source names the other's by a former name is seen when
        // all are there.
        let rows = Row::find_by_statement(sql.statement(query)).all(db).await?;
        let sides: Vec<Side> = rows.into_iter().map(Side::from).collect();
        for row in reconcile(&sides) {
            out.put(row).await?;
        }
        Ok(())
    }
}

impl Question<Reconciliation> {
    /// The claims that were made by the day.
    fn claims(&self, sql: &mut Composer) -> String {
        let (claims, day) = (self.known(&CLAIM, sql), sql.day(self.as_of.naive()));
        format!("(SELECT l.* FROM {claims} l WHERE l.claimed_on IS NULL OR l.claimed_on <= {day})")
    }

    /// The two sources: the requested ones, or those with most claims.
    async fn sources(&self, db: &DatabaseTransaction) -> Result<[Option<String>; 2], Problem> {
        let [a, b] = [self.own.a.clone(), self.own.b.clone()];
        if a.is_some() && b.is_some() {
            return Ok([a, b]);
        }
        let mut sql = self.composer();
        let (clusters, claims, title) =
            (self.clusters(&mut sql), self.claims(&mut sql), sql.bytewise("l.source_title"));
        let asked: Vec<&str> = [&a, &b].into_iter().flatten().map(String::as_str).collect();
        let others = if asked.is_empty() {
            String::new()
        } else {
            format!("WHERE l.source_title NOT IN {}", sql.texts(asked))
        };
        let query = format!(
            "SELECT l.source_title FROM {claims} l JOIN {clusters} c ON c.id = l.cluster_id {others} \
             GROUP BY l.source_title ORDER BY COUNT(*) DESC, {title} LIMIT 2"
        );
        let mut found = Vec::new();
        for row in sea_orm::ConnectionTrait::query_all_raw(db, sql.statement(query)).await? {
            found.push(row.try_get::<String>("", "source_title")?);
        }
        let mut found = found.into_iter();
        Ok([a.or_else(|| found.next()), b.or_else(|| found.next())])
    }
}

impl From<Row> for Side {
    fn from(row: Row) -> Self {
        let name = |is_in: i64, name: Option<String>| {
            (is_in == 1).then(|| name.unwrap_or_else(|| row.name_fa.clone()))
        };
        Self {
            names: [name(row.in_a, row.name_a), name(row.in_b, row.name_b)],
            links: list::<Link>(row.links),
            former_names: list(row.former_names),
            cluster: ClaimedCluster { id: row.id, code: row.code, name_fa: row.name_fa },
        }
    }
}

/// Reconciliation of sources
///
/// Each cluster that one of two sources claims, by claims of `as_of` or before, or without a day. The
/// findings distinguish clusters that both claim, that only one claims, and that only one claims although by
/// mergers, splits and new names effective by `as_of` it is one that the other claims. Of several claims of a
/// source about a cluster the newest gives the name.
///
/// A source may state more clusters than it names: `stated_a` and `stated_b`. `totals.difference` is the
/// number that B states, or otherwise names, minus that of A. It is the sum of three parts:
///
/// - `by_lineage`: clusters that only B claims, less those that only A claims, among those explained by
///   lineage. Where A claims one that was split into two which B claims, that is 2 − 1 = 1.
/// - `by_name`: the same among those that lineage does not explain, but only where names settle it. One that
///   only A claims may be among those that B states without naming them: as many as B leaves unnamed are set
///   aside, and likewise of B.
/// - `unexplained`: the rest, which neither names nor lineage explain: clusters that B states and does not
///   name, less those set aside for them, less the same of A.
///
/// An example: A names 11; B states 13 and names 2 of the 11. The difference is 2; the 9 that only A names
/// may be among the 11 that B does not name, so names explain nothing, and 11 − 9 = 2 stay unexplained.
#[utoipa::path(params(Common, Sources), responses((status = 200, body = ReportResponse<ReconciledCluster, ReconciliationTotals>)), security(("oauth2" = ["reports:read"])))]
#[get("/reports/reconciliation")]
pub async fn get_reconciliation(question: Question<Reconciliation>) -> Result<HttpResponse, Problem> {
    question.answer().await
}
