//! Which devices a cgroup may use.
//!
//! [`DeviceRules`] are plain values with one meaning, that of [`DeviceRules::decide`]. A table without order is made
//! from them, and from that either the lines for the lists of v1, or the program for v2.

mod access;
mod attach;
mod insn;
#[cfg(test)]
mod interpret;
mod program;
mod rule;
mod rules;
mod state;
mod table;
#[cfg(test)]
pub(crate) mod tests;
mod v1;

pub use access::{Access, AccessFault};
pub use attach::DeviceProgramFault;
pub(crate) use insn::Insn;
pub use rule::{DeviceKind, DeviceRule, DeviceRuleFault};
pub use rules::{DeviceRules, DeviceRulesFault};
pub use state::DeviceState;

use crate::Result;
use crate::dir::Dir;

/// Makes the lists of a v1 cgroup say what the rules say. If one line is refused, what was written before is undone.
pub(crate) fn apply_v1(dir: &Dir, rules: &DeviceRules) -> Result<()> {
    v1::set(dir, &v1::lower(rules)?)
}

/// Attaches a program that says what the rules say to a v2 cgroup, or replaces the one of this crate that is there.
/// Nothing is changed if that fails.
pub(crate) fn apply_v2(dir: &Dir, rules: &DeviceRules) -> Result<()> {
    let program = attach::load(&program::compile(rules)?, dir)?;
    attach::attach(dir, &program)
}
