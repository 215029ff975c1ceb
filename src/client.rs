//! The client address of a connection.

use std::net::{IpAddr, Ipv6Addr};

use actix_web::{HttpRequest, web};

use crate::config::Config;

/// Client address. `X-Forwarded-For` counts only behind a configured proxy, and then only the last entry of
/// its last line, which the proxy itself wrote.
pub fn address(request: &HttpRequest) -> String {
    let behind_proxy = request.app_data::<web::Data<Config>>().is_some_and(|config| config.behind_proxy);
    let line = request.headers().get_all("x-forwarded-for").last().filter(|_| behind_proxy);
    let forwarded =
        line.and_then(|line| line.to_str().ok()?.rsplit(',').next()?.trim().parse::<IpAddr>().ok());
    forwarded
        .or_else(|| Some(request.peer_addr()?.ip()))
        .map(|address| address.to_string())
        .unwrap_or_default()
}

/// Key for counting the requests and connections of a client: an IPv4 address, or the /64 network of an IPv6
/// address, which belongs to one client.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

/// The [`network`] of an [`address`], as the key of a limit.
pub fn network_of(address: &str) -> String {
    address.parse().map_or_else(|_| address.to_owned(), |address| network(address).to_string())
}

/// The network of a request's client.
pub fn key(request: &HttpRequest) -> String {
    network_of(&address(request))
}
