//! Values that several resources share: each type carries its bounds and its schema.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, SchemaFormat, schema::Type},
};

/// An amount in whole units of its currency (rials, never toman; or dollars). It is a JSON string, so that no
/// client rounds it to a float.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(pub i64);

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map(Self).map_err(|_| de::Error::custom("an amount is a whole number of at most 64 bits"))
    }
}

impl PartialSchema for Amount {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::Custom("int64".into())))
            .pattern(Some("^(0|[1-9][0-9]{0,17})$"))
            .examples([serde_json::json!("120000000000")])
            .description(Some("An amount in whole units of its currency, as a string so that no client rounds it."))
            .into()
    }
}

impl ToSchema for Amount {}

/// A name or a short text in any language.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Name(pub String);

impl PartialSchema for Name {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(200))
            .pattern(Some("[\\p{L}\\p{N}]"))
            .examples([serde_json::json!("سنگ")])
            .description(Some("A name or a short text, with at least one letter or digit."))
            .into()
    }
}

impl ToSchema for Name {}

/// Bytes in hexadecimal, two small letters or digits each.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
