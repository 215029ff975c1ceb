//! What a webhook was granted, and since when its receiver fails.

crate::migration! {
    up: "
ALTER TABLE webhook ADD COLUMN granted {json};
ALTER TABLE webhook_lane ADD COLUMN failing_since {timestamp}",
    down: "
ALTER TABLE webhook_lane DROP COLUMN failing_since;
ALTER TABLE webhook DROP COLUMN granted"
}
