//! Values that several resources share: each type carries its bounds, its schema and its column.

use std::ops::Deref;

use sea_orm::{
    ActiveValue, DeriveValueType, IntoActiveValue, TryGetableFromJson, Value,
    sea_query::{ArrayType, ColumnType, Nullable, ValueType, ValueTypeErr},
};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, DeserializeOwned},
};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, SchemaFormat, schema::Type},
};

/// An amount in whole units of its currency (rials, never toman; or dollars). It is a JSON string, so that no
/// client rounds it to a float.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, DeriveValueType)]
pub struct Amount(pub i64);

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse()
            .map(Self)
            .map_err(|_| de::Error::custom("an amount is a whole number of at most 64 bits"))
    }
}

impl PartialSchema for Amount {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::Custom("int64".into())))
            .pattern(Some("^(0|[1-9][0-9]{0,17})$"))
            .examples([serde_json::json!("120000000000")])
            .description(Some(
                "An amount in whole units of its currency, as a string so that no client rounds it.",
            ))
            .into()
    }
}

impl ToSchema for Amount {}

/// A decimal number of at most 12 digits before and 6 after the point, kept exactly: in millionths. It is a
/// JSON string, so that no client rounds it to a float.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, DeriveValueType)]
pub struct Decimal(pub i64);

impl Decimal {
    const ONE: u64 = 1_000_000;

    /// Number of decimals needed.
    pub fn decimals(self) -> usize {
        self.fraction().len()
    }

    fn fraction(self) -> String {
        format!("{:06}", self.0.unsigned_abs() % Self::ONE).trim_end_matches('0').to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let is_number = |part: &str, most| {
            (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        let millionths = format!("{whole}{fraction:0<6}").parse::<i64>().ok();
        millionths
            .filter(|_| is_number(whole, 12) && is_number(fraction, 6))
            .map(|millionths| Self(sign * millionths))
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (sign, whole) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs() / Self::ONE);
        match self.fraction().as_str() {
            "" => serializer.collect_str(&format_args!("{sign}{whole}")),
            fraction => serializer.collect_str(&format_args!("{sign}{whole}.{fraction}")),
        }
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| de::Error::custom("a decimal has at most 12 digits before and 6 after the point"))
    }
}

impl PartialSchema for Decimal {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^-?(0|[1-9][0-9]{0,11})(\\.[0-9]{1,6})?$"))
            .examples([serde_json::json!("12.5")])
            .description(Some("A decimal number, as a string so that no client rounds it. Zeros at the end of its decimals are left out."))
            .into()
    }
}

impl ToSchema for Decimal {}

/// A name or a short text in any language.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, DeriveValueType)]
#[serde(transparent)]
pub struct Name(pub String);

impl PartialSchema for Name {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::Custom("name".to_owned())))
            .min_length(Some(1))
            .max_length(Some(200))
            .pattern(Some("[\\p{L}\\p{N}]"))
            .examples([serde_json::json!("سنگ")])
            .description(Some("A name or a short text, with at least one letter or digit."))
            .into()
    }
}

impl ToSchema for Name {}

/// The provinces, as a file of the service lists them.
pub const PROVINCES: &str = include_str!("../data/provinces.csv");

/// The code of a province: ISO 3166-2:IR as in force since 2020-11-24.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, DeriveValueType,
)]
#[serde(transparent)]
pub struct ProvinceCode(pub String);

impl From<String> for ProvinceCode {
    fn from(code: String) -> Self {
        Self(code)
    }
}

impl From<&str> for ProvinceCode {
    fn from(code: &str) -> Self {
        Self(code.to_owned())
    }
}

impl PartialEq<str> for ProvinceCode {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl Deref for ProvinceCode {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl PartialSchema for ProvinceCode {
    fn schema() -> RefOr<Schema> {
        let codes = PROVINCES.lines().skip(1).filter_map(|line| line.split(',').next());
        ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(codes))
            .examples([serde_json::json!("IR-15")])
            .description(Some("The code of a province: ISO 3166-2:IR as in force since 2020-11-24."))
            .into()
    }
}

impl ToSchema for ProvinceCode {}

/// A point on the map (WGS 84).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Location {
    /// Degrees north.
    #[schema(minimum = -90, maximum = 90, example = 33.4878)]
    pub latitude: f64,
    /// Degrees east.
    #[schema(minimum = -180, maximum = 180, example = 48.3558)]
    pub longitude: f64,
}

/// Several values in one column, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct List<T>(pub Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Deref for List<T> {
    type Target = Vec<T>;

    fn deref(&self) -> &Vec<T> {
        &self.0
    }
}

impl<T: DeserializeOwned> TryGetableFromJson for List<T> {}

impl<T: Serialize> From<List<T>> for Value {
    fn from(list: List<T>) -> Self {
        // Values that serve as JSON for clients serve as JSON in a column.
        Self::Json(serde_json::to_value(&list).ok().map(Box::new))
    }
}

impl<T: DeserializeOwned> ValueType for List<T> {
    fn try_from(value: Value) -> Result<Self, ValueTypeErr> {
        match value {
            Value::Json(Some(json)) => serde_json::from_value(*json).map_err(|_| ValueTypeErr),
            _ => Err(ValueTypeErr),
        }
    }

    fn type_name() -> String {
        "List".to_owned()
    }

    fn array_type() -> ArrayType {
        ArrayType::Json
    }

    fn column_type() -> ColumnType {
        ColumnType::Json
    }
}

impl<T> Nullable for List<T> {
    fn null() -> Value {
        Value::Json(None)
    }
}

impl<T: Serialize> IntoActiveValue<Self> for List<T> {
    fn into_active_value(self) -> ActiveValue<Self> {
        ActiveValue::set(self)
    }
}

impl Location {
    /// The point of two columns; none unless both are there.
    pub fn of(latitude: Option<f64>, longitude: Option<f64>) -> Option<Self> {
        latitude.zip(longitude).map(|(latitude, longitude)| Self { latitude, longitude })
    }
}

/// Bytes in hexadecimal, two small letters or digits each.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::{from_value, json, to_value};

    use super::*;

    #[test]
    fn decimals_come_back_as_they_went() {
        for (given, kept, written, decimals) in [
            ("12.5", 12_500_000, "12.5", 1),
            ("0", 0, "0", 0),
            ("-0", 0, "0", 0),
            ("7.000000", 7_000_000, "7", 0),
            ("-0.000001", -1, "-0.000001", 6),
            ("-3.25", -3_250_000, "-3.25", 2),
            ("100.10", 100_100_000, "100.1", 1),
            ("999999999999.999999", 999_999_999_999_999_999, "999999999999.999999", 6),
            ("-999999999999.999999", -999_999_999_999_999_999, "-999999999999.999999", 6),
        ] {
            let decimal: Decimal = from_value(json!(given)).unwrap();
            assert_eq!((decimal, decimal.decimals()), (Decimal(kept), decimals), "{given}");
            assert_eq!(to_value(decimal).unwrap(), json!(written), "{given}");
        }
        for wrong in [
            "",
            "-",
            ".",
            "1.",
            ".5",
            "1.2.3",
            "1e3",
            "+1",
            "1000000000000",
            "0.0000001",
            "١",
            "1,5",
            " 1",
            "--1",
            "1.-5",
        ] {
            assert!(from_value::<Decimal>(json!(wrong)).is_err(), "{wrong}");
        }
    }
}
