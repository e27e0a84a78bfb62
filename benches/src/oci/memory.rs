//! The memory of a process, and of the host.

use std::fs;

use crate::Error;

/// What a process has for itself alone, in KiB: its pages that are mapped nowhere else.
pub(super) fn private_kib(pid: u32) -> Result<u64, Error> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path).map_err(Error::io(format!("read {path}")))?;
    private(&text).ok_or_else(|| Error::Proof(format!("{path} does not say what is private")))
}

/// What the host could still give, in KiB.
pub(super) fn available_kib() -> Result<u64, Error> {
    let text = fs::read_to_string("/proc/meminfo").map_err(Error::io("read /proc/meminfo"))?;
    let available = field(&text, "MemAvailable:");
    available.ok_or_else(|| Error::Proof("/proc/meminfo has no MemAvailable".to_owned()))
}

fn private(text: &str) -> Option<u64> {
    Some(field(text, "Private_Clean:")? + field(text, "Private_Dirty:")? + field(text, "Private_Hugetlb:")?)
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_pages_are_added_up() {
        let text = "Rss:  100 kB\nPrivate_Clean:   8 kB\nPrivate_Dirty:  24 kB\nPrivate_Hugetlb: 0 kB\n";
        assert_eq!(private(text), Some(32));
        assert_eq!(private("Rss: 100 kB\n"), None);
    }

    #[test]
    fn the_bench_itself_has_memory_of_its_own() {
        assert!(private_kib(std::process::id()).unwrap() > 0);
        assert!(available_kib().unwrap() > 0);
    }
}
