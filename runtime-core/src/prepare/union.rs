//! A root of several directories, mounted for one program.
//!
//! Where the program's mounts are not copied from the host's the caller makes the union, detached, and hands it over. Else
//! the init makes it inside, by the paths of the layers: the kernel takes layers only from the mount namespace that a
//! process is in. There the upper directory in memory is the working directory, so that its path is short and needs no
//! procfs.

use std::ffi::OsString;

use cofferdam_overlay::{Parameter, Value};

use super::draft::Draft;
use crate::union::{UPPER, WORK, look_at, options, top_mode};
use crate::{
    Argument, Attributes, Changes, Error, Location, Mount, MountFlags, MountOption, Namespaces, RawCall,
    Slot, Source, StackRoot, Step,
};

/// The union, detached.
pub(super) fn make<'a>(draft: &mut Draft<'a>, root: &'a StackRoot, new: Namespaces) -> Result<Slot, Error> {
    if draft.outside {
        return Ok(draft.union(root));
    }
    look_at(root)?;
    if root.changes() != Changes::Keep {
        memory(draft, root)?;
    }
    let in_user = new.contains(Namespaces::USER);
    let parameters = options(root, in_user)?;
    let slot = draft.plan.slot("the union");
    let options = parameters.into_iter().map(option).collect::<Result<_, _>>()?;
    let mut mount = Mount::new("overlay").into_slot(slot);
    mount.source = Source::New { filesystem: "overlay".into(), options };
    draft.step(Step::Mount(mount));
    Ok(slot)
}

/// Directories for changes, in the working directory.
fn memory(draft: &mut Draft<'_>, root: &StackRoot) -> Result<(), Error> {
    let slot = draft.plan.slot("changes");
    let mut mount = Mount::new("tmpfs").option("mode", "0755");
    if let Changes::Discard { size: Some(size) } = root.changes() {
        mount = mount.option("size", size.to_string());
    }
    let attributes = Attributes::set(MountFlags::NODEV);
    draft.step(Step::Mount(mount.attributes(attributes).target(None, "/", None).into_slot(slot)));
    draft.step(Step::Umask(0));
    for (name, mode) in [(UPPER, top_mode(root)?), (WORK, 0o700)] {
        draft.step(Step::Directory { location: Location::at(slot, name), mode });
    }
    draft.step(Step::Umask(0o022));
    draft.step(Step::Call(RawCall {
        name: "fchdir".into(),
        number: u32::try_from(libc::SYS_fchdir).unwrap_or(u32::MAX),
        arguments: vec![Argument::Descriptor(slot)],
        into: None,
        tolerate: None,
    }));
    Ok(())
}

fn option(parameter: Parameter) -> Result<MountOption, Error> {
    let key = OsString::from(parameter.key);
    match parameter.value {
        Value::Flag => Ok(MountOption::Flag(key)),
        Value::Text(text) => Ok(MountOption::Value(key, text)),
        _ => Err(Error::invalid("layer", parameter.key, "is not a path")),
    }
}
