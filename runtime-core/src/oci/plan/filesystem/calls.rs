//! System calls as steps that have no kind of their own.

use std::path::Path;

use crate::{Argument, RawCall, Slot, Step};

/// Magic numbers of file systems, `statfs(2)`.
pub(super) mod magic {
    pub(in super::super) const PROC: u64 = 0x9fa0;
    pub(in super::super) const SYSFS: u64 = 0x6265_6572;
    pub(in super::super) const DEVPTS: u64 = 0x1cd1;
    pub(in super::super) const CGROUP: u64 = 0x0027_e0eb;
    pub(in super::super) const CGROUP2: u64 = 0x6367_7270;
}

/// Any call.
pub(super) fn call(name: &str, number: libc::c_long, arguments: Vec<Argument>) -> RawCall {
    // The numbers of all calls fit; one that does not is none.
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    RawCall { name: name.into(), number, arguments, into: None, tolerate: None }
}

pub(super) fn text(path: impl AsRef<Path>) -> Argument {
    Argument::Text(path.as_ref().as_os_str().to_owned())
}

/// Changes who owns an open file.
pub(super) fn chown(file: Slot, uid: u32, gid: u32) -> Step {
    let number = |id: u32| Argument::Number(u64::from(id));
    let flags = Argument::Number(u64::from(libc::AT_EMPTY_PATH.unsigned_abs()));
    let arguments = vec![Argument::Descriptor(file), text(""), number(uid), number(gid), flags];
    Step::Call(call(&format!("fchownat {uid}:{gid}"), libc::SYS_fchownat, arguments))
}

/// Makes a symbolic link, if there is nothing with that name.
pub(super) fn link(dir: Slot, name: &str, target: &str) -> Step {
    let arguments = vec![text(target), Argument::Descriptor(dir), text(name)];
    let name = format!("symlinkat {name} to {target}");
    Step::Call(RawCall { tolerate: Some(libc::EEXIST), ..call(&name, libc::SYS_symlinkat, arguments) })
}

/// Makes a node, if there is nothing with that name.
pub(super) fn node(dir: Slot, name: &Path, mode: u32, device: u64) -> Step {
    let numbers = [Argument::Number(u64::from(mode)), Argument::Number(device)];
    let arguments = [Argument::Descriptor(dir), text(name)].into_iter().chain(numbers).collect();
    let name = format!("mknodat {}", name.display());
    Step::Call(RawCall { tolerate: Some(libc::EEXIST), ..call(&name, libc::SYS_mknodat, arguments) })
}

/// Removes a file, if there is one.
pub(super) fn remove(dir: Slot, name: &str) -> Step {
    let arguments = vec![Argument::Descriptor(dir), text(name), Argument::Number(0)];
    let name = format!("unlinkat {name}");
    Step::Call(RawCall { tolerate: Some(libc::ENOENT), ..call(&name, libc::SYS_unlinkat, arguments) })
}
