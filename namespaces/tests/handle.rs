//! Opening namespaces, asking them, entering them.

mod common;

use cofferdam_namespaces::{Error, Kind, Kinds, Namespace, join_process, loopback_up};
use common::{CloneFlags, Sleeper, on_own_thread};
use std::fs;
use std::os::fd::{AsFd, OwnedFd};

#[test]
fn own_namespaces_open_by_every_way() {
    for kind in Kind::ALL {
        let current = Namespace::of_current(kind).expect("own");
        assert_eq!(current.kind(), kind);
        let link = fs::read_link(format!("/proc/thread-self/ns/{kind}")).expect("link");
        assert_eq!(current.to_string(), link.to_string_lossy());
        let by_pid = Namespace::of_pid(std::process::id(), kind).expect("by pid");
        assert_eq!(by_pid.identity(), current.identity());
        let by_fd = Namespace::from_fd(OwnedFd::from(by_pid)).expect("by descriptor");
        assert_eq!(by_fd.try_clone().expect("clone").identity(), current.identity());
    }
}

#[test]
fn other_files_are_refused() {
    for path in ["/etc/passwd", "/proc/self/status", "/dev/null", "/"] {
        let error = Namespace::open(path).expect_err(path);
        assert_eq!(error, Error::NotANamespace { path: path.into() });
    }
    let error = Namespace::open("/nonexistent").expect_err("missing");
    assert_eq!(error.to_string(), "open /nonexistent: ENOENT (No such file or directory)");
    let file = fs::File::open("/etc/passwd").expect("open");
    let error = Namespace::from_fd(file.into()).expect_err("a file");
    assert_eq!(error, Error::NotANamespace { path: "/etc/passwd".into() });
}

#[test]
fn the_kind_is_checked() {
    let error = Namespace::open_kind("/proc/self/ns/net", Kind::Mnt).expect_err("net");
    let path = "/proc/self/ns/net".into();
    assert_eq!(error, Error::WrongKind { path, expected: Kind::Mnt, found: Kind::Net });
}

#[test]
fn a_missing_process_is_gone() {
    let pid = u32::MAX >> 1;
    let error = Namespace::of_pid(pid, Kind::Net).expect_err("no such process");
    assert_eq!(error, Error::ProcessGone { process: format!("process {pid}") });
}

#[test]
fn owners_and_parents() {
    let Some(child) = Sleeper::start(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWUTS) else {
        skip!("user namespaces cannot be made here");
    };
    let mine = Namespace::of_current(Kind::User).expect("own");
    let user = Namespace::of_pidfd(child.pidfd(), Kind::User).expect("of the child");
    let uts = Namespace::of_pidfd(child.pidfd(), Kind::Uts).expect("of the child");
    assert_ne!(user.identity(), mine.identity());
    assert_eq!(uts.owner().expect("owner").identity(), user.identity());
    assert_eq!(user.parent().expect("parent").identity(), mine.identity());
    assert_eq!(user.owner().expect("owner").identity(), mine.identity());
    assert_eq!(user.owner_uid().expect("uid"), rustix::process::geteuid().as_raw());
    assert_eq!(uts.parent().expect_err("flat"), Error::NotHierarchical { kind: Kind::Uts });
    let inode = uts.identity().ino;
    let not_user = Error::NotAUserNamespace { kind: Kind::Uts, inode };
    assert_eq!(uts.owner_uid().expect_err("not a user namespace"), not_user);
}

#[test]
fn the_first_namespace_has_no_parent_in_reach() {
    let user = Namespace::of_current(Kind::User).expect("own");
    let inode = user.identity().ino;
    let expected = Error::OutOfReach { relation: "parent", kind: Kind::User, inode };
    assert_eq!(user.parent().expect_err("above our own"), expected);
    assert_eq!(expected.errno().and_then(|errno| errno.name()), Some("EPERM"));
}

#[test]
fn enters_and_comes_back() {
    require_root_of_a_namespace!();
    let child = Sleeper::start(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS)
        .expect("root may, also of a user namespace");
    let pidfd = child.pidfd();
    on_own_thread(move || {
        // A home of its own: the root of a user namespace could not go back to the host's.
        nix::sched::unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).expect("as the child");
        for kind in [Kind::Net, Kind::Mnt] {
            let home = Namespace::of_current(kind).expect("own");
            let there = Namespace::of_pidfd(&pidfd, kind).expect("of the child");
            there.enter().expect("enter");
            assert_eq!(Namespace::of_current(kind).expect("now").identity(), there.identity());
            home.enter().expect("back");
            assert_eq!(Namespace::of_current(kind).expect("now").identity(), home.identity());
        }
    });
}

#[test]
fn joins_several_at_once() {
    require_root_of_a_namespace!();
    let child = Sleeper::start(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWUTS)
        .expect("root may, also of a user namespace");
    let pidfd = child.pidfd();
    on_own_thread(move || {
        join_process(&pidfd, Kind::Net | Kind::Uts).expect("join");
        for kind in [Kind::Net, Kind::Uts] {
            let there = Namespace::of_pidfd(&pidfd, kind).expect("of the child");
            assert_eq!(Namespace::of_current(kind).expect("now").identity(), there.identity());
        }
        let error = join_process(&pidfd, Kinds::EMPTY).expect_err("nothing to join");
        assert!(error.to_string().ends_with("EINVAL (Invalid argument)"), "{error}");
    });
}

#[test]
fn a_refused_enter_names_the_namespace() {
    // The own user namespace can never be joined, whoever asks.
    let user = Namespace::of_current(Kind::User).expect("own");
    let error = on_own_thread(move || user.enter().expect_err("own user namespace"));
    let text = error.to_string();
    assert!(text.starts_with("enter user:[") && text.ends_with("]: EINVAL (Invalid argument)"), "{text}");
}

#[test]
fn loopback_comes_up() {
    require_root_of_a_namespace!();
    on_own_thread(|| {
        nix::sched::unshare(CloneFlags::CLONE_NEWNET).expect("root may, also of a user namespace");
        let server = || std::net::UdpSocket::bind("127.0.0.1:0").and_then(|s| s.send_to(b"x", "127.0.0.1:9"));
        server().expect_err("lo is down");
        loopback_up().expect("up");
        loopback_up().expect("again");
        server().expect("lo is up");
    });
}

#[test]
fn handles_close_on_exec() {
    let namespace = Namespace::of_current(Kind::Net).expect("own");
    let flags = rustix::io::fcntl_getfd(namespace.as_fd()).expect("flags");
    assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
}
