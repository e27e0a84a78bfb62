//! Where mounts go.

use std::path::{Component, Path, PathBuf};

/// What may be mounted over a file of procfs: files that lxcfs provides, which only say what resources there are.
const PROVIDED: [&str; 11] = [
    "cpuinfo",
    "diskstats",
    "loadavg",
    "meminfo",
    "net/dev",
    "slabinfo",
    "stat",
    "swaps",
    "sys/crypto/fips_enabled",
    "sys/kernel/ns_last_pid",
    "uptime",
];

/// An absolute path without `.` and `..`. One that is relative is relative to the root, above which there is nothing.
pub(super) fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => drop(clean.pop()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    clean
}

/// The part of a path that is below procfs.
pub(super) fn in_proc(clean: &Path) -> Option<&Path> {
    clean.strip_prefix("/proc").ok()
}

/// Whether a file of procfs may be replaced.
pub(super) fn is_provided(in_proc: &Path) -> bool {
    PROVIDED.iter().any(|name| in_proc == Path::new(name))
}

/// As seen from a directory.
pub(super) fn relative(clean: &Path) -> &Path {
    clean.strip_prefix("/").unwrap_or(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_relative_to_the_root_and_never_above_it() {
        for (given, expected) in [
            ("/data", "/data"),
            ("data/x", "/data/x"),
            ("/a/../../../b", "/b"),
            ("//a/./b//", "/a/b"),
            ("..", "/"),
            ("", "/"),
            ("/.", "/"),
            ("/proc/../proc/./self", "/proc/self"),
        ] {
            assert_eq!(clean(Path::new(given)), Path::new(expected), "{given}");
        }
    }

    #[test]
    fn only_what_lxcfs_provides_lies_over_procfs() {
        let provided = |path: &str| in_proc(Path::new(path)).map(is_provided);
        assert_eq!(provided("/proc/cpuinfo"), Some(true));
        assert_eq!(provided("/proc/sys/kernel/ns_last_pid"), Some(true));
        assert_eq!(provided("/proc/self/attr"), Some(false));
        assert_eq!(provided("/proc/cpuinfo/x"), Some(false));
        assert_eq!(provided("/proc"), Some(false));
        assert_eq!(provided("/process"), None);
    }
}
