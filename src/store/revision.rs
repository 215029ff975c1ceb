//! Revisions of the data: the entries that a reader has seen. Any instance can use one to validate an earlier
//! answer without computing it again.

use std::{fmt, str::FromStr};

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr};

use super::{now, sql::Composer};

/// The changes that an answer depends on.
pub struct Watched<'a> {
    /// The kinds of records.
    pub resources: &'a [&'a str],
    /// Their provinces, plus national records; none for the nation.
    pub provinces: Option<&'a [&'a str]>,
    /// Later changes are ignored.
    pub known_at: Option<DateTime<Utc>>,
}

/// The entries of the change log that a reader has seen: all up to a position, except those of running
/// transactions.
///
/// On PostgreSQL transactions do not commit in the order in which they begin: entries before the newest
/// visible one may still be committed. They are remembered, and checked later.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revision {
    newest: i64,
    running: Vec<i64>,
}

impl fmt::Display for Revision {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.newest)?;
        self.running.iter().try_for_each(|running| write!(out, ".{}", self.newest - running))
    }
}

/// The text is not a revision.
#[derive(Debug)]
pub struct NotARevision;

impl FromStr for Revision {
    type Err = NotARevision;

    fn from_str(text: &str) -> Result<Self, NotARevision> {
        let mut numbers = text.split('.').map(|part| part.parse::<i64>());
        let newest = numbers.next().and_then(Result::ok).filter(|newest| *newest >= 0).ok_or(NotARevision)?;
        let running = numbers
            .take(1_000)
            .map(|behind| newest.checked_sub(behind.map_err(|_| NotARevision)?).ok_or(NotARevision));
        Ok(Self { newest, running: running.collect::<Result<_, _>>()? })
    }
}

impl Watched<'_> {
    /// The current revision. Data read after it is at least as new.
    pub async fn revision(&self, db: &impl ConnectionTrait) -> Result<Revision, DbErr> {
        if self.is_settled() {
            return Ok(Revision::default());
        }
        let mut sql = Composer::new(db);
        let newest = self.newest(&mut sql, db.get_database_backend());
        let running = match db.get_database_backend() {
            DbBackend::Postgres => {
                "COALESCE((SELECT string_agg(x::text, '.' ORDER BY x) FROM pg_snapshot_xip(pg_current_snapshot()) x WHERE x::text::bigint < n.newest), '')"
            }
            _ => "''",
        };
        let row = db
            .query_one_raw(sql.statement(format!("SELECT n.newest, {running} AS running FROM ({newest}) n")))
            .await?;
        let Some(row) = row else { return Ok(Revision::default()) };
        let running: String = row.try_get("", "running")?;
        Ok(Revision {
            newest: row.try_get("", "newest")?,
            running: running.split('.').filter_map(|id| id.parse().ok()).collect(),
        })
    }

    /// Whether nothing changed since, neither after the revision nor in transactions running then.
    pub async fn is_unchanged_since(
        &self,
        revision: &Revision,
        db: &impl ConnectionTrait,
    ) -> Result<bool, DbErr> {
        if self.is_settled() {
            return Ok(true);
        }
        let mut sql = Composer::new(db);
        let newest = self.newest(&mut sql, db.get_database_backend());
        let mut late = "0".to_owned();
        if !revision.running.is_empty() {
            let running = revision.running.iter().map(|id| sql.bind(*id)).collect::<Vec<_>>().join(", ");
            let (resources, known) = (sql.texts(self.resources.iter().copied()), self.known(&mut sql));
            let provinces = self.provinces.map(|provinces| sql.texts(provinces.iter().copied()));
            let within = provinces
                .map(|list| format!(" AND (province IS NULL OR province IN {list} OR moved_from IN {list})"))
                .unwrap_or_default();
            late = format!(
                "(SELECT COUNT(*) FROM change_log WHERE transaction_id IN ({running}) AND resource IN {resources}{within}{known})"
            );
        }
        let row = db
            .query_one_raw(
                sql.statement(format!("SELECT n.newest, CAST({late} AS bigint) AS late FROM ({newest}) n")),
            )
            .await?;
        let Some(row) = row else { return Ok(false) };
        Ok(row.try_get::<i64>("", "newest")? == revision.newest && row.try_get::<i64>("", "late")? == 0)
    }

    /// Data known an hour ago is final: no transaction takes so long.
    fn is_settled(&self) -> bool {
        self.known_at.is_some_and(|moment| moment < now() - TimeDelta::hours(1))
    }

    fn known(&self, sql: &mut Composer) -> String {
        self.known_at.map(|moment| format!(" AND changed_at <= {}", sql.moment(moment))).unwrap_or_default()
    }

    /// The position of the newest change, from the ends of indexes.
    fn newest(&self, sql: &mut Composer, backend: DbBackend) -> String {
        let position = if backend == DbBackend::Postgres { "transaction_id" } else { "seq" };
        let known = self.known(sql);
        let mut newest = Vec::new();
        for resource in self.resources {
            let resource = sql.bind(*resource);
            let mut add = |condition: &str| {
                newest.push(format!("SELECT MAX({position}) AS position FROM change_log WHERE resource = {resource}{condition}{known}"))
            };
            let Some(provinces) = self.provinces else {
                add("");
                continue;
            };
            add(" AND province IS NULL");
            for province in provinces {
                let province = sql.bind(*province);
                add(&format!(" AND province = {province}"));
                add(&format!(" AND moved_from = {province}"));
            }
        }
        format!("SELECT COALESCE(MAX(position), 0) AS newest FROM ({}) p", newest.join(" UNION ALL "))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_revision_comes_back_as_it_went() {
        for revision in [Revision::default(), Revision { newest: 84_213, running: vec![84_199, 84_212] }] {
            assert_eq!(revision.to_string().parse::<Revision>().unwrap(), revision);
        }
        for wrong in ["", "x", "1.", "1.x", "-1", "99999999999999999999", "1.-9223372036854775807"] {
            assert!(wrong.parse::<Revision>().is_err(), "{wrong}");
        }
    }
}
