//! Indicators: table and queries.

use sea_orm::{DeriveActiveEnum, EnumIter, entity::prelude::*, prelude::StringLen};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

crate::store::record_table! {
    /// An indicator.
    "indicator" {
        /// Its code.
        code: String,
        /// Benefit theme.
        theme: Theme,
        /// Its Persian name.
        name_fa: String,
        /// Its English name.
        name_en: Option<String>,
        /// The Persian name in the form that sorts as a dictionary does.
        name_order: String,
        /// Its unit in Persian.
        unit_fa: String,
        /// Its unit in English.
        unit_en: Option<String>,
        /// Direction of improvement.
        direction: Direction,
        /// Length of a measurement period.
        frequency: Frequency,
        /// Formula in Persian.
        formula_fa: Option<String>,
        /// Formula in English.
        formula_en: Option<String>,
        /// Maximum number of decimals of a value.
        decimals: i32,
        /// Whether new measurements are accepted.
        is_active: bool,
    }
}

/// Directions of improvement.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = IndicatorDirection)]
pub enum Direction {
    /// More is better.
    #[default]
    Up,
    /// Less is better.
    Down,
}

/// Measurement periods, in the Persian calendar.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = IndicatorFrequency)]
pub enum Frequency {
    /// Months.
    Month,
    /// Quarters.
    Quarter,
    /// Halves of a year.
    HalfYear,
    /// Years.
    #[default]
    Year,
}

impl Frequency {
    /// Number of months in a period.
    pub fn months(self) -> u8 {
        match self {
            Self::Month => 1,
            Self::Quarter => 3,
            Self::HalfYear => 6,
            Self::Year => 12,
        }
    }

    /// Name of a period, in Persian (as in «مقدار ماهانه») and in English.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Month => ("ماهانه", "month"),
            Self::Quarter => ("فصلی", "quarter"),
            Self::HalfYear => ("شش‌ماهه", "half year"),
            Self::Year => ("سالانه", "year"),
        }
    }
}

/// Benefit themes of the programme: the expected effects of a developed cluster.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = BenefitTheme)]
pub enum Theme {
    /// Return on cost (بازدهی هزینه).
    #[default]
    ReturnOnCost,
    /// Joint action (اقدام مشترک).
    JointAction,
    /// Scale (مقیاس).
    Scale,
    /// Information network (شبکهٔ اطلاعات).
    InformationNetwork,
    /// Presence in target markets (حضور در بازارهای هدف).
    TargetMarketPresence,
    /// Networking culture (فرهنگ شبکه‌سازی).
    NetworkingCulture,
    /// Interactive learning (یادگیری متقابل).
    InteractiveLearning,
    /// Innovation (نوآوری).
    Innovation,
    /// Public-private cooperation (همکاری بخش دولتی و خصوصی).
    PublicPrivateCooperation,
}
