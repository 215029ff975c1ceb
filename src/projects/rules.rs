//! States of a project and their transitions, as listed in `domain.md`. Facts for the guards are collected in
//! [`super::facts`].

pub use super::entity::State;
use super::{entity::Model, facts::Facts};
use crate::{
    lifecycle::{Guard, Need, Step, Who},
    problem::{Problem, problem_types},
};

/// The states of a project that is under way (under contract, neither resting nor ended), as a list of SQL.
pub const UNDER_WAY: &str =
    "('contracted', 'diagnostic', 'planning', 'implementing', 'evaluating', 'handed_over')";

/// 409 while the plan is closed.
pub fn check_open(project: &Model) -> Result<(), Problem> {
    if project.state.is_open() { Ok(()) } else { Err(Problem::new(&problem_types::PROJECT_NOT_OPEN)) }
}

const MANAGER: Who = Who::Holder("projects:write");

/// The step from one state to the next, by a manager.
const fn next(
    from: &'static [State],
    to: State,
    needs: &'static [Need],
    guards: &'static [Guard<Model>],
) -> Step<Model> {
    Step { from, to, who: MANAGER, needs, guards }
}

/// A suspended project resumes its former state: only one of these steps applies to a row.
const fn resume(to: State) -> Step<Model> {
    next(&[State::Suspended], to, &[], &[])
}

/// Transition table.
pub const STEPS: &[Step<Model>] = &[
    next(&[State::Draft], State::Approved, &[Need::DecisionId], &[CLUSTER, BUDGET, ONLY_ONE]),
    next(&[State::Approved], State::Contracted, &[], &[CLUSTER, CONTRACT, LEAD, SUPERVISOR]),
    next(&[State::Contracted], State::Diagnostic, &[], &[STARTED]),
    next(&[State::Diagnostic], State::Planning, &[], &[STUDY, INDICATOR_BASELINE]),
    next(&[State::Planning], State::Implementing, &[], &[ACTION_PLAN, WEIGHTS, BASELINE]),
    next(&[State::Implementing], State::Evaluating, &[], &[MILESTONES]),
    next(&[State::Evaluating], State::HandedOver, &[], &[FINAL_VALUES, RECEIVER]),
    next(&[State::HandedOver], State::Closed, &[], &[LICENCE, PAYMENTS, ASSIGNMENTS]),
    next(State::LIVE, State::Suspended, &[Need::Reason], &[]),
    resume(State::Approved),
    resume(State::Contracted),
    resume(State::Diagnostic),
    resume(State::Planning),
    resume(State::Implementing),
    resume(State::Evaluating),
    resume(State::HandedOver),
    next(State::LIVE, State::Terminated, &[Need::DecisionId, Need::Reason], &[]),
    next(&[State::Suspended], State::Terminated, &[Need::DecisionId, Need::Reason], &[]),
];

const fn guard(
    code: &'static str,
    fa: &'static str,
    en: &'static str,
    pointer: Option<&'static str>,
    holds: fn(&Model, &Facts) -> bool,
) -> Guard<Model> {
    Guard { code, fa, en, pointer, holds }
}

const CLUSTER: Guard<Model> = guard(
    "cluster_not_feasible",
    "خوشه در وضعیت «امکان‌پذیر» نیست.",
    "The cluster is not in the state feasible.",
    Some("/cluster_id"),
    |_, facts| facts.cluster_state == "feasible",
);
const BUDGET: Guard<Model> = guard(
    "no_budget",
    "بودجهٔ پروژه ثبت نشده است.",
    "The budget is not given.",
    Some("/budget"),
    |row, _| !row.budget.0.is_empty(),
);
const ONLY_ONE: Guard<Model> = guard(
    "live_project",
    "خوشه پروژهٔ زندهٔ دیگری دارد.",
    "The cluster has another live project.",
    Some("/cluster_id"),
    |_, facts| !facts.has_rival,
);
const CONTRACT: Guard<Model> = guard(
    "no_contract",
    "شماره، آغاز و پایان قرارداد ثبت نشده است.",
    "The number, the first and the last day of the contract are not given.",
    Some("/contract_no"),
    |row, _| row.contract_no.is_some() && row.contract_start.is_some() && row.contract_end.is_some(),
);
const LEAD: Guard<Model> = guard(
    "no_certified_lead",
    "در این روز عامل توسعهٔ اصلی دارای گواهی بر پروژه گمارده نشده است.",
    "No certified lead CDA is assigned on that day.",
    None,
    |_, facts| facts.has_lead,
);
const SUPERVISOR: Guard<Model> = guard(
    "no_supervisor",
    "در این روز ناظری برای پروژه تعیین نشده است.",
    "No supervisor is appointed on that day.",
    None,
    |_, facts| facts.has_supervisor,
);
const STARTED: Guard<Model> = guard(
    "not_started",
    "هنوز به روز آغاز قرارداد نرسیده‌ایم.",
    "The first day of the contract is not reached.",
    Some("/contract_start"),
    |row, facts| row.contract_start.is_some_and(|start| start <= facts.on),
);
const STUDY: Guard<Model> = guard(
    "no_diagnostic_study",
    "مطالعهٔ شناختی پیوست نشده یا با مصوبه‌ای تأیید نشده است.",
    "The diagnostic study is not attached, or no decision endorses it.",
    None,
    |_, facts| facts.has_study,
);
const INDICATOR_BASELINE: Guard<Model> = guard(
    "no_indicator_baseline",
    "مقدار پایهٔ هیچ شاخصی ثبت نشده است.",
    "No baseline value of an indicator is measured.",
    None,
    |_, facts| facts.has_indicator_baseline,
);
const ACTION_PLAN: Guard<Model> = guard(
    "no_action_plan",
    "برنامهٔ عمل پیوست نشده یا با مصوبه‌ای تأیید نشده است.",
    "The action plan is not attached, or no decision endorses it.",
    None,
    |_, facts| facts.has_action_plan,
);
const WEIGHTS: Guard<Model> = guard(
    "weights_not_whole",
    "جمع وزن نقاط عطف ده هزار نیست.",
    "The weights of the milestones do not total 10,000.",
    None,
    |_, facts| facts.weight_total == 10_000,
);
const BASELINE: Guard<Model> = guard(
    "no_baseline",
    "خط مبنای شمارهٔ یک ثبت نشده است.",
    "Baseline 1 is not frozen.",
    None,
    |_, facts| facts.has_baseline,
);
const MILESTONES: Guard<Model> = guard(
    "milestones_open",
    "همهٔ نقاط عطف پذیرفته یا در خط مبنای تازه‌ای لغو نشده‌اند.",
    "Not every milestone is accepted, or cancelled by a re-baseline.",
    None,
    |_, facts| facts.open_milestones == 0,
);
const FINAL_VALUES: Guard<Model> = guard(
    "no_final_values",
    "مقدار پایانی همهٔ شاخص‌هایی که مقدار پایه دارند ثبت نشده است.",
    "Not every indicator with a baseline value has a final value.",
    None,
    |_, facts| facts.unfinished_indicators == 0,
);
const RECEIVER: Guard<Model> = guard(
    "no_receiving_body",
    "نهاد دریافت‌کننده تعیین نشده است.",
    "The body that receives the project is not named.",
    Some("/receiving_organisation_id"),
    |row, _| row.receiving_organisation_id.is_some(),
);
const LICENCE: Guard<Model> = guard(
    "no_completion_licence",
    "پروانهٔ پایان پروژه پیوست نشده است.",
    "The completion licence is not attached.",
    None,
    |_, facts| facts.has_licence,
);
const PAYMENTS: Guard<Model> = guard(
    "payments_open",
    "پرداخت‌هایی هنوز تطبیق نشده‌اند.",
    "Some payments are not reconciled.",
    None,
    |_, facts| facts.open_payments == 0,
);
const ASSIGNMENTS: Guard<Model> = guard(
    "assignments_open",
    "انتصاب‌هایی هنوز پایان نیافته‌اند.",
    "Some assignments have not ended.",
    None,
    |_, facts| facts.open_assignments == 0,
);
