//! Children that install a filter and do one thing.
#![allow(unsafe_code, reason = "processes are forked, and calls made that the C library would not make")]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_possible_wrap)]

use cofferdam_seccomp::{Handler, Listener, Profile, install, set_no_new_privs};
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// How a child ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    Code(i32),
    Signal(i32),
}

/// What a child ends with if it could not install its filter.
const NOT_INSTALLED: i32 = 250;

/// One call, as it stands.
pub fn syscall(number: i64, arguments: [u64; 6]) -> i64 {
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: the tests make calls with arguments that are numbers, or pointers to constants.
    unsafe { libc::syscall(number, a, b, c, d, e, f) }
}

/// A call as programs of 32 bits make it.
#[cfg(target_arch = "x86_64")]
pub fn call_32_bit(number: i32, first: i32, second: i32) -> i32 {
    let result: i32;
    // SAFETY: the tests make calls without pointers, or with null. The register that the compiler keeps for itself is given
    // back, and those that old kernels clear are said to be lost.
    unsafe {
        std::arch::asm!(
            "xchg {first}, rbx",
            "int 0x80",
            "xchg {first}, rbx",
            first = inout(reg) i64::from(first) => _,
            inlateout("eax") number => result,
            in("ecx") second,
            in("edx") 0,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
    result
}

/// The errno of a call that failed, or 0.
pub fn errno_of(result: i64) -> i32 {
    if result == -1 { std::io::Error::last_os_error().raw_os_error().unwrap_or(0) } else { 0 }
}

pub fn kill(pid: u32) {
    // SAFETY: a signal to a child of this test.
    assert_eq!(unsafe { libc::kill(pid as i32, libc::SIGKILL) }, 0);
    // It is dead when its state says so: the call that waits ends with it.
    let state = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    while !state().contains(") Z") {
        std::thread::yield_now();
    }
}

fn exit(code: i32) -> ! {
    // SAFETY: ends the child without anything of the test program being run.
    unsafe { libc::_exit(code) }
}

fn wait(pid: i32) -> Ended {
    let mut status = 0;
    // SAFETY: waits for a child of this test.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    if libc::WIFSIGNALED(status) {
        Ended::Signal(libc::WTERMSIG(status))
    } else {
        Ended::Code(libc::WEXITSTATUS(status))
    }
}

/// Runs something under the filter of a profile; what it returns is the exit code.
pub fn in_child(profile: &Profile, body: impl Fn() -> i32) -> Ended {
    let filter = profile.compile().expect("a filter");
    // SAFETY: the child makes plain calls only and ends without returning.
    match unsafe { libc::fork() } {
        0 => match set_no_new_privs().and_then(|()| install(&filter)) {
            Ok(_) => exit(body()),
            Err(_) => exit(NOT_INSTALLED),
        },
        pid => wait(pid),
    }
}

/// The same where a handler of this process decides about calls, until the child ended. Its PID is told.
pub fn served(profile: &Profile, handler: &mut dyn Handler, body: impl Fn() -> i32) -> (Ended, u32) {
    let filter = profile.compile().expect("a filter");
    let (mut ours, theirs) = UnixStream::pair().expect("a socket");
    // SAFETY: as above.
    let pid = match unsafe { libc::fork() } {
        0 => match set_no_new_privs().and_then(|()| install(&filter)) {
            Ok(Some(listener)) => {
                let number = std::os::fd::AsFd::as_fd(&listener).as_raw_fd() as u8;
                // SAFETY: one byte of a local variable.
                unsafe { libc::write(theirs.as_raw_fd(), (&raw const number).cast(), 1) };
                // The parent takes the listener, and says so.
                let mut byte = 0_u8;
                // SAFETY: one byte of a local variable.
                unsafe { libc::read(theirs.as_raw_fd(), (&raw mut byte).cast(), 1) };
                drop(listener);
                exit(body())
            }
            _ => exit(NOT_INSTALLED),
        },
        pid => pid,
    };
    drop(theirs);
    let mut number = [0];
    ours.read_exact(&mut number).expect("the number of the listener");
    let listener = Listener::from(take(pid, i32::from(number[0])));
    ours.write_all(&[0]).expect("a child that waits");
    let served = listener.serve(handler);
    let ended = wait(pid);
    served.expect("served until the end");
    (ended, pid as u32)
}

/// A copy of a descriptor of a child.
fn take(pid: i32, fd: i32) -> OwnedFd {
    let pidfd = syscall(libc::SYS_pidfd_open, [pid as u64, 0, 0, 0, 0, 0]);
    let taken = syscall(libc::SYS_pidfd_getfd, [pidfd as u64, fd as u64, 0, 0, 0, 0]);
    assert!(taken >= 0, "pidfd_getfd: {}", std::io::Error::last_os_error());
    // SAFETY: both are new and nobody else's.
    let (_pidfd, taken) = unsafe { (OwnedFd::from_raw_fd(pidfd as i32), OwnedFd::from_raw_fd(taken as i32)) };
    taken
}
