//! The page that charts are drawn on: places in pixels from left to right, mirrored for Persian.

use plotters::{
    coord::Shift,
    element::{Circle, DashedPathElement, PathElement, Rectangle},
    prelude::{DrawingArea, IntoDrawingArea, IntoFont, SVGBackend},
    style::{
        Color, FontStyle, FontTransform, RGBColor, ShapeStyle, TextStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};
use quick_xml::escape::escape;

use super::Error;
use crate::problem::Language;

/// The width of the page: A4 in landscape, at 96 pixels an inch.
pub const WIDTH: f64 = 1120.0;
/// The height of the page.
pub const HEIGHT: f64 = 792.0;
/// The space that is left free around the page.
pub const MARGIN: f64 = 28.0;

/// The library draws at integer coordinates only: tenths of a pixel keep curves smooth.
const UNITS: f64 = 10.0;
/// The library takes the line height for the font size.
const LINE_HEIGHT: f64 = 1.24;
/// Persian fonts, then fonts that include Persian.
const FONTS: &str = "Vazirmatn, Vazir, Tahoma, DejaVu Sans, sans-serif";

/// The size of the letters of names and notes.
pub const MEDIUM: f64 = 13.0;
/// The size of the letters along axes.
pub const SMALL: f64 = 12.5;

/// The colour of words.
pub const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
/// The colour of words in the second place, and of axes.
pub const GREY: RGBColor = RGBColor(0x5a, 0x5a, 0x5a);
/// The colour of the grid.
pub const FAINT: RGBColor = RGBColor(0xd8, 0xd8, 0xd8);
/// The colour of the page.
pub const PAPER: RGBColor = RGBColor(0xff, 0xff, 0xff);

/// Style of a line.
#[derive(Clone, Copy)]
pub struct Pen {
    /// Its colour.
    pub colour: RGBColor,
    /// Its width.
    pub width: f64,
    /// Lengths of dashes and gaps.
    pub dashes: Option<(f64, f64)>,
}

impl Pen {
    /// A solid line.
    pub const fn solid(colour: RGBColor, width: f64) -> Self {
        Self { colour, width, dashes: None }
    }

    /// A dashed line.
    pub const fn dashed(colour: RGBColor, width: f64, dash: f64, space: f64) -> Self {
        Self { colour, width, dashes: Some((dash, space)) }
    }

    fn style(self) -> ShapeStyle {
        self.colour.stroke_width((self.width * UNITS) as u32)
    }
}

/// Anchor point of a text, in reading direction.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// Its start.
    Start,
    /// Its middle.
    Middle,
    /// Its end.
    End,
}

/// Style of a text.
#[derive(Clone, Copy)]
pub struct Lettering {
    /// The size of its font.
    pub size: f64,
    /// Its colour.
    pub colour: RGBColor,
    /// Whether it is bold.
    pub bold: bool,
    /// Its point.
    pub anchor: Anchor,
    /// Whether it is rotated to run upwards; its anchor is then at the top, unless it is the middle.
    pub turned: bool,
}

impl Lettering {
    /// Plain letters.
    pub const fn new(size: f64, anchor: Anchor) -> Self {
        Self { size, colour: INK, bold: false, anchor, turned: false }
    }

    /// The same in another colour.
    pub const fn in_colour(self, colour: RGBColor) -> Self {
        Self { colour, ..self }
    }
}

/// The page. Coordinates are those of the left-to-right layout.
#[derive(Clone)]
pub struct Canvas<'a> {
    area: DrawingArea<SVGBackend<'a>, Shift>,
    is_mirrored: bool,
    /// The language of its words.
    pub language: Language,
}

impl Canvas<'_> {
    /// The same page, never mirrored.
    pub fn upright(&self) -> Self {
        Self { is_mirrored: false, ..self.clone() }
    }

    fn at(&self, x: f64, y: f64) -> (i32, i32) {
        let x = if self.is_mirrored { WIDTH - x } else { x };
        ((x * UNITS).round() as i32, (y * UNITS).round() as i32)
    }

    /// Draws a line through points.
    pub fn line(&self, points: &[(f64, f64)], pen: Pen) -> Result<(), Error> {
        let points: Vec<_> = points.iter().map(|&(x, y)| self.at(x, y)).collect();
        match pen.dashes {
            None => self.area.draw(&PathElement::new(points, pen.style())),
            Some((dash, space)) => self.area.draw(&DashedPathElement::new(
                points,
                (dash * UNITS) as u32,
                (space * UNITS) as u32,
                pen.style(),
            )),
        }
    }

    /// Fills a rectangle between two corners.
    pub fn rectangle(
        &self,
        (x, y): (f64, f64),
        (other_x, other_y): (f64, f64),
        colour: RGBColor,
    ) -> Result<(), Error> {
        let ((x, y), (other_x, other_y)) = (self.at(x, y), self.at(other_x, other_y));
        let corners = [(x.min(other_x), y.min(other_y)), (x.max(other_x), y.max(other_y))];
        self.area.draw(&Rectangle::new(corners, colour.filled()))
    }

    /// Fills a circle.
    pub fn dot(&self, (x, y): (f64, f64), radius: f64, colour: RGBColor) -> Result<(), Error> {
        self.area.draw(&Circle::new(self.at(x, y), (radius * UNITS) as u32, colour.filled()))
    }

    /// Writes words or a number, at half its height.
    pub fn text(&self, text: &str, (x, y): (f64, f64), lettering: Lettering) -> Result<(), Error> {
        let Lettering { size, colour, bold, anchor, turned } = lettering;
        let horizontal = match anchor {
            Anchor::Middle => HPos::Center,
            Anchor::Start if self.is_mirrored && !turned => HPos::Right,
            Anchor::End if !self.is_mirrored || turned => HPos::Right,
            Anchor::Start | Anchor::End => HPos::Left,
        };
        let font = (FONTS, size * UNITS * LINE_HEIGHT).into_font();
        let font = if bold { font.style(FontStyle::Bold) } else { font };
        let font = if turned { font.transform(FontTransform::Rotate270) } else { font };
        let style = TextStyle::from(font).color(&colour).pos(Pos::new(horizontal, VPos::Center));
        self.area.draw_text(&isolated(self.language, text), &style, self.at(x, y))
    }
}

/// Isolates Persian text as right-to-left, whatever its first character; not by `direction`, which not every
/// viewer supports and which would swap the anchors. A bare number has its sign on the left in both
/// languages.
fn isolated(language: Language, text: &str) -> String {
    match language {
        Language::Persian if text.chars().any(char::is_alphabetic) => format!("\u{2067}{text}\u{2069}"),
        _ => text.to_owned(),
    }
}

/// The SVG document. Title and description are for screen readers.
pub fn document(
    language: Language,
    title: &str,
    description: &str,
    draw: impl FnOnce(&Canvas) -> Result<(), Error>,
) -> Result<String, Error> {
    let (width, height) = ((WIDTH * UNITS) as u32, (HEIGHT * UNITS) as u32);
    let mut drawn = String::new();
    let canvas = Canvas {
        area: SVGBackend::with_string(&mut drawn, (width, height)).into_drawing_area(),
        is_mirrored: language == Language::Persian,
        language,
    };
    canvas.rectangle((0.0, 0.0), (WIDTH, HEIGHT), PAPER)?;
    draw(&canvas)?;
    canvas.area.present()?;
    drop(canvas);
    let tag = match language {
        Language::Persian => "fa",
        Language::English => "en",
    };
    // The library's first line lacks language and description. The direction is that of the layout, whatever
    // page contains the picture.
    let content = drawn.split_once('\n').map_or("", |(_, content)| content);
    let head = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" viewBox=\"0 0 {width} {height}\" \
         lang=\"{tag}\" xml:lang=\"{tag}\" direction=\"ltr\" role=\"img\">\n"
    );
    Ok(format!("{head}<title>{}</title>\n<desc>{}</desc>\n{content}", escape(title), escape(description)))
}
