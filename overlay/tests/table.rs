//! The mount table of this kernel, read in both ways.

mod common;

use cofferdam_overlay::{
    Error, MountEntry, MountFlags, MountId, MountStatus, MountTable, list_mounts, stat_mount,
};
use nix::mount::{MsFlags, mount};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The kernel's own list of all mounts, or None where it is too old for that.
fn statuses() -> Option<Vec<MountStatus>> {
    match list_mounts(None) {
        Ok(ids) => Some(ids.into_iter().map(|id| stat_mount(id).expect("a mount")).collect()),
        Err(Error::Unsupported { since, .. }) => {
            assert_eq!(since, "6.8");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// `name` or `name=value`, without those that `statmount` gives as flags.
fn options(entry: &MountEntry) -> Vec<OsString> {
    let flags = ["rw", "ro", "sync", "dirsync", "mand", "lazytime"];
    let mut all = Vec::new();
    for option in entry.super_options().filter(|option| !flags.iter().any(|flag| option.is(flag))) {
        let mut text = option.name;
        if let Some(value) = option.value {
            text.push("=");
            text.push(value);
        }
        all.push(text);
    }
    all
}

fn compare(status: &MountStatus, entry: &MountEntry) {
    assert_eq!(status.old_parent, entry.parent());
    assert_eq!(status.device, entry.device());
    assert_eq!(status.root, entry.root());
    assert_eq!(status.mount_point.as_deref(), Some(&*entry.mount_point()));
    assert!(entry.fs_type().as_bytes().starts_with(status.fs_type.as_bytes()));
    /// `MOUNT_ATTR_IDMAP`
    const IDMAP: MountFlags = MountFlags::from_bits(0x10_0000);
    assert_eq!(status.flags.difference(IDMAP), entry.flags());
    assert_eq!(status.flags.contains(IDMAP), entry.has_option("idmapped"));
    assert_eq!(status.fs_flags & 1 != 0 || status.flags.contains(MountFlags::RDONLY), entry.is_read_only());
    let shared = format!("shared:{}", status.peer_group.unwrap_or(0));
    let fields: Vec<_> = entry.optional_fields().map(|field| field.to_string()).collect();
    assert_eq!(fields.contains(&shared), status.peer_group.is_some(), "{fields:?} {shared}");
    if let Some(source) = &status.source {
        assert_eq!(source, &*entry.source());
    }
    if let Some(known) = &status.options {
        assert_eq!(*known, options(entry));
    }
    assert_eq!(status.uid_map.is_empty(), !entry.has_option("idmapped"));
}

/// Both tables say the same about all mounts of this thread.
fn both_agree() -> bool {
    let Some(statuses) = statuses() else { return false };
    let table = MountTable::read().expect("own table");
    assert_eq!(statuses.len(), table.len());
    for status in &statuses {
        let entry = table.get(status.old_id).expect("a mount of the table");
        compare(status, entry);
        let children = list_mounts(Some(status.id)).expect("mounts below");
        assert!(table.children(entry.id()).count() <= children.len());
        assert!(!children.contains(&status.id));
    }
    true
}

#[test]
fn what_statmount_says_is_in_the_table() {
    // Other tests of this binary mount in namespaces of their own only; something else on this host may not.
    let mut last = None;
    for _ in 0..3 {
        match std::panic::catch_unwind(both_agree) {
            Ok(true) => return,
            Ok(false) => skip!("this kernel has no statmount, which came with 6.8"),
            Err(panic) => last = Some(panic),
        }
    }
    std::panic::resume_unwind(last.expect("a failure"));
}

#[test]
fn a_files_mount_is_asked_of_the_kernel() {
    let table = MountTable::read().expect("own table");
    for path in ["/", "/proc"] {
        let directory = File::open(path).expect("a directory");
        let found = table.of(&directory).expect("statx");
        assert_eq!(found, table.at(path), "{path}");
        assert!(found.is_some());
        match MountId::of(&directory) {
            Ok(id) => assert_eq!(Some(stat_mount(id).expect("a mount").old_id), found.map(MountEntry::id)),
            Err(error) => assert!(matches!(error, Error::Unsupported { since: "6.8", .. }), "{error}"),
        }
    }
    let (pipe, _other) = std::io::pipe().expect("a pipe");
    assert_eq!(table.of(&pipe).expect("statx"), None, "pipes are on a mount that no table has");
}

#[test]
fn tables_of_other_processes_are_read() {
    let own = std::process::id();
    let of_pid = MountTable::read_of(own).expect("by number");
    let directory = File::open(format!("/proc/{own}")).expect("own directory");
    assert_eq!(of_pid, MountTable::read_in(&directory).expect("by descriptor"));
    assert_eq!(of_pid.to_bytes(), std::fs::read("/proc/self/mountinfo").expect("own file"));
    let gone = MountTable::read_of(u32::MAX).unwrap_err();
    assert_eq!(gone.to_string(), "open /proc/4294967295/mountinfo: ENOENT (No such file or directory)");
}

#[test]
fn mounts_with_odd_names_are_found() {
    require_root_of_a_namespace!();
    // Outside: what has mounts on it cannot be removed.
    let scratch = tempfile::tempdir().expect("temporary directory");
    let path = scratch.path().to_owned();
    common::in_private_mounts(move || {
        let odd = path.join(OsStr::from_bytes(b"a b\tc\nd\\e#f\xff\\040"));
        std::fs::create_dir(&odd).expect("a directory");
        let source = OsStr::from_bytes(b"so ur#ce\\\xfe");
        for size in ["4k", "8k"] {
            let data = format!("size={size}");
            mount(Some(source), &odd, Some("tmpfs"), MsFlags::MS_NOSUID, Some(data.as_str())).expect("tmpfs");
        }
        let times =
            [MsFlags::MS_STRICTATIME, MsFlags::MS_NOATIME | MsFlags::MS_NODIRATIME, MsFlags::MS_NODEV];
        for (times, on) in times.into_iter().zip(["/srv", "/dev", "/sys"]) {
            mount(Some("t"), on, Some("tmpfs"), times | MsFlags::MS_NOEXEC, None::<&str>).expect("tmpfs");
        }
        mount(Some(""), Path::new("/proc/sys"), Some("tmpfs"), MsFlags::MS_RDONLY, None::<&str>)
            .expect("no source");

        let table = MountTable::read().expect("own table");
        let top = table.at(&odd).expect("the upper of both");
        assert_eq!(top.super_option("size").expect("a size"), "8k");
        assert_eq!(top.source(), source);
        let below = table.get(top.parent()).expect("the lower of both");
        assert_eq!((below.mount_point(), below.super_option("size")), (top.mount_point(), Some("4k".into())));
        assert_eq!(table.of(File::open(&odd).expect("open")).expect("statx"), Some(top));
        assert_eq!(table.containing(odd.join("x")), Some(top));
        let empty = table.at("/proc/sys").expect("the read-only one");
        assert!(empty.source().is_empty() && empty.is_read_only());
        both_agree();
    });
}

#[test]
fn many_mounts_are_listed() {
    require_root_of_a_namespace!();
    let scratch = tempfile::tempdir().expect("temporary directory");
    let path = scratch.path().to_owned();
    common::in_private_mounts(move || {
        let before = MountTable::read().expect("own table").len();
        for _ in 0..600 {
            mount(Some("t"), &path, Some("tmpfs"), MsFlags::empty(), None::<&str>).expect("tmpfs");
        }
        let table = MountTable::read().expect("own table");
        assert_eq!(table.len(), before + 600);
        let mut depth = 0;
        let mut mount = table.at(&path).expect("the topmost");
        while mount.mount_point() == path {
            depth += 1;
            mount = table.get(mount.parent()).expect("the one below");
        }
        assert_eq!(depth, 600);
        both_agree();
    });
}

#[test]
fn a_mount_that_is_gone_is_an_error() {
    match stat_mount(MountId::from_raw(u64::MAX - 1)) {
        Err(Error::Unsupported { since, .. }) => assert_eq!(since, "6.8"),
        Err(error) => assert_eq!(error.errno().and_then(|errno| errno.name()), Some("ENOENT"), "{error}"),
        Ok(status) => panic!("{status:?}"),
    }
}
