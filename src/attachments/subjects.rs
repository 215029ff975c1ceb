//! Subjects of attachments, and the project, cluster or province they belong to.

use sea_orm::{ActiveEnum, DeriveActiveEnum, EnumIter, FromQueryResult, Statement, prelude::*};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{checks, clusters, problem::Problem, projects, store::Transaction, values::ProvinceCode};

/// Kinds of records that a document can be attached to.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum SubjectKind {
    /// A cluster.
    Cluster,
    /// A claim about a cluster.
    ClusterClaim,
    /// A feasibility study of a cluster.
    FeasibilityStudy,
    /// A decision of a council or a committee.
    Decision,
    /// A project.
    #[default]
    Project,
    /// A milestone.
    Milestone,
    /// A progress report.
    ProgressReport,
    /// A measurement of an indicator.
    Measurement,
    /// A payment.
    Payment,
    /// A joint action.
    JointAction,
    /// A network of firms.
    Network,
}

/// Cluster, project and province of a record.
#[derive(Debug, FromQueryResult)]
pub struct Belonging {
    /// Cluster of a record that belongs to a cluster, but to no project.
    pub cluster_id: Option<Uuid>,
    /// The project.
    pub project_id: Option<Uuid>,
    /// The province; none for a national record.
    pub province: Option<ProvinceCode>,
}

impl SubjectKind {
    /// Column expressions for cluster, project and, if there is neither, province. The name of the kind is
    /// that of the table.
    fn columns(self) -> [&'static str; 3] {
        match self {
            Self::Cluster => ["id", "NULL", "NULL"],
            Self::ClusterClaim | Self::FeasibilityStudy | Self::Network => ["cluster_id", "NULL", "NULL"],
            Self::Project => ["NULL", "id", "NULL"],
            Self::Decision
            | Self::Milestone
            | Self::ProgressReport
            | Self::Measurement
            | Self::Payment
            | Self::JointAction => ["NULL", "project_id", "province"],
        }
    }

    /// Cluster, project and province of a live record of this kind, if it exists for the author; 422 at
    /// `pointer` otherwise. It cannot be deleted or moved before the end of the transaction.
    pub async fn find(
        self,
        transaction: &Transaction,
        id: Uuid,
        pointer: &str,
    ) -> Result<Belonging, Problem> {
        let (table, [cluster, project, province]) = (self.to_value(), self.columns());
        transaction.lock_named(&table, id).await?;
        let sql = format!(
            "SELECT {cluster} AS cluster_id, {project} AS project_id, {province} AS province FROM {table} WHERE id = $1 AND deleted_at IS NULL"
        );
        let statement = Statement::from_sql_and_values(transaction.get_database_backend(), sql, [id.into()]);
        let found = Belonging::find_by_statement(statement).one(&**transaction).await?;
        let mut belonging = found.ok_or_else(|| Problem::invalid(vec![checks::unknown_record(pointer)]))?;
        if let Some(project) = belonging.project_id {
            belonging.province =
                Some(transaction.referred::<projects::entity::Model>(project, pointer).await?.province);
        } else if let Some(cluster) = belonging.cluster_id {
            belonging.province =
                Some(transaction.referred::<clusters::entity::Model>(cluster, pointer).await?.province);
        }
        let own = transaction.author().scope.province();
        let is_visible =
            own.is_none() || belonging.province.is_none() || belonging.province.as_deref() == own;
        if is_visible { Ok(belonging) } else { Err(Problem::invalid(vec![checks::unknown_record(pointer)])) }
    }
}
