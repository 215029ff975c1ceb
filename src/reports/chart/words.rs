//! Words and numbers on a page: their digits, their width as far as it can be known without a font, and their
//! lines.

use crate::problem::{Language, Text};

/// The text in a language, safe for a document: without characters that XML forbids or that change the
/// surrounding direction, in Persian with Persian digits.
pub fn clean(language: Language, text: &Text) -> String {
    digits(language, text.in_language(language))
}

/// The same of a word that is not translated.
pub fn digits(language: Language, text: &str) -> String {
    let allowed =
        text.chars().filter(|&c| !matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FFFE}' | '\u{FFFF}'));
    let spaced = allowed.map(|c| if c.is_control() { ' ' } else { c });
    match language {
        Language::English => spaced.collect(),
        Language::Persian => spaced.map(persian_digit).collect(),
    }
}

fn persian_digit(digit: char) -> char {
    digit.to_digit(10).and_then(|value| char::from_u32('۰' as u32 + value)).unwrap_or(digit)
}

/// A number with a fixed count of decimals and its thousands apart.
pub fn number(language: Language, value: f64, decimals: usize) -> String {
    let plain = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
    let is_zero = plain.chars().all(|c| matches!(c, '0' | '.'));
    let mut text = String::from(if value < 0.0 && !is_zero { "−" } else { "" });
    let (thousands, point) = match language {
        Language::Persian => ('٬', '٫'),
        Language::English => (',', '.'),
    };
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            text.push(thousands);
        }
        text.push(digit);
    }
    if !fraction.is_empty() {
        text.push(point);
        text.push_str(fraction);
    }
    digits(language, &text)
}

/// A number with as many decimals as a reader of a chart needs, at most two.
pub fn rounded(language: Language, value: f64) -> String {
    let most = if value.abs() < 100.0 { 2 } else { usize::from(value.abs() < 1_000.0) };
    let is_exact = |decimals: usize| {
        format!("{value:.decimals$}").parse::<f64>() == format!("{value:.most$}").parse::<f64>()
    };
    number(language, value, (0..most).find(|&decimals| is_exact(decimals)).unwrap_or(most))
}

/// A period as readers write it: `1392-05` is ۱۳۹۲/۰۵ in Persian, and the quarters of a Persian year are its
/// seasons.
pub fn period(language: Language, period: &str) -> String {
    let words = match (language, period.split_once('-')) {
        (Language::Persian, Some((year, part))) => match part {
            "Q1" => format!("بهار {year}"),
            "Q2" => format!("تابستان {year}"),
            "Q3" => format!("پاییز {year}"),
            "Q4" => format!("زمستان {year}"),
            "H1" => format!("نیمهٔ اول {year}"),
            "H2" => format!("نیمهٔ دوم {year}"),
            month => format!("{year}/{month}"),
        },
        _ => period.to_owned(),
    };
    digits(language, &words)
}

/// Approximate width of a text at a font size. Rather too wide for the fonts that charts request.
pub fn width(text: &str, size: f64) -> f64 {
    text.chars().map(em).sum::<f64>() * size
}

fn em(c: char) -> f64 {
    match c {
        '\u{200B}'..='\u{200D}' | '\u{064B}'..='\u{0655}' | '\u{0670}' => 0.0,
        ' ' | 'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '!' | '|' | '\'' | '(' | ')' | 'ا' | '٬'
        | '٫' | '،' => 0.34,
        'آ' | 'أ' | 'ر' | 'ز' | 'ژ' | 'د' | 'ذ' | 'ل' | 'f' | 't' | 'r' | '-' | '/' => 0.46,
        'س' | 'ش' | 'ص' | 'ض' | 'm' | 'w' | 'M' | 'W' => 0.92,
        'A'..='Z' => 0.7,
        _ if c < '\u{2E80}' => 0.6,
        _ => 1.0,
    }
}

/// Wraps a text into a maximum number of lines and width, with an ellipsis if it does not fit.
pub fn lines(text: &str, size: f64, most: f64, count: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(line, size) + width(" ", size) + width(word, size) <= most => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    if lines.len() > count {
        let rest = lines.split_off(count.max(1) - 1).join(" ");
        lines.push(rest);
    }
    lines.iter().map(|line| cut(line, size, most)).collect()
}

/// Truncates a text to one line of a maximum width.
pub fn cut(text: &str, size: f64, most: f64) -> String {
    if width(text, size) <= most {
        return text.to_owned();
    }
    let mut left = most - width("…", size);
    let fits = |c: &char| {
        left -= em(*c) * size;
        left >= 0.0
    };
    let kept: String = text.chars().take_while(fits).collect();
    format!("{}…", kept.trim_end())
}
