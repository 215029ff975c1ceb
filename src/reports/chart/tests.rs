#![allow(clippy::unwrap_used, clippy::panic)]

use plotters::style::RGBColor;
use proptest::prelude::*;
use quick_xml::{Reader, events::Event};

use super::{
    Chart, Curve, Figure, Line,
    bars::COLOURS,
    canvas::{HEIGHT, WIDTH},
    samples::{self, bars, many, provinces, s_curve, series},
    words,
};
use crate::problem::{Language, Text};

const LANGUAGES: [Language; 2] = [Language::Persian, Language::English];

/// A drawn element: name, numbers and words.
#[derive(Debug, Default)]
struct Shape {
    name: String,
    x: f64,
    y: f64,
    points: Vec<f64>,
    words: String,
}

/// Everything on the page, in pixels; panics where the document is not well-formed.
fn shapes(svg: &str) -> Vec<Shape> {
    let is_allowed = |c: char| matches!(c, '\n' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..);
    assert!(svg.chars().all(is_allowed), "a character that XML forbids");
    let (mut reader, mut shapes, mut depth) = (Reader::from_str(svg), Vec::<Shape>::new(), 0);
    loop {
        match reader.read_event().unwrap() {
            Event::Eof => break,
            Event::End(_) => depth -= 1,
            Event::Text(text) if depth > 1 => {
                shapes.last_mut().unwrap().words.push_str(text.decode().unwrap().trim_matches('\n'))
            }
            Event::GeneralRef(reference) => {
                let character = match &*reference.decode().unwrap() {
                    "lt" => '<',
                    "gt" => '>',
                    "amp" => '&',
                    "quot" => '"',
                    "apos" => '\'',
                    other => panic!("an unknown reference: {other}"),
                };
                shapes.last_mut().unwrap().words.push(character);
            }
            event @ (Event::Start(_) | Event::Empty(_)) => {
                depth += i32::from(matches!(event, Event::Start(_)));
                let (Event::Start(element) | Event::Empty(element)) = event else { unreachable!() };
                let mut shape = Shape {
                    name: String::from_utf8(element.name().as_ref().to_vec()).unwrap(),
                    ..Shape::default()
                };
                for attribute in element.attributes() {
                    let attribute = attribute.unwrap();
                    let value = String::from_utf8(attribute.value.to_vec()).unwrap();
                    let number = || value.parse::<f64>().unwrap() / 10.0;
                    match attribute.key.as_ref() {
                        b"x" | b"cx" | b"x1" => shape.x = number(),
                        b"y" | b"cy" | b"y1" => shape.y = number(),
                        b"points" => {
                            shape.points = value
                                .split([' ', ','])
                                .filter_map(|part| part.parse::<f64>().ok())
                                .map(|part| part / 10.0)
                                .collect()
                        }
                        _ => {}
                    }
                }
                shapes.push(shape);
            }
            _ => {}
        }
    }
    assert_eq!(depth, 0);
    shapes
}

fn drawn(chart: &Chart, language: Language) -> Vec<Shape> {
    shapes(&chart.svg(language).unwrap())
}

/// The first text that has these words.
fn text<'a>(shapes: &'a [Shape], words: &str) -> &'a Shape {
    shapes
        .iter()
        .find(|shape| shape.name == "text" && shape.words.contains(words))
        .unwrap_or_else(|| panic!("nowhere: {words}"))
}

fn count(shapes: &[Shape], name: &str) -> usize {
    shapes.iter().filter(|shape| shape.name == name).count()
}

fn is_on_page(shape: &Shape) -> bool {
    let is_in = |value: f64, end: f64| (0.0..=end).contains(&value);
    let points = shape.points.chunks(2).all(|point| is_in(point[0], WIDTH) && is_in(point[1], HEIGHT));
    is_in(shape.x, WIDTH) && is_in(shape.y, HEIGHT) && points
}

#[test]
fn every_sample_is_well_formed_stays_on_the_page_and_comes_out_the_same() {
    for (name, chart) in samples::all() {
        for language in LANGUAGES {
            let svg = chart.svg(language).unwrap();
            assert_eq!(svg, chart.svg(language).unwrap(), "{name}");
            assert!(svg.len() < 300_000, "{name}: {}", svg.len());
            assert!(shapes(&svg).iter().all(is_on_page), "{name}");
        }
    }
}

#[test]
fn a_document_says_its_language_its_size_and_what_it_shows() {
    let [fa, en] = LANGUAGES.map(|language| s_curve(12).svg(language).unwrap());
    assert!(fa.starts_with(r#"<svg xmlns="http://www.w3.org/2000/svg" width="1120" height="792" viewBox="0 0 11200 7920" lang="fa" xml:lang="fa" "#));
    assert!(en.contains(r#" lang="en" xml:lang="en" direction="ltr""#));
    assert!(fa.contains("<title>منحنی S پروژهٔ توسعهٔ خوشهٔ سنگ‌های ساختمانی لرستان</title>"));
    assert!(en.contains("<desc>Whole country, all industries; as of 1392-12-29 (2014-03-20)\nrials</desc>"));
}

#[test]
fn persian_words_read_from_right_to_left_with_persian_digits_and_begin_at_the_right_edge() {
    let shapes = drawn(&s_curve(12), Language::Persian);
    for shape in shapes.iter().filter(|shape| shape.name == "text") {
        assert!(!shape.words.contains(|c: char| c.is_ascii_digit()), "{}", shape.words);
        let is_isolated = shape.words.starts_with('\u{2067}') && shape.words.ends_with('\u{2069}');
        assert_eq!(is_isolated, shape.words.chars().any(char::is_alphabetic), "{}", shape.words);
    }
    let note = text(&shapes, "تا ۱۳۹۲/۱۲/۲۹");
    assert!(note.x > WIDTH - 40.0);
    assert!(text(&drawn(&s_curve(12), Language::English), "as of 1392-12-29").x < 40.0);
}

#[test]
fn bars_run_in_the_direction_of_reading_and_time_runs_to_the_right() {
    let chart = bars(provinces(), vec![series("برنامه", "Planned", vec![Some(1.0); 31])], false);
    let (fa, en) = (drawn(&chart, Language::Persian), drawn(&chart, Language::English));
    assert!(text(&fa, "اردبیل").x > text(&fa, "یزد").x);
    assert!(text(&en, "Ardabil").x < text(&en, "Yazd").x);
    let (fa, en) = (drawn(&s_curve(60), Language::Persian), drawn(&s_curve(60), Language::English));
    assert!(text(&fa, "۱۳۹۱/۰۱").x < text(&fa, "۱۳۹۳/۰۱").x);
    assert!(text(&en, "1391-01").x < text(&en, "1393-01").x);
}

#[test]
fn large_values_are_told_in_a_unit_that_is_named() {
    let (fa, en) = (drawn(&s_curve(60), Language::Persian), drawn(&s_curve(60), Language::English));
    text(&fa, "واحد: میلیارد ریال");
    text(&fa, "۱٬۲۰۰");
    text(&en, "Unit: billion rials");
    text(&en, "1,200");
    let unit_of = |value: f64| {
        let chart = bars(provinces(), vec![series("مبلغ", "Amount", vec![Some(value)])], false);
        text(&drawn(&chart, Language::Persian), "واحد")
            .words
            .trim_matches(['\u{2067}', '\u{2069}'])
            .to_owned()
    };
    assert_eq!(unit_of(999_999.0), "واحد: درصد");
    assert_eq!(unit_of(-1e6), "واحد: هزار درصد");
    assert_eq!(unit_of(1e7), "واحد: میلیون درصد");
    assert_eq!(unit_of(1e13), "واحد: هزار میلیارد درصد");
    assert_eq!(unit_of(1e18), "واحد: میلیون میلیارد درصد");
}

#[test]
fn a_name_can_neither_break_the_document_nor_turn_its_surroundings() {
    for language in LANGUAGES {
        let svg = many(3, true).svg(language).unwrap();
        assert!(!svg.contains("<script"));
        text(&shapes(&svg), "<script>&\"");
    }
    let name = Text::new("خوشهٔ\u{1}\u{202E}\u{2069}سنگ\u{FFFF}", "x");
    let chart = bars(vec![name], vec![series("ارزش", "Value", vec![Some(1.0)])], false);
    text(&drawn(&chart, Language::Persian), "\u{2067}خوشهٔ سنگ\u{2069}");
}

#[test]
fn without_data_it_says_so() {
    let unknown = |points| Curve { name: Text::new("ارزش", "Value"), line: Line::Earned, points };
    let curves = |periods: Vec<String>, curves| Figure::Curves {
        periods,
        curves,
        today: Some(3),
        marks: vec![(7, Text::new("خط مبنا", "Baseline"))],
    };
    let figures = [
        curves(vec![], vec![]),
        curves(vec!["1392-01".into()], vec![unknown(vec![None]), unknown(vec![])]),
        Figure::Bars { labels: vec![], series: vec![], horizontal: true },
        Figure::Bars {
            labels: provinces(),
            series: vec![series("ارزش", "Value", vec![Some(f64::INFINITY), None])],
            horizontal: false,
        },
        Figure::HeatMap { rows: vec![], columns: vec![], cells: vec![] },
        Figure::HeatMap { rows: provinces(), columns: provinces(), cells: vec![vec![None]] },
    ];
    for figure in figures {
        let chart = samples::chart("عنوان", "Title", ("ریال", "rials"), figure);
        text(&drawn(&chart, Language::Persian), "داده‌ای نیست");
        text(&drawn(&chart, Language::English), "No data");
    }
}

#[test]
fn a_missing_value_is_not_zero() {
    let of = |value| {
        drawn(
            &bars(provinces(), vec![series("ارزش", "Value", vec![Some(2.0), value])], true),
            Language::English,
        )
    };
    let (zero, missing) = (of(Some(0.0)), of(None));
    assert_eq!(count(&zero, "rect"), count(&missing, "rect") + 1);
    let dashes = |shapes: &[Shape]| shapes.iter().filter(|shape| shape.words == "–").count();
    assert_eq!((dashes(&zero), dashes(&missing)), (29, 30));
}

#[test]
fn a_missing_point_interrupts_a_curve_and_a_single_one_is_a_dot() {
    let of = |points: Vec<Option<f64>>| {
        let periods = (1..=points.len()).map(|month| format!("1392-{month:02}")).collect();
        let curve = Curve { name: Text::new("ارزش", "Value"), line: Line::Earned, points };
        let figure = Figure::Curves { periods, curves: vec![curve], today: None, marks: vec![] };
        let shapes = drawn(&samples::chart("عنوان", "Title", ("ریال", "rials"), figure), Language::English);
        let lines = shapes.iter().filter(|shape| {
            shape.name == "polyline" && shape.points.len() >= 4 && shape.points[1] != shape.points[3]
        });
        (lines.count(), count(&shapes, "circle"))
    };
    let ticks = of(vec![None, None, None, None, Some(1.0)]).0;
    assert_eq!(of(vec![Some(1.0), Some(2.0), Some(3.0), Some(4.0), Some(5.0)]), (ticks + 1, 0));
    assert_eq!(of(vec![Some(1.0), Some(2.0), None, Some(4.0), Some(5.0)]), (ticks + 2, 0));
    assert_eq!(of(vec![Some(1.0), Some(2.0), None, Some(4.0), None]), (ticks + 1, 1));
}

#[test]
fn what_is_beyond_a_page_is_left_out_and_said() {
    let (upright, lying) =
        (drawn(&many(200, false), Language::Persian), drawn(&many(200, true), Language::English));
    text(&upright, "تنها ۷۰ ردیف نخست از ۲۰۰ نشان داده شده است");
    text(&lying, "Only the first 40 of 200 rows are shown");
    assert_eq!(lying.iter().filter(|shape| shape.words.contains("<script>")).count(), 40);
    let names = |months| {
        drawn(&s_curve(months), Language::Persian)
            .iter()
            .filter(|shape| shape.words.starts_with('۱') && shape.words.contains('/'))
            .count()
    };
    assert!((8..=20).contains(&names(60)), "{}", names(60));
    assert!((3..=20).contains(&names(1_300)), "{}", names(1_300));
}

#[test]
fn numbers_and_periods_are_written_as_readers_do() {
    assert_eq!(words::number(Language::Persian, -1_234_567.25, 1), "−۱٬۲۳۴٬۵۶۷٫۲");
    assert_eq!(words::number(Language::English, -0.04, 1), "0.0");
    assert_eq!(words::rounded(Language::English, 12.30), "12.3");
    assert_eq!(words::rounded(Language::English, 1_234.5), "1,234");
    assert_eq!(words::period(Language::Persian, "1392-05"), "۱۳۹۲/۰۵");
    assert_eq!(words::period(Language::Persian, "1392-Q4"), "زمستان ۱۳۹۲");
    assert_eq!(words::period(Language::Persian, "1392-H1"), "نیمهٔ اول ۱۳۹۲");
    assert_eq!(words::period(Language::Persian, "1392"), "۱۳۹۲");
    assert_eq!(words::period(Language::English, "1392-Q4"), "1392-Q4");
}

#[test]
fn lines_are_never_wider_than_they_may_be() {
    let lines = words::lines("Kohgiluyeh and Boyer-Ahmad, the whole province", 12.0, 90.0, 2);
    assert_eq!(lines.len(), 2);
    assert!(lines[1].ends_with('…'));
    assert!(lines.iter().all(|line| words::width(line, 12.0) <= 90.0));
    assert_eq!(words::cut("خوشه", 12.0, 200.0), "خوشه");
}

/// By the lightness of CIE 1976, in which 100 is white.
#[test]
fn bars_can_be_told_apart_in_grey() {
    let linear = |channel: u8| (f64::from(channel) / 255.0).powf(2.2);
    let lightness = |colour: &RGBColor| {
        116.0 * (0.2126 * linear(colour.0) + 0.7152 * linear(colour.1) + 0.0722 * linear(colour.2)).cbrt()
            - 16.0
    };
    let mut all: Vec<f64> = COLOURS.iter().map(lightness).collect();
    all.sort_by(f64::total_cmp);
    assert!(all.windows(2).all(|pair| pair[1] - pair[0] > 10.0), "{all:?}");
    assert!(all.last().is_some_and(|lightest| *lightest < 90.0));
}

/// Writes every sample as `target/charts/NAME-LANGUAGE.svg`, to be looked at.
#[test]
#[ignore = "writes files for the eye"]
fn gallery() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/target/charts");
    std::fs::create_dir_all(folder).unwrap();
    for (name, chart) in samples::all() {
        for (language, tag) in LANGUAGES.into_iter().zip(["fa", "en"]) {
            std::fs::write(format!("{folder}/{name}-{tag}.svg"), chart.svg(language).unwrap()).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn no_numbers_and_no_words_break_a_chart(
        rows in proptest::collection::vec((".{0,40}", proptest::collection::vec(proptest::option::of(any::<f64>()), 0..4)), 0..8),
        today in proptest::option::of(0_usize..9),
    ) {
        let names: Vec<Text> = rows.iter().map(|(name, _)| Text::new(name.clone(), name.clone())).collect();
        let values: Vec<Vec<Option<f64>>> = rows.iter().map(|(_, values)| values.clone()).collect();
        let all_series = rows.iter().map(|(name, values)| super::Series { name: Text::new(name.clone(), name.clone()), values: values.clone() });
        let curves = rows.iter().map(|(name, points)| Curve { name: Text::new(name.clone(), name.clone()), points: points.clone(), line: Line::Planned });
        let figures = [
            Figure::Curves {
                periods: rows.iter().map(|(name, _)| name.clone()).collect(),
                curves: curves.collect(),
                today,
                marks: names.iter().cloned().enumerate().collect(),
            },
            Figure::Bars { labels: names.clone(), series: all_series.clone().collect(), horizontal: true },
            Figure::Bars { labels: names.clone(), series: all_series.collect(), horizontal: false },
            Figure::HeatMap { rows: names.clone(), columns: names, cells: values },
        ];
        for figure in figures {
            let chart = samples::chart("عنوان", "Title", ("ریال", "rials"), figure);
            for language in LANGUAGES {
                prop_assert!(drawn(&chart, language).iter().all(is_on_page));
            }
        }
    }
}
