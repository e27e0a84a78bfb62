//! What the kernel makes of filters, each in a child of its own.
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_possible_wrap)]

mod common;
mod kernel_child;

use cofferdam_seccomp::{
    Action, Architecture, Comparison, Condition, Error, Flags, Notification, Profile, Response,
};
use kernel_child::{Ended, errno_of, in_child, served, syscall};
use std::fs::File;
use std::os::fd::OwnedFd;

const EPERM: Action = Action::Errno(1);

#[test]
fn a_refused_call_has_the_errno_of_the_rule() {
    let profile = Profile::new(Action::Allow).rule(Action::Errno(libc::ENODATA as u16), ["getpid"]);
    let ended = in_child(&profile, || errno_of(syscall(libc::SYS_getpid, [0; 6])));
    assert_eq!(ended, Ended::Code(libc::ENODATA));
}

#[test]
fn an_argument_decides_with_all_its_bits() {
    let conditions = [Condition::new(0, Comparison::Eq(1 << 40 | 3))];
    let profile = Profile::new(Action::Allow).rule_if(EPERM, ["lseek"], conditions);
    let refused = in_child(&profile, || errno_of(syscall(libc::SYS_lseek, [1 << 40 | 3, 0, 0, 0, 0, 0])));
    assert_eq!(refused, Ended::Code(libc::EPERM));
    let made = in_child(&profile, || errno_of(syscall(libc::SYS_lseek, [1 << 40 | 999, 0, 0, 0, 0, 0])));
    assert_eq!(made, Ended::Code(libc::EBADF));
}

#[test]
fn a_kill_is_a_bad_system_call() {
    for action in [Action::KillProcess, Action::KillThread, Action::Trap] {
        let profile = Profile::new(Action::Allow).rule(action, ["getppid"]);
        let ended = in_child(&profile, || errno_of(syscall(libc::SYS_getppid, [0; 6])));
        assert_eq!(ended, Ended::Signal(libc::SIGSYS), "{action:?}");
    }
}

#[test]
fn a_logged_call_is_made() {
    let profile = Profile::new(Action::Allow).rule(Action::Log, ["getppid"]);
    let ended = in_child(&profile, || i32::from(syscall(libc::SYS_getppid, [0; 6]) > 0));
    assert_eq!(ended, Ended::Code(1));
}

#[test]
fn a_traced_call_without_a_tracer_is_not_there() {
    let profile = Profile::new(Action::Allow).rule(Action::Trace(7), ["getppid"]);
    let ended = in_child(&profile, || errno_of(syscall(libc::SYS_getppid, [0; 6])));
    assert_eq!(ended, Ended::Code(libc::ENOSYS));
}

#[test]
fn a_call_newer_than_the_profile_is_not_there() {
    let profile = Profile::new(EPERM).rule(Action::Allow, ["exit_group", "openat2"]);
    let ended = in_child(&profile, || errno_of(syscall(2_000, [0; 6])));
    assert_eq!(ended, Ended::Code(libc::ENOSYS));
    let ended = in_child(&profile, || errno_of(syscall(libc::SYS_getppid, [0; 6])));
    assert_eq!(ended, Ended::Code(libc::EPERM));
}

#[test]
fn the_default_profile_lets_a_program_run_and_refuses_what_it_should() {
    let profile = Profile::default_for(0);
    let socket = |family: u64| move || errno_of(syscall(libc::SYS_socket, [family, 2, 0, 0, 0, 0]));
    assert_eq!(in_child(&profile, socket(1)), Ended::Code(0));
    let alg = u64::from(libc::AF_ALG.unsigned_abs());
    assert_eq!(in_child(&profile, socket(alg)), Ended::Code(libc::EPERM));
    // The kernel takes an int: the high half is not looked at there, but here.
    assert_eq!(in_child(&profile, socket(alg | 1 << 32)), Ended::Code(libc::EPERM));
    let unshare = || errno_of(syscall(libc::SYS_unshare, [0x1000_0000, 0, 0, 0, 0, 0]));
    assert_eq!(in_child(&profile, unshare), Ended::Code(libc::EPERM));
    let clone = || errno_of(syscall(libc::SYS_clone, [0x1000_0000 | 17, 0, 0, 0, 0, 0]));
    assert_eq!(in_child(&profile, clone), Ended::Code(libc::EPERM));
    assert_eq!(in_child(&profile, || errno_of(syscall(libc::SYS_clone3, [0; 6]))), Ended::Code(libc::ENOSYS));
    for call in [
        libc::SYS_io_uring_setup,
        libc::SYS_userfaultfd,
        libc::SYS_keyctl,
        libc::SYS_add_key,
        libc::SYS_request_key,
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_fsopen,
        libc::SYS_open_tree,
        libc::SYS_mount,
        libc::SYS_kexec_load,
        libc::SYS_init_module,
        libc::SYS_swapon,
        libc::SYS_chroot,
        libc::SYS_setns,
    ] {
        assert_eq!(
            in_child(&profile, || errno_of(syscall(call, [0; 6]))),
            Ended::Code(libc::EPERM),
            "{call}"
        );
    }
}

/// Why the default profile has a list of families, and no condition against one: the positive control.
#[test]
fn a_condition_against_one_number_is_passed_with_a_high_bit() {
    let alg = u64::from(libc::AF_ALG.unsigned_abs());
    let not = Condition::new(0, Comparison::Ne(alg));
    let naive = Profile::new(Action::Allow)
        .rule_if(EPERM, ["socket"], [Condition::new(0, Comparison::Eq(alg))])
        .rule_if(Action::Allow, ["socket"], [not]);
    let socket = |family: u64| move || errno_of(syscall(libc::SYS_socket, [family, 5, 0, 0, 0, 0]));
    assert_eq!(in_child(&naive, socket(alg)), Ended::Code(libc::EPERM));
    let Ended::Code(code) = in_child(&naive, socket(alg | 1 << 32)) else { panic!("killed") };
    assert!([0, libc::EAFNOSUPPORT].contains(&code), "the kernel was asked for the socket, and said {code}");
}

#[test]
fn a_handler_decides_with_values_errnos_and_descriptors() {
    let profile =
        Profile::new(Action::Allow).rule(Action::Notify, ["getppid", "mkdirat", "openat2", "sched_yield"]);
    let mut seen = Vec::new();
    let mut handler = |notification: &Notification<'_>| {
        let name = notification.name().expect("a name");
        seen.push((name, notification.pid()));
        assert!(notification.is_valid().expect("a listener"));
        match name {
            "getppid" => Response::Value(4711),
            "mkdirat" => {
                let path = notification.read_string(notification.arguments()[1]).expect("a path");
                assert_eq!(path, b"/where/ever");
                Response::Errno(libc::EDQUOT as u16)
            }
            "openat2" => {
                let fd = OwnedFd::from(File::open("/proc/self/comm").expect("a file"));
                Response::AddFd { fd, close_on_exec: true }
            }
            _ => Response::Continue,
        }
    };
    let child = || {
        let path = c"/where/ever".as_ptr().addr() as u64;
        let fd = syscall(libc::SYS_openat2, [0; 6]);
        let flags = syscall(libc::SYS_fcntl, [fd as u64, libc::F_GETFD as u64, 0, 0, 0, 0]);
        let good = syscall(libc::SYS_getppid, [0; 6]) == 4711
            && errno_of(syscall(libc::SYS_mkdirat, [0, path, 0, 0, 0, 0])) == libc::EDQUOT
            && fd > 2
            && flags == i64::from(libc::FD_CLOEXEC)
            && syscall(libc::SYS_sched_yield, [0; 6]) == 0;
        i32::from(good)
    };
    let (ended, pid) = served(&profile, &mut handler, child);
    assert_eq!(ended, Ended::Code(1));
    assert_eq!(seen, ["openat2", "getppid", "mkdirat", "sched_yield"].map(|name| (name, pid)));
}

#[test]
fn what_is_found_out_about_a_killed_process_does_not_count() {
    let profile = Profile::new(Action::Allow).rule(Action::Notify, ["mkdirat"]);
    let mut handler = |notification: &Notification<'_>| {
        kernel_child::kill(notification.pid());
        let gone = format!("notification {}: the call waits no more", notification.id());
        let mut byte = [0];
        let error = notification.read(notification.arguments()[1], &mut byte).expect_err("gone").to_string();
        assert_eq!(error, gone);
        let fd = File::open("/dev/null").expect("a file");
        let error = notification.add_fd(std::os::fd::AsFd::as_fd(&fd), None, true).expect_err("gone");
        assert!(matches!(error, Error::Gone { .. }), "{error}");
        Response::Continue
    };
    let path = || syscall(libc::SYS_mkdirat, [0, c"/x".as_ptr().addr() as u64, 0, 0, 0, 0]) as i32;
    let (ended, _) = served(&profile, &mut handler, path);
    assert_eq!(ended, Ended::Signal(libc::SIGKILL));
}

#[test]
fn the_kernel_takes_all_flags_together() {
    let mut profile = Profile::new(Action::Allow).rule(Action::Notify, ["mkdirat"]);
    profile.flags.log = true;
    profile.flags.spec_allow = true;
    profile.flags.tsync = true;
    profile.flags.wait_killable_recv = Flags::supported().wait_killable_recv;
    let mut handler = |_: &Notification<'_>| Response::Errno(libc::ENOTDIR as u16);
    let make = || errno_of(syscall(libc::SYS_mkdirat, [0; 6]));
    assert_eq!(served(&profile, &mut handler, make).0, Ended::Code(libc::ENOTDIR));
    profile.rules.clear();
    assert_eq!(in_child(&profile, || 7), Ended::Code(7));
}

#[cfg(target_arch = "x86_64")]
#[test]
fn calls_of_32_bits_are_another_architecture() {
    // getpid, of a kernel that may not have such calls at all.
    let mut both = Profile::new(Action::Allow);
    both.architectures = vec![Architecture::X86_64, Architecture::X86];
    match in_child(&both, || i32::from(kernel_child::call_32_bit(20, 0, 0) > 0)) {
        Ended::Code(1) => {}
        ended => skip!("this kernel makes no calls of 32 bits: {ended:?}"),
    }
    let alone = Profile::new(Action::Allow);
    assert_eq!(in_child(&alone, || kernel_child::call_32_bit(20, 0, 0)), Ended::Signal(libc::SIGSYS));
    // socketcall(SYS_SOCKET): the default profile lets no family be hidden in memory; socket says which it is.
    let default = Profile::default_for(0);
    let socketcall = || -kernel_child::call_32_bit(102, 1, 0);
    assert_eq!(in_child(&default, socketcall), Ended::Code(libc::EPERM));
    let alg = || -kernel_child::call_32_bit(359, libc::AF_ALG, libc::SOCK_SEQPACKET);
    assert_eq!(in_child(&default, alg), Ended::Code(libc::EPERM));
    let unix = || i32::from(kernel_child::call_32_bit(359, libc::AF_UNIX, libc::SOCK_STREAM) > 0);
    assert_eq!(in_child(&default, unix), Ended::Code(1));
    let makes_sockets = Condition::new(0, Comparison::Eq(1));
    let again = default.rule_if(Action::Allow, ["socketcall"], [makes_sockets]);
    assert_eq!(in_child(&again, socketcall), Ended::Code(libc::EFAULT));
}
