//! Where the parts of the picture go, in pixels.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::bench::About;

use super::panel::{Bar, Panel};

pub(super) const COLUMNS: usize = 3;
pub(super) const WIDTH: i32 = 1380;
const MARGIN: i32 = 24;
const PANEL: i32 = (WIDTH - 2 * MARGIN) / 3;
/// The subjects' names, left of the bars.
const NAMES: i32 = 92;
const TITLE: i32 = 34;
const LINE: i32 = 27;
const AXIS: i32 = 46;

const INK: RGBColor = RGBColor(31, 35, 40);
const FAINT: RGBColor = RGBColor(101, 109, 118);
const GRID: RGBColor = RGBColor(216, 222, 228);

type Done = Result<(), Box<dyn std::error::Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The height of a row of panels.
pub(super) fn height(row: &[Panel]) -> i32 {
    let bars = row.iter().map(|panel| panel.bars.len()).max().unwrap_or_default();
    TITLE + LINE * i32::try_from(bars).unwrap_or(i32::MAX / LINE / 2) + AXIS
}

/// The picture while it is drawn.
pub(super) struct Canvas<'a, 'b>(&'a Area<'b>);

impl<'a, 'b> Canvas<'a, 'b> {
    pub(super) fn new(area: &'a Area<'b>) -> Canvas<'a, 'b> {
        Canvas(area)
    }

    /// Background and heading.
    pub(super) fn head(&self, about: &About) -> Done {
        self.0.fill(&WHITE)?;
        self.text(about.title, (MARGIN, 12), Font::big())?;
        self.text(&format!("{}; logarithmic scale", about.timed), (MARGIN, 40), Font::small())
    }

    /// The remark below.
    pub(super) fn foot(&self, top: i32, text: &str) -> Done {
        self.text(text, (MARGIN, top), Font::small())
    }

    /// A panel in its column.
    pub(super) fn panel(&self, panel: &Panel, column: usize, top: i32) -> Done {
        let left = MARGIN + PANEL * i32::try_from(column)?;
        self.text(&panel.title, (left, top + 6), Font::title())?;
        let title = 13 * i32::try_from(panel.title.chars().count())?;
        self.text(panel.what, (left + title, top + 9), Font::small())?;
        let bars = top + TITLE;
        let bottom = bars + LINE * i32::try_from(panel.bars.len())?;
        // Kept free right of the bars: their labels, and the gap to the next panel.
        let width = PANEL - NAMES - 24 - 9 * i32::try_from(panel.longest_label())?;
        let x = |value| left + NAMES + pixels(panel.position(value) * f64::from(width));
        for decade in panel.decades.0..=panel.decades.1 {
            let at = x(10_f64.powi(decade));
            self.0.draw(&PathElement::new([(at, bars), (at, bottom + 4)], GRID))?;
            self.text(&panel.tick(decade), (at, bottom + 7), Font { across: HPos::Center, ..Font::small() })?;
        }
        for (bar, index) in panel.bars.iter().zip(0..) {
            self.bar(bar, (left + NAMES, x(bar.value)), bars + LINE * index)?;
        }
        Ok(())
    }

    fn bar(&self, bar: &Bar, (start, end): (i32, i32), top: i32) -> Done {
        let name = format!("{}{}", bar.subject, if bar.marked { " *" } else { "" });
        let font = Font { down: VPos::Center, ..Font::plain() };
        let middle = top + LINE / 2;
        self.text(&name, (start - 8, middle), Font { across: HPos::Right, ..font })?;
        let corners = [(start, top + 4), (end, top + LINE - 4)];
        self.0.draw(&Rectangle::new(corners, color(&bar.subject).filled()))?;
        self.text(&bar.label, (end + 6, middle), font)
    }

    fn text(&self, text: &str, at: (i32, i32), font: Font) -> Done {
        let style = ("sans-serif", font.size).into_font().style(font.style).color(&font.color);
        let style = style.pos(Pos::new(font.across, font.down));
        Ok(self.0.draw(&Text::new(text.to_owned(), at, style))?)
    }
}

#[derive(Clone, Copy)]
struct Font {
    size: i32,
    style: FontStyle,
    color: RGBColor,
    across: HPos,
    down: VPos,
}

impl Font {
    fn plain() -> Font {
        Font { size: 18, style: FontStyle::Normal, color: INK, across: HPos::Left, down: VPos::Top }
    }

    fn small() -> Font {
        Font { size: 16, color: FAINT, ..Font::plain() }
    }

    fn title() -> Font {
        Font { size: 20, style: FontStyle::Bold, ..Font::plain() }
    }

    fn big() -> Font {
        Font { size: 26, style: FontStyle::Bold, ..Font::plain() }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "within a panel")]
fn pixels(length: f64) -> i32 {
    length.round() as i32
}

/// Us, the floor, the plain ways, the peers.
fn color(subject: &str) -> RGBColor {
    match subject {
        "cofferdam" => RGBColor(9, 105, 218),
        "floor" => RGBColor(110, 119, 129),
        "fork" | "std" => RGBColor(127, 155, 179),
        _ => RGBColor(201, 121, 52),
    }
}
