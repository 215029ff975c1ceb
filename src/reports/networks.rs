//! Cooperation of the enterprises of clusters: networks and joint actions, with their members and cost.

use actix_web::{HttpResponse, get};
use sea_orm::{DatabaseTransaction, FromQueryResult, prelude::Uuid};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Column, Common, Entry, Kind, NoParameters, Question, Report, ReportResponse, RowSink, TABLE, Totals,
    value::share_bp,
};
use crate::{
    problem::Problem,
    provinces::ProvinceCode,
    store::{
        sql::count_where,
        temporal_relations::{JOINT_ACTION, NETWORK},
    },
    values::Amount,
};

/// The report.
pub struct Networks;

/// The networks of a kind, or the joint actions, of a cluster.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClusterNetworks {
    /// The cluster.
    cluster_id: Uuid,
    /// Its code.
    #[schema(example = "15-0001")]
    code: String,
    /// Its name in Persian.
    #[schema(example = "سنگ")]
    name_fa: String,
    /// Its province.
    province: ProvinceCode,
    /// The kind of network, or `joint_action`.
    #[schema(
        pattern = "^(horizontal|vertical|export_consortium|raw_material|joint_action)$",
        example = "horizontal"
    )]
    kind: String,
    /// Number formed by the day.
    #[schema(minimum = 0, example = 3)]
    formed: i64,
    /// Number formed, or begun, in the period; without `period`, all whose day is known.
    #[schema(minimum = 0, example = 1)]
    formed_in_period: i64,
    /// Number neither dissolved nor ended on the day.
    #[schema(minimum = 0, example = 2)]
    active: i64,
    /// Number of enterprises that were members of those; each is counted once.
    #[schema(minimum = 0, example = 24)]
    members: i64,
    /// Cost of all that were formed, in rials.
    cost_irr: Amount,
    /// Part of the cost that the enterprises themselves bear, in rials, each rounded down.
    private_irr: Amount,
    /// The same as a share in basis points, rounded half up; null where nothing is known to cost anything.
    #[schema(required, minimum = 0, maximum = 10_000, example = 6000)]
    private_share_bp: Option<i64>,
}

/// The row of the query.
#[derive(FromQueryResult)]
pub struct Row {
    cluster_id: Uuid,
    code: String,
    name_fa: String,
    province: String,
    kind: String,
    formed: i64,
    formed_in_period: i64,
    active: i64,
    members: i64,
    cost_irr: i64,
    private_irr: i64,
}

/// Totals.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct NetworkTotals {
    /// Number formed by the day.
    #[schema(minimum = 0)]
    formed: i64,
    /// Number formed in the period.
    #[schema(minimum = 0)]
    formed_in_period: i64,
    /// Number active on the day.
    #[schema(minimum = 0)]
    active: i64,
    /// Their cost, in rials.
    cost_irr: Amount,
    /// Part of the cost that the enterprises bear, in rials.
    private_irr: Amount,
    /// The same as a share in basis points, rounded half up.
    #[schema(required, example = 6000)]
    private_share_bp: Option<i64>,
}

impl Totals<ClusterNetworks> for NetworkTotals {
    fn add(&mut self, row: &ClusterNetworks) {
        self.formed += row.formed;
        self.formed_in_period += row.formed_in_period;
        self.active += row.active;
        self.cost_irr.0 = self.cost_irr.0.saturating_add(row.cost_irr.0);
        self.private_irr.0 = self.private_irr.0.saturating_add(row.private_irr.0);
    }

    fn finish(&mut self) {
        self.private_share_bp = share_bp(self.private_irr.0, self.cost_irr.0);
    }
}

impl Report for Networks {
    const ENTRY: Entry = Entry {
        name: "networks",
        title_fa: "شبکه‌ها و اقدام‌های مشترک",
        title_en: "Networks and joint actions",
        formats: TABLE,
        parameters: &[],
        reads: &["cluster", "project", "network", "joint_action"],
        columns: &[
            Column::new("cluster_id", Kind::Id, "شناسهٔ خوشه", "Id of the cluster"),
            Column::new("code", Kind::Text, "کد خوشه", "Code of the cluster"),
            Column::new("name_fa", Kind::Text, "خوشه", "Cluster"),
            Column::new("province", Kind::Word, "استان", "Province"),
            Column::new("kind", Kind::Word, "نوع", "Kind"),
            Column::new("formed", Kind::Count, "تشکیل‌شده", "Formed"),
            Column::new("formed_in_period", Kind::Count, "تشکیل‌شده در دوره", "Formed in the period"),
            Column::new("active", Kind::Count, "فعال", "Active"),
            Column::new("members", Kind::Count, "واحدهای عضو", "Members"),
            Column::new("cost_irr", Kind::Rials, "هزینه", "Cost"),
            Column::new("private_irr", Kind::Rials, "آوردهٔ واحدها", "Private part"),
            Column::new("private_share_bp", Kind::BasisPoints, "سهم بخش خصوصی", "Private share"),
        ],
    };
    type Parameters = NoParameters;
    type Item = ClusterNetworks;
    type Totals = NetworkTotals;

    async fn tell(
        question: &Question<Self>,
        db: &DatabaseTransaction,
        out: &mut RowSink<Self>,
    ) -> Result<(), Problem> {
        let mut sql = question.composer();
        let day = sql.day(question.as_of.naive());
        let since = question
            .from()
            .map(|from| format!(" AND t.began >= {}", sql.day(from.naive())))
            .unwrap_or_default();
        let (clusters, projects) = (question.clusters(&mut sql), question.projects(&mut sql));
        let [networks, actions] =
            [&NETWORK, &JOINT_ACTION].map(|relation| question.known(relation, &mut sql));
        let (members, member) = (sql.each("t.members", "m"), sql.text("m.value"));
        let active = format!("t.ended IS NULL OR t.ended > {day}");
        let query = format!(
            "WITH together AS (SELECT t.* FROM (\
               SELECT n.cluster_id, n.kind, n.formed_on AS began, n.dissolved_on AS ended, n.members, n.cost_irr, n.private_share_bp FROM {networks} n \
               UNION ALL SELECT p.cluster_id, 'joint_action', j.started_on, j.ended_on, j.participants, j.cost_irr, j.private_share_bp \
                 FROM {actions} j JOIN {projects} p ON p.id = j.project_id) t WHERE t.began IS NULL OR t.began <= {day}), \
             membership AS (SELECT t.cluster_id, t.kind, COUNT(DISTINCT {member}) AS members FROM together t CROSS JOIN {members} \
               WHERE {active} GROUP BY t.cluster_id, t.kind) \
             SELECT c.id AS cluster_id, c.code, c.name_fa, c.province, s.kind, s.formed, s.formed_in_period, s.active, \
               COALESCE(m.members, 0) AS members, s.cost_irr, s.private_irr \
             FROM (SELECT t.cluster_id, t.kind, COUNT(*) AS formed, {} AS formed_in_period, {} AS active, \
                 CAST(COALESCE(SUM(t.cost_irr), 0) AS bigint) AS cost_irr, \
                 CAST(COALESCE(SUM(t.cost_irr / 10000 * t.private_share_bp + t.cost_irr % 10000 * t.private_share_bp / 10000), 0) AS bigint) AS private_irr \
               FROM together t GROUP BY t.cluster_id, t.kind) s \
             JOIN {clusters} c ON c.id = s.cluster_id LEFT JOIN membership m ON m.cluster_id = s.cluster_id AND m.kind = s.kind \
             ORDER BY c.province, c.code, \
               CASE s.kind WHEN 'horizontal' THEN 1 WHEN 'vertical' THEN 2 WHEN 'export_consortium' THEN 3 WHEN 'raw_material' THEN 4 ELSE 5 END",
            count_where(&format!("t.began IS NOT NULL{since}")),
            count_where(&active),
        );
        out.rows::<Row>(db, sql.statement(query)).await
    }
}

impl From<Row> for ClusterNetworks {
    fn from(row: Row) -> Self {
        Self {
            cluster_id: row.cluster_id,
            code: row.code,
            name_fa: row.name_fa,
            province: ProvinceCode(row.province),
            kind: row.kind,
            formed: row.formed,
            formed_in_period: row.formed_in_period,
            active: row.active,
            members: row.members,
            cost_irr: Amount(row.cost_irr),
            private_irr: Amount(row.private_irr),
            private_share_bp: share_bp(row.private_irr, row.cost_irr),
        }
    }
}

/// Networks and joint actions
///
/// For each cluster and kind of network, and for the joint actions of its projects: the number formed by
/// `as_of` and in `period`, the number active on the day and their enterprises, the cost, and the part of it
/// that the enterprises bear. One whose first day is not known counts as formed, but in no period.
#[utoipa::path(params(Common), responses((status = 200, body = ReportResponse<ClusterNetworks, NetworkTotals>)), security(("oauth2" = ["reports:read"])))]
#[get("/reports/networks")]
pub async fn get_networks(question: Question<Networks>) -> Result<HttpResponse, Problem> {
    question.answer().await
}
