//! Unions of directories: what they are made of, and those that the caller mounts.

use std::os::fd::OwnedFd;
use std::path::Path;

use cofferdam_overlay::{Filesystem, Layer, Method, MountFlags, Parameter, Stack, Support, Value};
use rustix::fs::{FileType, Mode, OFlags, fstat, mkdirat, openat};

use crate::{Changes, Errno, Error, StackRoot};

/// The names of the directories for changes in memory.
pub(crate) const UPPER: &str = "upper";
pub(crate) const WORK: &str = "work";

/// The layers that are not written to. Where changes are refused those that were kept are one more of them.
fn lowers(root: &StackRoot) -> Vec<Layer> {
    let kept = root.stack().upper_layer().filter(|_| root.changes() != Changes::Keep);
    kept.into_iter().chain(root.stack().lower_layers()).cloned().collect()
}

/// The stack as it is mounted, with these directories for changes in memory.
fn mounted(root: &StackRoot, upper: impl Into<Layer>, work: impl Into<Layer>) -> Stack {
    match root.changes() {
        Changes::Keep => root.stack().clone(),
        _ => root.stack().clone().with_lowers(lowers(root)).upper(upper, work),
    }
}

/// The parameters for a process that has the directories for changes in memory in its working directory.
pub(crate) fn options(root: &StackRoot, in_user_namespace: bool) -> Result<Vec<Parameter>, Error> {
    // A path that the kernel would take from the root; the working directory is meant.
    let mut stack = mounted(root, Path::new("/").join(UPPER), Path::new("/").join(WORK));
    if in_user_namespace {
        stack = stack.userxattr();
    }
    let method = Support::probe().method().min(Method::Append);
    let mut parameters = stack.parameters_by_path(method)?;
    if root.changes() != Changes::Keep {
        for parameter in &mut parameters {
            match parameter.key {
                "upperdir" => parameter.value = Value::Text(UPPER.into()),
                "workdir" => parameter.value = Value::Text(WORK.into()),
                _ => {}
            }
        }
    }
    Ok(parameters)
}

/// Makes sure that the layers are there, where it is the init that opens them.
pub(crate) fn look_at(root: &StackRoot) -> Result<(), Error> {
    for path in lowers(root).iter().filter_map(Layer::as_path) {
        let what = "layer";
        let failed = |errno| Error::Path { what, path: path.to_owned(), errno: Errno::new(errno) };
        let stat = rustix::fs::stat(path).map_err(|errno| failed(errno.raw_os_error()))?;
        if !FileType::from_raw_mode(stat.st_mode).is_dir() {
            return Err(failed(libc::ENOTDIR));
        }
    }
    Ok(())
}

/// The mode of the topmost directory, which that of the changes must have too.
pub(crate) fn top_mode(root: &StackRoot) -> Result<u32, Error> {
    let layers = lowers(root);
    let Some(top) = layers.first() else {
        return Err(Error::invalid("root", "a stack", "has no layers"));
    };
    let stat = match (top.as_path(), top.descriptor()) {
        (Some(path), _) => rustix::fs::stat(path).map_err(|errno| Error::Path {
            what: "layer",
            path: path.to_owned(),
            errno: Errno::new(errno.raw_os_error()),
        })?,
        (None, Some(fd)) => fstat(fd).map_err(Error::call("fstat"))?,
        (None, None) => return Err(Error::invalid("layer", top, "is neither a path nor a descriptor")),
    };
    Ok(stat.st_mode & 0o7777)
}

/// Mounts it for one program, attached nowhere.
pub(crate) fn mount(root: &StackRoot) -> Result<OwnedFd, Error> {
    if root.changes() == Changes::Keep {
        return Ok(root.stack().mount()?.into_fd());
    }
    let memory = Filesystem::open("tmpfs")?;
    memory.string("mode", "0755")?;
    if let Changes::Discard { size: Some(size) } = root.changes() {
        memory.string("size", size.to_string())?;
    }
    memory.create()?;
    let memory = memory.mount(MountFlags::NODEV)?;
    let upper = directory(&memory, UPPER, top_mode(root)?)?;
    let work = directory(&memory, WORK, 0o700)?;
    Ok(mounted(root, upper, work).mount()?.into_fd())
}

/// A new directory with exactly this mode.
fn directory(dir: &cofferdam_overlay::Mount, name: &str, mode: u32) -> Result<OwnedFd, Error> {
    mkdirat(dir, name, Mode::empty()).map_err(Error::call("mkdir"))?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let made = openat(dir, name, flags, Mode::empty()).map_err(Error::call("open"))?;
    rustix::fs::fchmod(&made, Mode::from_raw_mode(mode)).map_err(Error::call("fchmod"))?;
    Ok(made)
}

/// Whether it can be mounted without a place in the caller's mount namespace.
pub(crate) fn can_be_detached(root: &StackRoot) -> bool {
    root.changes() == Changes::Keep || Support::probe().detached_layers()
}

/// What cannot be is refused before anything happens.
pub(crate) fn validate(root: &StackRoot) -> Result<(), Error> {
    if root.changes() == Changes::Keep && root.stack().upper_layer().is_none() {
        return Err(Error::invalid("changes", "Keep", "needs an upper directory"));
    }
    let layers = root.stack().lower_layers().iter();
    for layer in layers.chain(root.stack().upper_layer()).chain(root.stack().work_layer()) {
        if layer.as_path().is_some_and(Path::is_relative) {
            return Err(Error::invalid("layer", layer, "is not an absolute path"));
        }
    }
    mounted(root, "/upper", "/work").validate()?;
    Ok(())
}
