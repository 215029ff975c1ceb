//! The states of a milestone, the rules by which they change, and the rules between the milestones of a
//! project.

use std::collections::{HashMap, HashSet};

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QuerySelect};
use uuid::Uuid;

pub use super::entity::State;
use super::{
    baselines,
    entity::{Column, Entity, Model},
};
use crate::{
    checks,
    lifecycle::{Guard, Need, State as _, Step, Who},
    persian::Date,
    policy::Role,
    problem::{Problem, Text, Violation, problem_types},
    projects::{
        self,
        dates::{self, Span},
        phases,
    },
    store::{Transaction, sql, status_event},
};

const WRITER: Who = Who::Holder("milestones:write");
const REVIEWER: Who = Who::Holder("milestones:review");

/// Transition table.
pub const STEPS: &[Step<Model>] = &[
    Step {
        from: &[State::Planned, State::Returned],
        to: State::InProgress,
        who: WRITER,
        needs: &[],
        guards: &[IMPLEMENTING, PREDECESSORS],
    },
    Step {
        from: &[State::InProgress],
        to: State::Submitted,
        who: WRITER,
        needs: &[],
        guards: &[IMPLEMENTING, EVIDENCE],
    },
    Step { from: &[State::Submitted], to: State::Accepted, who: REVIEWER, needs: &[], guards: &[] },
    Step {
        from: &[State::Submitted],
        to: State::Returned,
        who: REVIEWER,
        needs: &[Need::Reason],
        guards: &[],
    },
    Step {
        from: &[State::Accepted],
        to: State::InProgress,
        who: Who::National("milestones:review"),
        needs: &[Need::Reason],
        guards: &[IMPLEMENTING],
    },
    Step {
        from: &[State::Planned, State::InProgress, State::Submitted, State::Returned],
        to: State::Cancelled,
        who: Who::Automatic("a re-baseline cancels it"),
        needs: &[],
        guards: &[],
    },
];

const IMPLEMENTING: Guard<Model> = Guard {
    code: "project_not_implementing",
    fa: "پروژه در مرحلهٔ اجرا نیست.",
    en: "The project is not being implemented.",
    pointer: None,
    holds: |_, facts| facts.is_implementing,
};
const PREDECESSORS: Guard<Model> = Guard {
    code: "predecessors_open",
    fa: "پیش‌نیازهایی از این نقطهٔ عطف هنوز پذیرفته نشده‌اند.",
    en: "Some of its predecessors are not accepted yet.",
    pointer: Some("/predecessors"),
    holds: |_, facts| !facts.waits,
};
const EVIDENCE: Guard<Model> = Guard {
    code: "no_evidence",
    fa: "برای این نقطهٔ عطف مدرکی پیوست نشده است.",
    en: "No evidence is attached to it.",
    pointer: None,
    holds: |row, facts| !row.evidence_required || facts.has_evidence,
};

/// Facts that the guards check.
pub struct Facts {
    is_implementing: bool,
    has_evidence: bool,
    /// Whether a predecessor is still to be accepted.
    waits: bool,
}

#[derive(FromQueryResult)]
struct Found {
    id: Uuid,
    is_implementing: bool,
    has_evidence: bool,
}

/// The facts of some milestones, in two statements at most.
pub async fn facts(
    db: &impl ConnectionTrait,
    rows: &[Model],
    on: Date,
) -> Result<HashMap<Uuid, Facts>, Problem> {
    const SQL: &str = "SELECT m.id, p.state = 'implementing' AS is_implementing, \
        EXISTS (SELECT 1 FROM attachment a WHERE a.subject_kind = 'milestone' AND a.subject_id = m.id AND a.deleted_at IS NULL \
          AND a.received_at IS NOT NULL AND a.kind IN ('evidence', 'photo')) AS has_evidence \
      FROM milestone m JOIN project p ON p.id = m.project_id WHERE m.id IN ({ids})";
    let predecessors: Vec<Uuid> = rows.iter().flat_map(|row| row.predecessors.0.iter().copied()).collect();
    let mut open: HashSet<Uuid> = HashSet::new();
    if !predecessors.is_empty() {
        let of_rows = Entity::find().select_only().column(Column::Id).filter(Column::Id.is_in(predecessors));
        open.extend(
            of_rows
                .filter(Column::State.is_not_in([State::Accepted, State::Cancelled]))
                .into_tuple::<Uuid>()
                .all(db)
                .await?,
        );
    }
    let found = Found::find_by_statement(sql::about(db, SQL, on.naive(), rows)).all(db).await?;
    let waiting: HashSet<Uuid> = rows
        .iter()
        .filter(|row| row.predecessors.0.iter().any(|id| open.contains(id)))
        .map(|row| row.id)
        .collect();
    Ok(found
        .into_iter()
        .map(|Found { id, is_implementing, has_evidence }| {
            (id, Facts { is_implementing, has_evidence, waits: waiting.contains(&id) })
        })
        .collect())
}

/// Checks that nobody but a manager accepts their own submission.
pub async fn check_reviewer(transaction: &Transaction, row: &Model) -> Result<(), Problem> {
    let is_manager = !matches!(transaction.author().role, Role::Cda | Role::Supervisor);
    if row.state != State::Accepted || is_manager {
        return Ok(());
    }
    let submitted = status_event::latest_into(&**transaction, row, &State::Submitted.name()).await?;
    match submitted.filter(|event| event.recorded_by == transaction.author().id) {
        None => Ok(()),
        Some(_) => Err(Problem::new(&problem_types::FORBIDDEN).detail(Text::new(
            "پذیرش با کسی دیگر است: این نقطهٔ عطف را خود شما تحویل داده‌اید.",
            "Somebody else has to accept it: you have submitted this milestone yourself.",
        ))),
    }
}

/// Checks that fields fixed by a baseline change only by a baseline, and that a milestone added later has no
/// weight until the next one (rule 3 of `domain.md`). A baseline sets its own number on the milestones it
/// changes.
pub async fn check_frozen(
    transaction: &Transaction,
    before: Option<&Model>,
    row: &Model,
) -> Result<(), Problem> {
    let frozen = |pointers: Vec<&str>| match pointers.as_slice() {
        [] => Ok(()),
        _ => Err(pointers.iter().fold(Problem::new(&problem_types::PLAN_FROZEN), |problem, pointer| {
            let detail =
                Text::new("خط مبنا این مقدار را تثبیت کرده است.", "A baseline has fixed this value.");
            problem.violation(Violation::body(*pointer, "frozen", detail))
        })),
    };
    match before.filter(|before| before.baseline_number.is_some()) {
        Some(before) if before.baseline_number == row.baseline_number => {
            let is_changed = [
                ("/phase", before.phase != row.phase),
                ("/weight_bp", before.weight_bp != row.weight_bp),
                ("/planned_start", before.planned_start != row.planned_start),
                ("/due_on", before.due_on != row.due_on),
            ];
            frozen(
                is_changed.into_iter().filter(|(_, changed)| *changed).map(|(pointer, _)| pointer).collect(),
            )
        }
        None if row.baseline_number.is_none()
            && row.weight_bp > 0
            && baselines::latest(transaction, row.project_id).await?.is_some() =>
        {
            frozen(vec!["/weight_bp"])
        }
        _ => Ok(()),
    }
}

/// 409 for a milestone in a baseline: it can be cancelled by a re-baseline, but not deleted.
pub fn check_not_planned(row: &Model) -> Result<(), Problem> {
    if row.baseline_number.is_none() { Ok(()) } else { Err(Problem::new(&problem_types::PLAN_FROZEN)) }
}

/// Checks that a milestone is within its phase, or within the contract if the phase has no planned days (rule
/// 5 of `domain.md`).
pub async fn check_dates(
    transaction: &Transaction,
    project: &projects::entity::Model,
    row: &Model,
) -> Result<(), Problem> {
    let phase = phases::Entity::find()
        .filter(phases::Column::ProjectId.eq(row.project_id))
        .filter(phases::Column::Phase.eq(row.phase))
        .filter(phases::Column::DeletedAt.is_null())
        .one(&**transaction)
        .await?;
    let (outer, what) = match phase {
        Some(phase) => (
            Span { from: Some(phase.planned_start), to: Some(phase.planned_end) },
            Text::new("فاز", "its phase"),
        ),
        None => (project.contract(), Text::new("قرارداد", "the contract")),
    };
    dates::all_or_none(
        outer.excludes(&[("/planned_start", row.planned_start), ("/due_on", Some(row.due_on))], &what),
    )
}

/// The predecessors are milestones of the same project, and none of them waits for this one, however far
/// back.
pub async fn check_predecessors(transaction: &Transaction, row: &Model) -> Result<(), Problem> {
    if row.predecessors.0.is_empty() {
        return Ok(());
    }
    let others = of_project(transaction, row.project_id).await?;
    let before: HashMap<Uuid, &[Uuid]> = others
        .iter()
        .filter(|other| other.id != row.id)
        .map(|other| (other.id, other.predecessors.0.as_slice()))
        .collect();
    let unknown = Text::new("چنین نقطهٔ عطفی در این پروژه نیست.", "The project has no such milestone.");
    let cycle =
        Text::new("این نقطهٔ عطف خود در انتظار همین نقطهٔ عطف است.", "That milestone waits for this one.");
    dates::all_or_none(checks::links(row.id, &row.predecessors.0, &before, "predecessors", &unknown, &cycle))
}

/// 409 while other milestones wait for this one.
pub async fn check_no_successor(transaction: &Transaction, row: &Model) -> Result<(), Problem> {
    let others = of_project(transaction, row.project_id).await?;
    if others.iter().any(|other| other.predecessors.0.contains(&row.id)) {
        return Err(Problem::new(&problem_types::STILL_REFERRED_TO).member("referred_by", vec!["milestone"]));
    }
    Ok(())
}

async fn of_project(transaction: &Transaction, project: Uuid) -> Result<Vec<Model>, Problem> {
    Ok(Entity::find()
        .filter(Column::ProjectId.eq(project))
        .filter(Column::DeletedAt.is_null())
        .all(&**transaction)
        .await?)
}
