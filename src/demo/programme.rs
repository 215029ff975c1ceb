//! The programme at work: two projects of Kerman, one closed and one suspended, that went the whole way under
//! the rules of the service; and the register, the value chain, the networks and the measurements of
//! Lorestan's stone. Everything here is an illustration, from no source.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{ILLUSTRATION, day, insert};
use crate::{
    attachments::{self, dto::AttachmentInput},
    cdas::{self, dto::CdaInput},
    clusters::{
        self, claims,
        feasibility_studies::{self, FeasibilityStudyInput},
        networks::{self, NetworkInput},
        value_chain::{self, ValueChainStageInput},
    },
    decisions::{self, dto::DecisionInput},
    enterprises::{self, dto::EnterpriseInput},
    indicators,
    lifecycle::{self, Stateful, Transition},
    measurements::{self, dto::MeasurementInput},
    milestones::{
        self,
        baselines::{self, BaselineInput},
        dto::MilestoneInput,
        rules::State as MilestoneState,
    },
    organisations::{self, dto::OrganisationInput},
    payments::{self, dto::PaymentInput},
    problem::Problem,
    progress_reports::{self, dto::ProgressReportInput, rules::State as ReportState},
    projects::{
        assignments::{self, AssignmentInput},
        dto::ProjectInput,
        entity as projects,
        phases::{self, PhaseInput},
        rules::State,
        supervisions::{self, SupervisionInput},
    },
    store::{Files, Input, Transaction},
    values::hex,
};

/// Milestones of a project of Kerman: title, phase, weight, due day.
const MILESTONES: &[(&str, &str, u32, &str)] = &[
    ("شبکهٔ خرید مشترک", "implementation", 2_500, "1396-06-31"),
    ("آزمایشگاه مشترک", "implementation", 3_000, "1396-12-29"),
    ("کنسرسیوم صادراتی", "implementation", 3_000, "1397-06-31"),
    ("نشان تجاری مشترک", "implementation", 1_500, "1397-10-30"),
];

/// Loads it all.
pub async fn load(transaction: &Transaction, files: &Files) -> Result<(), Problem> {
    let kerman = Kerman::begin(transaction, files).await?;
    kerman.closed().await?;
    kerman.suspended().await?;
    stone(transaction).await
}

/// Changes the state of a record under the rules of the service.
async fn enter<R: Stateful>(
    transaction: &Transaction,
    row: &R,
    to: R::State,
    on: &str,
    decision: Option<Uuid>,
) -> Result<R, Problem> {
    let transition = Transition {
        to,
        effective_on: Some(day(on)?),
        decision_id: decision,
        reason: Some(ILLUSTRATION.to_owned()),
    };
    lifecycle::change(transaction, row, transition, |_| {}).await
}

/// Records a quarterly report up to its state.
async fn report(
    transaction: &Transaction,
    project_id: Uuid,
    quarter: &str,
    narrative_fa: &str,
    way: &[(ReportState, &str)],
) -> Result<(), Problem> {
    let input = json!({ "project_id": project_id, "quarter": quarter, "narrative_fa": narrative_fa });
    let mut report: progress_reports::entity::Model =
        insert::<ProgressReportInput, _>(transaction, input, Default::default()).await?;
    for (state, on) in way {
        report = enter(transaction, &report, *state, on, None).await?;
    }
    Ok(())
}

/// Context that the projects of Kerman share.
struct Kerman<'a> {
    transaction: &'a Transaction,
    files: &'a Files,
    company: Uuid,
    association: Uuid,
    cda: Uuid,
    decision: Uuid,
    indicators: Vec<Uuid>,
}

impl<'a> Kerman<'a> {
    async fn begin(transaction: &'a Transaction, files: &'a Files) -> Result<Self, Problem> {
        let organisation = async |kind: &str, name_fa: &str| -> Result<Uuid, Problem> {
            let input = json!({ "kind": kind, "name_fa": name_fa, "province": "IR-08" });
            Ok(insert::<OrganisationInput, organisations::entity::Model>(
                transaction,
                input,
                Default::default(),
            )
            .await?
            .id)
        };
        let company = organisation("provincial_company", "شرکت شهرک‌های صنعتی کرمان").await?;
        let association = organisation("association", "انجمن پستهٔ کرمان").await?;
        let input = json!({
            "national_code": "0000000027", "name_fa": "عامل توسعهٔ کرمان", "province": "IR-08",
            "certificates": [{ "title": "عامل توسعهٔ خوشهٔ صنعتی", "issuer": "سازمان صنایع کوچک و شهرک‌های صنعتی ایران", "issued_on": "1394-05-10" }],
        });
        let cda: cdas::entity::Model = insert::<CdaInput, _>(transaction, input, Default::default()).await?;
        enter(transaction, &cda, cdas::rules::State::Certified, "1394-05-10", None).await?;
        let input = json!({
            "body": "provincial_committee", "decided_on": "1395-02-01", "title_fa": "اولویت‌بندی خوشه‌های کرمان و آغاز پروژه‌های توسعه",
            "province": "IR-08", "meeting_no": "۷",
        });
        let decision: decisions::entity::Model =
            insert::<DecisionInput, _>(transaction, input, Default::default()).await?;
        let indicators = indicators::entity::Entity::find()
            .filter(indicators::entity::Column::Code.is_in(["COST-RETURN", "COST-UNIT"]));
        let indicators = indicators.all(&**transaction).await?.into_iter().map(|row| row.id).collect();
        Ok(Self { transaction, files, company, association, cda: cda.id, decision: decision.id, indicators })
    }

    /// Brings a cluster from its identification to a feasible one.
    async fn feasible(&self, name_en: &str) -> Result<clusters::entity::Model, Problem> {
        use clusters::{entity::*, rules::State};
        let found = Entity::find().filter(Column::NameEn.eq(name_en)).one(&**self.transaction).await?;
        let found = found.ok_or_else(|| Problem::internal("a cluster of Kerman is not there"))?;
        let cluster_id = found.id;
        let claim = json!({ "source_title": "شرکت شهرک‌های صنعتی کرمان", "claimed_on": "1394-12-01", "claimed_name": found.name_fa });
        insert::<claims::ClaimInput, _>(
            self.transaction,
            claim,
            claims::Model { cluster_id, ..Default::default() },
        )
        .await?;
        let mut input = clusters::dto::ClusterInput::from(&found);
        input.priority_scores = super::persian(
            json!({ "importance": 85, "promotability": 75, "viability": 70, "sustainability": 65 }),
        )?;
        let cluster = self.transaction.update(&found, input.onto_row(&found)?).await?;
        let cluster =
            enter(self.transaction, &cluster, State::Prioritised, "1395-02-05", Some(self.decision)).await?;
        let onto = || feasibility_studies::Model { cluster_id, ..Default::default() };
        let study = json!({ "executor_id": self.company });
        let study: feasibility_studies::Model =
            insert::<FeasibilityStudyInput, _>(self.transaction, study, onto()).await?;
        let cluster = enter(self.transaction, &cluster, State::Feasibility, "1395-02-20", None).await?;
        let result = json!({
            "executor_id": self.company, "result": "positive", "approved_on": "1395-05-01", "decision_id": self.decision,
            "criteria": [{ "criterion": "بازار", "score": 80 }, { "criterion": "انگیزهٔ واحدها", "score": 72 }],
        });
        let approved = super::persian::<FeasibilityStudyInput>(result)?.onto_row(&study)?;
        self.transaction.update(&study, approved).await?;
        enter(self.transaction, &cluster, State::Feasible, "1395-05-10", None).await
    }

    async fn attach(
        &self,
        subject: (&str, Uuid),
        kind: &str,
        title_fa: &str,
        decision: Option<Uuid>,
    ) -> Result<(), Problem> {
        let content = format!("{title_fa}\n");
        let sha256 = hex(&Sha256::digest(content.as_bytes()));
        let input = json!({
            "subject_kind": subject.0, "subject_id": subject.1, "kind": kind, "title_fa": title_fa, "file_name": format!("{title_fa}.txt"),
            "media_type": "text/plain", "sha256": sha256, "size_bytes": content.len(), "decision_id": decision,
        });
        let announced: attachments::entity::Model =
            insert::<AttachmentInput, _>(self.transaction, input, Default::default()).await?;
        let mut incoming = self.files.begin(&sha256);
        incoming.put(content.into()).await?;
        incoming.finish().await?;
        let complete =
            attachments::entity::Model { received_at: Some(self.transaction.now()), ..announced.clone() };
        self.transaction.update(&announced, complete).await.map(|_| ())
    }

    async fn measure(
        &self,
        project_id: Uuid,
        kind: &str,
        period: &str,
        values: [&str; 2],
    ) -> Result<(), Problem> {
        for (indicator, value) in self.indicators.iter().zip(values) {
            let input = json!({ "project_id": project_id, "indicator_id": indicator, "kind": kind, "period": period, "value": value });
            insert::<MeasurementInput, measurements::entity::Model>(
                self.transaction,
                input,
                Default::default(),
            )
            .await?;
        }
        Ok(())
    }

    /// A project, from its draft to where its milestones are worked on.
    async fn implementing(
        &self,
        cluster: &clusters::entity::Model,
        title_fa: &str,
        number: &str,
    ) -> Result<projects::Model, Problem> {
        let transaction = self.transaction;
        let input = json!({
            "cluster_id": cluster.id, "organisation_id": self.company, "title_fa": title_fa, "receiving_organisation_id": self.association,
            "contract_no": number, "contract_start": "1395-07-01", "contract_end": "1398-06-31",
            "budget": [{ "line": "cda_fee", "amount_irr": "2400000000" }, { "line": "training", "amount_irr": "800000000" }],
        });
        let project: projects::Model =
            insert::<ProjectInput, _>(transaction, input, Default::default()).await?;
        let project_id = project.id;
        let input = json!({ "cda_id": self.cda, "role": "lead", "valid_from": "1395-06-20", "valid_to": "1398-06-31", "contract_no": number });
        insert::<AssignmentInput, _>(
            transaction,
            input,
            assignments::Model { project_id, ..Default::default() },
        )
        .await?;
        let input = json!({ "kind": "technical", "person_name": "ناظر کرمان", "valid_from": "1395-06-20" });
        insert::<SupervisionInput, _>(
            transaction,
            input,
            supervisions::Model { project_id, ..Default::default() },
        )
        .await?;
        for (phase, start, end) in [
            ("diagnostic", "1395-07-01", "1395-12-30"),
            ("trust_building", "1395-07-01", "1398-06-31"),
            ("implementation", "1396-01-15", "1398-02-31"),
        ] {
            let input = json!({ "phase": phase, "planned_start": start, "planned_end": end });
            insert::<PhaseInput, _>(transaction, input, phases::Model { project_id, ..Default::default() })
                .await?;
        }
        for (title_fa, phase, weight_bp, due_on) in MILESTONES {
            let input = json!({ "phase": phase, "title_fa": title_fa, "weight_bp": weight_bp, "due_on": due_on, "evidence_required": true });
            let onto = milestones::entity::Model { project_id, ..Default::default() };
            insert::<MilestoneInput, _>(transaction, input, onto).await?;
        }
        let decision = Some(self.decision);
        let project = enter(transaction, &project, State::Approved, "1395-06-01", decision).await?;
        let project = enter(transaction, &project, State::Contracted, "1395-06-20", None).await?;
        let project = enter(transaction, &project, State::Diagnostic, "1395-07-01", None).await?;
        self.attach(("project", project_id), "diagnostic_study", "مطالعهٔ شناختی", decision).await?;
        self.measure(project_id, "baseline", "1394", ["0", "100"]).await?;
        self.measure(project_id, "target", "1397", ["3", "88"]).await?;
        let project = enter(transaction, &project, State::Planning, "1395-12-20", None).await?;
        self.attach(("project", project_id), "action_plan", "برنامهٔ عمل", decision).await?;
        let input = json!({ "frozen_on": "1396-01-10" });
        insert::<BaselineInput, _>(transaction, input, baselines::Model { project_id, ..Default::default() })
            .await?;
        enter(transaction, &project, State::Implementing, "1396-01-15", None).await
    }

    /// Works on the first milestones of a project, until some day each.
    async fn work(&self, project: &projects::Model, accepted: &[(&str, &str)]) -> Result<(), Problem> {
        use milestones::entity::{Column, Entity};
        for (title_fa, accepted_on) in accepted {
            let of_project =
                Entity::find().filter(Column::ProjectId.eq(project.id)).filter(Column::TitleFa.eq(*title_fa));
            let Some(milestone) = of_project.one(&**self.transaction).await? else { continue };
            let milestone =
                enter(self.transaction, &milestone, MilestoneState::InProgress, "1396-02-01", None).await?;
            self.attach(("milestone", milestone.id), "evidence", &format!("صورت‌جلسهٔ {title_fa}"), None)
                .await?;
            let milestone =
                enter(self.transaction, &milestone, MilestoneState::Submitted, accepted_on, None).await?;
            enter(self.transaction, &milestone, MilestoneState::Accepted, accepted_on, None).await?;
        }
        Ok(())
    }

    /// The pistachio project: everything accepted except cancelled milestones, handed over and closed.
    async fn closed(&self) -> Result<(), Problem> {
        let cluster = self.feasible("Pistachio").await?;
        let project = self.implementing(&cluster, "پروژهٔ توسعهٔ خوشهٔ پستهٔ کرمان", "1395/31").await?;
        let (transaction, project_id) = (self.transaction, project.id);
        self.work(
            &project,
            &[
                ("شبکهٔ خرید مشترک", "1396-06-20"),
                ("آزمایشگاه مشترک", "1397-02-10"),
                ("کنسرسیوم صادراتی", "1397-06-15"),
            ],
        )
        .await?;
        for (quarter, days) in [
            ("1396-Q2", ["1396-07-08", "1396-07-12", "1396-07-20", "1396-08-01"]),
            ("1396-Q3", ["1396-10-09", "1396-10-14", "1396-10-25", "1396-11-02"]),
        ] {
            let [submitted, reviewed, approved, accepted] = days;
            let way = [
                (ReportState::Submitted, submitted),
                (ReportState::SupervisorReviewed, reviewed),
                (ReportState::ProvinceApproved, approved),
                (ReportState::NationallyAccepted, accepted),
            ];
            report(transaction, project_id, quarter, "شبکهٔ خرید مشترک کار خود را آغاز کرد.", &way).await?;
        }
        let named = async |title_fa: &str| {
            use milestones::entity::{Column, Entity};
            let one =
                Entity::find().filter(Column::ProjectId.eq(project_id)).filter(Column::TitleFa.eq(title_fa));
            one.one(&**transaction)
                .await?
                .map(|row| row.id)
                .ok_or_else(|| Problem::internal("a milestone is not there"))
        };
        let changes = json!([
            { "milestone_id": named("نشان تجاری مشترک").await?, "cancelled": true },
            { "milestone_id": named("کنسرسیوم صادراتی").await?, "weight_bp": 4_500 },
        ]);
        let input = json!({ "frozen_on": "1397-09-01", "decision_id": self.decision, "reason": "نشان تجاری را انجمن خود پیش می‌برد", "changes": changes });
        insert::<BaselineInput, _>(transaction, input, baselines::Model { project_id, ..Default::default() })
            .await?;
        let project = enter(
            transaction,
            &present(transaction, project_id).await?,
            State::Evaluating,
            "1398-02-01",
            None,
        )
        .await?;
        self.measure(project_id, "actual", "1397", ["2.4", "91.5"]).await?;
        let project = enter(transaction, &project, State::HandedOver, "1398-05-01", None).await?;
        for (line, amount_irr, paid_on) in
            [("cda_fee", "2400000000", "1398-04-20"), ("training", "760000000", "1397-03-10")]
        {
            let input = json!({
                "project_id": project_id, "line": line, "amount_irr": amount_irr, "paid_on": paid_on, "document_no": "۱۱۲",
                "reconciled_on": "1398-05-31",
            });
            insert::<PaymentInput, payments::entity::Model>(transaction, input, Default::default()).await?;
        }
        self.attach(("project", project_id), "completion_licence", "پروانهٔ پایان پروژه", Some(self.decision))
            .await?;
        enter(transaction, &project, State::Closed, "1398-07-01", None).await.map(|_| ())
    }

    /// The carpet project, which rests.
    async fn suspended(&self) -> Result<(), Problem> {
        let cluster = self.feasible("Hand-woven carpets").await?;
        let project = self.implementing(&cluster, "پروژهٔ توسعهٔ خوشهٔ فرش دستباف کرمان", "1395/32").await?;
        self.work(&project, &[("شبکهٔ خرید مشترک", "1396-07-20")]).await?;
        let project = present(self.transaction, project.id).await?;
        enter(self.transaction, &project, State::Suspended, "1397-05-01", None).await.map(|_| ())
    }
}

/// The stone cluster of Lorestan: part of its register, value chain, a network, and measurements.
async fn stone(transaction: &Transaction) -> Result<(), Problem> {
    use clusters::entity::{Column, Entity};
    let stone = Entity::find().filter(Column::NameEn.eq("Stone")).one(&**transaction).await?;
    let cluster_id = stone.ok_or_else(|| Problem::internal("the stone cluster is not there"))?.id;
    let project = projects::Entity::find()
        .filter(projects::Column::ClusterId.eq(cluster_id))
        .one(&**transaction)
        .await?;
    let project = project.ok_or_else(|| Problem::internal("the stone project is not there"))?;
    let returned = [(ReportState::Submitted, "1394-04-12"), (ReportState::Returned, "1394-04-20")];
    report(transaction, project.id, "1394-Q1", "شبکهٔ خرید مشترک تیغ و الماسه تشکیل شد.", &returned).await?;
    report(
        transaction,
        project.id,
        "1394-Q2",
        "آموزش ۱۲۰ نفر به پایان رسید.",
        &[(ReportState::Submitted, "1394-07-10")],
    )
    .await?;
    let mut firms = Vec::new();
    for (name_fa, county, employment) in
        [("سنگ‌بری کوثر", "خرم‌آباد", 8), ("معدن سنگ ازنا", "ازنا", 46), ("سنگ‌بری زاگرس", "دورود", 120)]
    {
        let input = json!({
            "province": "IR-15", "name_fa": name_fa, "county": county, "employment_total": employment, "isic": [{ "code": "2396" }],
            "cluster_id": cluster_id, "member_from": "1393-02-01",
        });
        let firm: enterprises::entity::Model =
            insert::<EnterpriseInput, _>(transaction, input, Default::default()).await?;
        firms.push(firm.id);
    }
    let mut feeds: Vec<Uuid> = Vec::new();
    // From the final consumer back to the raw material, because each stage names those it feeds.
    for (position, stage, name_fa, enterprises) in [
        (4, "final_consumer", "مصرف‌کنندهٔ نهایی", &[][..]),
        (3, "distribution", "بازرگانی و صادرات", &[]),
        (2, "processing", "برش و فرآوری", &[0, 2]),
        (1, "inputs", "استخراج سنگ", &[1]),
    ] {
        let links: Vec<Value> =
            enterprises.iter().map(|index: &usize| json!({ "enterprise_id": firms[*index] })).collect();
        let input = json!({ "stage": stage, "name_fa": name_fa, "position": position, "feeds": feeds, "enterprises": links });
        let onto = value_chain::Model { cluster_id, ..Default::default() };
        let made: value_chain::Model = insert::<ValueChainStageInput, _>(transaction, input, onto).await?;
        feeds = vec![made.id];
    }
    let input = json!({ "kind": "raw_material", "name_fa": "شبکهٔ خرید تیغ و الماسه", "formed_on": "1394-05-28", "members": firms, "private_share_bp": 7_000 });
    insert::<NetworkInput, _>(transaction, input, networks::Model { cluster_id, ..Default::default() })
        .await
        .map(|_| ())
}

async fn present(transaction: &Transaction, project: Uuid) -> Result<projects::Model, Problem> {
    let found = projects::Entity::find_by_id(project).one(&**transaction).await?;
    found.ok_or_else(|| Problem::internal("a project is not there"))
}
