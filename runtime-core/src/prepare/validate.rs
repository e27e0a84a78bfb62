//! What cannot be is refused before anything happens.

use std::ffi::OsStr;
use std::path::Path;

use super::paths::climbs;
use crate::command::Command;
use crate::enclosure::{Enclosure, ExtraKind, kinds_of};
use crate::program::Program;
use crate::{ClockOffset, Error, Namespaces, Root, sysctl, union};

/// The most that the kernel takes (`__NEW_UTS_LEN`).
const NAME_MAX: usize = 64;
/// The most groups that the kernel takes (`NGROUPS_MAX`).
const GROUPS_MAX: usize = 65536;

/// Limits by a cgroup, before there is one.
pub(crate) fn limits(command: &Command) -> Result<(), Error> {
    command.limits.validate()?;
    if command.program.cgroup.is_some() && command.limits.are_wanted() {
        return Err(Error::invalid("cgroup", "given", "cannot be had together with limits, which make one"));
    }
    Ok(())
}

pub(super) fn program(program: &Program) -> Result<(), Error> {
    if program.program.is_empty() {
        return Err(Error::invalid("program", "", "is empty"));
    }
    text("program", &program.program)?;
    program.arg0.iter().chain(&program.args).try_for_each(|arg| text("argument", arg))?;
    for (key, value) in program.environment.changes() {
        text("environment variable", key)?;
        value.map_or(Ok(()), |value| text("environment variable", value))?;
        if value.is_some() && (key.is_empty() || key.as_encoded_bytes().contains(&b'=')) {
            return Err(Error::invalid("environment variable", key.display(), "is empty or contains ="));
        }
    }
    if let Some(dir) = &program.current_dir {
        absolute("working directory", dir)?;
    }
    resource_limits(program)
}

fn resource_limits(program: &Program) -> Result<(), Error> {
    for (resource, soft, hard) in &program.limits {
        if soft > hard {
            return Err(Error::invalid("soft limit", resource, "is above the hard limit"));
        }
    }
    for (index, (resource, ..)) in program.limits.iter().enumerate() {
        if program.limits.iter().take(index).any(|(earlier, ..)| earlier == resource) {
            return Err(Error::invalid("limit", resource, "is given twice"));
        }
    }
    if program.umask > 0o777 {
        return Err(Error::invalid("umask", format!("{:o}", program.umask), "is above 777"));
    }
    if let Some(value) = program.oom_score_adjust.filter(|value| !(-1000..=1000).contains(value)) {
        return Err(Error::invalid("oom_score_adjust", value, "is not between -1000 and 1000"));
    }
    if let Some(signal) = program.parent_death_signal.filter(|signal| !(1..=64).contains(signal)) {
        return Err(Error::invalid("parent death signal", signal, "does not exist"));
    }
    let groups = program.groups.as_deref().unwrap_or_default();
    if groups.len() > GROUPS_MAX {
        return Err(Error::invalid(
            "number of groups",
            groups.len(),
            "is more than the 65536 that the kernel takes",
        ));
    }
    if program.user.iter().chain(&program.group).chain(groups).any(|id| *id == u32::MAX) {
        return Err(Error::invalid("id", u32::MAX, "means no id to the kernel"));
    }
    Ok(())
}

pub(super) fn enclosure(enclosure: &Enclosure) -> Result<(), Error> {
    namespaces(enclosure)?;
    names(enclosure)?;
    mounts(enclosure)?;
    let time = enclosure.time_offsets.iter();
    time.flat_map(|(monotonic, boottime)| [monotonic, boottime]).try_for_each(offset)?;
    enclosure.sysctls.iter().try_for_each(|(name, value)| sysctl::validate(name, value, enclosure.new))
}

fn namespaces(enclosure: &Enclosure) -> Result<(), Error> {
    for (index, namespace) in enclosure.joined.iter().enumerate() {
        let kind = Namespaces::from_bits(namespace.kind().flag());
        if enclosure.new.contains(kind) {
            return Err(Error::invalid(
                "namespace",
                namespace,
                "is to be joined, and a new one of its kind be made",
            ));
        }
        if kinds_of(enclosure.joined.get(..index).unwrap_or_default()).contains(kind) {
            return Err(Error::invalid("namespace", namespace, "is the second one of its kind to be joined"));
        }
    }
    let needs = |given: bool, option, kind: Namespaces, reason| match given && !enclosure.new.contains(kind) {
        true => Err(Error::invalid("option", option, reason)),
        false => Ok(()),
    };
    needs(enclosure.init, "init", Namespaces::PID, "needs a new pid namespace")?;
    needs(enclosure.hostname.is_some(), "hostname", Namespaces::UTS, "needs a new uts namespace")?;
    needs(enclosure.domainname.is_some(), "domainname", Namespaces::UTS, "needs a new uts namespace")?;
    needs(enclosure.uid_map.is_some(), "uid_map", Namespaces::USER, "needs a new user namespace")?;
    needs(enclosure.gid_map.is_some(), "gid_map", Namespaces::USER, "needs a new user namespace")?;
    needs(enclosure.time_offsets.is_some(), "time_offsets", Namespaces::TIME, "needs a new time namespace")?;
    needs(enclosure.loopback == Some(true), "loopback", Namespaces::NET, "needs a new net namespace")?;
    needs(enclosure.usual.sys == Some(true), "sys", Namespaces::NET, "needs a new net namespace")?;
    needs(enclosure.root != Root::Host, "root", Namespaces::MNT, "needs a new mnt namespace")?;
    needs(!enclosure.extras.is_empty(), "bind or tmpfs", Namespaces::MNT, "needs a new mnt namespace")?;
    let usual = &enclosure.usual;
    let any = [usual.proc, usual.sys, usual.dev, usual.tmp, usual.run].contains(&Some(true));
    needs(any, "private mount", Namespaces::MNT, "needs a new mnt namespace")?;
    if usual.proc == Some(true) && !enclosure.has_own(Namespaces::PID) {
        return Err(Error::invalid("option", "proc", "needs a pid namespace other than the caller's"));
    }
    Ok(())
}

fn names(enclosure: &Enclosure) -> Result<(), Error> {
    for name in enclosure.hostname.iter().chain(&enclosure.domainname) {
        text("host or domain name", name)?;
        if name.is_empty() || name.len() > NAME_MAX {
            return Err(Error::invalid(
                "host or domain name",
                name.display(),
                "is empty or longer than 64 bytes",
            ));
        }
    }
    Ok(())
}

fn mounts(enclosure: &Enclosure) -> Result<(), Error> {
    match &enclosure.root {
        Root::Stack(root) => union::validate(root)?,
        root => absolute("root", root.path().unwrap_or(Path::new("/")))?,
    }
    for (index, extra) in enclosure.extras.iter().enumerate() {
        let target = extra.target.as_path();
        absolute("mount target", target)?;
        let wrong = |reason| Err(Error::invalid("mount target", target.display(), reason));
        if climbs(target) {
            return wrong("contains ..");
        }
        if target == Path::new("/") {
            return wrong("is the root: set that instead");
        }
        if enclosure.extras.iter().take(index).any(|earlier| earlier.target == target) {
            return wrong("is given twice");
        }
        match &extra.kind {
            ExtraKind::Bind { source, .. } => absolute("bind source", source)?,
            ExtraKind::Tmpfs { size: Some(0) } => {
                return Err(Error::invalid("size of tmpfs", 0, "means unlimited to the kernel"));
            }
            ExtraKind::Tmpfs { .. } => {}
        }
    }
    Ok(())
}

fn offset(offset: &ClockOffset) -> Result<(), Error> {
    match offset.nanoseconds < 1_000_000_000 {
        true => Ok(()),
        false => Err(Error::invalid("clock offset", offset, "has nanoseconds of a second or more")),
    }
}

fn text(what: &'static str, text: &OsStr) -> Result<(), Error> {
    match text.as_encoded_bytes().contains(&0) {
        true => Err(Error::invalid(what, text.display(), "contains a NUL byte")),
        false => Ok(()),
    }
}

fn absolute(what: &'static str, path: &Path) -> Result<(), Error> {
    text(what, path.as_os_str())?;
    match path.is_absolute() {
        true => Ok(()),
        false => Err(Error::invalid(what, path.display(), "is not an absolute path")),
    }
}
