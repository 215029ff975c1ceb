//! CSV output of lists and reports (RFC 4180, UTF-8): stable columns, formulas escaped. Row by row, so that
//! long ones can be streamed.

use std::borrow::Cow;

use serde_json::Value;

use crate::problem::Problem;

/// Marks a file as UTF-8 for Excel, which otherwise assumes the code page of its locale.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// A table of rows (a JSON array of objects) under the given columns; `a.b` names a member of a member.
pub fn table<C: AsRef<str>>(columns: &[C], rows: &Value, bom: bool) -> Result<String, Problem> {
    let mut table = header(columns, bom)?;
    for item in rows.as_array().into_iter().flatten() {
        table.push_str(&row(columns, item)?);
    }
    Ok(table)
}

/// The header line with the column names, after a byte order mark for Excel.
pub fn header<C: AsRef<str>>(columns: &[C], bom: bool) -> Result<String, Problem> {
    let line = line(columns.iter().map(|column| column.as_ref().into()))?;
    Ok(if bom { format!("{BYTE_ORDER_MARK}{line}") } else { line })
}

/// The line of one row (a JSON object).
pub fn row<C: AsRef<str>>(columns: &[C], row: &Value) -> Result<String, Problem> {
    line(columns.iter().map(|column| flat(member(row, column.as_ref()), defuse)))
}

fn line<'a>(cells: impl Iterator<Item = Cow<'a, str>>) -> Result<String, Problem> {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .buffer_capacity(512)
        .from_writer(Vec::new());
    writer.write_record(cells.map(Cow::into_owned)).map_err(Problem::internal)?;
    let bytes = writer.into_inner().map_err(Problem::internal)?;
    String::from_utf8(bytes).map_err(Problem::internal)
}

/// The value of a row under a name; `a.b` is a member of a member.
pub(super) fn member<'a>(row: &'a Value, name: &str) -> &'a Value {
    name.split('.').fold(row, |value, name| &value[name])
}

/// A value as the text of one cell. Several values are separated by `;`; an object is shown by its `code`,
/// its `to`, or its only member. Texts are passed through `text`.
pub(super) fn flat(value: &Value, text: fn(&str) -> Cow<'_, str>) -> Cow<'_, str> {
    match value {
        Value::Null => "".into(),
        Value::String(string) => text(string),
        Value::Array(items) => items.iter().map(|item| flat(item, text)).collect::<Vec<_>>().join(";").into(),
        Value::Object(members) => match members
            .get("code")
            .or(members.get("to"))
            .or(members.values().next().filter(|_| members.len() == 1))
        {
            Some(shown) => flat(shown, text),
            None => value.to_string().into(),
        },
        other => other.to_string().into(),
    }
}

/// Characters that start a formula in a spreadsheet.
const FORMULA: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
/// Characters after which a new cell may start: `;` separates cells where the comma is the decimal sign, and
/// quotes within a line do not count there.
const BEGINNINGS: [char; 4] = [';', '\t', '\r', '\n'];
/// Leading characters that a spreadsheet may skip, so that no cell starts with them.
const BLANKS: [char; 3] = ['\t', '\r', '\n'];

/// Prefixes text that looks like a formula with an apostrophe (OWASP, CSV injection), at the start and
/// wherever a spreadsheet may see another cell start. Numbers stay numbers.
fn defuse(text: &str) -> Cow<'_, str> {
    let is_plain = !text.contains(FORMULA) && !text.starts_with(BEGINNINGS);
    if is_plain || text.parse::<f64>().is_ok() {
        return text.into();
    }
    let mut defused = String::with_capacity(text.len() + 1);
    if text.starts_with(BLANKS) {
        defused.push('\'');
    }
    let mut is_beginning = true;
    for c in text.chars() {
        if is_beginning && FORMULA.contains(&c) {
            defused.push('\'');
        }
        is_beginning = BEGINNINGS.contains(&c) || (is_beginning && c.is_whitespace());
        defused.push(c);
    }
    defused.into()
}

/// The inverse of [`defuse`].
pub fn undefused(cell: &str) -> Cow<'_, str> {
    if !cell.contains('\'') {
        return cell.into();
    }
    let (mut text, mut is_beginning) = (String::with_capacity(cell.len()), true);
    let cell = cell.strip_prefix('\'').filter(|rest| rest.starts_with(BLANKS)).unwrap_or(cell);
    let mut rest = cell.chars().peekable();
    while let Some(c) = rest.next() {
        let is_ours = c == '\'' && is_beginning && rest.peek().is_some_and(|next| FORMULA.contains(next));
        if !is_ours {
            text.push(c);
            is_beginning = BEGINNINGS.contains(&c) || (is_beginning && c.is_whitespace());
        }
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn cells_are_flat_and_harmless() {
        let rows = json!([{ "name": "=1+1", "place": { "lat": 33.5 }, "isic": [{ "code": "2396" }, { "code": "0810" }], "n": "-5" }]);
        let table = super::table(&["name", "place.lat", "isic", "n", "missing"], &rows, false).unwrap();
        assert_eq!(table, "name,place.lat,isic,n,missing\r\n'=1+1,33.5,2396;0810,-5,\r\n");
    }

    #[test]
    fn no_cell_of_any_spreadsheet_is_a_formula() {
        for (text, defused) in [
            ("x;=1+1", "x;'=1+1"),
            ("x; -1+1", "x; '-1+1"),
            ("a\n@x", "a\n'@x"),
            ("a-b; c=d", "a-b; c=d"),
            ("=1", "'=1"),
            (";+98", ";'+98"),
            ("-5", "-5"),
            ("\tx", "'\tx"),
            ("\r=1", "'\r'=1"),
        ] {
            assert_eq!(super::defuse(text), defused);
            assert_eq!(super::undefused(defused), text);
        }
        assert_eq!(super::undefused("it's 'x'; 'y'"), "it's 'x'; 'y'");
    }

    #[test]
    fn lines_are_what_the_table_is_made_of() {
        assert_eq!(super::header(&["name", "n"], true).unwrap(), "\u{feff}name,n\r\n");
        assert_eq!(
            super::row(&["name", "n"], &json!({ "name": "a,\"b\"\nc", "n": null })).unwrap(),
            "\"a,\"\"b\"\"\nc\",\r\n"
        );
        assert_eq!(super::row(&["only"], &json!({})).unwrap(), "\"\"\r\n");
    }
}
