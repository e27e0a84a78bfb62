//! The five sets of capabilities.

use oci_spec::runtime::{Capabilities as Names, LinuxCapabilities, Process};

use crate::oci::{Error, Result};
use crate::{Argument, Capabilities, Capability, CapabilitySet, Step};

/// The sets that the program has. Without `process.capabilities` it has none.
pub(super) fn sets(process: &Process) -> Result<Capabilities> {
    let Some(given) = process.capabilities() else { return Ok(Capabilities::NONE) };
    let wanted = Capabilities {
        bounding: set("bounding", LinuxCapabilities::bounding(given))?,
        permitted: set("permitted", given.permitted())?,
        effective: set("effective", given.effective())?,
        inheritable: set("inheritable", given.inheritable())?,
        ambient: set("ambient", given.ambient())?,
    };
    // The kernel lets nothing be ambient that is not both; that others are left out is what existing runtimes do.
    let both = wanted.permitted.bits() & wanted.inheritable.bits();
    let ambient = CapabilitySet::from_bits(wanted.ambient.bits() & both);
    Ok(Capabilities { ambient, ..wanted })
}

/// Gives a process more capabilities, as `exec --cap` does: in the bounding, permitted and effective set. They are neither
/// inheritable nor ambient, so a program that it executes gets no more than the file of that says.
pub fn add_capabilities(process: &mut Process, added: &[oci_spec::runtime::Capability]) {
    if added.is_empty() {
        return;
    }
    let more = |set: &Option<Names>| {
        let mut set = set.clone().unwrap_or_default();
        set.extend(added);
        Some(set)
    };
    let mut sets = process.capabilities().clone().unwrap_or_else(none);
    let (bounding, permitted, effective) =
        (more(sets.bounding()), more(sets.permitted()), more(sets.effective()));
    sets.set_bounding(bounding).set_permitted(permitted).set_effective(effective);
    process.set_capabilities(Some(sets));
}

fn none() -> LinuxCapabilities {
    let mut none = LinuxCapabilities::default();
    none.set_bounding(None).set_permitted(None).set_effective(None);
    none.set_inheritable(None).set_ambient(None);
    none
}

/// The sets with what loading a filter needs, until it is loaded.
pub(super) fn with_right_to_filter(sets: Capabilities) -> Capabilities {
    Capabilities {
        permitted: sets.permitted.with(Capability::SYS_ADMIN),
        effective: sets.effective.with(Capability::SYS_ADMIN),
        ..sets
    }
}

/// Takes that away again: the call that sets exactly what the program has.
pub(crate) fn last(process: &Process) -> Result<Step> {
    const VERSION_3: u32 = 0x2008_0522;
    let sets = sets(process)?;
    let header = [VERSION_3.to_ne_bytes(), [0; 4]].concat();
    let valid = known_to_kernel();
    let words = [sets.effective, sets.permitted, sets.inheritable].map(|set| set.bits() & valid);
    let data = [0, 32]
        .iter()
        .flat_map(|shift| words.map(|word| u32::try_from(word >> shift & 0xffff_ffff).unwrap_or(0)))
        .flat_map(u32::to_ne_bytes)
        .collect();
    let arguments = vec![Argument::Bytes(header), Argument::Bytes(data)];
    Ok(super::call("capset", libc::SYS_capset, arguments))
}

/// What this kernel has: it refuses others.
fn known_to_kernel() -> u64 {
    let last = std::fs::read_to_string("/proc/sys/kernel/cap_last_cap").unwrap_or_default();
    match last.trim().parse::<u32>() {
        Ok(last) if last < 63 => (1 << (last + 1)) - 1,
        _ => (1 << cofferdam_process::CAPABILITY_NAMES.len()) - 1,
    }
}

fn set(name: &str, names: &Option<Names>) -> Result<CapabilitySet> {
    let parse = |one: &oci_spec::runtime::Capability| {
        let text = one.to_string();
        text.parse::<Capability>()
            .map_err(|error| Error::config(format!("process.capabilities.{name}"), error.to_string()))
    };
    names.iter().flatten().map(parse).collect()
}
