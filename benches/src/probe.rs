//! The proof that a subject ran the program, and in what surroundings.
//!
//! The probe writes its namespaces, `/proc/self/status` and `/proc/self/mountinfo`. A subject that leaves the
//! proof out is not measured; what a peer left undone is printed beside its figures.

use std::fs;
use std::io::{Read, Seek};

use crate::Error;
use crate::case::{Kind, Shape};
use crate::stage::{Program, Stage, Task};
use crate::subjects::{Skip, Subject};
use crate::workload::{self, EXIT, Op};

const KINDS: [Kind; 7] = [Kind::User, Kind::Pid, Kind::Mnt, Kind::Ipc, Kind::Uts, Kind::Net, Kind::Cgroup];
const STATUS: &str = "status:\n";
const MOUNTS: &str = "mounts:\n";
const END: &str = "end\n";

/// The probing program.
pub(crate) fn image() -> Vec<u8> {
    let mut ops = Vec::new();
    for kind in KINDS {
        ops.push(Op::Print("ns=".to_owned()));
        ops.push(Op::Link(format!("/proc/self/ns/{}", kind.name())));
        ops.push(Op::Print("\n".to_owned()));
    }
    ops.push(Op::Print(STATUS.to_owned()));
    ops.push(Op::Show("/proc/self/status".to_owned()));
    ops.push(Op::Print(MOUNTS.to_owned()));
    ops.push(Op::Show("/proc/self/mountinfo".to_owned()));
    ops.push(Op::Print(END.to_owned()));
    workload::program(&ops)
}

/// Lets `subject` run the probe in `shape`; answers with what it left undone.
///
/// # Errors
///
/// The reason why the subject cannot do it, or did not.
pub fn prove(subject: &dyn Subject, stage: &Stage, shape: Shape) -> Result<Vec<String>, Skip> {
    let mut file = stage.file()?;
    let task = Task { stage, shape, program: Program::Probe, output: Some(&file) };
    let ended = subject.prepare(&task)?.run();
    let mut text = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut text)).map_err(Error::io("read the probe's output"))?;
    let text = String::from_utf8_lossy(&text);
    match ended? {
        EXIT => Ok(lacks(shape, &text)?),
        status => Err(Error::Proof(format!("status {status}; {}", last_line(&text))).into()),
    }
}

fn last_line(text: &str) -> &str {
    text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no message")
}

/// What of `shape` is not seen in the probe's output.
fn lacks(shape: Shape, text: &str) -> Result<Vec<String>, Error> {
    let missing = || Error::Proof(format!("no proof in its output; {}", last_line(text)));
    let body = &text[text.find("ns=user:").ok_or_else(missing)?..];
    let (links, rest) = body.split_once(STATUS).ok_or_else(missing)?;
    let (status, rest) = rest.split_once(MOUNTS).ok_or_else(missing)?;
    let (mounts, _) = rest.split_once(END).ok_or_else(missing)?;
    let mut lacks = Vec::new();
    for kind in shape.kinds {
        let host = fs::read_link(format!("/proc/self/ns/{}", kind.name()));
        let host = host.map_err(Error::io(format!("read the {} namespace", kind.name())))?;
        if !links.contains(kind.name()) || links.contains(&format!("ns={}\n", host.display())) {
            lacks.push(format!("no new {} namespace", kind.name()));
        }
    }
    if shape.sandbox {
        lacks.extend(lacking_rights(status));
        lacks.extend(lacking_mounts(mounts));
    }
    Ok(lacks)
}

fn lacking_rights(status: &str) -> Vec<String> {
    let value = |name: &str| {
        status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    };
    let empty = |name| value(name).is_some_and(|mask| mask.bytes().all(|digit| digit == b'0'));
    let mut lacks = Vec::new();
    if value("Pid") != Some("1") {
        lacks.push("not pid 1 of a fresh /proc".to_owned());
    }
    if !["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].into_iter().all(empty) {
        lacks.push("capabilities kept".to_owned());
    }
    if value("NoNewPrivs") != Some("1") {
        lacks.push("no_new_privs not set".to_owned());
    }
    lacks
}

fn lacking_mounts(mountinfo: &str) -> Vec<String> {
    let mounts: Vec<(&str, &str)> = mountinfo.lines().filter_map(mount).collect();
    let fresh = [
        ("/proc", "proc"),
        ("/dev", "tmpfs"),
        ("/dev/pts", "devpts"),
        ("/dev/shm", "tmpfs"),
        ("/tmp", "tmpfs"),
    ];
    let mut lacks: Vec<String> = fresh
        .iter()
        .filter(|wanted| !mounts.contains(wanted))
        .map(|(path, kind)| format!("no {kind} on {path}"))
        .collect();
    let mine = ["/proc", "/dev", "/tmp"];
    if mounts.iter().any(|(path, _)| *path != "/" && !mine.iter().any(|own| path.starts_with(own))) {
        lacks.push("mounts of the host remain".to_owned());
    }
    lacks
}

/// Mount point and file system type of a line of mountinfo.
fn mount(line: &str) -> Option<(&str, &str)> {
    let (left, right) = line.split_once(" - ")?;
    Some((left.split(' ').nth(4)?, right.split(' ').next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_without_the_proof_is_refused_and_quoted() {
        let error = lacks(Shape::BARE, "crun: no cgroup\n\n").unwrap_err();
        assert!(error.to_string().contains("crun: no cgroup"), "{error}");
    }

    #[test]
    fn rights_that_were_kept_are_named() {
        let status = "Pid:\t7\nCapInh:\t0\nCapPrm:\t1\nCapEff:\t0\nCapBnd:\t0\nCapAmb:\t0\nNoNewPrivs:\t0\n";
        assert_eq!(
            lacking_rights(status),
            ["not pid 1 of a fresh /proc", "capabilities kept", "no_new_privs not set"]
        );
    }

    #[test]
    fn mounts_that_are_absent_or_too_many_are_named() {
        let info = "1 0 0:1 / / rw - ext4 /dev/vda rw\n2 1 0:2 / /proc rw - proc proc rw\n3 1 0:3 / /sys rw - sysfs sysfs rw\n";
        let lacks = lacking_mounts(info);
        assert_eq!(lacks.len(), 5, "{lacks:?}");
        assert_eq!(lacks.last().unwrap(), "mounts of the host remain");
    }
}
