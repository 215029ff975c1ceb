//! What a client prefers: the weighted lists of the `Accept` headers.

/// The names of a list and their weights, 1 where none is given, 0 where it is unreadable (RFC 9110, section 12.4.2).
pub fn preferences(list: &str) -> impl Iterator<Item = (&str, f32)> {
    list.split(',').map(|offer| {
        let mut parts = offer.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let weight = parts.find_map(|parameter| parameter.strip_prefix("q=")).map_or(1.0, |q| q.parse().unwrap_or(0.0));
        (name, weight)
    })
}
