//! Sample charts of each kind, and edge cases, for tests and visual inspection.

use super::{Chart, Curve, Figure, Line, Series};
use crate::problem::Text;

const PROVINCES: [(&str, &str); 31] = [
    ("آذربایجان شرقی", "East Azerbaijan"),
    ("آذربایجان غربی", "West Azerbaijan"),
    ("اردبیل", "Ardabil"),
    ("اصفهان", "Isfahan"),
    ("البرز", "Alborz"),
    ("ایلام", "Ilam"),
    ("بوشهر", "Bushehr"),
    ("تهران", "Tehran"),
    ("چهارمحال و بختیاری", "Chaharmahal and Bakhtiari"),
    ("خراسان جنوبی", "South Khorasan"),
    ("خراسان رضوی", "Razavi Khorasan"),
    ("خراسان شمالی", "North Khorasan"),
    ("خوزستان", "Khuzestan"),
    ("زنجان", "Zanjan"),
    ("سمنان", "Semnan"),
    ("سیستان و بلوچستان", "Sistan and Baluchestan"),
    ("فارس", "Fars"),
    ("قزوین", "Qazvin"),
    ("قم", "Qom"),
    ("کردستان", "Kurdistan"),
    ("کرمان", "Kerman"),
    ("کرمانشاه", "Kermanshah"),
    ("کهگیلویه و بویراحمد", "Kohgiluyeh and Boyer-Ahmad"),
    ("گلستان", "Golestan"),
    ("گیلان", "Gilan"),
    ("لرستان", "Lorestan"),
    ("مازندران", "Mazandaran"),
    ("مرکزی", "Markazi"),
    ("هرمزگان", "Hormozgan"),
    ("همدان", "Hamadan"),
    ("یزد", "Yazd"),
];
const INDUSTRIES: [(&str, &str); 8] = [
    ("سنگ‌های ساختمانی", "Building stone"),
    ("فرش دستباف", "Hand-woven carpets"),
    ("پوشاک", "Wearing apparel"),
    ("مبلمان و مصنوعات چوبی", "Furniture and wood products"),
    ("قطعات خودرو", "Motor vehicle parts"),
    ("خشکبار و فراوری خرما", "Dried fruit and date processing"),
    ("ورشو", "German silver"),
    ("گیاهان دارویی", "Medicinal plants"),
];

pub fn texts(names: &[(&'static str, &'static str)]) -> Vec<Text> {
    names.iter().map(|(fa, en)| Text::new(*fa, *en)).collect()
}

pub fn provinces() -> Vec<Text> {
    texts(&PROVINCES)
}

pub fn chart(
    fa: &'static str,
    en: &'static str,
    unit: (&'static str, &'static str),
    figure: Figure,
) -> Chart {
    let note = Text::new(
        "کشور، همهٔ صنایع؛ ارزش‌ها (میلیارد ریال) تا 1392/12/29",
        "Whole country, all industries; as of 1392-12-29 (2014-03-20)",
    );
    Chart { title: Text::new(fa, en), note, unit: Text::new(unit.0, unit.1), figure }
}

pub fn series(fa: &'static str, en: &'static str, values: Vec<Option<f64>>) -> Series {
    Series { name: Text::new(fa, en), values }
}

pub fn bars(labels: Vec<Text>, series: Vec<Series>, horizontal: bool) -> Chart {
    chart(
        "رده‌بندی استان‌ها",
        "League of provinces",
        ("درصد", "per cent"),
        Figure::Bars { labels, series, horizontal },
    )
}

/// An S-curve of this number of months from 1390/04 on; in the month after a third of them the cost is
/// unknown.
pub fn s_curve(months: usize) -> Chart {
    let today = months * 2 / 3;
    let value = |month: usize, share: f64| {
        let way = (month as f64 - months as f64 / 2.0) / (months as f64 / 10.0);
        Some(share * 1.2e12 / (1.0 + (-way).exp()))
    };
    let points = |share: f64, has: &dyn Fn(usize) -> bool| {
        (0..months).map(|month| value(month, share).filter(|_| has(month))).collect()
    };
    let curve = |fa, en, line, points| Curve { name: Text::new(fa, en), line, points };
    let curves = vec![
        curve(
            "ارزش برنامه‌ریزی‌شده (خط مبنای نخست)",
            "Planned value (first baseline)",
            Line::Superseded,
            points(0.9, &|_| true),
        ),
        curve("ارزش برنامه‌ریزی‌شده", "Planned value", Line::Planned, points(1.0, &|_| true)),
        curve("ارزش کسب‌شده", "Earned value", Line::Earned, points(0.7, &|month| month <= today)),
        curve(
            "هزینهٔ واقعی",
            "Actual cost",
            Line::Cost,
            points(0.8, &|month| month <= today && month != months / 3 + 1),
        ),
        curve(
            "برآورد تا پایان",
            "Estimate at completion",
            Line::Forecast,
            points(0.8, &|month| month >= today),
        ),
    ];
    let periods =
        (3..months + 3).map(|month| format!("{}-{:02}", 1390 + month / 12, month % 12 + 1)).collect();
    let second = Text::new("خط مبنای دوم", "Second baseline");
    let third = Text::new("خط مبنای سوم: تغییر دامنه", "Third baseline: change of scope");
    let marks = vec![(months / 4, second), (months / 4 + months / 20, third)];
    chart(
        "منحنی S پروژهٔ توسعهٔ خوشهٔ سنگ‌های ساختمانی لرستان",
        "S-curve of the development project of Lorestan's building stone cluster",
        ("ریال", "rials"),
        Figure::Curves { periods, curves, today: Some(today), marks },
    )
}

fn league(horizontal: bool) -> Chart {
    let planned = (0..31).map(|place| Some(90.0 - f64::from(place) * 1.7)).collect();
    let actual = (0..31).map(|place| Some(88.0 - f64::from(place) * 2.3).filter(|_| place != 4)).collect();
    bars(
        provinces(),
        vec![series("برنامه", "Planned", planned), series("واقعی", "Actual", actual)],
        horizontal,
    )
}

fn funnel() -> Chart {
    let stages = [
        ("شناسایی", "Identified"),
        ("امکان‌سنجی", "Feasibility"),
        ("مصوب کمیتهٔ راهبری ملی توسعهٔ خوشه‌های صنعتی", "Approved by the national steering committee"),
        ("در حال اجرا", "In progress"),
        ("پایان‌یافته", "Completed"),
        ("واگذارشده به تشکل", "Handed over"),
    ];
    let counts = [312.0, 190.0, 121.0, 64.0, 23.0, 0.0].map(Some).to_vec();
    let figure = Figure::Bars {
        labels: texts(&stages),
        series: vec![series("خوشه‌ها", "Clusters", counts)],
        horizontal: true,
    };
    chart(
        "قیف خوشه‌ها از شناسایی تا واگذاری",
        "Funnel of clusters, from identification to hand-over",
        ("خوشه", "clusters"),
        figure,
    )
}

fn indicators() -> Chart {
    let names = [
        ("اشتغال", "Employment"),
        ("صادرات", "Exports"),
        ("سرمایه‌گذاری مشترک", "Joint investment"),
        ("فروش", "Sales"),
        ("تعداد شبکه‌های کسب‌وکار", "Number of business networks"),
    ];
    let before = vec![Some(12.5), Some(-4.2), Some(3.0), Some(20.0), None];
    let after = vec![Some(18.25), Some(7.1), Some(9.0), Some(-6.0), Some(4.0)];
    let series = vec![series("پیش از پروژه", "Before", before), series("پس از پروژه", "After", after)];
    let figure = Figure::Bars { labels: texts(&names), series, horizontal: false };
    chart(
        "شاخص‌های خوشه پیش و پس از پروژه",
        "Indicators before and after the project",
        ("تغییر به درصد", "change in per cent"),
        figure,
    )
}

fn overdue() -> Chart {
    let ages = [
        ("تا ۳۰ روز", "up to 30 days"),
        ("۳۱ تا ۹۰ روز", "31 to 90 days"),
        ("۹۱ تا ۱۸۰ روز", "91 to 180 days"),
        ("بیش از ۱۸۰ روز", "over 180 days"),
    ];
    let counts = |first: f64| [1.0, 0.7, 0.25, 0.1].map(|share| Some((first * share).floor())).to_vec();
    let series = vec![
        series("برنامه‌ریزی‌شده", "Planned", counts(12_000.0)),
        series("در حال انجام", "In progress", counts(2_000.0)),
        series("در انتظار تأیید", "Awaiting acceptance", counts(1_400.0)),
        series("برگشت‌خورده", "Returned", counts(900.0)),
        series("معلق", "Suspended", counts(700.0)),
    ];
    let figure = Figure::Bars { labels: texts(&ages), series, horizontal: false };
    chart(
        "نقاط عطف عقب‌افتاده به تفکیک مدت تأخیر",
        "Overdue milestones by age",
        ("نقطهٔ عطف", "milestones"),
        figure,
    )
}

fn heat_map() -> Chart {
    let cell = |row: usize, column: usize| {
        Some((row * 7 + column * 5) % 17).filter(|value| *value != 3).map(|value| (value * value / 9) as f64)
    };
    let cells = (0..INDUSTRIES.len())
        .map(|row| (0..PROVINCES.len()).map(|column| cell(row, column)).collect())
        .collect();
    let figure = Figure::HeatMap { rows: texts(&INDUSTRIES), columns: provinces(), cells };
    chart("خوشه‌ها به تفکیک صنعت و استان", "Clusters by industry and province", ("خوشه", "clusters"), figure)
}

/// Bars of this number of clusters, with names that need escaping.
pub fn many(count: usize, horizontal: bool) -> Chart {
    let name = |number: usize| {
        Text::new(format!("خوشهٔ <script>&\" شمارهٔ {number}"), format!("Cluster <script>&\" number {number}"))
    };
    let values = (0..count).map(|number| Some(500.0 - number as f64)).collect();
    bars((0..count).map(name).collect(), vec![series("بنگاه‌ها", "Enterprises", values)], horizontal)
}

/// All of them, each with a name.
pub fn all() -> Vec<(&'static str, Chart)> {
    let six = || provinces().into_iter().take(6).collect::<Vec<_>>();
    let one = |values: Vec<Option<f64>>| vec![series("ارزش", "Value", values)];
    vec![
        ("s-curve", s_curve(60)),
        ("s-curve-of-a-month", s_curve(1)),
        ("s-curve-of-a-century", s_curve(1_300)),
        ("funnel", funnel()),
        ("league-upright", league(false)),
        ("league-lying", league(true)),
        ("indicators", indicators()),
        ("overdue", overdue()),
        ("heat-map", heat_map()),
        ("nothing", bars(six(), one(vec![None; 6]), false)),
        ("zeros", bars(six(), one(vec![Some(0.0); 6]), false)),
        ("below-zero", bars(six(), one((-5..1).map(|value| Some(f64::from(value) * 1e12)).collect()), true)),
        (
            "huge",
            bars(
                six(),
                one(vec![Some(1e18), Some(3e17), Some(f64::NAN), Some(-2e17), Some(f64::MAX), Some(1.0)]),
                false,
            ),
        ),
        ("many-upright", many(200, false)),
        ("many-lying", many(200, true)),
    ]
}
