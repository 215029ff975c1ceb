//! Rendering of answers: calendar, fields, format, and ETag.

use actix_web::{
    FromRequest, HttpRequest, HttpResponse, Responder,
    body::BoxBody,
    dev::Payload,
    http::{Method, StatusCode, header},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    Call, Page, Ready,
    authorization::Format,
    csv,
    document::{PREFIX, SPARSE},
    geojson,
};
use crate::{
    personal,
    problem::{Problem, etag},
    store::{Reading, Record},
    values::hex,
};

/// A finished answer. It can be stored with the write that made it, for repeated requests.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
    /// Number of personal values shown in clear.
    #[serde(default)]
    shown: u64,
    /// The body with a secret that is shown once.
    #[serde(skip)]
    body_once: Option<String>,
}

impl Answer {
    /// An answer without a body (204).
    pub fn no_content() -> Self {
        Self { status: 204, headers: Vec::new(), body: String::new(), shown: 0, body_once: None }
    }

    /// The id of the record that it shows.
    pub(super) fn record_id(&self) -> Option<Uuid> {
        #[derive(Deserialize)]
        struct Identified {
            id: Uuid,
        }
        serde_json::from_str::<Identified>(&self.body).ok().map(|record| record.id)
    }

    /// Number of personal values shown in clear.
    pub(super) fn shown(&self) -> u64 {
        self.shown
    }

    /// Adds a header.
    pub fn with_header(mut self, name: header::HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name.to_string(), value.into()));
        self
    }

    /// Makes it cacheable for everybody, for this number of seconds.
    pub fn public(mut self, seconds: u32) -> Self {
        self.headers.retain(|(name, _)| {
            ![header::CACHE_CONTROL.as_str(), header::VARY.as_str()].contains(&name.as_str())
        });
        self.with_header(header::CACHE_CONTROL, format!("public, max-age={seconds}"))
            .with_header(header::VARY, "Accept, Accept-Language")
    }

    /// Adds a member to this response only. It is not stored: a repeated request gets the answer without it.
    pub fn with_secret(mut self, name: &str, secret: &str) -> Result<Self, Problem> {
        let mut body: Value = serde_json::from_str(&self.body).map_err(Problem::internal)?;
        body[name] = Value::from(secret);
        self.body_once = Some(body.to_string());
        self.headers.retain(|(name, _)| name != header::CACHE_CONTROL.as_str());
        Ok(self.with_header(header::CACHE_CONTROL, "no-store"))
    }

    /// Makes it a 201 with the address of the new record.
    pub fn created<R: Record>(self, row: &R) -> Self {
        self.created_at(&row.address())
    }

    /// Makes it a 201 with an address below `/api/v1`.
    pub fn created_at(mut self, address: &str) -> Self {
        self.status = 201;
        self.with_header(header::LOCATION, format!("{PREFIX}/{address}"))
    }
}

impl Responder for Answer {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = HttpResponse::build(status);
        for (name, value) in &self.headers {
            response.append_header((name.as_str(), value.as_str()));
        }
        response.body(self.body_once.unwrap_or(self.body))
    }
}

/// Requested form of the answer: `calendar`, `fields`, `format`, `Accept` and `If-None-Match`.
#[derive(Clone)]
pub struct Shape {
    request: HttpRequest,
    call: Call,
}

impl FromRequest for Shape {
    type Error = Problem;
    type Future = Ready<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(Call::of(request).map(|call| Self::new(request, &call)))
    }
}

/// Cacheability of an answer (RFC 9111, section 5.2.2).
#[derive(Clone, Copy)]
enum Storage {
    /// By the client alone, which revalidates it each time.
    OfTheCaller,
    /// Nowhere: it holds personal data in clear.
    Never,
}

impl Storage {
    fn directives(self) -> &'static str {
        match self {
            Self::OfTheCaller => "private, no-cache",
            Self::Never => "no-store",
        }
    }
}

impl Shape {
    /// The shape of the answer to a request.
    pub(super) fn new(request: &HttpRequest, call: &Call) -> Self {
        Self { request: request.clone(), call: call.clone() }
    }

    /// One record, with the ETag of its version; of version and content, if the answer depends on more than
    /// the version: with derived or included parts, masked, in another calendar, sparse.
    pub async fn record<R: Record>(&self, row: &R, reading: &Reading<'_>) -> Result<Answer, Problem> {
        let mut views = R::views(std::slice::from_ref(row), reading).await?;
        let (body, storage) = self.json(&views.pop())?;
        let plain = personal::in_clear(|| serde_json::to_string(&row.view())).map_err(Problem::internal)?;
        let tag = if body == plain {
            etag(row.version())
        } else {
            format!("\"{}-{}\"", row.version(), digest(&body))
        };
        Ok(self.finish(self.media_type(), body, tag, storage))
    }

    /// A page of a list, with `Link: rel="next"` while there is a next one (RFC 8288).
    pub fn page<V: Serialize>(&self, page: &Page<V>) -> Result<Answer, Problem> {
        let answer = self.items(page)?;
        Ok(match &page.next_cursor {
            Some(cursor) => answer.with_header(header::LINK, self.next_link(cursor)),
            None => answer,
        })
    }

    /// A value with `items`, as JSON or CSV, with the hash of its content as ETag.
    pub fn items<V: Serialize>(&self, list: &V) -> Result<Answer, Problem> {
        match self.call.format() {
            Format::Csv => {
                let (value, storage) = self.rendered(|| serde_json::to_value(list))?;
                let body =
                    csv::table(&self.call.columns(), &value["items"], self.call.has_byte_order_mark())?;
                Ok(self.saved(body, &self.call.operation().id, storage))
            }
            Format::GeoJson => {
                let (value, storage) = self.rendered(|| serde_json::to_value(list))?;
                let body = geojson::collection(&value["items"]).to_string();
                let tag = format!("\"{}\"", digest(&body));
                Ok(self.finish(Format::GeoJson.media_type(), body, tag, storage))
            }
            _ => self.value(list),
        }
    }

    /// A CSV table without personal data, as a download, with the hash of its content as ETag.
    pub fn table(&self, body: String, name: &str) -> Answer {
        self.saved(body, name, Storage::OfTheCaller)
    }

    fn saved(&self, body: String, name: &str, storage: Storage) -> Answer {
        let (tag, disposition) =
            (format!("\"{}\"", digest(&body)), format!("attachment; filename=\"{name}.csv\""));
        self.finish("text/csv; charset=utf-8; header=present", body, tag, storage)
            .with_header(header::CONTENT_DISPOSITION, disposition)
    }

    /// Any value, with the hash of its content as ETag.
    pub fn value<V: Serialize>(&self, value: &V) -> Result<Answer, Problem> {
        let (body, storage) = self.json(value)?;
        let tag = format!("\"{}\"", digest(&body));
        Ok(self.finish(self.media_type(), body, tag, storage))
    }

    fn media_type(&self) -> &'static str {
        if self.call.fields().is_some() { SPARSE } else { "application/json" }
    }

    /// Serializes for the caller, and determines the cacheability of the answer.
    fn rendered<T>(&self, work: impl FnOnce() -> serde_json::Result<T>) -> Result<(T, Storage), Problem> {
        let value = self.call.rendered(work).map_err(Problem::internal)?;
        Ok((value, if self.call.shown() > 0 { Storage::Never } else { Storage::OfTheCaller }))
    }

    fn json<V: Serialize>(&self, value: &V) -> Result<(String, Storage), Problem> {
        self.rendered(|| match self.call.fields() {
            None => serde_json::to_string(value),
            Some(fields) => {
                let mut value = serde_json::to_value(value)?;
                let records = match value.get_mut("items").and_then(Value::as_array_mut) {
                    Some(items) => items.iter_mut().collect(),
                    None => vec![&mut value],
                };
                for record in records.into_iter().filter_map(Value::as_object_mut) {
                    record.retain(|name, _| fields.contains(&name.as_str()));
                }
                serde_json::to_string(&value)
            }
        })
    }

    fn finish(&self, media_type: &str, body: String, tag: String, storage: Storage) -> Answer {
        let is_known = knows(&self.request, &tag);
        let (status, body) = if is_known { (304, String::new()) } else { (200, body) };
        let answer = Answer { status, headers: Vec::new(), body, shown: self.call.shown(), body_once: None }
            .with_header(header::ETAG, tag)
            .with_header(header::CACHE_CONTROL, storage.directives())
            .with_header(header::VARY, "Accept, Accept-Language, Authorization");
        if is_known { answer } else { answer.with_header(header::CONTENT_TYPE, media_type) }
    }

    fn next_link(&self, cursor: &str) -> String {
        let kept = self
            .request
            .query_string()
            .split('&')
            .filter(|part| !part.is_empty() && !part.starts_with("cursor="));
        let query = kept.map(str::to_owned).chain([format!("cursor={cursor}")]).collect::<Vec<_>>().join("&");
        format!("<{}?{query}>; rel=\"next\"", self.request.path())
    }
}

/// Whether the caller of a GET has the representation of this ETag: weak comparison of `If-None-Match` (RFC
/// 9110, section 13.1.2), regardless of the content encoding.
pub fn knows(request: &HttpRequest, tag: &str) -> bool {
    let header = request
        .headers()
        .get(header::IF_NONE_MATCH)
        .filter(|_| matches!(*request.method(), Method::GET | Method::HEAD));
    let known = header.and_then(|header| header.to_str().ok()).unwrap_or_default();
    known
        .split(',')
        .map(|known| known.trim().trim_start_matches("W/"))
        .any(|known| known == "*" || super::compress::without_encoding(known) == tag)
}

/// The beginning of a hash, long enough to distinguish contents.
pub fn digest(body: &str) -> String {
    hex(&Sha256::digest(body.as_bytes())[..8])
}
