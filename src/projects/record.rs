//! The record made of table and representations: scope, sort keys, search terms, rules between records.

use std::collections::HashMap;

use sea_orm::{entity::prelude::*, sea_query::Condition};

use super::{
    assignments, budget,
    dates::{self, Span},
    dto::{Project, ProjectFilter},
    entity::{ActiveModel, Column, Model, assigned_to, assigned_to_cda},
    facts::{self, Facts},
    figures, partners, phases,
    rules::{self, State},
    supervisions,
};
use crate::{
    cdas, clusters,
    http::{SortKey, page::Listed},
    lifecycle::{self, Stateful, Step},
    organisations,
    persian::Date,
    policy::Caller,
    problem::{Problem, Text},
    provinces,
    store::{
        Include, Past, Reading, Record, Retrospective, SqlKind, Transaction, code, point_in_time::Fields,
        record::Unique, search, status_event::Event,
    },
};

impl Record for Model {
    type Active = ActiveModel;
    type View = Project;

    const RESOURCE: &'static str = "project";
    const DERIVED: &'static [&'static str] = &["allowed_transitions"];
    const INCLUDES: &'static [Include] = &[
        Include::new("cluster", "the cluster that it develops", "clusters:read"),
        Include::new("organisation", "who carries it out", "organisations:read"),
        Include::new("lead_cda", "the whole record of the lead CDA, within `lead_cda`", "cdas:read"),
        Include::new("assignments", "its assignments", "projects:read"),
        Include::new("supervisions", "its supervisions", "projects:read"),
        Include::new("partners", "its partners", "projects:read"),
        Include::new("phases", "its phases", "projects:read"),
    ];
    const REFERRED_BY: &'static [(&'static str, &'static str)] = &[
        ("milestone", "project_id"),
        ("measurement", "project_id"),
        ("payment", "project_id"),
        ("phase", "project_id"),
        ("assignment", "project_id"),
        ("supervision", "project_id"),
        ("partner", "project_id"),
        ("joint_action", "project_id"),
        ("baseline", "project_id"),
        ("decision", "project_id"),
        ("progress_report", "project_id"),
        ("attachment", "project_id"),
    ];
    const UNIQUE: &'static [Unique] = &[
        Unique {
            index: "project_code",
            columns: "project.code",
            pointer: "/code",
            code: "duplicate",
            fa: "این کد آزاد نیست.",
            en: "This code is not free.",
        },
        Unique {
            index: "project_live",
            columns: "project.cluster_id",
            pointer: "/cluster_id",
            code: "live_project",
            fa: "این خوشه پروژهٔ زندهٔ دیگری دارد.",
            en: "The cluster has another live project.",
        },
    ];

    fn province(&self) -> Option<&str> {
        Some(&self.province)
    }

    fn address(&self) -> String {
        format!("projects/{}", self.id)
    }

    fn terms(&self) -> Vec<(&'static str, String)> {
        search::words([
            Some(&self.title_fa),
            self.title_en.as_ref(),
            Some(&self.code),
            self.contract_no.as_ref(),
        ])
    }

    async fn views(rows: &[Self], reading: &Reading<'_>) -> Result<Vec<Project>, Problem> {
        let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        let mut figures = figures::of_projects(&reading.db, &ids).await?;
        let clusters = rows.iter().map(|row| row.cluster_id);
        let clusters = reading.included::<clusters::entity::Model>("cluster", clusters).await?;
        let organisations = rows.iter().map(|row| row.organisation_id);
        let organisations =
            reading.included::<organisations::entity::Model>("organisation", organisations).await?;
        let leads = figures.values().filter_map(|figures| figures.lead_cda.as_ref()).map(|lead| lead.id);
        let leads = reading.included::<cdas::entity::Model>("lead_cda", leads).await?;
        let ids = || ids.iter().copied();
        let mut assignments = reading
            .included_parts::<assignments::Model>("assignments", assignments::Column::ProjectId, ids())
            .await?;
        let mut supervisions = reading
            .included_parts::<supervisions::Model>("supervisions", supervisions::Column::ProjectId, ids())
            .await?;
        let mut partners =
            reading.included_parts::<partners::Model>("partners", partners::Column::ProjectId, ids()).await?;
        let mut phases =
            reading.included_parts::<phases::Model>("phases", phases::Column::ProjectId, ids()).await?;
        let mut allowed = lifecycle::allowed(&reading.db, rows).await?;
        let view = |row: &Self| {
            let mut figures = figures.remove(&row.id).unwrap_or_default();
            if let Some(lead) = &mut figures.lead_cda {
                lead.cda = leads.get(&lead.id).cloned().map(Box::new);
            }
            let mut view = row.view();
            view.allowed_transitions = allowed.remove(&row.id).unwrap_or_default();
            view.figures = Some(figures);
            view.cluster = clusters.get(&row.cluster_id).cloned();
            view.organisation = organisations.get(&row.organisation_id).cloned();
            view.assignments = assignments.of(row.id);
            view.supervisions = supervisions.of(row.id);
            view.partners = partners.of(row.id);
            view.phases = phases.of(row.id);
            view
        };
        Ok(rows.iter().map(view).collect())
    }

    fn affects_earned_value(&self, before: Option<&Self>) -> Option<Uuid> {
        before
            .filter(|before| {
                (&before.budget, before.state, before.deleted_at)
                    != (&self.budget, self.state, self.deleted_at)
            })
            .map(|_| self.id)
    }

    async fn before_write(
        &mut self,
        before: Option<&Self>,
        transaction: &Transaction,
    ) -> Result<(), Problem> {
        transaction.lock::<Self>(self.id).await?;
        if before.is_none_or(|before| before.cluster_id != self.cluster_id) {
            self.province = transaction
                .referred::<clusters::entity::Model>(self.cluster_id, "/cluster_id")
                .await?
                .province;
        }
        if before.is_none_or(|before| {
            before.organisation_id != self.organisation_id || before.province != self.province
        }) {
            let organisation: organisations::entity::Model =
                transaction.referred(self.organisation_id, "/organisation_id").await?;
            provinces::check_same(&self.province, organisation.province.as_deref(), "/organisation_id")?;
        }
        if let Some(id) = self.receiving_organisation_id.filter(|_| {
            before.is_none_or(|before| {
                before.receiving_organisation_id != self.receiving_organisation_id
                    || before.province != self.province
            })
        }) {
            let organisation: organisations::entity::Model =
                transaction.referred(id, "/receiving_organisation_id").await?;
            provinces::check_same(
                &self.province,
                organisation.province.as_deref(),
                "/receiving_organisation_id",
            )?;
        }
        if self.code.is_empty() {
            let prefix = format!("{}-P", self.province.trim_start_matches("IR-"));
            self.code = code::give_out::<Self>(transaction, "project", &prefix).await?;
        }
        if before.is_some_and(|before| before.contract() != self.contract()) {
            let mut faults = Vec::new();
            for (table, columns, what) in [
                ("phase", ["planned_start", "planned_end"], Text::new("یکی از فازها", "A phase")),
                ("milestone", ["planned_start", "due_on"], Text::new("یکی از نقاط عطف", "A milestone")),
            ] {
                let inner = Span::of_rows(transaction, table, columns, self.id, None).await?;
                faults.extend(self.contract().leaves_out(inner, ["/contract_start", "/contract_end"], &what));
            }
            dates::all_or_none(faults)?;
        }
        if before.is_some_and(|before| before.budget != self.budget) {
            budget::check_paid(transaction, self).await?;
        }
        Ok(())
    }
}

impl Stateful for Model {
    type State = State;
    type Facts = Facts;

    const STEPS: &'static [Step<Self>] = rules::STEPS;

    fn state(&self) -> State {
        self.state
    }

    fn apply_state(&mut self, state: State, _: Date) {
        self.suspended_from = (state == State::Suspended).then_some(self.state);
        self.state = state;
    }

    fn is_open(&self, step: &Step<Self>) -> bool {
        let is_resumed = self.state == State::Suspended && step.to != State::Terminated;
        step.from.contains(&self.state) && (!is_resumed || self.suspended_from == Some(step.to))
    }

    async fn facts(
        db: &impl ConnectionTrait,
        rows: &[Self],
        on: Date,
    ) -> Result<HashMap<Uuid, Facts>, Problem> {
        facts::of_projects(db, rows, on).await
    }

    async fn lock_related(&self, transaction: &Transaction) -> Result<(), Problem> {
        transaction.lock_row::<clusters::entity::Model>(self.cluster_id).await?;
        transaction.lock::<Self>(self.id).await?;
        transaction.lock::<clusters::entity::Model>(self.cluster_id).await
    }

    /// Moves the cluster into development while its project is under contract, and starts trust building with
    /// the diagnostic study.
    async fn after_transition(
        &self,
        from: State,
        event: &Event,
        transaction: &Transaction,
    ) -> Result<(), Problem> {
        use clusters::rules::State as Cluster;
        if self.state == State::Diagnostic && from == State::Contracted {
            phases::open_trust_building(transaction, self.id, event.effective_on).await?;
        }
        let to = match self.state {
            State::Contracted if from == State::Approved => Cluster::InDevelopment,
            State::Closed => Cluster::Developed,
            State::Terminated => Cluster::Feasible,
            _ => return Ok(()),
        };
        let cluster = clusters::entity::Entity::find_by_id(self.cluster_id).one(&**transaction).await?;
        match cluster {
            // A project terminated before its contract has not changed the cluster.
            Some(cluster) if cluster.state == Cluster::InDevelopment || to == Cluster::InDevelopment => {
                lifecycle::follow(transaction, &cluster, to, event).await
            }
            _ => Ok(()),
        }
    }
}

impl Retrospective for Model {
    const STATE_FIELDS: &'static [&'static str] = &["state"];
    type Derived = figures::Figures;

    async fn derived(
        &self,
        db: &impl ConnectionTrait,
        past: Past,
        _: &Fields,
    ) -> Result<figures::Figures, DbErr> {
        figures::then(db, self.id, past).await
    }
}

impl Listed for Model {
    const SORT_KEYS: &'static [SortKey<Self>] = &[
        SortKey::new("title_fa", "project.title_order", SqlKind::Text, |row| row.title_order.as_str().into()),
        SortKey::new("code", "project.code", SqlKind::Text, |row| row.code.as_str().into()),
        SortKey::new("contract_end", "COALESCE(project.contract_end, '9999-12-31')", SqlKind::Date, |row| {
            row.contract_end.map_or(ChronoDate::from_ymd_opt(9999, 12, 31), |day| Some(day.naive())).into()
        }),
        SortKey::new("created_at", "project.created_at", SqlKind::Timestamp, |row| row.created_at.into()),
        SortKey::new("updated_at", "project.updated_at", SqlKind::Timestamp, |row| row.updated_at.into()),
        SortKey::new("id", "project.id", SqlKind::Uuid, |row| row.id.into()),
    ];
}

impl ProjectFilter {
    /// Condition for the matching rows, for a caller.
    pub fn condition(&self, caller: &Caller) -> Condition {
        Condition::all()
            .add_option(self.state.as_ref().map(|states| Column::State.is_in(states.iter().copied())))
            .add_option(self.province.as_ref().map(|list| Column::Province.is_in(provinces::codes(list))))
            .add_option(self.cluster_id.map(|id| Column::ClusterId.eq(id)))
            .add_option(self.organisation_id.map(|id| Column::OrganisationId.eq(id)))
            .add_option(self.cda_id.map(|id| Column::Id.in_subquery(assigned_to_cda(id))))
            .add_option(self.mine.filter(|mine| *mine).map(|_| assigned_to(caller, Column::Id)))
    }
}
