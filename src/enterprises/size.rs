//! The sizes of enterprises, by the persons that they employ.

use sea_orm::{DeriveActiveEnum, EnumIter, prelude::StringLen};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::problem::{Text, Violation};

/// Size classes of enterprises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = EnterpriseSize)]
pub enum Size {
    /// Fewer than 10 staff.
    Micro,
    /// 10 to 49 staff.
    Small,
    /// 50 to 150 staff.
    Medium,
    /// More than 150 staff.
    Large,
}

impl Size {
    /// The size class for a number of persons employed.
    pub fn of(employed: i32) -> Self {
        match employed {
            ..10 => Self::Micro,
            10..50 => Self::Small,
            50..=150 => Self::Medium,
            _ => Self::Large,
        }
    }

    /// The size derived from the number of persons employed if known, otherwise the given one. A
    /// contradicting one is a violation.
    pub fn given_or_counted(
        given: Option<Self>,
        employed: Option<i32>,
        faults: &mut Vec<Violation>,
    ) -> Option<Self> {
        let Some(employed) = employed else { return given };
        if given.is_some_and(|given| given != Self::of(employed)) {
            let detail = Text::new(
                format!(
                    "اندازهٔ واحد با {employed} نفر شاغل نمی‌خواند؛ آن را نفرستید تا از شمار شاغلان به دست آید."
                ),
                format!(
                    "The size does not go with {employed} persons employed; leave it out, and it follows from them."
                ),
            );
            faults.push(Violation::body("/size", "contradiction", detail));
        }
        Some(Self::of(employed))
    }
}
