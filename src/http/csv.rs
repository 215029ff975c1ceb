//! Lists and reports as CSV (RFC 4180, UTF-8): stable columns, formulas defused.

use std::borrow::Cow;

use serde_json::Value;

use super::Problem;

/// A table of rows (a JSON array of objects) under the given columns; `a.b` names a member of a member.
pub fn table(columns: &[&str], rows: &Value) -> Result<String, Problem> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(columns).map_err(Problem::internal)?;
    for row in rows.as_array().into_iter().flatten() {
        let cells = columns.iter().map(|column| cell(column.split('.').fold(row, |value, name| &value[name])));
        writer.write_record(cells.map(|cell| cell.into_owned())).map_err(Problem::internal)?;
    }
    let bytes = writer.into_inner().map_err(Problem::internal)?;
    String::from_utf8(bytes).map_err(Problem::internal)
}

/// A cell. Several values are separated by `;`; of an object its `code` is shown, its `to`, or its only member.
fn cell(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => "".into(),
        Value::String(text) => defuse(text),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(";").into(),
        Value::Object(members) => match members.get("code").or(members.get("to")).or(members.values().next().filter(|_| members.len() == 1)) {
            Some(shown) => cell(shown),
            None => value.to_string().into(),
        },
        other => other.to_string().into(),
    }
}

/// A spreadsheet takes text that begins like a formula for one: an apostrophe before it prevents that
/// (OWASP, CSV injection). Numbers stay numbers.
fn defuse(text: &str) -> Cow<'_, str> {
    let is_risky = text.starts_with(['\t', '\r', '\n']) || text.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
    if is_risky && text.parse::<f64>().is_err() { format!("'{text}").into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn cells_are_flat_and_harmless() {
        let rows = json!([{ "name": "=1+1", "place": { "lat": 33.5 }, "isic": [{ "code": "2396" }, { "code": "0810" }], "n": "-5" }]);
        let table = super::table(&["name", "place.lat", "isic", "n", "missing"], &rows).unwrap();
        assert_eq!(table, "name,place.lat,isic,n,missing\r\n'=1+1,33.5,2396;0810,-5,\r\n");
    }
}
