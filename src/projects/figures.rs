//! Computed, read-only figures of a project as of today: progress, next and overdue milestones, and lead CDA.
//! Read from the tables of milestones and assignments without depending on their modules.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Statement, Value};
use serde::Serialize;
use utoipa::{ToSchema, openapi::Ref};
use uuid::Uuid;

use super::plan;
use crate::{
    cdas::dto::Cda,
    persian::Date,
    problem::{Missing, Text},
    store::{
        Past,
        point_in_time::{self, Fields},
        sql::placeholders,
    },
};

/// The figures of a project.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Figures {
    /// Actual progress, in basis points: Σ weight × accepted fraction over all milestones that are not
    /// cancelled, rounded down.
    #[schema(minimum = 0, example = 4150)]
    progress_bp: i64,
    /// Planned progress by today, in basis points: Σ weight of the milestones due by now.
    #[schema(minimum = 0, example = 5000)]
    planned_bp: i64,
    /// Σ weight of all milestones that are not cancelled, in basis points; 10,000 when the plan is whole.
    #[schema(minimum = 0, example = 10_000)]
    weight_total_bp: i64,
    /// Number of milestones due before today and not accepted.
    #[schema(minimum = 0, example = 2)]
    overdue_milestones: i64,
    /// Of the milestones still to be accepted the one that is due first.
    #[schema(required)]
    next_milestone: Option<NextMilestone>,
    /// Lead CDA of the project today.
    #[schema(required)]
    pub lead_cda: Option<LeadCda>,
    /// Conditions that are accepted now and refused later: milestones whose weights do not total 10,000.
    #[schema(example = json!([]))]
    warnings: Vec<Missing>,
}

impl Figures {
    /// Sets the sums, and warns if the weights do not total 10,000.
    fn sum_up(&mut self, earned: i64, planned: i64, total: i64, overdue: i64) {
        // Basis points times basis points: a sum is divided once, at its end.
        self.progress_bp = earned / 10_000;
        (self.planned_bp, self.weight_total_bp, self.overdue_milestones) = (planned, total, overdue);
        if total != 10_000 {
            let detail = Text::new(
                format!("جمع وزن نقاط عطف {total} است، نه ۱۰٬۰۰۰."),
                format!("The weights of the milestones total {total}, not 10,000."),
            );
            self.warnings = vec![Missing { code: "weights_not_whole", detail, pointer: None }];
        }
    }
}

/// The milestone that is due first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NextMilestone {
    /// The id.
    id: Uuid,
    /// The title in Persian.
    #[schema(example = "مطالعهٔ شناختی خوشه")]
    title_fa: String,
    /// Due day.
    due_on: Date,
    /// State.
    #[schema(schema_with = milestone_state)]
    state: String,
}

/// Schema reference by name, because the type is defined in a dependent module.
fn milestone_state() -> Ref {
    Ref::from_schema_name("MilestoneState")
}

/// Lead CDA of a project.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LeadCda {
    /// The id.
    pub id: Uuid,
    /// The name in Persian.
    #[schema(example = "عامل توسعهٔ نمونه")]
    name_fa: String,
    /// The name in English.
    #[schema(required, example = "Sample CDA")]
    name_en: Option<String>,
    /// The whole record; with `include=lead_cda`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub cda: Option<Box<Cda>>,
}

#[derive(FromQueryResult)]
struct Sums {
    project_id: Uuid,
    earned: i64,
    planned: i64,
    total: i64,
    overdue: i64,
}

#[derive(FromQueryResult)]
struct Next {
    project_id: Uuid,
    id: Uuid,
    title_fa: String,
    due_on: Date,
    state: String,
}

#[derive(FromQueryResult)]
struct Lead {
    project_id: Uuid,
    id: Uuid,
    name_fa: String,
    name_en: Option<String>,
}

/// The figures that a project had.
pub async fn then(db: &impl ConnectionTrait, project: Uuid, past: Past) -> Result<Figures, DbErr> {
    let day = past.as_of.naive();
    let ids = point_in_time::referring(db, "milestone", "project_id", project).await?;
    let mut known =
        point_in_time::records(db, "milestone", &["state", "accepted_fraction_bp"], ids, past).await?;
    let plan = plan::then(db, project, past).await?;
    known.iter_mut().for_each(|(id, fields)| plan.apply(*id, fields));
    let mut figures = Figures::default();
    let ([mut earned, mut planned, mut total, mut overdue], mut open) = ([0; 4], Vec::new());
    for (id, fields) in &known {
        let (weight, state, due_on) = (
            point_in_time::number(fields, "weight_bp"),
            point_in_time::text(fields, "state"),
            point_in_time::day(fields, "due_on"),
        );
        let Some(due_on) = due_on.filter(|_| state != "cancelled") else { continue };
        earned += weight * point_in_time::number(fields, "accepted_fraction_bp");
        total += weight;
        planned += if due_on <= day { weight } else { 0 };
        if state != "accepted" {
            overdue += i64::from(due_on < day);
            open.push((due_on, *id, point_in_time::text(fields, "title_fa"), state));
        }
    }
    if !known.is_empty() {
        figures.sum_up(earned, planned, total, overdue);
    }
    let next = open.into_iter().min_by_key(|(due_on, id, ..)| (*due_on, *id));
    figures.next_milestone = next.map(|(due_on, id, title_fa, state)| NextMilestone {
        id,
        title_fa,
        due_on: due_on.into(),
        state,
    });
    figures.lead_cda = lead_then(db, project, past).await?;
    Ok(figures)
}

async fn lead_then(db: &impl ConnectionTrait, project: Uuid, past: Past) -> Result<Option<LeadCda>, DbErr> {
    let day = past.as_of.naive();
    let ids = point_in_time::referring(db, "assignment", "project_id", project).await?;
    let leads = |fields: &Fields| {
        let has_begun = point_in_time::day(fields, "valid_from").is_some_and(|from| from <= day);
        point_in_time::text(fields, "role") == "lead"
            && has_begun
            && point_in_time::day(fields, "valid_to").is_none_or(|to| to >= day)
    };
    let known = point_in_time::records(db, "assignment", &[], ids, past).await?;
    let lead = known
        .values()
        .find(|fields| leads(fields))
        .and_then(|fields| point_in_time::text(fields, "cda_id").parse::<Uuid>().ok());
    let Some(id) = lead else { return Ok(None) };
    let cda = point_in_time::records(db, "cda", &[], vec![id], past).await?.remove(&id);
    Ok(cda.map(|fields| LeadCda {
        id,
        name_fa: point_in_time::text(&fields, "name_fa"),
        name_en: point_in_time::optional(&fields, "name_en"),
        cda: None,
    }))
}

/// The figures of some projects, in three statements.
pub async fn of_projects(
    db: &impl ConnectionTrait,
    projects: &[Uuid],
) -> Result<HashMap<Uuid, Figures>, DbErr> {
    let mut figures: HashMap<Uuid, Figures> = projects.iter().map(|id| (*id, Figures::default())).collect();
    if projects.is_empty() {
        return Ok(figures);
    }
    let today = Date::today_in_iran().naive();
    let ids = placeholders(2, projects.len());
    let ask = |sql: String| {
        let values = std::iter::once(Value::from(today)).chain(projects.iter().map(|id| Value::from(*id)));
        Statement::from_sql_and_values(db.get_database_backend(), sql, values)
    };
    let sums = ask(format!(
        "SELECT project_id, SUM(weight_bp * accepted_fraction_bp) AS earned, \
           SUM(CASE WHEN due_on <= $1 THEN weight_bp ELSE 0 END) AS planned, \
           SUM(weight_bp) AS total, SUM(CASE WHEN due_on < $1 AND state <> 'accepted' THEN 1 ELSE 0 END) AS overdue \
         FROM milestone WHERE project_id IN ({ids}) AND deleted_at IS NULL AND state <> 'cancelled' GROUP BY project_id"
    ));
    for sums in Sums::find_by_statement(sums).all(db).await? {
        figures.entry(sums.project_id).or_default().sum_up(
            sums.earned,
            sums.planned,
            sums.total,
            sums.overdue,
        );
    }
    let next = ask(format!(
        "SELECT * FROM (SELECT project_id, id, title_fa, due_on, state, \
           ROW_NUMBER() OVER (PARTITION BY project_id ORDER BY due_on, id) AS place \
         FROM milestone WHERE project_id IN ({ids}) AND deleted_at IS NULL AND state NOT IN ('accepted', 'cancelled') AND $1 = $1) m WHERE place = 1"
    ));
    for Next { project_id, id, title_fa, due_on, state } in Next::find_by_statement(next).all(db).await? {
        figures.entry(project_id).or_default().next_milestone =
            Some(NextMilestone { id, title_fa, due_on, state });
    }
    let leads = ask(format!(
        "SELECT a.project_id, c.id, c.name_fa, c.name_en FROM assignment a JOIN cda c ON c.id = a.cda_id \
         WHERE a.project_id IN ({ids}) AND a.deleted_at IS NULL AND a.role = 'lead' \
           AND a.valid_from <= $1 AND (a.valid_to IS NULL OR a.valid_to >= $1)"
    ));
    for Lead { project_id, id, name_fa, name_en } in Lead::find_by_statement(leads).all(db).await? {
        figures.entry(project_id).or_default().lead_cda = Some(LeadCda { id, name_fa, name_en, cda: None });
    }
    Ok(figures)
}
