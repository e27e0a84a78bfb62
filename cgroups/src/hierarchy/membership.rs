//! Where a process is, as `/proc/PID/cgroup` has it; see `cgroups(7)`.

use crate::{CgroupPath, Controllers, Version};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// One line of `/proc/PID/cgroup`: the cgroup of the process in one hierarchy.
///
/// ```
/// use cofferdam_cgroups::{Membership, Version};
///
/// let lines = Membership::parse_all(b"4:cpu,cpuacct:/job\n1:name=systemd:/init.scope\n0::/../outside\n").0;
/// assert_eq!(lines[0].controllers.to_string(), "cpu cpuacct");
/// assert_eq!(lines[1].name.as_deref(), Some("systemd".as_ref()));
/// assert_eq!(lines[2].version(), Version::V2);
/// assert_eq!(lines[2].cgroup(), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The kernel's number of the hierarchy; 0 is v2.
    pub hierarchy: u32,
    /// The controllers of a v1 hierarchy, as far as this crate knows them.
    pub controllers: Controllers,
    /// The name of a named v1 hierarchy.
    pub name: Option<OsString>,
    /// The path as it stands there: relative to the reader's cgroup namespace, so it can begin with `/..`; and with
    /// ` (deleted)` at its end where the process has ended and its cgroup is gone.
    pub path: OsString,
}

impl Membership {
    /// Reads one line, without its newline. None if it does not have the form of one.
    pub fn parse(line: &[u8]) -> Option<Self> {
        // The path may have colons, as may the name of a hierarchy; a path begins with a slash, a name has none.
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (hierarchy, rest) = (line.get(..colon)?, line.get(colon + 1..)?);
        let slash = rest.iter().position(|byte| *byte == b'/')?;
        let (controllers, path) = (rest.get(..slash)?.strip_suffix(b":")?, rest.get(slash..)?);
        let name = controllers.split(|byte| *byte == b',').find_map(|part| part.strip_prefix(b"name="));
        Some(Self {
            hierarchy: std::str::from_utf8(hierarchy).ok()?.parse().ok()?,
            controllers: Controllers::parse(&String::from_utf8_lossy(controllers), Version::V1),
            name: name.map(|name| OsStr::from_bytes(name).to_owned()),
            path: OsStr::from_bytes(path).to_owned(),
        })
    }

    /// Reads a whole file; the second part are the lines that are none.
    pub fn parse_all(content: &[u8]) -> (Vec<Self>, Vec<Vec<u8>>) {
        let mut memberships = Vec::new();
        let mut malformed = Vec::new();
        for line in content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match Self::parse(line) {
                Some(membership) => memberships.push(membership),
                None => malformed.push(line.to_owned()),
            }
        }
        (memberships, malformed)
    }

    /// The version of the hierarchy.
    pub fn version(&self) -> Version {
        if self.hierarchy == 0 { Version::V2 } else { Version::V1 }
    }

    /// The path as that of a cgroup below the root of the cgroup namespace; none for what lies outside of it.
    pub fn cgroup(&self) -> Option<CgroupPath> {
        CgroupPath::new(&self.path).ok()
    }

    /// The line, as the kernel writes it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let names = self.controllers.iter().filter_map(|controller| controller.name(Version::V1));
        let mut line = format!("{}:{}", self.hierarchy, names.collect::<Vec<_>>().join(",")).into_bytes();
        if let Some(name) = &self.name {
            line.extend_from_slice(if self.controllers.is_empty() { b"name=" } else { b",name=" });
            line.extend_from_slice(name.as_bytes());
        }
        line.push(b':');
        line.extend_from_slice(self.path.as_bytes());
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_paths_stay_as_they_are() {
        for path in ["/", "/a:b", "/a b\\040", "/gone (deleted)"] {
            let line = format!("7:pids:{path}");
            let membership = Membership::parse(line.as_bytes()).unwrap();
            assert_eq!(membership.path, *path);
            assert_eq!(membership.to_bytes(), line.as_bytes());
        }
        let bytes = Membership::parse(b"0::/\xff\xfe").unwrap();
        assert_eq!(bytes.cgroup().unwrap().as_path().as_os_str().as_bytes(), b"\xff\xfe");
    }

    #[test]
    fn a_named_hierarchy_is_not_the_controller_of_that_name() {
        let membership = Membership::parse(b"3:name=cpu:/x").unwrap();
        assert!(membership.controllers.is_empty());
        assert_eq!(membership.name.unwrap(), "cpu");
        let both = Membership::parse(b"3:cpu,name=odd:one:/x").unwrap();
        assert_eq!((both.controllers.to_string(), both.name.unwrap()), ("cpu".into(), "odd:one".into()));
    }

    #[test]
    fn what_is_no_line_is_told() {
        for line in ["", "0", "0:", "0::", "0:/", "x::/", "-1::/", "5:cpu"] {
            assert_eq!(Membership::parse(line.as_bytes()), None, "{line}");
        }
        let (lines, malformed) = Membership::parse_all(b"0::/a\nnonsense\n\n");
        assert_eq!((lines.len(), malformed), (1, vec![b"nonsense".to_vec()]));
    }
}
