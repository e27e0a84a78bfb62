//! `linux.sysctl`: only what belongs to a namespace of the container, by its exact name.

use std::collections::{BTreeMap, HashMap};

use oci_spec::runtime::LinuxNamespaceType as Kind;

use super::super::place::{entry, quoted};
use super::spaces::Spaces;
use crate::oci::{Error, Result};
use crate::{Namespaces, sysctl};

const PLACE: &str = "linux.sysctl";

/// The path below `/proc/sys` of a parameter by one of its names: `net.ipv4.ip_forward`, `net/ipv4/ip_forward`. The first
/// separator decides which of the two it is; the other one then stands for a dot in the name of a device:
/// `net.ipv4.conf.eth0/1.forwarding`, `net/ipv4/conf/eth0.1/forwarding`.
///
/// `None` for what is no name, in particular for what would lead elsewhere.
fn sysctl_path(name: &str) -> Option<String> {
    let swap = |letter| match letter {
        '.' => '/',
        '/' => '.',
        other => other,
    };
    let dotted = name.find(['.', '/']).is_some_and(|first| name[first..].starts_with('.'));
    let path: String = if dotted { name.chars().map(swap).collect() } else { name.to_owned() };
    let good = path.contains('/')
        && path.split('/').all(|part| !part.is_empty() && !part.bytes().all(|byte| byte == b'.'))
        && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.:/@".contains(&byte));
    good.then_some(path)
}

/// The kind of namespace by the specification's name.
fn kind(owner: Namespaces) -> Option<Kind> {
    let kinds = [
        (Namespaces::NET, Kind::Network),
        (Namespaces::USER, Kind::User),
        (Namespaces::IPC, Kind::Ipc),
        (Namespaces::UTS, Kind::Uts),
    ];
    kinds.into_iter().find(|(namespace, _)| *namespace == owner).map(|(_, kind)| kind)
}

pub(super) fn check(parameters: Option<&HashMap<String, String>>, spaces: Spaces<'_>) -> Result<()> {
    let Some(parameters) = parameters else { return Ok(()) };
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    let sorted: BTreeMap<&String, &String> = parameters.iter().collect();
    for name in sorted.into_keys() {
        let Some(path) = sysctl_path(name) else {
            return Err(Error::config(PLACE, format!("{} is no name of a kernel parameter", quoted(name))));
        };
        let place = entry(PLACE, name);
        match sysctl::owner(&path).and_then(kind) {
            None => return Err(Error::config(place, "belongs to no namespace: it would change the host")),
            Some(kind) => spaces.require(kind, &place)?,
        }
        if let Some(other) = seen.insert(path, name) {
            return Err(Error::config(place, format!("is the same as {}", quoted(other))));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::{namespaces, table};
    use super::*;

    fn sysctl(name: &str) -> Value {
        json!({"linux": {"sysctl": {name: "1"}}})
    }

    #[test]
    fn a_name_becomes_one_path() {
        for (name, path) in [
            ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
            ("net/ipv4/ip_forward", "net/ipv4/ip_forward"),
            ("net.ipv4.conf.eth0/1.forwarding", "net/ipv4/conf/eth0.1/forwarding"),
            ("net/ipv4/conf/eth0.1/forwarding", "net/ipv4/conf/eth0.1/forwarding"),
        ] {
            assert_eq!(sysctl_path(name).as_deref(), Some(path), "{name}");
        }
        for name in [
            "",
            "net",
            ".",
            "/",
            "..",
            "net.",
            ".net.x",
            "net..x",
            "net/../kernel/core_pattern",
            "net.//.kernel.core_pattern",
            "net.ipv4.//./.kernel",
            "/net/x",
            "net/./x",
            "net x.y",
            "net.x\n",
            "net.x+y",
            "net.ipv4.\u{e9}",
            "net/x/..",
        ] {
            assert_eq!(sysctl_path(name), None, "{name}");
        }
    }

    #[test]
    fn only_parameters_of_the_containers_namespaces_are_set() {
        for name in [
            "net.core.somaxconn",
            "net/core/somaxconn",
            "fs.mqueue.msg_max",
            "kernel.shm_rmid_forced",
            "kernel.domainname",
        ] {
            table(vec![(sysctl(name), "")]);
        }
        for name in [
            "kernel.core_pattern",
            "kernel/core_pattern",
            "vm.swappiness",
            "kernel.shm_rmid_forced.x",
            "kernel.shm",
            "fs.mqueue",
            "network.x",
            "kernel.shm_rmid_forced/x",
            "dev.net.x",
            "netx.y",
        ] {
            let place = entry(PLACE, name);
            table(vec![(
                sysctl(name),
                &format!("{place}: belongs to no namespace: it would change the host"),
            )]);
        }
        for name in [
            "net/../kernel/core_pattern",
            "net.../../kernel/core_pattern",
            "kernel.shm_rmid_forced+kernel.core_pattern=x",
        ] {
            table(vec![(sysctl(name), &format!("linux.sysctl: {name:?} is no name of a kernel parameter"))]);
        }
    }

    #[test]
    fn a_parameter_needs_its_namespace() {
        let shared = |name: &str| json!({"hostname": null, "linux": {"namespaces": namespaces(&["pid"]), "sysctl": {name: "1"}}});
        for (name, kind) in [
            ("net.core.somaxconn", "network"),
            ("fs.mqueue.msg_max", "ipc"),
            ("kernel.hostname", "uts"),
            ("user.max_net_namespaces", "user"),
        ] {
            let text = format!("linux.sysctl[{name:?}]: the container has no {kind} namespace of its own");
            table(vec![(shared(name), &text)]);
        }
    }

    #[test]
    fn a_parameter_is_set_once() {
        let twice = json!({"linux": {"sysctl": {"net.core.somaxconn": "1", "net/core/somaxconn": "2"}}});
        table(vec![(twice, "linux.sysctl[\"net/core/somaxconn\"]: is the same as \"net.core.somaxconn\"")]);
    }
}
