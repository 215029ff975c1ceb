//! The sums of all provinces on some days are found without reading those of all days.

crate::migration! {
    up: "CREATE INDEX earned_value_summary_days ON earned_value_summary (grain, first_day)",
    down: "DROP INDEX earned_value_summary_days"
}
