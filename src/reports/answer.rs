//! Report responses: rows are streamed in the requested format with constant memory, into a buffer that is
//! complete before the first byte is sent, so that no database connection waits for a reader. The ETag is
//! known before the query of the report runs.

use actix_web::{HttpResponse, http::header};
use chrono::SecondsFormat;
use futures_util::StreamExt;
use sea_orm::{DatabaseTransaction, FromQueryResult, Statement, StreamTrait};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::{Question, Report, Totals};
use crate::{
    http::{
        Call,
        authorization::Format,
        compress,
        contract::Contract,
        csv, data, geojson,
        render::digest,
        request_middleware::Deadline,
        sheet::{About, Heading, Sheet},
        spool::{Spool, SpoolQuota},
    },
    persian::{Calendar, Date, PersianPeriod, calendar},
    presentation::Presentation,
    problem::{Problem, Text},
    provinces::ProvinceCode,
    store::{long_read::Turn, now, revision::Watched},
    values::hex,
};

/// Response of a report.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Report)]
pub struct ReportResponse<I, T> {
    #[serde(flatten)]
    head: Head,
    /// The rows.
    items: Vec<I>,
    /// Number of rows.
    #[schema(minimum = 0, example = 11)]
    total: u64,
    /// Totals of the rows, within the scope of the caller and the requested provinces.
    totals: T,
}

/// Header of a report response.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReportHead)]
pub struct Head {
    /// Reporting day.
    as_of: Date,
    /// Only what the service knew at this moment counts; null for the present.
    #[schema(required)]
    known_at: Option<chrono::DateTime<chrono::Utc>>,
    /// The province that the caller is confined to; null where it sees the nation. Totals are of this scope.
    #[schema(required)]
    scope: Option<ProvinceCode>,
    /// The period that it counts; null for the whole past.
    #[schema(required)]
    period: Option<PersianPeriod>,
}

/// Maximum number of `If-None-Match` tags examined: each one of this question may cost a query.
const MOST_TAGS: usize = 20;

/// Write buffer size in bytes.
const PART: usize = 64 * 1024;

impl<R: Report> Question<R> {
    /// The report in the requested format; 304 if the caller has it.
    pub async fn answer(self) -> Result<HttpResponse, Problem> {
        let format = self.call.format();
        let db = self.long_reads.begin(self.caller.id).await?;
        let revision = self.watched(self.provinces_read().as_deref()).revision(&*db).await?;
        let question = self.fingerprint(&R::edition(&self, &db).await?)?;
        let current = format!("\"{question}-{revision}\"");
        let held = self.held(&question, &current, &db).await?;
        let is_known = held.is_some();
        let tag = held.unwrap_or(current);
        let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        // A workbook contains its creation time: two of them are equivalent, not identical (RFC 9110, section
        // 8.8.1).
        let weak = if format == Format::Xlsx { "W/" } else { "" };
        response
            .insert_header((header::ETAG, format!("{weak}{tag}")))
            .insert_header((header::CACHE_CONTROL, "private, no-cache"));
        response.insert_header((header::VARY, "Accept, Accept-Language, Authorization"));
        if is_known {
            return Ok(response.finish());
        }
        let (name, value) = self.content(format);
        response.insert_header((header::CONTENT_TYPE, name));
        if let Some(value) = value {
            response.insert_header((header::CONTENT_DISPOSITION, value));
        }
        let share = data::<SpoolQuota>(&self.request)?.begin(self.caller.id)?;
        let mut out = RowSink::new(&self)?;
        R::tell(&self, &db, &mut out).await?;
        // The connection is released after the last row, the turn once the answer is complete, before it is
        // read.
        out.finish(&self, db.end()).await?.answer(response, share)
    }

    fn watched<'a>(&self, provinces: Option<&'a [&'a str]>) -> Watched<'a> {
        Watched { resources: R::ENTRY.reads, provinces, known_at: self.known_at }
    }

    /// Hash of the question and of this build: the first part of the ETag. The second is the revision of the
    /// data.
    fn fingerprint(&self, edition: &str) -> Result<String, Problem> {
        let may_see = self.call.rendered(|| Presentation::current().in_clear);
        let question = json!([
            R::ENTRY.name,
            self.call.query(),
            self.call.format().name(),
            self.call.language() as u8,
            self.as_of.naive(),
            self.provinces(),
            may_see,
            edition,
            env!("CARGO_PKG_VERSION"),
        ]);
        let contract = data::<Contract>(&self.request)?;
        Ok(digest(&format!("{question}{}", contract.fingerprint)))
    }

    /// The caller's ETag, if it is still current; `*` matches any current one (RFC 9110, section 13.1.2).
    async fn held(
        &self,
        question: &str,
        current: &str,
        db: &DatabaseTransaction,
    ) -> Result<Option<String>, Problem> {
        let header = self
            .request
            .headers()
            .get(header::IF_NONE_MATCH)
            .and_then(|header| header.to_str().ok())
            .unwrap_or_default();
        if header.trim() == "*" {
            return Ok(Some(current.to_owned()));
        }
        for tag in header.split(',').take(MOST_TAGS).map(|tag| tag.trim().trim_start_matches("W/")) {
            let tag = compress::without_encoding(tag);
            let revision = tag
                .trim_matches('"')
                .strip_prefix(question)
                .and_then(|rest| rest.strip_prefix('-')?.parse().ok());
            let Some(revision) = revision else { continue };
            if self.watched(self.provinces_read().as_deref()).is_unchanged_since(&revision, db).await? {
                return Ok(Some(tag.into_owned()));
            }
        }
        Ok(None)
    }

    fn content(&self, format: Format) -> (&'static str, Option<String>) {
        let file = || {
            Some(format!(
                "attachment; filename=\"{}-{}.{}\"",
                R::ENTRY.name,
                self.as_of.in_calendar(self.call.calendar()),
                format.name()
            ))
        };
        match format {
            Format::Json if self.call.fields().is_some() => (crate::http::document::SPARSE, None),
            Format::Csv => ("text/csv; charset=utf-8; header=present", file()),
            Format::Xlsx | Format::GeoJson => (format.media_type(), file()),
            Format::Json | Format::Svg => (format.media_type(), None),
        }
    }

    /// Title and provenance for the sheets.
    fn about(&self) -> About {
        let (calendar, entry) = (self.call.calendar(), R::ENTRY);
        let day = |day: Date| day.in_calendar(calendar);
        let none = || Text::new("همه", "all").in_language(self.call.language()).to_owned();
        let mut provenance = vec![
            (Text::new("گزارش", "Report"), entry.name.to_owned()),
            (Text::new("تهیه‌کننده", "Made by"), self.caller.username.clone()),
            (Text::new("زمان تهیه", "Made at"), now().to_rfc3339_opts(SecondsFormat::Secs, true)),
            (Text::new("روز گزارش", "As of"), day(self.as_of)),
            (
                Text::new("دانسته تا", "Known at"),
                self.known_at.unwrap_or_else(now).to_rfc3339_opts(SecondsFormat::Micros, true),
            ),
            (Text::new("دامنه", "Scope"), self.provinces().map_or_else(none, |codes| codes.join("، "))),
        ];
        let asked = self.call.query().as_object().into_iter().flatten();
        provenance.extend(asked.map(|(name, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (Text::new(format!("پارامتر {name}"), format!("Parameter {name}")), text)
        }));
        let columns = entry.columns.iter().map(|column| Heading {
            name: column.name.into(),
            title: Text::new(column.title_fa, column.title_en),
            kind: column.kind,
        });
        About {
            title: Text::new(entry.title_fa, entry.title_en),
            columns: columns.collect(),
            provenance,
            language: self.call.language(),
            calendar,
        }
    }

    fn head(&self) -> Head {
        Head { as_of: self.as_of, known_at: self.known_at, scope: self.scope(), period: self.period }
    }
}

/// Output of the rows of a report.
pub struct RowSink<R: Report> {
    call: Call,
    deadline: Deadline,
    spool: Spool,
    buffer: Vec<u8>,
    count: u64,
    totals: R::Totals,
    form: Form<R::Item>,
}

/// A format in the making.
enum Form<I> {
    Json,
    Csv(Vec<&'static str>),
    /// The sheet, and the hash of its rows so far.
    Xlsx(Box<Sheet>, Sha256),
    /// Rows for the chart.
    Svg(Vec<I>),
    GeoJson,
}

impl<R: Report> RowSink<R> {
    fn new(question: &Question<R>) -> Result<Self, Problem> {
        let call = question.call.clone();
        let mut buffer = String::new();
        let form = match call.format() {
            Format::Json => {
                buffer = opened(
                    &call.rendered(|| serde_json::to_value(question.head())).map_err(Problem::internal)?,
                    "items",
                );
                Form::Json
            }
            Format::GeoJson => {
                let mut head =
                    call.rendered(|| serde_json::to_value(question.head())).map_err(Problem::internal)?;
                head["type"] = json!("FeatureCollection");
                buffer = opened(&head, "features");
                Form::GeoJson
            }
            Format::Csv => {
                let fields = call.fields();
                let is_wanted = |name: &&str| {
                    fields.as_ref().is_none_or(|fields| {
                        fields.iter().any(|field| name.split('.').next() == Some(*field))
                    })
                };
                let columns: Vec<&str> =
                    R::ENTRY.columns.iter().map(|column| column.name).filter(is_wanted).collect();
                buffer = csv::header(&columns, call.has_byte_order_mark())?;
                Form::Csv(columns)
            }
            Format::Xlsx => Form::Xlsx(Box::new(Sheet::new(question.about())?), Sha256::new()),
            Format::Svg => Form::Svg(Vec::new()),
        };
        let deadline = Deadline::of(&question.request);
        Ok(Self {
            call,
            deadline,
            spool: Spool::default(),
            buffer: buffer.into_bytes(),
            count: 0,
            totals: R::Totals::default(),
            form,
        })
    }

    /// The totals so far: for totals that are not sums of the rows.
    pub fn totals(&mut self) -> &mut R::Totals {
        &mut self.totals
    }

    /// Writes the rows of a statement.
    pub async fn rows<Row: FromQueryResult + Into<R::Item>>(
        &mut self,
        db: &DatabaseTransaction,
        statement: Statement,
    ) -> Result<(), Problem> {
        let mut rows = db.stream_raw(statement).await?;
        while let Some(row) = rows.next().await {
            self.put(Row::from_query_result(&row?, "")?.into()).await?;
        }
        Ok(())
    }

    /// Writes one row.
    pub async fn put(&mut self, item: R::Item) -> Result<(), Problem> {
        self.totals.add(&item);
        let separator = if self.count == 0 { "" } else { "," };
        let json = || serde_json::to_value(&item).map_err(Problem::internal);
        match &mut self.form {
            Form::Json => {
                let text = match self.call.fields() {
                    None => self.call.rendered(|| serde_json::to_string(&item)).map_err(Problem::internal)?,
                    Some(fields) => {
                        let mut value = self.call.rendered(json)?;
                        value
                            .as_object_mut()
                            .into_iter()
                            .for_each(|members| members.retain(|name, _| fields.contains(&name.as_str())));
                        value.to_string()
                    }
                };
                self.buffer.extend_from_slice(separator.as_bytes());
                self.buffer.extend_from_slice(text.as_bytes());
            }
            Form::Csv(columns) => {
                self.buffer.extend_from_slice(csv::row(columns, &self.call.rendered(json)?)?.as_bytes())
            }
            Form::Xlsx(sheet, hash) => {
                // Sheets have real dates, regardless of the calendar in which they are displayed.
                let value = self.call.rendered(|| calendar::using(Calendar::Gregorian, json))?;
                hash.update(format!("{value}\n"));
                sheet.row(&value)?;
            }
            Form::GeoJson => {
                self.buffer.extend_from_slice(separator.as_bytes());
                self.buffer
                    .extend_from_slice(geojson::feature(self.call.rendered(json)?).to_string().as_bytes());
            }
            Form::Svg(items) if R::CHARTS_ROWS => items.push(item),
            Form::Svg(_) => {}
        }
        self.count += 1;
        if self.count.is_multiple_of(200) {
            // Yields, because immediately available rows would block other tasks of this thread.
            tokio::task::yield_now().await;
        }
        if self.buffer.len() < PART {
            return Ok(());
        }
        self.put_aside()
    }

    /// Flushes the buffer, and restarts the timeout of the request.
    fn put_aside(&mut self) -> Result<(), Problem> {
        self.deadline.renew();
        self.spool.write(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    /// Writes the end of the answer, and returns the whole.
    async fn finish(mut self, question: &Question<R>, turn: Turn) -> Result<Spool, Problem> {
        self.totals.finish();
        let totals = self.call.rendered(|| serde_json::to_value(&self.totals)).map_err(Problem::internal)?;
        match std::mem::replace(&mut self.form, Form::Json) {
            Form::Json if self.call.format() == Format::Json => self
                .buffer
                .extend_from_slice(format!("],\"total\":{},\"totals\":{totals}}}", self.count).as_bytes()),
            Form::Json | Form::GeoJson => {
                self.buffer.extend_from_slice(format!("],\"total\":{}}}", self.count).as_bytes())
            }
            Form::Csv(_) => {}
            Form::Svg(items) => {
                let chart = self
                    .call
                    .rendered(|| R::chart(question, &items, &self.totals))
                    .ok_or_else(|| Problem::internal("a report without its chart"))?;
                self.buffer = chart.svg(self.call.language()).map_err(Problem::internal)?.into_bytes();
            }
            Form::Xlsx(sheet, hash) => {
                let hash = hex(&hash.finalize());
                let finish = move || {
                    let _turn = turn;
                    sheet.finish(&totals, &hash)
                };
                let finished = actix_web::web::block(finish).await;
                return Spool::of_file(finished.map_err(Problem::internal)??);
            }
        }
        self.put_aside()?;
        Ok(self.spool)
    }
}

/// The head of an answer up to the beginning of its rows.
fn opened(head: &Value, list: &str) -> String {
    let head = head.to_string();
    format!("{},\"{list}\":[", head.strip_suffix('}').unwrap_or_default())
}
