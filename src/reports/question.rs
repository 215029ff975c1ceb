//! Question of a report: the parameters that all reports share, read once, and values derived from them.

use std::sync::Arc;

use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use utoipa::IntoParams;

use super::Report;
use crate::{
    http::{Call, Database, Ready, body::typed_query, data},
    industries::{IsicCode, prefixes_of},
    persian::{Date, PersianPeriod},
    policy::Caller,
    problem::{Problem, Text, Violation},
    provinces::{ALL, Province, ProvinceCode},
    store::{
        LongReads, now,
        sql::Composer,
        temporal_relations::{Knowledge, Relation},
    },
};

/// Parameters of all reports.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Common {
    /// Any of these provinces; all of the caller's when left out.
    #[param(style = Form, explode = false, min_items = 1, max_items = 31)]
    pub province: Option<Vec<ProvinceCode>>,
    /// Only clusters whose primary class is within any of these codes of ISIC Rev. 4, of any level, with
    /// their projects and other records.
    #[param(style = Form, explode = false, min_items = 1, max_items = 50)]
    pub industry: Option<Vec<IsicCode>>,
    /// Reporting day; by default today, or the day of `known_at`, or the last one of `period` if that is
    /// earlier.
    pub as_of: Option<Date>,
    /// Only what the service knew at this moment counts; now by default. The same `as_of` and `known_at`
    /// always give the same report.
    pub known_at: Option<DateTime<Utc>>,
    /// A Persian year, half, quarter or month. Flows are counted from its first day to `as_of`, which must be
    /// within it.
    pub period: Option<PersianPeriod>,
}

/// Own parameters of a report that has none.
#[derive(Debug, Deserialize)]
pub struct NoParameters {}

/// A report request from an authorized caller.
pub struct Question<R: Report> {
    /// The database.
    pub db: Database,
    /// The turns that reports take.
    pub long_reads: web::Data<LongReads>,
    /// The request.
    pub request: HttpRequest,
    /// Result of the authorization middleware.
    pub call: Call,
    /// The caller.
    pub caller: Arc<Caller>,
    /// Reporting day.
    pub as_of: Date,
    /// Only what was known at this moment counts; none for the present.
    pub known_at: Option<DateTime<Utc>>,
    /// The period.
    pub period: Option<PersianPeriod>,
    /// Selected provinces within the caller's scope; none for the nation.
    provinces: Option<Vec<String>>,
    industries: Option<Vec<IsicCode>>,
    /// The report's own parameters.
    pub own: R::Parameters,
}

impl<R: Report> FromRequest for Question<R> {
    type Error = Problem;
    type Future = Ready<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(Self::read(request))
    }
}

impl<R: Report> Question<R> {
    fn read(request: &HttpRequest) -> Result<Self, Problem> {
        let (db, long_reads): (Database, _) = (data(request)?, data::<LongReads>(request)?);
        let call = Call::of(request)?;
        let (common, own): (Common, R::Parameters) = (typed_query(&call)?, typed_query(&call)?);
        if common.known_at.is_some_and(|moment| moment > now()) {
            let detail = Text::new("این زمان هنوز نرسیده است.", "This moment has not come yet.");
            return Err(Problem::invalid_query(vec![Violation::query("known_at", "in_future", detail)]));
        }
        let today = Date::in_iran(common.known_at.unwrap_or_else(now));
        let as_of = common
            .as_of
            .unwrap_or_else(|| common.period.map_or(today, |period| period.last_day().min(today)));
        if common.period.is_some_and(|period| as_of < period.first_day() || as_of > period.last_day()) {
            let detail = Text::new("این روز در دورهٔ خواسته‌شده نیست.", "This day does not lie in the period.");
            return Err(Problem::invalid_query(vec![Violation::query("as_of", "outside_period", detail)]));
        }
        let caller = call.caller()?;
        let asked = common.province.map(|codes| codes.into_iter().map(|code| code.0).collect::<Vec<_>>());
        let provinces = match caller.scope.province() {
            None => asked,
            Some(own) => Some(
                [own.to_owned()]
                    .into_iter()
                    .filter(|own| asked.as_ref().is_none_or(|asked| asked.contains(own)))
                    .collect(),
            ),
        };
        let (known_at, period, industries) = (common.known_at, common.period, common.industry);
        Ok(Self {
            db,
            long_reads,
            request: request.clone(),
            call,
            caller,
            as_of,
            known_at,
            period,
            provinces,
            industries,
            own,
        })
    }

    /// A statement to put together for the database.
    pub fn composer(&self) -> Composer {
        Composer::new(self.db.get_ref())
    }

    /// First day of the period; none for the whole past.
    pub fn from(&self) -> Option<Date> {
        self.period.map(PersianPeriod::first_day)
    }

    /// Selected provinces; none for the nation.
    pub fn provinces(&self) -> Option<Vec<&str>> {
        Some(self.provinces.as_ref()?.iter().map(String::as_str).collect())
    }

    /// The provinces whose records the answer depends on; none for the nation.
    pub fn provinces_read(&self) -> Option<Vec<&str>> {
        if R::LOOKS_BEYOND {
            self.caller.scope.province().map(|province| vec![province])
        } else {
            self.provinces()
        }
    }

    /// Note of a chart: the day, and the part of the country.
    pub fn note(&self) -> Text {
        let day = self.as_of.in_calendar(self.call.calendar());
        let of = |name: fn(&Province) -> &str, nation: &str, several: &str| match self.provinces().as_deref()
        {
            None => nation.to_owned(),
            Some([code]) => ALL
                .iter()
                .find(|province| province.code.0 == *code)
                .map_or(String::new(), |province| name(province).to_owned()),
            Some(codes) => format!("{} {several}", codes.len()),
        };
        Text::new(
            format!("تا {day} · {}", of(|province| &province.name_fa, "سراسر کشور", "استان")),
            format!("As of {day} · {}", of(|province| &province.name_en, "nationwide", "provinces")),
        )
    }

    /// Whether only some industries are selected.
    pub fn has_industries(&self) -> bool {
        self.industries.is_some()
    }

    /// Selected industries; none for all.
    pub fn industries(&self) -> Option<&[IsicCode]> {
        self.industries.as_deref()
    }

    /// The province that the caller is confined to.
    pub fn scope(&self) -> Option<ProvinceCode> {
        self.caller.scope.province().map(|code| ProvinceCode(code.to_owned()))
    }

    /// Whether it is about present knowledge and today or a future day, for which the tables themselves
    /// suffice.
    pub fn is_present(&self) -> bool {
        self.known_at.is_none() && self.as_of >= Date::today_in_iran()
    }

    /// Knowledge and day for reading states.
    fn knowledge(&self, day: Date) -> Knowledge {
        let is_present = day >= Date::today_in_iran();
        Knowledge { at: self.known_at, on: (!is_present).then(|| day.naive()) }
    }

    /// A kind of record as a relation in parentheses: as known then, in the states of the day, in the
    /// selected provinces.
    pub fn known(&self, relation: &Relation, composer: &mut Composer) -> String {
        self.known_on(self.as_of, relation, composer)
    }

    /// The same for all provinces: for results that reveal nothing about records outside the scope.
    pub fn known_everywhere(&self, relation: &Relation, composer: &mut Composer) -> String {
        relation.known(self.knowledge(self.as_of), "", composer)
    }

    /// The same with the states of another day.
    pub fn known_on(&self, day: Date, relation: &Relation, composer: &mut Composer) -> String {
        let condition =
            if relation.has_province { self.in_provinces("province", composer) } else { String::new() };
        relation.known(self.knowledge(day), &condition, composer)
    }

    /// The changes of state of a kind of record by the day, as far as they were known: `id`, `record_id`,
    /// `to_state`, `effective_on`. They heed no scope: join them to records that do.
    pub fn events(&self, resource: &'static str, composer: &mut Composer) -> String {
        let day = composer.day(self.as_of.naive());
        let known = self
            .known_at
            .map(|moment| format!(" AND e.recorded_at <= {}", composer.moment(moment)))
            .unwrap_or_default();
        format!(
            "(SELECT e.id, e.record_id, e.to_state, e.effective_on FROM status_event e \
             WHERE e.resource = '{resource}' AND e.effective_on <= {day}{known})"
        )
    }

    /// Condition that a column has a selected province; empty for the nation.
    pub fn in_provinces(&self, column: &str, composer: &mut Composer) -> String {
        let list = self.provinces().map(|codes| composer.texts(codes));
        list.map(|list| format!("{column} IN {list}")).unwrap_or_default()
    }

    /// ` AND …`: condition that a column has a class of a selected industry; empty for all.
    pub fn and_in_industries(&self, column: &str, composer: &mut Composer) -> String {
        let Some(codes) = &self.industries else { return String::new() };
        let any: Vec<_> = prefixes_of(codes)
            .into_iter()
            .map(|prefix| format!("{column} LIKE {}", composer.bind(format!("{prefix}%"))))
            .collect();
        if any.is_empty() { " AND 1 = 0".to_owned() } else { format!(" AND ({})", any.join(" OR ")) }
    }

    /// Selected clusters: those of the provinces and industries.
    pub fn clusters(&self, composer: &mut Composer) -> String {
        self.clusters_on(self.as_of, composer)
    }

    /// The same in the states of another day.
    pub fn clusters_on(&self, day: Date, composer: &mut Composer) -> String {
        let clusters = self.known_on(day, &crate::store::temporal_relations::CLUSTER, composer);
        let industries = self.and_in_industries("c.primary_isic", composer);
        format!("(SELECT c.* FROM {clusters} c WHERE 1 = 1{industries})")
    }

    /// Selected projects: those of the selected clusters.
    pub fn projects(&self, composer: &mut Composer) -> String {
        let projects = self.known(&crate::store::temporal_relations::PROJECT, composer);
        if !self.has_industries() {
            return projects;
        }
        let clusters = self.clusters(composer);
        format!("(SELECT p.* FROM {projects} p WHERE p.cluster_id IN (SELECT c.id FROM {clusters} c))")
    }
}
