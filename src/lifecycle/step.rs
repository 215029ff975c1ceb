//! Parts of the state table: steps, guards, and permissions.

use serde::Serialize;
use utoipa::ToSchema;

use super::{State, Stateful, Transition};
use crate::{
    policy::{Caller, Role, Scope},
    problem::{Missing, Problem, Text, Violation, problem_types},
};

/// A rule of the table: a transition from any of some states to another one.
pub struct Step<R: Stateful> {
    /// Source states.
    pub from: &'static [R::State],
    /// Target state.
    pub to: R::State,
    /// Who may perform it.
    pub who: Who,
    /// Fields that the request needs.
    pub needs: &'static [Need],
    /// Conditions.
    pub guards: &'static [Guard<R>],
}

impl<R: Stateful> Step<R> {
    /// The guards that do not hold.
    pub fn missing(&self, row: &R, facts: &R::Facts) -> Vec<Missing> {
        let broken = self.guards.iter().filter(|guard| !(guard.holds)(row, facts));
        broken
            .map(|guard| Missing {
                code: guard.code,
                detail: Text::new(guard.fa, guard.en),
                pointer: guard.pointer,
            })
            .collect()
    }
}

/// Something that must hold before a step.
pub struct Guard<R: Stateful> {
    /// Its stable name.
    pub code: &'static str,
    /// Message in Persian if the condition is not met.
    pub fa: &'static str,
    /// The same in English.
    pub en: &'static str,
    /// JSON pointer of the field it checks, if it is one.
    pub pointer: Option<&'static str>,
    /// Whether it holds.
    pub holds: fn(&R, &R::Facts) -> bool,
}

/// A field that a transition must carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TransitionNeed)]
pub enum Need {
    /// The decision behind it.
    DecisionId,
    /// Reason.
    Reason,
}

impl Need {
    /// Whether a transition carries it.
    pub fn is_met_by<S: State>(self, transition: &Transition<S>) -> bool {
        match self {
            Self::DecisionId => transition.decision_id.is_some(),
            Self::Reason => transition.reason.is_some(),
        }
    }

    /// The name of the field.
    pub fn field(self) -> &'static str {
        match self {
            Self::DecisionId => "decision_id",
            Self::Reason => "reason",
        }
    }

    /// Violation for the missing field.
    pub fn violation(self) -> Violation {
        let detail = match self {
            Self::DecisionId => {
                Text::new("برای این گذار مصوبه لازم است.", "This transition needs a decision.")
            }
            Self::Reason => Text::new("برای این گذار دلیل لازم است.", "This transition needs a reason."),
        };
        Violation::body(format!("/{}", self.field()), "required", detail)
    }
}

/// Who may perform a step.
#[derive(Clone, Copy, Debug)]
pub enum Who {
    /// Holders of the permission.
    Holder(&'static str),
    /// Holders of the permission in a national office.
    National(&'static str),
    /// Nobody: it follows from the change of another record, named here.
    Automatic(&'static str),
}

impl Who {
    /// Whether the step cannot be requested.
    pub fn is_nobody(self) -> bool {
        matches!(self, Self::Automatic(_))
    }

    /// 403 if the caller may not perform the step.
    pub fn check(self, caller: &Caller) -> Result<(), Problem> {
        let may = match self {
            Self::Holder(permission) => caller.may(permission),
            Self::National(permission) => caller.may(permission) && caller.scope == Scope::Nation,
            Self::Automatic(_) => false,
        };
        if may { Ok(()) } else { Err(Problem::new(&problem_types::FORBIDDEN)) }
    }

    /// The same in words.
    pub fn describe(self) -> String {
        let roles = |permission: &str, is_national: bool| {
            let holding =
                Role::holding(permission).into_iter().filter(|role| !is_national || role.may_be_national());
            holding.map(|role| format!("`{}`", role.name())).collect::<Vec<_>>().join(", ")
        };
        match self {
            Self::Holder(permission) => roles(permission, false),
            Self::National(permission) => format!("{} of the nation", roles(permission, true)),
            Self::Automatic(cause) => format!("nobody: {cause}"),
        }
    }
}
