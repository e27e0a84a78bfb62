//! What a panel shows: bars on a logarithmic scale.

use crate::outcome::{Outcome, Row};

/// A subject's bar.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bar {
    pub(super) subject: String,
    pub(super) value: f64,
    pub(super) label: String,
    pub(super) marked: bool,
}

/// The bars of a case.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Panel {
    pub(super) title: String,
    pub(super) what: &'static str,
    pub(super) bars: Vec<Bar>,
    /// Decades of the scale, as powers of ten.
    pub(super) decades: (i32, i32),
    unit: Unit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Micros,
    PerSecond,
}

impl Panel {
    /// The panel of a case; none if nothing was measured.
    pub(super) fn new(outcome: &Outcome) -> Option<Panel> {
        let unit =
            if outcome.rows.iter().all(|row| row.rate.is_some()) { Unit::PerSecond } else { Unit::Micros };
        let bars: Vec<Bar> = outcome.rows.iter().map(|row| bar(row, unit)).collect();
        let values = || bars.iter().map(|bar| bar.value.log10());
        let low = values().reduce(f64::min)?.floor();
        let high = values().reduce(f64::max)?.ceil();
        let what = match unit {
            Unit::Micros => "median, shorter is better",
            Unit::PerSecond => "spawns per second (x one thread), longer is better",
        };
        Some(Panel {
            title: outcome.case.clone(),
            what,
            bars,
            decades: (integer(low), integer(high).max(integer(low) + 1)),
            unit,
        })
    }

    /// Where a value lies on the scale, from 0 to 1. The scale begins half a decade early: no bar is empty.
    pub(super) fn position(&self, value: f64) -> f64 {
        let low = f64::from(self.decades.0) - 0.5;
        (value.log10() - low) / (f64::from(self.decades.1) - low)
    }

    /// The label of a decade.
    pub(super) fn tick(&self, decade: i32) -> String {
        let value = 10_f64.powi(decade);
        match self.unit {
            Unit::Micros => micros(value),
            Unit::PerSecond => format!("{value:.0}/s"),
        }
    }

    /// The length of the longest label, in characters.
    pub(super) fn longest_label(&self) -> usize {
        self.bars.iter().map(|bar| bar.label.chars().count()).max().unwrap_or_default()
    }

    /// Whether a subject does less than asked.
    pub(super) fn is_marked(&self) -> bool {
        self.bars.iter().any(|bar| bar.marked)
    }
}

fn bar(row: &Row, unit: Unit) -> Bar {
    let (value, label) = match (unit, row.rate) {
        (Unit::PerSecond, Some(rate)) => {
            let gain = rate.per_second / rate.per_second_one_thread;
            (rate.per_second, format!("{:.0}/s ({gain:.1}x)", rate.per_second))
        }
        _ => (row.p50_us, micros(row.p50_us)),
    };
    Bar { subject: row.subject.clone(), value: value.max(0.1), label, marked: !row.lacks.is_empty() }
}

/// Three digits at most, in the unit that a reader expects.
fn micros(us: f64) -> String {
    let (value, unit) = if us < 1e3 {
        (us, "µs")
    } else if us < 1e6 {
        (us / 1e3, "ms")
    } else {
        (us / 1e6, "s")
    };
    let digits = usize::from(value < 10.0 && (value.fract() * 10.0).round() > 0.0);
    format!("{value:.digits$} {unit}")
}

/// Powers of ten of microseconds are small.
#[expect(clippy::cast_possible_truncation, reason = "between -1 and 9")]
fn integer(power: f64) -> i32 {
    power as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::sample_outcome;

    #[test]
    fn units_and_digits() {
        let table =
            [(78.4, "78 µs"), (100.0, "100 µs"), (1100.0, "1.1 ms"), (22_892.0, "23 ms"), (1000.0, "1 ms")];
        for (us, text) in table {
            assert_eq!(micros(us), text);
        }
    }

    #[test]
    fn the_scale_covers_all_bars() {
        let panel = Panel::new(&sample_outcome()).unwrap();
        assert_eq!(panel.decades, (2, 4));
        for bar in &panel.bars {
            assert!((0.0..=1.0).contains(&panel.position(bar.value)), "{bar:?}");
        }
    }
}
