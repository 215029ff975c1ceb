#![allow(clippy::unwrap_used)]

use std::io::Read;

use calamine::{Data, Reader, Xlsx};
use chrono::NaiveDate;
use serde_json::json;
use zip::ZipArchive;

use super::*;

const BIG: &str = "9007199254740993";

fn heading(name: &'static str, kind: Kind, fa: &'static str, en: &'static str) -> Heading {
    Heading { name: name.into(), title: Text::new(fa, en), kind }
}

fn about(language: Language, calendar: Calendar) -> About {
    About {
        title: Text::new("پروژه‌های توسعهٔ خوشه‌ها: پیشرفت و اعتبار", "Development projects: progress & budget"),
        columns: vec![
            heading("id", Kind::Id, "شناسهٔ پروژه", "Id of the project"),
            heading("cluster.code", Kind::Text, "کد خوشه", "Code of the cluster"),
            heading("name_fa", Kind::Text, "نام پروژه", "Name of the project in Persian"),
            heading("isic", Kind::Text, "رشته‌ها (ISIC)", "Industries (ISIC)"),
            heading("state", Kind::Word, "وضعیت", "State"),
            heading("started_on", Kind::Day, "تاریخ شروع", "Started on"),
            heading("milestones", Kind::Count, "شمار گام‌ها", "Milestones"),
            heading("days_late", Kind::Days, "روزهای تأخیر", "Days late"),
            heading("progress", Kind::BasisPoints, "پیشرفت", "Progress"),
            heading("spi", Kind::Ratio, "شاخص عملکرد زمان‌بندی (SPI)", "Schedule performance index (SPI)"),
            heading("budget", Kind::Rials, "اعتبار مصوب (ریال)", "Approved budget (rials)"),
            heading("place.lat", Kind::Number, "عرض جغرافیایی", "Latitude"),
        ],
        provenance: vec![
            (Text::new("گزارش به تاریخ", "As of"), "2014-03-20".into()),
            (Text::new("دانسته‌ها تا", "Known at"), "2026-10-01T07:30:00Z".into()),
            (Text::new("محدوده", "Scope"), "لرستان (IR-15)".into()),
            (Text::new("تهیه‌کننده", "Made by"), "سازمان صنایع کوچک و شهرک‌های صنعتی ایران".into()),
            (Text::new("پارامترها", "Parameters"), "province=IR-15&state=implementation".into()),
        ],
        language,
        calendar,
    }
}

fn row(number: u64) -> Value {
    let names = [
        "توسعهٔ خوشهٔ سنگ تزئینی دورود و ازنا",
        "=HYPERLINK(\"http://127.0.0.1\",\"سوغات\")",
        "ورشو بروجرد",
        "Saffron of Qaen",
    ];
    json!({
        "id": format!("0193f0a0-0000-7000-8000-{number:012}"),
        "cluster": { "code": format!("IR-15-{number:04}") },
        "name_fa": if number == 7 { vec![names.join("؛ "); 2].join("؛ ") } else { names[number as usize % 4].to_owned() },
        "isic": [{ "code": "2396" }, { "code": "0810" }],
        "state": "implementation",
        "started_on": "2014-03-20",
        "milestones": 1_200 + number,
        "days_late": if number.is_multiple_of(3) { json!(null) } else { json!(number) },
        "progress": 8_525,
        "spi": "0.93",
        "budget": if number == 1 { BIG.to_owned() } else { format!("{}000000000", 12 + number) },
        "place": { "lat": 33.4878 },
    })
}

fn written(about: About, rows: u64, most_rows: u32) -> File {
    let mut sheet = Sheet::with_most_rows(about, most_rows).unwrap();
    (0..rows).for_each(|number| sheet.row(&row(number)).unwrap());
    let totals = json!({ "milestones": 7_506, "progress": 8_525, "budget": "90071992547409930" });
    sheet.finish(if rows == 0 { &Value::Null } else { &totals }, &"ab".repeat(32)).unwrap()
}

fn read(file: &File) -> Vec<(String, Vec<Vec<Data>>)> {
    let mut book = Xlsx::new(file).unwrap();
    book.worksheets()
        .into_iter()
        .map(|(name, cells)| (name, cells.rows().map(<[Data]>::to_vec).collect()))
        .collect()
}

fn part(file: &File, name: &str) -> String {
    let mut text = String::new();
    ZipArchive::new(file).unwrap().by_name(name).unwrap().read_to_string(&mut text).unwrap();
    text
}

fn text(text: &str) -> Data {
    Data::String(text.into())
}

#[test]
fn words_are_persian_in_persian_sheets() {
    let sheets = read(&written(about(Language::Persian, Calendar::Gregorian), 2, MOST_ROWS));
    assert_eq!(sheets[0].1[1][4], text("اجرا"));
}

#[test]
fn values_are_real() {
    let file = written(about(Language::English, Calendar::Gregorian), 2, MOST_ROWS);
    let sheets = read(&file);
    let (name, rows) = &sheets[0];
    assert_eq!(name, "Development projects progress");
    assert_eq!(
        rows[0][..3],
        [text("Id of the project"), text("Code of the cluster"), text("Name of the project in Persian")]
    );
    assert_eq!(
        rows[1][1..5],
        [
            text("IR-15-0000"),
            text("توسعهٔ خوشهٔ سنگ تزئینی دورود و ازنا"),
            text("2396;0810"),
            text("implementation")
        ]
    );
    let Data::DateTime(day) = rows[1][5] else { panic!("{:?} is no date", rows[1][5]) };
    assert_eq!(day.as_datetime().unwrap().date(), NaiveDate::from_ymd_opt(2014, 3, 20).unwrap());
    assert_eq!(
        rows[1][6..],
        [1200.0, 0.0, 0.8525, 0.93, 12e9, 33.4878].map(|n| if n == 0.0 {
            Data::Empty
        } else {
            Data::Float(n)
        })
    );
    assert_eq!(rows[2][10], text(BIG), "more digits than a spreadsheet keeps");
    let total =
        [text("Total"), Data::Empty, Data::Float(7506.0), Data::Float(0.8525), text("90071992547409930")];
    assert_eq!([&rows[3][0], &rows[3][1], &rows[3][6], &rows[3][8], &rows[3][10]].map(Clone::clone), total);
    assert_eq!(rows.len(), 4);
    let styles = part(&file, "xl/styles.xml");
    for format in [
        "formatCode=\"yyyy-mm-dd\"",
        "numFmtId=\"2\"",
        "numFmtId=\"3\"",
        "numFmtId=\"10\"",
        "numFmtId=\"49\"",
    ] {
        assert!(styles.contains(format), "{format} in {styles}");
    }
}

#[test]
fn text_is_never_a_formula() {
    let file = written(about(Language::English, Calendar::Gregorian), 2, MOST_ROWS);
    assert_eq!(read(&file)[0].1[2][2], text("=HYPERLINK(\"http://127.0.0.1\",\"سوغات\")"));
    assert!(!part(&file, "xl/worksheets/sheet1.xml").contains("<f>"));
}

#[test]
fn persian_days_stand_before_real_ones() {
    let (_, rows) = &read(&written(about(Language::Persian, Calendar::Persian), 1, MOST_ROWS))[0];
    assert_eq!(rows[0][5..7], [text("تاریخ شروع (شمسی)"), text("تاریخ شروع (میلادی)")]);
    assert_eq!(rows[1][5], text("1392/12/29"));
    assert!(matches!(rows[1][6], Data::DateTime(_)));
    assert_eq!(rows[2][0], text("جمع"));
}

#[test]
fn sheets_are_laid_out_for_their_language() {
    let [persian, english] = [Language::Persian, Language::English]
        .map(|language| written(about(language, Calendar::Gregorian), 3, MOST_ROWS));
    for sheet in ["xl/worksheets/sheet1.xml", "xl/worksheets/sheet2.xml"] {
        assert!(part(&persian, sheet).contains("rightToLeft=\"1\""));
        assert!(!part(&english, sheet).contains("rightToLeft"));
    }
    let sheet = part(&persian, "xl/worksheets/sheet1.xml");
    for expected in [
        "<pane ySplit=\"1\" topLeftCell=\"A2\" activePane=\"bottomLeft\" state=\"frozen\"/>",
        "<autoFilter ref=\"A1:L4\"/>",
        "<pageSetUpPr fitToPage=\"1\"/>",
        "paperSize=\"9\" fitToHeight=\"0\" orientation=\"landscape\"",
        "صفحهٔ \u{200e}&amp;P از \u{200e}&amp;N",
        "پروژه‌های توسعهٔ خوشه‌ها: پیشرفت و اعتبار\n",
    ] {
        assert!(sheet.contains(expected), "{expected} in {sheet}");
    }
    assert!(part(&persian, "xl/workbook.xml").contains("$1:$1</definedName>"), "the heading is on each page");
}

#[test]
fn the_last_sheet_says_where_the_rows_come_from() {
    let (name, rows) =
        read(&written(about(Language::Persian, Calendar::Persian), 3, MOST_ROWS)).pop().unwrap();
    assert_eq!(name, "مشخصات گزارش");
    assert_eq!(rows[0][0], text("پروژه‌های توسعهٔ خوشه‌ها: پیشرفت و اعتبار"));
    assert_eq!(rows[2], [text("گزارش به تاریخ"), text("2014-03-20")]);
    assert_eq!(rows[7], [text("شمار ردیف‌ها"), Data::Float(3.0)]);
    assert_eq!(rows[8], [text("چکیدهٔ ردیف‌ها (SHA-256)"), text(&"ab".repeat(32))]);
}

#[test]
fn rows_go_on_in_further_sheets() {
    // A heading, three rows, and room for the totals.
    let file = written(about(Language::Persian, Calendar::Gregorian), 7, 5);
    let sheets = read(&file);
    assert_eq!(sheets.iter().map(|(_, rows)| rows.len()).collect::<Vec<_>>(), [4, 4, 3, 10]);
    assert_eq!(sheets[1].0, "پروژه‌های توسعهٔ خوشه‌ها (2)");
    assert_eq!(sheets[1].1[0], sheets[0].1[0]);
    assert_eq!(sheets[1].1[1][6], Data::Float(1203.0));
    assert_eq!(sheets[2].1[2][0], text("جمع"));
    assert!(part(&file, "xl/worksheets/sheet2.xml").contains("<autoFilter ref=\"A1:L4\"/>"));
}

#[test]
fn nothing_at_all_is_a_sheet_too() {
    for columns in [about(Language::Persian, Calendar::Persian).columns, Vec::new()] {
        let width = if columns.is_empty() { 0 } else { 1 };
        let file = written(About { columns, ..about(Language::Persian, Calendar::Persian) }, 0, MOST_ROWS);
        let sheets = read(&file);
        assert_eq!((sheets.len(), sheets[0].1.len()), (2, width));
    }
}

#[test]
fn names_and_headers_keep_the_rules() {
    for title in
        ["", "'", "a/b:c?*[d]\\e", "history", "Provenance", "&&12\"x\"\n\u{1}&G", &"خ🌾&".repeat(300)]
    {
        let about =
            About { title: Text::new("", title.to_owned()), ..about(Language::English, Calendar::Gregorian) };
        let file = written(about, 5, 4);
        assert_eq!(read(&file).len(), 4, "{title}");
        assert!(part(&file, "xl/worksheets/sheet1.xml").contains("<oddHeader>"), "{title}");
    }
}

/// The high-water mark of this process's memory, in KiB (Linux).
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok())
        .unwrap()
}

#[test]
#[ignore = "takes a while, and measures the whole process: run it alone"]
fn a_long_sheet_takes_no_more_memory_than_a_short_one() {
    written(about(Language::Persian, Calendar::Persian), 1_000, MOST_ROWS);
    let short = memory();
    let file = written(about(Language::Persian, Calendar::Persian), 300_000, MOST_ROWS);
    println!("{} bytes; {short} KiB, then {} KiB", file.metadata().unwrap().len(), memory());
    assert!(memory() - short < 4_096);
}

#[test]
#[ignore = "writes samples to look at into target/sheets"]
fn samples() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/target/sheets");
    std::fs::create_dir_all(folder).unwrap();
    let samples = [
        ("fa-persian", Language::Persian, Calendar::Persian),
        ("fa-gregorian", Language::Persian, Calendar::Gregorian),
        ("en-gregorian", Language::English, Calendar::Gregorian),
        ("en-persian", Language::English, Calendar::Persian),
    ];
    for (name, language, calendar) in samples {
        std::io::copy(
            &mut written(about(language, calendar), 60, MOST_ROWS),
            &mut File::create(format!("{folder}/{name}.xlsx")).unwrap(),
        )
        .unwrap();
    }
}
