//! Calls that old architectures have behind one number: `socketcall(2)` and `ipc(2)`.

use crate::{Architecture, syscalls};

/// The call that stands for several others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Multiplexer {
    /// Its number.
    pub(crate) number: u32,
    /// Which bits of the first argument say what is called.
    pub(crate) mask: u64,
    /// What they say for the call that was asked for.
    pub(crate) value: u64,
}

/// By number, from 1 (`linux/net.h`).
const SOCKETCALL: [&str; 20] = [
    "socket",
    "bind",
    "connect",
    "listen",
    "accept",
    "getsockname",
    "getpeername",
    "socketpair",
    "send",
    "recv",
    "sendto",
    "recvfrom",
    "shutdown",
    "setsockopt",
    "getsockopt",
    "sendmsg",
    "recvmsg",
    "accept4",
    "recvmmsg",
    "sendmmsg",
];

/// `linux/ipc.h`.
const IPC: [(&str, u64); 12] = [
    ("semop", 1),
    ("semget", 2),
    ("semctl", 3),
    ("semtimedop", 4),
    ("msgsnd", 11),
    ("msgrcv", 12),
    ("msgget", 13),
    ("msgctl", 14),
    ("shmat", 21),
    ("shmdt", 22),
    ("shmget", 23),
    ("shmctl", 24),
];

/// How else this call can be made on the architecture.
pub(crate) fn multiplexed(architecture: Architecture, name: &str) -> Option<Multiplexer> {
    if let Some(index) = SOCKETCALL.iter().position(|call| *call == name) {
        let number = syscalls::number(architecture, "socketcall")?;
        // The kernel takes an `int`.
        let value = u64::try_from(index).ok()? + 1;
        return Some(Multiplexer { number, mask: 0xffff_ffff, value });
    }
    let (_, value) = IPC.iter().find(|(call, _)| *call == name)?;
    let number = syscalls::number(architecture, "ipc")?;
    // Above the number of the call stands a version.
    Some(Multiplexer { number, mask: 0xffff, value: *value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_of_x86_can_be_had_by_socketcall_too() {
        let found = multiplexed(Architecture::X86, "socket");
        assert_eq!(found, Some(Multiplexer { number: 102, mask: 0xffff_ffff, value: 1 }));
        let found = multiplexed(Architecture::S390x, "shmctl");
        assert_eq!(found, Some(Multiplexer { number: 117, mask: 0xffff, value: 24 }));
        assert_eq!(multiplexed(Architecture::X86_64, "socket"), None);
        assert_eq!(multiplexed(Architecture::Arm, "shmctl"), None);
        assert_eq!(multiplexed(Architecture::X86, "read"), None);
    }
}
