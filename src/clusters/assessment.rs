//! Assessment of a cluster: challenges and opportunities, firms by size, and priority.

use sea_orm::FromJsonQueryResult;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Challenge categories of the programme: needs of small and medium enterprises, and areas of opportunity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ChallengeCategory)]
pub enum Category {
    /// Scale: of capital, production and market.
    Scale,
    /// A legal and business environment to grow in.
    BusinessEnvironment,
    /// Software and organisational infrastructure.
    OrganisationalInfrastructure,
    /// Modern technology.
    Technology,
    /// Links to banks and finance.
    FinanceLinks,
    /// Networks between firms.
    Networks,
    /// Knowledge of the target markets.
    MarketKnowledge,
}

/// A challenge or an opportunity of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// Category.
    #[schema(example = "technology")]
    pub category: Category,
    /// Finding.
    #[schema(min_length = 1, max_length = 2000, pattern = "\\S", example = "دستگاه‌های برش قدیمی است")]
    pub text: String,
}

/// Number of firms by size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FirmsBySize {
    /// With fewer than 10 staff.
    #[schema(minimum = 0, maximum = 10_000_000, example = 62)]
    pub micro: i32,
    /// With 10 to 49 staff.
    #[schema(minimum = 0, maximum = 10_000_000, example = 31)]
    pub small: i32,
    /// With 50 to 150 staff.
    #[schema(minimum = 0, maximum = 10_000_000, example = 4)]
    pub medium: i32,
    /// With more than 150 staff.
    #[schema(minimum = 0, maximum = 10_000_000, example = 0)]
    pub large: i32,
}

/// The scores by which clusters are prioritised, 0 to 100 each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PriorityScores {
    /// Importance to the province and the nation.
    #[schema(minimum = 0, maximum = 100, example = 80)]
    pub importance: i32,
    /// Promotability.
    #[schema(minimum = 0, maximum = 100, example = 70)]
    pub promotability: i32,
    /// Viability.
    #[schema(minimum = 0, maximum = 100, example = 65)]
    pub viability: i32,
    /// Sustainability.
    #[schema(minimum = 0, maximum = 100, example = 60)]
    pub sustainability: i32,
}
