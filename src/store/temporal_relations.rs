//! Records as relations for reports: the present tables, or the knowledge of the service at a moment, in the
//! same columns. One statement serves both.

use chrono::{DateTime, Utc};

use super::sql::{Composer, Member};

/// A kind of record as a relation. Beside its columns it has `id`, and `province` where the record has one.
pub struct Relation {
    /// The table, which is also the kind of record in the change log.
    pub table: &'static str,
    /// Its columns.
    pub columns: &'static [Column],
    /// Whether its records belong to provinces.
    pub has_province: bool,
    /// The state in which its records begin, where they have states.
    pub initial_state: Option<&'static str>,
}

/// A column, and the member of the log's record that it comes from; `a.0.b` is a nested member.
pub struct Column(pub &'static str, pub Member, pub &'static str);

/// A column whose member has the same name.
const fn same(name: &'static str, member: Member) -> Column {
    Column(name, member, name)
}

use Member::{Boolean, Date, Float, Integer, Json, Text, Timestamp, Uuid};

/// Assignments of CDAs.
pub const ASSIGNMENT: Relation = Relation {
    table: "assignment",
    columns: &[
        same("project_id", Uuid),
        same("cda_id", Uuid),
        same("role", Text),
        same("valid_from", Date),
        same("valid_to", Date),
    ],
    has_province: true,
    initial_state: None,
};

/// Baselines.
pub const BASELINE: Relation = Relation {
    table: "baseline",
    columns: &[
        same("project_id", Uuid),
        same("number", Integer),
        same("frozen_on", Date),
        same("milestones", Json),
    ],
    has_province: true,
    initial_state: None,
};

/// CDAs.
pub const CDA: Relation = Relation {
    table: "cda",
    columns: &[same("name_fa", Member::Name), same("name_en", Member::Name), same("certificates", Json)],
    has_province: true,
    initial_state: Some("applicant"),
};

/// Claims about clusters.
pub const CLAIM: Relation = Relation {
    table: "cluster_claim",
    columns: &[
        same("cluster_id", Uuid),
        same("source_title", Text),
        same("claimed_on", Date),
        same("claimed_name", Text),
    ],
    has_province: false,
    initial_state: None,
};

/// Clusters.
pub const CLUSTER: Relation = Relation {
    table: "cluster",
    columns: &[
        same("code", Text),
        same("name_fa", Text),
        same("name_en", Text),
        Column("primary_isic", Text, "isic.0.code"),
        same("isic", Json),
        same("created_at", Timestamp),
        same("aliases", Json),
        same("counties", Json),
        Column("latitude", Float, "location.latitude"),
        Column("longitude", Float, "location.longitude"),
        same("identified_on", Date),
        same("identified_precision", Text),
        same("identified_not_later_than", Date),
        same("employment_total", Integer),
        same("firms_by_size", Json),
    ],
    has_province: true,
    initial_state: Some("candidate"),
};

/// Enterprises.
pub const ENTERPRISE: Relation = Relation {
    table: "enterprise",
    columns: &[
        same("cluster_id", Uuid),
        same("county", Text),
        Column("primary_isic", Text, "isic.0.code"),
        same("size", Text),
        same("employment_total", Integer),
        same("employment_female", Integer),
        same("member_from", Date),
        same("member_to", Date),
    ],
    has_province: true,
    initial_state: None,
};

/// The catalogue of indicators.
pub const INDICATOR: Relation = Relation {
    table: "indicator",
    columns: &[
        same("code", Text),
        same("theme", Text),
        same("name_fa", Text),
        same("name_en", Text),
        same("unit_fa", Text),
        same("unit_en", Text),
        same("direction", Text),
        same("is_active", Boolean),
    ],
    has_province: false,
    initial_state: None,
};

/// Joint actions.
pub const JOINT_ACTION: Relation = Relation {
    table: "joint_action",
    columns: &[
        same("project_id", Uuid),
        same("pillar", Text),
        same("participants", Json),
        same("started_on", Date),
        same("ended_on", Date),
        same("cost_irr", Integer),
        same("private_share_bp", Integer),
    ],
    has_province: true,
    initial_state: None,
};

/// Lineage of clusters.
pub const LINEAGE: Relation = Relation {
    table: "lineage_entry",
    columns: &[
        same("cluster_id", Uuid),
        same("kind", Text),
        same("other_cluster_id", Uuid),
        same("former_name", Text),
        same("effective_on", Date),
    ],
    has_province: true,
    initial_state: None,
};

/// Measurements; values are in millionths in the table, and decimal text in the log.
pub const MEASUREMENT: Relation = Relation {
    table: "measurement",
    columns: &[
        same("project_id", Uuid),
        same("indicator_id", Uuid),
        same("kind", Text),
        same("period", Text),
        same("period_start", Date),
        same("period_end", Date),
        same("value", Member::Millionths),
    ],
    has_province: true,
    initial_state: None,
};

/// Milestones. Weights and days are those of the newest plan; those in force on an earlier day are in the
/// baselines.
pub const MILESTONE: Relation = Relation {
    table: "milestone",
    columns: &[
        same("project_id", Uuid),
        same("phase", Text),
        same("pillar", Text),
        same("title_fa", Text),
        same("title_en", Text),
        same("weight_bp", Integer),
        same("due_on", Date),
    ],
    has_province: true,
    initial_state: Some("planned"),
};

/// Networks of enterprises.
pub const NETWORK: Relation = Relation {
    table: "network",
    columns: &[
        same("cluster_id", Uuid),
        same("kind", Text),
        same("name_fa", Text),
        same("formed_on", Date),
        same("dissolved_on", Date),
        same("members", Json),
        same("cost_irr", Integer),
        same("private_share_bp", Integer),
    ],
    has_province: true,
    initial_state: None,
};

/// Payments.
pub const PAYMENT: Relation = Relation {
    table: "payment",
    columns: &[
        same("project_id", Uuid),
        same("line", Text),
        same("amount_irr", Integer),
        same("paid_on", Date),
    ],
    has_province: true,
    initial_state: None,
};

/// Progress reports.
pub const PROGRESS_REPORT: Relation = Relation {
    table: "progress_report",
    columns: &[
        same("project_id", Uuid),
        same("quarter", Text),
        same("period_start", Date),
        same("period_end", Date),
    ],
    has_province: true,
    initial_state: Some("draft"),
};

/// Projects.
pub const PROJECT: Relation = Relation {
    table: "project",
    columns: &[
        same("code", Text),
        same("cluster_id", Uuid),
        same("organisation_id", Uuid),
        same("title_fa", Text),
        same("title_en", Text),
        same("contract_start", Date),
        same("contract_end", Date),
        same("planned_months", Integer),
        same("budget", Json),
    ],
    has_province: true,
    initial_state: Some("draft"),
};

/// Selects the records and states that a relation contains.
#[derive(Clone, Copy)]
pub struct Knowledge {
    /// The moment whose knowledge counts; none for the present.
    pub at: Option<DateTime<Utc>>,
    /// The day whose states are selected; none for the present ones.
    pub on: Option<chrono::NaiveDate>,
}

impl Relation {
    /// The relation as a statement in parentheses, with the records that fulfil a condition on `province`,
    /// which may be empty.
    pub fn known(&self, knowledge: Knowledge, condition: &str, composer: &mut Composer) -> String {
        let state = self.initial_state.map(|initial| self.state(initial, knowledge, composer));
        let province = if self.has_province { ", r.province" } else { "" };
        let condition = if condition.is_empty() {
            String::new()
        } else {
            format!(" AND {}", condition.replace("province", "r.province"))
        };
        let Some(moment) = knowledge.at else {
            let columns: String = self.columns.iter().map(|Column(name, ..)| format!(", r.{name}")).collect();
            let table = self.table;
            return format!(
                "(SELECT r.id{province}{columns}{} FROM {table} r WHERE r.deleted_at IS NULL{condition})",
                state.unwrap_or_default()
            );
        };
        let member = |Column(name, member, path): &Column| {
            format!(", {} AS {name}", composer.member("r.data", path, *member))
        };
        let columns: String = self.columns.iter().map(member).collect();
        let (moment, resource) = (composer.moment(moment), composer.bind(self.table));
        let log = composer.by_index(
            "change_log r",
            if condition.is_empty() { "change_log_newest" } else { "change_log_newest_of_province" },
        );
        let newer = composer.by_index("change_log n", "change_log_record");
        // The newest versions are found first: otherwise conditions would be evaluated for all older ones
        // too. SQLite has to do this once: it would otherwise repeat the search, and parse the JSON, for each
        // joined record.
        let (apart, once) = (composer.kept_apart(), composer.worked_out_once());
        format!(
            "(SELECT r.record_id AS id{province}{columns}{} FROM (SELECT r.record_id, r.province, r.data FROM {log} \
               WHERE r.resource = {resource} AND r.changed_at <= {moment} AND r.kind <> 'deleted'{condition} \
               AND NOT EXISTS (SELECT 1 FROM {newer} WHERE n.resource = r.resource \
               AND n.record_id = r.record_id AND n.version > r.version AND n.changed_at <= {moment}){apart}) r{once})",
            state.unwrap_or_default()
        )
    }

    /// The state in which each record was: the one that its last change by the day, as far as it was known,
    /// has led to.
    fn state(&self, initial: &str, knowledge: Knowledge, composer: &mut Composer) -> String {
        let record = if knowledge.at.is_some() { "record_id" } else { "id" };
        let day = match (knowledge.on, knowledge.at) {
            (None, None) => return ", r.state".to_owned(),
            (day, _) => {
                day.map(|day| format!(" AND e.effective_on <= {}", composer.day(day))).unwrap_or_default()
            }
        };
        let known = knowledge
            .at
            .map(|moment| format!(" AND e.recorded_at <= {}", composer.moment(moment)))
            .unwrap_or_default();
        let events = composer.by_index("status_event e", "status_event_record");
        format!(
            ", COALESCE((SELECT e.to_state FROM {events} WHERE e.resource = '{}' AND e.record_id = r.{record}{day}{known} \
             ORDER BY e.effective_on DESC, e.id DESC LIMIT 1), '{initial}') AS state",
            self.table
        )
    }
}
