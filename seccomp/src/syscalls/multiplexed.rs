//! Calls that old architectures have behind one number: `socketcall(2)` and `ipc(2)`.

/// The call that others are behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outer {
    /// `socketcall`, whose first argument is an `int`.
    SocketCall,
    /// `ipc`, whose first argument has a version in the high half of its `int`.
    Ipc,
}

impl Outer {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::SocketCall => "socketcall",
            Self::Ipc => "ipc",
        }
    }

    /// Which bits of the first argument say what is called.
    pub(super) fn mask(self) -> u64 {
        match self {
            Self::SocketCall => 0xffff_ffff,
            Self::Ipc => 0xffff,
        }
    }
}

/// What is behind them, sorted by name, and by which numbers (`linux/net.h`, `linux/ipc.h`).
const INNER: [(&str, Outer, u64); 32] = [
    ("accept", Outer::SocketCall, 5),
    ("accept4", Outer::SocketCall, 18),
    ("bind", Outer::SocketCall, 2),
    ("connect", Outer::SocketCall, 3),
    ("getpeername", Outer::SocketCall, 7),
    ("getsockname", Outer::SocketCall, 6),
    ("getsockopt", Outer::SocketCall, 15),
    ("listen", Outer::SocketCall, 4),
    ("msgctl", Outer::Ipc, 14),
    ("msgget", Outer::Ipc, 13),
    ("msgrcv", Outer::Ipc, 12),
    ("msgsnd", Outer::Ipc, 11),
    ("recv", Outer::SocketCall, 10),
    ("recvfrom", Outer::SocketCall, 12),
    ("recvmmsg", Outer::SocketCall, 19),
    ("recvmsg", Outer::SocketCall, 17),
    ("semctl", Outer::Ipc, 3),
    ("semget", Outer::Ipc, 2),
    ("semop", Outer::Ipc, 1),
    ("semtimedop", Outer::Ipc, 4),
    ("send", Outer::SocketCall, 9),
    ("sendmmsg", Outer::SocketCall, 20),
    ("sendmsg", Outer::SocketCall, 16),
    ("sendto", Outer::SocketCall, 11),
    ("setsockopt", Outer::SocketCall, 14),
    ("shmat", Outer::Ipc, 21),
    ("shmctl", Outer::Ipc, 24),
    ("shmdt", Outer::Ipc, 22),
    ("shmget", Outer::Ipc, 23),
    ("shutdown", Outer::SocketCall, 13),
    ("socket", Outer::SocketCall, 1),
    ("socketpair", Outer::SocketCall, 8),
];

/// What a call is behind, and by which number.
pub(super) fn outer(name: &str) -> Option<(Outer, u64)> {
    let at = INNER.binary_search_by_key(&name, |(inner, _, _)| inner).ok()?;
    INNER.get(at).map(|(_, outer, value)| (*outer, *value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_behind_a_call_is_sorted_and_complete() {
        assert!(INNER.is_sorted_by(|a, b| a.0 < b.0));
        let mut numbers: Vec<u64> = INNER
            .iter()
            .filter(|(_, outer, _)| *outer == Outer::SocketCall)
            .map(|(_, _, number)| *number)
            .collect();
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(1..=20));
        assert_eq!(outer("shmctl"), Some((Outer::Ipc, 24)));
        assert_eq!(outer("read"), None);
    }
}
