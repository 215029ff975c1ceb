//! Content negotiation: the weighted lists of the `Accept` headers.

use actix_web::http::header::{self, HeaderMap};

use crate::problem::Language;

/// The names of a list with their weights, 1 by default, 0 if unreadable (RFC 9110, section 12.4.2).
pub fn preferences(list: &str) -> impl Iterator<Item = (&str, f32)> {
    list.split(',').map(|offer| {
        let mut parts = offer.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let weight = parts
            .find_map(|parameter| parameter.strip_prefix("q="))
            .map_or(1.0, |q| q.parse().unwrap_or(0.0));
        (name, weight)
    })
}

/// Preferred language of `Accept-Language` (RFC 9110, section 12.5.4); Persian if it has none of the two.
pub fn language(headers: &HeaderMap) -> Language {
    let accept =
        headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut best = (0.0, Language::Persian);
    for (name, weight) in preferences(accept) {
        let language = match name.get(..2).map(str::to_ascii_lowercase).as_deref() {
            Some("fa") => Language::Persian,
            Some("en") => Language::English,
            _ => continue,
        };
        if weight > best.0 {
            best = (weight, language);
        }
    }
    best.1
}
