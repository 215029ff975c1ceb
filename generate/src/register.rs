//! The register of enterprises of a province: the members of its clusters, and all the others.

use chrono::NaiveDate;
use uuid::Uuid;

use super::{
    generator::{Generator, persian},
    institutions::Place,
    vocabulary::{FIRMS, INDUSTRIES, Industry},
};
use khoosheh::{
    clusters::entity as clusters,
    enterprises::{entity as enterprises, size::Size},
    industries::{IsicClass, classes::Isic},
    organisations::{dto::Kind, entity as organisations},
    persian::{Date, text},
    problem::Problem,
    store::{ExternalRef, external_ref::ExternalRefs},
    values::{List, Name},
};

/// Records firms outside of clusters; returns their number. One per cent are of industries that are rare in
/// the province.
pub fn tell(generator: &mut Generator, place: &Place, count: usize) -> Result<usize, Problem> {
    for number in 0..count {
        let rare = place.rare.get(number).filter(|_| number < 12 && generator.rng.percent(15));
        let known = &INDUSTRIES[generator.rng.weighted(&place.industries)];
        let (class, works) = rare.map_or((known.class, known.works), |class| (*class, "صنایع نوین"));
        let county = *generator.rng.pick(place.counties);
        let row = firm(generator, place, class, works, county);
        finish(generator, row)?;
    }
    Ok(count)
}

/// Tells of the members of a cluster; returns their ids.
pub fn members(
    generator: &mut Generator,
    place: &Place,
    cluster: &clusters::Model,
    industry: &Industry,
    count: usize,
) -> Result<Vec<Uuid>, Problem> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let county = place
            .counties
            .iter()
            .find(|county| cluster.counties.0.iter().any(|own| own.0 == **county))
            .unwrap_or(&place.counties[0]);
        let mut row = firm(generator, place, industry.class, industry.works, county);
        let from = generator
            .day(cluster.identified_on.unwrap_or(generator.last_day.into()).naive(), generator.last_day);
        row.cluster_id = Some(cluster.id);
        row.member_from = Some(from.into());
        row.member_to =
            (generator.rng.percent(12).then(|| generator.day(from, generator.last_day))).map(Date::from);
        ids.push(finish(generator, row)?);
    }
    Ok(ids)
}

/// Creates a firm, not recorded yet.
fn firm(
    generator: &mut Generator,
    place: &Place,
    class: &str,
    works: &str,
    county: &str,
) -> enterprises::Model {
    let employed = match generator.rng.weighted(&[70, 24, 4, 2]) {
        0 => generator.rng.int(1..=9),
        1 => generator.rng.int(10..=49),
        2 => generator.rng.int(50..=150),
        _ => generator.rng.int(151..=900),
    };
    let is_known = generator.rng.percent(96);
    let name_fa = format!("{works} {} {county}", generator.rng.pick(FIRMS));
    let mut isic = vec![Isic { code: IsicClass(class.to_owned()), primary: true }];
    if generator.rng.percent(8) {
        let other = generator.rng.pick(INDUSTRIES).class;
        isic.extend((other != class).then(|| Isic { code: IsicClass(other.to_owned()), primary: false }));
    }
    let reference = generator.rng.between(1_000_000..=9_999_999);
    enterprises::Model {
        name_order: text::order(&name_fa),
        name_fa,
        province: place.code.clone().into(),
        county: Some(Name(county.to_owned())),
        isic: List(isic),
        primary_isic: class.to_owned(),
        size: Some(Size::of(employed)),
        employment_total: is_known.then_some(employed),
        employment_female: is_known.then(|| employed * generator.rng.int(0..=45) / 100),
        external_refs: ExternalRefs(match generator.rng.percent(5) {
            true => vec![ExternalRef {
                system: "register".to_owned(),
                key: format!("{}-{reference}-{}", place.code, generator.rng.count()),
            }],
            false => Vec::new(),
        }),
        ..Default::default()
    }
}

/// Tells of a firm. Large ones are organisations of their own, and some have grown since they were
/// registered.
fn finish(generator: &mut Generator, mut row: enterprises::Model) -> Result<Uuid, Problem> {
    let registered: NaiveDate =
        (row.member_from.unwrap_or_else(|| generator.day(persian(1390, 2, 1), generator.last_day).into()))
            .naive();
    if matches!(row.size, Some(Size::Medium | Size::Large)) {
        let firm = organisations::Model {
            kind: Kind::Firm,
            name_fa: format!("شرکت {}", row.name_fa),
            name_order: text::order(&format!("شرکت {}", row.name_fa)),
            province: Some(row.province.clone()),
            legal_id: Some(generator.rng.legal_id()),
            ..Default::default()
        };
        row.organisation_id = Some(generator.tell(firm, registered, 0..=5, Default::default())?.0);
    }
    let grown = row.employment_total;
    let is_changed = grown.is_some() && generator.rng.percent(8);
    if is_changed {
        row.employment_total =
            grown.map(|employed| (employed * 3 / 4).max(row.employment_female.unwrap_or_default()).max(1));
        row.size = row.employment_total.map(Size::of);
    }
    let mut row = generator.learn(row, registered, 6..=90, Default::default())?;
    if is_changed {
        row.employment_total = grown;
        row.size = grown.map(Size::of);
        let at = generator.learned(registered, 400..=900, row.updated_at);
        generator.change(&mut row, at)?;
    }
    let id = row.id;
    generator.keep(row);
    Ok(id)
}
