//! The last sheet: meaning and provenance of the rows, and how to verify them.

use rust_xlsxwriter::{Worksheet, XlsxError};

use super::{
    About, Kind,
    cell::{Cell, clean},
    say,
    style::{self, Style},
};
use crate::problem::Language;

/// The width of the values, in digits.
const WIDTH: usize = 76;

/// Writes the sheet.
pub(super) fn write(sheet: &mut Worksheet, about: &About, rows: u64, hash: &str) -> Result<(), XlsxError> {
    let say = |fa, en| say(about.language, fa, en);
    style::set_up(sheet, about.language);
    sheet
        .set_name(name(about.language))?
        .set_portrait()
        .set_column_width(0, 28)?
        .set_column_width(1, WIDTH as f64)?;
    let title = clean(about.title.in_language(about.language).into());
    sheet.write_string_with_format(0, 0, title, &style::title(about.language))?;

    let check = say(
        "برای راستی‌آزمایی، همین گزارش را با همین مشخصات دوباره از سامانه دریافت کنید: اگر این چکیده یکسان باشد، ردیف‌ها نیز عیناً یکسان‌اند.",
        "To check the rows, ask the service for the same report again, with all that is said here: if this hash is the same, so are the rows.",
    );
    let given = about
        .provenance
        .iter()
        .map(|(label, value)| (label.in_language(about.language), Cell::text(value.into())));
    let own = [
        (say("شمار ردیف‌ها", "Number of rows"), Cell::Number(rows as f64)),
        (say("چکیدهٔ ردیف‌ها (SHA-256)", "Hash of the rows (SHA-256)"), Cell::text(hash.into())),
        (say("راستی‌آزمایی", "How to check"), Cell::text(check.into())),
    ];
    let (heading, style) = (style::label(about.language), Style::of(Kind::Text, about.language));
    for (row, (label, value)) in (2..).zip(given.chain(own)) {
        sheet.write_string_with_format(row, 0, label, &heading)?;
        value.write(sheet, row, 1, &style)?;
        sheet.set_row_height(row, style::height(value.lines(WIDTH)))?;
    }
    Ok(())
}

/// Name of the sheet.
pub(super) fn name(language: Language) -> &'static str {
    say(language, "مشخصات گزارش", "Provenance")
}
