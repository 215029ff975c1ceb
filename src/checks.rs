//! Rules shared by several resources. Each returns the violation.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use crate::{
    persian::Date,
    problem::{Problem, Text, Violation},
};

/// No fault, or all of them.
pub fn all_or_none(faults: Vec<Violation>) -> Result<(), Problem> {
    if faults.is_empty() { Ok(()) } else { Err(Problem::invalid(faults)) }
}

/// Two days in their order; a violation at the second one otherwise.
pub fn in_order(first: Option<Date>, second: Option<Date>, pointer: &str) -> Option<Violation> {
    first.zip(second).filter(|(first, second)| second < first)?;
    Some(Violation::body(
        pointer,
        "too_early",
        Text::new("پایان پیش از آغاز است.", "It would end before it begins."),
    ))
}

/// The day of something that has happened: today in Iran, or earlier.
pub fn not_in_future(day: Option<Date>, pointer: &str) -> Option<Violation> {
    day.filter(|day| *day > Date::today_in_iran())?;
    Some(Violation::body(
        pointer,
        "in_future",
        Text::new("آنچه رخ داده نمی‌تواند در آینده باشد.", "What has happened cannot lie in the future."),
    ))
}

/// Not more women than persons are employed.
pub fn women_among(female: Option<i32>, total: Option<i32>) -> Option<Violation> {
    female.zip(total).filter(|(female, total)| female > total)?;
    let detail = Text::new(
        "شمار زنان شاغل از شمار همهٔ شاغلان بیشتر است.",
        "There cannot be more women employed than persons.",
    );
    Some(Violation::body("/employment_female", "too_large", detail))
}

/// A record that is not there for the author.
pub fn unknown_record(pointer: &str) -> Violation {
    let detail = Text::new(
        "چنین رکوردی نیست، یا بیرون از حوزهٔ دید شماست.",
        "There is no such record, or it lies outside what you may see.",
    );
    Violation::body(pointer, "unknown_record", detail)
}

/// A record refers to another one of its own province, or to a national one.
pub fn same_province(own: &str, other: Option<&str>, pointer: &str) -> Option<Violation> {
    other.filter(|other| *other != own)?;
    let detail = Text::new("این رکورد از استان دیگری است.", "That record belongs to another province.");
    Some(Violation::body(pointer, "other_province", detail))
}

/// Nothing is given twice; a violation at each repetition otherwise.
pub fn each_once<T: PartialEq>(list: &[T], pointer: impl Fn(usize) -> String) -> Vec<Violation> {
    let again = list.iter().enumerate().filter(|(index, item)| list[..*index].contains(item));
    again
        .map(|(index, _)| {
            Violation::body(
                pointer(index),
                "repeated_items",
                Text::new("این مورد دو بار آمده است.", "This is given twice."),
            )
        })
        .collect()
}

/// Checks that the links of a record to others of its kind, in a field, refer to known ones and form no
/// cycle. `next` returns the links of the others.
pub fn links(
    own: Uuid,
    links: &[Uuid],
    next: &HashMap<Uuid, &[Uuid]>,
    field: &str,
    unknown: &Text,
    cycle: &Text,
) -> Vec<Violation> {
    let fault = |(index, link): (usize, &Uuid)| {
        let (code, detail) = match *link == own || next.contains_key(link) {
            false => ("unknown_record", unknown),
            true if leads_to(*link, own, next) => ("cycle", cycle),
            true => return None,
        };
        Some(Violation::body(format!("/{field}/{index}"), code, detail.clone()))
    };
    links.iter().enumerate().filter_map(fault).collect()
}

/// Whether `from` is `to`, or links to it through any number of others.
fn leads_to(from: Uuid, to: Uuid, next: &HashMap<Uuid, &[Uuid]>) -> bool {
    let (mut waiting, mut seen) = (vec![from], HashSet::new());
    while let Some(id) = waiting.pop() {
        if id == to {
            return true;
        }
        if seen.insert(id) {
            waiting.extend(next.get(&id).copied().unwrap_or_default());
        }
    }
    false
}
