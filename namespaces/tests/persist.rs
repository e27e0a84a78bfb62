//! Keeping namespaces alive by mounts, in private mount namespaces.

mod common;

use cofferdam_namespaces::{Error, Kind, MountPoint, Namespace, unbind};
use common::{CloneFlags, Sleeper, in_private_mounts};
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount};
use std::fs;
use std::path::Path;

#[test]
fn outlives_its_process() {
    require_root_of_a_namespace!();
    in_private_mounts(|| {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("net");
        let child = Sleeper::start(CloneFlags::CLONE_NEWNET).expect("root may, also of a user namespace");
        let net = Namespace::of_pidfd(child.pidfd(), Kind::Net).expect("of the child");
        net.bind_to(&path, MountPoint::Create).expect("bind");
        let identity = net.identity();
        drop((child, net));
        let kept = Namespace::open_kind(&path, Kind::Net).expect("open");
        assert_eq!(kept.identity(), identity);
        kept.enter().expect("enter");
        unbind(&path).expect("unbind");
        assert!(!path.exists());
    });
}

#[test]
fn an_existing_file_is_required_or_used() {
    require_root_of_a_namespace!();
    in_private_mounts(|| {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("uts");
        let uts = Namespace::of_current(Kind::Uts).expect("own");
        let error = uts.bind_to(&path, MountPoint::Existing).expect_err("no file");
        assert!(matches!(&error, Error::Bind { step: "open", .. }), "{error}");
        fs::write(&path, "").expect("write");
        uts.bind_to(&path, MountPoint::Create).expect("bind");
        uts.bind_to(&path, MountPoint::Existing).expect("bind over it");
        let error = unbind(&path).expect_err("one is left below");
        assert!(error.to_string().ends_with("unlink: EBUSY (Device or resource busy)"), "{error}");
        unbind(&path).expect("unbind");
        assert!(!path.exists());
    });
}

#[test]
fn own_mount_namespace_is_refused() {
    require_root_of_a_namespace!();
    in_private_mounts(|| {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("mnt");
        let own = Namespace::of_current(Kind::Mnt).expect("own");
        let error = own.bind_to(&path, MountPoint::Create).expect_err("holds itself");
        assert!(matches!(error, Error::MountNamespaceLoop { .. }), "{error}");
        assert!(!path.exists(), "nothing is left behind");
    });
}

#[test]
fn younger_mount_namespace_must_not_share_the_mount() {
    require_root_of_a_namespace!();
    in_private_mounts(|| {
        let dir = tempfile::tempdir().expect("temporary directory");
        mount("none", dir.path(), "tmpfs", MountFlags::empty(), None).expect("tmpfs");
        mount_change(dir.path(), MountPropagationFlags::SHARED).expect("shared");
        let path = dir.path().join("mnt");
        let child = Sleeper::start(CloneFlags::CLONE_NEWNS).expect("root may, also of a user namespace");
        let mnt = Namespace::of_pidfd(child.pidfd(), Kind::Mnt).expect("of the child");
        let error = mnt.bind_to(&path, MountPoint::Create).expect_err("it would get the mount too");
        assert!(matches!(error, Error::MountNamespaceLoop { .. }), "{error}");
        assert!(!path.exists(), "nothing is left behind");
        mount_change(dir.path(), MountPropagationFlags::PRIVATE).expect("private");
        mnt.bind_to(&path, MountPoint::Create).expect("bind");
        assert_eq!(Namespace::open(&path).expect("open").identity(), mnt.identity());
        unbind(&path).expect("unbind");
        unmount(dir.path(), UnmountFlags::DETACH).expect("unmount");
    });
}

#[test]
fn only_mounted_namespaces_are_unbound() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let file = dir.path().join("file");
    fs::write(&file, "precious").expect("write");
    let link = dir.path().join("link");
    std::os::unix::fs::symlink("/proc/self/ns/net", &link).expect("symlink");
    for path in [&file, &link, Path::new("/proc/self/ns/net")] {
        let error = unbind(path).expect_err("no mount");
        assert_eq!(error, Error::NotANamespaceMount { path: path.to_owned() });
    }
    assert_eq!(fs::read_to_string(&file).expect("read"), "precious");
    assert!(matches!(unbind(dir.path().join("none")), Err(Error::Unbind { step: "open", .. })));
}

#[test]
fn a_refused_bind_leaves_nothing() {
    if common::is_root() {
        eprintln!("skipped: root may bind");
        return;
    }
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("net");
    let net = Namespace::of_current(Kind::Net).expect("own");
    let error = net.bind_to(&path, MountPoint::Create).expect_err("no privilege");
    assert_eq!(error.errno().and_then(|errno| errno.name()), Some("EPERM"));
    assert!(!path.exists());
}
