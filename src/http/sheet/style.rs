//! Styles of the sheets, for screen and print.

use rust_xlsxwriter::{Color, Format, FormatAlign, FormatBorder, Worksheet};

use super::{About, Kind, cell::cut, say};
use crate::problem::Language;

/// A font with Persian and Latin letters that comes with Windows and macOS.
const FONT: &str = "Tahoma";
const INK: Color = Color::RGB(0x1F_3A_4D);
const PALE: Color = Color::RGB(0xE4_ED_F3);
const LINE: Color = Color::RGB(0xB8_C4_CC);
const GREY: Color = Color::RGB(0x6B_76_7D);

const A4: u8 = 9;
// Number formats that every spreadsheet has (ISO/IEC 29500-1, 18.8.30): 0.00, #,##0, 0.00%, and @.
const HUNDREDTHS: u8 = 2;
const THOUSANDS: u8 = 3;
const PERCENT: u8 = 10;
const AS_TEXT: u8 = 49;

const LEFT_TO_RIGHT: u8 = 1;
const RIGHT_TO_LEFT: u8 = 2;
/// The most UTF-16 units of the header or footer of a page (Excel specifications and limits).
const LONGEST_HEADER: usize = 255;

/// The formats of the cells of one column.
pub(super) struct Style {
    /// Numbers, days, and other values without a direction.
    pub value: Format,
    /// Left-to-right text, kept as text: never a number or a formula, even after editing.
    pub latin: Format,
    /// Text that has right-to-left letters.
    pub persian: Format,
}

impl Style {
    /// Format of the values of a column.
    pub fn of(kind: Kind, language: Language) -> Self {
        let base = base()
            .set_border(FormatBorder::Hair)
            .set_border_color(LINE)
            .set_align(FormatAlign::VerticalCenter);
        let start = start(language);
        let base = match kind {
            Kind::Text => base.set_align(start).set_text_wrap(),
            Kind::Word => base.set_align(start),
            Kind::Id => base.set_align(FormatAlign::Center).set_font_size(7).set_font_color(GREY),
            Kind::Day => base.set_align(FormatAlign::Center),
            Kind::Count | Kind::Days | Kind::Rials | Kind::BasisPoints | Kind::Ratio | Kind::Number => {
                base.set_align(FormatAlign::Right)
            }
        };
        let text = base.clone().set_num_format_index(AS_TEXT);
        let value = match kind {
            Kind::Text | Kind::Word | Kind::Id | Kind::Number => base,
            Kind::Count | Kind::Days | Kind::Rials => base.set_num_format_index(THOUSANDS),
            Kind::BasisPoints => base.set_num_format_index(PERCENT),
            Kind::Ratio => base.set_num_format_index(HUNDREDTHS),
            Kind::Day => base.set_num_format("yyyy-mm-dd"),
        };
        Self {
            value,
            latin: text.clone().set_reading_direction(LEFT_TO_RIGHT),
            persian: text.set_reading_direction(RIGHT_TO_LEFT),
        }
    }

    /// The same for the totals, which are set apart.
    pub fn of_total(&self) -> Self {
        let apart = |format: &Format| {
            format
                .clone()
                .set_bold()
                .set_background_color(PALE)
                .set_border_top(FormatBorder::Medium)
                .set_border_top_color(INK)
        };
        Self { value: apart(&self.value), latin: apart(&self.latin), persian: apart(&self.persian) }
    }

    /// The format for a text.
    pub fn of_text(&self, text: &str) -> &Format {
        if is_right_to_left(text) { &self.persian } else { &self.latin }
    }
}

/// A heading over a column.
pub(super) fn heading(language: Language) -> Format {
    base()
        .set_bold()
        .set_font_color(INK)
        .set_background_color(PALE)
        .set_text_wrap()
        .set_align(FormatAlign::Center)
        .set_align(FormatAlign::VerticalCenter)
        .set_border(FormatBorder::Thin)
        .set_border_color(LINE)
        .set_border_bottom(FormatBorder::Medium)
        .set_border_bottom_color(INK)
        .set_reading_direction(direction(language))
}

/// Height in points of a row with this number of lines. The font is smaller than the one that widths are
/// computed for, so no more lines appear. The maximum is 409 (Excel specifications and limits).
pub(super) fn height(lines: usize) -> f64 {
    (4.0 + 12.0 * lines as f64).min(409.0)
}

/// A label before a value on the sheet of provenance.
pub(super) fn label(language: Language) -> Format {
    heading(language)
        .set_border_bottom(FormatBorder::Thin)
        .set_border_bottom_color(LINE)
        .set_align(start(language))
}

/// The title of the sheet of provenance.
pub(super) fn title(language: Language) -> Format {
    base()
        .set_bold()
        .set_font_size(14)
        .set_font_color(INK)
        .set_align(start(language))
        .set_reading_direction(direction(language))
}

/// Whether it has Hebrew or Arabic letters, in their blocks of Unicode or as presentation forms.
fn is_right_to_left(text: &str) -> bool {
    text.contains(|c| matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}'))
}

fn base() -> Format {
    Format::new().set_font_name(FONT).set_font_size(9)
}

fn start(language: Language) -> FormatAlign {
    match language {
        Language::Persian => FormatAlign::Right,
        Language::English => FormatAlign::Left,
    }
}

fn direction(language: Language) -> u8 {
    match language {
        Language::Persian => RIGHT_TO_LEFT,
        Language::English => LEFT_TO_RIGHT,
    }
}

/// Direction, paper and margins, and the number of the page under it.
pub(super) fn set_up(sheet: &mut Worksheet, language: Language) {
    // LibreOffice drops the blanks before a number in Persian text without the marks.
    let page = say(language, "صفحهٔ \u{200e}&P از \u{200e}&N", "Page &P of &N");
    sheet
        .set_right_to_left(language == Language::Persian)
        .set_paper_size(A4)
        .set_print_fit_to_pages(1, 0)
        .set_margins(0.4, 0.4, 0.9, 0.6, 0.3, 0.3)
        .set_print_center_horizontally(true)
        .set_footer(format!("&C&8&\"{FONT},Regular\"{page}"));
}

/// Page header: the title, and as much of the provenance as fits.
pub(super) fn page_header(about: &About) -> String {
    let plain = |text: &str| text.replace('&', "&&").replace(char::is_control, " ");
    let title = cut(about.title.in_language(about.language).into(), 100);
    let mut header = format!("&C&12&\"{FONT},Bold\"{}\n&8&\"{FONT},Regular\"", plain(&title));
    let mut separator = "";
    for (label, value) in &about.provenance {
        // Without this mark, a date after a Persian word would be shown with its parts reversed.
        let mark = if is_right_to_left(value) { "" } else { "\u{200e}" };
        let more = format!("{separator}{}: {mark}{}", plain(label.in_language(about.language)), plain(value));
        if header.encode_utf16().count() + more.encode_utf16().count() > LONGEST_HEADER {
            break;
        }
        header.push_str(&more);
        separator = "  |  ";
    }
    header
}
