//! What has to hold before anything is done.

use rustix::process::{getegid, geteuid, getgid, getuid};
use rustix::thread::capabilities;

use crate::failure::Failure;

/// The entry of the auxiliary vector that says whether the program was executed with more privileges than its caller has.
const AT_SECURE: u64 = 23;

/// Refuses to run set-user-id, set-group-id or with capabilities of the file: whoever calls would command the files and
/// processes of somebody else.
pub fn check() -> Result<(), Failure> {
    let ids_differ = getuid() != geteuid() || getgid() != getegid();
    let secure = match std::fs::read("/proc/self/auxv") {
        Ok(vector) => is_secure(&vector),
        // Its own file is closed to an ordinary user who has gained capabilities.
        Err(_) => !geteuid().is_root() && capabilities(None).is_ok_and(|sets| !sets.permitted.is_empty()),
    };
    if ids_differ || secure {
        return Err(Failure::new(
            "refusing to run with privileges that the caller does not have (set-user-id)",
        ));
    }
    Ok(())
}

fn is_secure(vector: &[u8]) -> bool {
    let word = |bytes: &[u8]| bytes.try_into().map(usize::from_ne_bytes).map_or(0, |word| word as u64);
    let (size, pair) = (size_of::<usize>(), 2 * size_of::<usize>());
    vector.chunks_exact(pair).any(|entry| word(&entry[..size]) == AT_SECURE && word(&entry[size..]) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_says_whether_privileges_were_gained() {
        let vector = |value: usize| -> Vec<u8> {
            [6, 4096, 23, value, 0, 0].iter().flat_map(|word: &usize| word.to_ne_bytes()).collect()
        };
        assert!(is_secure(&vector(1)));
        assert!(!is_secure(&vector(0)) && !is_secure(b"") && !is_secure(b"\x17"));
    }
}
