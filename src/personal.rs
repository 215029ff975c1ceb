//! Personal data: national codes, legal ids, phone numbers and email addresses. Each type carries its check,
//! its one spelling and its schema, and is shown masked unless the reader may see it.

use std::borrow::Cow;

use email_address::{EmailAddress, Options};
use sea_orm::DeriveValueType;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, schema::Type},
};

use crate::{
    persian::text,
    presentation::{self, Presentation},
};

/// The permission to see personal data.
pub const PERMISSION: &str = "personal-data:read";

/// Placeholder for an erased national code.
pub const ERASED: &str = "**********";

/// Placeholder for the name of an erased person.
pub const ERASED_NAME: &str = "حذف‌شده";

/// Prefix of the user name of an erased account.
pub const ERASED_USER: &str = "erased-";

/// Whether a text is personal data of any kind.
pub fn is_one(text: &str) -> bool {
    NationalCode::parse(text).is_some()
        || LegalId::parse(text).is_some()
        || Phone::parse(text).is_some()
        || Email::parse(text).is_some()
}

/// Runs `work` with personal data in clear: for data within the service. Output is counted
/// ([`Presentation::counted`]), and the count goes to the security log.
pub fn in_clear<T>(work: impl FnOnce() -> T) -> T {
    Presentation { in_clear: true, ..Presentation::current() }.within(work)
}

/// Serializes a value in clear or masked, as the [`Presentation`] says.
pub fn serialize<S: Serializer>(value: &str, serializer: S) -> Result<S::Ok, S::Error> {
    if !Presentation::current().in_clear {
        return serializer.serialize_str(&mask(value));
    }
    presentation::count_shown();
    serializer.serialize_str(value)
}

/// Masks an identifying value: keeps the server of an email address, and the last `kept` characters of
/// anything else.
pub fn mask(value: &str) -> String {
    if let Some((_, server)) = value.split_once('@') {
        return format!("***@{server}");
    }
    let length = value.chars().count();
    let kept = if value.starts_with('+') { 2 } else { 4 };
    value
        .chars()
        .enumerate()
        .map(|(index, c)| if c == '+' || index + kept >= length { c } else { '*' })
        .collect()
}

/// Declares a kind of personal data: format in the document, parser, pattern and example.
macro_rules! personal {
    ($(#[$about:meta])* $name:ident, $format:literal, $parse:expr, $pattern:literal, $example:literal) => {
        $(#[$about])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Hash, DeriveValueType)]
        pub struct $name(pub String);

        impl $name {
            /// The name of the format in the document.
            pub const FORMAT: &'static str = $format;

            /// Parses it; none if invalid.
            pub fn parse(text: &str) -> Option<Self> {
                let parse: fn(&str) -> Option<String> = $parse;
                parse(text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serialize(&self.0, serializer)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <Cow<'de, str>>::deserialize(deserializer)?;
                Self::parse(&text).ok_or_else(|| de::Error::custom(concat!("this is no ", $format)))
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .pattern(Some($pattern))
                    .examples([serde_json::json!($example)])
                    .description(Some("Masked unless the caller has the permission `personal-data:read`."))
                    .into()
            }
        }

        impl ToSchema for $name {}
    };
}

personal! {
    /// A national code (کد ملی) of a natural person.
    NationalCode, "national-code", |code| text::is_national_code(code).then(|| text::latin_digits(code)),
    "^([0-9]{10}|\\*{6}([0-9]{4}|\\*{4}))$", "0000000019"
}

personal! {
    /// A national id (شناسهٔ ملی) of a legal person.
    LegalId, "legal-id", |id| text::is_legal_id(id).then(|| text::latin_digits(id)),
    "^([0-9]{11}|\\*{7}[0-9]{4})$", "10380284790"
}

personal! {
    /// A phone number in E.164 (ITU-T); one without a country code is Iranian.
    Phone, "phone", |number| {
        let number = text::latin_digits(number);
        // The library also reads words on the keys of a phone, and text around the number.
        let is_plain = number.chars().all(|c| c.is_ascii_digit() || "+-()./ ".contains(c));
        let number = phonenumber::parse(Some(phonenumber::country::IR), number).ok().filter(|number| is_plain && phonenumber::is_valid(number))?;
        Some(number.format().mode(phonenumber::Mode::E164).to_string())
    },
    "^\\+[0-9*]{5,13}[0-9]{2}$", "+989121234567"
}

personal! {
    /// An email address (RFC 5321), its server in small letters.
    Email, "email-address", |address| {
        let options = Options::default().without_display_text().without_domain_literal().with_required_tld();
        let address = EmailAddress::parse_with_options(address, options).ok()?;
        let (user, server) = (address.local_part(), address.domain().to_lowercase());
        // RFC 5321 allows more, which nobody uses; an address with `*` would look like a masked one.
        let is_usual = user.chars().all(|c| c.is_ascii_alphanumeric() || "._%+'-".contains(c)) && server.chars().count() <= 190;
        is_usual.then(|| format!("{user}@{server}"))
    },
    "^([A-Za-z0-9._%+'-]{1,64}|\\*{3})@[^@]{1,190}$", "cda@example.ir"
}
