//! How much the program may use.

use std::sync::Arc;

use cofferdam_cgroups::{Bytes, Cgroup, Controllers, Cpu, Limit, Memory, Require, Resources, Setting};

use super::Command;
use crate::LimitPolicy;

/// # Limits
///
/// A program with limits gets a cgroup of its own. On cgroup v1 it lies below the caller's, and what limits the caller limits
/// the program too. On v2 it lies beside the caller's, where the caller may write there: a cgroup with processes can limit no
/// others in it. So what limits the cgroup around the caller's limits the program, and what is set for the caller's alone
/// does not; to have one limit for both, set it above, or give a [`cgroup_parent`](Self::cgroup_parent).
///
/// On v2 the program is born there; on v1 it moves there before anything else. The cgroup is removed
/// when the program was waited for and its [`Child`](crate::Child) is dropped, and what the program has left running in it
/// ends then. See the documentation of [`cofferdam_cgroups`] for what needs which version of cgroups.
///
/// If the *caller* is killed meanwhile, the program goes on and keeps its limits, as a child of `std::process` goes on; or
/// it ends too, with [`die_with_caller`](Self::die_with_caller). Either way nobody is there to remove the cgroup. That is
/// done by the next process that uses limits at the same place, the first time it does so, or by
/// [`remove_stale_cgroups`](crate::remove_stale_cgroups).
///
/// # Privileges of limits
/// Root, or a cgroup that was delegated to the user. A service manager that speaks cgroups gives each user one on v2:
/// `systemd-run --user --scope --property=Delegate=yes PROGRAM`, or a unit with `Delegate=yes`.
impl Command {
    /// Limits memory, to this many bytes. What needs more is killed. Swap is not limited by it; for that give
    /// [`Memory::Swap`] to [`limit`](Self::limit).
    ///
    /// ```no_run
    /// # use cofferdam::Command;
    /// let mut child = Command::new("make").memory(1 << 30).pids(500).cpus(1.5).spawn()?;
    /// println!("{}", child.wait()?);
    /// println!("{:?}", child.statistics()?.memory);
    /// # Ok::<(), cofferdam::Error>(())
    /// ```
    pub fn memory(&mut self, bytes: impl Into<Bytes>) -> &mut Self {
        self.limit(Memory::max(bytes))
    }

    /// Limits processes and threads, to this many together. To start more fails with `EAGAIN`.
    pub fn pids(&mut self, count: u64) -> &mut Self {
        self.limit(Setting::Pids(Limit::Value(count)))
    }

    /// Limits time on processors, to that of this many, such as 0.5.
    pub fn cpus(&mut self, count: f64) -> &mut Self {
        self.limit(Cpu::cpus(count))
    }

    /// Adds a limit, or another [setting of a cgroup](Setting), in place of an earlier one of the same thing.
    ///
    /// ```
    /// # use cofferdam::Command;
    /// use cofferdam::cgroups::{Bytes, Cpu, CpuSet, DeviceNumber, Io, Limit, Rate, Unified};
    ///
    /// Command::new("make")
    ///     .limit(CpuSet::Cpus("0-1".parse()?))
    ///     .limit(Io::Max(DeviceNumber::new(8, 0), Rate::WriteBytes, Limit::Value(10 << 20)))
    ///     .limit_if_available(Cpu::Weight(50))
    ///     .limit_if_available(Unified::new("memory.high", "900M"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn limit(&mut self, setting: impl Into<Setting>) -> &mut Self {
        self.add(setting.into(), Require::Must)
    }

    /// Adds a limit that the program can do without, where there is no such controller.
    pub fn limit_if_available(&mut self, setting: impl Into<Setting>) -> &mut Self {
        self.add(setting.into(), Require::IfAvailable)
    }

    /// Sets all limits at once, in place of those before.
    pub fn limits(&mut self, resources: Resources) -> &mut Self {
        self.limits.resources = resources;
        self
    }

    /// What it means that limits cannot be had. They are required otherwise.
    pub fn limit_policy(&mut self, policy: LimitPolicy) -> &mut Self {
        self.limits.policy = policy;
        self
    }

    /// Gives the program a cgroup with these controllers even without limits, for their
    /// [statistics](crate::Child::statistics).
    pub fn accounting(&mut self, controllers: impl Into<Controllers>) -> &mut Self {
        self.limits.accounting = self.limits.accounting.or(controllers.into());
        self
    }

    /// Makes the program's cgroup in this one. On v2 it must have no processes of its own.
    pub fn cgroup_parent(&mut self, parent: impl Into<Arc<Cgroup>>) -> &mut Self {
        self.limits.parent = Some(parent.into());
        self
    }

    /// Whether the program is killed when the *thread* that started it ends, be it by the death of the whole process. Off by
    /// default: threads of a pool end at any time. What the program has started outside of a pid namespace of its own is
    /// ended when its cgroup is cleared away.
    pub fn die_with_caller(&mut self, yes: bool) -> &mut Self {
        self.limits.die_with_caller = yes;
        self.program.parent_death_signal = yes.then_some(libc::SIGKILL);
        self
    }

    fn add(&mut self, setting: Setting, require: Require) -> &mut Self {
        let resources = std::mem::take(&mut self.limits.resources);
        self.limits.resources = resources.with(setting, require);
        self
    }
}
