//! Database address, with its password kept separately.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::{Deserialize, Serialize, Serializer};
use sqlx::{postgres::PgConnectOptions, sqlite::SqliteConnectOptions};
use url::Url;

use super::Secret;

/// The parameters of an address that the driver of PostgreSQL reads, but for `password`. It would log any
/// other one with its value.
const PARAMETERS: [&str; 16] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
];

/// The port of PostgreSQL.
const PORT: u16 = 5432;

/// An address that the driver can parse. The password is kept apart: no `Debug`, `Display` or serialization
/// shows it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub struct DatabaseUrl {
    place: Place,
    password: Option<Secret>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// A file, with the parameters of its address.
    Sqlite { path: PathBuf, address: String },
    /// A server and a database, without the password.
    Postgres {
        /// The address, with the first of the hosts.
        url: Url,
        /// All hosts that the database may be at, with their ports, in the order in which they are tried.
        hosts: Vec<(String, u16)>,
        /// Requirement on the server.
        wanted: Wanted,
    },
}

/// Server selection, as in `target_session_attrs` (libpq, "Connection Parameters").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// The first that answers.
    #[default]
    Any,
    /// A server that takes writes.
    ReadWrite,
    /// A server that takes no writes.
    ReadOnly,
    /// The primary.
    Primary,
    /// A standby.
    Standby,
    /// A standby, or any where there is none.
    PreferStandby,
}

impl Wanted {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "any" => Self::Any,
            "read-write" => Self::ReadWrite,
            "read-only" => Self::ReadOnly,
            "primary" => Self::Primary,
            "standby" => Self::Standby,
            "prefer-standby" => Self::PreferStandby,
            _ => return None,
        })
    }

    /// Whether a server meets the requirement.
    pub fn holds(self, is_standby: bool, is_read_only: bool) -> bool {
        match self {
            Self::Any => true,
            Self::ReadWrite => !is_read_only,
            Self::ReadOnly => is_read_only,
            Self::Primary => !is_standby,
            Self::Standby | Self::PreferStandby => is_standby,
        }
    }
}

/// Errors of an address. They contain no part of it: if it was parsed wrongly, any part may be of the
/// password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadAddress {
    /// It is neither SQLite's nor PostgreSQL's.
    Scheme,
    /// The driver of PostgreSQL cannot parse it, or misreads a part of the password.
    Postgres,
    /// It has a parameter that is not known.
    Parameter,
    /// The driver of SQLite cannot parse it.
    Sqlite,
    /// It is a database in memory.
    Memory,
}

impl fmt::Display for BadAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (why, postgres) = match self {
            Self::Scheme => ("it must be sqlite://FILE or postgres://USER:PASSWORD@HOST/DATABASE", false),
            Self::Postgres => ("it cannot be parsed as postgres://USER:PASSWORD@HOST:PORT/DATABASE", true),
            Self::Parameter => ("it has a parameter that the driver does not know", true),
            Self::Sqlite => (
                "it cannot be parsed as sqlite://FILE; a ? in the name of the file is written %3F, and a % is written %25",
                false,
            ),
            Self::Memory => {
                ("a database in memory is lost with its connection; it must be sqlite://FILE", false)
            }
        };
        write!(f, "database_url is refused: {why}")?;
        if postgres {
            f.write_str(
                ". Does the password hold one of # / ? @ % : [ ]? It has to be percent-encoded there (# is %23), or given apart: \
                 in PGPASSWORD, or in a file that PGPASSWORD_FILE names",
            )?;
        }
        Ok(())
    }
}

impl std::error::Error for BadAddress {}

impl FromStr for DatabaseUrl {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        if text.starts_with("sqlite:") {
            return sqlite(text);
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return postgres(text);
        }
        Err(BadAddress::Scheme)
    }
}

impl TryFrom<String> for DatabaseUrl {
    type Error = BadAddress;

    fn try_from(text: String) -> Result<Self, BadAddress> {
        text.parse()
    }
}

fn sqlite(text: &str) -> Result<DatabaseUrl, BadAddress> {
    let options: SqliteConnectOptions = text.parse().map_err(|_| BadAddress::Sqlite)?;
    let (file, parameters) = text.split_once('?').unwrap_or((text, ""));
    let is_in_memory = file.ends_with(":memory:")
        || url::form_urlencoded::parse(parameters.as_bytes()).any(|(_, value)| value == "memory");
    let path = options.get_filename().to_owned();
    if is_in_memory {
        return Err(BadAddress::Memory);
    }
    if path.as_os_str().is_empty() {
        return Err(BadAddress::Sqlite);
    }
    Ok(DatabaseUrl { place: Place::Sqlite { path, address: text.to_owned() }, password: None })
}

/// The hosts of an address, and the address with only the first of them: URL parsers accept a single port,
/// not a list.
fn hosts(text: &str) -> Result<(String, Vec<(String, u16)>), BadAddress> {
    let start = text.find("://").map_or(0, |scheme| scheme + 3);
    let end = text[start..].find(['/', '?', '#']).map_or(text.len(), |end| start + end);
    let start = text[start..end].rfind('@').map_or(start, |at| start + at + 1);
    let list = &text[start..end];
    if !list.contains(',') {
        return Ok((text.to_owned(), Vec::new()));
    }
    let host = |host: &str| {
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.contains(']') => {
                (name, port.parse().map_err(|_| BadAddress::Postgres)?)
            }
            _ => (host, PORT),
        };
        if name.is_empty() {
            Err(BadAddress::Postgres)
        } else {
            Ok((name.trim_matches(['[', ']']).to_owned(), port))
        }
    };
    let hosts = list.split(',').map(host).collect::<Result<Vec<_>, _>>()?;
    let first = list.split(',').next().unwrap_or_default();
    Ok((format!("{}{first}{}", &text[..start], &text[end..]), hosts))
}

fn postgres(text: &str) -> Result<DatabaseUrl, BadAddress> {
    let (text, hosts) = hosts(text)?;
    let mut url: Url = text.parse().map_err(|_| BadAddress::Postgres)?;
    // After a `#`, `/` or `?` in a password, its rest is misread and contains the `@` before the host.
    let rest = format!("{}{}", url.path(), url.query().unwrap_or_default());
    if url.fragment().is_some()
        || rest.contains('@')
        || text.chars().any(|c| c.is_whitespace() || c.is_control())
    {
        return Err(BadAddress::Postgres);
    }
    let of_user = url.password().map(|password| {
        percent_encoding::percent_decode_str(password).decode_utf8().map(|text| Secret::new(&text))
    });
    let mut password = of_user.transpose().map_err(|_| BadAddress::Postgres)?;
    let (mut kept, mut wanted) = (Vec::new(), Wanted::Any);
    for (name, value) in url.query_pairs() {
        match &*name {
            "password" => password = Some(Secret::new(&value)),
            "target_session_attrs" => wanted = Wanted::parse(&value).ok_or(BadAddress::Parameter)?,
            "user" => kept.push((name.into_owned(), value.into_owned())),
            known if PARAMETERS.contains(&known) || known.starts_with("options[") => {
                kept.push((name.into_owned(), value.into_owned()))
            }
            _ => return Err(BadAddress::Parameter),
        }
    }
    // It fails where there is no host, and so nothing to take away.
    if url.set_password(None).is_err() && url.password().is_some() {
        return Err(BadAddress::Postgres);
    }
    url.set_query(None);
    if !kept.is_empty() {
        url.query_pairs_mut().extend_pairs(kept);
    }
    url.as_str().parse::<PgConnectOptions>().map_err(|_| BadAddress::Postgres)?;
    Ok(DatabaseUrl { place: Place::Postgres { url, hosts, wanted }, password })
}

impl DatabaseUrl {
    /// The address of a file.
    pub fn of_file(path: &str) -> Self {
        Self {
            place: Place::Sqlite { path: path.into(), address: format!("sqlite://{path}") },
            password: None,
        }
    }

    /// The address without its password, in the driver's format.
    pub fn without_password(&self) -> &str {
        match &self.place {
            Place::Sqlite { address, .. } => address,
            Place::Postgres { url, .. } => url.as_str(),
        }
    }

    /// The password, where the address has one or it was given in a file. The driver itself reads
    /// `PGPASSWORD` and `~/.pgpass`.
    pub fn password(&self) -> Option<&Secret> {
        self.password.as_ref()
    }

    /// The same address with a password; the one that it has already counts.
    pub fn or_password(self, password: Option<Secret>) -> Self {
        let password = password.filter(|_| self.file().is_none());
        Self { password: self.password.or(password), ..self }
    }

    /// The file, where the database is the embedded one.
    pub fn file(&self) -> Option<&Path> {
        match &self.place {
            Place::Sqlite { path, .. } => Some(path),
            Place::Postgres { .. } => None,
        }
    }

    /// A parameter of a PostgreSQL address, in either spelling: `sslrootcert` or `ssl-root-cert`.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let Place::Postgres { url, .. } = &self.place else { return None };
        url.query_pairs()
            .find(|(spelt, _)| spelt.replace('-', "") == name)
            .map(|(_, value)| value.into_owned())
    }

    /// The hosts of an address that names several, with their ports.
    pub fn hosts(&self) -> &[(String, u16)] {
        match &self.place {
            Place::Postgres { hosts, .. } => hosts,
            Place::Sqlite { .. } => &[],
        }
    }

    /// Requirement on the server.
    pub fn wanted(&self) -> Wanted {
        match &self.place {
            Place::Postgres { wanted, .. } => *wanted,
            Place::Sqlite { .. } => Wanted::Any,
        }
    }

    /// The address with its password, for the environment of another process.
    pub fn reveal(&self) -> String {
        match (&self.place, &self.password) {
            (Place::Postgres { url, .. }, Some(password)) => {
                let mut url = url.clone();
                url.query_pairs_mut().append_pair("password", password.reveal());
                url.into()
            }
            _ => self.without_password().to_owned(),
        }
    }
}

/// Shows that there is a password.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut address = self.without_password().to_owned();
        if let [(first, port), others @ ..] = self.hosts() {
            let others: String = others.iter().map(|(host, port)| format!(",{host}:{port}")).collect();
            let place = [format!("{first}:{port}"), first.clone()]
                .into_iter()
                .find(|place| address.contains(place.as_str()))
                .unwrap_or_default();
            address = address.replacen(&place, &format!("{first}:{port}{others}"), 1);
        }
        match (&self.password, address.split_once("://")) {
            (Some(_), Some((scheme, rest))) => match rest.split_once('@') {
                Some((user, place)) => write!(f, "{scheme}://{user}:…@{place}"),
                None => write!(f, "{scheme}://:…@{rest}"),
            },
            _ => f.write_str(&address),
        }
    }
}

impl Serialize for DatabaseUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_password_is_kept_apart() {
        for (address, shown, password) in [
            ("postgres://u:s3cret@db/x", "postgres://u:…@db/x", "s3cret"),
            (
                "postgres://u:s3%23cret@db:1/x?sslmode=require",
                "postgres://u:…@db:1/x?sslmode=require",
                "s3#cret",
            ),
            (
                "postgresql://u@db/x?password=s3cret&sslmode=require",
                "postgresql://u:…@db/x?sslmode=require",
                "s3cret",
            ),
            ("postgres://db/x?user=u&password=s3%26cret", "postgres://:…@db/x?user=u", "s3&cret"),
            (
                "postgres:///x?host=/run/postgresql&password=s3cret",
                "postgres://:…@/x?host=%2Frun%2Fpostgresql",
                "s3cret",
            ),
            ("postgres://u:s3@cret@db/x", "postgres://u:…@db/x", "s3@cret"),
        ] {
            let parsed: DatabaseUrl = address.parse().unwrap();
            assert_eq!(
                (parsed.to_string().as_str(), parsed.password().map(Secret::reveal)),
                (shown, Some(password)),
                "{address}"
            );
            assert!(
                !format!("{parsed:?}{}", serde_json::to_string(&parsed).unwrap()).contains("cret"),
                "{parsed:?}"
            );
            assert!(!parsed.without_password().contains("cret"));
        }
        let several: DatabaseUrl =
            "postgres://u:s3cret@one,two:6432,[::1]:7000/x?target_session_attrs=read-write".parse().unwrap();
        assert_eq!(
            several.hosts(),
            [("one".to_owned(), 5432), ("two".to_owned(), 6432), ("::1".to_owned(), 7000)]
        );
        assert_eq!((several.wanted(), several.without_password()), (Wanted::ReadWrite, "postgres://u@one/x"));
        assert_eq!(several.to_string(), "postgres://u:…@one:5432,two:6432,::1:7000/x");
        let revealed = "postgres://u:a%23b@db/x".parse::<DatabaseUrl>().unwrap().reveal();
        assert_eq!(revealed, "postgres://u@db/x?password=a%23b");
    }

    #[test]
    fn an_address_that_would_be_taken_apart_wrongly_is_refused() {
        for (address, why) in [
            ("postgres://u:s3#cret@db/x", BadAddress::Postgres),
            ("postgres://u:12#cret@db/x", BadAddress::Postgres),
            ("postgres://u:12/cret@db/x", BadAddress::Postgres),
            ("postgres://u:12?cret@db/x", BadAddress::Postgres),
            ("postgres://u:s3/cret@db/x", BadAddress::Postgres),
            ("postgres://u:%ffcret@db/x", BadAddress::Postgres),
            ("postgres://u:cr et@db/x", BadAddress::Postgres),
            ("postgres://u@db:port/x", BadAddress::Postgres),
            ("postgres://u@one,two:port/x", BadAddress::Postgres),
            ("postgres://u@one,/x", BadAddress::Postgres),
            ("postgres://u@db/x?target_session_attrs=best", BadAddress::Parameter),
            ("postgres://u@db/x?sslmode=loud", BadAddress::Postgres),
            ("postgres://u@db/x?sslpassword=cret", BadAddress::Parameter),
            ("mysql://u:cret@db/x", BadAddress::Scheme),
            ("cret", BadAddress::Scheme),
            ("sqlite::memory:", BadAddress::Memory),
            ("sqlite://x?mode=memory", BadAddress::Memory),
            ("sqlite://x?mode=cret", BadAddress::Sqlite),
            ("sqlite://", BadAddress::Sqlite),
        ] {
            assert_eq!(address.parse::<DatabaseUrl>().unwrap_err(), why, "{address}");
            assert!(!why.to_string().contains("cret"));
        }
        let file: DatabaseUrl = "sqlite:///srv/memory/khoosheh.sqlite?mode=rwc".parse().unwrap();
        assert_eq!(file.file(), Some(Path::new("/srv/memory/khoosheh.sqlite")));
    }
}
