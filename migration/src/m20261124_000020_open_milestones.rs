//! The milestones that are still to be accepted, by the day on which they are due: few of all that there ever
//! were.

crate::migration! {
    up: "
CREATE INDEX milestone_open ON milestone (due_on, id) WHERE state NOT IN ('accepted', 'cancelled') AND deleted_at IS NULL;
CREATE INDEX milestone_open_of_province ON milestone (province, due_on, id) WHERE state NOT IN ('accepted', 'cancelled') AND deleted_at IS NULL",
    down: "DROP INDEX milestone_open_of_province; DROP INDEX milestone_open"
}
