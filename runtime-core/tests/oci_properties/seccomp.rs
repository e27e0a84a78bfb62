//! Filters, with the program that takes the listener.

use std::io::IoSliceMut;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use serde_json::{Value, json};

use super::common::bundle::busybox;
use super::common::can_isolate;
use super::{bundle, inside};
use crate::require;

const MKDIR: [&str; 2] = ["mkdir", "mkdirat"];

/// How making a directory ends, under this rule.
fn made(rule: Value, default: Value) -> String {
    let script = "mkdir /dev/x 2>&1; echo $?";
    inside(script, |config| {
        let mut filter = json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule] });
        filter.as_object_mut().expect("an object").extend(default.as_object().expect("an object").clone());
        config["linux"]["seccomp"] = filter;
    })
}

#[test]
fn each_action_does_what_it_says() {
    require!(busybox().is_some() && can_isolate(), "a static busybox and namespaces");
    let with = |action: &str, errno: Value| {
        let mut rule = json!({ "names": MKDIR, "action": action });
        if errno.is_number() {
            rule["errnoRet"] = errno;
        }
        made(rule, json!({}))
    };
    let refused = |reason: &str| format!("mkdir: can't create directory '/dev/x': {reason}\n1\n");
    assert_eq!(with("SCMP_ACT_ALLOW", Value::Null), "0\n");
    assert_eq!(with("SCMP_ACT_LOG", Value::Null), "0\n");
    assert_eq!(with("SCMP_ACT_ERRNO", Value::Null), refused("Operation not permitted"));
    assert_eq!(with("SCMP_ACT_ERRNO", json!(libc_errno::ENOSPC)), refused("No space left on device"));
    assert_eq!(with("SCMP_ACT_TRACE", json!(7)), refused("Function not implemented"));
    // 128 and SIGSYS; the shell says so too.
    for action in ["SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_TRAP"] {
        let text = with(action, Value::Null);
        assert!(text.ends_with("159\n"), "{action}: {text}");
    }
}

/// Numbers of errors.
mod libc_errno {
    pub const ENOSPC: i32 = rustix::io::Errno::NOSPC.raw_os_error();
    pub const EXDEV: i32 = rustix::io::Errno::XDEV.raw_os_error();
}

#[test]
fn what_no_rule_allows_has_the_errno_of_the_default() {
    require!(busybox().is_some() && can_isolate(), "a static busybox and namespaces");
    // Every call but those: the default is an error for what has no rule.
    let calls: Vec<&str> = CALLS.split(' ').collect();
    let rule = json!({ "names": calls, "action": "SCMP_ACT_ALLOW" });
    let default = json!({ "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": libc_errno::EXDEV });
    let text = made(rule, default);
    assert_eq!(text, "mkdir: can't create directory '/dev/x': Invalid cross-device link\n1\n");
}

/// What a shell and its programs call.
const CALLS: &str = "access arch_prctl brk chdir clone clone3 close dup dup2 dup3 execve execveat exit exit_group \
    faccessat faccessat2 fcntl fork fstat futex getcwd getdents64 getegid geteuid getgid getpgid \
    getpgrp getpid getppid getrandom getrlimit gettid getuid ioctl lseek lstat mmap mprotect munmap \
    newfstatat open openat pipe pipe2 poll ppoll prctl prlimit64 read readlink readlinkat rseq \
    rt_sigaction rt_sigprocmask rt_sigreturn rt_sigsuspend sendto recvfrom sendmsg recvmsg \
    set_robust_list set_tid_address setgid setpgid setsid setuid sigaltstack stat statx sysinfo \
    tgkill time umask uname vfork wait4 waitid write writev capset seccomp pselect6";

#[test]
fn arguments_decide_by_every_operator() {
    require!(busybox().is_some() && can_isolate(), "a static busybox and namespaces");
    // The shell sends signal 0 to itself: kill(pid, signal) with the signal as the second argument.
    let refused = |op: &str, value: u64, two: u64, signal: u64| {
        let script = format!("kill -{signal} $$ 2> /dev/null && echo made || echo refused");
        inside(&format!("trap '' USR1 USR2; {script}"), |config| {
            config["linux"]["seccomp"] = json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{
                "names": ["kill"], "action": "SCMP_ACT_ERRNO",
                "args": [{ "index": 1, "value": value, "valueTwo": two, "op": op }],
            }] });
        }) == "refused\n"
    };
    // USR1 is 10 and USR2 12.
    for (op, value, two, ten, twelve) in [
        ("SCMP_CMP_EQ", 10, 0, true, false),
        ("SCMP_CMP_NE", 10, 0, false, true),
        ("SCMP_CMP_LT", 12, 0, true, false),
        ("SCMP_CMP_LE", 10, 0, true, false),
        ("SCMP_CMP_GT", 10, 0, false, true),
        ("SCMP_CMP_GE", 12, 0, false, true),
        ("SCMP_CMP_MASKED_EQ", 4, 4, false, true),
    ] {
        assert_eq!([refused(op, value, two, 10), refused(op, value, two, 12)], [ten, twelve], "{op}");
    }
}

/// What came over a connection: the text, and how many descriptors.
fn receive(stream: &UnixStream) -> (Vec<u8>, Vec<OwnedFd>) {
    let (mut bytes, mut descriptors) = (Vec::new(), Vec::new());
    loop {
        let mut buffer = [0; 4096];
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut slices = [IoSliceMut::new(&mut buffer)];
        let flags = RecvFlags::CMSG_CLOEXEC;
        let count = recvmsg(stream, &mut slices, &mut ancillary, flags).expect("a message").bytes;
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(received) = message {
                descriptors.extend(received);
            }
        }
        if count == 0 {
            return (bytes, descriptors);
        }
        bytes.extend_from_slice(&buffer[..count]);
    }
}

#[test]
fn the_listener_is_handed_over_with_the_state_and_the_metadata() {
    require!(busybox().is_some() && can_isolate(), "a static busybox and namespaces");
    let mut bundle = bundle("exit 0", |_| {});
    let path = bundle.path().join("agent");
    let agent = UnixListener::bind(&path).expect("a socket");
    bundle.config["linux"]["seccomp"] = json!({
        "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": path, "listenerMetadata": "for the agent",
        "flags": ["SECCOMP_FILTER_FLAG_LOG"], "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
        "syscalls": [{ "names": ["swapon"], "action": "SCMP_ACT_NOTIFY" }],
    });
    let taker = std::thread::spawn(move || receive(&agent.accept().expect("a connection").0));
    let mut container = bundle.create("box").unwrap_or_else(|error| panic!("{error}"));
    let pid = container.pid();
    container.start().unwrap_or_else(|error| panic!("{error}"));
    let (bytes, descriptors) = taker.join().expect("a message");
    let said: Value = serde_json::from_slice(&bytes).expect("JSON");
    assert_eq!(descriptors.len(), 1);
    assert_eq!((&said["fds"], &said["metadata"]), (&json!(["seccompFd"]), &json!("for the agent")));
    assert_eq!((&said["pid"], &said["state"]["pid"]), (&json!(pid), &json!(pid)));
    assert_eq!((&said["state"]["id"], &said["ociVersion"]), (&json!("box"), &said["state"]["ociVersion"]));
    assert_eq!(super::common::bundle::wait(&mut container), 0);
}
