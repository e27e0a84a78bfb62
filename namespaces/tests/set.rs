//! Plans carried out: joining the namespaces of a process in the order of the steps.

mod common;

use cofferdam_namespaces::{Error, Kind, Kinds, Namespace, Set, Source, Step};
use common::{CloneFlags, Sleeper};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Runs `readlink` on namespace files in a process that has taken the steps.
fn links_after(opened: cofferdam_namespaces::Opened, steps: Vec<Step>, files: &[&str]) -> io::Result<String> {
    let mut command = Command::new("readlink");
    command.args(files.iter().map(|file| format!("/proc/self/ns/{file}")));
    let act = move || {
        for step in &steps {
            match step {
                Step::Join { index, .. } => {
                    let entered = opened.joined[*index].enter();
                    entered.map_err(|error| io::Error::from(error.errno().expect("from setns")))?;
                }
                Step::Create(kinds) => {
                    let flags = CloneFlags::from_bits_retain(kinds.flags().cast_signed());
                    nix::sched::unshare(flags)?;
                }
            }
        }
        Ok(())
    };
    #[allow(unsafe_code)]
    // SAFETY: on success the closure makes system calls only, and the process is a fork with one thread.
    unsafe {
        command.pre_exec(act);
    }
    let output = command.output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn joins_a_rootless_container() {
    let flags = CloneFlags::CLONE_NEWUSER
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWIPC;
    let Some(child) = Sleeper::start(flags) else {
        skip!("user namespaces cannot be made here");
    };
    let kinds = [Kind::Net, Kind::User, Kind::Ipc];
    let set = kinds.into_iter().fold(Set::new(), |set, kind| set.with(kind, Source::Pid(child.pid())));
    let opened = set.create(Kind::Uts).open(&[]).expect("open");
    let steps = opened.steps().expect("steps");
    assert!(matches!(steps[0], Step::Join { kind: Kind::User, .. }), "it owns the others: {steps:?}");
    assert_eq!(steps.last(), Some(&Step::Create(Kind::Uts.into())));
    let expected: String = opened.joined.iter().map(|namespace| format!("{namespace}\n")).collect();
    let files: Vec<_> = opened.joined.iter().map(|namespace| namespace.kind().name()).collect();
    assert_eq!(links_after(opened, steps, &files).expect("run"), expected);
}

#[test]
fn the_wrong_order_is_refused_to_a_user() {
    if common::is_root() {
        eprintln!("skipped: root may join in any order");
        return;
    }
    let Some(child) = Sleeper::start(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET) else {
        skip!("user namespaces cannot be made here");
    };
    let set = Set::new().with(Kind::User, Source::Pid(child.pid())).with(Kind::Net, Source::Pid(child.pid()));
    let opened = set.open(&[]).expect("open");
    let mut steps = opened.steps().expect("steps");
    steps.reverse();
    let error = links_after(opened, steps, &["net"]).expect_err("net before user");
    assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
}

#[test]
fn opens_every_source() {
    let own = Namespace::of_current(Kind::Ipc).expect("own");
    let set = Set::new()
        .with(Kind::Net, Source::Path("/proc/self/ns/net".into()))
        .with(Kind::Ipc, Source::Descriptor(0))
        .with(Kind::Uts, Source::Pid(std::process::id()))
        .create(Kind::Mnt);
    let opened = set.open(&[own.as_fd()]).expect("open");
    let kinds: Kinds = opened.joined.iter().map(Namespace::kind).collect();
    assert_eq!(kinds, Kind::Net | Kind::Ipc | Kind::Uts);
    assert_eq!(opened.new, Kind::Mnt.into());
    let ipc = opened.joined.iter().find(|namespace| namespace.kind() == Kind::Ipc).expect("ipc");
    assert_eq!(ipc.identity(), own.identity());
}

#[test]
fn the_kind_of_a_source_is_checked() {
    let own = Namespace::of_current(Kind::Ipc).expect("own");
    let by_descriptor = Set::new().with(Kind::Net, Source::Descriptor(0)).open(&[own.as_fd()]);
    let by_path = Set::new().with(Kind::Net, Source::Path("/proc/self/ns/uts".into())).open(&[]);
    for result in [by_descriptor, by_path] {
        let error = result.expect_err("another kind");
        assert!(matches!(error, Error::WrongKind { expected: Kind::Net, .. }), "{error}");
    }
}
