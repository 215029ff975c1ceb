//! The cells of the table: the total and every level of ISIC, for the country and for each province; and
//! which cells add up to which.

use std::{
    collections::{BTreeMap, HashMap},
    sync::LazyLock,
};

use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::sums::{Ledger, Sum, without};
use crate::industries::{self, ALL};

/// The area that is the whole country (ISO 3166-1).
pub const COUNTRY: &str = "IR";

/// The industry that is all industries.
pub const ALL_INDUSTRIES: &str = "total";

/// Levels of the industry classification in a cell.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    EnumIter,
    DeriveActiveEnum,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = PublishedLevel)]
pub enum Level {
    /// All industries together.
    Total,
    /// A letter.
    Section,
    /// Two digits.
    Division,
    /// Three digits.
    Group,
    /// Four digits.
    Class,
}

impl From<industries::Level> for Level {
    fn from(level: industries::Level) -> Self {
        match level {
            industries::Level::Section => Self::Section,
            industries::Level::Division => Self::Division,
            industries::Level::Group => Self::Group,
            industries::Level::Class => Self::Class,
        }
    }
}

/// Key of a cell.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The level of the industry.
    pub level: Level,
    /// A code of ISIC Rev. 4, or [`ALL_INDUSTRIES`].
    pub industry: String,
    /// The code of a province, or [`COUNTRY`].
    pub area: String,
}

impl Key {
    /// The cells that a class in a province is in, from the coarsest to the finest.
    fn above(class: &str, province: &str) -> Vec<Self> {
        let prefix = |digits: usize| class.get(..digits).unwrap_or(class).to_owned();
        let section =
            SECTIONS.get(prefix(2).as_str()).map_or_else(String::new, |section| (*section).to_owned());
        let industries = [
            (Level::Total, ALL_INDUSTRIES.to_owned()),
            (Level::Section, section),
            (Level::Division, prefix(2)),
            (Level::Group, prefix(3)),
            (Level::Class, class.to_owned()),
        ];
        let of = |area: &str| {
            industries.clone().map(|(level, industry)| Self { level, industry, area: area.to_owned() })
        };
        of(COUNTRY).into_iter().chain(of(province)).collect()
    }
}

/// The section of each division.
static SECTIONS: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| {
    let divisions = ALL.iter().filter(|industry| industry.level == industries::Level::Division);
    divisions
        .filter_map(|division| Some((division.code.0.as_str(), division.parent.as_ref()?.0.as_str())))
        .collect()
});

/// A firm in the table of a quarter.
#[derive(Clone, Debug)]
pub struct Firm {
    /// The enterprise.
    pub id: Uuid,
    /// Its primary class.
    pub class: String,
    /// Its province.
    pub province: String,
    /// Its contribution to its cells; at least 0.
    pub value: i64,
}

/// A cell with firms in it.
#[derive(Debug)]
pub struct Cell {
    /// Key.
    pub key: Key,
    /// Its smallest cells: their indexes in [`Table::leaves`].
    pub leaves: Vec<u32>,
    /// Its firms.
    pub sum: Sum,
}

/// Cells that add up to another one: the industries within an industry, or the provinces of the country.
#[derive(Debug)]
pub struct Line {
    /// The number of the cell that they add up to.
    pub whole: usize,
    /// The numbers of the cells.
    pub parts: Vec<usize>,
}

/// The cells of a quarter.
#[derive(Debug)]
pub struct Table {
    /// The cells in which there are firms, the most important first: by level, the country before provinces,
    /// then by the number of firms.
    pub cells: Vec<Cell>,
    /// Additive relations between the cells.
    pub lines: Vec<Line>,
    /// The number of firms in each class of each province.
    pub leaves: Vec<usize>,
}

impl Table {
    /// The table of some firms.
    pub fn new(firms: &[Firm], ledger: &mut Ledger) -> Self {
        let mut leaves: BTreeMap<(&str, &str), Vec<u32>> = BTreeMap::new();
        for firm in firms {
            leaves.entry((&firm.class, &firm.province)).or_default().push(ledger.enter(firm.id, firm.value));
        }
        let mut cells: BTreeMap<Key, (Vec<u32>, Vec<u32>)> = BTreeMap::new();
        let mut within: BTreeMap<(Key, bool), BTreeMap<Key, ()>> = BTreeMap::new();
        for (number, ((class, province), members)) in (0..).zip(&leaves) {
            let above = Key::above(class, province);
            for (place, key) in above.iter().enumerate() {
                let (leaves, of_cell) = cells.entry(key.clone()).or_default();
                leaves.push(number);
                of_cell.extend(members);
                let half = above.len() / 2;
                if place % half > 0 {
                    within.entry((above[place - 1].clone(), false)).or_default().insert(key.clone(), ());
                }
                if place >= half {
                    within.entry((above[place - half].clone(), true)).or_default().insert(key.clone(), ());
                }
            }
        }
        let mut cells: Vec<Cell> = cells
            .into_iter()
            .map(|(key, (leaves, members))| Cell { key, leaves, sum: ledger.sum(members) })
            .collect();
        cells.sort_by(|a, b| {
            let order =
                |cell: &Cell| (cell.key.level, cell.key.area != COUNTRY, usize::MAX - cell.sum.members.len());
            order(a).cmp(&order(b)).then_with(|| a.key.cmp(&b.key))
        });
        let numbers: HashMap<&Key, usize> =
            cells.iter().enumerate().map(|(number, cell)| (&cell.key, number)).collect();
        let line = |((whole, _), parts): &((Key, bool), BTreeMap<Key, ()>)| Line {
            whole: numbers[whole],
            parts: parts.keys().map(|part| numbers[part]).collect(),
        };
        let lines = within.into_iter().map(|entry| line(&entry)).collect();
        Self { lines, cells, leaves: leaves.values().map(Vec::len).collect() }
    }

    /// The whole of a line minus its published parts; none if nothing is left, or nothing is published.
    pub fn remainder(&self, line: &Line, is_published: &[bool], ledger: &Ledger) -> Option<Sum> {
        let is_open = is_published[line.whole] && line.parts.iter().any(|part| is_published[*part]);
        let parts = line.parts.iter().filter(|part| is_published[**part]).map(|part| &self.cells[*part].sum);
        let rest =
            is_open.then(|| without(&self.cells[line.whole].sum, parts)).filter(|rest| !rest.is_empty())?;
        Some(ledger.sum(rest))
    }
}
