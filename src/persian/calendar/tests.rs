#![allow(clippy::unwrap_used)]

use std::panic;

use chrono::{Days, NaiveDate};
use proptest::prelude::*;

use super::*;

/// First day and length of a Persian year by K. M. Borkowski's table of breaks in the 33-year cycle
/// ("The Persian calendar for 3000 years", Earth, Moon, and Planets 74, 1996), as the JavaScript
/// library jalaali-js has it: independent of ICU.
fn borkowski(year: i32) -> (NaiveDate, bool) {
    const BREAKS: [i32; 20] = [
        -61, 9, 38, 199, 426, 686, 756, 818, 1111, 1181, 1210, 1635, 2060, 2097, 2192, 2262, 2324, 2394,
        2456, 3178,
    ];
    let gregorian = year + 621;
    let at = BREAKS.iter().position(|&end| year < end).unwrap();
    let mut leaps = -14;
    for pair in BREAKS[..at].windows(2) {
        let jump = pair[1] - pair[0];
        leaps += jump / 33 * 8 + jump % 33 / 4;
    }
    let (jump, mut n) = (BREAKS[at] - BREAKS[at - 1], year - BREAKS[at - 1]);
    leaps += n / 33 * 8 + (n % 33 + 3) / 4;
    if jump % 33 == 4 && jump - n == 4 {
        leaps += 1;
    }
    let gregorian_leaps = gregorian / 4 - (gregorian / 100 + 1) * 3 / 4 - 150;
    let march = u32::try_from(20 + leaps - gregorian_leaps).unwrap();
    if jump - n < 6 {
        n += (jump + 4) / 33 * 33 - jump;
    }
    let is_leap = ((n + 1) % 33 - 1) % 4 == 0;
    (NaiveDate::from_ymd_opt(gregorian, 3, march).unwrap(), is_leap)
}

fn day(text: &str) -> Date {
    Date::parse(text).unwrap()
}

#[test]
fn every_day_of_two_centuries_agrees_with_an_independent_calendar() {
    let (mut expected, _) = borkowski(1300);
    for year in 1300..=1500 {
        let (nowruz, is_leap) = borkowski(year);
        assert_eq!(nowruz, expected, "the year before {year} has the wrong length");
        for month in 1..=12 {
            let length = match month {
                1..=6 => 31,
                7..=11 => 30,
                _ => 29 + u8::from(is_leap),
            };
            for day in 1..=length {
                let date = Date::from(expected);
                assert_eq!(Date::from_persian(year, month, day), Some(date));
                assert_eq!(date.persian(), (year, month, day));
                let text = format!("{year:04}-{month:02}-{day:02}");
                assert_eq!(date.in_calendar(Calendar::Persian), text);
                assert_eq!(using(Calendar::Persian, || Date::parse(&text)), Ok(date));
                expected = expected + Days::new(1);
            }
            assert_eq!(Date::from_persian(year, month, length + 1), None);
        }
    }
}

#[test]
fn known_days() {
    for (persian, gregorian) in [
        ("1392-12-29", "2014-03-20"),
        ("1393-01-01", "2014-03-21"),
        ("1403-12-30", "2025-03-20"),
        ("1399-12-30", "2021-03-20"),
        ("1357-11-22", "1979-02-11"),
        ("1000-01-01", "1621-03-21"),
        ("8377-12-29", "8999-03-19"),
    ] {
        assert_eq!(using(Calendar::Persian, || day(persian)), day(gregorian), "{persian}");
        assert_eq!(day(gregorian).in_calendar(Calendar::Persian), persian);
        assert_eq!(day(gregorian).in_calendar(Calendar::Gregorian), gregorian);
    }
    assert_eq!((day("1621-03-21"), day("8999-03-19")), (Date::FIRST, Date::LAST));
    assert_eq!(using(Calendar::Persian, || day("۱۳۹۲-۱۲-٢٩")), day("2014-03-20"));
}

#[test]
fn what_is_no_date_says_why() {
    use Calendar::{Gregorian, Persian};
    let refusal = |calendar, text: &str| using(calendar, || Date::parse(text)).unwrap_err();
    for text in
        ["", "1392", "1392-1-01", "1392/12/29", "01392-12-29", "1392-12-29 ", "1392-12--9", "१३९२-12-29"]
    {
        assert_eq!(refusal(Persian, text), DateError::Malformed(Persian), "{text}");
    }
    for (calendar, text) in [
        (Persian, "1392-12-30"),
        (Persian, "1404-12-30"),
        (Persian, "1392-07-31"),
        (Persian, "1392-13-01"),
        (Persian, "1392-00-01"),
        (Persian, "1392-01-00"),
        (Gregorian, "2014-02-29"),
        (Gregorian, "2014-99-99"),
    ] {
        assert!(matches!(refusal(calendar, text), DateError::Nonexistent(..)), "{text}");
    }
    for (calendar, text) in [
        (Persian, "0000-01-01"),
        (Persian, "9378-01-01"),
        (Persian, "9999-12-01"),
        (Gregorian, "0000-01-01"),
        (Gregorian, "1621-03-20"),
        (Gregorian, "8999-03-20"),
    ] {
        assert_eq!(refusal(calendar, text), DateError::OutOfRange(calendar), "{text}");
    }

    let error = refusal(Persian, "۱۳۹۲-12-30");
    assert_eq!(error.detail_en(), "The date 1392-12-30 does not exist in the Persian calendar.");
    assert_eq!(error.to_string(), error.detail_en());
    assert_eq!(error.detail_fa(), "تاریخ \u{2066}1392-12-30\u{2069} در تقویم هجری شمسی وجود ندارد.");
    assert_eq!(
        refusal(Persian, "9378-01-01").detail_fa(),
        "تاریخ در تقویم هجری شمسی باید از \u{2066}1000-01-01\u{2069} تا \u{2066}8377-12-29\u{2069} باشد."
    );
    for (year, month, day) in [(0, 1, 1), (9378, 1, 1), (i32::MAX, 1, 1), (i32::MIN, 255, 255)] {
        assert_eq!(Date::from_persian(year, month, day), None);
    }
}

#[test]
fn json_is_in_the_calendar_of_the_closure() {
    let date = day("2014-03-20");
    assert_eq!(serde_json::to_string(&date).unwrap(), "\"2014-03-20\"");
    using(Calendar::Persian, || {
        assert_eq!(serde_json::to_string(&date).unwrap(), "\"1392-12-29\"");
        assert_eq!(serde_json::from_str::<Date>("\"1392-12-29\"").unwrap(), date);
        assert_eq!(using(Calendar::Gregorian, current), Calendar::Gregorian);
        assert_eq!(current(), Calendar::Persian);
        assert_eq!(
            serde_json::from_str::<Date>("\"1392-12-30\"").unwrap_err().to_string(),
            "The date 1392-12-30 does not exist in the Persian calendar. at line 1 column 12"
        );
    });
    assert_eq!(current(), Calendar::Gregorian);
    assert_eq!(serde_json::from_str::<Calendar>("\"persian\"").unwrap(), Calendar::Persian);
    assert!(serde_json::from_str::<Date>("20140320").is_err());
}

#[test]
fn a_panic_gives_the_earlier_calendar_back() {
    let panicked = panic::catch_unwind(|| using(Calendar::Persian, || panic::resume_unwind(Box::new(()))));
    assert!(panicked.is_err());
    assert_eq!(current(), Calendar::Gregorian);
}

#[test]
fn periods_end_where_the_persian_calendar_says() {
    using(Calendar::Persian, || {
        for (date, month, quarter, year) in [
            ("1392-12-01", "1392-12-29", "1392-12-29", "1392-12-29"),
            ("1403-10-01", "1403-10-30", "1403-12-30", "1403-12-30"),
            ("1393-01-01", "1393-01-31", "1393-03-31", "1393-12-29"),
            ("1393-06-31", "1393-06-31", "1393-06-31", "1393-12-29"),
            ("1393-07-01", "1393-07-30", "1393-09-30", "1393-12-29"),
            ("8377-11-05", "8377-11-30", "8377-12-29", "8377-12-29"),
        ] {
            let ends = [Period::Day, Period::Month, Period::Quarter, Period::Year];
            assert_eq!(ends.map(|period| day(date).end_of(period)), [date, month, quarter, year].map(day));
        }
    });
}

proptest! {
    #[test]
    fn any_day_survives_either_calendar(year in 1000..=8377, month in 1..=12_u8, day in 1..=31_u8) {
        if let Some(date) = Date::from_persian(year, month, day) {
            prop_assert_eq!(date.persian(), (year, month, day));
            for calendar in [Calendar::Gregorian, Calendar::Persian] {
                let text = date.in_calendar(calendar);
                prop_assert_eq!(using(calendar, || Date::parse(&text)), Ok(date));
            }
            for period in [Period::Day, Period::Month, Period::Quarter, Period::Year] {
                let end = date.end_of(period);
                prop_assert!(end >= date && end.end_of(period) == end);
                prop_assert_eq!(end.persian().0, year);
            }
        } else {
            prop_assert!(day > 29);
        }
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in "\\PC*|[0-9۰-۹]{4}-[0-9]{2}-[0-9]{2}") {
        for calendar in [Calendar::Gregorian, Calendar::Persian] {
            if let Ok(date) = using(calendar, || Date::parse(&text)) {
                prop_assert_eq!(date.in_calendar(calendar), latin_digits(&text));
            }
        }
    }

    #[test]
    fn any_naive_day_is_written_in_ten_characters(days in any::<i32>()) {
        let naive = NaiveDate::from_num_days_from_ce_opt(days).unwrap_or(NaiveDate::MAX);
        let date = Date::from(naive);
        prop_assert_eq!(date.in_calendar(Calendar::Persian).len(), 10);
        prop_assert!((Date::FIRST..=Date::LAST).contains(&date.end_of(Period::Year)));
    }
}
