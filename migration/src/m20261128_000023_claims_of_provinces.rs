//! A claim belongs to the province of its cluster, so that it reaches whoever follows the changes of that
//! province.

crate::migration! {
    up: "
ALTER TABLE cluster_claim ADD COLUMN province {key} NOT NULL DEFAULT '';
UPDATE cluster_claim SET province = (SELECT c.province FROM cluster c WHERE c.id = cluster_claim.cluster_id)",
    down: "ALTER TABLE cluster_claim DROP COLUMN province"
}
