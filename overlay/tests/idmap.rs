//! User namespaces for maps, and mounts whose ids they map.

mod common;

use cofferdam_overlay::{
    Attributes, CWD, Filesystem, IdMapping, MappedRange, Mount, MountFlags, UserNamespace,
};
use common::{belongings, in_private_mounts};
use rustix::fs::{AtFlags, Mode, statat};
use std::os::fd::AsFd;

/// The maps of a namespace as the kernel has them, seen by a process that has entered it.
fn maps_of(namespace: &UserNamespace) -> (Vec<String>, Vec<String>) {
    let output = std::process::Command::new("nsenter")
        .arg(format!("--user=/proc/{}/fd/{}", std::process::id(), {
            use std::os::fd::AsRawFd;
            namespace.as_fd().as_raw_fd()
        }))
        .args(["--preserve-credentials", "cat", "/proc/self/uid_map", "/proc/self/gid_map"])
        .output()
        .expect("nsenter");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    let lines: Vec<String> =
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let half = lines.len() / 2;
    (lines[..half].to_vec(), lines[half..].to_vec())
}

#[test]
fn a_namespace_has_the_maps() {
    require_root!();
    let users = vec![MappedRange::new(0, 100_000, 1000), MappedRange::new(1000, 5, 1)];
    let groups = vec![MappedRange::new(0, 200_000, 10), MappedRange::new(50, 7, 2)];
    let namespace = UserNamespace::for_mapping(&IdMapping::new(users, groups).unwrap()).unwrap();
    let (users, groups) = maps_of(&namespace);
    assert_eq!(users, ["0 100000 1000", "1000 5 1"]);
    assert_eq!(groups, ["0 200000 10", "50 7 2"]);
}

#[test]
fn as_many_ranges_as_the_kernel_takes() {
    require_root!();
    let ranges: Vec<_> = (0..340).map(|i| MappedRange::new(i * 2, i * 2, 1)).collect();
    let mapping = IdMapping::new(ranges.clone(), ranges).unwrap();
    let namespace = UserNamespace::for_mapping(&mapping).unwrap();
    assert_eq!(maps_of(&namespace).0.len(), 340);
}

#[test]
fn an_ordinary_user_maps_itself() {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let own = IdMapping::new(vec![MappedRange::new(0, uid, 1)], vec![MappedRange::new(0, gid, 1)]).unwrap();
    match UserNamespace::for_mapping(&own) {
        Ok(namespace) => drop(namespace),
        Err(error) => skip!("no user namespace: {error}"),
    }
    if !common::is_root() {
        let error = UserNamespace::for_mapping(&IdMapping::shift(0, 100_000, 2).unwrap()).unwrap_err();
        assert!(error.to_string().contains("uid_map: EPERM"), "{error}");
    }
}

#[test]
fn nothing_is_left_and_nobody_hears_of_it() {
    require_root!();
    std::thread::spawn(|| {
        let mapping = IdMapping::shift(0, 100_000, 65536).unwrap();
        drop(UserNamespace::for_mapping(&mapping).unwrap());
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        for _ in 0..50 {
            drop(UserNamespace::for_mapping(&mapping).unwrap());
        }
        assert_eq!(belongings_of_processes(), "");
    })
    .join()
    .unwrap();
}

fn belongings_of_processes() -> String {
    format!("{:?}", belongings()).split("children: ").nth(1).unwrap_or_default().replace(['"', '}', ' '], "")
}

#[test]
fn made_by_many_threads_that_allocate() {
    require_root!();
    let threads: Vec<_> = (0..8_u32)
        .map(|n| {
            std::thread::spawn(move || {
                for round in 0..40 {
                    let outside = 100_000 + n * 65536;
                    let namespace =
                        UserNamespace::for_mapping(&IdMapping::shift(0, outside, 65536).unwrap()).unwrap();
                    if round == 0 {
                        assert_eq!(maps_of(&namespace).0, [format!("0 {outside} 65536")]);
                    }
                    let filled = vec![n.to_le_bytes(); 1000 + round];
                    assert!(filled.iter().all(|bytes| *bytes == n.to_le_bytes()));
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn ids_are_shifted_through_a_mount() {
    require_root!();
    in_private_mounts(|| {
        let filesystem = Filesystem::open("tmpfs").unwrap();
        filesystem.create().unwrap();
        let plain = filesystem.mount(MountFlags::empty()).unwrap();
        // What is attached nowhere can be cloned since Linux 6.15.
        let place = common::scratch();
        plain.attach(CWD, place.path()).unwrap();
        common::write(&plain, "file", "text").unwrap();
        let owner = |mount: &Mount, name: &str| {
            let stat = statat(mount, name, AtFlags::SYMLINK_NOFOLLOW).unwrap();
            (stat.st_uid, stat.st_gid)
        };
        let users = vec![MappedRange::new(0, 100_000, 10)];
        let groups = vec![MappedRange::new(0, 200_000, 10)];
        let namespace = UserNamespace::for_mapping(&IdMapping::new(users, groups).unwrap()).unwrap();
        let mapped = Mount::clone_mount(&plain, "").unwrap();
        mapped.map_ids(&namespace, false).unwrap();
        drop(namespace);
        assert_eq!(owner(&plain, "file"), (0, 0));
        assert_eq!(owner(&mapped, "file"), (100_000, 200_000));
        let error = common::write(&mapped, "other", "").unwrap_err();
        assert_eq!(error, rustix::io::Errno::OVERFLOW, "root has no id on the file system there");
        rustix::fs::mkdirat(&plain, "dir", Mode::from_raw_mode(0o755)).unwrap();
        let ids = (rustix::fs::Uid::from_raw(100_003), rustix::fs::Gid::from_raw(200_004));
        rustix::fs::chownat(&mapped, "dir", Some(ids.0), Some(ids.1), AtFlags::empty()).unwrap();
        assert_eq!(owner(&plain, "dir"), (3, 4));
    });
}

#[test]
fn what_cannot_be_mapped() {
    require_root!();
    in_private_mounts(|| {
        let namespace = UserNamespace::for_mapping(&IdMapping::shift(0, 100_000, 10).unwrap()).unwrap();
        let place = common::scratch();
        let filesystem = Filesystem::open("tmpfs").unwrap();
        filesystem.create().unwrap();
        let mount = filesystem.mount(MountFlags::empty()).unwrap();
        mount.attach(CWD, place.path()).unwrap();
        let error = mount.map_ids(&namespace, false).unwrap_err();
        assert_eq!(error.to_string(), "mount_setattr ids by a user namespace: EINVAL (Invalid argument)");
        mount.change(&Attributes::new().set(MountFlags::RDONLY)).unwrap();
        let clone = Mount::clone_mount(&mount, "").unwrap();
        let own = UserNamespace::from(std::os::fd::OwnedFd::from(
            std::fs::File::open("/proc/self/ns/user").unwrap(),
        ));
        assert!(clone.map_ids(&own, false).unwrap_err().to_string().contains("EPERM"));
    });
}

#[test]
fn not_as_the_first_process_of_a_pid_namespace() {
    require_root_of_a_namespace!();
    let thread = std::thread::spawn(|| {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWPID).unwrap();
        let mapping =
            IdMapping::new(vec![MappedRange::new(0, 0, 1)], vec![MappedRange::new(0, 0, 1)]).unwrap();
        let error = UserNamespace::for_mapping(&mapping).unwrap_err();
        assert!(error.to_string().ends_with("is not that of the caller"), "{error}");
        assert!(
            std::process::Command::new("true").status().unwrap().success(),
            "the namespace has its first process"
        );
    });
    thread.join().unwrap();
}
