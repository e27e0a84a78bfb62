//! How far ahead of, or behind, every peer.

use crate::outcome::{Outcome, Row};

const US: &str = "cofferdam";
const COMMAND_LINE: &str = "cofferdam-cli";
const OTHERS: [&str; 10] =
    ["fork", "cgroups-rs", "std", "crun", "runc", "youki", "bwrap", "unshare", "umoci", "podman"];

/// One line for each other subject that was measured, with all cases; the library stands for us, the floor while it
/// is not measured, and our command line besides.
pub(crate) fn lines(outcomes: &[Outcome]) -> Vec<String> {
    let measured = outcomes.iter().any(|outcome| outcome.row(US).is_some());
    let us = if measured { US } else { "floor" };
    let ours = [us, COMMAND_LINE].into_iter();
    let others = ours.flat_map(|us| OTHERS.iter().filter_map(move |other| line(us, other, outcomes)));
    others.chain(["floor", US, "fork"].iter().filter_map(|subject| own_line(subject, outcomes))).collect()
}

/// What its surroundings cost a subject: its own medians against that of the plain sandbox.
fn own_line(subject: &str, outcomes: &[Outcome]) -> Option<String> {
    let median =
        |case: &str| Some(outcomes.iter().find(|outcome| outcome.case == case)?.row(subject)?.p50_us);
    let plain = median("sandbox")?;
    let parts: Vec<String> = ["parent-1GiB", "parent-4GiB", "mounts-600"]
        .iter()
        .filter_map(|case| Some(format!("{case} {:.2}x", median(case)? / plain)))
        .collect();
    (!parts.is_empty()).then(|| format!("{subject}, its own sandbox = 1: {}", parts.join(", ")))
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
    fn surroundings_are_compared_with_the_plain_sandbox() {
        let mut large = sample_outcome();
        large.case = "parent-4GiB".to_owned();
        large.rows[1].p50_us = 121.0;
        let lines = lines(&[sample_outcome(), large]);
        assert!(lines.contains(&"cofferdam, its own sandbox = 1: parent-4GiB 1.10x".to_owned()), "{lines:?}");
    }

    #[test]
    fn the_command_line_is_compared_besides() {
        let mut outcome = sample_outcome();
        outcome
            .rows
            .push(crate::outcome::Row { subject: COMMAND_LINE.to_owned(), ..outcome.rows[1].clone() });
        let expected =
            ["cofferdam v. crun: sandbox 20.00x ahead", "cofferdam-cli v. crun: sandbox 20.00x ahead"];
        assert_eq!(lines(&[outcome]), expected);
    }

    #[test]
    fn the_floor_stands_in_where_the_library_is_not_measured() {
        let mut outcome = sample_outcome();
        outcome.rows.remove(1);
        assert_eq!(lines(&[outcome]), ["floor v. crun: sandbox 22.00x ahead"]);
    }
}
