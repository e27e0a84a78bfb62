//! The namespaces of the system, as `lsns(8)` shows them.

use crate::{Errno, Error, Identity, Kind, Namespace, Result};
use procfs::ProcError;
use procfs::process::{Process, all_processes};
use std::collections::BTreeMap;

/// One namespace that a process lives in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its kind.
    pub kind: Kind,
    /// Which it is.
    pub identity: Identity,
    /// How many processes live in it, among those that could be read.
    pub processes: usize,
    /// The lowest process id among them.
    pub lowest_pid: u32,
    /// That process's command line joined by blanks; for a kernel thread its name in brackets.
    pub command: String,
    /// Who made the user namespace that owns it (for a user namespace, itself), if that can be seen.
    pub owner_uid: Option<u32>,
    /// The user namespace that owns it (for a user namespace, its parent), if that can be seen.
    pub owner: Option<Identity>,
}

/// The namespaces that were found, and what was not seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Sorted by kind, then identity.
    pub namespaces: Vec<Listed>,
    /// The number of processes whose namespaces the caller may not read.
    pub unreadable: usize,
}

type Found = BTreeMap<(Kind, Identity), Listed>;

/// Lists the namespaces in which the processes of `/proc` live. Those kept only by a mount or a descriptor,
/// and those of single threads, are not seen.
///
/// A process that ends meanwhile is passed over. Reading is not atomic: counts of a busy system are
/// approximate.
///
/// # Privileges
/// None for the caller's own processes; others need the right to trace them and are counted as unreadable.
///
/// # Errors
/// [`Error::Read`] if `/proc` cannot be read.
pub fn list() -> Result<Listing> {
    let processes =
        all_processes().map_err(|error| Error::Read { path: "/proc".into(), errno: errno(&error) })?;
    let mut found = Found::new();
    let mut unreadable = 0;
    for process in processes {
        let access = process.and_then(|process| add(&mut found, &process));
        match access.map_err(|error| errno(&error).raw()) {
            Ok(()) | Err(libc::ENOENT | libc::ESRCH) => {}
            Err(libc::EACCES | libc::EPERM) => unreadable += 1,
            Err(raw) => return Err(Error::Read { path: "/proc".into(), errno: Errno::from_raw(raw) }),
        }
    }
    Ok(Listing { namespaces: found.into_values().collect(), unreadable })
}

fn add(found: &mut Found, process: &Process) -> std::result::Result<(), ProcError> {
    let pid = process.pid.cast_unsigned();
    for kind in Kind::ALL {
        let file = match process.open_relative(format!("ns/{kind}")) {
            Ok(file) => file,
            // A kind that the kernel lacks, or a zombie, which has only some left.
            Err(ProcError::NotFound(_)) => continue,
            Err(error) => return Err(error),
        };
        let Ok(namespace) = Namespace::from_fd(file.into()) else { continue };
        let key = (kind, namespace.identity());
        let listed = found.entry(key).or_insert_with(|| first(&namespace));
        listed.processes += 1;
        if pid < listed.lowest_pid {
            listed.lowest_pid = pid;
            listed.command = command(process);
        }
    }
    Ok(())
}

/// An entry that has no process yet.
fn first(namespace: &Namespace) -> Listed {
    let owner = namespace.owner().ok();
    let maker = if namespace.kind() == Kind::User { Some(namespace) } else { owner.as_ref() };
    Listed {
        kind: namespace.kind(),
        identity: namespace.identity(),
        processes: 0,
        lowest_pid: u32::MAX,
        command: String::new(),
        owner_uid: maker.and_then(|user| user.owner_uid().ok()),
        owner: owner.map(|owner| owner.identity()),
    }
}

/// Empty if the process has just ended.
fn command(process: &Process) -> String {
    match process.cmdline() {
        Ok(words) if !words.is_empty() => words.join(" "),
        _ => process.stat().map(|stat| format!("[{}]", stat.comm)).unwrap_or_default(),
    }
}

fn errno(error: &ProcError) -> Errno {
    Errno::from_raw(match error {
        ProcError::PermissionDenied(_) => libc::EACCES,
        ProcError::NotFound(_) => libc::ENOENT,
        ProcError::Io(error, _) => return Errno::of(error),
        _ => libc::EIO,
    })
}
