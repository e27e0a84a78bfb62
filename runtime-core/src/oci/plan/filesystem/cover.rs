//! What of the files is protected: paths that are read-only, and paths that are covered.
//!
//! This is done in the new root, where no path leads out of it. A path is opened once; what it is decides how it is covered;
//! and what is done is done to that descriptor.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use oci_spec::runtime::Linux;

use super::calls::call;
use super::destination::clean;
use super::root::Spread;
use crate::oci::plan::Request;
use crate::oci::{Error, Result};
use crate::prepare::Draft;
use crate::{
    Argument, Attributes, Device, Expected, FileKind, Location, Mount, MountFlags, Open, Slot, Step, Test,
};

/// Symbolic links are those of the container, and its root is the root.
const INSIDE: Open = Open { resolve: libc::RESOLVE_NO_MAGICLINKS, ..Open::PATH };

/// Looks for wrong values.
pub(super) fn check(linux: Option<&Linux>) -> Result<()> {
    for (field, list) in [
        ("maskedPaths", linux.and_then(|linux| linux.masked_paths().as_deref())),
        ("readonlyPaths", linux.and_then(|linux| linux.readonly_paths().as_deref())),
    ] {
        for (index, path) in list.unwrap_or_default().iter().enumerate() {
            if clean(Path::new(path)) == Path::new("/") {
                let reason = format!("{path:?} is the root itself");
                return Err(Error::config(format!("linux.{field}[{index}]"), reason));
            }
        }
    }
    Ok(())
}

/// Protects them, and at last lets mount events spread as the configuration says.
pub(crate) fn cover(draft: &mut Draft<'_>, request: &Request<'_>) -> Result<()> {
    let linux = request.spec.linux().as_ref();
    for path in paths(linux.and_then(|linux| linux.readonly_paths().as_deref())) {
        let file = draft.plan.slot(path.display().to_string());
        let attributes = Attributes::set_recursive(MountFlags::RDONLY);
        let bind =
            Mount::bind(Location::at(file, ""), true).attributes(attributes).target(Some(file), "", None);
        if_there(draft, path, file, vec![Step::Mount(bind), Step::Close(file)]);
    }
    let masked = paths(linux.and_then(|linux| linux.masked_paths().as_deref()));
    if !masked.is_empty() {
        mask(draft, masked);
    }
    let spread = Spread::of(linux)?;
    if let Some((propagation, recursive)) = spread.last {
        let attributes = Attributes { propagation: Some(propagation), recursive, ..Attributes::default() };
        draft.step(Step::MountAttributes { mount: Location::path("/"), attributes });
    }
    Ok(())
}

/// Each path once.
fn paths(list: Option<&[String]>) -> Vec<PathBuf> {
    let mut seen = BTreeSet::new();
    let all = list.unwrap_or_default().iter().map(|path| clean(Path::new(path)));
    all.filter(|path| seen.insert(path.clone())).collect()
}

/// Steps for a file, if it exists.
fn if_there(draft: &mut Draft<'_>, path: PathBuf, file: Slot, then: Vec<Step>) {
    let test = Test::Exists { location: Location::path(path), how: INSIDE, into: file };
    draft.step(Step::If { test, then, otherwise: Vec::new() });
}

/// Covers files with the null device, which is verified to be that, and directories with an empty one that all share.
fn mask(draft: &mut Draft<'_>, masked: Vec<PathBuf>) {
    let [null, empty] = ["/dev/null", "an empty directory"].map(|name| draft.plan.slot(name));
    let expected = Expected {
        kind: Some(FileKind::CharacterDevice),
        rdev: Some(Device { major: 1, minor: 3 }),
        ..Expected::default()
    };
    // Only what is mounted somewhere can be copied. Over the root nobody sees it.
    let tmpfs = Mount::new("tmpfs")
        .option("source", "tmpfs")
        .option("nr_inodes", "1")
        .option("nr_blocks", "1")
        .option("mode", "0555")
        .attributes(Attributes::set(
            MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC,
        ));
    draft.steps([
        Step::Open { location: Location::path("/dev/null"), how: INSIDE, into: null },
        Step::Verify { file: null, expected },
        Step::Mount(tmpfs.target(None, "/", None).into_slot(empty)),
    ]);
    for path in masked {
        let file = draft.plan.slot(path.display().to_string());
        let bind =
            |from| Step::Mount(Mount::bind(Location::at(from, ""), false).target(Some(file), "", None));
        let kind =
            Step::If { test: Test::IsDirectory(file), then: vec![bind(empty)], otherwise: vec![bind(null)] };
        if_there(draft, path, file, vec![kind, Step::Close(file)]);
    }
    let dot = || Argument::Text(".".into());
    let detach = Argument::Number(2);
    draft.steps([
        Step::Close(null),
        Step::Call(call("fchdir", libc::SYS_fchdir, vec![Argument::Descriptor(empty)])),
        Step::Call(call("umount2 of the empty directory", libc::SYS_umount2, vec![dot(), detach])),
        Step::Call(call("chdir to /", libc::SYS_chdir, vec![Argument::Text("/".into())])),
        Step::Close(empty),
    ]);
}
