//! Texts with a grammar.

/// Whether it is a list of processors or memory nodes as the kernel writes it: `0-3,7`.
pub(super) fn is_cpu_list(text: &str) -> bool {
    text.split(',').all(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        matches!((number(first), number(last)), (Some(first), Some(last)) if first <= last)
    })
}

/// A plain decimal number.
pub(super) fn number(text: &str) -> Option<u32> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_processors_has_numbers_and_ascending_ranges() {
        for list in ["0", "0-3", "0-3,7", "7,0-3", "0-0", "4294967295"] {
            assert!(is_cpu_list(list), "{list}");
        }
        for list in
            ["", ",", "0,", "0-", "-1", "3-0", "0-1-2", "a", " 0", "0 ", "+1", "4294967296", "0--1", "٣"]
        {
            assert!(!is_cpu_list(list), "{list}");
        }
    }
}
