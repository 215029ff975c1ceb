//! Milestones of all projects with the plan in force: the rules of `projects::plan` as one statement.

use super::{Question, Report};
use crate::store::{
    sql::{Composer, Member},
    temporal_relations::{BASELINE, MILESTONE},
};

/// Milestones as a relation in parentheses, as known then and in the selected provinces: `id`, `project_id`,
/// `province`, `phase`, `pillar`, `title_fa`, `title_en`, `state`, and `weight_bp` (64 bits) and `due_on` of
/// the plan in force on the day. That is the newest baseline frozen by then, otherwise the first one; without
/// one it is the milestones themselves. Milestones outside the baseline have no weight.
///
/// The table itself has the newest plan: for today it suffices, with its indexes.
pub fn milestones<R: Report>(question: &Question<R>, sql: &mut Composer) -> String {
    const COLUMNS: &str =
        "m.id, m.project_id, m.province, m.phase, m.pillar, m.title_fa, m.title_en, m.state";
    let milestones = question.known(&MILESTONE, sql);
    if question.is_present() {
        return format!(
            "(SELECT {COLUMNS}, CAST(m.weight_bp AS bigint) AS weight_bp, m.due_on FROM {milestones} m)"
        );
    }
    let (baselines, day) = (question.known(&BASELINE, sql), sql.day(question.as_of.naive()));
    let each = sql.each("b.milestones", "f");
    let [id, weight_bp, due_on] =
        [("milestone_id", Member::Uuid), ("weight_bp", Member::Integer), ("due_on", Member::Date)]
            .map(|(name, member)| sql.member("f.value", name, member));
    format!(
        "(WITH in_force AS (SELECT b.* FROM (SELECT b.project_id, b.milestones, ROW_NUMBER() OVER (PARTITION BY b.project_id \
              ORDER BY CASE WHEN b.frozen_on <= {day} THEN -b.number ELSE b.number END) AS place FROM {baselines} b) b WHERE b.place = 1), \
            frozen AS (SELECT {id} AS milestone_id, {weight_bp} AS weight_bp, {due_on} AS due_on FROM in_force b, {each}) \
          SELECT {COLUMNS}, COALESCE(f.due_on, m.due_on) AS due_on, \
            CASE WHEN b.project_id IS NULL THEN CAST(m.weight_bp AS bigint) ELSE COALESCE(f.weight_bp, 0) END AS weight_bp \
          FROM {milestones} m LEFT JOIN in_force b ON b.project_id = m.project_id LEFT JOIN frozen f ON f.milestone_id = m.id)"
    )
}
