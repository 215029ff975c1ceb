//! Earned value day by day: of each project what its planned and earned value and its actual cost change by
//! on a day, and the same summed up for each province by day and by Persian month.

crate::migration! {
    up: "
CREATE TABLE earned_value_day (
    project_id {uuid} NOT NULL REFERENCES project (id),
    day {date} NOT NULL,
    province {key} NOT NULL,
    planned_bp bigint NOT NULL,
    earned_bp bigint NOT NULL,
    planned_irr bigint NOT NULL,
    earned_irr bigint NOT NULL,
    cost_irr bigint NOT NULL,
    rebaselines bigint NOT NULL,
    PRIMARY KEY (project_id, day)
);
CREATE TABLE earned_value_summary (
    province {key} NOT NULL,
    grain {key} NOT NULL,
    first_day {date} NOT NULL,
    planned_irr bigint NOT NULL,
    earned_irr bigint NOT NULL,
    cost_irr bigint NOT NULL,
    rebaselines bigint NOT NULL,
    PRIMARY KEY (grain, province, first_day)
)",
    down: "DROP TABLE earned_value_summary; DROP TABLE earned_value_day"
}
