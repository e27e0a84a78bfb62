//! The picture: a panel for each case, a bar for each subject, as SVG.

mod paint;
mod panel;

use std::fs::File;
use std::path::{Path, PathBuf};

use plotters::prelude::*;

use crate::Error;
use crate::bench::About;
use crate::outcome::Outcome;
use paint::{COLUMNS, Canvas, WIDTH};
use panel::Panel;

const HEAD: i32 = 64;
const FOOT: i32 = 34;

/// A file to draw into, made before the measurement so that a bad path is told at once.
#[derive(Debug)]
pub(crate) struct Sink {
    path: PathBuf,
}

impl Sink {
    /// Makes the file.
    pub(crate) fn create(path: &Path) -> Result<Sink, Error> {
        File::create(path).map_err(Error::io(format!("make {}", path.display())))?;
        let path = path.canonicalize().map_err(Error::io(format!("resolve {}", path.display())))?;
        Ok(Sink { path })
    }

    /// Draws all cases that have results.
    pub(crate) fn write(self, about: &About, outcomes: &[Outcome]) -> Result<(), Error> {
        let image = draw(about, outcomes)?;
        std::fs::write(&self.path, image).map_err(Error::io(format!("write {}", self.path.display())))?;
        println!("wrote {}", self.path.display());
        Ok(())
    }
}

fn draw(about: &About, outcomes: &[Outcome]) -> Result<String, Error> {
    let panels: Vec<Panel> = outcomes.iter().filter_map(Panel::new).collect();
    let rows: Vec<&[Panel]> = panels.chunks(COLUMNS).collect();
    let body: i32 = rows.iter().map(|row| paint::height(row)).sum();
    let mut image = String::new();
    let size = (WIDTH.unsigned_abs(), (HEAD + body + FOOT).unsigned_abs());
    let area = SVGBackend::with_string(&mut image, size).into_drawing_area();
    let canvas = Canvas::new(&area);
    let done = canvas.head(about).and_then(|()| {
        let mut top = HEAD;
        for row in rows {
            for (column, panel) in row.iter().enumerate() {
                canvas.panel(panel, column, top)?;
            }
            top += paint::height(row);
        }
        let marked = panels.iter().any(Panel::is_marked);
        canvas.foot(top, if marked { "* does less than the case asks" } else { "" })
    });
    done.and_then(|()| Ok(area.present()?)).map_err(|error| Error::Plot(error.to_string()))?;
    drop(area);
    Ok(image)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Rate, sample_outcome};
    use crate::spawn::ABOUT;

    #[test]
    fn every_subject_and_its_figure_are_in_the_picture() {
        let mut threads = sample_outcome();
        threads.case = "threads-8".to_owned();
        for row in &mut threads.rows {
            row.rate = Some(Rate { per_second: 1234.0, per_second_one_thread: 1000.0 });
        }
        let image = draw(&ABOUT, &[sample_outcome(), threads]).unwrap();
        for part in ["sandbox", "cofferdam", "110 µs", "2.2 ms", "1234/s (1.2x)", "</svg>"] {
            assert!(image.contains(part), "{part} in\n{image}");
        }
    }

    #[test]
    fn nothing_measured_gives_an_empty_picture() {
        assert!(draw(&ABOUT, &[Outcome::skipped("user", "no")]).unwrap().contains("</svg>"));
    }
}
