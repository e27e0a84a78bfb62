//! From a profile to a program: what happens at each number, then a tree of comparisons, then instructions.
//!
//! For each architecture the numbers are cut into ranges with the same outcome. A binary search finds the range, so
//! that a call costs some six comparisons, whatever it is; only then arguments are looked at.

mod argument;
mod assemble;
mod outcome;
mod tree;

use crate::{Action, Architecture, Error, Filter, Profile, Result};
use assemble::{Assembler, Target};

/// The instructions of classic BPF that are used here (`linux/bpf_common.h`), and the places in `struct seccomp_data`.
pub(crate) mod opcode {
    /// Load a word of `struct seccomp_data`.
    pub(crate) const LOAD: u16 = 0x20;
    /// Keep the bits of a mask.
    pub(crate) const AND: u16 = 0x54;
    /// Skip instructions.
    pub(crate) const JUMP: u16 = 0x05;
    /// Skip by equality.
    pub(crate) const JUMP_EQ: u16 = 0x15;
    /// Skip by greater than.
    pub(crate) const JUMP_GT: u16 = 0x25;
    /// Skip by greater than or equal.
    pub(crate) const JUMP_GE: u16 = 0x35;
    /// End with an action.
    pub(crate) const RETURN: u16 = 0x06;
    /// Where the number of the call is.
    pub(crate) const NUMBER: u32 = 0;
    /// Where the number of the architecture is.
    pub(crate) const ARCHITECTURE: u32 = 4;
    /// Where the arguments begin, eight bytes each.
    pub(crate) const ARGUMENTS: u32 = 16;
}

/// What happens on an architecture that the profile does not have.
const FOREIGN: Action = Action::KillProcess;

/// The filter of a profile that was validated.
pub(crate) fn compile(profile: &Profile) -> Result<Filter> {
    let mut architectures = profile.architectures.clone();
    if architectures.is_empty() {
        architectures.push(Architecture::NATIVE);
    }
    let first = architectures[0];
    if let Some(other) = architectures.iter().find(|other| other.is_big_endian() != first.is_big_endian()) {
        return Err(Error::ByteOrder { first, other: *other });
    }
    let mut audit_numbers: Vec<u32> = Vec::new();
    for architecture in &architectures {
        if !audit_numbers.contains(&architecture.audit_number()) {
            audit_numbers.push(architecture.audit_number());
        }
    }

    let rules = outcome::Rules::new(profile);
    let mut assembler = Assembler::default();
    let mut next = Target::Return(FOREIGN);
    let mut entries = Vec::new();
    for audit_number in audit_numbers.iter().rev() {
        let ways: Vec<Architecture> =
            architectures.iter().copied().filter(|way| way.audit_number() == *audit_number).collect();
        let ranges = outcome::ranges(&rules, &ways);
        let entry = tree::emit(&mut assembler, &ranges);
        entries.push((*audit_number, assembler.load(opcode::NUMBER, entry)));
    }
    for (audit_number, entry) in entries {
        next = assembler.branch(opcode::JUMP_EQ, audit_number, entry, next);
    }
    assembler.load(opcode::ARCHITECTURE, next);

    let instructions = assembler.finish();
    if instructions.len() > Filter::MAX_INSTRUCTIONS {
        return Err(Error::TooLong { instructions: instructions.len() });
    }
    Ok(Filter { instructions, architectures, flags: flags(profile), notifies: profile.notifies() })
}

fn flags(profile: &Profile) -> u32 {
    let notifies = profile.notifies();
    let given = profile.flags;
    let all = [
        (given.tsync, libc::SECCOMP_FILTER_FLAG_TSYNC),
        (given.log, libc::SECCOMP_FILTER_FLAG_LOG),
        (given.spec_allow, libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW),
        (notifies, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER),
        // Without this the number of a thread could not be told from a descriptor (Linux 5.7).
        (notifies && given.tsync, libc::SECCOMP_FILTER_FLAG_TSYNC_ESRCH),
        (notifies && given.wait_killable_recv, libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV),
    ];
    let bits = all.iter().filter(|(set, _)| *set).fold(0, |bits, (_, bit)| bits | bit);
    u32::try_from(bits).unwrap_or(0)
}
