//! Writing id maps into real user namespaces.

mod common;

use cofferdam_namespaces::{
    Caller, Error, How, IdMap, IdMaps, InsideId, Lack, OutsideId, Setgroups, SubIdRange,
};
use common::{CloneFlags, Sleeper};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;

fn parse(text: &str) -> IdMap {
    IdMap::parse(text.as_bytes()).expect("valid")
}

#[test]
fn rootless_default_is_written() {
    let Some(child) = Sleeper::start(CloneFlags::CLONE_NEWUSER) else {
        skip!("user namespaces cannot be made here");
    };
    let caller = Caller::current().expect("current");
    let maps = IdMaps::rootless(&caller).expect("maps");
    let how = maps.apply(&caller, child.pid(), child.proc_dir().as_fd()).expect("write");
    assert_eq!(how, How::Direct);
    assert_eq!(parse(&child.read("uid_map")), maps.uid);
    assert_eq!(parse(&child.read("gid_map")), maps.gid);
    assert_eq!(child.read("setgroups"), "deny\n");
}

#[test]
fn maps_are_written_once() {
    let Some(child) = Sleeper::start(CloneFlags::CLONE_NEWUSER) else {
        skip!("user namespaces cannot be made here");
    };
    let maps = IdMaps::rootless(&Caller::current().expect("current")).expect("maps");
    let dir = child.proc_dir();
    maps.write_to(dir.as_fd()).expect("write");
    let again = IdMaps { setgroups: Setgroups::Allow, ..maps.clone() };
    let error = again.write_to(dir.as_fd()).expect_err("a second time");
    let expected =
        format!("write \"{}\" to /proc/{}/uid_map: EPERM (Operation not permitted)", maps.uid, child.pid());
    assert_eq!(error.to_string(), expected);
}

#[test]
fn root_writes_many_ranges_and_leaves_setgroups() {
    require_root!();
    let child = Sleeper::start(CloneFlags::CLONE_NEWUSER).expect("root may");
    let map = parse("0 100000 1000\n1000 0 1\n2000 200000 65536");
    let maps = IdMaps { uid: map.clone(), gid: map.clone(), setgroups: Setgroups::Allow };
    let caller = Caller::current().expect("current");
    assert_eq!(maps.apply(&caller, child.pid(), child.proc_dir().as_fd()), Ok(How::Direct));
    assert_eq!(parse(&child.read("uid_map")), map);
    assert_eq!(parse(&child.read("gid_map")), map);
    assert_eq!(child.read("setgroups"), "allow\n");
}

#[test]
fn the_kernel_agrees_with_the_decision() {
    if common::is_root() {
        eprintln!("skipped: root may write any map");
        return;
    }
    let Some(child) = Sleeper::start(CloneFlags::CLONE_NEWUSER) else {
        skip!("user namespaces cannot be made here");
    };
    let other = IdMap::single(InsideId::new(0), OutsideId::new(12345)).expect("valid");
    let caller = Caller { subuid: vec![], subgid: vec![], ..Caller::current().expect("current") };
    let maps = IdMaps { uid: other.clone(), gid: other, setgroups: Setgroups::Deny };
    let error = maps.plan_for(&caller).expect_err("not lent");
    assert!(matches!(error, Error::NotPermitted { map: "uid_map", lack: Lack::NoSubIds { .. } }), "{error}");
    let error = maps.write_to(child.proc_dir().as_fd()).expect_err("refused");
    assert_eq!(error.errno().and_then(|errno| errno.name()), Some("EPERM"));
}

/// In a user namespace where only id 0 is known.
#[test]
fn nested_maps_are_judged_as_the_kernel_does() {
    let caller = Caller::current().expect("current");
    if caller.uid_map.to_outside(InsideId::new(1)).is_some() {
        fn here() {}
        return common::run_in_user_namespace(std::any::type_name_of_val(&here));
    }
    for (uid, allowed) in [("0 0 1", true), ("0 0 2", false), ("0 1 1", false), ("7 0 1", true)] {
        let Some(child) = Sleeper::start(CloneFlags::CLONE_NEWUSER) else {
            skip!("user namespaces cannot be made here");
        };
        let maps = IdMaps { uid: parse(uid), gid: parse("0 0 1"), setgroups: Setgroups::Deny };
        let written = maps.write_to(child.proc_dir().as_fd());
        match maps.plan_for(&caller) {
            Ok(How::Direct) => assert!(allowed && written.is_ok(), "{uid}: {written:?}"),
            Err(Error::NotPermitted { map: "uid_map", lack: Lack::NotMappedHere { .. } }) => {
                let errno = written.expect_err("refused").errno().and_then(|errno| errno.name());
                assert!(!allowed && errno == Some("EPERM"), "{uid}: {errno:?}");
            }
            other => panic!("{uid}: {other:?}"),
        }
    }
}

#[test]
fn helpers_refuse_what_is_not_lent() {
    let Some(child) = Sleeper::start(CloneFlags::CLONE_NEWUSER) else {
        skip!("user namespaces cannot be made here");
    };
    let map = parse("0 3000000000 1000");
    let maps = IdMaps { uid: map.clone(), gid: map, setgroups: Setgroups::Allow };
    match maps.write_with_helpers(child.pid(), child.proc_dir().as_fd()) {
        Err(Error::NotPermitted { lack: Lack::Helper { helper, .. }, .. }) => {
            skip!("{helper} is not installed")
        }
        Err(Error::HelperFailed { command, stderr, .. }) => {
            let arguments = format!("newuidmap {} 0 3000000000 1000", child.pid());
            assert!(command.ends_with(&arguments), "{command}");
            assert!(stderr.contains("newuidmap"), "{stderr}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(child.read("uid_map"), "");
}

/// Lends a range to root and one to nobody, in the private mount namespace of this thread.
fn lend(file: &std::path::Path) -> Result<(), rustix::io::Errno> {
    std::fs::write(file, "root:100000:65536\n65534:300000:65536\n").expect("write");
    rustix::mount::mount_bind(file, "/etc/subuid")?;
    rustix::mount::mount_bind(file, "/etc/subgid")
}

#[test]
fn helpers_write_what_is_lent() {
    require_root!();
    common::in_private_mounts(|| {
        let dir = tempfile::tempdir().expect("temporary directory");
        if let Err(error) = lend(&dir.path().join("lent")) {
            skip!("/etc/subuid or /etc/subgid is not there: {error}");
        }
        let mut caller = Caller::current().expect("current");
        assert_eq!(caller.subuid, [SubIdRange { first: 100_000, count: 65536 }]);
        if caller.newuidmap.is_none() || caller.newgidmap.is_none() {
            skip!("newuidmap is not installed");
        }
        // As if this were an ordinary user; the helpers only look at the real uid.
        (caller.cap_setuid, caller.cap_setgid) = (false, false);
        write_by_helpers(&caller, &parse("0 0 1\n1 100000 65536"));
    });
}

fn write_by_helpers(caller: &Caller, map: &IdMap) {
    let Some(child) = Sleeper::start(CloneFlags::CLONE_NEWUSER) else {
        skip!("user namespaces cannot be made here");
    };
    let maps = IdMaps { uid: map.clone(), gid: map.clone(), setgroups: Setgroups::Allow };
    assert_eq!(maps.apply(caller, child.pid(), child.proc_dir().as_fd()), Ok(How::Helpers));
    assert_eq!(parse(&child.read("uid_map")), *map);
    assert_eq!(parse(&child.read("gid_map")), *map);
    assert_eq!(child.read("setgroups"), "allow\n");
}

/// Runs a copy of this test binary as nobody, where that user was lent a range by number.
#[test]
fn helpers_write_for_an_ordinary_user() {
    const INNER: &str = "COFFERDAM_TEST_INNER";
    if std::env::var_os(INNER).is_some() {
        let caller = Caller::current().expect("current");
        assert!(!caller.cap_setuid, "an ordinary user");
        if caller.user.name.is_none() || caller.newuidmap.is_none() || caller.newgidmap.is_none() {
            skip!("there is no user nobody, or newuidmap is not installed");
        }
        return write_by_helpers(&caller, &parse("0 65534 1\n1 300000 65536"));
    }
    require_root!();
    common::in_private_mounts(|| {
        let dir = tempfile::tempdir().expect("temporary directory");
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).expect("chmod");
        if let Err(error) = lend(&dir.path().join("lent")) {
            skip!("/etc/subuid or /etc/subgid is not there: {error}");
        }
        let copy = dir.path().join("test");
        // Not by this process: a child of another thread could hold the copy open for writing, which makes it busy.
        let binary = std::env::current_exe().expect("test binary");
        assert!(std::process::Command::new("cp").arg(binary).arg(&copy).status().expect("cp").success());
        let mut command = std::process::Command::new(copy);
        command.args(["helpers_write_for_an_ordinary_user", "--exact", "--nocapture"]);
        let status = command.env(INNER, "1").uid(65534).gid(65534).current_dir("/").status().expect("start");
        assert!(status.success(), "as nobody: {status}");
    });
}
