//! Indicators: table and queries.

use macros::record;
use sea_orm::{DeriveActiveEnum, EnumIter, entity::prelude::*, prelude::StringLen};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An indicator (شاخص) of the national catalogue.
#[record(
    table = "indicator", shown = Indicator, input = IndicatorInput,
    sort(name_fa = name_order, code, created_at, updated_at)
)]
#[input(
    about = "Input of an indicator. `code`, `theme`, `name_fa`, `unit_fa`, `direction` and `frequency` are required."
)]
pub struct Model {
    /// The code in the programme.
    #[schema(example = "MARKET-EXPORT")]
    #[input(pattern = "^[A-Z][A-Z0-9_-]{1,39}$")]
    pub code: String,
    /// Benefit theme.
    #[schema(example = "target_market_presence")]
    pub theme: Theme,
    /// The name in Persian.
    #[schema(example = "صادرات خوشه")]
    #[input(min_length = 1, max_length = 200, pattern = "[\\p{L}\\p{N}]", format = "name")]
    pub name_fa: String,
    /// The name in English.
    #[schema(example = "Exports of the cluster")]
    #[input(min_length = 1, max_length = 200, pattern = "[\\p{L}\\p{N}]", format = "name")]
    pub name_en: Option<String>,
    /// The Persian name in the form that sorts as a dictionary does.
    #[kept]
    pub name_order: String,
    /// The unit in Persian.
    #[schema(example = "هزار دلار")]
    #[input(min_length = 1, max_length = 60, pattern = "\\S", format = "name")]
    pub unit_fa: String,
    /// The unit in English.
    #[schema(example = "thousand US dollars")]
    #[input(min_length = 1, max_length = 60, pattern = "\\S", format = "name")]
    pub unit_en: Option<String>,
    /// Direction of improvement.
    #[schema(example = "up")]
    pub direction: Direction,
    /// Length of a measurement period.
    #[schema(example = "half_year")]
    pub frequency: Frequency,
    /// Formula in Persian.
    #[schema(example = "مجموع ارزش صادرات قطعی واحدهای عضو خوشه در دوره")]
    #[input(min_length = 1, max_length = 2000, pattern = "\\S")]
    pub formula_fa: Option<String>,
    /// Formula in English.
    #[schema(example = "Sum of the value of final exports of the member firms in the period")]
    #[input(min_length = 1, max_length = 2000, pattern = "\\S")]
    pub formula_en: Option<String>,
    /// Maximum number of decimals of a value; none by default.
    #[schema(minimum = 0, maximum = 6, example = 1)]
    #[input(default)]
    pub decimals: i32,
    /// Whether new measurements are accepted; true by default.
    #[schema(example = true)]
    #[input(default = "active")]
    pub is_active: bool,
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

fn active() -> bool {
    true
}
