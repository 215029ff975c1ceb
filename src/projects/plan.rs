//! The plan in force on a day: the newest baseline frozen by then. Reads the table of baselines without
//! depending on its module.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, DbErr};
use serde_json::Value;
use uuid::Uuid;

use crate::store::{
    Past,
    point_in_time::{self, Fields},
};

/// Fields of a milestone that a baseline fixes.
const FIXED: [&str; 3] = ["weight_bp", "planned_start", "due_on"];

/// The plan of a project as it was.
#[derive(Default)]
pub struct Plan(Option<HashMap<Uuid, Fields>>);

/// The plan of a project at a past time. Before its first baseline it is that one's plan; without one it is
/// the milestones themselves.
pub async fn then(db: &impl ConnectionTrait, project: Uuid, past: Past) -> Result<Plan, DbErr> {
    let ids = point_in_time::referring(db, "baseline", "project_id", project).await?;
    let mut baselines: Vec<Fields> =
        point_in_time::records(db, "baseline", &[], ids, past).await?.into_values().collect();
    baselines.sort_by_key(|fields| point_in_time::number(fields, "number"));
    let in_force = |fields: &&Fields| {
        point_in_time::day(fields, "frozen_on").is_some_and(|day| day <= past.as_of.naive())
    };
    let chosen = baselines.iter().rfind(in_force).or(baselines.first());
    let milestones =
        chosen.map(|fields| fields.get("milestones").and_then(Value::as_array).cloned().unwrap_or_default());
    let by_id = |milestone: Value| {
        let Value::Object(fields) = milestone else { return None };
        Some((point_in_time::text(&fields, "milestone_id").parse().ok()?, fields))
    };
    Ok(Plan(milestones.map(|milestones| milestones.into_iter().filter_map(by_id).collect())))
}

impl Plan {
    /// Sets the fields of a milestone that the plan fixed. A milestone outside the plan had no weight.
    pub fn apply(&self, milestone: Uuid, fields: &mut Fields) {
        let Some(plan) = &self.0 else { return };
        match plan.get(&milestone) {
            Some(planned) => FIXED.iter().for_each(|name| {
                drop(fields.insert((*name).to_owned(), planned.get(*name).cloned().unwrap_or_default()))
            }),
            None => drop(fields.insert("weight_bp".to_owned(), Value::from(0))),
        }
    }
}
