//! Who is at the other end of the connection.

use actix_web::{HttpRequest, web};

use crate::config::Config;

/// The address of the client. `X-Forwarded-For` counts only where the configuration says that a proxy
/// stands in front, and then only its last entry, which is the one that the proxy itself wrote.
pub fn address(request: &HttpRequest) -> String {
    let behind_proxy = request.app_data::<web::Data<Config>>().is_some_and(|config| config.behind_proxy);
    let forwarded = request.headers().get("x-forwarded-for").filter(|_| behind_proxy);
    let last = forwarded.and_then(|value| value.to_str().ok()?.rsplit(',').next()).map(|address| address.trim().to_owned());
    last.or_else(|| request.peer_addr().map(|peer| peer.ip().to_string())).unwrap_or_default()
}
