//! Options about namespaces and what is in them.

use std::ffi::OsStr;

use cofferdam_namespaces::{IdMap, Namespace};

use super::Command;
use crate::{ClockOffset, Namespaces};

impl Command {
    /// Sets which namespaces are new. The others are the caller's. All eight are new otherwise.
    ///
    /// # Privileges
    /// None with [`Namespaces::USER`] among them; `CAP_SYS_ADMIN` without.
    pub fn namespaces(&mut self, new: Namespaces) -> &mut Self {
        self.enclosure.new = new;
        self
    }

    /// Keeps the caller's namespaces of these kinds.
    pub fn share(&mut self, kinds: Namespaces) -> &mut Self {
        self.enclosure.new = self.enclosure.new.without(kinds);
        self
    }

    /// Joins an existing namespace in place of a new one of its kind.
    ///
    /// # Privileges
    /// `CAP_SYS_ADMIN` in the user namespace that owns it; if that is joined too, in that.
    pub fn join(&mut self, namespace: Namespace) -> &mut Self {
        self.share(Namespaces::from_bits(namespace.kind().flag()));
        self.enclosure.joined.push(namespace);
        self
    }

    /// Whether the program has the host's network. A short way to [`share`](Self::share) [`Namespaces::NET`].
    ///
    /// With the host's files as root, the file behind `/etc/resolv.conf` stays visible.
    pub fn network(&mut self, host: bool) -> &mut Self {
        self.enclosure.new = self.enclosure.new.without(Namespaces::NET);
        if !host {
            self.enclosure.new |= Namespaces::NET;
        }
        self
    }

    /// Whether the loopback device of a new network namespace is brought up. On by default.
    pub fn loopback(&mut self, up: bool) -> &mut Self {
        self.enclosure.loopback = Some(up);
        self
    }

    /// Sets the host name, at most 64 bytes. A new uts namespace starts with a copy of the caller's.
    pub fn hostname(&mut self, name: impl AsRef<OsStr>) -> &mut Self {
        self.enclosure.hostname = Some(name.as_ref().to_owned());
        self
    }

    /// Sets the NIS domain name, at most 64 bytes.
    pub fn domainname(&mut self, name: impl AsRef<OsStr>) -> &mut Self {
        self.enclosure.domainname = Some(name.as_ref().to_owned());
        self
    }

    /// Sets which host user ids the ids inside are.
    ///
    /// Otherwise it is every id of the caller's own namespace for root, and 0 alone, the caller itself, for
    /// ordinary users.
    ///
    /// # Privileges
    /// None for one id that is the caller's; `newuidmap` and ranges in `/etc/subuid`, or `CAP_SETUID`, for others.
    pub fn uid_map(&mut self, map: IdMap) -> &mut Self {
        self.enclosure.uid_map = Some(map);
        self
    }

    /// Sets which host group ids the ids inside are; see [`uid_map`](Self::uid_map).
    ///
    /// # Privileges
    /// As there, with `newgidmap`, `/etc/subgid` and `CAP_SETGID`.
    pub fn gid_map(&mut self, map: IdMap) -> &mut Self {
        self.enclosure.gid_map = Some(map);
        self
    }

    /// Sets how far the clocks inside are from the host's (`time_namespaces(7)`).
    pub fn time_offsets(&mut self, monotonic: ClockOffset, boottime: ClockOffset) -> &mut Self {
        self.enclosure.time_offsets = Some((monotonic, boottime));
        self
    }

    /// Sets a kernel parameter of a new namespace: `net.*`, `kernel.shm*`, `kernel.msg*`, `kernel.sem`,
    /// `fs.mqueue.*`.
    pub fn sysctl(&mut self, name: impl Into<String>, value: impl Into<String>) -> &mut Self {
        self.enclosure.sysctls.push((name.into(), value.into()));
        self
    }

    /// Whether a small init stays as process 1 and the program is its child. Off by default.
    ///
    /// As process 1 a program has no default signal actions, and orphans are its children. The init reaps them and
    /// forwards signals; the exit status is the program's, 128 plus the number for a signal.
    pub fn init(&mut self, yes: bool) -> &mut Self {
        self.enclosure.init = yes;
        self
    }
}
