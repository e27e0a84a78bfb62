//! The id maps of a new user namespace: its root is the caller.

use std::ffi::CStr;
use std::io::{Cursor, Write};

use super::calls;
use super::cell::Fault;

/// The lines to write.
#[derive(Debug, Clone)]
pub(super) struct Maps {
    uid: String,
    gid: String,
    /// Without privilege the kernel wants `setgroups` forbidden before the group map is written.
    deny_setgroups: bool,
}

impl Maps {
    /// Container id 0 is the effective id of the caller.
    pub(super) fn of_caller() -> Maps {
        let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
        Maps { uid: format!("0 {uid} 1"), gid: format!("0 {gid} 1"), deny_setgroups: !uid.is_root() }
    }

    /// Writes them for `pid`; without allocation, as it is part of what is measured.
    pub(super) fn write(&self, pid: i32) -> Result<(), Fault> {
        if self.deny_setgroups {
            put(pid, "setgroups", b"deny")?;
        }
        put(pid, "uid_map", self.uid.as_bytes())?;
        put(pid, "gid_map", self.gid.as_bytes())
    }
}

fn put(pid: i32, file: &'static str, content: &[u8]) -> Result<(), Fault> {
    let mut path = Cursor::new([0_u8; 64]);
    let too_long = Fault { step: file, errno: libc::ENAMETOOLONG };
    write!(path, "/proc/{pid}/{file}").map_err(|_| too_long)?;
    let path = path.into_inner();
    let path = CStr::from_bytes_until_nul(&path).map_err(|_| too_long)?;
    calls::write_file(path, content).map_err(|errno| Fault { step: file, errno })
}
