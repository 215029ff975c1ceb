//! The null space of the published figures: all ways in which the cells of a table could differ while
//! everything published stays the same.
//!
//! A sum can be computed from published ones, by additions and subtractions, exactly if it is the same in all
//! these ways. They form a linear space; a basis of it is stored, and two random members: a sum can be
//! computed if it is 0 in the first of them, and two cells are known up to a factor if both members have the
//! same ratio in both. Arithmetic is modulo a prime of 61 bits, so that it is exact, and a mistake as likely
//! as a guess of a number of 18 digits.

use std::collections::{BTreeMap, HashMap};

/// 2^61 - 1, a prime.
const PRIME: u64 = (1 << 61) - 1;

fn multiply(one: u64, other: u64) -> u64 {
    (u128::from(one) * u128::from(other) % u128::from(PRIME)) as u64
}

fn add(one: u64, other: u64) -> u64 {
    (one + other) % PRIME
}

fn subtract(one: u64, other: u64) -> u64 {
    (one + PRIME - other) % PRIME
}

/// By Fermat's little theorem.
fn inverse(number: u64) -> u64 {
    let (mut result, mut base, mut exponent) = (1, number, PRIME - 2);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = multiply(result, base);
        }
        base = multiply(base, base);
        exponent >>= 1;
    }
    result
}

/// A pseudo-random number, the same in every process (SplitMix64, Steele, Lea and Flood 2014).
fn scattered(seed: u64) -> u64 {
    let mut z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) % PRIME
}

/// Two random ways in which the smallest cells might differ.
type Witnesses = [Vec<u64>; 2];

/// The ways in which the smallest cells might differ.
pub struct Unseen {
    basis: Vec<BTreeMap<u32, u64>>,
    witnesses: Witnesses,
}

/// Effect of publishing one more sum.
pub struct Step {
    /// The sum in each vector of the basis in which it is not 0.
    products: Vec<(usize, u64)>,
    pivot: usize,
    witnesses: Witnesses,
}

impl Unseen {
    /// The initial state, with nothing published of a number of smallest cells.
    pub fn new(leaves: usize) -> Self {
        let witness = |number: u64| (0..leaves as u64).map(|leaf| scattered(2 * leaf + number)).collect();
        Self {
            basis: (0..leaves as u32).map(|leaf| BTreeMap::from([(leaf, 1)])).collect(),
            witnesses: [witness(0), witness(1)],
        }
    }

    /// Effect of publishing the sum of some smallest cells; none if it follows from published ones.
    pub fn step(&self, leaves: &[u32]) -> Option<Step> {
        let mut is_in = vec![false; self.witnesses[0].len()];
        leaves.iter().for_each(|leaf| is_in[*leaf as usize] = true);
        let product = |vector: &BTreeMap<u32, u64>| {
            vector
                .iter()
                .filter(|(leaf, _)| is_in[**leaf as usize])
                .fold(0, |sum, (_, value)| add(sum, *value))
        };
        let products: Vec<_> =
            self.basis.iter().map(product).enumerate().filter(|(_, product)| *product != 0).collect();
        // The vector with the fewest numbers leaves the others short.
        let (pivot, product) =
            products.iter().copied().min_by_key(|(number, _)| self.basis[*number].len())?;
        let inverse = inverse(product);
        let witnesses = self.witnesses.each_ref().map(|witness| {
            let sum = leaves.iter().fold(0, |sum, leaf| add(sum, witness[*leaf as usize]));
            let (factor, mut witness) = (multiply(sum, inverse), witness.clone());
            for (leaf, value) in &self.basis[pivot] {
                witness[*leaf as usize] = subtract(witness[*leaf as usize], multiply(factor, *value));
            }
            witness
        });
        Some(Step { products, pivot, witnesses })
    }

    /// Publishes it.
    pub fn take(&mut self, step: Step) {
        let pivot = self.basis[step.pivot].clone();
        let product =
            step.products.iter().find(|(number, _)| *number == step.pivot).map_or(1, |(_, product)| *product);
        let inverse = inverse(product);
        for (number, product) in step.products {
            let (factor, vector) = (multiply(product, inverse), &mut self.basis[number]);
            for (leaf, value) in &pivot {
                let entry = vector.entry(*leaf).or_insert(0);
                *entry = subtract(*entry, multiply(factor, *value));
                if *entry == 0 {
                    vector.remove(leaf);
                }
            }
        }
        self.basis.swap_remove(step.pivot);
        self.witnesses = step.witnesses;
    }
}

impl Step {
    /// Whether a sum of smallest cells would follow.
    pub fn tells(&self, leaves: &[u32]) -> bool {
        leaves.iter().fold(0, |sum, leaf| add(sum, self.witnesses[0][*leaf as usize])) == 0
    }

    /// Whether two of these smallest cells would be known up to a factor between them.
    pub fn tells_a_pair(&self, leaves: impl Iterator<Item = usize>) -> bool {
        let [first, second] = &self.witnesses;
        let leaves: Vec<usize> = leaves.filter(|leaf| first[*leaf] != 0).collect();
        // All inverses for the price of one (Montgomery 1987).
        let mut products = vec![1];
        leaves.iter().for_each(|leaf| products.push(multiply(products[products.len() - 1], first[*leaf])));
        let mut rest = inverse(products[leaves.len()]);
        let mut ratios: HashMap<u64, usize> = HashMap::new();
        for (place, leaf) in leaves.iter().enumerate().rev() {
            let ratio = multiply(second[*leaf], multiply(rest, products[place]));
            rest = multiply(rest, first[*leaf]);
            if ratios.insert(ratio, *leaf).is_some() {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_is_what_the_published_sums_give() {
        // Two rows and two columns: 0 1 / 2 3.
        let mut unseen = Unseen::new(4);
        for published in [&[0, 1][..], &[2, 3], &[0, 2]] {
            let step = unseen.step(published).unwrap();
            assert!([0, 1, 2, 3].iter().all(|leaf| !step.tells(&[*leaf])));
            unseen.take(step);
        }
        assert!(
            unseen.step(&[1, 3]).is_none() && unseen.step(&[0, 1, 2, 3]).is_none(),
            "what is left of the whole"
        );
        let step = unseen.step(&[3]).unwrap();
        assert!(
            [0, 1, 2, 3].iter().all(|leaf| step.tells(&[*leaf])),
            "one cell of the square gives the others"
        );
        let mut rows = Unseen::new(4);
        let step = rows.step(&[0, 1]).unwrap();
        assert!(step.tells_a_pair([0, 1].into_iter()) && !step.tells_a_pair([0, 2, 3].into_iter()));
        rows.take(step);
        let step = rows.step(&[0, 2]).unwrap();
        assert!(step.tells_a_pair([1, 2].into_iter()), "their difference is known");
    }
}
