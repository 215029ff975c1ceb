//! Parses table cells into JSON values. Unreadable cells stay text, so that schema validation reports the
//! expected type.

use serde_json::{Map, Value, json};

use super::columns::{Column, Kind};
use crate::{http::csv, persian::text};

/// A cell that clears the value of the record.
const CLEARED: &str = "-";

/// Adds the value of a cell to a record; an empty cell adds nothing.
pub fn put(record: &mut Map<String, Value>, column: &Column, cell: &str) {
    let written = cell.trim();
    if written.is_empty() {
        return;
    }
    let value = if written == CLEARED { Value::Null } else { value(column, &csv::undefused(written)) };
    match column.name.split_once('.') {
        None => {
            record.insert(column.name.to_owned(), value);
        }
        Some((outer, inner)) => {
            if let Some(members) = record.entry(outer).or_insert_with(|| json!({})).as_object_mut() {
                members.insert(inner.to_owned(), value);
            }
        }
    }
}

fn value(column: &Column, written: &str) -> Value {
    match column.kind {
        Kind::Text => json!(written),
        Kind::Integer => number(written).parse::<i64>().map_or_else(|_| json!(written), Value::from),
        Kind::Number => number(written)
            .parse::<f64>()
            .ok()
            .filter(|number| number.is_finite())
            .map_or_else(|| json!(written), Value::from),
        Kind::Amount | Kind::Decimal => json!(number(written)),
        Kind::Boolean => is_so(written).map_or_else(|| json!(written), Value::from),
        Kind::Date => json!(day(written)),
        Kind::Period => json!(text::latin_digits(written)),
        Kind::Choice => {
            let meant = column.values.iter().find(|choice| choice.is_meant(written));
            json!(meant.map_or(written, |choice| &choice.code))
        }
        Kind::List => items(written).map(Value::from).collect(),
        Kind::Classes => {
            let class = |(place, code): (usize, &str)| json!({ "code": text::latin_digits(code), "primary": place == 0 });
            items(written).enumerate().map(class).collect()
        }
    }
}

fn items(written: &str) -> impl Iterator<Item = &str> {
    written.split([';', '؛', '،', '|', '\n']).map(str::trim).filter(|item| !item.is_empty())
}

/// Removes thousands separators from a number, with ASCII digits and a decimal point. `3,5` is unchanged: it
/// has no thousands, and may be a fraction.
fn number(written: &str) -> String {
    let plain = text::latin_digits(written).replace('٫', ".").replace('−', "-");
    let (whole, fraction) = plain.split_at(plain.find('.').unwrap_or(plain.len()));
    let groups: Vec<&str> =
        whole.split(|c: char| matches!(c, ',' | '٬' | '،' | '_' | '\u{200c}') || c.is_whitespace()).collect();
    let is_parted =
        groups.iter().skip(1).all(|group| group.len() == 3 && group.bytes().all(|c| c.is_ascii_digit()));
    if is_parted { groups.concat() + fraction } else { plain }
}

fn is_so(written: &str) -> Option<bool> {
    match text::key(written) {
        yes if ["true", "yes", "1", "بله", "بلی", "دارد"].iter().any(|word| text::key(word) == yes) => {
            Some(true)
        }
        no if ["false", "no", "0", "خیر", "نه", "ندارد"].iter().any(|word| text::key(word) == no) => {
            Some(false)
        }
        _ => None,
    }
}

/// `1393/1/5` is 1393-01-05.
fn day(written: &str) -> String {
    let plain = text::latin_digits(written).replace(['/', '.', '٫'], "-");
    let parts: Vec<&str> = plain.split('-').collect();
    match parts.as_slice() {
        [year, month, day] => format!("{year}-{month:0>2}-{day:0>2}"),
        _ => plain,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::super::columns::{Choice, Column, Kind};

    fn read(kind: Kind, cell: &str) -> Value {
        let values = ["diagnostic"]
            .map(|code| Choice { code: code.to_owned(), word_fa: Some("مطالعهٔ شناختی") })
            .to_vec();
        let column = Column {
            name: "it",
            title_fa: "",
            title_en: "",
            kind,
            required: false,
            values,
            about: String::new(),
        };
        let mut record = Map::new();
        super::put(&mut record, &column, cell);
        record.get("it").cloned().unwrap_or(json!("nothing said"))
    }

    #[test]
    fn cells_are_read_as_people_write_them() {
        for (kind, cell, value) in [
            (Kind::Text, "  سنگ ", json!("سنگ")),
            (Kind::Text, "", json!("nothing said")),
            (Kind::Text, " - ", json!(null)),
            (Kind::Text, "'=1+1", json!("=1+1")),
            (Kind::Text, "'twas", json!("'twas")),
            (Kind::Integer, "۱۲٬۳۴۵", json!(12_345)),
            (Kind::Integer, "1,250", json!(1_250)),
            (Kind::Integer, "1,234 567", json!(1_234_567)),
            (Kind::Integer, "1,2", json!("1,2")),
            (Kind::Integer, "twelve", json!("twelve")),
            (Kind::Number, "33,48", json!("33,48")),
            (Kind::Number, "٣٣٫٤٨", json!(33.48)),
            (Kind::Number, "NaN", json!("NaN")),
            (Kind::Amount, "۱۲۰٬۰۰۰٬۰۰۰", json!("120000000")),
            (Kind::Decimal, "−۱۲٫۵", json!("-12.5")),
            (Kind::Boolean, "بله", json!(true)),
            (Kind::Boolean, "خير", json!(false)),
            (Kind::Boolean, "maybe", json!("maybe")),
            (Kind::Date, "۱۳۹۳/۱/۵", json!("1393-01-05")),
            (Kind::Date, "soon", json!("soon")),
            (Kind::Period, "۱۳۹۳-Q2", json!("1393-Q2")),
            (Kind::Choice, "مطالعه شناختي", json!("diagnostic")),
            (Kind::Choice, "Diagnostic", json!("diagnostic")),
            (Kind::Choice, "other", json!("other")),
            (Kind::List, "سنگ؛ مرمر، گرانیت;", json!(["سنگ", "مرمر", "گرانیت"])),
            (
                Kind::Classes,
                "۲۳۹۶؛0810",
                json!([{"code": "2396", "primary": true}, {"code": "0810", "primary": false}]),
            ),
        ] {
            assert_eq!(read(kind, cell), value, "{kind:?} {cell}");
        }
    }
}
