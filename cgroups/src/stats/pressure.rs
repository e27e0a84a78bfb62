//! Pressure stall information: how much time was lost by waiting for a resource.

use super::parse::{Fault, Parsed, hundredths, lines, number, words};
use std::fmt;
use std::time::Duration;

/// A share of time in hundredths of a percent, as precise as the kernel gives it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share {
    /// 10000 is all of the time.
    pub hundredths_of_percent: u32,
}

impl Share {
    /// In percent: 14.31.
    pub fn percent(self) -> f64 {
        f64::from(self.hundredths_of_percent) / 100.0
    }
}

/// `14.31`, as the kernel has it.
impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.hundredths_of_percent / 100, self.hundredths_of_percent % 100)
    }
}

/// One line of a pressure file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stall {
    /// Average over ten seconds.
    pub avg10: Share,
    /// Average over a minute.
    pub avg60: Share,
    /// Average over five minutes.
    pub avg300: Share,
    /// All time lost since the cgroup was made.
    pub total: Duration,
}

/// Time lost by waiting for one resource: a file `*.pressure` of v2, or of `/proc/pressure`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PressureStatistics {
    /// While at least one task waited. Missing for interrupts.
    pub some: Option<Stall>,
    /// While all tasks that could do something waited at once. For processors 5.13.
    pub full: Option<Stall>,
}

impl PressureStatistics {
    pub(crate) fn parse(content: &[u8]) -> Parsed<'_, Self> {
        let mut pressure = Self::default();
        for line in lines(content) {
            let mut words = words(line);
            let to = match words.next() {
                Some(b"some") => &mut pressure.some,
                Some(b"full") => &mut pressure.full,
                _ => continue,
            };
            *to = Some(stall(line, words)?);
        }
        Ok(pressure)
    }
}

fn stall<'a>(line: &'a [u8], words: impl Iterator<Item = &'a [u8]>) -> Parsed<'a, Stall> {
    let fault = Fault { line, expected: "avg10=, avg60=, avg300= and total=" };
    let (mut stall, mut seen) = (Stall::default(), 0);
    for word in words {
        let share = |value| {
            hundredths(value).map(|hundredths_of_percent| Share { hundredths_of_percent }).ok_or(fault)
        };
        match word {
            [b'a', b'v', b'g', b'1', b'0', b'=', value @ ..] => stall.avg10 = share(value)?,
            [b'a', b'v', b'g', b'6', b'0', b'=', value @ ..] => stall.avg60 = share(value)?,
            [b'a', b'v', b'g', b'3', b'0', b'0', b'=', value @ ..] => stall.avg300 = share(value)?,
            [b't', b'o', b't', b'a', b'l', b'=', value @ ..] => {
                stall.total = Duration::from_micros(number(value).ok_or(fault)?);
            }
            _ => continue,
        }
        seen += 1;
    }
    if seen == 4 { Ok(stall) } else { Err(fault) }
}

/// Pressure on each resource; v2 only, and only where the kernel was built and started with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pressures {
    /// Processors. v2 `cpu.pressure`.
    pub cpu: Option<PressureStatistics>,
    /// Memory. v2 `memory.pressure`.
    pub memory: Option<PressureStatistics>,
    /// Devices. v2 `io.pressure`.
    pub io: Option<PressureStatistics>,
    /// Interrupts. v2 `irq.pressure`, 6.1, where the kernel accounts their time.
    pub irq: Option<PressureStatistics>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lines_are_read() {
        let content = b"some avg10=14.31 avg60=2.58 avg300=0.54 total=1611935\n\
            full avg10=0.00 avg60=0.00 avg300=100.00 total=0\n";
        let pressure = PressureStatistics::parse(content).unwrap();
        let some = pressure.some.unwrap();
        assert_eq!((some.avg10.to_string(), some.avg60.percent()), ("14.31".to_owned(), 2.58));
        assert_eq!(some.total, Duration::from_micros(1_611_935));
        assert_eq!(pressure.full.unwrap().avg300.hundredths_of_percent, 10000);
    }

    #[test]
    fn a_line_that_is_cut_is_a_fault() {
        for content in ["some avg10=14.31 avg60=2.5", "full", "some avg10=x avg60=0.00 avg300=0.00 total=0"] {
            assert!(PressureStatistics::parse(content.as_bytes()).is_err(), "{content}");
        }
        assert_eq!(PressureStatistics::parse(b"").unwrap(), PressureStatistics::default());
    }
}
