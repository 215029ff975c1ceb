//! Messages for violations of a schema.

use jsonschema::{
    JsonType, ValidationError,
    error::{TypeKind, ValidationErrorKind as Rule},
};
use serde_json::Value;

use super::contract::escape;
use crate::{
    persian::{Date, calendar::DateError},
    problem::{MOST_VIOLATIONS, NO_SUCH_DAY, Place, Text, Violation, Violations, cut},
};

/// The most characters of a name that is repeated to the caller.
const LONGEST_NAME: usize = 100;

/// Describes one schema violation, if there is room for it.
pub fn explain(error: &ValidationError<'_>, place: Place, violations: &mut Violations) {
    if violations.is_full() {
        return;
    }
    let at = error.instance_path().to_string();
    let (pointer, code, detail) = match error.kind() {
        // Of alternatives, the one that matches the value's type gives the errors inside it.
        Rule::AnyOf { context } | Rule::OneOfNotValid { context } => {
            let nearest = context.iter().find(|branch| {
                !branch
                    .iter()
                    .any(|e| matches!(e.kind(), Rule::Type { .. }) && e.instance_path().to_string() == at)
            });
            return match nearest.or(context.last()) {
                Some(branch) => branch.iter().for_each(|e| explain(e, place, violations)),
                None => violations.push(|| {
                    Violation::new(
                        place,
                        at,
                        "invalid",
                        Text::new("این مقدار پذیرفته نیست.", "This value is not acceptable."),
                    )
                }),
            };
        }
        Rule::AdditionalProperties { unexpected } => {
            for name in unexpected.iter().take(MOST_VIOLATIONS) {
                let name = cut(name, LONGEST_NAME);
                let (code, detail) = match place {
                    Place::Query => (
                        "unknown_parameter",
                        Text::new(
                            format!("پارامتر «{name}» شناخته نیست."),
                            format!("There is no parameter '{name}' here."),
                        ),
                    ),
                    _ => (
                        "unknown_field",
                        Text::new(
                            format!("فیلد «{name}» شناخته نیست."),
                            format!("There is no field '{name}' here."),
                        ),
                    ),
                };
                violations.push(|| Violation::new(place, format!("{at}/{}", escape(&name)), code, detail));
            }
            return;
        }
        Rule::Required { property } => (
            format!("{at}/{}", escape(property.as_str().unwrap_or_default())),
            "required",
            Text::new("این فیلد لازم است.", "This field is required."),
        ),
        Rule::Type { kind } => (at, "wrong_type", wrong_type(kind)),
        Rule::MaxLength { limit } => (
            at,
            "too_long",
            Text::new(
                format!("درازای متن نباید از {limit} نویسه بیشتر باشد."),
                format!("The text may have at most {limit} characters."),
            ),
        ),
        Rule::MinLength { limit } => (
            at,
            "too_short",
            Text::new(
                format!("درازای متن نباید از {limit} نویسه کمتر باشد."),
                format!("The text must have at least {limit} characters."),
            ),
        ),
        Rule::Minimum { limit } => (
            at,
            "too_small",
            Text::new(
                format!("کمترین مقدار پذیرفته {limit} است."),
                format!("The least accepted value is {limit}."),
            ),
        ),
        Rule::Maximum { limit } => (
            at,
            "too_large",
            Text::new(
                format!("بیشترین مقدار پذیرفته {limit} است."),
                format!("The greatest accepted value is {limit}."),
            ),
        ),
        Rule::MinItems { limit } => (
            at,
            "too_few_items",
            Text::new(format!("دست‌کم {limit} مورد لازم است."), format!("At least {limit} items are needed.")),
        ),
        Rule::MaxItems { limit } => (
            at,
            "too_many_items",
            Text::new(
                format!("حداکثر {limit} مورد پذیرفته است."),
                format!("At most {limit} items are accepted."),
            ),
        ),
        Rule::UniqueItems => (
            at,
            "repeated_items",
            Text::new("موردها نباید تکراری باشند.", "The items must differ from one another."),
        ),
        Rule::Enum { options } => (at, "not_in_list", not_in_list(options)),
        Rule::Pattern { pattern } => (
            at,
            "wrong_pattern",
            Text::new(
                format!("مقدار با الگوی {pattern} نمی‌خواند."),
                format!("The value does not match the pattern {pattern}."),
            ),
        ),
        Rule::Format { format } => {
            let (code, detail) = wrong_format(format, error.instance());
            (at, code, detail)
        }
        _ => (at, "invalid", Text::new("این مقدار پذیرفته نیست.", "This value is not acceptable.")),
    };
    violations.push(|| Violation::new(place, pointer, code, detail));
}

fn wrong_type(kind: &TypeKind) -> Text {
    let types: Vec<JsonType> = match kind {
        TypeKind::Single(single) => vec![*single],
        TypeKind::Multiple(set) => set.iter().collect(),
    };
    let name = |json_type: &JsonType| match json_type {
        JsonType::Array => ("آرایه", "an array"),
        JsonType::Boolean => ("true یا false", "true or false"),
        JsonType::Integer => ("عدد صحیح", "an integer"),
        JsonType::Null => ("null", "null"),
        JsonType::Number => ("عدد", "a number"),
        JsonType::Object => ("شیء", "an object"),
        JsonType::String => ("رشتهٔ متنی", "a string"),
    };
    let (fa, en): (Vec<_>, Vec<_>) = types.iter().map(name).unzip();
    Text::new(
        format!("نوع مقدار باید {} باشد.", fa.join(" یا ")),
        format!("The value must be {}.", en.join(" or ")),
    )
}

/// Long lists (such as the classes of ISIC) are not repeated in full.
fn not_in_list(options: &Value) -> Text {
    let names: Vec<&str> = options.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let more = if names.len() > 40 { ", …" } else { "" };
    let list = names.iter().take(40).copied().collect::<Vec<_>>().join(", ");
    Text::new(
        format!("مقدار باید یکی از این‌ها باشد: {list}{more}"),
        format!("The value must be one of: {list}{more}"),
    )
}

fn wrong_format(format: &str, value: &Value) -> (&'static str, Text) {
    let date_error = value.as_str().filter(|_| format == "date").and_then(|text| Date::parse(text).err());
    if let Some(error) = date_error {
        let code = match error {
            DateError::Nonexistent(..) => NO_SUCH_DAY,
            DateError::OutOfRange(..) => "out_of_range",
            DateError::Malformed(..) => "wrong_format",
        };
        return (code, Text::new(error.detail_fa(), error.detail_en()));
    }
    let detail = match format {
        "uuid" => Text::new("مقدار باید UUID باشد.", "The value must be a UUID."),
        "date-time" => Text::new(
            "مقدار باید زمان RFC 3339 باشد، مانند 2026-11-23T08:30:00Z.",
            "The value must be an RFC 3339 timestamp such as 2026-11-23T08:30:00Z.",
        ),
        "name" => Text::new(
            "نام نویسهٔ کنترلی یا نامرئی (مانند نشانه‌های جهت متن) نمی‌پذیرد؛ نیم‌فاصله پذیرفته است.",
            "A name takes no control or invisible characters, such as marks of direction; the zero-width non-joiner is accepted.",
        ),
        "national-code" => Text::new(
            "کد ملی ده رقم است و رقم آخر آن باید با بقیه بخواند.",
            "A national code has ten digits, and the last of them must agree with the others.",
        ),
        "legal-id" => Text::new(
            "شناسهٔ ملی یازده رقم است و رقم آخر آن باید با بقیه بخواند.",
            "A national id of a legal person has eleven digits, and the last of them must agree with the others.",
        ),
        "phone" => Text::new(
            "مقدار باید شمارهٔ تلفن درستی باشد، مانند 09121234567 یا +989121234567.",
            "The value must be a valid phone number such as +989121234567 or 09121234567.",
        ),
        "email-address" => {
            Text::new("مقدار باید نشانی رایانامه باشد.", "The value must be an email address.")
        }
        "int64" => Text::new("مقدار باید عدد صحیح ۶۴ بیتی باشد.", "The value must be a 64-bit integer."),
        other => Text::new(
            format!("مقدار باید از قالب {other} باشد."),
            format!("The value must be of the format {other}."),
        ),
    };
    ("wrong_format", detail)
}
