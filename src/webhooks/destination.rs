//! Allowed destinations of events: no private or special addresses (SSRF), except in networks that the
//! configuration allows.
//!
//! An address is checked where it is used: a literal one before the request, a name by the resolver. The HTTP
//! client gets addresses from this resolver only, so that it never connects to an unchecked one.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use reqwest::{
    Client, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect,
};

use crate::{
    config::Config,
    problem::{Problem, Text, Violation},
};

/// Non-public addresses, after the registries of special-purpose addresses of IANA (RFC 6890), and the public
/// address of Azure's metadata service. Those of other clouds are private or link-local.
const SPECIAL_V4: &[Ipv4Net] = &[
    v4([0, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    v4([100, 64, 0, 0], 10),
    v4([127, 0, 0, 0], 8),
    v4([168, 63, 129, 16], 32),
    v4([169, 254, 0, 0], 16),
    v4([172, 16, 0, 0], 12),
    v4([192, 0, 0, 0], 24),
    v4([192, 0, 2, 0], 24),
    v4([192, 31, 196, 0], 24),
    v4([192, 52, 193, 0], 24),
    v4([192, 88, 99, 0], 24),
    v4([192, 168, 0, 0], 16),
    v4([192, 175, 48, 0], 24),
    v4([198, 18, 0, 0], 15),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    v4([224, 0, 0, 0], 4),
    v4([240, 0, 0, 0], 4),
];

/// All public addresses are in here,
const GLOBAL_V6: Ipv6Net = v6([0x2000, 0], 3);
/// except these: protocol assignments with Teredo, and documentation.
const SPECIAL_V6: &[Ipv6Net] = &[v6([0x2001, 0], 23), v6([0x2001, 0xdb8], 32), v6([0x3fff, 0], 20)];
/// Prefixes with an embedded IPv4 address: 6to4, and the well-known prefix of NAT64.
const SIX_TO_FOUR: Ipv6Net = v6([0x2002, 0], 16);
const NAT64: Ipv6Net = v6([0x64, 0xff9b], 96);

const fn v4([a, b, c, d]: [u8; 4], length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn v6([a, b]: [u16; 2], length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), length)
}

/// Whether an address is one of the public Internet.
fn is_public(address: IpAddr) -> bool {
    let address = match address.to_canonical() {
        IpAddr::V4(address) => return !SPECIAL_V4.iter().any(|net| net.contains(&address)),
        IpAddr::V6(address) => address,
    };
    let [_, a, b, .., d, e] = address.segments();
    let embedded =
        |high: u16, low: u16| IpAddr::V4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    if SIX_TO_FOUR.contains(&address) {
        return is_public(embedded(a, b));
    }
    if NAT64.contains(&address) {
        return is_public(embedded(d, e));
    }
    GLOBAL_V6.contains(&address) && !SPECIAL_V6.iter().any(|net| net.contains(&address))
}

/// Rule for allowed addresses.
#[derive(Clone, Debug)]
struct Rule {
    /// The networks that are allowed in spite of all.
    networks: Arc<[IpNet]>,
    /// Whether the public Internet is allowed.
    is_public_allowed: bool,
}

impl Rule {
    /// The rule for addresses of a scheme: in clear nothing leaves the networks that the configuration
    /// allows.
    fn of(scheme: &str, networks: &[IpNet]) -> Self {
        Self { networks: networks.into(), is_public_allowed: scheme == "https" }
    }

    fn allows(&self, address: IpAddr) -> bool {
        let canonical = address.to_canonical();
        self.networks.iter().any(|net| net.contains(&canonical))
            || (self.is_public_allowed && is_public(address))
    }
}

/// An address that may not be sent to.
#[derive(Debug)]
pub struct AddressRefused;

impl fmt::Display for AddressRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the address is private or special")
    }
}

impl std::error::Error for AddressRefused {}

impl Resolve for Rule {
    fn resolve(&self, name: Name) -> Resolving {
        let rule = self.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            // One address that is not allowed is enough: a name of the Internet has none.
            if !found.iter().all(|address| rule.allows(address.ip())) {
                return Err(AddressRefused.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// The address of a literal host; the URL library has read every spelling of it by then (decimal, octal,
/// hexadecimal).
fn literal(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Maximum length of an address in bytes, including escapes.
const MOST_BYTES: usize = 2_000;

/// Validates an address for events: absolute, without user, password or fragment, and not refused.
pub fn checked(url: &str, networks: &[IpNet]) -> Result<Url, Violation> {
    let refuse =
        |code, fa: &'static str, en: &'static str| Err(Violation::body("/url", code, Text::new(fa, en)));
    let Some(url) =
        Url::parse(url).ok().filter(|url| url.has_host() && matches!(url.scheme(), "https" | "http"))
    else {
        return refuse("wrong_format", "این نشانی اینترنتی درست نیست.", "This is not a valid address.");
    };
    if !url.username().is_empty() || url.password().is_some() {
        return refuse(
            "has_credentials",
            "نام کاربری و گذرواژه در نشانی پذیرفته نیست.",
            "User names and passwords are not accepted in the address.",
        );
    }
    if url.as_str().len() > MOST_BYTES {
        return refuse(
            "too_long",
            "این نشانی، چنان‌که فرستاده می‌شود، بیش از ۲۰۰۰ نویسه دارد.",
            "As it is sent, the address has more than 2,000 characters.",
        );
    }
    if url.fragment().is_some() {
        return refuse(
            "has_fragment",
            "بخش پس از # در نشانی پذیرفته نیست.",
            "A fragment (after #) is not accepted in the address.",
        );
    }
    let (is_clear, rule) = (url.scheme() == "http", Rule::of(url.scheme(), networks));
    let is_possible = match literal(&url) {
        Some(address) => rule.allows(address),
        None => !is_clear || !networks.is_empty(),
    };
    match (is_possible, is_clear) {
        (true, _) => Ok(url),
        (false, true) => refuse(
            "not_https",
            "نشانی باید با https آغاز شود؛ http تنها برای شبکه‌هایی است که پیکربندی سامانه اجازه می‌دهد.",
            "The address has to begin with https; http is for networks that the configuration of the service allows.",
        ),
        (false, false) => refuse(
            "address_refused",
            "رویدادها به نشانی‌های خصوصی یا ویژه فرستاده نمی‌شود.",
            "Events are not sent to private or special addresses.",
        ),
    }
}

/// The HTTP clients that send events.
#[derive(Clone)]
pub struct Clients {
    https: Client,
    http: Client,
    networks: Arc<[IpNet]>,
}

impl Clients {
    /// Makes them. A machine without certificates can be no client of TLS, and is a service all the same.
    pub fn new(config: &Config) -> Result<Self, Problem> {
        let builder = |scheme: &str| {
            Client::builder()
                .dns_resolver(Arc::new(Rule::of(scheme, &config.webhook_networks)))
                .timeout(Duration::from_secs(config.webhook_timeout_seconds))
                .redirect(redirect::Policy::none())
                .retry(reqwest::retry::never())
                .referer(false)
                // A proxy of the environment would resolve names by itself.
                .no_proxy()
                .pool_max_idle_per_host(2)
                .pool_idle_timeout(Duration::from_secs(30))
                .user_agent(concat!("Khoosheh/", env!("CARGO_PKG_VERSION")))
        };
        let without_certificates =
            |scheme: &str| builder(scheme).tls_certs_only([]).build().map_err(Problem::internal);
        let https = builder("https").build().or_else(|error| {
            tracing::warn!(%error, "no certificates of authorities were found: webhooks with https fail");
            without_certificates("https")
        })?;
        Ok(Self {
            https,
            http: without_certificates("http")?,
            networks: config.webhook_networks.as_slice().into(),
        })
    }

    /// The client for an address. A literal one is checked here, because it is never resolved.
    pub fn of(&self, url: &str) -> Result<(&Client, Url), AddressRefused> {
        let url = checked(url, &self.networks).map_err(|_| AddressRefused)?;
        Ok((if url.scheme() == "https" { &self.https } else { &self.http }, url))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_is_not_public_is_refused() {
        for special in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a00:1",
            "64:ff9b:1::808:808",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2002:a00:1::",
            "2002:a9fe:a9fe::",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "5f00::1",
        ] {
            assert!(!is_public(special.parse().unwrap()), "{special}");
        }
        for public in [
            "1.1.1.1",
            "9.255.255.255",
            "100.63.255.255",
            "100.128.0.0",
            "172.32.0.0",
            "185.51.200.2",
            "2606:4700::1111",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "2002:101:101::",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn a_literal_address_is_refused_in_every_spelling() {
        let code =
            |url: &str, networks: &[IpNet]| checked(url, networks).err().map(|violation| violation.code());
        for refused in [
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0177.0.0.1/",
            "https://0x7f.1/",
            "https://127.0.0.1./",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:7f00:1]/",
            "https://①②⑦.0.0.1/",
            "https://0/",
            "https://169.254.169.254/latest/meta-data/",
            "https://[fe80::1]/",
            "https://[64:ff9b::7f00:1]/",
        ] {
            assert_eq!(code(refused, &[]), Some("address_refused"), "{refused}");
        }
        let loopback: &[IpNet] = &["127.0.0.0/8".parse().unwrap()];
        for (url, networks, expected) in [
            ("https://erp.example.ir/khoosheh", &[][..], None),
            ("https://1.1.1.1:8443/x?y=z", &[], None),
            ("http://erp.example.ir/", &[], Some("not_https")),
            ("http://1.1.1.1/", loopback, Some("not_https")),
            ("http://erp.example.ir/", loopback, None),
            ("http://127.0.0.1:8080/", loopback, None),
            ("http://[::ffff:127.0.0.1]/", loopback, None),
            ("http://[::1]/", loopback, Some("not_https")),
            ("https://10.0.0.1/", loopback, Some("address_refused")),
            ("https://user@erp.example.ir/", &[], Some("has_credentials")),
            ("https://user:secret@erp.example.ir/", &[], Some("has_credentials")),
            ("https://erp.example.ir/#x", &[], Some("has_fragment")),
            (&format!("https://erp.example.ir/{}", "خ".repeat(400)), &[], Some("too_long")),
            ("ftp://erp.example.ir/", &[], Some("wrong_format")),
            ("https://", &[], Some("wrong_format")),
            ("https://erp example.ir/", &[], Some("wrong_format")),
        ] {
            assert_eq!(code(url, networks), expected, "{url}");
        }
    }
}
