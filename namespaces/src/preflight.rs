//! Whether this host lets a caller make namespaces, and which setting is in the way if not.

use crate::{Errno, Error, Kind, Kinds, Result};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno as Raw;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;

const APPARMOR: &str = "kernel/apparmor_restrict_unprivileged_userns";
const CLONE: &str = "kernel/unprivileged_userns_clone";

/// The host settings about namespaces, as they stand under `/proc/sys`. `None` is a setting that this
/// kernel lacks.
///
/// ```
/// use cofferdam_namespaces::{Diagnosis, Kind, UserNamespaces};
/// match UserNamespaces::check(Kind::User | Kind::Mnt)? {
///     Diagnosis::Allowed => println!("go ahead"),
///     blocked => println!("{blocked}"),
/// }
/// # Ok::<(), cofferdam_namespaces::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct UserNamespaces {
    /// `kernel.apparmor_restrict_unprivileged_userns` (Ubuntu 23.10): 1 takes all capabilities in new user
    /// namespaces from programs without an AppArmor profile that allows them.
    pub apparmor_restrict: Option<u64>,
    /// `kernel.unprivileged_userns_clone` (Debian, Arch): 0 lets only `CAP_SYS_ADMIN` make user namespaces.
    pub unprivileged_clone: Option<u64>,
    /// `user.max_*_namespaces` (Linux 4.9) in the order of [`Kind::ALL`]: how many each user may have, 0 is
    /// none.
    pub max: [Option<u64>; 8],
}

/// What [`UserNamespaces`] means for a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Diagnosis {
    /// No known setting is in the way. Filters of system calls, other security modules and used-up limits
    /// can be.
    Allowed,
    /// A setting is in the way.
    Blocked {
        /// The name as `sysctl(8)` takes it.
        setting: &'static str,
        /// Its value.
        value: u64,
    },
    /// The kernel was built without this kind.
    NotInKernel {
        /// The missing kind.
        kind: Kind,
    },
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allowed => f.write_str("no setting is in the way"),
            Self::Blocked { setting, value } => write!(f, "blocked by the setting {setting} = {value}"),
            Self::NotInKernel { kind } => write!(f, "this kernel has no {kind} namespaces"),
        }
    }
}

impl UserNamespaces {
    /// Reads the settings of this host and judges them for the calling thread, which counts as privileged
    /// with `CAP_SYS_ADMIN`.
    ///
    /// # Errors
    /// Those of [`UserNamespaces::read`]; [`Error::Open`] without `/proc/sys`.
    pub fn check(kinds: impl Into<Kinds>) -> Result<Diagnosis> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = openat(CWD, "/proc/sys", flags, Mode::empty())
            .map_err(|errno| Error::Open { path: "/proc/sys".into(), errno: crate::errno::rustix(errno) })?;
        let privileged = rustix::thread::capabilities(None)
            .is_ok_and(|caps| caps.effective.contains(rustix::thread::CapabilitySet::SYS_ADMIN));
        Ok(Self::read(dir.as_fd())?.diagnose(kinds, privileged))
    }

    /// Reads the settings below a directory such as `/proc/sys`.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::Read`]; [`Error::ParseSetting`] if one is not a number.
    pub fn read(proc_sys: BorrowedFd<'_>) -> Result<Self> {
        let mut max = [None; 8];
        for (kind, value) in Kind::ALL.into_iter().zip(&mut max) {
            *value = read_setting(proc_sys, &format!("user/max_{kind}_namespaces"))?;
        }
        Ok(Self {
            apparmor_restrict: read_setting(proc_sys, APPARMOR)?,
            unprivileged_clone: read_setting(proc_sys, CLONE)?,
            max,
        })
    }

    /// What keeps a caller from making namespaces of these kinds. The two settings about unprivileged user
    /// namespaces count only if `User` is among them and the caller is not privileged. Reads nothing.
    pub fn diagnose(&self, kinds: impl Into<Kinds>, privileged: bool) -> Diagnosis {
        let kinds = kinds.into();
        for (kind, max) in Kind::ALL.into_iter().zip(self.max).filter(|(kind, _)| kinds.contains(*kind)) {
            match max {
                Some(0) => return Diagnosis::Blocked { setting: max_setting(kind), value: 0 },
                None if self.max.iter().any(Option::is_some) => return Diagnosis::NotInKernel { kind },
                _ => {}
            }
        }
        if privileged || !kinds.contains(Kind::User) {
            return Diagnosis::Allowed;
        }
        match (self.unprivileged_clone, self.apparmor_restrict) {
            (Some(0), _) => Diagnosis::Blocked { setting: "kernel.unprivileged_userns_clone", value: 0 },
            (_, Some(value)) if value != 0 => {
                Diagnosis::Blocked { setting: "kernel.apparmor_restrict_unprivileged_userns", value }
            }
            _ => Diagnosis::Allowed,
        }
    }
}

const fn max_setting(kind: Kind) -> &'static str {
    match kind {
        Kind::Pid => "user.max_pid_namespaces",
        Kind::Net => "user.max_net_namespaces",
        Kind::Mnt => "user.max_mnt_namespaces",
        Kind::Ipc => "user.max_ipc_namespaces",
        Kind::Uts => "user.max_uts_namespaces",
        Kind::User => "user.max_user_namespaces",
        Kind::Cgroup => "user.max_cgroup_namespaces",
        Kind::Time => "user.max_time_namespaces",
    }
}

fn read_setting(dir: BorrowedFd<'_>, name: &str) -> Result<Option<u64>> {
    let path = || PathBuf::from("/proc/sys").join(name);
    let fd = match openat(dir, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
        Ok(fd) => fd,
        Err(Raw::NOENT) => return Ok(None),
        Err(errno) => return Err(Error::Open { path: path(), errno: crate::errno::rustix(errno) }),
    };
    let mut text = Vec::new();
    File::from(fd)
        .read_to_end(&mut text)
        .map_err(|error| Error::Read { path: path(), errno: Errno::of(&error) })?;
    parse_setting(&text).map(Some).ok_or_else(|| Error::ParseSetting {
        path: path(),
        text: String::from_utf8_lossy(&text).into_owned(),
    })
}

fn parse_setting(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text.trim_ascii()).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> UserNamespaces {
        UserNamespaces { max: [Some(100); 8], ..UserNamespaces::default() }
    }

    #[test]
    fn each_setting_is_named() {
        let blocked = |setting, value| Diagnosis::Blocked { setting, value };
        let mut no_net = open();
        no_net.max[1] = Some(0);
        let cases = [
            (open(), false, Diagnosis::Allowed),
            (
                UserNamespaces { apparmor_restrict: Some(1), ..open() },
                false,
                blocked("kernel.apparmor_restrict_unprivileged_userns", 1),
            ),
            (UserNamespaces { apparmor_restrict: Some(1), ..open() }, true, Diagnosis::Allowed),
            (UserNamespaces { apparmor_restrict: Some(0), ..open() }, false, Diagnosis::Allowed),
            (
                UserNamespaces { unprivileged_clone: Some(0), ..open() },
                false,
                blocked("kernel.unprivileged_userns_clone", 0),
            ),
            (UserNamespaces { unprivileged_clone: Some(1), ..open() }, false, Diagnosis::Allowed),
            (no_net, true, blocked("user.max_net_namespaces", 0)),
            (UserNamespaces::default(), false, Diagnosis::Allowed),
        ];
        for (settings, privileged, expected) in cases {
            assert_eq!(settings.diagnose(Kind::User | Kind::Net, privileged), expected, "{settings:?}");
        }
    }

    #[test]
    fn a_missing_kind_is_named() {
        let mut old = open();
        old.max[7] = None;
        assert_eq!(old.diagnose(Kind::Time, true), Diagnosis::NotInKernel { kind: Kind::Time });
        assert_eq!(old.diagnose(Kind::Net, true), Diagnosis::Allowed);
    }

    #[test]
    fn reads_a_tree() {
        let dir = tempfile::tempdir().expect("temporary directory");
        for (name, text) in [(APPARMOR, "1\n"), ("user/max_user_namespaces", "7\n")] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().expect("parent")).expect("mkdir");
            std::fs::write(path, text).expect("write");
        }
        let fd = File::open(dir.path()).expect("open");
        let settings = UserNamespaces::read(fd.as_fd()).expect("read");
        let mut max = [None; 8];
        max[5] = Some(7);
        assert_eq!(settings, UserNamespaces { apparmor_restrict: Some(1), unprivileged_clone: None, max });
        std::fs::write(dir.path().join(APPARMOR), "maybe").expect("write");
        let error = UserNamespaces::read(fd.as_fd()).expect_err("not a number");
        assert!(matches!(error, Error::ParseSetting { .. }), "{error}");
    }
}
