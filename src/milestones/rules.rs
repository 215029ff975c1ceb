//! The states of a milestone, who may enter them, and the rules between the milestones of a project.

use std::collections::{HashMap, HashSet};

use sea_orm::{ColumnTrait, DeriveActiveEnum, EntityTrait, EnumIter, QueryFilter, prelude::StringLen};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::entity::{Column, Entity, Model};
use crate::{
    auth::{Caller, Scope},
    http::{Problem, Text, Violation, catalogue},
    lifecycle,
    projects::{
        self,
        dates::{self, Span},
        phases,
    },
    store::Transaction,
};

/// Where a milestone stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = MilestoneState)]
pub enum State {
    /// Not begun.
    #[default]
    Planned,
    /// Being worked on.
    InProgress,
    /// Handed in for review.
    Submitted,
    /// Accepted, in whole or in part.
    Accepted,
    /// Sent back, with a reason.
    Returned,
    /// Cancelled by a re-baseline.
    Cancelled,
}

impl lifecycle::State for State {
    fn next(self) -> &'static [Self] {
        use State::*;
        match self {
            Planned | Returned => &[InProgress],
            InProgress => &[Submitted],
            Submitted => &[Accepted, Returned],
            Accepted => &[InProgress],
            Cancelled => &[],
        }
    }

    /// To send back, and to reopen.
    fn needs_reason(self, to: Self) -> bool {
        to == Self::Returned || self == Self::Accepted
    }
}

/// Supervisors and managers accept and return; CDAs and managers do the rest; what was accepted is reopened by national offices.
pub fn check_who(author: &Caller, from: State, to: State) -> Result<(), Problem> {
    let may = match (from, to) {
        (State::Accepted, _) => author.may("milestones:review") && author.scope == Scope::Nation,
        (_, State::Accepted | State::Returned) => author.may("milestones:review"),
        _ => author.may("milestones:write"),
    };
    if may { Ok(()) } else { Err(Problem::new(&catalogue::FORBIDDEN)) }
}

/// A milestone lies in its phase, and in the contract where the phase is not planned (rule 5 of `domain.md`).
pub async fn check_dates(transaction: &Transaction, project: &projects::entity::Model, row: &Model) -> Result<(), Problem> {
    let phase = phases::Entity::find()
        .filter(phases::Column::ProjectId.eq(row.project_id))
        .filter(phases::Column::Phase.eq(row.phase))
        .filter(phases::Column::DeletedAt.is_null())
        .one(&**transaction)
        .await?;
    let (outer, what) = match phase {
        Some(phase) => (Span { from: Some(phase.planned_start), to: Some(phase.planned_end) }, Text::new("فاز", "its phase")),
        None => (project.contract(), Text::new("قرارداد", "the contract")),
    };
    dates::all_or_none(outer.excludes(&[("/planned_start", row.planned_start), ("/due_on", Some(row.due_on))], &what))
}

/// The predecessors are milestones of the same project, and none of them waits for this one, however far back.
pub async fn check_predecessors(transaction: &Transaction, row: &Model) -> Result<(), Problem> {
    if row.predecessors.0.is_empty() {
        return Ok(());
    }
    let others = of_project(transaction, row.project_id).await?;
    let before: HashMap<Uuid, &[Uuid]> =
        others.iter().filter(|other| other.id != row.id).map(|other| (other.id, other.predecessors.0.as_slice())).collect();
    let mut faults = Vec::new();
    for (index, predecessor) in row.predecessors.0.iter().enumerate() {
        let pointer = format!("/predecessors/{index}");
        if *predecessor != row.id && !before.contains_key(predecessor) {
            let detail = Text::new("چنین نقطهٔ عطفی در این پروژه نیست.", "The project has no such milestone.");
            faults.push(Violation::body(pointer, "unknown_record", detail));
        } else if leads_to(*predecessor, row.id, &before) {
            let detail = Text::new("این نقطهٔ عطف خود در انتظار همین نقطهٔ عطف است.", "That milestone waits for this one.");
            faults.push(Violation::body(pointer, "cycle", detail));
        }
    }
    dates::all_or_none(faults)
}

/// Whether `from` is `to`, or waits for it through any number of others.
fn leads_to(from: Uuid, to: Uuid, before: &HashMap<Uuid, &[Uuid]>) -> bool {
    let (mut waiting, mut seen) = (vec![from], HashSet::new());
    while let Some(id) = waiting.pop() {
        if id == to {
            return true;
        }
        if seen.insert(id) {
            waiting.extend(before.get(&id).copied().unwrap_or_default());
        }
    }
    false
}

/// 409 while other milestones wait for this one.
pub async fn check_no_successor(transaction: &Transaction, row: &Model) -> Result<(), Problem> {
    let others = of_project(transaction, row.project_id).await?;
    if others.iter().any(|other| other.predecessors.0.contains(&row.id)) {
        return Err(Problem::new(&catalogue::STILL_REFERRED_TO).member("referred_by", vec!["milestone"]));
    }
    Ok(())
}

async fn of_project(transaction: &Transaction, project: Uuid) -> Result<Vec<Model>, Problem> {
    Ok(Entity::find().filter(Column::ProjectId.eq(project)).filter(Column::DeletedAt.is_null()).all(&**transaction).await?)
}
