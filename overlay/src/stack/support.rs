//! What this kernel's overlay can do.

use std::fmt;
use std::os::fd::AsFd;
use std::sync::OnceLock;

use rustix::fs::{Mode, OFlags};

use super::Method;
use crate::{Errno, Error, Filesystem};

/// What the running kernel can do with a [`Stack`](crate::Stack).
///
/// The kernel is asked how it takes layers where the caller may make a file system context (`CAP_SYS_ADMIN` over
/// its mount namespace), so that a feature is found also where a distribution has brought it to an older kernel. The
/// rest, and everything for other callers, is known by the kernel's version.
///
/// `Display` is for people: `overlay on Linux 6.18: layers by descriptor, in user namespaces, ...`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Support {
    kernel: (u32, u32),
    available: Option<bool>,
    detached: bool,
    method: Method,
    asked: bool,
}

static ASKED: OnceLock<Support> = OnceLock::new();

impl Support {
    /// Looks. The kernel's own answers are kept for the life of the process. What is known by version alone is not,
    /// as the process may be allowed to ask later.
    ///
    /// # Privileges
    /// None; see above.
    pub fn probe() -> Self {
        if let Some(known) = ASKED.get() {
            return *known;
        }
        let support = Self::look(kernel());
        if support.asked { *ASKED.get_or_init(|| support) } else { support }
    }

    fn look(kernel: (u32, u32)) -> Self {
        let method = by_version(kernel);
        let unasked = Self { kernel, available: listed(), detached: kernel >= (5, 2), method, asked: false };
        match Filesystem::open("overlay") {
            Ok(filesystem) => {
                let method = method.max(ask(&filesystem));
                Self { available: Some(true), detached: true, method, asked: true, ..unasked }
            }
            // Also where a filter for system calls hides it: mount(2) is left.
            Err(Error::Unsupported { .. }) => {
                Self { detached: false, method: Method::OptionString, asked: true, ..unasked }
            }
            Err(error) if error.errno() == Some(Errno::from_raw(libc::ENODEV)) => {
                Self { available: Some(false), ..unasked }
            }
            Err(_) => unasked,
        }
    }

    /// The kernel's version, as `uname(2)` says it.
    pub fn kernel(self) -> (u32, u32) {
        self.kernel
    }

    /// Whether there is an overlay file system. `None` if it is not loaded, and whether it can be is known only to
    /// who may try.
    pub fn available(self) -> Option<bool> {
        self.available
    }

    /// Whether mounts can be made without a place (`fsopen(2)`, Linux 5.2).
    pub fn detached(self) -> bool {
        self.detached
    }

    /// The best form in which layers can be given.
    pub fn method(self) -> Method {
        self.method
    }

    /// Whether it can be mounted in a user namespace that is not the first (Linux 5.11).
    pub fn user_namespaces(self) -> bool {
        self.kernel >= (5, 11)
    }

    /// Whether a layer may be a detached mount (Linux 6.15).
    pub fn detached_layers(self) -> bool {
        self.kernel >= (6, 15)
    }

    /// Whether a layer may be a mount with mapped ids (Linux 5.19).
    pub fn mapped_layers(self) -> bool {
        self.kernel >= (5, 19)
    }

    /// Whether the kernel was asked, rather than its version looked up.
    pub fn asked(self) -> bool {
        self.asked
    }
}

impl fmt::Display for Support {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor) = self.kernel;
        match self.available {
            Some(false) => return write!(f, "no overlay on Linux {major}.{minor}"),
            Some(true) => write!(f, "overlay on Linux {major}.{minor}: {}", self.method)?,
            None => write!(f, "overlay on Linux {major}.{minor}, if it can be loaded: {}", self.method)?,
        }
        let more = [
            (self.detached, "detached mounts"),
            (self.user_namespaces(), "in user namespaces"),
            (self.mapped_layers(), "layers with mapped ids"),
            (self.detached_layers(), "detached layers"),
            (!self.asked, "by version alone"),
        ];
        more.iter().filter(|(has, _)| *has).try_for_each(|(_, words)| write!(f, ", {words}"))
    }
}

fn by_version(kernel: (u32, u32)) -> Method {
    match kernel {
        (6, 13..) | (7.., _) => Method::Descriptors,
        (6, 8..) => Method::Append,
        _ => Method::OptionString,
    }
}

/// Offers a directory, and a path that does not exist: only a kernel that knows `lowerdir+` looks for it. Kernels
/// before 6.5 take any parameter, and look at none before the file system is created.
fn ask(filesystem: &Filesystem) -> Method {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open("/", flags, Mode::empty());
    if root.is_ok_and(|root| filesystem.fd("lowerdir+", root.as_fd()).is_ok()) {
        return Method::Descriptors;
    }
    let missing = filesystem.string("lowerdir+", "/proc/self/fd/none").map_err(|error| error.errno());
    if missing == Err(Some(Errno::from_raw(libc::ENOENT))) { Method::Append } else { Method::OptionString }
}

/// Whether the kernel lists it, loaded or built in.
fn listed() -> Option<bool> {
    let list = std::fs::read_to_string("/proc/filesystems").ok()?;
    list.lines().any(|line| line.split('\t').nth(1) == Some("overlay")).then_some(true)
}

/// The running kernel's version; zeros where it does not begin with numbers.
fn kernel() -> (u32, u32) {
    version(&rustix::system::uname().release().to_string_lossy())
}

fn version(release: &str) -> (u32, u32) {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert_eq!(version("6.18.44-fc-v669"), (6, 18));
        assert_eq!(version("5.4"), (5, 4));
        assert_eq!(version("6.8rc1"), (6, 8));
        assert_eq!(version("odd"), (0, 0));
        for (kernel, method) in [
            ((7, 0), Method::Descriptors),
            ((6, 13), Method::Descriptors),
            ((6, 12), Method::Append),
            ((6, 8), Method::Append),
            ((6, 7), Method::OptionString),
            ((5, 19), Method::OptionString),
        ] {
            assert_eq!(by_version(kernel), method, "{kernel:?}");
        }
    }

    #[test]
    fn in_words() {
        let support = Support {
            kernel: (5, 14),
            available: Some(true),
            detached: true,
            method: Method::Append,
            asked: true,
        };
        assert_eq!(
            support.to_string(),
            "overlay on Linux 5.14: layers one by one, detached mounts, in user namespaces"
        );
        assert_eq!(Support { available: Some(false), ..support }.to_string(), "no overlay on Linux 5.14");
        let unknown = Support { available: None, asked: false, ..support };
        assert!(
            unknown.to_string().contains("if it can be loaded")
                && unknown.to_string().ends_with("by version alone")
        );
    }

    #[test]
    fn the_running_kernel() {
        let support = Support::probe();
        assert_eq!(support, Support::probe());
        assert!(support.kernel() >= (4, 0), "{support}");
        assert!(support.method() >= by_version(support.kernel()));
    }
}
