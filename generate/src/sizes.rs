//! Numbers of records in each province.

use super::vocabulary::PROVINCES;

/// Numbers of records in a province.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Its clusters.
    pub clusters: usize,
    /// The projects of its clusters.
    pub projects: usize,
    /// The firms of its register.
    pub enterprises: usize,
    /// Its CDAs.
    pub cdas: usize,
}

impl Sizes {
    /// Sizes of the provinces, in the order of the code list. Each is at least 1.
    pub fn of_provinces(scale: f64) -> Vec<Self> {
        let [clusters, projects, enterprises] =
            [3_000.0, 20_000.0, 200_000.0].map(|whole| shares(whole * scale));
        let sizes = clusters.into_iter().zip(projects).zip(enterprises);
        sizes
            .map(|((clusters, projects), enterprises)| Self {
                clusters,
                projects,
                enterprises,
                cdas: 3 + projects / 8,
            })
            .collect()
    }
}

/// Shares of the provinces in a whole. They add up to it if each gets at least one.
fn shares(whole: f64) -> Vec<usize> {
    let total: u32 = PROVINCES.iter().map(|(weight, _)| weight).sum();
    let mut until = 0;
    let ends = PROVINCES.iter().map(|(weight, _)| {
        until += weight;
        (whole * f64::from(until) / f64::from(total)).round() as usize
    });
    let mut begin = 0;
    ends.map(|end| (end - std::mem::replace(&mut begin, end)).max(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_make_the_whole() {
        let sum =
            |scale, part: fn(&Sizes) -> usize| Sizes::of_provinces(scale).iter().map(part).sum::<usize>();
        for (scale, clusters, projects, enterprises) in
            [(1.0, 3_000, 20_000, 200_000), (0.1, 300, 2_000, 20_000), (0.0, 31, 31, 31)]
        {
            let found = (
                sum(scale, |size| size.clusters),
                sum(scale, |size| size.projects),
                sum(scale, |size| size.enterprises),
            );
            assert_eq!(found, (clusters, projects, enterprises), "{scale}");
        }
    }
}
