//! The process itself: namespaces, limits, meetings, and the exec.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::builder::{Builder, path, text, words};
use super::files::write_open;
use super::program::{Content, Operation, Patch, Value};
use crate::Error;
use crate::init::format::code;
use crate::plan::{Argument, Field, Hold, Namespaces, RawCall, Slot, Step};

pub(super) fn lower(builder: &mut Builder<'_>, index: usize, step: &Step) -> Result<(), Error> {
    let number = |number: u64| Value::Number(number);
    match step {
        Step::Unshare(kinds) => {
            builder.call("unshare", libc::SYS_unshare, [number(u64::from(kinds.bits()))]);
            if kinds.contains(Namespaces::USER) {
                super::credentials::hide(builder);
            }
        }
        Step::Join { from, kinds } => {
            let values = [Value::Slot(builder.slot(*from)), number(u64::from(kinds.bits()))];
            builder.call("setns", libc::SYS_setns, values);
            if kinds.contains(Namespaces::USER) {
                super::credentials::hide(builder);
            }
        }
        Step::Fork => builder.push(Operation::new(code::FORK), Some("clone3")),
        Step::TimeOffsets { monotonic, boottime, proc } => {
            let content = format!("monotonic {monotonic}\nboottime {boottime}\n");
            time_offsets(builder, index, content, *proc)?;
        }
        Step::EnterCgroup { tasks } => write_open(builder, builder.slot(*tasks), b"0".to_vec()),
        Step::OomScoreAdjust { value, proc } => {
            let file = own_file(builder, index, *proc, "self/oom_score_adj")?;
            write_open(builder, file, value.to_string().into_bytes());
            builder.close(file);
        }
        Step::LoopbackUp => loopback_up(builder),
        Step::Call(call) => raw(builder, call)?,
        Step::Sync { point, send, receive } => {
            let operation = Operation { number: *point, ..Operation::new(code::SYNC) };
            let list =
                |slots: &[Slot]| slots.iter().flat_map(|slot| builder.slot(*slot).to_ne_bytes()).collect();
            builder.push(operation.bytes(list(send)).bytes(list(receive)), None);
        }
        Step::Close(slot) => builder.close(builder.slot(*slot)),
        _ => attributes(builder, step)?,
    }
    Ok(())
}

/// Attributes of the process that are one call each.
fn attributes(builder: &mut Builder<'_>, step: &Step) -> Result<(), Error> {
    const PR_SET_PDEATHSIG: u64 = 1;
    const PR_SET_SECUREBITS: u64 = 28;
    const PR_SET_NO_NEW_PRIVS: u64 = 38;
    let number = |number: u64| Value::Number(number);
    let prctl = |option, argument| [option, argument, 0, 0, 0].map(Value::Number);
    match step {
        Step::Hostname(name) => {
            let values = [Value::Bytes(text(name, "hostname")?), number(name.len() as u64)];
            builder.call("sethostname", libc::SYS_sethostname, values);
        }
        Step::Domainname(name) => {
            let values = [Value::Bytes(text(name, "domainname")?), number(name.len() as u64)];
            builder.call("setdomainname", libc::SYS_setdomainname, values);
        }
        Step::ResourceLimit { resource, soft, hard } => {
            let limits = Value::Bytes(words([*soft, *hard]));
            let values = [number(0), number(u64::from(resource.number())), limits, number(0)];
            builder.call("prlimit64", libc::SYS_prlimit64, values);
        }
        Step::Securebits(bits) => {
            builder.call("prctl", libc::SYS_prctl, prctl(PR_SET_SECUREBITS, u64::from(*bits)));
        }
        Step::NoNewPrivileges => builder.call("prctl", libc::SYS_prctl, prctl(PR_SET_NO_NEW_PRIVS, 1)),
        Step::Umask(mask) => builder.call("umask", libc::SYS_umask, [number(u64::from(*mask))]),
        Step::WorkingDirectory(directory) => super::directory::enter(builder, directory)?,
        Step::TryWorkingDirectory(directory) => super::directory::try_to_enter(builder, directory)?,
        Step::NewSession => builder.call("setsid", libc::SYS_setsid, []),
        Step::ParentDeathSignal(signal) => {
            let signal = u64::from(signal.unsigned_abs());
            builder.call("prctl", libc::SYS_prctl, prctl(PR_SET_PDEATHSIG, signal));
        }
        _ => {}
    }
    Ok(())
}

/// Opens the files of the process in procfs that later steps write, while it still owns them: they belong to
/// root as soon as it is not dumpable. Not those of a process that is still to be forked.
pub(super) fn open_own_files(builder: &mut Builder<'_>) -> Result<(), Error> {
    for (index, step) in builder.plan.steps.iter().enumerate() {
        builder.part = super::Part::Step(index);
        let (proc, name) = match step {
            Step::TimeOffsets { proc, .. } => (*proc, "self/timens_offsets"),
            Step::OomScoreAdjust { proc, .. } => (*proc, "self/oom_score_adj"),
            Step::Fork => break,
            _ => continue,
        };
        let slot = open_own(builder, proc, name, libc::O_WRONLY)?;
        builder.opened.push((index, slot));
    }
    Ok(())
}

/// The file that was opened for a step at the start, or else is opened now.
fn own_file(builder: &mut Builder<'_>, index: usize, proc: Slot, name: &str) -> Result<u32, Error> {
    match builder.opened.iter().find(|(step, _)| *step == index) {
        Some((_, slot)) => Ok(*slot),
        None => open_own(builder, proc, name, libc::O_WRONLY),
    }
}

/// Opens a file of the process in procfs. `self` and namespaces are magic links, so this is a plain `openat` in
/// a procfs that the caller has verified.
fn open_own(builder: &mut Builder<'_>, proc: Slot, name: &str, flags: i32) -> Result<u32, Error> {
    let file = builder.temporary();
    let flags = Value::Number(u64::from((flags | libc::O_CLOEXEC).unsigned_abs()));
    let values = [Value::Slot(builder.slot(proc)), path(Path::new(name))?, flags];
    builder.push(Operation::call(libc::SYS_openat, values).out(file), Some("openat"));
    Ok(file)
}

/// `clone3` would freeze the offsets, so: unshare, write them, join what is there for children.
fn time_offsets(builder: &mut Builder<'_>, index: usize, content: String, proc: Slot) -> Result<(), Error> {
    let time = || Value::Number(u64::from(Namespaces::TIME.bits()));
    builder.call("unshare", libc::SYS_unshare, [time()]);
    let file = own_file(builder, index, proc, "self/timens_offsets")?;
    write_open(builder, file, content.into_bytes());
    builder.close(file);
    let namespace = open_own(builder, proc, "self/ns/time_for_children", libc::O_RDONLY)?;
    builder.call("setns", libc::SYS_setns, [Value::Slot(namespace), time()]);
    builder.close_temporary(namespace);
    Ok(())
}

fn loopback_up(builder: &mut Builder<'_>) {
    const SIOCSIFFLAGS: u64 = 0x8914;
    let socket = builder.temporary();
    let kind = (libc::SOCK_DGRAM | libc::SOCK_CLOEXEC).unsigned_abs();
    let values = [libc::AF_INET.unsigned_abs(), kind, 0].map(|value| Value::Number(u64::from(value)));
    builder.push(Operation::call(libc::SYS_socket, values).out(socket), Some("socket"));
    // struct ifreq: the name in 16 bytes, then the flags as a short.
    let mut request = vec![0; 40];
    request[..2].copy_from_slice(b"lo");
    let up = i16::try_from(libc::IFF_UP | libc::IFF_RUNNING).unwrap_or(0);
    request[16..18].copy_from_slice(&up.to_ne_bytes());
    let values = [Value::Slot(socket), Value::Number(SIOCSIFFLAGS), Value::Bytes(request)];
    builder.call("ioctl", libc::SYS_ioctl, values);
    builder.close_temporary(socket);
}

fn raw(builder: &mut Builder<'_>, call: &RawCall) -> Result<(), Error> {
    let values = call.arguments.iter().map(|argument| raw_argument(builder, argument));
    let values: Vec<Value> = values.collect::<Result<_, Error>>()?;
    let mut operation = Operation::call(libc::c_long::from(call.number), values);
    operation.out = call.into.map(|slot| builder.slot(slot));
    operation.tolerate = call.tolerate.unwrap_or(0).unsigned_abs();
    builder.push(operation, None);
    Ok(())
}

fn raw_argument(builder: &Builder<'_>, argument: &Argument) -> Result<Value, Error> {
    Ok(match argument {
        Argument::Number(number) => Value::Number(*number),
        Argument::Descriptor(slot) => Value::Slot(builder.slot(*slot)),
        Argument::Text(string) => Value::Bytes(text(string, "argument")?),
        Argument::Bytes(bytes) => Value::Bytes(bytes.clone()),
        Argument::Structure { bytes, fields } => {
            let mut bytes = bytes.clone();
            let mut patches = Vec::new();
            for (offset, field) in fields {
                let content = match field {
                    Field::Descriptor(slot) => Content::Slot(builder.slot(*slot)),
                    Field::Pointer(target) => Content::Pointer(append(&mut bytes, target)),
                };
                patches.push(Patch { offset: *offset, content });
            }
            Value::Structure { bytes, patches }
        }
    })
}

/// Appends to a structure's bytes, aligned; gives the offset.
fn append(bytes: &mut Vec<u8>, content: &[u8]) -> u32 {
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    let offset = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(content);
    offset
}

/// What `ps` shows: the kernel would call it by the file that it was executed from.
pub(super) fn set_name(builder: &mut Builder<'_>) {
    const PR_SET_NAME: u64 = 15;
    let values = [Value::Number(PR_SET_NAME), Value::Bytes(b"cofferdam-init\0\0".to_vec())];
    builder.call("prctl", libc::SYS_prctl, values);
}

/// No signal stays blocked.
pub(super) fn unblock_signals(builder: &mut Builder<'_>) {
    let set = Value::Number(u64::from(libc::SIG_SETMASK.unsigned_abs()));
    let values = [set, Value::Bytes(words([0])), Value::Number(0), Value::Number(8)];
    builder.call("rt_sigprocmask", libc::SYS_rt_sigprocmask, values);
}

/// The program's descriptors.
pub(super) fn place(builder: &mut Builder<'_>) -> Result<(), Error> {
    let plan = builder.plan;
    let mut pairs = vec![
        (0, builder.stream(plan.stdin, 0)),
        (1, builder.stream(plan.stdout, 1)),
        (2, builder.stream(plan.stderr, 2)),
    ];
    pairs.extend(plan.pass.iter().map(|(slot, number)| (*number, builder.slot(*slot))));
    pairs.sort_unstable();
    let list = pairs
        .iter()
        .flat_map(|(number, slot)| [slot.to_ne_bytes(), number.to_ne_bytes()])
        .flatten()
        .collect();
    let mut operation = Operation::new(code::PLACE).bytes(list);
    let kept = plan.kept();
    if !kept.is_empty() {
        operation = operation.bytes(kept.iter().flat_map(|slot| builder.slot(*slot).to_ne_bytes()).collect());
    }
    builder.push(operation, Some("dup3"));
    Ok(())
}

/// Looks for the program.
pub(super) fn find(builder: &mut Builder<'_>) -> Result<(), Error> {
    let candidates = candidates(&builder.plan.program, &builder.plan.search)?;
    builder.push(Operation::new(code::FIND).bytes(candidates), None);
    Ok(())
}

/// Waits to be started.
pub(super) fn hold(builder: &mut Builder<'_>, hold: Hold) {
    let operation = Operation::new(code::HOLD);
    let operation = match hold {
        Hold::Caller => operation,
        Hold::Listener(slot) => operation.value(Value::Slot(builder.slot(slot))),
    };
    builder.push(operation, None);
}

/// Becomes the program.
pub(super) fn exec(builder: &mut Builder<'_>) -> Result<(), Error> {
    let plan = builder.plan;
    let environment = plan.env.iter().map(|(name, value)| {
        let (name, value) = (name.as_bytes(), value.as_bytes());
        OsStr::from_bytes(&[name, b"=", value].concat()).to_owned()
    });
    let environment: Vec<_> = environment.collect();
    let operation = Operation::new(code::EXEC)
        .bytes(candidates(&plan.program, &plan.search)?)
        .value(strings(plan.args.iter().map(AsRef::as_ref), "argument")?)
        .value(strings(environment.iter().map(AsRef::as_ref), "environment variable")?);
    builder.push(operation, None);
    Ok(())
}

/// The paths to try, each with its NUL.
fn candidates(program: &OsStr, search: &OsStr) -> Result<Vec<u8>, Error> {
    if program.as_bytes().contains(&b'/') {
        return text(program, "program");
    }
    let mut paths = Vec::new();
    for directory in search.as_bytes().split(|byte| *byte == b':') {
        let directory = if directory.is_empty() { b"." } else { directory };
        let candidate = [directory, b"/", program.as_bytes()].concat();
        paths.extend(text(OsStr::from_bytes(&candidate), "program")?);
    }
    Ok(paths)
}

/// A null-ended array of pointers and the strings that it points to.
fn strings<'s>(
    strings: impl ExactSizeIterator<Item = &'s OsStr>,
    what: &'static str,
) -> Result<Value, Error> {
    let mut bytes = vec![0; (strings.len() + 1) * 8];
    let mut patches = Vec::new();
    for (index, string) in strings.enumerate() {
        let offset = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        bytes.extend(text(string, what)?);
        let at = u32::try_from(index * 8).unwrap_or(u32::MAX);
        patches.push(Patch { offset: at, content: Content::Pointer(offset) });
    }
    Ok(Value::Structure { bytes, patches })
}
