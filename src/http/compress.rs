//! Compression of answers (RFC 9110, section 8.4): above a size threshold, and at levels that are affordable
//! for lists.

use std::io::Write;

use actix_web::{
    Error, HttpRequest,
    body::{BodySize, BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::header::{self, HeaderValue},
    middleware::Next,
    web,
};

use super::{negotiation::preferences, unread::IsShared};

/// Answers below this many bytes fit into one or two packets anyway.
const THRESHOLD: u64 = 2_048;

/// Supported encodings, in the order of preference among equal weights.
pub(super) const ENCODINGS: [&str; 3] = ["zstd", "br", "gzip"];

/// Marks an answer that is sent unchanged, such as an attached file.
#[derive(Clone, Copy, Debug)]
pub struct AsItIs;

/// Compresses sufficiently large text in the encoding that `Accept-Encoding` prefers.
pub async fn compress(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let wanted = encoding_of(request.request()).map(|(_, encoding)| encoding);
    let response = next.call(request).await?.map_into_boxed_body();
    let is_large = matches!(response.response().body().size(), BodySize::Sized(size) if size >= THRESHOLD);
    let is_as_it_is = response.response().extensions().contains::<IsShared>()
        || response.response().extensions().contains::<AsItIs>();
    if is_as_it_is || !is_large || !is_text(&response) {
        return Ok(response);
    }
    let (request, mut response) = response.into_parts();
    response.headers_mut().append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    let Some(encoding) = wanted else { return Ok(ServiceResponse::new(request, response)) };
    let (mut response, body) = response.into_parts();
    let body = match body.try_into_bytes() {
        Ok(bytes) => bytes,
        Err(stream) => return Ok(ServiceResponse::new(request, response.set_body(stream))),
    };
    match encode(encoding, &body) {
        Ok(encoded) => {
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
            mark(headers, encoding);
            Ok(ServiceResponse::new(
                request,
                response.set_body(web::Bytes::from(encoded)).map_into_boxed_body(),
            ))
        }
        Err(_) => Ok(ServiceResponse::new(request, response.set_body(body).map_into_boxed_body())),
    }
}

/// The preferred encoding of a request, and its index in [`ENCODINGS`]; none for no encoding.
pub(super) fn encoding_of(request: &HttpRequest) -> Option<(usize, &'static str)> {
    let wanted = preferred(request.headers().get(header::ACCEPT_ENCODING)?.to_str().ok()?)?;
    Some((ENCODINGS.iter().position(|encoding| *encoding == wanted)?, wanted))
}

/// A strong ETag differs by encoding (RFC 9110, section 8.8.3): the encoding's name is appended.
fn mark(headers: &mut header::HeaderMap, encoding: &str) {
    let tag =
        headers.get(header::ETAG).and_then(|tag| tag.to_str().ok()?.strip_suffix('"').map(str::to_owned));
    if let Some(value) = tag.and_then(|tag| HeaderValue::from_str(&format!("{tag}-{encoding}\"")).ok()) {
        headers.insert(header::ETAG, value);
    }
}

/// An ETag without the encoding that [`compress`] appended.
pub fn without_encoding(tag: &str) -> std::borrow::Cow<'_, str> {
    let bare =
        ENCODINGS.iter().find_map(|encoding| tag.strip_suffix('"')?.strip_suffix(&format!("-{encoding}")));
    bare.map_or(tag.into(), |bare| format!("{bare}\"").into())
}

fn is_text(response: &ServiceResponse<BoxBody>) -> bool {
    let headers = response.headers();
    let media_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    !headers.contains_key(header::CONTENT_ENCODING)
        && ["text/", "application/json", "application/javascript", "application/problem+json", "image/svg"]
            .iter()
            .any(|prefix| media_type.starts_with(prefix))
}

/// The encoding with the highest weight; among equals the first of [`ENCODINGS`].
fn preferred(accept: &str) -> Option<&'static str> {
    let offers: Vec<(&str, f32)> = preferences(accept).collect();
    let weight = |encoding: &str| {
        let named = offers.iter().find(|(name, _)| name.eq_ignore_ascii_case(encoding));
        named.or_else(|| offers.iter().find(|(name, _)| *name == "*")).map_or(0.0, |(_, weight)| *weight)
    };
    ENCODINGS
        .into_iter()
        .rev()
        .max_by(|a, b| weight(a).total_cmp(&weight(b)))
        .filter(|best| weight(best) > 0.0)
}

/// Bytes in one of the [`ENCODINGS`].
pub(super) fn encode(encoding: &str, body: &[u8]) -> std::io::Result<Vec<u8>> {
    match encoding {
        "zstd" => zstd::bulk::compress(body, 1),
        "br" => {
            let mut writer = brotli::CompressorWriter::new(Vec::new(), 4096, 1, 20);
            writer.write_all(body)?;
            Ok(writer.into_inner())
        }
        _ => {
            let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            writer.write_all(body)?;
            writer.finish()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{preferred, without_encoding};

    #[test]
    fn the_heaviest_known_encoding_wins() {
        assert_eq!(preferred("gzip, deflate, br, zstd"), Some("zstd"));
        assert_eq!(preferred("gzip;q=0.9, br;q=0.5"), Some("gzip"));
        assert_eq!(preferred("*"), Some("zstd"));
        assert_eq!(preferred("gzip;q=0, identity"), None);
        assert_eq!(preferred(""), None);
    }

    #[test]
    fn an_etag_is_recognised_in_every_encoding() {
        assert_eq!(without_encoding("\"7-gzip\""), "\"7\"");
        assert_eq!(without_encoding("\"7\""), "\"7\"");
    }
}
