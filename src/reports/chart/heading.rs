//! Heading and footer of a chart: title, note, legend, unit, and omitted parts.

use plotters::style::RGBColor;

use super::{
    Chart, Error,
    canvas::{Anchor, Canvas, GREY, HEIGHT, INK, Lettering, MARGIN, MEDIUM, Pen, SMALL, WIDTH},
    words,
};
use crate::problem::{Language, Text};

/// A rectangle of the page, in left-to-right coordinates.
#[derive(Clone, Copy)]
pub struct Frame {
    /// Left edge.
    pub left: f64,
    /// Right edge.
    pub right: f64,
    /// Its top.
    pub top: f64,
    /// Its bottom.
    pub bottom: f64,
}

/// Symbol of a legend entry.
#[derive(Clone, Copy)]
pub enum Sample {
    /// A line.
    Line(Pen),
    /// A surface.
    Surface(RGBColor),
}

const LEGEND: Lettering = Lettering::new(MEDIUM, Anchor::Start);

/// Draws the heading, and returns the area left for the figure.
pub fn draw(canvas: &Canvas, chart: &Chart, unit: &str, legend: &[(Sample, &Text)]) -> Result<Frame, Error> {
    let language = canvas.language;
    let most = WIDTH - 2.0 * MARGIN;
    let mut y = MARGIN + 12.0;
    for line in words::lines(&words::clean(language, &chart.title), 22.0, most, 2) {
        canvas.text(&line, (MARGIN, y), Lettering { bold: true, ..Lettering::new(22.0, Anchor::Start) })?;
        y += 32.0;
    }
    for line in words::lines(&words::clean(language, &chart.note), MEDIUM, most, 3) {
        canvas.text(&line, (MARGIN, y), Lettering::new(MEDIUM, Anchor::Start).in_colour(GREY))?;
        y += 20.0;
    }
    if !unit.is_empty() {
        let unit = match language {
            Language::Persian => format!("واحد: {unit}"),
            Language::English => format!("Unit: {unit}"),
        };
        canvas.text(
            &words::cut(&unit, MEDIUM, most),
            (MARGIN, y),
            Lettering::new(MEDIUM, Anchor::Start).in_colour(GREY),
        )?;
        y += 20.0;
    }
    y += 8.0;
    if !legend.is_empty() {
        y = draw_legend(canvas, legend, y)? + 28.0;
    }
    Ok(Frame { left: MARGIN, right: WIDTH - MARGIN, top: y, bottom: HEIGHT - MARGIN - 14.0 })
}

fn draw_legend(canvas: &Canvas, legend: &[(Sample, &Text)], mut y: f64) -> Result<f64, Error> {
    let mut x = MARGIN;
    for (sample, name) in legend {
        let name = words::cut(&words::clean(canvas.language, name), LEGEND.size, 330.0);
        let sample_width = match sample {
            Sample::Line(_) => 40.0,
            Sample::Surface(_) => 18.0,
        };
        let width = sample_width + 8.0 + words::width(&name, LEGEND.size) + 22.0;
        if x > MARGIN && x + width > WIDTH - MARGIN {
            (x, y) = (MARGIN, y + 22.0);
        }
        match *sample {
            Sample::Line(pen) => canvas.line(&[(x, y), (x + sample_width, y)], pen)?,
            Sample::Surface(colour) => canvas.rectangle((x, y - 7.0), (x + sample_width, y + 7.0), colour)?,
        }
        canvas.text(&name, (x + sample_width + 8.0, y), LEGEND)?;
        x += width;
    }
    Ok(y)
}

/// Writes in the middle of the page that there is no data.
pub fn nothing(canvas: &Canvas, frame: Frame) -> Result<(), Error> {
    let words = match canvas.language {
        Language::Persian => "داده‌ای نیست",
        Language::English => "No data",
    };
    let middle = ((frame.left + frame.right) / 2.0, (frame.top + frame.bottom) / 2.0);
    canvas.text(words, middle, Lettering::new(18.0, Anchor::Middle).in_colour(GREY))
}

/// Writes omissions at the foot of the page: for each part its words, the number shown, and the total.
pub fn left_out(canvas: &Canvas, parts: &[(Text, usize, usize)]) -> Result<(), Error> {
    let language = canvas.language;
    let said = parts.iter().filter(|(_, shown, all)| shown < all).map(|(name, shown, all)| match language {
        Language::Persian => format!("{shown} {} نخست از {all}", name.fa),
        Language::English => format!("the first {shown} of {all} {}", name.en),
    });
    let said: Vec<String> = said.collect();
    if said.is_empty() {
        return Ok(());
    }
    let sentence = match language {
        Language::Persian => {
            format!("تنها {} نشان داده شده است؛ همه در جدول گزارش آمده‌اند.", said.join(" و "))
        }
        Language::English => {
            format!("Only {} are shown; all are in the table of the report.", said.join(" and "))
        }
    };
    let place = (MARGIN, HEIGHT - MARGIN);
    canvas.text(
        &words::digits(language, &sentence),
        place,
        Lettering::new(SMALL, Anchor::Start).in_colour(INK),
    )
}
