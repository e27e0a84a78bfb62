//! `linux.memoryPolicy`.

use oci_spec::runtime::{LinuxMemoryPolicy, MemoryPolicyFlagType as Flag, MemoryPolicyModeType as Mode};

use super::super::place::quoted;
use super::super::text::is_cpu_list;
use crate::oci::{Error, Result};

pub(super) fn check(policy: Option<&LinuxMemoryPolicy>) -> Result<()> {
    let Some(policy) = policy else { return Ok(()) };
    nodes(policy.mode(), policy.nodes().as_deref())?;
    flags(policy.mode(), policy.flags().as_deref().unwrap_or_default())
}

/// Which modes have nodes.
fn nodes(mode: Mode, nodes: Option<&str>) -> Result<()> {
    let wrong = |reason: String| Err(Error::config("linux.memoryPolicy.nodes", reason));
    match (mode, nodes) {
        (_, Some("")) => wrong("is empty".into()),
        (_, Some(list)) if !is_cpu_list(list) => {
            wrong(format!("{} is no list of memory nodes", quoted(list)))
        }
        (Mode::MpolDefault | Mode::MpolLocal, Some(list)) => {
            wrong(format!("{} has no meaning for {mode}", quoted(list)))
        }
        (Mode::MpolDefault | Mode::MpolLocal | Mode::MpolPreferred, None) => Ok(()),
        (_, None) => wrong(format!("is missing: {mode} needs nodes")),
        (_, Some(_)) => Ok(()),
    }
}

/// Which flags go together, and with which modes.
fn flags(mode: Mode, flags: &[Flag]) -> Result<()> {
    for (index, flag) in flags.iter().enumerate() {
        let excluded = match flag {
            Flag::MpolFStaticNodes => Some(Flag::MpolFRelativeNodes),
            Flag::MpolFRelativeNodes => Some(Flag::MpolFStaticNodes),
            Flag::MpolFNumaBalancing => None,
        };
        let balancing = *flag == Flag::MpolFNumaBalancing;
        let reason = match (mode, excluded) {
            (Mode::MpolDefault | Mode::MpolLocal, _) => format!("{flag} has no meaning for {mode}"),
            (Mode::MpolBind | Mode::MpolPreferredMany, _) if balancing => continue,
            (mode, _) if balancing => format!("{flag} has no meaning for {mode}"),
            (_, Some(other)) if flags.contains(&other) => format!("{flag} and {other} exclude each other"),
            _ => continue,
        };
        return Err(Error::config(format!("linux.memoryPolicy.flags[{index}]"), reason));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::table;

    fn policy(policy: Value) -> Value {
        json!({"linux": {"memoryPolicy": policy}})
    }

    #[test]
    fn a_mode_has_the_nodes_that_it_needs() {
        table(vec![
            (policy(json!({"mode": "MPOL_BIND", "nodes": "0-3,7"})), ""),
            (policy(json!({"mode": "MPOL_DEFAULT"})), ""),
            (policy(json!({"mode": "MPOL_DEFAULT", "nodes": ""})), ""),
            (policy(json!({"mode": "MPOL_PREFERRED"})), ""),
            (
                policy(json!({"mode": "MPOL_LOCAL", "nodes": "0"})),
                "linux.memoryPolicy.nodes: \"0\" has no meaning for MPOL_LOCAL",
            ),
            (
                policy(json!({"mode": "MPOL_INTERLEAVE"})),
                "linux.memoryPolicy.nodes: is missing: MPOL_INTERLEAVE needs nodes",
            ),
            (
                policy(json!({"mode": "MPOL_BIND", "nodes": "all"})),
                "linux.memoryPolicy.nodes: \"all\" is no list of memory nodes",
            ),
            (policy(json!({"nodes": "0"})), "linux.memoryPolicy.mode: is required and missing"),
        ]);
    }

    #[test]
    fn a_mode_has_flags_that_mean_something_to_it() {
        let flags = |mode: &str, flags: &[&str]| policy(json!({"mode": mode, "nodes": "0", "flags": flags}));
        let (fixed, relative, balancing) =
            ("MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES", "MPOL_F_NUMA_BALANCING");
        table(vec![
            (flags("MPOL_BIND", &[fixed, balancing]), ""),
            (flags("MPOL_INTERLEAVE", &[relative]), ""),
            (
                flags("MPOL_BIND", &[fixed, relative]),
                "linux.memoryPolicy.flags[0]: MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES exclude each other",
            ),
            (
                flags("MPOL_INTERLEAVE", &[fixed, balancing]),
                "linux.memoryPolicy.flags[1]: MPOL_F_NUMA_BALANCING has no meaning for MPOL_INTERLEAVE",
            ),
            (
                policy(json!({"mode": "MPOL_DEFAULT", "flags": [fixed]})),
                "linux.memoryPolicy.flags[0]: MPOL_F_STATIC_NODES has no meaning for MPOL_DEFAULT",
            ),
            (
                flags("MPOL_BIND", &["MPOL_F_X"]),
                "linux.memoryPolicy.flags[0]: \"MPOL_F_X\" is unknown: known are MPOL_F_NUMA_BALANCING, MPOL_F_RELATIVE_NODES, MPOL_F_STATIC_NODES",
            ),
        ]);
    }
}
