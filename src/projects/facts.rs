//! Facts that the guards of a project's states check, read from the tables of its parts without depending on
//! their modules.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, FromQueryResult};
use uuid::Uuid;

use super::entity::Model;
use crate::{persian::Date, problem::Problem, store::sql};

/// Facts about a project on a day.
#[derive(FromQueryResult)]
pub struct Facts {
    id: Uuid,
    /// The day.
    #[sea_orm(skip)]
    pub on: Date,
    /// State of its cluster.
    pub cluster_state: String,
    /// Whether another project of the cluster is live.
    pub has_rival: bool,
    /// Whether a certified lead CDA is assigned on the day.
    pub has_lead: bool,
    /// Whether it has a supervisor on the day.
    pub has_supervisor: bool,
    /// Whether an endorsed diagnostic study is attached.
    pub has_study: bool,
    /// Whether an endorsed action plan is attached.
    pub has_action_plan: bool,
    /// Whether the completion licence is attached.
    pub has_licence: bool,
    /// Whether a baseline value of an indicator is measured.
    pub has_indicator_baseline: bool,
    /// Number of indicators with a baseline value and no actual one of a later period.
    pub unfinished_indicators: i64,
    /// Total weight of its milestones, in basis points.
    pub weight_total: i64,
    /// Number of milestones that are neither accepted nor cancelled.
    pub open_milestones: i64,
    /// Whether a baseline is frozen.
    pub has_baseline: bool,
    /// Number of payments that are not reconciled.
    pub open_payments: i64,
    /// Number of assignments that continue after the day.
    pub open_assignments: i64,
}

const SQL: &str = "SELECT p.id, c.state AS cluster_state, \
    EXISTS (SELECT 1 FROM project r WHERE r.cluster_id = p.cluster_id AND r.id <> p.id AND r.deleted_at IS NULL \
      AND r.state NOT IN ('draft', 'closed', 'terminated')) AS has_rival, \
    EXISTS (SELECT 1 FROM assignment a JOIN cda d ON d.id = a.cda_id WHERE a.project_id = p.id AND a.deleted_at IS NULL AND a.role = 'lead' \
      AND a.valid_from <= $1 AND (a.valid_to IS NULL OR a.valid_to >= $1) AND d.state = 'certified') AS has_lead, \
    EXISTS (SELECT 1 FROM supervision s WHERE s.project_id = p.id AND s.deleted_at IS NULL \
      AND s.valid_from <= $1 AND (s.valid_to IS NULL OR s.valid_to >= $1)) AS has_supervisor, \
    EXISTS (SELECT 1 FROM attachment t WHERE {of_project} AND t.kind = 'diagnostic_study' AND t.decision_id IS NOT NULL) AS has_study, \
    EXISTS (SELECT 1 FROM attachment t WHERE {of_project} AND t.kind = 'action_plan' AND t.decision_id IS NOT NULL) AS has_action_plan, \
    EXISTS (SELECT 1 FROM attachment t WHERE {of_project} AND t.kind = 'completion_licence') AS has_licence, \
    EXISTS (SELECT 1 FROM measurement m WHERE m.project_id = p.id AND m.deleted_at IS NULL AND m.kind = 'baseline') AS has_indicator_baseline, \
    (SELECT COUNT(*) FROM measurement m WHERE m.project_id = p.id AND m.deleted_at IS NULL AND m.kind = 'baseline' \
      AND NOT EXISTS (SELECT 1 FROM measurement f WHERE f.project_id = p.id AND f.indicator_id = m.indicator_id AND f.deleted_at IS NULL \
        AND f.kind = 'actual' AND f.period_end > m.period_end)) AS unfinished_indicators, \
    (SELECT CAST(COALESCE(SUM(m.weight_bp), 0) AS bigint) FROM milestone m WHERE m.project_id = p.id AND m.deleted_at IS NULL \
      AND m.state <> 'cancelled') AS weight_total, \
    (SELECT COUNT(*) FROM milestone m WHERE m.project_id = p.id AND m.deleted_at IS NULL \
      AND m.state NOT IN ('accepted', 'cancelled')) AS open_milestones, \
    EXISTS (SELECT 1 FROM baseline b WHERE b.project_id = p.id AND b.deleted_at IS NULL) AS has_baseline, \
    (SELECT COUNT(*) FROM payment y WHERE y.project_id = p.id AND y.deleted_at IS NULL AND y.reconciled_on IS NULL) AS open_payments, \
    (SELECT COUNT(*) FROM assignment a WHERE a.project_id = p.id AND a.deleted_at IS NULL AND (a.valid_to IS NULL OR a.valid_to > $1)) AS open_assignments \
  FROM project p JOIN cluster c ON c.id = p.cluster_id WHERE p.id IN ({ids})";

/// A document of the project itself, whose content is there.
const OF_PROJECT: &str = "t.subject_kind = 'project' AND t.subject_id = p.id AND t.deleted_at IS NULL AND t.received_at IS NOT NULL";

/// The facts of some projects on a day, in one statement.
pub async fn of_projects(
    db: &impl ConnectionTrait,
    rows: &[Model],
    on: Date,
) -> Result<HashMap<Uuid, Facts>, Problem> {
    let sql = SQL.replace("{of_project}", OF_PROJECT);
    let found = Facts::find_by_statement(sql::about(db, &sql, on.naive(), rows)).all(db).await?;
    Ok(found.into_iter().map(|facts| (facts.id, Facts { on, ..facts })).collect())
}
