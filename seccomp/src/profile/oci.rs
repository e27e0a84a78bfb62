//! Profiles from the OCI runtime-spec (config-linux.md, "Seccomp").

use oci_spec::runtime::{
    LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompFilterFlag, LinuxSeccompOperator,
    LinuxSyscall,
};

use super::{Action, Comparison, Condition, Flags, Profile, Rule};
use crate::{Architecture, Error, Result};

/// What an errno is where none is given: `EPERM`, and so is the number for a tracer.
const DEFAULT_ERRNO: u32 = 1;

impl Profile {
    /// The profile of a container, from `linux.seccomp` of its configuration.
    ///
    /// Details that the runtime-spec leaves open are as in runc: the architecture of this program is always among those
    /// that are let through; without a number an errno is `EPERM`; a missing `valueTwo` is 0; if two conditions of one
    /// entry look at the same argument, each of its conditions is a rule of its own, so that one of them is enough.
    ///
    /// The path of a listener and its metadata are no part of a profile.
    ///
    /// # Errors
    ///
    /// [`Error::Architecture`], [`Error::Errno`], [`Error::ErrnoUnused`], [`Error::ArgumentIndex`], [`Error::NoNames`]. Their
    /// paths begin below `linux.seccomp`.
    pub fn from_oci(seccomp: &LinuxSeccomp) -> Result<Self> {
        let default_action =
            action(seccomp.default_action(), seccomp.default_errno_ret(), || "defaultErrnoRet".to_owned())?;
        let mut profile = Self::new(default_action);
        profile.architectures.push(Architecture::NATIVE);
        for name in seccomp.architectures().iter().flatten() {
            let architecture = name.to_string().parse()?;
            if !profile.architectures.contains(&architecture) {
                profile.architectures.push(architecture);
            }
        }
        profile.flags = flags(seccomp.flags().as_deref().unwrap_or_default());
        for (number, entry) in seccomp.syscalls().iter().flatten().enumerate() {
            profile.rules.extend(rules(number, entry)?);
        }
        Ok(profile)
    }
}

fn flags(given: &[LinuxSeccompFilterFlag]) -> Flags {
    let mut flags = Flags::default();
    for flag in given {
        match flag {
            LinuxSeccompFilterFlag::SeccompFilterFlagLog => flags.log = true,
            LinuxSeccompFilterFlag::SeccompFilterFlagTsync => flags.tsync = true,
            LinuxSeccompFilterFlag::SeccompFilterFlagSpecAllow => flags.spec_allow = true,
            LinuxSeccompFilterFlag::SeccompFilterFlagWaitKillableRecv => flags.wait_killable_recv = true,
        }
    }
    flags
}

fn rules(number: usize, entry: &LinuxSyscall) -> Result<Vec<Rule>> {
    let path = || format!("syscalls[{number}]");
    if entry.names().is_empty() {
        return Err(Error::NoNames { path: format!("{}.names", path()) });
    }
    let action = action(entry.action(), entry.errno_ret(), || format!("{}.errnoRet", path()))?;
    let mut conditions = Vec::new();
    for (index, argument) in entry.args().iter().flatten().enumerate() {
        conditions.push(condition(argument).ok_or_else(|| Error::ArgumentIndex {
            path: format!("{}.args[{index}].index", path()),
            index: argument.index(),
        })?);
    }
    let rule = |conditions| Rule { names: entry.names().clone(), action, conditions };
    if is_any_of(&conditions) {
        return Ok(conditions.into_iter().map(|condition| rule(vec![condition])).collect());
    }
    Ok(vec![rule(conditions)])
}

/// Whether two conditions look at the same argument.
fn is_any_of(conditions: &[Condition]) -> bool {
    let same = |(index, condition): (usize, &Condition)| {
        conditions.iter().skip(index + 1).any(|other| other.argument == condition.argument)
    };
    conditions.iter().enumerate().any(same)
}

fn condition(argument: &LinuxSeccompArg) -> Option<Condition> {
    let index = u8::try_from(argument.index()).ok().filter(|index| *index <= Condition::LAST_ARGUMENT)?;
    let value = argument.value();
    let comparison = match argument.op() {
        LinuxSeccompOperator::ScmpCmpNe => Comparison::Ne(value),
        LinuxSeccompOperator::ScmpCmpLt => Comparison::Lt(value),
        LinuxSeccompOperator::ScmpCmpLe => Comparison::Le(value),
        LinuxSeccompOperator::ScmpCmpEq => Comparison::Eq(value),
        LinuxSeccompOperator::ScmpCmpGe => Comparison::Ge(value),
        LinuxSeccompOperator::ScmpCmpGt => Comparison::Gt(value),
        LinuxSeccompOperator::ScmpCmpMaskedEq => {
            Comparison::MaskedEq { mask: value, value: argument.value_two().unwrap_or(0) }
        }
    };
    Some(Condition::new(index, comparison))
}

/// The action with its number, which has this path.
fn action(action: LinuxSeccompAction, errno: Option<u32>, path: impl Fn() -> String) -> Result<Action> {
    let number = |highest: u16| {
        let errno = errno.unwrap_or(DEFAULT_ERRNO);
        let number = u16::try_from(errno).ok().filter(|number| *number <= highest);
        number.ok_or_else(|| Error::Errno { path: path(), errno, highest })
    };
    let plain = match action {
        LinuxSeccompAction::ScmpActErrno => return Ok(Action::Errno(number(Action::MAX_ERRNO)?)),
        LinuxSeccompAction::ScmpActTrace => return Ok(Action::Trace(number(u16::MAX)?)),
        LinuxSeccompAction::ScmpActKill | LinuxSeccompAction::ScmpActKillThread => Action::KillThread,
        LinuxSeccompAction::ScmpActKillProcess => Action::KillProcess,
        LinuxSeccompAction::ScmpActTrap => Action::Trap,
        LinuxSeccompAction::ScmpActNotify => Action::Notify,
        LinuxSeccompAction::ScmpActLog => Action::Log,
        LinuxSeccompAction::ScmpActAllow => Action::Allow,
    };
    match errno {
        Some(_) => Err(Error::ErrnoUnused { path: path(), action: action.to_string() }),
        None => Ok(plain),
    }
}
