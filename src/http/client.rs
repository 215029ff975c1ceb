//! Who is at the other end of the connection.

use std::net::IpAddr;

use actix_web::{HttpRequest, web};

use crate::config::Config;

/// The address of the client. `X-Forwarded-For` counts only where the configuration says that a proxy
/// stands in front, and then only the last entry of its last line, which is what the proxy itself wrote.
pub fn address(request: &HttpRequest) -> String {
    let behind_proxy = request.app_data::<web::Data<Config>>().is_some_and(|config| config.behind_proxy);
    let line = request.headers().get_all("x-forwarded-for").last().filter(|_| behind_proxy);
    let forwarded = line.and_then(|line| line.to_str().ok()?.rsplit(',').next()?.trim().parse::<IpAddr>().ok());
    forwarded.or_else(|| Some(request.peer_addr()?.ip())).map(|address| address.to_string()).unwrap_or_default()
}
