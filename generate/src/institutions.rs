//! The institutions of a province, and its CDAs.

use chrono::{NaiveDate, TimeDelta};
use uuid::Uuid;

use super::{
    generator::{Generator, Why, persian},
    sizes::Sizes,
    vocabulary::{EDUCATION, INDUSTRIES, PROVINCES, RARE},
};
use khoosheh::{
    cdas::{dto::Certificate, entity as cdas, rules::State},
    organisations::{dto::Kind, entity as organisations},
    persian::text,
    personal::{Email, Phone},
    problem::Problem,
    provinces::{ALL, Province},
    values::List,
};

/// Generated data of a province.
pub struct Place {
    /// The code.
    pub code: String,
    /// The name in Persian.
    pub name_fa: &'static str,
    /// The counties.
    pub counties: &'static [&'static str],
    /// Weight of each of [`INDUSTRIES`] in the province: a few are much more common than elsewhere.
    pub industries: Vec<u32>,
    /// The classes of which there are one or two firms here.
    pub rare: Vec<&'static str>,
    /// The provincial company.
    pub company: Uuid,
    /// Associations, which may receive a project.
    pub associations: Vec<Uuid>,
    /// Universities, providers and banks, which may help.
    pub helpers: Vec<Uuid>,
    /// CDAs who may lead a project, with the day of their certificate.
    pub cdas: Vec<Leader>,
}

/// A CDA with its certificate, who may lead a project.
#[derive(Clone)]
pub struct Leader {
    /// The id.
    pub id: Uuid,
    /// The name.
    pub name: String,
    /// The first day on which the CDA was certified.
    pub since: NaiveDate,
}

/// The institutions of a province: kind, prefix of the name, and number.
const INSTITUTIONS: &[(Kind, &str, usize)] = &[
    (Kind::ProvincialCompany, "شرکت شهرک‌های صنعتی", 1),
    (Kind::Agency, "ادارهٔ کل صنعت، معدن و تجارت", 1),
    (Kind::University, "دانشگاه", 1),
    (Kind::University, "پارک علم و فناوری", 1),
    (Kind::Bank, "صندوق حمایت از سرمایه‌گذاری", 1),
    (Kind::BdsProvider, "مرکز خدمات کسب‌وکار", 2),
    (Kind::Association, "خانهٔ صنعت و معدن", 1),
    (Kind::Association, "انجمن مدیران صنایع", 1),
    (Kind::Association, "اتحادیهٔ تولیدکنندگان", 2),
];

/// Tells of the institutions of a province and its CDAs.
pub fn tell(generator: &mut Generator, province: &'static Province, size: &Sizes) -> Result<Place, Problem> {
    let index = ALL.iter().position(|other| other.code == province.code).unwrap_or_default();
    let mut place = Place {
        code: province.code.0.clone(),
        name_fa: province.name_fa.as_str(),
        counties: PROVINCES[index].1,
        industries: industries(generator),
        rare: RARE.iter().copied().filter(|_| generator.rng.percent(25)).collect(),
        company: Uuid::nil(),
        associations: Vec::new(),
        helpers: Vec::new(),
        cdas: Vec::new(),
    };
    for (kind, name, count) in INSTITUTIONS {
        for number in 0..*count {
            let county = if number == 0 {
                String::new()
            } else {
                format!(" {}", place.counties[number % place.counties.len()])
            };
            let id = institution(generator, &place, *kind, format!("{name} {}{county}", place.name_fa))?;
            match kind {
                Kind::ProvincialCompany => place.company = id,
                Kind::Association => place.associations.push(id),
                Kind::Agency => {}
                _ => place.helpers.push(id),
            }
        }
    }
    for number in 0..size.cdas {
        place.cdas.extend(cda(generator, &place, number)?);
    }
    Ok(place)
}

/// Three industries are eight times as common as elsewhere, and some are not there at all.
fn industries(generator: &mut Generator) -> Vec<u32> {
    let mut weights: Vec<u32> = INDUSTRIES
        .iter()
        .map(|industry| if generator.rng.percent(15) { 0 } else { industry.weight })
        .collect();
    for _ in 0..3 {
        let place = usize::try_from(generator.rng.between(0..=58)).unwrap_or_default();
        weights[place] = INDUSTRIES[place].weight * 8;
    }
    weights
}

fn institution(
    generator: &mut Generator,
    place: &Place,
    kind: Kind,
    name_fa: String,
) -> Result<Uuid, Problem> {
    let day = generator.day(persian(1390, 1, 20), persian(1390, 3, 31));
    let row = organisations::Model {
        kind,
        name_order: text::order(&name_fa),
        name_fa,
        province: Some(place.code.clone().into()),
        legal_id: Some(generator.rng.legal_id()),
        address: Some(format!("{}، {}", place.name_fa, place.counties[0])),
        ..Default::default()
    };
    Ok(generator.tell(row, day, 0..=20, Default::default())?.0)
}

/// Creates a CDA. The first ones of a province are certified from the start, so that its first project has a
/// lead.
fn cda(generator: &mut Generator, place: &Place, number: usize) -> Result<Option<Leader>, Problem> {
    let issued = if number < 3 {
        persian(1387, 6, 1)
    } else {
        generator.day(persian(1388, 1, 1), persian(1402, 12, 1))
    };
    let issued = issued.min(generator.last_day - TimeDelta::days(400));
    let state = if number < 3 { 0 } else { generator.rng.weighted(&[84, 6, 4, 3, 3]) };
    let name = generator.name();
    let certificate = |title: &str, issued: NaiveDate, years: Option<i64>| Certificate {
        title: title.to_owned(),
        issuer: "سازمان صنایع کوچک و شهرک‌های صنعتی ایران".to_owned(),
        issued_on: issued.into(),
        expires_on: years.map(|years| (issued + TimeDelta::days(years * 365)).into()),
    };
    let mut certificates =
        vec![certificate("دورهٔ مقدماتی توسعهٔ خوشه", issued - TimeDelta::days(300), Some(3))];
    // A certificate that has expired is one that held for two years.
    certificates.extend(
        (state != 1).then(|| certificate("عامل توسعهٔ خوشهٔ صنعتی", issued, (state == 3).then_some(2))),
    );
    let serial = generator.rng.between(10_000_000..=99_999_999);
    let row = cdas::Model {
        national_code: generator.rng.national_code(),
        name_order: text::order(&name),
        name_fa: name.clone(),
        mobile: Some(Phone(format!("+9891{serial}"))),
        email: Some(Email(format!("cda{serial}@example.ir"))),
        province: place.code.clone().into(),
        education: Some((*generator.rng.pick(EDUCATION)).to_owned()),
        certificates: List(certificates),
        ..Default::default()
    };
    let mut row = generator.learn(row, issued - TimeDelta::days(30), 0..=20, Default::default())?;
    if state != 1 {
        generator.enter(&mut row, State::Certified, issued, 3..=40, Why::default())?;
    }
    let later = issued + TimeDelta::days(750).min(generator.last_day - issued);
    match state {
        2 => generator.enter(
            &mut row,
            State::Suspended,
            later,
            1..=20,
            Why::because("رسیدگی به گزارش ناظر"),
        )?,
        3 => generator.enter(&mut row, State::Expired, later, 1..=20, Why::default())?,
        4 => generator.enter(&mut row, State::Revoked, later, 1..=20, Why::because("تخلف از ضوابط"))?,
        _ => {}
    }
    let leader = Leader { id: row.id, name, since: issued };
    generator.keep(row);
    Ok((state == 0).then_some(leader))
}

impl Place {
    /// Picks a lead for a project that begins on a day.
    pub fn leader(&self, generator: &mut Generator, day: NaiveDate) -> Leader {
        let able: Vec<&Leader> = self.cdas.iter().filter(|cda| cda.since < day).collect();
        (*generator.rng.pick(&able)).clone()
    }
}
