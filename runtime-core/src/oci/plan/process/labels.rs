//! Labels of security modules, which count from the exec.

use std::path::Path;

use rustix::fs::statfs;

use super::Subject;
use crate::oci::{Error, Result};
use crate::prepare::Draft;
use crate::{Expected, FileKind, Slot, Step};

const PROC_SUPER_MAGIC: u64 = 0x9fa0;
const SELINUX_MAGIC: i64 = 0xf97c_ff8c;

/// Sets the labels that are asked for.
pub(super) fn set(draft: &mut Draft<'_>, subject: &Subject<'_>) -> Result<()> {
    let process = subject.process;
    let some = |label: &Option<String>| label.clone().filter(|label| !label.is_empty());
    let mut writes = Vec::new();
    if let Some(profile) = some(process.apparmor_profile()) {
        check("process.apparmorProfile", &profile)?;
        if !apparmor_is_enabled() {
            let reason = format!("{profile:?} cannot be applied: AppArmor is not enabled");
            return Err(Error::config("process.apparmorProfile", reason));
        }
        // Where several security modules are active, the plain file belongs to another one.
        let own = Path::new("/proc/thread-self/attr/apparmor").exists();
        let file = if own { "self/attr/apparmor/exec" } else { "self/attr/exec" };
        writes.push((file, format!("exec {profile}")));
    }
    if let Some(label) = some(process.selinux_label()) {
        check("process.selinuxLabel", &label)?;
        if !selinux_is_enabled() {
            let reason = format!("{label:?} cannot be applied: SELinux is not enabled");
            return Err(Error::config("process.selinuxLabel", reason));
        }
        writes.push(("self/attr/exec", label));
    }
    if writes.is_empty() {
        return Ok(());
    }
    // A procfs of the init's own shows nothing of the host. In another user namespace there may be none: what covers parts of
    // the container's procfs counts for new ones too. But there nobody in the container can look into the init.
    let proc = if subject.other_user { Some(verified_proc(draft)?) } else { None };
    draft.steps(writes.into_iter().map(|(file, content)| Step::ProcWrite {
        proc,
        path: file.into(),
        content: content.into_bytes(),
    }));
    draft.steps(proc.map(Step::Close));
    Ok(())
}

fn check(path: &str, label: &str) -> Result<()> {
    match label.contains('\n') {
        true => Err(Error::config(path, format!("{label:?} contains a line feed"))),
        false => Ok(()),
    }
}

fn apparmor_is_enabled() -> bool {
    std::fs::read("/sys/module/apparmor/parameters/enabled").is_ok_and(|text| text.starts_with(b"Y"))
}

fn selinux_is_enabled() -> bool {
    statfs("/sys/fs/selinux").is_ok_and(|stat| stat.f_type == SELINUX_MAGIC)
}

/// The caller's procfs, where nothing of the container can be mounted over anything.
fn verified_proc(draft: &mut Draft<'_>) -> Result<Slot> {
    let proc = draft.proc()?;
    let expected = Expected {
        kind: Some(FileKind::Directory),
        filesystem: Some(PROC_SUPER_MAGIC),
        ino: Some(1),
        ..Expected::default()
    };
    draft.step(Step::Verify { file: proc, expected });
    Ok(proc)
}
