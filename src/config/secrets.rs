//! Secrets, and values from files: instead of a variable `X`, `X_FILE` names a file with its value.

use std::fmt;

use figment::{
    Metadata, Profile, Provider,
    value::{Dict, Map, Value},
};

/// A text that is shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The clear text.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// Secrets that are none of the configuration's own keys.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    /// The key of the bucket and related values, under the names of object stores, if they come from files.
    /// Otherwise the library of the store reads the variables itself.
    pub bucket: Vec<(&'static str, Secret)>,
    /// The password of the demonstration's accounts.
    pub demo_password: Option<Secret>,
    /// Keys that encrypt the signing keys of access tokens: the current one first, then former ones.
    pub signing_key_encryption: Vec<Secret>,
    /// Key that encrypts personal values: 64 hexadecimal digits. Without it the database stores a key itself.
    pub personal_key: Option<Secret>,
    /// Keys of before, or of after the next restart, which only open personal values.
    pub former_personal_keys: Vec<Secret>,
}

/// The keys of [`Secrets`], as the configuration would call them.
pub const NAMES: [&str; 4] =
    ["demo_password", "signing_key_encryption", "personal_key", "former_personal_keys"];

/// Minimum length of an encrypting secret: half of the output of `openssl rand -hex 32`.
const MIN_LENGTH: usize = 32;

/// Variables that the libraries of stores read.
const OF_THE_BUCKET: [&str; 3] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

impl Secrets {
    /// Reads the secrets from the environment, or from files named there.
    pub fn load() -> Result<Self, String> {
        let mut bucket = Vec::new();
        for name in OF_THE_BUCKET {
            bucket.extend(of_file(name)?.map(|value| (name, value)));
        }
        let several = given("KHOOSHEH_FORMER_PERSONAL_KEYS")?;
        let several = several
            .iter()
            .flat_map(|text| text.reveal().split([',', ' ', '\n', '\r']))
            .filter(|key| !key.is_empty());
        let former_personal_keys = several.map(Secret::new).collect();
        let (demo_password, personal_key) =
            (given("KHOOSHEH_DEMO_PASSWORD")?, given("KHOOSHEH_PERSONAL_KEY")?);
        let signing_key_encryption = keys("KHOOSHEH_SIGNING_KEY_ENCRYPTION")?;
        Ok(Self { bucket, demo_password, signing_key_encryption, personal_key, former_personal_keys })
    }
}

/// A secret from its file or from the environment; none if unset or empty.
fn given(name: &str) -> Result<Option<Secret>, String> {
    let of_environment = || std::env::var(name).ok().map(|text| Secret::new(&text));
    Ok(of_file(name)?.or_else(of_environment).filter(|secret| !secret.reveal().is_empty()))
}

/// Keys that encrypt, separated by commas.
fn keys(name: &str) -> Result<Vec<Secret>, String> {
    let Some(list) = given(name)? else { return Ok(Vec::new()) };
    let keys: Vec<_> = list.reveal().split(',').map(|key| Secret::new(key.trim())).collect();
    if keys.iter().any(|key| key.reveal().chars().count() < MIN_LENGTH) {
        return Err(format!(
            "{name}: each key has {MIN_LENGTH} characters at least, such as `openssl rand -hex 32` gives"
        ));
    }
    Ok(keys)
}

/// The content of the file that `NAME_FILE` names, without its last line break; none where the variable is
/// not set or empty.
pub fn of_file(name: &str) -> Result<Option<Secret>, String> {
    let file = format!("{name}_FILE");
    let Some(path) = std::env::var_os(&file).filter(|path| !path.is_empty()) else { return Ok(None) };
    if std::env::var_os(name).is_some_and(|value| !value.is_empty()) {
        return Err(format!("{name} and {file} are both set: leave one out"));
    }
    let text = std::fs::read_to_string(&path)
        .map_err(|error| format!("{file}: {} cannot be read: {error}", path.display()))?;
    let text = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    if text.is_empty() {
        return Err(format!("{file}: {} is empty", path.display()));
    }
    Ok(Some(Secret::new(text)))
}

/// Configuration values from files.
pub struct OfFiles(Dict);

impl OfFiles {
    /// Reads the files that the environment names for some keys.
    pub fn load<'a>(keys: impl Iterator<Item = &'a String>) -> Result<Self, String> {
        let mut values = Dict::new();
        let mut add = |key: &str, name: &str| {
            if let Some(value) = of_file(name)? {
                // An address is text, even if it looks like another type.
                let text = value.reveal();
                let parsed = if key == "database_url" {
                    Value::from(text)
                } else {
                    text.parse().unwrap_or_else(|never| match never {})
                };
                values.insert(key.to_owned(), parsed);
            }
            Ok::<_, String>(())
        };
        add("database_url", "DATABASE_URL")?;
        for key in keys {
            add(key, &format!("KHOOSHEH_{}", key.to_uppercase()))?;
        }
        Ok(Self(values))
    }

    /// The variable that names a file for a key.
    pub fn is_variable(name: &str, keys: &Dict) -> bool {
        name.strip_suffix("_file").is_some_and(|key| keys.contains_key(key) || NAMES.contains(&key))
    }
}

impl Provider for OfFiles {
    fn metadata(&self) -> Metadata {
        Metadata::named("a file that a variable names")
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.0.clone()))
    }
}
