//! Point-in-time parameters: `as_of` and `known_at`.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    persian::Date,
    problem::{Problem, Text, Violation},
    store::{Past, now},
};

/// Point in time to read. The two parameters together reproduce any earlier answer.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AsOfQuery {
    /// The day whose state the record is shown in; the day of `known_at` by default.
    pub as_of: Option<Date>,
    /// Only what the service knew at this moment counts; now by default. Not in the future.
    pub known_at: Option<DateTime<Utc>>,
}

impl AsOfQuery {
    /// The requested past; none for the present.
    pub fn past(self) -> Result<Option<Past>, Problem> {
        let known_at = self.known_at.unwrap_or_else(now);
        if known_at > now() {
            let detail = Text::new("این زمان هنوز نرسیده است.", "This moment has not come yet.");
            return Err(Problem::invalid_query(vec![Violation::query("known_at", "in_future", detail)]));
        }
        let as_of = self.as_of.unwrap_or_else(|| Date::in_iran(known_at));
        let is_present = self.as_of.is_none() && self.known_at.is_none();
        Ok((!is_present).then_some(Past { as_of, known_at }))
    }
}
