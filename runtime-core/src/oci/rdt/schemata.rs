//! What is written to a file `schemata`, and whether one says it already.

use std::collections::BTreeMap;

use oci_spec::runtime::LinuxIntelRdt;

use crate::oci::{Error, Result};

/// The lines that a configuration asks for, in the order in which they have to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Schemata {
    /// Of `l3CacheSchema` and `memBwSchema`. A group that is there already must say the same.
    pub(super) checked: Vec<String>,
    /// Of `schemata`, written last.
    pub(super) last: Vec<String>,
}

impl Schemata {
    pub(super) fn of(rdt: &LinuxIntelRdt) -> Result<Self> {
        let mut checked = Vec::new();
        let bandwidth = rdt.mem_bw_schema().as_deref().filter(|line| !line.is_empty());
        for line in rdt.l3_cache_schema().as_deref().unwrap_or_default().lines() {
            let line = line.trim();
            // What says the bandwidth by itself comes before what says it here.
            let replaced = bandwidth.is_some() && line.starts_with("MB:");
            if !line.is_empty() && !replaced {
                checked.push(line.to_owned());
            }
        }
        if let Some(line) = bandwidth {
            if !line.starts_with("MB:") || line.contains('\n') {
                let reason = format!("{line:?} is not one line that begins with MB:");
                return Err(Error::config("linux.intelRdt.memBwSchema", reason));
            }
            checked.push(line.to_owned());
        }
        let mut last = Vec::new();
        for (index, line) in rdt.schemata().iter().flatten().enumerate() {
            if line.contains('\n') || !line.contains(':') {
                let reason = format!("{line:?} is not one line such as L3:0=ff");
                return Err(Error::config(format!("linux.intelRdt.schemata[{index}]"), reason));
            }
            last.push(line.clone());
        }
        Ok(Self { checked, last })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.checked.is_empty() && self.last.is_empty()
    }

    /// The first line that differs from what the file says. A line may name some of the caches only.
    pub(super) fn differs_from(&self, file: &str) -> Option<&str> {
        let there: BTreeMap<String, BTreeMap<String, u64>> = file.lines().filter_map(parse).collect();
        let same = |line: &str| {
            let Some((resource, wanted)) = parse(line) else { return false };
            let Some(there) = there.get(&resource) else { return false };
            wanted.iter().all(|(domain, value)| there.get(domain) == Some(value))
        };
        self.checked.iter().map(String::as_str).find(|line| !same(line))
    }
}

/// `L3:0=ff;1=c0`, with spaces anywhere. Masks are hexadecimal, bandwidths decimal.
fn parse(line: &str) -> Option<(String, BTreeMap<String, u64>)> {
    let (resource, domains) = line.trim().split_once(':')?;
    let radix = if resource.starts_with("MB") || resource.starts_with("SMBA") { 10 } else { 16 };
    let domain = |text: &str| {
        let (domain, value) = text.trim().split_once('=')?;
        let value = u64::from_str_radix(value.trim().trim_start_matches("0x"), radix).ok()?;
        Some((domain.trim().to_owned(), value))
    };
    let all: Option<BTreeMap<String, u64>> =
        domains.split(';').filter(|text| !text.trim().is_empty()).map(domain).collect();
    Some((resource.to_owned(), all?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schemata(json: &str) -> Result<Schemata> {
        Schemata::of(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn the_bandwidth_has_its_own_property_which_comes_before_lines_of_the_cache() {
        let both =
            schemata(r#"{"l3CacheSchema": "L3:0=ff\nMB:0=10\nL2:0=f", "memBwSchema": "MB:0=20"}"#).unwrap();
        assert_eq!(both.checked, ["L3:0=ff", "L2:0=f", "MB:0=20"]);
        let alone = schemata(r#"{"l3CacheSchema": "L3:0=ff\nMB:0=10", "schemata": ["MB:0=30"]}"#).unwrap();
        assert_eq!(
            (alone.checked, alone.last),
            (vec!["L3:0=ff".into(), "MB:0=10".into()], vec!["MB:0=30".into()])
        );
        assert!(schemata("{}").unwrap().is_empty());
    }

    #[test]
    fn lines_that_cannot_be_name_their_property() {
        let text = |json| schemata(json).unwrap_err().to_string();
        let expected =
            "config.json: linux.intelRdt.memBwSchema: \"L3:0=f\" is not one line that begins with MB:";
        assert_eq!(text(r#"{"memBwSchema": "L3:0=f"}"#), expected);
        let expected = "config.json: linux.intelRdt.schemata[1]: \"x\" is not one line such as L3:0=ff";
        assert_eq!(text(r#"{"schemata": ["L3:0=f", "x"]}"#), expected);
    }

    #[test]
    fn a_file_says_the_same_in_other_words() {
        let wanted = schemata(r#"{"l3CacheSchema": "L3: 1=0ff", "memBwSchema": "MB:0=20;1=70"}"#).unwrap();
        assert_eq!(wanted.differs_from("    L3:0=7ff;1=ff\n    MB:0= 20;1= 70\n"), None);
        assert_eq!(wanted.differs_from("    L3:0=7ff;1=fe\n    MB:0=20;1=70\n"), Some("L3: 1=0ff"));
        assert_eq!(wanted.differs_from("    L3:0=7ff;1=ff\n"), Some("MB:0=20;1=70"));
    }
}
