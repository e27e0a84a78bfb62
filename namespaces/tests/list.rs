//! The listing against what is known, and against `lsns`.

mod common;

use cofferdam_namespaces::{Kind, Namespace, list};
use common::{CloneFlags, Sleeper};
use std::process::Command;

#[test]
fn own_namespaces_are_listed() {
    let listing = list().expect("list");
    for kind in Kind::ALL {
        let own = Namespace::of_current(kind).expect("own").identity();
        let listed = listing.namespaces.iter().find(|listed| (listed.kind, listed.identity) == (kind, own));
        let listed = listed.expect("own namespace");
        assert!(listed.processes >= 1 && listed.lowest_pid <= std::process::id());
        assert!(!listed.command.is_empty());
    }
}

#[test]
fn a_child_in_new_namespaces_is_listed() {
    let Some(child) = Sleeper::start(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWUTS) else {
        skip!("user namespaces cannot be made here");
    };
    let listing = list().expect("list");
    let find = |kind| {
        let identity = Namespace::of_pidfd(child.pidfd(), kind).expect("of the child").identity();
        let same = |listed: &&cofferdam_namespaces::Listed| listed.identity == identity;
        listing.namespaces.iter().find(same).expect("listed").clone()
    };
    let (uts, user) = (find(Kind::Uts), find(Kind::User));
    for listed in [&uts, &user] {
        assert_eq!((listed.processes, listed.lowest_pid), (1, child.pid()));
        assert_eq!(listed.command, "cat");
        assert_eq!(listed.owner_uid, Some(rustix::process::geteuid().as_raw()));
    }
    assert_eq!(uts.owner, Some(user.identity));
    assert_eq!(user.owner, Some(Namespace::of_current(Kind::User).expect("own").identity()));
}

#[test]
fn what_was_not_seen_is_counted() {
    let refused = match Namespace::of_pid(1, Kind::Net) {
        Ok(_) => false,
        Err(error) => error.errno().and_then(|errno| errno.name()) == Some("EACCES"),
    };
    if !refused {
        eprintln!("skipped: this caller may read process 1");
        return;
    }
    assert!(list().expect("list").unreadable >= 1, "process 1 at least");
}

/// Other tests start and end processes meanwhile, so only the long-lived namespaces that this process is in
/// are compared.
#[test]
fn lsns_says_the_same() {
    let lsns = || Command::new("lsns").args(["-n", "-r", "-o", "NS,TYPE,PID"]).output();
    // It fails as a whole when a process ends while it reads.
    let Some(output) = (0..20).find_map(|_| lsns().ok().filter(|output| output.status.success())) else {
        skip!("lsns is not installed, or does not succeed");
    };
    let listing = list().expect("list");
    let text = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<Vec<_>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    for kind in Kind::ALL {
        let ino = Namespace::of_current(kind).expect("own").identity().ino;
        let theirs = lines.iter().find(|words| words[..2] == [ino.to_string().as_str(), kind.name()]);
        let Some(theirs) = theirs else {
            assert_eq!(kind, Kind::Time, "only lsns before 2.38 leaves out a kind:\n{text}");
            continue;
        };
        let ours = listing.namespaces.iter().find(|listed| listed.identity.ino == ino).expect("listed");
        assert_eq!((ours.kind, ours.lowest_pid.to_string().as_str()), (kind, theirs[2]));
    }
}
