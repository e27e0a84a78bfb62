//! From the command line to a [`Command`].

use std::ffi::{OsStr, OsString};

use cofferdam::cgroups::{Bytes, Cpu, Limit, Memory, Resources, Setting};
use cofferdam::namespaces::{Caller, IdMap, IdRange, InsideId, OutsideId, SubIdRange};
use cofferdam::{Capabilities, CapabilitySet, Command, DEFAULT_CAPABILITIES, LimitPolicy, Namespaces, Root};

use crate::args::{Args, Files, Identity, Limits, Net, Policy, Process, Surroundings};
use crate::failure::Failure;
use crate::image;

const HOSTNAME: &str = "isolate";

/// The command for a program.
pub fn command(args: &Args, program: &OsStr, arguments: &[OsString]) -> Result<Command, Failure> {
    let mut command = Command::new(program);
    command.args(arguments);
    files(&mut command, &args.files)?;
    surroundings(&mut command, &args.surroundings);
    identity(&mut command, &args.identity, shared(&args.surroundings).contains(Namespaces::USER))?;
    // The program does not outlive this process, however that ends; the thread that starts it is the main one.
    command.limits(limits(&args.limits)).limit_policy(policy(&args.limits)).die_with_caller(true);
    process(&mut command, &args.process);
    Ok(command)
}

/// The namespaces that stay the caller's.
pub fn shared(options: &Surroundings) -> Namespaces {
    let network = if options.net == Net::Host { Namespaces::NET } else { Namespaces::empty() };
    options.share.iter().fold(network, |all, kinds| all | *kinds)
}

fn files(command: &mut Command, options: &Files) -> Result<(), Failure> {
    if let Some(root) = image::root(options)? {
        command.root(root);
    }
    if let Some(root) = &options.root {
        command.root(Root::directory(root).read_only(options.read_only));
    }
    // The outer ones first, so that none covers another.
    let mut mounts: Vec<(&std::path::Path, Shown<'_>)> = Vec::new();
    mounts.extend(options.bind.iter().map(|bind| (bind.target.as_path(), Shown::Writable(&bind.source))));
    mounts.extend(options.ro_bind.iter().map(|bind| (bind.target.as_path(), Shown::ReadOnly(&bind.source))));
    mounts.extend(options.tmpfs.iter().map(|tmpfs| (tmpfs.target.as_path(), Shown::Memory(tmpfs.size))));
    mounts.sort_by_key(|(target, _)| target.components().count());
    for (target, shown) in mounts {
        match shown {
            Shown::Writable(source) => command.bind(source, target),
            Shown::ReadOnly(source) => command.bind_read_only(source, target),
            Shown::Memory(size) => command.tmpfs(target, size),
        };
    }
    Ok(())
}

/// What is mounted.
enum Shown<'a> {
    Writable(&'a std::path::Path),
    ReadOnly(&'a std::path::Path),
    Memory(Option<u64>),
}

fn surroundings(command: &mut Command, options: &Surroundings) {
    let shared = shared(options);
    command.share(shared).init(options.init);
    match &options.hostname {
        Some(name) => command.hostname(name),
        None if shared.contains(Namespaces::UTS) => command,
        None => command.hostname(HOSTNAME),
    };
    for (name, value) in &options.sysctl {
        command.sysctl(name, value);
    }
    if let Some(offset) = options.time_offset {
        command.time_offsets(offset, offset);
    }
}

fn identity(command: &mut Command, options: &Identity, shares_user: bool) -> Result<(), Failure> {
    let (uid_map, gid_map) = maps(options, shares_user)?;
    uid_map.map(|map| command.uid_map(map));
    gid_map.map(|map| command.gid_map(map));
    options.uid.map(|uid| command.user(uid));
    options.gid.map(|gid| command.group(gid));
    if options.cap_add.is_empty() && options.cap_drop.is_empty() {
        return Ok(());
    }
    let join = |sets: &[CapabilitySet]| sets.iter().fold(0, |all, set| all | set.bits());
    let (add, drop) = (join(&options.cap_add), join(&options.cap_drop));
    let most = CapabilitySet::from_bits((DEFAULT_CAPABILITIES.bits() & !drop) | add);
    match options.uid {
        None | Some(0) => command.capabilities(most),
        // Another user has those that were asked for, and keeps them over an exec.
        Some(_) => {
            let own = CapabilitySet::from_bits(add);
            let sets = Capabilities {
                permitted: own,
                effective: own,
                inheritable: own,
                ambient: own,
                bounding: most,
            };
            command.capability_sets(sets)
        }
    };
    Ok(())
}

/// The id maps that differ from the facade's.
fn maps(options: &Identity, shares_user: bool) -> Result<(Option<IdMap>, Option<IdMap>), Failure> {
    if options.subids {
        let caller = Caller::current()?;
        let (uid, gid) = (lent(caller.euid, &caller.subuid)?, lent(caller.egid, &caller.subgid)?);
        return Ok((Some(uid), Some(gid)));
    }
    let (mut uid_map, mut gid_map) = (options.uid_map.clone(), options.gid_map.clone());
    let (euid, egid) = (rustix::process::geteuid(), rustix::process::getegid());
    if !euid.is_root() && !shares_user {
        // An ordinary user can be one id inside: the one that was asked for.
        let single = |id: u32, own: u32| IdMap::single(InsideId::new(id), OutsideId::new(own));
        if let (None, Some(uid)) = (&uid_map, options.uid) {
            uid_map = Some(single(uid, euid.as_raw())?);
        }
        if let (None, Some(gid)) = (&gid_map, options.gid) {
            gid_map = Some(single(gid, egid.as_raw())?);
        }
    }
    Ok((uid_map, gid_map))
}

/// 0 is the caller, then come the lent ranges.
fn lent(own: u32, ranges: &[SubIdRange]) -> Result<IdMap, Failure> {
    if ranges.is_empty() {
        return Err(Failure::new("--subids: /etc/subuid or /etc/subgid lends the caller no ids"));
    }
    let fault = |error| Failure::from(cofferdam::namespaces::Error::from(error));
    let mut all = vec![IdRange::new(InsideId::new(0), OutsideId::new(own), 1).map_err(fault)?];
    let mut next = 1_u32;
    for range in ranges {
        all.push(IdRange::new(InsideId::new(next), OutsideId::new(range.first), range.count).map_err(fault)?);
        next = next.saturating_add(range.count);
    }
    Ok(IdMap::new(all)?)
}

/// The limits as settings of a cgroup.
pub fn limits(options: &Limits) -> Resources {
    let mut limits = Resources::new();
    if let Some(bytes) = options.memory {
        // Who limits memory does not want it to go to the disk instead. Without swap there is nothing to limit.
        limits = limits.must(Memory::max(bytes)).if_available(Memory::Swap(Limit::Value(Bytes(0))));
    }
    if let Some(count) = options.pids {
        limits = limits.must(Setting::Pids(Limit::Value(count)));
    }
    if let Some(count) = options.cpus {
        limits = limits.must(Cpu::cpus(count));
    }
    options.limit.iter().cloned().fold(limits, Resources::must)
}

fn policy(options: &Limits) -> LimitPolicy {
    match options.limits {
        Policy::Required => LimitPolicy::Required,
        Policy::IfAvailable => LimitPolicy::IfAvailable,
        Policy::None => LimitPolicy::None,
    }
}

fn process(command: &mut Command, options: &Process) {
    if options.inherit_env {
        command.inherit_env();
    }
    for variable in &options.env {
        let value = variable.value.clone().or_else(|| std::env::var_os(&variable.name));
        value.map(|value| command.env(&variable.name, value));
    }
    if let Some(dir) = &options.workdir {
        command.current_dir(dir);
    }
    for limit in &options.rlimit {
        command.rlimit(limit.resource, limit.soft, limit.hard);
    }
    if let Some(timeout) = options.timeout {
        command.timeout(timeout);
    }
}
