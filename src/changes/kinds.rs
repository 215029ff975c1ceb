//! Kinds of records in the feed.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    attachments, cdas, clusters, decisions, enterprises, indicators, measurements, milestones, organisations,
    payments, progress_reports, projects,
    store::{Record, change_log::Shown},
};

/// A kind of record.
pub struct Entry {
    /// Its name for followers.
    pub kind: Kind,
    /// The same in the change log.
    pub resource: &'static str,
    /// Permission to read it.
    pub permission: &'static str,
    /// Whether national records are visible to everybody.
    pub is_shared: bool,
    /// Converts a log entry for a follower.
    pub show: fn(&Value) -> Shown,
}

impl Entry {
    const fn of<R: Record>(kind: Kind, permission: &'static str, is_shared: bool) -> Self {
        Self { kind, resource: R::RESOURCE, permission, is_shared, show: Shown::record::<R> }
    }
}

macro_rules! kinds {
    ($($(#[$about:meta])* $name:ident: $model:ty, $permission:literal $(, $shared:ident)?;)*) => {
        /// A kind of record that can be followed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Kind {
            $($(#[$about])* $name,)*
        }

        /// All kinds; each comes after those it refers to.
        pub const KINDS: &[Entry] = &[$(Entry::of::<$model>(Kind::$name, $permission, kinds!(@$($shared)?)),)*];
    };
    (@) => { false };
    (@shared) => { true };
}

kinds! {
    /// An indicator of the catalogue.
    Indicator: indicators::entity::Model, "indicators:read", shared;
    /// A ministry, provincial company, association, bank, firm.
    Organisation: organisations::entity::Model, "organisations:read", shared;
    /// A decision.
    Decision: decisions::entity::Model, "decisions:read", shared;
    /// A cluster.
    Cluster: clusters::entity::Model, "clusters:read";
    /// A claim about a cluster.
    ClusterClaim: clusters::claims::Model, "clusters:read";
    /// Lineage of a cluster.
    LineageEntry: clusters::lineage::Model, "clusters:read";
    /// A feasibility study of a cluster.
    FeasibilityStudy: clusters::feasibility_studies::Model, "clusters:read";
    /// A stage of the value chain of a cluster.
    ValueChainStage: clusters::value_chain::Model, "clusters:read";
    /// An enterprise.
    Enterprise: enterprises::entity::Model, "enterprises:read";
    /// A network of enterprises.
    Network: clusters::networks::Model, "clusters:read";
    /// A cluster development agent.
    Cda: cdas::entity::Model, "cdas:read";
    /// A project.
    Project: projects::entity::Model, "projects:read";
    /// An assignment of a CDA to a project.
    Assignment: projects::assignments::Model, "projects:read";
    /// Supervision of a project.
    Supervision: projects::supervisions::Model, "projects:read";
    /// A partner of a project.
    Partner: projects::partners::Model, "projects:read";
    /// A phase of a project.
    Phase: projects::phases::Model, "projects:read";
    /// A milestone.
    Milestone: milestones::entity::Model, "milestones:read";
    /// A baseline of a project.
    Baseline: milestones::baselines::Model, "projects:read";
    /// A joint action of enterprises.
    JointAction: projects::joint_actions::Model, "projects:read";
    /// A measurement of an indicator.
    Measurement: measurements::entity::Model, "measurements:read";
    /// A quarterly report of a project.
    ProgressReport: progress_reports::entity::Model, "progress-reports:read";
    /// A payment.
    Payment: payments::entity::Model, "payments:read";
    /// A document.
    Attachment: attachments::entity::Model, "attachments:read", shared;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_kind_has_the_name_that_the_log_has() {
        for entry in KINDS {
            assert_eq!(serde_json::to_value(entry.kind).unwrap(), entry.resource);
        }
    }
}
