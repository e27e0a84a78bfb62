//! Files, directories, nodes; resolving and verifying.

use std::path::Path;

use super::builder::{AT_FDCWD, Builder, path, words};
use super::mount;
use super::program::{Operation, Value};
use crate::Error;
use crate::init::format::{code, flag};
use crate::init::{expect, like};
use crate::plan::{Device, Expected, FileKind, Location, Open, Step, TargetKind};

const O_CLOEXEC: u64 = libc::O_CLOEXEC.unsigned_abs() as u64;
const O_WRONLY: u64 = libc::O_WRONLY.unsigned_abs() as u64;
/// As [`STRICT`], with the links `self` and `thread-self`, which are the kernel's and no magic links.
const IN_PROC: u64 = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_MAGICLINKS | libc::RESOLVE_NO_XDEV;
const STRICT: u64 =
    libc::RESOLVE_BENEATH | libc::RESOLVE_NO_SYMLINKS | libc::RESOLVE_NO_MAGICLINKS | libc::RESOLVE_NO_XDEV;

pub(super) fn lower(builder: &mut Builder<'_>, step: &Step) -> Result<(), Error> {
    match step {
        Step::Open { location, how, into } => {
            let place = builder.location(location)?;
            open(builder, place, *how, builder.slot(*into));
        }
        Step::MakeTarget { root, path, kind, into } => {
            let (root, into) = (builder.slot(*root), builder.slot(*into));
            make_target(builder, root, path, *kind, into, true)?;
        }
        Step::Directory { location, mode } => {
            let [dir, path] = builder.location(location)?;
            let call = Operation::call(libc::SYS_mkdirat, [dir, path, Value::Number(u64::from(*mode))]);
            builder.push(call.tolerate(libc::EEXIST), Some("mkdirat"));
        }
        Step::Symlink { location, target } => {
            let [dir, place] = builder.location(location)?;
            builder.call("symlinkat", libc::SYS_symlinkat, [path(target)?, dir, place]);
        }
        Step::Node { location, kind, mode, device } => node(builder, location, *kind, *mode, *device)?,
        Step::Verify { file, expected } => builder.push(verify(builder.slot(*file), expected), None),
        Step::Write { location, content } => {
            let how = Open { flags: O_WRONLY, mode: 0, resolve: STRICT };
            let place = builder.location(location)?;
            write(builder, place, how, content.clone());
        }
        Step::ProcWrite { proc, path: file, content } => {
            let proc = match proc {
                Some(slot) => builder.slot(*slot),
                None => mount::private_proc(builder)?,
            };
            let how = Open { flags: O_WRONLY, mode: 0, resolve: IN_PROC };
            write(builder, [Value::Slot(proc), path(file)?], how, content.clone());
        }
        Step::Sysctl { name, value } => sysctl(builder, name, value)?,
        _ => {}
    }
    Ok(())
}

/// Checks an open file.
pub(super) fn verify(file: u32, expected: &Expected) -> Operation {
    Operation::new(code::VERIFY).value(Value::Slot(file)).bytes(expectation(expected))
}

/// Opens with `openat2`, tried again while somebody renames.
fn open(builder: &mut Builder<'_>, place: [Value; 2], how: Open, out: u32) {
    builder.push(opening(place, how).out(out), Some("openat2"));
}

/// Opens what may be missing.
pub(super) fn open_if(builder: &mut Builder<'_>, place: [Value; 2], how: Open, out: u32) {
    builder.push(opening(place, how).out(out).tolerate(libc::ENOENT), Some("openat2"));
}

fn opening([dir, path]: [Value; 2], how: Open) -> Operation {
    let how = words([how.flags | O_CLOEXEC, how.mode, how.resolve]);
    let size = Value::Number(how.len() as u64);
    Operation::call(libc::SYS_openat2, [dir, path, Value::Bytes(how), size]).flags(flag::RETRY)
}

/// A handle on a path in a root.
pub(super) fn resolve(builder: &mut Builder<'_>, root: u32, place: &Path, out: u32) -> Result<(), Error> {
    open(builder, [Value::Slot(root), path(place)?], Open::PATH_IN_ROOT, out);
    Ok(())
}

/// A handle on the init's own root.
pub(super) fn open_root(builder: &mut Builder<'_>, out: u32) -> Result<(), Error> {
    open(builder, [AT_FDCWD, path(Path::new("/"))?], Open::PATH, out);
    Ok(())
}

/// A handle on a mount target, made where it is missing, unless that is where a link leads.
pub(super) fn target(
    builder: &mut Builder<'_>,
    root: u32,
    place: &Path,
    kind: TargetKind,
    out: u32,
) -> Result<(), Error> {
    make_target(builder, root, place, kind, out, false)
}

fn make_target(
    builder: &mut Builder<'_>,
    root: u32,
    place: &Path,
    kind: TargetKind,
    out: u32,
    follow: bool,
) -> Result<(), Error> {
    let (kind, model) = match kind {
        TargetKind::Directory => (like::DIRECTORY, Value::Number(0)),
        TargetKind::File => (like::FILE, Value::Number(0)),
        TargetKind::SameAs(slot) => (like::DESCRIPTOR, Value::Slot(builder.slot(slot))),
    };
    let operation = Operation::new(code::TARGET)
        .value(Value::Slot(root))
        .value(path(place)?)
        .value(Value::Number(kind))
        .value(model)
        .value(Value::Number(follow.into()))
        .out(out);
    builder.push(operation, Some("make target"));
    Ok(())
}

fn node(
    builder: &mut Builder<'_>,
    location: &Location,
    kind: FileKind,
    mode: u32,
    device: Device,
) -> Result<(), Error> {
    let [dir, path] = builder.location(location)?;
    let mode = Value::Number(u64::from(kind.mode() | mode));
    let device = Value::Number(libc::makedev(device.major, device.minor));
    builder.call("mknodat", libc::SYS_mknodat, [dir, path, mode, device]);
    Ok(())
}

fn expectation(expected: &Expected) -> Vec<u8> {
    let mut wanted = 0;
    let mut want = |bit, given: bool| wanted |= if given { bit } else { 0 };
    want(expect::KIND, expected.kind.is_some());
    want(expect::RDEV, expected.rdev.is_some());
    want(expect::FILESYSTEM, expected.filesystem.is_some());
    want(expect::DEV, expected.dev.is_some());
    want(expect::INO, expected.ino.is_some());
    want(expect::OTHER_FILESYSTEM, expected.other_filesystem.is_some());
    let pair = |device: Option<Device>| device.map_or((0, 0), |d| (u64::from(d.major), u64::from(d.minor)));
    let (rdev, dev) = (pair(expected.rdev), pair(expected.dev));
    words([
        wanted,
        expected.kind.map_or(0, |kind| u64::from(kind.mode())),
        rdev.0,
        rdev.1,
        expected.filesystem.unwrap_or(0),
        dev.0,
        dev.1,
        expected.ino.unwrap_or(0),
        expected.other_filesystem.unwrap_or(0),
    ])
}

/// Opens a file, writes it in one call, closes it.
fn write(builder: &mut Builder<'_>, place: [Value; 2], how: Open, content: Vec<u8>) {
    let file = builder.temporary();
    open(builder, place, how, file);
    write_open(builder, file, content);
    builder.close_temporary(file);
}

/// Writes an open file in one call.
pub(super) fn write_open(builder: &mut Builder<'_>, file: u32, content: Vec<u8>) {
    let length = Value::Number(content.len() as u64);
    builder.call("write", libc::SYS_write, [Value::Slot(file), Value::Bytes(content), length]);
}

fn sysctl(builder: &mut Builder<'_>, name: &str, value: &str) -> Result<(), Error> {
    let proc = mount::private_proc(builder)?;
    let file = path(Path::new(&sysctl_path(name)))?;
    let how = Open { flags: O_WRONLY, mode: 0, resolve: STRICT };
    write(builder, [Value::Slot(proc), file], how, value.as_bytes().to_vec());
    Ok(())
}

/// The path of a sysctl in procfs. Whichever of dot and slash comes first separates; the other one is literal
/// and stands for the separator in the written form (an interface named `eth0.1`).
pub(super) fn sysctl_path(name: &str) -> String {
    let dotted = name.find(['.', '/']).is_none_or(|at| name.as_bytes()[at] == b'.');
    let swap = |c| match c {
        '.' => '/',
        '/' => '.',
        other => other,
    };
    let path: String = if dotted { name.chars().map(swap).collect() } else { name.to_owned() };
    format!("sys/{path}")
}
