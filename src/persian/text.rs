//! Persian text: as kept, as compared, as sorted, as searched; and the two national identity
//! numbers.

use std::borrow::Cow;

use icu_normalizer::{
    ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed,
    properties::CanonicalCombiningClassMapBorrowed,
};
use icu_properties::{CodePointMapData, CodePointMapDataBorrowed, props::GeneralCategory};

const NFC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfc();
const NFKD: DecomposingNormalizerBorrowed<'static> = DecomposingNormalizerBorrowed::new_nfkd();
const CATEGORIES: CodePointMapDataBorrowed<'static, GeneralCategory> =
    CodePointMapData::<GeneralCategory>::new();
const COMBINING: CanonicalCombiningClassMapBorrowed<'static> = CanonicalCombiningClassMapBorrowed::new();

/// The letters in the order of Persian dictionaries; the Kurdish ones beside the letters they
/// derive from.
const ALPHABET: &str = "ابپتثجچحخدذرڕزژسشصضطظعغفڤقکگلڵمنوۆهیێ";

/// Character for the first letter of [`ALPHABET`] in [`key`]: private-use characters, which [`fold`] never
/// yields.
const FIRST_PLACE: char = '\u{E000}';

/// Sort position of آ in [`order`]: just before the first letter.
const ALEF_WITH_MADDA: &str = "\u{D7FF}";

/// Maximum characters of [`order`], each of three bytes: an index of PostgreSQL takes about 2,700 bytes of a
/// row, a cursor 2,000 characters.
const LONGEST_ORDER: usize = 400;

/// The text as stored: Unicode NFC, otherwise unchanged. Borrows text that is NFC already.
pub fn nfc(text: &str) -> Cow<'_, str> {
    NFC.normalize(text)
}

/// The one form in which texts are compared. Two texts are the same to a reader when their folded
/// forms are equal.
///
/// - Compatibility forms (NFKC) and letter case do not count, nor do diacritics of any script:
///   vowel signs, madda, the hamza above and below. So آ أ إ are ا, ؤ is و, ئ is ی, ۀ and هٔ are ه,
///   é is e.
/// - Letters that Arabic keyboards, Urdu and Kurdish fonts put in place of Persian ones become
///   Persian: ي ى ے are ی, ك ڪ are ک, ة ۃ ہ ھ ە are ه, ٱ is ا. Iran's standard ISIRI 6219 names the
///   Persian ones.
/// - ٠-٩ and ۰-۹ are 0-9.
/// - The letter hamza (ء), tatweel and invisible format characters (bidirectional controls among
///   them) vanish.
/// - All else that is neither letter nor digit separates words: ZWNJ, ZWJ, every space, hyphens,
///   punctuation, symbols. A run of it is one space; at the ends it vanishes. A text of nothing
///   else folds to the empty text.
///
/// `fold(fold(text)) == fold(text)`.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let mut gap = false;
    // Decomposed, so that a letter and its diacritic part company by one general rule.
    for c in NFKD.normalize_iter(text.chars()).flat_map(char::to_lowercase).filter(|&c| !vanishes(c)) {
        if c.is_alphanumeric() {
            if gap && !folded.is_empty() {
                folded.push(' ');
            }
            folded.push(persian(c));
            gap = false;
        } else {
            gap = true;
        }
    }
    folded
}

/// The folded form made for uniqueness and (but for آ, see [`order`]) order, to be stored beside a name and
/// never shown.
///
/// It has no spaces, so «قزل آلا», «قزل‌آلا» and «قزلآلا» share a key. Each letter of the alphabet
/// is a character whose code point follows the dictionary (و before ه, پ after ب), so the *bytes*
/// of keys order as a Persian dictionary does: digits, Latin, any other script, Persian. SQLite
/// compares bytes; on PostgreSQL the column needs `COLLATE "C"`. Different folded forms have
/// different keys, but for their spaces.
pub fn key(text: &str) -> String {
    let place = |c| {
        (FIRST_PLACE..).zip(ALPHABET.chars()).find(|&(_, letter)| letter == c).map_or(c, |(place, _)| place)
    };
    fold(text).chars().filter(|&c| c != ' ').map(place).collect()
}

/// The [`key`] for sorting only: in dictionaries آ comes before every other ا, though in comparison the two
/// are one letter. It is truncated to what a database's index takes: texts with the same beginning are in any
/// order.
pub fn order(text: &str) -> String {
    let order = nfc(text).split('آ').map(key).collect::<Vec<_>>().join(ALEF_WITH_MADDA);
    match order.char_indices().nth(LONGEST_ORDER) {
        Some((end, _)) => order[..end].to_owned(),
        None => order,
    }
}

/// Index words of a text for prefix search, each once, in byte order: those of its folded form, and each pair
/// of neighbours joined, so that «قزلآلا» finds «قزل‌آلا».
pub fn words(text: &str) -> Vec<String> {
    let mut words = query_words(text);
    let pairs: Vec<_> = words.windows(2).map(<[String]>::concat).collect();
    words.extend(pairs);
    words.sort_unstable();
    words.dedup();
    words
}

/// Folded words of a query, in order; each has to be a prefix of one of the [`words`] of a match.
pub fn query_words(text: &str) -> Vec<String> {
    fold(text).split_whitespace().map(str::to_owned).collect()
}

/// The text with its Persian (۰-۹) and Arabic (٠-٩) digits replaced by ASCII ones.
pub fn latin_digits(text: &str) -> String {
    text.chars().map(ascii_digit).collect()
}

/// Whether a text may be a name: it has no control or format characters (Unicode Cc, Cf, Zl, Zp), which
/// disguise names (bidirectional overrides, Unicode TR 36) or are invisible; except ZWNJ, which Persian
/// needs.
pub fn is_name(text: &str) -> bool {
    use GeneralCategory::{Control, Format, LineSeparator, ParagraphSeparator};
    // NUL is no text at all, and told by itself.
    let is_hidden =
        |c: char| matches!(CATEGORIES.get(c), Control | Format | LineSeparator | ParagraphSeparator);
    !text.chars().any(|c| !matches!(c, '\u{200C}' | '\0') && is_hidden(c))
}

/// Whether the text is a national code (کد ملی) of a natural person: ten digits of any of the three
/// scripts, of which the last is the check digit of the National Organization for Civil
/// Registration.
///
/// The first nine, weighted 10 to 2, sum to `r` modulo 11; the tenth is `r` when below 2, and else
/// `11 - r`. Ten equal digits pass this sum and are refused. Leading zeros belong to the code:
/// eight or nine digits are no code.
pub fn is_national_code(text: &str) -> bool {
    let Some(code) = digits::<10>(text) else {
        return false;
    };
    let [body @ .., check] = code.map(u32::from);
    let rest = body.iter().zip((2..=10).rev()).map(|(digit, weight)| digit * weight).sum::<u32>() % 11;
    let expected = if rest < 2 { rest } else { 11 - rest };
    check == expected && body != [check; 9]
}

/// Whether the text is a national id (شناسهٔ ملی) of a legal person: eleven digits of any of the
/// three scripts, of which the last is the check digit of the State Organization for Registration
/// of Deeds.
///
/// Each of the first ten, plus the tenth, plus 2, is weighted 29, 27, 23, 19, 17 and again; the sum
/// modulo 11, with 10 taken as 0, is the eleventh. The serial, digits four to nine, is not zero.
pub fn is_legal_id(text: &str) -> bool {
    let Some(id) = digits::<11>(text) else {
        return false;
    };
    let [body @ .., tenth, check] = id.map(u32::from);
    let weights = [29, 27, 23, 19, 17].into_iter().cycle();
    let sum: u32 =
        body.iter().chain([&tenth]).zip(weights).map(|(digit, weight)| (digit + tenth + 2) * weight).sum();
    check == sum % 11 % 10 && body[3..] != [0; 6]
}

/// The digits of a text that is exactly `N` digits, of any of the three scripts, and nothing else.
pub(super) fn digits<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut digits = [0; N];
    let mut chars = text.chars();
    for place in &mut digits {
        *place = chars.next().map(ascii_digit)?.to_digit(10)?.try_into().ok()?;
    }
    chars.next().is_none().then_some(digits)
}

fn ascii_digit(c: char) -> char {
    let zero = match c {
        '\u{660}'..='\u{669}' => 0x660,
        '\u{6F0}'..='\u{6F9}' => 0x6F0,
        _ => return c,
    };
    char::from_digit(u32::from(c) - zero, 10).unwrap_or(c)
}

fn vanishes(c: char) -> bool {
    match c {
        '\u{621}' | '\u{674}' => true,                             // hamza, high hamza
        '\u{640}' => true,                                         // tatweel
        '\u{61C}' | '\u{200E}' | '\u{200F}' => true,               // bidirectional marks
        '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => true, // embeddings, isolates
        '\u{AD}' | '\u{34F}' | '\u{2060}'..='\u{2064}' | '\u{FEFF}' => true, // soft hyphen, joiners
        '\u{FE00}'..='\u{FE0F}' => true,                           // variation selectors
        _ => COMBINING.get_u8(c) != 0,
    }
}

fn persian(c: char) -> char {
    match c {
        '\u{64A}' | '\u{649}' | '\u{6D2}' => 'ی',
        '\u{643}' | '\u{6AA}' => 'ک',
        '\u{629}' | '\u{6C3}' | '\u{6C1}' | '\u{6BE}' | '\u{6D5}' => 'ه',
        '\u{671}' => 'ا',
        _ => ascii_digit(c),
    }
}

#[cfg(test)]
mod tests;
