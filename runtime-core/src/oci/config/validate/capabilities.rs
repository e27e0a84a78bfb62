//! `process.capabilities`.

use std::sync::OnceLock;

use cofferdam_process::Capability;
use oci_spec::runtime::{Capabilities, LinuxCapabilities};

use super::NotApplied;
use crate::oci::{Error, Result};

/// The sets fit together; what cannot be had is reported.
pub(super) fn check(capabilities: Option<&LinuxCapabilities>) -> Result<Vec<NotApplied>> {
    let Some(capabilities) = capabilities else { return Ok(Vec::new()) };
    let permitted = numbers(capabilities.permitted().as_ref());
    for (name, capability) in numbers(capabilities.effective().as_ref()) {
        if !permitted.iter().any(|(_, other)| *other == capability) {
            return Err(Error::config(
                "process.capabilities.effective",
                format!("{name} is not in `permitted`"),
            ));
        }
    }
    Ok(not_applied(capabilities, last()))
}

/// What the kernel does not take, where `last` is the last capability that it has.
fn not_applied(capabilities: &LinuxCapabilities, last: u8) -> Vec<NotApplied> {
    let sets = [
        ("bounding", capabilities.bounding()),
        ("effective", capabilities.effective()),
        ("permitted", capabilities.permitted()),
        ("inheritable", capabilities.inheritable()),
        ("ambient", capabilities.ambient()),
    ];
    let mut report = Vec::new();
    for (set, members) in sets {
        for (name, capability) in numbers(members.as_ref()) {
            let reason = match capability {
                number if number > last => "the kernel is older than this capability",
                number if set != "ambient" || raisable(capabilities, number) => continue,
                _ => "the kernel takes only what is in `permitted` and `inheritable` too",
            };
            let path = format!("process.capabilities.{set}");
            report.push(NotApplied { path, reason: format!("{name}: {reason}") });
        }
    }
    report
}

/// Whether a capability can be an ambient one.
fn raisable(capabilities: &LinuxCapabilities, number: u8) -> bool {
    [capabilities.permitted(), capabilities.inheritable()]
        .into_iter()
        .all(|set| numbers(set.as_ref()).iter().any(|(_, other)| *other == number))
}

/// The members of a set by name and number, in the order of the numbers.
fn numbers(set: Option<&Capabilities>) -> Vec<(String, u8)> {
    let parse = |name: String| {
        name.parse().ok().map(|capability: Capability| (capability.to_string(), capability.number()))
    };
    let mut numbers: Vec<_> =
        set.into_iter().flatten().filter_map(|member| parse(member.to_string())).collect();
    numbers.sort_by_key(|(_, number)| *number);
    numbers
}

/// The last capability that the kernel has.
fn last() -> u8 {
    static LAST: OnceLock<u8> = OnceLock::new();
    // Without procfs all are taken as known, and the kernel has the last word.
    let read = || std::fs::read_to_string("/proc/sys/kernel/cap_last_cap").ok();
    *LAST.get_or_init(|| read().and_then(|text| text.trim().parse().ok()).unwrap_or(u8::MAX))
}

#[cfg(test)]
mod tests {
    use oci_spec::runtime::Capability as Theirs;
    use serde_json::json;

    use super::super::testing::{outcome, refused};
    use super::*;

    #[test]
    fn every_capability_of_the_specification_has_a_number() {
        let all: Capabilities =
            [Theirs::Chown, Theirs::Syslog, Theirs::Bpf, Theirs::CheckpointRestore].into();
        let names: Vec<_> = numbers(Some(&all)).into_iter().collect();
        let expected =
            [("CAP_CHOWN", 0), ("CAP_SYSLOG", 34), ("CAP_BPF", 39), ("CAP_CHECKPOINT_RESTORE", 40)];
        assert_eq!(names, expected.map(|(name, number)| (name.to_owned(), number)));
    }

    #[test]
    fn what_is_effective_is_permitted() {
        assert_eq!(
            refused(json!({"process": {"capabilities": {"permitted": ["CAP_KILL"]}}})),
            "process.capabilities.effective: CAP_NET_BIND_SERVICE is not in `permitted`"
        );
    }

    #[test]
    fn ambient_capabilities_that_are_not_inheritable_are_reported() {
        let ambient = json!({"process": {"capabilities": {"ambient": ["CAP_KILL"]}}});
        let report = outcome(ambient).unwrap().not_applied;
        assert_eq!(report.len(), 1);
        assert_eq!(
            report[0].to_string(),
            "config.json: process.capabilities.ambient: not applied: CAP_KILL: the kernel takes only what is in \
             `permitted` and `inheritable` too"
        );
        let both =
            json!({"process": {"capabilities": {"ambient": ["CAP_KILL"], "inheritable": ["CAP_KILL"]}}});
        assert_eq!(outcome(both).unwrap().not_applied, []);
    }

    #[test]
    fn capabilities_that_are_newer_than_the_kernel_are_reported() {
        let mut capabilities = LinuxCapabilities::default();
        let set: Capabilities = [Theirs::Chown, Theirs::CheckpointRestore].into();
        capabilities
            .set_bounding(Some(set))
            .set_effective(None)
            .set_permitted(None)
            .set_inheritable(None)
            .set_ambient(None);
        assert_eq!(not_applied(&capabilities, 40), []);
        let report = not_applied(&capabilities, 39);
        assert_eq!(report.len(), 1);
        assert_eq!(report[0].path, "process.capabilities.bounding");
        assert_eq!(report[0].reason, "CAP_CHECKPOINT_RESTORE: the kernel is older than this capability");
    }
}
