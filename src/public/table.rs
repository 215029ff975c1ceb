//! Tables of the published statistics in the requested format.

use actix_web::{FromRequest, HttpRequest, HttpResponse, Responder, dev::Payload, http::header, web};
use chrono::SecondsFormat;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::FRESH_SECONDS;
use crate::{
    http::{
        Call, Ready, Shape,
        authorization::Format,
        document::PREFIX,
        render::{digest, knows},
        sheet::{About, Heading, Sheet},
        temporary,
    },
    persian::{Calendar, Date, calendar},
    problem::{Problem, Text},
    reports::Column,
    statistics::entity::Head,
    values::hex,
};

/// Maximum age of a cached table of a quarter, in seconds: these never change.
const IMMUTABLE_SECONDS: u32 = 86_400;

/// The name of the newest quarter.
pub const LATEST: &str = "latest";

/// Request of a table.
pub struct Asked {
    request: HttpRequest,
    call: Call,
    shape: Shape,
}

impl FromRequest for Asked {
    type Error = Problem;
    type Future = Ready<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let shape = Shape::from_request(request, payload).into_inner();
        let asked =
            Call::of(request).and_then(|call| Ok(Self { request: request.clone(), call, shape: shape? }));
        std::future::ready(asked)
    }
}

impl Asked {
    /// The table in the requested format.
    pub async fn answer<T: Serialize>(
        self,
        table: &T,
        head: Head,
        title: Text,
        columns: &'static [Column],
    ) -> Result<HttpResponse, Problem> {
        let seconds = if self.request.match_info().get("quarter") == Some(LATEST) {
            FRESH_SECONDS
        } else {
            IMMUTABLE_SECONDS
        };
        if self.call.format() != Format::Xlsx {
            return Ok(self.shape.items(table)?.public(seconds).respond_to(&self.request));
        }
        let question = json!([
            head.digest,
            self.call.query(),
            self.call.language() as u8,
            self.call.calendar(),
            env!("CARGO_PKG_VERSION")
        ]);
        let tag = format!("\"{}\"", digest(&question.to_string()));
        let is_known = knows(&self.request, &tag);
        let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        // A workbook contains its creation time: two of them are equivalent, not identical (RFC 9110, section
        // 8.8.1).
        response.insert_header((header::ETAG, format!("W/{tag}")));
        response.insert_header((header::CACHE_CONTROL, format!("public, max-age={seconds}")));
        response.insert_header((header::VARY, "Accept, Accept-Language"));
        if is_known {
            return Ok(response.finish());
        }
        // Sheets have real dates, regardless of the calendar in which they are displayed.
        let value = self
            .call
            .rendered(|| calendar::using(Calendar::Gregorian, || serde_json::to_value(table)))
            .map_err(Problem::internal)?;
        let file = format!("attachment; filename=\"{}-{}.xlsx\"", self.call.operation().id, head.quarter);
        let about = self.about(&head, title, columns);
        let book =
            web::block(move || workbook(about, &value["items"])).await.map_err(Problem::internal)??;
        response
            .insert_header((header::CONTENT_TYPE, Format::Xlsx.media_type()))
            .insert_header((header::CONTENT_DISPOSITION, file));
        Ok(response.body(book))
    }

    fn about(&self, head: &Head, title: Text, columns: &[Column]) -> About {
        let fields = self.call.fields();
        let is_wanted = |column: &&Column| fields.as_ref().is_none_or(|fields| fields.contains(&column.name));
        let heading = |column: &Column| Heading {
            name: column.name.into(),
            title: Text::new(column.title_fa, column.title_en),
            kind: column.kind,
        };
        let provenance = vec![
            (Text::new("فصل", "Quarter"), head.quarter.to_string()),
            (Text::new("روز گزارش", "As of"), Date::from(head.as_of).in_calendar(self.call.calendar())),
            (
                Text::new("زمان انتشار", "Published at"),
                head.published_at.to_rfc3339_opts(SecondsFormat::Secs, true),
            ),
            (
                Text::new("چکیدهٔ جدول‌های فصل (SHA-256)", "Digest of the quarter (SHA-256)"),
                head.digest.clone(),
            ),
            (Text::new("نشانی", "Address"), format!("{PREFIX}/public/statistics/{}", head.quarter)),
        ];
        let (language, calendar) = (self.call.language(), self.call.calendar());
        About {
            title,
            columns: columns.iter().filter(is_wanted).map(heading).collect(),
            provenance,
            language,
            calendar,
        }
    }
}

/// Rows as a workbook.
fn workbook(about: About, rows: &Value) -> Result<Vec<u8>, Problem> {
    use std::io::Read;
    let (mut sheet, mut hash) = (Sheet::new(about)?, Sha256::new());
    for row in rows.as_array().into_iter().flatten() {
        hash.update(format!("{row}\n"));
        sheet.row(row)?;
    }
    let mut book = Vec::new();
    sheet.finish(&Value::Null, &hex(&hash.finalize()))?.read_to_end(&mut book).map_err(temporary::refused)?;
    Ok(book)
}
