//! Which kernel parameters belong to a namespace.

use crate::{Error, Namespaces};

/// Parameters that belong to a kind of namespace; those that end in a dot with all below them.
const OWNED: [(&str, Namespaces); 17] = [
    ("net.", Namespaces::NET),
    ("user.", Namespaces::USER),
    ("fs.mqueue.", Namespaces::IPC),
    ("kernel.auto_msgmni", Namespaces::IPC),
    ("kernel.msg_next_id", Namespaces::IPC),
    ("kernel.msgmax", Namespaces::IPC),
    ("kernel.msgmnb", Namespaces::IPC),
    ("kernel.msgmni", Namespaces::IPC),
    ("kernel.sem", Namespaces::IPC),
    ("kernel.sem_next_id", Namespaces::IPC),
    ("kernel.shm_next_id", Namespaces::IPC),
    ("kernel.shm_rmid_forced", Namespaces::IPC),
    ("kernel.shmall", Namespaces::IPC),
    ("kernel.shmmax", Namespaces::IPC),
    ("kernel.shmmni", Namespaces::IPC),
    ("kernel.domainname", Namespaces::UTS),
    ("kernel.hostname", Namespaces::UTS),
];

/// Refuses what would change the host, or a namespace that the program shares. `own`: which it does not.
pub(crate) fn validate(name: &str, value: &str, own: Namespaces) -> Result<(), Error> {
    check(name, value, own).map_err(|reason| Error::invalid("sysctl", name, reason))
}

/// As [`validate`], with only the reason.
pub(crate) fn check(name: &str, value: &str, own: Namespaces) -> Result<(), &'static str> {
    let wrong = Err;
    if value.contains('\0') || name.contains('\0') {
        return wrong("contains a NUL byte");
    }
    if name.split(['.', '/']).any(str::is_empty) {
        return wrong("is no name of a kernel parameter");
    }
    match owner(name) {
        None => wrong("belongs to no namespace: it would change the host"),
        Some(kind) if !own.contains(kind) => wrong("belongs to a namespace that is not new"),
        Some(_) => Ok(()),
    }
}

/// The kind of namespace that a parameter belongs to.
pub(crate) fn owner(name: &str) -> Option<Namespaces> {
    // The first separator decides which of the two it is; both forms have the same first components.
    let dotted = name.replace('/', ".");
    let is = |known: &str| match known.ends_with('.') {
        true => dotted.starts_with(known),
        false => dotted == known,
    };
    OWNED.iter().find(|(known, _)| is(known)).map(|(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(name: &str, own: Namespaces) -> Option<&'static str> {
        match validate(name, "1", own) {
            Err(Error::Invalid { reason, .. }) => Some(reason),
            _ => None,
        }
    }

    #[test]
    fn takes_only_what_belongs_to_a_new_namespace() {
        let all = Namespaces::all();
        for name in
            ["net.ipv4.ip_forward", "net/ipv4/conf/eth0.1/forwarding", "kernel.shmmax", "fs.mqueue.msg_max"]
        {
            assert_eq!(refused(name, all), None, "{name}");
        }
        for name in
            ["kernel.core_pattern", "vm.swappiness", "kernel.shmmax.more", "network.x", "net", "net..x", ""]
        {
            assert!(refused(name, all).is_some(), "{name}");
        }
        let shared = Namespaces::all().without(Namespaces::NET);
        assert!(refused("net.ipv4.ip_forward", shared).is_some());
    }
}
