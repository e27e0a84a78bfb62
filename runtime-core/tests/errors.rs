//! Bad input is refused before anything happens; what fails later is named.

mod common;

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;

use cofferdam::{ClockOffset, Command, Error, IdMap, Kind, Namespace, Namespaces, Resource, Root};
use common::{Box, can_isolate, shell};

/// A change of a command, and what is said about it.
type Case = (fn(&mut Command), &'static str);

const OFFSET: ClockOffset = ClockOffset { seconds: 0, nanoseconds: 1_000_000_000 };

const CASES: &[Case] = &[
    (
        |c| {
            c.arg("a\0b");
        },
        "argument \"a\\0b\" contains a NUL byte",
    ),
    (
        |c| {
            c.arg0("a\0b");
        },
        "argument \"a\\0b\" contains a NUL byte",
    ),
    (
        |c| {
            c.env("A", "\0");
        },
        "environment variable \"\\0\" contains a NUL byte",
    ),
    (
        |c| {
            c.env("A=B", "1");
        },
        "environment variable \"A=B\" is empty or contains =",
    ),
    (
        |c| {
            c.env("", "1");
        },
        "environment variable \"\" is empty or contains =",
    ),
    (
        |c| {
            c.current_dir("here");
        },
        "working directory \"here\" is not an absolute path",
    ),
    (
        |c| {
            c.root(Root::directory("here"));
        },
        "root \"here\" is not an absolute path",
    ),
    (
        |c| {
            c.root(Root::directory("/etc/passwd"));
        },
        "root /etc/passwd: ENOTDIR (Not a directory)",
    ),
    (
        |c| {
            c.root(Root::directory("/no/such"));
        },
        "root /no/such: ENOENT (No such file or directory)",
    ),
    (
        |c| {
            c.bind("x", "/tmp/x");
        },
        "bind source \"x\" is not an absolute path",
    ),
    (
        |c| {
            c.bind("/etc", "x");
        },
        "mount target \"x\" is not an absolute path",
    ),
    (
        |c| {
            c.bind("/no/such", "/tmp/x");
        },
        "bind source /no/such: ENOENT (No such file or directory)",
    ),
    (
        |c| {
            c.bind("/etc", "/tmp/../x");
        },
        "mount target \"/tmp/../x\" contains ..",
    ),
    (
        |c| {
            c.bind("/etc", "/");
        },
        "mount target \"/\" is the root: set that instead",
    ),
    (
        |c| {
            c.bind("/etc", "/tmp/\0");
        },
        "mount target \"/tmp/\\0\" contains a NUL byte",
    ),
    (
        |c| {
            c.bind("/etc", "/tmp/x").tmpfs("/tmp/x", None);
        },
        "mount target \"/tmp/x\" is given twice",
    ),
    (
        |c| {
            c.bind("/etc", "/etc/passwd");
        },
        "mount target \"/etc/passwd\" is not a directory, but what is to be mounted there is",
    ),
    (
        |c| {
            c.bind("/etc/passwd", "/etc");
        },
        "mount target \"/etc\" is a directory, but what is to be mounted there is not",
    ),
    (
        |c| {
            c.tmpfs("/tmp/x", Some(0));
        },
        "size of tmpfs \"0\" means unlimited to the kernel",
    ),
    (
        |c| {
            c.hostname("");
        },
        "host or domain name \"\" is empty or longer than 64 bytes",
    ),
    (
        |c| {
            c.domainname("a\0");
        },
        "host or domain name \"a\\0\" contains a NUL byte",
    ),
    (
        |c| {
            c.hostname("x").share(Namespaces::UTS);
        },
        "option \"hostname\" needs a new uts namespace",
    ),
    (
        |c| {
            c.init(true).share(Namespaces::PID);
        },
        "option \"init\" needs a new pid namespace",
    ),
    (
        |c| {
            c.loopback(true).network(true);
        },
        "option \"loopback\" needs a new net namespace",
    ),
    (
        |c| {
            c.tmpfs("/tmp/x", None).share(Namespaces::MNT);
        },
        "option \"bind or tmpfs\" needs a new mnt namespace",
    ),
    (
        |c| {
            c.tmp(true).share(Namespaces::MNT);
        },
        "option \"private mount\" needs a new mnt namespace",
    ),
    (
        |c| {
            c.proc(true).share(Namespaces::PID);
        },
        "option \"proc\" needs a pid namespace other than the caller's",
    ),
    (
        |c| {
            c.uid_map(IdMap::identity()).share(Namespaces::USER);
        },
        "option \"uid_map\" needs a new user namespace",
    ),
    (
        |c| {
            c.rlimit(Resource::CPU, 2, 1);
        },
        "soft limit \"RLIMIT_CPU\" is above the hard limit",
    ),
    (
        |c| {
            c.rlimit(Resource::CPU, 1, 1).rlimit(Resource::CPU, 1, 2);
        },
        "limit \"RLIMIT_CPU\" is given twice",
    ),
    (
        |c| {
            c.umask(0o1000);
        },
        "umask \"1000\" is above 777",
    ),
    (
        |c| {
            c.oom_score_adjust(1001);
        },
        "oom_score_adjust \"1001\" is not between -1000 and 1000",
    ),
    (
        |c| {
            c.parent_death_signal(Some(65));
        },
        "parent death signal \"65\" does not exist",
    ),
    (
        |c| {
            c.user(u32::MAX);
        },
        "id \"4294967295\" means no id to the kernel",
    ),
    (
        |c| {
            c.groups(0..70_000);
        },
        "number of groups \"70000\" is more than the 65536 that the kernel takes",
    ),
    (
        |c| {
            c.time_offsets(OFFSET, OFFSET);
        },
        "clock offset \"0 1000000000\" has nanoseconds of a second or more",
    ),
    (
        |c| {
            c.sysctl("kernel.core_pattern", "|/x");
        },
        "sysctl \"kernel.core_pattern\" belongs to no namespace: it would change the host",
    ),
    (
        |c| {
            c.sysctl("net.ipv4.ip_forward", "1").network(true);
        },
        "sysctl \"net.ipv4.ip_forward\" belongs to a namespace that is not new",
    ),
];

#[test]
fn bad_input_is_refused_with_a_reason() {
    for (change, expected) in CASES {
        let mut command = Command::new("true");
        change(&mut command);
        let planned = command.plan().expect_err(expected);
        assert_eq!(planned.to_string(), *expected);
        assert_eq!(command.spawn().expect_err(expected).to_string(), *expected);
    }
    let long = "x".repeat(65);
    assert!(shell("true").hostname(&long).plan().is_err());
    assert!(shell("true").hostname(&long[..64]).plan().is_ok());
    for program in ["", "a\0b"] {
        assert_eq!(Command::new(program).spawn().expect_err("no program").kind(), ErrorKind::InvalidInput);
    }
}

#[test]
fn one_kind_cannot_be_joined_twice_or_made_and_joined() {
    let own = || Namespace::of_current(Kind::Net).expect("a namespace");
    let error = shell("true").join(own()).join(own()).plan().expect_err("twice");
    assert!(error.to_string().ends_with("is the second one of its kind to be joined"), "{error}");
    let error = shell("true").join(own()).namespaces(Namespaces::all()).plan().expect_err("both");
    assert!(error.to_string().ends_with("is to be joined, and a new one of its kind be made"), "{error}");
}

#[test]
fn programs_that_cannot_be_executed_are_told_apart() {
    require!(can_isolate(), "namespaces");
    let directory = tempfile::tempdir().expect("a directory");
    common::open_to_all(directory.path());
    let file = |name: &str, mode, content: &[u8]| {
        let path = directory.path().join(name);
        std::fs::write(&path, content).expect("write");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("chmod");
    };
    file("plain", 0o644, b"#!/bin/sh\n");
    file("no-interpreter", 0o755, b"#!/no/such\n");
    file("garbage", 0o755, b"\0\0\0\0");
    let cases = [
        ("no-such-program", ErrorKind::NotFound, 127),
        ("/no/such/program", ErrorKind::NotFound, 127),
        ("/tmp/x/no-interpreter", ErrorKind::NotFound, 127),
        ("/tmp/x/plain", ErrorKind::PermissionDenied, 126),
        ("/tmp", ErrorKind::PermissionDenied, 126),
    ];
    for (program, kind, code) in cases {
        // A directory of PATH that cannot be searched would make it EACCES, as it does with std.
        let mut command = Command::new(program);
        let error =
            command.env("PATH", "/usr/bin:/bin").bind(directory.path(), "/tmp/x").spawn().expect_err(program);
        assert_eq!((error.kind(), error.exit_code()), (kind, code), "{program}: {error}");
        assert!(error.to_string().starts_with(&format!("execute {program}: ")), "{error}");
    }
    let error = Command::new("/tmp/x/garbage").bind(directory.path(), "/tmp/x").spawn().expect_err("garbage");
    assert_eq!(
        (error.errno().map(|errno| errno.number()), error.exit_code()),
        (Some(8), 126),
        "ENOEXEC: {error}"
    );
}

#[test]
fn what_the_kernel_refuses_names_the_step() {
    require!(can_isolate(), "namespaces");
    let offset = ClockOffset { seconds: -4_000_000_000, nanoseconds: 0 };
    let error = shell("true").time_offsets(offset, offset).spawn().expect_err("before the boot");
    assert!(error.to_string().contains("enter a new time namespace"), "{error}");
    assert_eq!(error.errno().map(|errno| errno.number()), Some(34), "ERANGE: {error}");
    let error = shell("true").sysctl("net.no.such", "1").spawn().expect_err("unknown");
    assert!(error.to_string().starts_with("set sysctl net.no.such=1"), "{error}");
    let error = Box::new().shell("true").current_dir("/no/such").spawn().expect_err("missing");
    assert!(error.to_string().starts_with("change directory to /no/such"), "{error}");
}

#[test]
fn missing_privileges_are_named() {
    require!(!common::is_root() || std::env::var_os("REQUIRE_ALL").is_some(), "an ordinary user");
    if common::is_root() {
        return;
    }
    let error = shell("true").share(Namespaces::USER).spawn().expect_err("no privilege");
    assert!(matches!(&error, Error::Denied { .. }), "{error:?}");
    assert_eq!(error.to_string(), "new namespaces need CAP_SYS_ADMIN, or a new user namespace with them");
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
}
