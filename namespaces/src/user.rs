//! Who the caller is by `/etc/passwd`, read as a file: no NSS, so it works in static programs; `passwd(5)`.

use crate::idrange::parse_u32;
use crate::{Errno, Error, Result};
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// A user: a number, and a name where there is one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct User {
    /// The number.
    pub uid: u32,
    /// The name. Users of a directory service (LDAP, systemd-homed) have none here.
    pub name: Option<OsString>,
}

impl User {
    /// Finds the first entry with this uid in the bytes of a passwd file; lines that are not entries are
    /// passed over.
    pub fn parse(passwd: &[u8], uid: u32) -> Self {
        let name = passwd.split(|byte| *byte == b'\n').find_map(|line| {
            let mut fields = line.split(|byte| *byte == b':');
            let name = fields.next().filter(|name| !name.is_empty() && !name.starts_with(b"#"))?;
            let number = fields.nth(1).and_then(parse_u32)?;
            (number == uid).then(|| OsString::from_vec(name.to_vec()))
        });
        Self { uid, name }
    }

    /// Reads a passwd file. A missing file is one without entries, as in a minimal container.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn read(passwd: impl AsRef<Path>, uid: u32) -> Result<Self> {
        Ok(Self::parse(&read_or_empty(passwd.as_ref())?, uid))
    }

    /// The caller's real uid, by which `newuidmap` judges, in `/etc/passwd`.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn current() -> Result<Self> {
        Self::read("/etc/passwd", rustix::process::getuid().as_raw())
    }

    /// Whether the first field of a subuid line means this user.
    pub(crate) fn is_named(&self, owner: &std::ffi::OsStr) -> bool {
        self.name.as_deref() == Some(owner) || parse_u32(owner.as_bytes()) == Some(self.uid)
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{} (uid {})", name.display(), self.uid),
            None => write!(f, "uid {}", self.uid),
        }
    }
}

pub(crate) fn read_or_empty(path: &Path) -> Result<Vec<u8>> {
    match fs::read(path) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Error::Read { path: path.to_owned(), errno: Errno::of(&error) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &[u8] = b"root:x:0:0:root:/root:/bin/bash\n#ann:x:1000:1000::/:\n+\n\
        nonsense\nbob:x:1000:1000:Bob,,,:/home/bob:/bin/sh\nsecond:x:1000:1000::/:\n";

    #[test]
    fn finds_the_first_name() {
        assert_eq!(User::parse(PASSWD, 0).to_string(), "root (uid 0)");
        assert_eq!(User::parse(PASSWD, 1000).name, Some("bob".into()));
        assert_eq!(User::parse(PASSWD, 7), User { uid: 7, name: None });
        assert_eq!(User::parse(b"", 7).to_string(), "uid 7");
    }

    #[test]
    fn a_missing_file_has_no_entries() {
        assert_eq!(User::read("/nonexistent/passwd", 3).expect("read"), User { uid: 3, name: None });
        let error = User::read("/proc", 3).expect_err("a directory");
        assert!(matches!(error, Error::Read { .. }), "{error}");
    }
}
