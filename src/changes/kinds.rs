//! Kinds of records in the feed.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    attachments, cdas, clusters, decisions, enterprises, http::resource::Resource, indicators, measurements,
    milestones, organisations, payments, progress_reports, projects, store::change_log::Shown,
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
    const fn of<R: Resource>(kind: Kind) -> Self {
        Self {
            kind,
            resource: R::RESOURCE,
            permission: R::WORDS.reads,
            is_shared: R::NATIONAL_FOR_ALL,
            show: Shown::record::<R>,
        }
    }
}

macro_rules! kinds {
    ($($(#[$about:meta])* $name:ident: $model:ty;)*) => {
        /// A kind of record that can be followed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Kind {
            $($(#[$about])* $name,)*
        }

        /// All kinds; each comes after those it refers to.
        pub const KINDS: &[Entry] = &[$(Entry::of::<$model>(Kind::$name),)*];
    };
}

kinds! {
    /// An indicator of the catalogue.
    Indicator: indicators::entity::Model;
    /// A ministry, provincial company, association, bank, firm.
    Organisation: organisations::entity::Model;
    /// A decision.
    Decision: decisions::entity::Model;
    /// A cluster.
    Cluster: clusters::entity::Model;
    /// A claim about a cluster.
    ClusterClaim: clusters::claims::Model;
    /// Lineage of a cluster.
    LineageEntry: clusters::lineage::Model;
    /// A feasibility study of a cluster.
    FeasibilityStudy: clusters::feasibility_studies::Model;
    /// A stage of the value chain of a cluster.
    ValueChainStage: clusters::value_chain::Model;
    /// An enterprise.
    Enterprise: enterprises::entity::Model;
    /// A network of enterprises.
    Network: clusters::networks::Model;
    /// A cluster development agent.
    Cda: cdas::entity::Model;
    /// A project.
    Project: projects::entity::Model;
    /// An assignment of a CDA to a project.
    Assignment: projects::assignments::Model;
    /// Supervision of a project.
    Supervision: projects::supervisions::Model;
    /// A partner of a project.
    Partner: projects::partners::Model;
    /// A phase of a project.
    Phase: projects::phases::Model;
    /// A milestone.
    Milestone: milestones::entity::Model;
    /// A baseline of a project.
    Baseline: milestones::baselines::Model;
    /// A joint action of enterprises.
    JointAction: projects::joint_actions::Model;
    /// A measurement of an indicator.
    Measurement: measurements::entity::Model;
    /// A quarterly report of a project.
    ProgressReport: progress_reports::entity::Model;
    /// A payment.
    Payment: payments::entity::Model;
    /// A document.
    Attachment: attachments::entity::Model;
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
