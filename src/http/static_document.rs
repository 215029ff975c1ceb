//! Static documents: bytes and compressed forms are created once for all readers.

use std::sync::OnceLock;

use actix_web::{HttpRequest, HttpResponse, http::header, web::Bytes};

use super::{compress, unread::IsShared};
use crate::problem::Problem;

/// A document in all its encodings.
#[derive(Debug)]
pub struct StaticDocument {
    media_type: String,
    plain: Bytes,
    encoded: [OnceLock<Bytes>; compress::ENCODINGS.len()],
}

impl StaticDocument {
    /// A document of a media type.
    pub fn new(media_type: impl Into<String>, plain: impl Into<Bytes>) -> Self {
        Self { media_type: media_type.into(), plain: plain.into(), encoded: Default::default() }
    }

    /// The answer to a request, in its preferred encoding; `cache` is the `Cache-Control`.
    pub fn answer(&self, request: &HttpRequest, cache: &'static str) -> Result<HttpResponse, Problem> {
        let mut response = HttpResponse::Ok();
        response
            .insert_header((header::CONTENT_TYPE, self.media_type.as_str()))
            .insert_header((header::CACHE_CONTROL, cache));
        response.insert_header((header::VARY, "Accept-Encoding"));
        let bytes = match compress::encoding_of(request) {
            Some((place, encoding)) => {
                response.insert_header((header::CONTENT_ENCODING, encoding));
                self.encoded(place, encoding)?
            }
            None => self.plain.clone(),
        };
        response.extensions_mut().insert(IsShared);
        Ok(response.body(bytes))
    }

    fn encoded(&self, place: usize, encoding: &str) -> Result<Bytes, Problem> {
        if let Some(bytes) = self.encoded[place].get() {
            return Ok(bytes.clone());
        }
        let bytes = Bytes::from(compress::encode(encoding, &self.plain).map_err(Problem::internal)?);
        Ok(self.encoded[place].get_or_init(|| bytes).clone())
    }
}
