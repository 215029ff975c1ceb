//! Category labels below bars or columns: in lines if they fit between their neighbours, otherwise rotated.

use super::{
    Error,
    canvas::{Anchor, Canvas, Lettering, SMALL},
    words,
};
use crate::problem::Text;

/// The longest that a turned name may be.
const LONGEST: f64 = 190.0;
const LINE: f64 = 15.0;

/// The names, as they are going to be written.
pub struct Names {
    lines: Vec<Vec<String>>,
    size: f64,
    is_turned: bool,
    /// Height needed below the figure.
    pub height: f64,
}

impl Names {
    /// Fits names into places of a width.
    pub fn new(canvas: &Canvas, names: &[Text], place: f64) -> Self {
        let names: Vec<String> = names.iter().map(|name| words::clean(canvas.language, name)).collect();
        let room = place - 8.0;
        let longest_word = names
            .iter()
            .flat_map(|name| name.split_whitespace())
            .map(|word| words::width(word, SMALL))
            .fold(0.0, f64::max);
        let lines: Vec<Vec<String>> =
            names.iter().map(|name| words::lines(name, SMALL, room, usize::MAX)).collect();
        let count = lines.iter().map(Vec::len).max().unwrap_or(1);
        if longest_word <= room && count <= 3 {
            return Self { lines, size: SMALL, is_turned: false, height: 12.0 + LINE * count as f64 };
        }
        let size = (place * 0.8).min(SMALL);
        let longest = names.iter().map(|name| words::width(name, size)).fold(0.0, f64::max).min(LONGEST);
        let lines = names.iter().map(|name| vec![words::cut(name, size, LONGEST)]).collect();
        Self { lines, size, is_turned: true, height: 14.0 + longest }
    }

    /// Writes them below a height, each in the middle of its place.
    pub fn draw(&self, canvas: &Canvas, top: f64, middle: impl Fn(usize) -> f64) -> Result<(), Error> {
        for (place, lines) in self.lines.iter().enumerate() {
            for (line, text) in lines.iter().enumerate() {
                if self.is_turned {
                    let lettering = Lettering { turned: true, ..Lettering::new(self.size, Anchor::End) };
                    canvas.text(text, (middle(place), top + 8.0), lettering)?;
                } else {
                    let y = top + 15.0 + LINE * line as f64;
                    canvas.text(text, (middle(place), y), Lettering::new(self.size, Anchor::Middle))?;
                }
            }
        }
        Ok(())
    }
}
