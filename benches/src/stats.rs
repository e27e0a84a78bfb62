//! Order statistics of a sample.

use std::time::Duration;

/// A sample's figures in microseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Summary {
    pub(crate) n: usize,
    pub(crate) min_us: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

/// Summarises a sample; none if it is empty.
pub(crate) fn summarise(mut sample: Vec<Duration>) -> Option<Summary> {
    sample.sort_unstable();
    Some(Summary {
        n: sample.len(),
        min_us: micros(*sample.first()?),
        p50_us: micros(rank(&sample, 50)?),
        p99_us: micros(rank(&sample, 99)?),
    })
}

/// The nearest rank: the smallest value that `percent` of the sample do not exceed.
fn rank(sorted: &[Duration], percent: usize) -> Option<Duration> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_ranks() {
        let sample = |n: u64| (1..=n).rev().map(Duration::from_micros).collect::<Vec<_>>();
        for (n, min, p50, p99) in [(1, 1.0, 1.0, 1.0), (4, 1.0, 2.0, 4.0), (200, 1.0, 100.0, 198.0)] {
            let summary = summarise(sample(n)).unwrap();
            let close = |a: f64, b: f64| (a - b).abs() < 1e-6;
            assert!(close(summary.min_us, min) && close(summary.p50_us, p50), "{summary:?}");
            assert!(close(summary.p99_us, p99), "{summary:?}");
        }
        assert!(summarise(Vec::new()).is_none());
    }
}
