//! Attacks on the published tables: all pairs, all lines and all linear combinations, computed by other
//! methods than those of the control itself.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, HashSet};

use uuid::Uuid;

use super::*;
use crate::statistics::cells::{ALL_INDUSTRIES, COUNTRY, Level};

/// Firms with their values: a sum with full knowledge.
type Seen = BTreeMap<Uuid, i64>;

fn firm(number: u128, class: &str, province: &str, value: i64) -> Firm {
    Firm { id: Uuid::from_u128(number), class: class.to_owned(), province: province.to_owned(), value }
}

fn is_in(firm: &Firm, key: &Key) -> bool {
    let is_of_industry = match key.level {
        Level::Total => true,
        Level::Section => (if firm.class.as_str() < "0500" { "A" } else { "C" }) == key.industry,
        _ => firm.class.starts_with(&key.industry),
    };
    is_of_industry && (key.area == COUNTRY || key.area == firm.province)
}

fn seen(firms: &[Firm], key: &Key) -> Seen {
    firms.iter().filter(|firm| is_in(firm, key)).map(|firm| (firm.id, firm.value)).collect()
}

/// Whether a sum, or a difference, reveals nothing about single firms.
fn is_safe(changes: &Seen) -> bool {
    let (largest, total) = (
        changes.values().map(|c| c.abs()).max().unwrap_or(0),
        changes.values().map(|c| c.abs()).sum::<i64>(),
    );
    changes.len() >= 3 && total > 0 && largest * 10 <= total * 8
}

fn difference(one: &Seen, other: &Seen) -> Seen {
    let differs = |id: &Uuid| one.get(id) != other.get(id);
    let ids: HashSet<Uuid> = one.keys().chain(other.keys()).copied().filter(differs).collect();
    ids.into_iter().map(|id| (id, one.get(&id).unwrap_or(&0) - other.get(&id).unwrap_or(&0))).collect()
}

/// A published quarter, with full knowledge of its firms.
struct Quarter {
    firms: Vec<Firm>,
    cells: Vec<(Key, Option<i64>)>,
}

impl Quarter {
    fn published(&self) -> impl Iterator<Item = &Key> {
        self.cells.iter().filter(|(_, value)| value.is_some()).map(|(key, _)| key)
    }

    /// Published cells, and what remains of each without its published parts of one kind.
    fn known(&self) -> Vec<(String, Seen)> {
        let mut known = Vec::new();
        for whole in self.published() {
            let all = seen(&self.firms, whole);
            known.push((format!("{whole:?}"), all.clone()));
            let of_industries =
                |part: &Key| part.area == whole.area && part.level as u8 == whole.level as u8 + 1;
            let of_provinces =
                |part: &Key| whole.area == COUNTRY && part.area != COUNTRY && part.industry == whole.industry;
            for is_part in [&of_industries as &dyn Fn(&Key) -> bool, &of_provinces] {
                let mut rest = all.clone();
                let parts: Vec<Seen> = self
                    .published()
                    .filter(|part| is_part(part))
                    .map(|part| seen(&self.firms, part))
                    .collect();
                let parts = parts.iter().filter(|part| part.keys().all(|id| all.contains_key(id)));
                parts.for_each(|part| rest.retain(|id, _| !part.contains_key(id)));
                if !rest.is_empty() {
                    known.push((format!("what is left of {whole:?}"), rest));
                }
            }
        }
        known
    }

    /// Checks by elimination that no suppressed cell follows from the published ones by additions and
    /// subtractions.
    fn check_combinations(&self) {
        let leaves: Vec<_> = self
            .firms
            .iter()
            .map(|firm| (&firm.class, &firm.province))
            .collect::<HashSet<_>>()
            .into_iter()
            .collect();
        let vector = |key: &Key| -> Vec<f64> {
            let has = |(class, province): &(&String, &String)| is_in(&firm(0, class, province, 0), key);
            leaves.iter().map(|leaf| f64::from(u8::from(has(leaf)))).collect()
        };
        let mut rows: Vec<(usize, Vec<f64>)> = Vec::new();
        let reduce = |rows: &[(usize, Vec<f64>)], mut row: Vec<f64>| {
            for (pivot, other) in rows {
                let factor = row[*pivot];
                row.iter_mut().zip(other).for_each(|(value, other)| *value -= factor * other);
            }
            let pivot = (0..row.len())
                .max_by(|a, b| row[*a].abs().total_cmp(&row[*b].abs()))
                .filter(|pivot| row[*pivot].abs() > 1e-6);
            (pivot, row)
        };
        for key in self.published() {
            if let (Some(pivot), row) = reduce(&rows, vector(key)) {
                let scale = row[pivot];
                rows.push((pivot, row.iter().map(|value| value / scale).collect()));
            }
        }
        for (key, value) in self.cells.iter().filter(|(key, _)| !is_safe(&seen(&self.firms, key))) {
            assert_eq!(*value, None, "{key:?} is told");
            assert!(reduce(&rows, vector(key)).0.is_some(), "{key:?} follows from others");
        }
        let is_single = |leaf: &&(&String, &String)| {
            self.firms.iter().filter(|firm| (&firm.class, &firm.province) == **leaf).count() == 1
        };
        let unit = |leaf: &(&String, &String)| {
            leaves.iter().map(|other| f64::from(u8::from(other == leaf))).collect()
        };
        let singles: Vec<_> =
            leaves.iter().filter(is_single).map(|leaf| (leaf, reduce(&rows, unit(leaf)))).collect();
        for (place, (leaf, (pivot, row))) in singles.iter().enumerate() {
            for (other_leaf, (_, other)) in &singles[..place] {
                let pivot = pivot.unwrap();
                let is_multiple =
                    row.iter().zip(other).all(|(a, b)| (a * other[pivot] - b * row[pivot]).abs() < 1e-6);
                assert!(!is_multiple, "{leaf:?} and {other_leaf:?} are known up to a factor");
            }
        }
    }
}

fn check(quarters: &[Quarter]) {
    let known: Vec<(String, Seen)> = quarters
        .iter()
        .enumerate()
        .flat_map(|(number, quarter)| {
            quarter.known().into_iter().map(move |(name, sum)| (format!("{number} {name}"), sum))
        })
        .collect();
    for (place, (name, sum)) in known.iter().enumerate() {
        assert!(is_safe(sum), "{name}: {sum:?}");
        for (other_name, other) in &known[..place] {
            let difference = difference(sum, other);
            assert!(
                difference.is_empty() || is_safe(&difference),
                "{name} and {other_name} differ by {difference:?}"
            );
        }
    }
    quarters.iter().for_each(Quarter::check_combinations);
}

fn publish(quarters: &mut Vec<Quarter>, firms: Vec<Firm>) {
    let former = |quarter: &Quarter| Former {
        firms: quarter.firms.clone(),
        published: quarter.published().cloned().collect(),
    };
    let cells = control(&firms, &quarters.iter().map(former).collect::<Vec<_>>());
    for (key, value) in &cells {
        assert!(value.is_none_or(|value| value == seen(&firms, key).values().sum::<i64>()), "{key:?}");
    }
    quarters.push(Quarter { firms, cells });
}

fn told(quarter: &Quarter, level: Level, industry: &str, area: &str) -> Option<i64> {
    quarter
        .cells
        .iter()
        .find(|(key, _)| *key == Key { level, industry: industry.to_owned(), area: area.to_owned() })
        .unwrap()
        .1
}

#[test]
fn a_division_minus_a_class_tells_nothing() {
    let mut firms: Vec<_> = (0..5).map(|n| firm(n, "2396", "IR-15", 20 + n as i64)).collect();
    firms.push(firm(10, "2391", "IR-15", 31));
    let mut quarters = Vec::new();
    publish(&mut quarters, firms);
    check(&quarters);
    let quarter = &quarters[0];
    assert_eq!(
        (told(quarter, Level::Total, ALL_INDUSTRIES, COUNTRY), told(quarter, Level::Division, "23", "IR-15")),
        (Some(141), Some(141))
    );
    assert_eq!(told(quarter, Level::Class, "2396", "IR-15"), None, "it is safe by itself, and tells of 2391");
    assert_eq!(told(quarter, Level::Class, "2391", "IR-15"), None);
}

#[test]
fn three_firms_that_become_four_tell_nothing() {
    let three: Vec<_> = (0..3).map(|n| firm(n, "2396", "IR-15", 20)).collect();
    let mut quarters = Vec::new();
    publish(&mut quarters, three.clone());
    for more in 1..=3 {
        publish(
            &mut quarters,
            three.iter().cloned().chain((0..more).map(|n| firm(10 + n, "2396", "IR-15", 35))).collect(),
        );
        let expected = (more == 3).then_some(165);
        assert_eq!(
            told(&quarters[more as usize], Level::Class, "2396", "IR-15"),
            expected,
            "{more} more than what was published last"
        );
    }
    publish(&mut quarters, three);
    assert_eq!(
        told(&quarters[4], Level::Class, "2396", "IR-15"),
        Some(60),
        "the same as before tells nothing new"
    );
    check(&quarters);
}

#[test]
fn who_dominates_is_hidden_with_what_would_uncover_it() {
    let small = |from: u128, class: &'static str| (0..4).map(move |n| firm(from + n, class, "IR-08", 10));
    let giant = || {
        small(0, "2396")
            .chain([firm(9, "2396", "IR-08", 900)])
            .chain(small(20, "2391"))
            .chain(small(30, "1410"))
    };
    let mut alone = Vec::new();
    publish(&mut alone, giant().collect());
    check(&alone);
    assert_eq!(told(&alone[0], Level::Total, ALL_INDUSTRIES, COUNTRY), None, "it dominates the whole");
    assert_eq!(
        told(&alone[0], Level::Class, "2391", "IR-08"),
        Some(40),
        "and nothing is known that would lead from here to it"
    );
    let mut among_others = Vec::new();
    publish(&mut among_others, giant().chain((100..150).map(|n| firm(n, "3100", "IR-08", 40))).collect());
    check(&among_others);
    let division = |code| told(&among_others[0], Level::Division, code, "IR-08");
    assert_eq!(told(&among_others[0], Level::Total, ALL_INDUSTRIES, "IR-08"), Some(3_020));
    assert_eq!((division("23"), division("14")), (None, Some(40)));
    assert_eq!(
        division("31"),
        None,
        "without it, what is left of the whole would be the giant and little else"
    );
}

/// A sequence of numbers below a bound (a linear congruential generator).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

const CLASSES: [&str; 9] = ["0126", "0145", "1410", "1393", "2391", "2396", "2394", "2395", "3100"];
const PROVINCES: [&str; 4] = ["IR-15", "IR-08", "IR-10", "IR-04"];

#[test]
fn nothing_follows_from_all_that_is_published() {
    for seed in 0..8 {
        let mut numbers = Numbers(seed);
        let mut next = 0;
        let mut one = |numbers: &mut Numbers| {
            next += 1;
            // Some classes and provinces have many firms, others few; some firms are giants, some have told
            // 0.
            let class = CLASSES[(numbers.below(9) * numbers.below(9) / 8) as usize];
            let province = PROVINCES[(numbers.below(4) * numbers.below(4) / 3) as usize];
            let value = [0, 5, 10, 20, 40, 80, 900][numbers.below(7) as usize] + numbers.below(5) as i64;
            firm(next, class, province, if seed % 3 == 0 { 1 } else { value })
        };
        let mut firms: Vec<Firm> = (0..40 + 10 * seed).map(|_| one(&mut numbers)).collect();
        let mut quarters = Vec::new();
        for _ in 0..4 {
            publish(&mut quarters, firms.clone());
            for _ in 0..numbers.below(8) {
                let place = numbers.below(firms.len() as u64) as usize;
                match numbers.below(4) {
                    0 => drop(firms.remove(place)),
                    1 => firms.push(one(&mut numbers)),
                    2 => firms[place].class = CLASSES[numbers.below(9) as usize].to_owned(),
                    _ if seed % 3 > 0 => firms[place].value += 1,
                    _ => {}
                }
            }
        }
        check(&quarters);
        let [published, all] = [
            quarters.iter().map(|q| q.published().count()).sum::<usize>(),
            quarters.iter().map(|q| q.cells.len()).sum(),
        ];
        let safe: usize = quarters
            .iter()
            .map(|q| q.cells.iter().filter(|(key, _)| is_safe(&seen(&q.firms, key))).count())
            .sum();
        println!("{seed}: {published} of {safe} safe cells, of {all}");
        assert!(published > 0 && published < all, "{seed}: {published} of {all}");
    }
}
