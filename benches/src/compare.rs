//! How far ahead of, or behind, every peer.

use crate::outcome::{Outcome, Row};

const US: &str = "cofferdam";
const OTHERS: [&str; 7] = ["fork", "std", "crun", "runc", "youki", "bwrap", "unshare"];

/// One line for each other subject that was measured, with all cases; the library stands for us, the floor while it
/// is not measured.
pub(crate) fn lines(outcomes: &[Outcome]) -> Vec<String> {
    let measured = outcomes.iter().any(|outcome| outcome.row(US).is_some());
    let us = if measured { US } else { "floor" };
    OTHERS.iter().filter_map(|other| line(us, other, outcomes)).collect()
}

fn line(us: &str, other: &str, outcomes: &[Outcome]) -> Option<String> {
    let parts: Vec<String> = outcomes
        .iter()
        .filter_map(|outcome| {
            let (ours, theirs) = (outcome.row(us)?, outcome.row(other)?);
            Some(format!("{} {}", outcome.case, verdict(ours, theirs)))
        })
        .collect();
    (!parts.is_empty()).then(|| format!("{us} v. {other}: {}", parts.join(", ")))
}

/// By throughput where it was measured, by the median otherwise.
fn verdict(ours: &Row, theirs: &Row) -> String {
    let ratio = match (ours.rate, theirs.rate) {
        (Some(ours), Some(theirs)) => ours.per_second / theirs.per_second,
        _ => theirs.p50_us / ours.p50_us,
    };
    if ratio >= 1.0 { format!("{ratio:.2}x ahead") } else { format!("{:.2}x BEHIND", 1.0 / ratio) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::sample_outcome;

    #[test]
    fn ahead_and_behind_are_told_apart() {
        let mut outcome = sample_outcome();
        assert_eq!(lines(&[outcome.clone()]), ["cofferdam v. crun: sandbox 20.00x ahead"]);
        outcome.rows[2].p50_us = 55.0;
        assert_eq!(lines(&[outcome]), ["cofferdam v. crun: sandbox 2.00x BEHIND"]);
    }

    #[test]
    fn the_floor_stands_in_where_the_library_is_not_measured() {
        let mut outcome = sample_outcome();
        outcome.rows.remove(1);
        assert_eq!(lines(&[outcome]), ["floor v. crun: sandbox 22.00x ahead"]);
    }
}
