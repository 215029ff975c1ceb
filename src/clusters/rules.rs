//! The states of a cluster and the rules by which they change, as `domain.md` lists them.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, FromQueryResult};
use uuid::Uuid;

use super::entity::Model;
pub use super::entity::State;
use crate::{
    lifecycle::{Guard, Need, Step, Who},
    persian::Date,
    problem::Problem,
    store::sql,
};

const MANAGER: Who = Who::Holder("clusters:write");
/// All states except the final ones.
const ANY: &[State] = &[
    State::Candidate,
    State::Identified,
    State::Prioritised,
    State::Feasibility,
    State::Feasible,
    State::NotFeasible,
    State::InDevelopment,
    State::Developed,
];

/// Transition table. Independently of the state, folded names are unique in a province, and each cluster has
/// a primary class of ISIC.
pub const STEPS: &[Step<Model>] = &[
    Step { from: &[State::Candidate], to: State::Identified, who: MANAGER, needs: &[], guards: &[CLAIM] },
    Step {
        from: &[State::Identified],
        to: State::Prioritised,
        who: MANAGER,
        needs: &[Need::DecisionId],
        guards: &[SCORES],
    },
    Step {
        from: &[State::Prioritised],
        to: State::Feasibility,
        who: MANAGER,
        needs: &[],
        guards: &[EXECUTOR],
    },
    Step {
        from: &[State::Feasibility],
        to: State::Feasible,
        who: MANAGER,
        needs: &[],
        guards: &[FOUND_FEASIBLE],
    },
    Step {
        from: &[State::Feasibility],
        to: State::NotFeasible,
        who: MANAGER,
        needs: &[],
        guards: &[FOUND_NOT_FEASIBLE],
    },
    Step {
        from: &[State::NotFeasible],
        to: State::Prioritised,
        who: MANAGER,
        needs: &[Need::DecisionId],
        guards: &[SCORES],
    },
    Step {
        from: &[State::Feasible],
        to: State::InDevelopment,
        who: Who::Automatic("its project is contracted"),
        needs: &[],
        guards: &[],
    },
    Step {
        from: &[State::InDevelopment],
        to: State::Developed,
        who: Who::Automatic("its project is closed"),
        needs: &[],
        guards: &[],
    },
    Step {
        from: &[State::InDevelopment],
        to: State::Feasible,
        who: Who::Automatic("its project is terminated"),
        needs: &[],
        guards: &[],
    },
    Step { from: ANY, to: State::Merged, who: MANAGER, needs: &[], guards: &[MERGER, NO_LIVE_PROJECT] },
    Step { from: ANY, to: State::Split, who: MANAGER, needs: &[], guards: &[SPLIT, NO_LIVE_PROJECT] },
    Step {
        from: ANY,
        to: State::Withdrawn,
        who: MANAGER,
        needs: &[Need::Reason],
        guards: &[NO_LIVE_PROJECT],
    },
];

const CLAIM: Guard<Model> = Guard {
    code: "no_claim",
    fa: "خوشه به یک ادعا نیاز دارد: چه کسی از بودن آن خبر داده است.",
    en: "The cluster needs a claim: who says that it exists.",
    pointer: None,
    holds: |_, facts| facts.has_claim,
};
const SCORES: Guard<Model> = Guard {
    code: "no_priority_scores",
    fa: "امتیازهای اهمیت، ترویج‌پذیری، ماندگاری و پایداری ثبت نشده است.",
    en: "The scores of importance, promotability, viability and sustainability are not given.",
    pointer: Some("/priority_scores"),
    holds: |row, _| row.priority_scores.is_some(),
};
const EXECUTOR: Guard<Model> = Guard {
    code: "no_executor",
    fa: "مطالعهٔ امکان‌سنجی تازه‌ای با نام مجری ثبت نشده است.",
    en: "There is no open feasibility study that names its executor.",
    pointer: None,
    holds: |_, facts| facts.has_open_study,
};
const FOUND_FEASIBLE: Guard<Model> = Guard {
    code: "no_positive_study",
    fa: "مطالعهٔ امکان‌سنجی مصوبی با نتیجهٔ مثبت نیست.",
    en: "There is no approved feasibility study with a positive result.",
    pointer: None,
    holds: |_, facts| facts.study_result.as_deref() == Some("positive"),
};
const FOUND_NOT_FEASIBLE: Guard<Model> = Guard {
    code: "no_negative_study",
    fa: "مطالعهٔ امکان‌سنجی مصوبی با نتیجهٔ منفی نیست.",
    en: "There is no approved feasibility study with a negative result.",
    pointer: None,
    holds: |_, facts| facts.study_result.as_deref() == Some("negative"),
};
const MERGER: Guard<Model> = Guard {
    code: "no_merger",
    fa: "در تبارنامهٔ خوشه نیامده است که با کدام خوشه ادغام می‌شود.",
    en: "The lineage does not say into which cluster it is merged.",
    pointer: None,
    holds: |_, facts| facts.mergers > 0,
};
const SPLIT: Guard<Model> = Guard {
    code: "no_split",
    fa: "در تبارنامهٔ خوشه دست‌کم دو خوشه که از آن جدا می‌شوند نیامده است.",
    en: "The lineage does not name at least two clusters into which it is split.",
    pointer: None,
    holds: |_, facts| facts.parts > 1,
};
const NO_LIVE_PROJECT: Guard<Model> = Guard {
    code: "live_project",
    fa: "خوشه پروژهٔ زنده دارد؛ نخست آن را ببندید یا خاتمه دهید.",
    en: "The cluster has a live project: close or terminate it first.",
    pointer: None,
    holds: |_, facts| !facts.has_live_project,
};

/// Facts that the guards check.
#[derive(FromQueryResult)]
pub struct Facts {
    id: Uuid,
    has_claim: bool,
    has_open_study: bool,
    /// Of the newest study approved since the cluster entered `feasibility`.
    study_result: Option<String>,
    mergers: i64,
    parts: i64,
    has_live_project: bool,
}

/// The facts of some clusters on a day, in one statement.
pub async fn facts(
    db: &impl ConnectionTrait,
    rows: &[Model],
    on: Date,
) -> Result<HashMap<Uuid, Facts>, Problem> {
    const SQL: &str = "SELECT c.id, \
        EXISTS (SELECT 1 FROM cluster_claim x WHERE x.cluster_id = c.id AND x.deleted_at IS NULL) AS has_claim, \
        EXISTS (SELECT 1 FROM feasibility_study s WHERE s.cluster_id = c.id AND s.deleted_at IS NULL AND s.approved_on IS NULL) AS has_open_study, \
        (SELECT s.result FROM feasibility_study s WHERE s.cluster_id = c.id AND s.deleted_at IS NULL AND s.approved_on <= $1 \
           AND s.approved_on >= (SELECT MAX(e.effective_on) FROM status_event e \
             WHERE e.resource = 'cluster' AND e.record_id = c.id AND e.to_state = 'feasibility') \
           ORDER BY s.approved_on DESC, s.id DESC LIMIT 1) AS study_result, \
        (SELECT COUNT(*) FROM lineage_entry l WHERE l.cluster_id = c.id AND l.deleted_at IS NULL AND l.kind = 'merged_into') AS mergers, \
        (SELECT COUNT(DISTINCT l.other_cluster_id) FROM lineage_entry l WHERE l.cluster_id = c.id AND l.deleted_at IS NULL AND l.kind = 'split_into') AS parts, \
        EXISTS (SELECT 1 FROM project p WHERE p.cluster_id = c.id AND p.deleted_at IS NULL \
          AND p.state NOT IN ('draft', 'closed', 'terminated')) AS has_live_project \
      FROM cluster c WHERE c.id IN ({ids})";
    let found = Facts::find_by_statement(sql::about(db, SQL, on.naive(), rows)).all(db).await?;
    Ok(found.into_iter().map(|facts| (facts.id, facts)).collect())
}
