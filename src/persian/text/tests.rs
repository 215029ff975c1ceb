use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

#[test]
fn folded_forms_of_what_sources_write() {
    for (given, folded) in [
        ("كشاورزي", "کشاورزی"),
        ("قزل‌آلا", "قزل الا"),
        ("  قزل\u{A0}-\tآلا. ", "قزل الا"),
        ("۱۳۹۲ ١٣٩٢", "1392 1392"),
        ("خوشهٔ خوشۀ خوشه خوشة خوشە", "خوشه خوشه خوشه خوشه خوشه"),
        ("أإآٱ مؤمن مسئول", "اااا مومن مسیول"),
        ("انشاء جزء", "انشا جز"),
        ("مُعَلِّمـــٰـً", "معلم"),
        ("مصطفى علي", "مصطفی علی"),
        ("\u{202B}سنگ\u{202C}\u{200F}", "سنگ"),
        ("ﺧﻮﺷﻪ ﻻ", "خوشه لا"),
        ("«سنگ» (نما)، تزئینی؟", "سنگ نما تزیینی"),
        ("Étude ＮＯ.２ İ", "etude no 2 i"),
        (" \u{200C} — !", ""),
    ] {
        assert_eq!(fold(given), folded, "{given}");
    }
}

// Folding works character by character but for the spaces, so this is every case there is.
#[test]
fn folding_any_character_again_changes_nothing() {
    for c in '\0'..=char::MAX {
        let once = fold(&format!("a{c}b"));
        assert_eq!(fold(&once), once, "{c:?}");
        assert!(!once.chars().any(|c| ('\u{E000}'..='\u{F8FF}').contains(&c)));
        assert!(
            once.split(' ').all(|word| !word.is_empty() && word.chars().all(char::is_alphanumeric)),
            "{c:?}"
        );
    }
}

#[test]
fn keys_ignore_spaces_and_sort_like_a_dictionary() {
    assert_eq!(key("قزل آلا"), key("قزل‌آلا"));
    assert_eq!(key("قزل آلا"), key("قزلآلا"));
    assert_ne!(key("پر"), key("بر"));
    let sorted = [
        "1392",
        "steel",
        "آجر",
        "بیل",
        "پارچه",
        "جوراب",
        "چرم",
        "زعفران",
        "ژله",
        "سنگ",
        "کاشی",
        "گچ",
        "لاستیک",
        "وان",
        "هتل",
        "یخ",
    ];
    let mut names = sorted;
    names.reverse();
    names.sort_by_key(|name| key(name));
    assert_eq!(names, sorted);
}

#[test]
fn words_find_what_is_written_apart_or_together() {
    assert_eq!(words("قزل‌آلا"), ["الا", "قزل", "قزلالا"]);
    assert_eq!(words("سنگ سنگ"), ["سنگ", "سنگسنگ"]);
    assert_eq!(words("خوشه"), ["خوشه"]);
    assert!(words(" - ").is_empty());
    assert_eq!(query_words("سنگِ تزئينی ۱"), ["سنگ", "تزیینی", "1"]);
}

#[test]
fn text_is_kept_as_given() {
    assert!(matches!(nfc("كشاورزي ۱۳۹۲"), Cow::Borrowed(_)));
    assert_eq!(nfc("ا\u{653}ب"), "آب");
    assert_eq!(latin_digits("۰۱۲۳۴۵۶۷۸۹/٠١٢٣٤٥٦٧٨٩ تا 9٫5"), "0123456789/0123456789 تا 9٫5");
}

#[test]
fn national_codes() {
    // Examples that open-source validators publish (persian-tools, gists); the last
    // two have a remainder below 2.
    for code in ["0499370899", "۰۰۷۶۲۲۹۶۴۵", "١٥٨٣٢٥٠٦٨٩", "0183382390", "1234567891"] {
        assert!(is_national_code(code), "{code}");
    }
    for code in ["0684159415", "0499370898", "499370899", "00499370899", " 0499370899", "04993-70899", ""] {
        assert!(!is_national_code(code), "{code}");
    }
    assert!((0..=9).all(|digit| !is_national_code(&digit.to_string().repeat(10))));
}

#[test]
fn legal_ids() {
    // From companies' own web pages and official notices; the last two have a remainder of 10.
    for id in ["10380284790", "10101837663", "۱۴۰۰۹۲۲۵۸۸۳", "10380597837", "10320351200", "14015444540"]
    {
        assert!(is_legal_id(id), "{id}");
    }
    for id in ["10380285692", "10380284791", "1038028479", "103802847900", "11111111111", "00000000000", ""] {
        assert!(!is_legal_id(id), "{id}");
    }
    let mut zero_serial = (0..100).map(|n| format!("140000000{n:02}"));
    assert!(zero_serial.all(|id| !is_legal_id(&id)));
}

/// The alphabet, written independently to check `key`.
const LETTERS: [char; 32] = [
    'ا', 'ب', 'پ', 'ت', 'ث', 'ج', 'چ', 'ح', 'خ', 'د', 'ذ', 'ر', 'ز', 'ژ', 'س', 'ش', 'ص', 'ض', 'ط', 'ظ', 'ع',
    'غ', 'ف', 'ق', 'ک', 'گ', 'ل', 'م', 'ن', 'و', 'ه', 'ی',
];

fn persian_word() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..LETTERS.len(), 1..5)
}

fn spell(word: &[usize]) -> String {
    word.iter().map(|&place| LETTERS[place]).collect()
}

proptest! {
    #[test]
    fn folding_twice_is_folding_once(text in any::<String>(), word in "[آ-ی\u{64B}-\u{65F}\u{200C} -]*") {
        for text in [text, word] {
            let once = fold(&text);
            prop_assert_eq!(fold(&once), once.clone());
            prop_assert_eq!(fold(&nfc(&text)), once);
        }
    }

    #[test]
    fn keys_order_as_the_alphabet_does(one in persian_word(), other in persian_word()) {
        prop_assert_eq!(key(&spell(&one)).cmp(&key(&spell(&other))), one.cmp(&other));
    }

    #[test]
    fn keys_are_one_to_one(
        texts in prop::collection::vec("[ابپتجچژسکگوهیڕێ\u{6FF}a-c0-2 ]{0,3}", 100)) {
        let mut owners = HashMap::new();
        for text in texts {
            let folded = fold(&text).replace(' ', "");
            prop_assert_eq!(owners.entry(key(&text)).or_insert(folded.clone()), &folded);
        }
    }

    #[test]
    fn a_query_typed_apart_or_together_is_found(parts in prop::collection::vec(persian_word(), 2..5)) {
        let parts: Vec<_> = parts.iter().map(|part| spell(part)).collect();
        let index = words(&parts.join("\u{200C}"));
        prop_assert!(query_words(&parts.join(" ")).iter().all(|word| index.contains(word)));
        prop_assert!(index.contains(&parts[..2].concat()));
    }
}

#[test]
fn alef_with_madda_comes_first_and_is_the_same_letter() {
    let mut names = ["اسب", "آهن", "ابریشم", "آب", "بلور", "آجر"];
    names.sort_by_key(|name| order(name));
    assert_eq!(names, ["آب", "آجر", "آهن", "ابریشم", "اسب", "بلور"]);
    assert_eq!(key("آهن"), key("اهن"));
    assert_eq!(order("سنگ"), key("سنگ"));
}
