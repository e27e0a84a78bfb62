//! What is allowed, as plain values.

mod action;
mod condition;
mod default;
#[cfg(feature = "oci")]
mod oci;

pub use action::Action;
pub use condition::{Comparison, Condition};

use crate::syscalls::Call;
use crate::{Architecture, Error, Filter, Result, compile};

/// Which calls a process may make, and what happens at the others.
///
/// If several rules match a call, the strictest of their actions is taken, in the kernel's order: see [`Action`]. A
/// number within an action (an errno) does not count; of two, that of the first rule holds. The default action is for
/// calls that no rule matches.
///
/// Names that no architecture knows are left out, as other runtimes do, for profiles are written for newer kernels too:
/// [`Profile::unknown_names`] tells them. A name that one architecture does not have is left out there.
///
/// A call can have a second way into the kernel: on x86 (32-bit), powerpc, s390 and mips sockets can be had by
/// `socketcall`, and System V IPC by `ipc`. A rule without conditions holds for that way as well. A rule with conditions
/// cannot, for there a filter does not see the arguments: it holds for all such calls where its action is stricter than
/// the default action, and else for none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// What happens at a call that no rule matches.
    pub default_action: Action,
    /// The architectures whose calls are let through to the rules; on any other the process is killed. None means that of
    /// this program.
    pub architectures: Vec<Architecture>,
    /// How the filter is installed.
    pub flags: Flags,
    /// The rules.
    pub rules: Vec<Rule>,
}

/// What happens at some calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The calls.
    pub names: Vec<String>,
    /// What happens.
    pub action: Action,
    /// What the arguments must be. All of it must hold.
    pub conditions: Vec<Condition>,
}

/// `SECCOMP_FILTER_FLAG_*`, but for that of the listener, which follows from the rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Flags {
    /// All actions but [`Action::Allow`] are logged.
    pub log: bool,
    /// The filter comes without the mitigation of speculative store bypass.
    pub spec_allow: bool,
    /// A process whose call was received by the listener can only be killed, no more interrupted (Linux 5.19). Without
    /// effect where nothing notifies.
    pub wait_killable_recv: bool,
    /// All threads of the process get the filter.
    pub tsync: bool,
}

impl Profile {
    /// A profile without rules, for the architecture of this program.
    pub fn new(default_action: Action) -> Self {
        Self { default_action, architectures: Vec::new(), flags: Flags::default(), rules: Vec::new() }
    }

    /// With a rule for some calls, whatever their arguments.
    #[must_use]
    pub fn rule<'n>(self, action: Action, names: impl IntoIterator<Item = &'n str>) -> Self {
        self.rule_if(action, names, [])
    }

    /// With a rule for some calls whose arguments fulfil all conditions.
    #[must_use]
    pub fn rule_if<'n>(
        mut self,
        action: Action,
        names: impl IntoIterator<Item = &'n str>,
        conditions: impl IntoIterator<Item = Condition>,
    ) -> Self {
        self.rules.push(Rule {
            names: names.into_iter().map(str::to_owned).collect(),
            action,
            conditions: conditions.into_iter().collect(),
        });
        self
    }

    /// The filter of this profile.
    ///
    /// A process on another architecture is killed. Calls with numbers above those that the profile names on their
    /// architecture are newer than the profile: where the default action is an errno, a trap or to kill, they answer
    /// `ENOSYS`, by which programs know that they have to do without. A profile without rules has no such limit.
    ///
    /// # Errors
    ///
    /// [`Error::Errno`], [`Error::ArgumentIndex`] for wrong values, [`Error::ByteOrder`] if the architectures differ in it,
    /// [`Error::TooLong`] if the kernel would not take the filter.
    pub fn compile(&self) -> Result<Filter> {
        self.validate()?;
        compile::compile(self)
    }

    /// The names in rules that are no system call anywhere, as far as this crate knows, in the order of the rules.
    pub fn unknown_names(&self) -> Vec<&str> {
        let mut unknown: Vec<&str> = Vec::new();
        for name in self.rules.iter().flat_map(|rule| &rule.names) {
            if Call::find(name).is_none() && !unknown.contains(&name.as_str()) {
                unknown.push(name);
            }
        }
        unknown
    }

    /// Whether any call is decided by a listener.
    pub fn notifies(&self) -> bool {
        self.default_action == Action::Notify || self.rules.iter().any(|rule| rule.action == Action::Notify)
    }

    fn validate(&self) -> Result<()> {
        self.default_action.validate("defaultErrnoRet")?;
        for (number, rule) in self.rules.iter().enumerate() {
            let path = format!("syscalls[{number}]");
            rule.action.validate(&format!("{path}.errnoRet"))?;
            for (index, condition) in rule.conditions.iter().enumerate() {
                if condition.argument > Condition::LAST_ARGUMENT {
                    let path = format!("{path}.args[{index}].index");
                    return Err(Error::ArgumentIndex { path, index: usize::from(condition.argument) });
                }
            }
        }
        Ok(())
    }
}
