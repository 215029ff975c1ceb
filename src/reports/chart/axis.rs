//! The axis of values: its units, its ends and its steps.

use plotters::coord::{ranged1d::Ranged, types::RangedCoordf64};

use super::{Chart, words};
use crate::problem::{Language, Text};

/// Units of large numbers, from the greatest: the factor and its words.
const FACTORS: [(f64, &str, &str); 5] = [
    (1e15, "میلیون میلیارد", "quadrillion"),
    (1e12, "هزار میلیارد", "trillion"),
    (1e9, "میلیارد", "billion"),
    (1e6, "میلیون", "million"),
    (1e3, "هزار", "thousand"),
];

/// Maximum number of steps of an axis.
const STEPS: usize = 9;

/// An axis of values. It always has zero on it.
pub struct Axis {
    factor: f64,
    low: f64,
    high: f64,
    step: f64,
    language: Language,
    /// The unit of its numbers, in words.
    pub unit: String,
}

impl Axis {
    /// The axis for some values of a chart.
    pub fn new(chart: &Chart, language: Language, values: impl Iterator<Item = f64> + Clone) -> Self {
        let greatest = values.clone().map(f64::abs).fold(0.0, f64::max);
        // A unit is used from ten of it on: 1,200 billion rather than 1.2 trillion. Numbers of up to six
        // digits are written in full.
        let named = FACTORS.iter().find(|(factor, ..)| greatest >= 1e6_f64.max(10.0 * factor));
        let factor = named.map_or(1.0, |(factor, ..)| *factor);
        let is_whole = named.is_none() && values.clone().all(|value| value.fract() == 0.0);
        let scaled = values.map(|value| value / factor);
        let (low, high) =
            scaled.fold((0.0_f64, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
        let high = if low == high { 1.0 } else { high };
        let points = RangedCoordf64::from(low..high).key_points(STEPS);
        let step = if let [first, second, ..] = points[..] { second - first } else { high - low };
        let step = if is_whole { step.max(1.0) } else { step };
        // A value on a step, but for the last bit of its fraction, needs no further step.
        let (low, high) = ((low / step + 1e-9).floor() * step, (high / step - 1e-9).ceil() * step);
        let counted = named.map(|&(_, fa, en)| Text::new(fa, en));
        let unit = [counted.as_ref(), Some(&chart.unit)]
            .into_iter()
            .flatten()
            .map(|text| words::clean(language, text));
        Self {
            factor,
            low,
            high,
            step,
            language,
            unit: unit.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" "),
        }
    }

    /// Position of a value between the positions of the two ends.
    pub fn place(&self, value: f64, (start, end): (f64, f64)) -> f64 {
        self.place_of_scaled(value / self.factor, (start, end))
    }

    fn place_of_scaled(&self, value: f64, (start, end): (f64, f64)) -> f64 {
        start + (value - self.low) / (self.high - self.low) * (end - start)
    }

    /// Steps between the positions of the two ends: position, label, and whether it is zero.
    pub fn steps(&self, ends: (f64, f64)) -> Vec<(f64, String, bool)> {
        let (first, last) = ((self.low / self.step).round() as i64, (self.high / self.step).round() as i64);
        let decimals =
            (0..6).find(|&decimals| is_whole(self.step * 10_f64.powi(decimals))).unwrap_or(6) as usize;
        let step = |count: i64| {
            let value = count as f64 * self.step;
            (self.place_of_scaled(value, ends), words::number(self.language, value, decimals), count == 0)
        };
        (first..=last).map(step).collect()
    }

    /// A value in the unit of the axis.
    pub fn number(&self, value: f64) -> String {
        words::rounded(self.language, value / self.factor)
    }
}

fn is_whole(value: f64) -> bool {
    (value - value.round()).abs() < 1e-6
}
