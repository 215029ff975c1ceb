//! Concentrations of enterprises of an industry without a registered cluster.

use actix_web::{HttpResponse, get};
use sea_orm::{DatabaseTransaction, FromQueryResult};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Column, Common, Entry, Kind, Question, Report, ReportResponse, RowSink, TABLE, Totals,
    industry_by_province::IndustryTitle, value::rounded,
};
use crate::{
    persian::PersianPeriod,
    problem::{Problem, Text, Violation},
    provinces::ProvinceCode,
    statistics::cells::{self, COUNTRY},
    store::{sql::Composer, temporal_relations::ENTERPRISE},
    values::Decimal,
};

/// The report.
pub struct ClusterCandidates;

/// Parameters of this report.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Parameters {
    /// Areas to compare: provinces with the nation, or counties with the nation, or, for callers of one
    /// province, counties with their province. By default provinces, or counties for callers of one province.
    #[param(inline)]
    pub area: Option<Area>,
    /// The level of ISIC; classes when left out.
    #[param(inline)]
    pub level: Option<Level>,
    /// Quotient that `min_quotient_percent` applies to and rows are ordered by; that of employment by
    /// default.
    #[param(inline)]
    pub basis: Option<Basis>,
    /// The least location quotient, in hundredths; 125 when left out, which is 1.25.
    #[param(minimum = 0, maximum = 100_000)]
    pub min_quotient_percent: Option<i64>,
    /// The fewest enterprises; 10 when left out.
    #[param(minimum = 1, maximum = 1_000_000)]
    pub min_firms: Option<i64>,
    /// The least employment; 100 when left out.
    #[param(minimum = 0, maximum = 100_000_000)]
    pub min_employment: Option<i64>,
    /// Whether the answer is for publication: it then uses only the published statistics of the newest
    /// quarter that ends by `as_of`. Rows with a suppressed figure are omitted. Available by province, for
    /// all industries and without `known_at`.
    pub for_publication: Option<bool>,
}

/// Areas to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Area {
    /// Provinces.
    Province,
    /// Counties of the enterprises whose county is known.
    County,
}

/// Levels of the industry classification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CandidateLevel)]
pub enum Level {
    /// Two digits.
    Division,
    /// Three digits.
    Group,
    /// Four digits.
    Class,
}

/// Measures for the quotient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Persons employed.
    Employment,
    /// Enterprises.
    Firms,
}

/// An industry that is concentrated in an area.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClusterCandidate {
    /// The province.
    province: ProvinceCode,
    /// The county; null where provinces are compared.
    #[schema(required, example = json!(null))]
    county: Option<String>,
    /// The industry.
    isic: IndustryTitle,
    /// Its enterprises in the area.
    #[schema(minimum = 0, example = 42)]
    firms: i64,
    /// Persons employed, as far as known.
    #[schema(minimum = 0, example = 1310)]
    employment: i64,
    /// The location quotient over enterprises, to four decimals.
    #[schema(required, example = "2.4103")]
    quotient_firms: Option<Decimal>,
    /// The location quotient over employment, to four decimals; null where no employment is known.
    #[schema(required, example = "3.0517")]
    quotient_employment: Option<Decimal>,
}

/// The row of the query: of the cell, its area, its industry and the whole, enterprises and employment.
#[derive(FromQueryResult)]
struct Row {
    province: String,
    county: Option<String>,
    code: String,
    title_en: String,
    firms: i64,
    employment: i64,
    area_firms: i64,
    area_employment: i64,
    industry_firms: i64,
    industry_employment: i64,
    all_firms: i64,
    all_employment: i64,
}

/// Reference values of the quotients.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct CandidateTotals {
    /// The province whose enterprises are the whole; null for the nation.
    #[schema(required)]
    reference: Option<ProvinceCode>,
    /// Number of areas with candidates.
    #[schema(minimum = 0, example = 12)]
    areas: i64,
    #[serde(skip)]
    known: std::collections::HashSet<(String, Option<String>)>,
}

impl Totals<ClusterCandidate> for CandidateTotals {
    fn add(&mut self, row: &ClusterCandidate) {
        self.known.insert((row.province.0.clone(), row.county.clone()));
        self.areas = self.known.len() as i64;
    }
}

impl Report for ClusterCandidates {
    const ENTRY: Entry = Entry {
        name: "cluster-candidates",
        title_fa: "نامزدهای خوشه",
        title_en: "Candidates for clusters",
        formats: TABLE,
        parameters: &[
            ("area", "پهنه"),
            ("level", "سطح رشته"),
            ("basis", "مبنای ضریب"),
            ("min_quotient_percent", "کمینهٔ ضریب مکانی (درصد)"),
            ("min_firms", "کمینهٔ واحدها"),
            ("min_employment", "کمینهٔ اشتغال"),
            ("for_publication", "برای انتشار"),
        ],
        reads: &["enterprise", "cluster"],
        columns: &[
            Column::new("province", Kind::Word, "استان", "Province"),
            Column::new("county", Kind::Text, "شهرستان", "County"),
            Column::new("isic.code", Kind::Text, "کد رشته (ISIC)", "ISIC code"),
            Column::new("isic.title_en", Kind::Text, "عنوان رشته", "Industry"),
            Column::new("firms", Kind::Count, "واحدها", "Enterprises"),
            Column::new("employment", Kind::Count, "اشتغال", "Employment"),
            Column::new(
                "quotient_firms",
                Kind::Ratio,
                "ضریب مکانی واحدها",
                "Location quotient of enterprises",
            ),
            Column::new(
                "quotient_employment",
                Kind::Ratio,
                "ضریب مکانی اشتغال",
                "Location quotient of employment",
            ),
        ],
    };
    type Parameters = Parameters;
    type Item = ClusterCandidate;
    type Totals = CandidateTotals;

    async fn edition(question: &Question<Self>, db: &DatabaseTransaction) -> Result<String, Problem> {
        Ok(question.published(db).await?.map_or_else(String::new, |quarter| quarter.to_string()))
    }

    async fn tell(
        question: &Question<Self>,
        db: &DatabaseTransaction,
        out: &mut RowSink<Self>,
    ) -> Result<(), Problem> {
        let own = &question.own;
        let (area, level) = (question.area()?, own.level.unwrap_or(Level::Class));
        out.totals().reference = question.scope();
        let mut sql = question.composer();
        let clusters = question.known(&crate::store::temporal_relations::CLUSTER, &mut sql);
        let (classes, class) =
            (sql.each("c.isic", "k"), sql.member("k.value", "code", crate::store::sql::Member::Text));
        let digits = match level {
            Level::Division => 2,
            Level::Group => 3,
            Level::Class => 4,
        };
        let cells = match question.published(db).await? {
            Some(quarter) => published_cells(quarter, level, &mut sql),
            None => question.cells(area, digits, &mut sql),
        };
        let same_county = "(a.county = f.county OR (a.county IS NULL AND f.county IS NULL))";
        let provinces = question.in_provinces("f.province", &mut sql);
        let provinces = if provinces.is_empty() { String::new() } else { format!(" AND {provinces}") };
        let industries = question.and_in_industries("f.code", &mut sql);
        let by_county = sql.bytewise("f.county");
        let (min_firms, min_employment) =
            (sql.bind(own.min_firms.unwrap_or(10)), sql.bind(own.min_employment.unwrap_or(100)));
        let quotient = match own.basis.unwrap_or(Basis::Employment) {
            Basis::Employment => ["f.employment", "a.employment", "n.employment", "w.employment"],
            Basis::Firms => ["f.firms", "a.firms", "n.firms", "w.firms"],
        }
        .map(|sum| format!("CAST({sum} AS double precision)"));
        let [cell, of_area, of_industry, of_all] = quotient;
        let query = format!(
            "WITH {cells}, \
             taken AS (SELECT DISTINCT c.province, SUBSTR({class}, 1, {digits}) AS code FROM {clusters} c CROSS JOIN {classes} \
               WHERE c.state NOT IN ('merged', 'split', 'withdrawn')) \
             SELECT f.province, f.county, f.code, i.title_en, f.firms, f.employment, a.firms AS area_firms, a.employment AS area_employment, \
               n.firms AS industry_firms, n.employment AS industry_employment, w.firms AS all_firms, w.employment AS all_employment \
             FROM cell f JOIN area a ON a.province = f.province AND {same_county} JOIN of_nation n ON n.code = f.code CROSS JOIN whole w \
               JOIN industry i ON i.code = f.code LEFT JOIN taken t ON t.province = f.province AND t.code = f.code \
             WHERE t.code IS NULL AND f.firms >= {min_firms} AND f.employment >= {min_employment}{provinces}{industries} \
             ORDER BY CASE WHEN {of_area} * {of_industry} > 0 THEN {cell} * {of_all} / ({of_area} * {of_industry}) ELSE 0 END DESC, f.province, {by_county}, f.code"
        );
        let least = own.min_quotient_percent.unwrap_or(125) * 100;
        for row in Row::find_by_statement(sql.statement(query)).all(db).await? {
            let firms = quotient_of(row.firms, row.area_firms, row.industry_firms, row.all_firms);
            let employment =
                quotient_of(row.employment, row.area_employment, row.industry_employment, row.all_employment);
            let bounded = if own.basis == Some(Basis::Firms) { firms } else { employment };
            if bounded.is_some_and(|quotient| quotient >= least) {
                out.put(row.into_item(firms, employment)).await?;
            }
        }
        Ok(())
    }
}

impl Question<ClusterCandidates> {
    /// The cells of the register, with their totals by area, by industry and overall: the relations `cell`,
    /// `area`, `of_nation` and `whole`.
    fn cells(&self, area: Area, digits: u8, sql: &mut Composer) -> String {
        // The whole is the nation, even if some provinces are selected; for callers of one province it is the
        // province.
        let enterprises = match self.scope() {
            None => self.known_everywhere(&ENTERPRISE, sql),
            Some(_) => self.known(&ENTERPRISE, sql),
        };
        let (county, has_county) =
            if area == Area::County { ("e.county", " AND e.county IS NOT NULL") } else { ("NULL", "") };
        let sums = "CAST(SUM(firms) AS bigint) AS firms, CAST(SUM(employment) AS bigint) AS employment";
        format!(
            "cell AS (SELECT e.province, CAST({county} AS text) AS county, SUBSTR(e.primary_isic, 1, {digits}) AS code, COUNT(*) AS firms, \
                 CAST(COALESCE(SUM(e.employment_total), 0) AS bigint) AS employment \
               FROM {enterprises} e WHERE 1 = 1{has_county} GROUP BY 1, 2, 3), \
             area AS (SELECT province, county, {sums} FROM cell GROUP BY province, county), \
             of_nation AS (SELECT code, {sums} FROM cell GROUP BY code), \
             whole AS (SELECT {sums} FROM cell)"
        )
    }

    /// The quarter of the published statistics to use; none if the answer is not for publication.
    async fn published(&self, db: &DatabaseTransaction) -> Result<Option<PersianPeriod>, Problem> {
        if !self.own.for_publication.unwrap_or(false) {
            return Ok(None);
        }
        self.published_quarter(self.area()? == Area::Province, "area", db).await.map(Some)
    }
    /// Areas to compare; 400 if a caller of one province requests a comparison with others.
    fn area(&self) -> Result<Area, Problem> {
        let is_confined = self.scope().is_some();
        let area = self.own.area.unwrap_or(if is_confined { Area::County } else { Area::Province });
        if !is_confined || area == Area::County {
            return Ok(area);
        }
        let detail = Text::new(
            "سنجش استان با کشور از دامنهٔ شما بیرون است؛ شهرستان‌ها با استان سنجیده می‌شوند.",
            "To compare the province with the nation lies outside your scope; counties are compared with the province.",
        );
        Err(Problem::invalid_query(vec![Violation::query("area", "outside_scope", detail)]))
    }
}

/// The same relations from the published statistics, without suppressed cells.
fn published_cells(quarter: PersianPeriod, level: Level, sql: &mut Composer) -> String {
    let level = match level {
        Level::Division => cells::Level::Division,
        Level::Group => cells::Level::Group,
        Level::Class => cells::Level::Class,
    };
    let (quarter, level, total) =
        (sql.bind(quarter.to_string()), sql.bind(level), sql.bind(cells::Level::Total));
    let told = format!(
        "SELECT area AS province, industry AS code, level, enterprises AS firms, employment FROM statistics_cell \
         WHERE quarter = {quarter} AND enterprises IS NOT NULL AND employment IS NOT NULL"
    );
    format!(
        "told AS ({told}), \
         cell AS (SELECT province, CAST(NULL AS text) AS county, code, firms, employment FROM told WHERE level = {level} AND province <> '{COUNTRY}'), \
         area AS (SELECT province, CAST(NULL AS text) AS county, firms, employment FROM told WHERE level = {total} AND province <> '{COUNTRY}'), \
         of_nation AS (SELECT code, firms, employment FROM told WHERE level = {level} AND province = '{COUNTRY}'), \
         whole AS (SELECT firms, employment FROM told WHERE level = {total} AND province = '{COUNTRY}')"
    )
}

/// (e_ir / e_r) / (e_i / e) in ten-thousandths, rounded half up.
fn quotient_of(cell: i64, area: i64, industry: i64, all: i64) -> Option<i64> {
    rounded(i128::from(cell) * i128::from(all) * 10_000, i128::from(area) * i128::from(industry))
}

impl Row {
    fn into_item(self, firms: Option<i64>, employment: Option<i64>) -> ClusterCandidate {
        let quotient = |value: Option<i64>| value.map(|value| Decimal(value.saturating_mul(100)));
        ClusterCandidate {
            province: ProvinceCode(self.province),
            county: self.county,
            isic: IndustryTitle { code: self.code, title_en: self.title_en },
            firms: self.firms,
            employment: self.employment,
            quotient_firms: quotient(firms),
            quotient_employment: quotient(employment),
        }
    }
}

/// Candidates for clusters
///
/// Industries that are concentrated in a province or a county, above the given thresholds, and in which the
/// province has no cluster yet: none of any class in the industry that is neither merged nor split nor
/// withdrawn on `as_of`. Concentration is measured by the **location quotient** (e_ir / e_r) / (e_i / e): the
/// share of an industry in an area over its share in the whole; above 1 it is over-represented (Isserman
/// 1977, "The location quotient approach to estimating regional economic impacts"; cluster mappings find
/// candidates in this way). The register of enterprises is the one known at `known_at`. For callers of one
/// province the whole is their province: see `totals.reference`.
///
/// With `for_publication` all figures, and those that quotients compare with, are those of the published
/// statistics (`/public/statistics`).
#[utoipa::path(params(Common, Parameters), responses((status = 200, body = ReportResponse<ClusterCandidate, CandidateTotals>)), security(("oauth2" = ["reports:read"])))]
#[get("/reports/cluster-candidates")]
pub async fn get_cluster_candidates(question: Question<ClusterCandidates>) -> Result<HttpResponse, Problem> {
    question.answer().await
}
