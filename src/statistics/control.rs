//! Disclosure control: selects the cells of a quarter to publish.
//!
//! Cells are considered one by one, the most important first. Each is published if, together with everything
//! published before, in this quarter and in former ones, it reveals nothing about single firms: neither it
//! nor any cell that can be computed from it is of fewer than three firms or of one that dominates
//! ([`super::sums`]); no two classes of one firm each are known up to a factor; and no difference of two
//! known sums, of whatever levels and quarters, is of fewer than three firms or of one whose change
//! dominates. Known sums are the published cells, and a published cell minus its published parts. So a cell
//! that is suppressed to protect another one is the least important possible.

use std::collections::HashSet;

use super::{
    cells::{Firm, Key, Table},
    sums::{Known, Ledger, Sum},
    unseen::Unseen,
};

/// A quarter that was published before.
pub struct Former {
    /// Its firms.
    pub firms: Vec<Firm>,
    /// The cells that were published.
    pub published: HashSet<Key>,
}

/// Every cell with firms, and its value if it is published.
pub fn control(firms: &[Firm], former: &[Former]) -> Vec<(Key, Option<i64>)> {
    let (mut ledger, mut known) = (Ledger::default(), Known::default());
    for quarter in former {
        let table = Table::new(&quarter.firms, &mut ledger);
        let is_published: Vec<bool> =
            table.cells.iter().map(|cell| quarter.published.contains(&cell.key)).collect();
        let cells = table
            .cells
            .iter()
            .zip(&is_published)
            .filter(|(_, is_published)| **is_published)
            .map(|(cell, _)| cell.sum.clone());
        cells.for_each(|sum| known.add(sum));
        table
            .lines
            .iter()
            .filter_map(|line| table.remainder(line, &is_published, &ledger))
            .for_each(|sum| known.add(sum));
    }
    let table = Table::new(firms, &mut ledger);
    let unseen = Unseen::new(table.leaves.len());
    let mut state = State { is_published: vec![false; table.cells.len()], table, ledger, known, unseen };
    (0..state.table.cells.len()).for_each(|cell| state.consider(cell));
    let State { table, is_published, .. } = state;
    table
        .cells
        .into_iter()
        .zip(is_published)
        .map(|(cell, is_published)| (cell.key, is_published.then_some(cell.sum.total)))
        .collect()
}

struct State {
    table: Table,
    ledger: Ledger,
    known: Known,
    unseen: Unseen,
    is_published: Vec<bool>,
}

impl State {
    /// Publishes a cell and what follows from it, if that reveals nothing about single firms.
    fn consider(&mut self, number: usize) {
        let cells = &self.table.cells;
        if self.is_published[number] || !cells[number].sum.is_safe() {
            return;
        }
        let Some(step) = self.unseen.step(&cells[number].leaves) else { return };
        let follows: Vec<usize> = (0..cells.len())
            .filter(|other| !self.is_published[*other] && step.tells(&cells[*other].leaves))
            .collect();
        let singles = (0..self.table.leaves.len()).filter(|leaf| self.table.leaves[*leaf] == 1);
        if follows.iter().any(|other| !cells[*other].sum.is_safe()) || step.tells_a_pair(singles) {
            return;
        }
        let mut is_published = self.is_published.clone();
        follows.iter().for_each(|other| is_published[*other] = true);
        let sums = self.sums_of(&follows, &is_published);
        let before = self.known.len();
        if sums.into_iter().all(|sum| self.known.admit(sum, &self.ledger)) {
            self.is_published = is_published;
            self.unseen.take(step);
        } else {
            self.known.forget_after(before);
        }
    }

    /// Sums that become known with some cells: these, and the remainders of their lines.
    fn sums_of(&self, cells: &[usize], is_published: &[bool]) -> Vec<Sum> {
        let is_new = |cell: &usize| cells.contains(cell);
        let lines =
            self.table.lines.iter().filter(|line| is_new(&line.whole) || line.parts.iter().any(is_new));
        let remainders = lines.filter_map(|line| self.table.remainder(line, is_published, &self.ledger));
        cells.iter().map(|cell| self.table.cells[*cell].sum.clone()).chain(remainders).collect()
    }
}

#[cfg(test)]
mod tests;
