//! Progress reports (گزارش پیشرفت): what a project has done in a quarter, and the reviews that the report
//! goes through.

pub mod dto;
pub mod entity;
pub mod rules;

use actix_web::{delete, get, patch, post, put};
use utoipa_actix_web::service_config::ServiceConfig;

use self::{
    dto::{ProgressReport, ProgressReportFilter, ProgressReportInput},
    entity::Model,
    rules::State,
};
use crate::{
    http::{
        Answer, Body, Including, Page, Paging, Patch, Query, Read, Referred, Search, Visible, VisibleEver,
        Write,
    },
    lifecycle::Transition,
    problem::Problem,
    store::{Input, change_log::History},
};

/// The routes of this resource.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(list_progress_reports)
        .service(create_progress_report)
        .service(get_progress_report_by_reference)
        .service(put_progress_report_by_reference)
        .service(get_progress_report)
        .service(update_progress_report)
        .service(delete_progress_report)
        .service(transition_progress_report)
        .service(get_progress_report_history);
}

/// List progress reports
///
/// Of all projects that exist for the caller. With `state=submitted&mine=true` a supervisor sees what waits
/// for a review.
#[utoipa::path(params(ProgressReportFilter, Search, Including<Model>, Paging<Model>), responses((status = 200, body = Page<ProgressReport>)), security(("oauth2" = ["progress-reports:read"])))]
#[get("/progress-reports")]
pub async fn list_progress_reports(
    filter: Query<ProgressReportFilter>,
    paging: Paging<Model>,
    read: Read,
) -> Result<Answer, Problem> {
    let condition = filter.condition(&read.caller);
    read.list(paging, condition).await
}

/// Begin a progress report
///
/// It begins as a `draft`. A project has one report for each quarter. CDAs write in the projects that are
/// assigned to them.
#[utoipa::path(request_body = ProgressReportInput, responses((status = 201, body = ProgressReport)), security(("oauth2" = ["progress-reports:write"])))]
#[post("/progress-reports")]
pub async fn create_progress_report(
    input: Body<ProgressReportInput>,
    write: Write,
) -> Result<Answer, Problem> {
    write.create(input.0.onto_row(&Model::default())?).await
}

/// Read a progress report
#[utoipa::path(params(Including<Model>), responses((status = 200, body = ProgressReport)), security(("oauth2" = ["progress-reports:read"])))]
#[get("/progress-reports/{id}")]
pub async fn get_progress_report(report: Visible<Model>, read: Read) -> Result<Answer, Problem> {
    read.record(&*report).await
}

/// Change a progress report
///
/// A JSON Merge Patch. Only a draft or a report that was returned changes (409 otherwise); its project stays
/// the same.
#[utoipa::path(request_body = ProgressReportInput, responses((status = 200, body = ProgressReport)), security(("oauth2" = ["progress-reports:write"])))]
#[patch("/progress-reports/{id}")]
pub async fn update_progress_report(
    report: Visible<Model>,
    patch: Patch,
    write: Write,
) -> Result<Answer, Problem> {
    let input: ProgressReportInput = patch.onto(&*report)?;
    write.update(&*report, input.onto_row(&report)?).await
}

/// Delete a progress report
///
/// Leaves a tombstone. Repeating it is no error. Only a draft is deleted: what was submitted once stays
/// (409).
#[utoipa::path(responses((status = 204, description = "Deleted")), security(("oauth2" = ["progress-reports:write"])))]
#[delete("/progress-reports/{id}")]
pub async fn delete_progress_report(report: VisibleEver<Model>, write: Write) -> Result<Answer, Problem> {
    write.delete(&report.0).await
}

/// Read a progress report by another system's reference
#[utoipa::path(params(Including<Model>), responses((status = 200, body = ProgressReport)), security(("oauth2" = ["progress-reports:read"])))]
#[get("/progress-reports/by-ref/{system}/{key}")]
pub async fn get_progress_report_by_reference(
    report: Referred<Model>,
    read: Read,
) -> Result<Answer, Problem> {
    read.record(&report.row()?).await
}

/// Create or replace a progress report by another system's reference
///
/// Creates the report that the other system calls so (201), or replaces it (200), which needs `If-Match`. A
/// field that is left out is emptied; the reference itself is always kept.
#[utoipa::path(
    request_body = ProgressReportInput,
    responses((status = 200, body = ProgressReport, description = "Replaced"), (status = 201, body = ProgressReport, description = "Created")),
    security(("oauth2" = ["progress-reports:write"])),
)]
#[put("/progress-reports/by-ref/{system}/{key}")]
pub async fn put_progress_report_by_reference(
    report: Referred<Model>,
    input: Body<ProgressReportInput>,
    write: Write,
) -> Result<Answer, Problem> {
    write.put(report, input.0).await
}

/// Change the state of a progress report
///
/// The only way in which `state` changes. It is submitted by who writes it, reviewed by the supervisor,
/// approved by the province and accepted by the nation; each of these three may return it instead, with a
/// `reason`. What is accepted is final: the actual values of its quarter stay as they are.
#[utoipa::path(
    request_body = Transition<State>,
    responses((status = 200, body = ProgressReport)),
    security(("oauth2" = ["progress-reports:write"]), ("oauth2" = ["progress-reports:review"]), ("oauth2" = ["progress-reports:approve"])),
)]
#[post("/progress-reports/{id}/transitions")]
pub async fn transition_progress_report(
    report: Visible<Model>,
    transition: Body<Transition<State>>,
    write: Write,
) -> Result<Answer, Problem> {
    write.transition(&*report, transition.0).await
}

/// The history of a progress report
///
/// Who changed what and when, from which value to which, oldest first, each entry with the hash of the one
/// before it.
#[utoipa::path(responses((status = 200, body = History)), security(("oauth2" = ["progress-reports:read"])))]
#[get("/progress-reports/{id}/history")]
pub async fn get_progress_report_history(report: VisibleEver<Model>, read: Read) -> Result<Answer, Problem> {
    read.history(&report.0).await
}
