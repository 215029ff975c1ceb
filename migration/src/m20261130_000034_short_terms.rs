//! Search terms of so many characters as an index takes: the beginnings of longer ones.

crate::migration! {
    up: "
INSERT INTO search_term (resource, field, term, record_id)
    SELECT DISTINCT resource, field, substr(term, 1, 100), record_id FROM search_term WHERE length(term) > 100
    ON CONFLICT DO NOTHING;
DELETE FROM search_term WHERE length(term) > 100",
    down: ""
}
