//! Checked paths of cgroups.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// The path of a cgroup below the root of its hierarchy, without the leading slash; empty for the root itself.
///
/// It has no `.`, `..` or empty component, no zero byte and no newline (the kernel refuses newlines, as
/// `/proc/PID/cgroup` has one line for each), so a lookup below a directory cannot leave it.
///
/// ```
/// use cofferdam_cgroups::CgroupPath;
///
/// let path = CgroupPath::new("/user.slice/job")?;
/// assert_eq!(path.to_string(), "/user.slice/job");
/// assert_eq!(path.join("7")?.parent(), Some(path));
/// assert!(CgroupPath::new("job/../../other").is_err());
/// # Ok::<(), cofferdam_cgroups::PathFault>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CgroupPath(OsString);

/// Why a text is no path of a cgroup.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathFault {
    /// It has a component that would lead out of where it belongs.
    #[error("{path:?} has the component {component:?}")]
    Component {
        /// The whole path.
        path: OsString,
        /// `.` or `..`.
        component: OsString,
    },
    /// A single name was expected, neither empty nor with slashes.
    #[error("{name:?} is not the name of one cgroup")]
    Name {
        /// The text.
        name: OsString,
    },
    /// It has a byte that names of cgroups cannot have.
    #[error("{path:?} has a newline or a zero byte")]
    Byte {
        /// The whole path.
        path: OsString,
    },
    /// A component is longer than the 255 bytes of a file name, or the whole longer than the 4095 of a path.
    #[error("{path:?} is too long")]
    TooLong {
        /// The whole path.
        path: OsString,
    },
}

impl CgroupPath {
    /// The path of the root.
    pub fn root() -> Self {
        Self(OsString::new())
    }

    /// Checks a path; slashes at either end, and repeated ones, make no difference.
    ///
    /// # Errors
    ///
    /// [`PathFault`] for a component `.` or `..`, a newline, a zero byte, and what is too long.
    pub fn new(path: impl AsRef<OsStr>) -> Result<Self, PathFault> {
        let path = path.as_ref();
        if path.as_bytes().iter().any(|byte| matches!(byte, b'\n' | 0)) {
            return Err(PathFault::Byte { path: path.to_owned() });
        }
        let mut checked = Vec::with_capacity(path.len());
        for component in path.as_bytes().split(|byte| *byte == b'/').filter(|part| !part.is_empty()) {
            if matches!(component, b"." | b"..") {
                let component = OsStr::from_bytes(component).to_owned();
                return Err(PathFault::Component { path: path.to_owned(), component });
            }
            if component.len() > 255 {
                return Err(PathFault::TooLong { path: path.to_owned() });
            }
            if !checked.is_empty() {
                checked.push(b'/');
            }
            checked.extend_from_slice(component);
        }
        if checked.len() > 4095 {
            return Err(PathFault::TooLong { path: path.to_owned() });
        }
        Ok(Self(OsString::from_vec(checked)))
    }

    /// The path of something below this one.
    ///
    /// # Errors
    ///
    /// As [`CgroupPath::new`].
    pub fn join(&self, below: impl AsRef<OsStr>) -> Result<Self, PathFault> {
        let mut path = self.0.clone();
        path.push("/");
        path.push(below);
        Self::new(path)
    }

    /// The path of the cgroup that holds this one; none for the root.
    pub fn parent(&self) -> Option<Self> {
        let path = self.as_path();
        path.parent().map(|parent| Self(parent.as_os_str().to_owned()))
    }

    /// The last component; none for the root.
    pub fn name(&self) -> Option<&OsStr> {
        self.as_path().file_name()
    }

    /// Whether it is that of the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// As a relative path, without a slash in front.
    pub fn as_path(&self) -> &Path {
        Path::new(&self.0)
    }

    /// What is left of this path below another one; none where it does not lie there.
    pub fn below(&self, above: &Self) -> Option<Self> {
        let rest = self.as_path().strip_prefix(above.as_path()).ok()?;
        Some(Self(rest.as_os_str().to_owned()))
    }
}

/// With a slash in front, as `/proc/PID/cgroup` has it.
impl fmt::Display for CgroupPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", self.as_path().display())
    }
}

impl fmt::Debug for CgroupPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_are_made_regular() {
        assert_eq!(CgroupPath::new("//a///b/").unwrap().to_string(), "/a/b");
        assert_eq!(CgroupPath::new("/").unwrap(), CgroupPath::root());
        assert_eq!(CgroupPath::root().to_string(), "/");
        assert_eq!(CgroupPath::root().parent(), None);
        assert_eq!(CgroupPath::new("a").unwrap().parent(), Some(CgroupPath::root()));
        assert_eq!(CgroupPath::new("a/b").unwrap().name(), Some(OsStr::new("b")));
    }

    #[test]
    fn what_leads_elsewhere_is_refused() {
        for path in ["..", "a/../b", "./a", "a/.", "a\nb", "a\0b"] {
            assert!(CgroupPath::new(path).is_err(), "{path:?}");
        }
        assert!(CgroupPath::new("x".repeat(256)).is_err());
        assert!(CgroupPath::new("x/".repeat(3000)).is_err());
        assert!(CgroupPath::new("..a/b..").is_ok());
    }

    #[test]
    fn below_takes_a_prefix_of_whole_components() {
        let path = |text| CgroupPath::new(text).unwrap();
        assert_eq!(path("a/b/c").below(&path("a")), Some(path("b/c")));
        assert_eq!(path("ab/c").below(&path("a")), None);
        assert_eq!(path("a").below(&CgroupPath::root()), Some(path("a")));
    }
}
