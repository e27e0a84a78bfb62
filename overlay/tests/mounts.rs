//! Mounts by descriptor: made, cloned, changed, attached, detached.

mod common;

use cofferdam_overlay::{Attributes, CWD, Error, Filesystem, Mount, MountFlags, Propagation};
use common::{directory, in_private_mounts, mounted_at, names, read, scratch, write};
use rustix::io::Errno;
use std::fs;
use std::os::fd::AsFd;

fn tmpfs(flags: MountFlags) -> Mount {
    let filesystem = Filesystem::open("tmpfs").expect("context");
    filesystem.string("size", "1M").expect("size");
    filesystem.create().expect("file system");
    filesystem.mount(flags).expect("mount")
}

#[test]
fn made_used_detached_and_attached() {
    require_root_of_a_namespace!();
    in_private_mounts(|| {
        let place = common::scratch();
        let mount = tmpfs(MountFlags::NOSUID | MountFlags::NOEXEC | MountFlags::NOATIME);
        write(&mount, "file", "text").unwrap();
        assert_eq!(mounted_at(place.path()), None);
        mount.attach(CWD, place.path()).unwrap();
        let line = mounted_at(place.path()).unwrap();
        assert!(line.contains("rw,nosuid,noexec,noatime") && line.contains("tmpfs"), "{line}");
        assert_eq!(fs::read_to_string(place.path().join("file")).unwrap(), "text");
        drop(mount);
        Mount::open(CWD, place.path()).unwrap().unmount().unwrap();
        assert_eq!(mounted_at(place.path()), None);
    });
}

#[test]
fn attached_to_a_descriptor() {
    require_root_of_a_namespace!();
    in_private_mounts(|| {
        let place = common::scratch();
        let open = fs::File::open(place.path()).unwrap();
        let mount = tmpfs(MountFlags::empty());
        mount.attach(&open, "").unwrap();
        assert!(mounted_at(place.path()).is_some());
        mount.unmount().unwrap();
        let error = mount.unmount().unwrap_err();
        assert_eq!(error.errno().map(|errno| errno.raw()), Some(libc::EINVAL), "{error}");
    });
}

#[test]
fn attached_beneath_another() {
    require_root_of_a_namespace!();
    in_private_mounts(|| {
        let place = common::scratch();
        let (top, below) = (tmpfs(MountFlags::empty()), tmpfs(MountFlags::empty()));
        write(&below, "below", "").unwrap();
        top.attach(CWD, place.path()).unwrap();
        match below.attach_beneath(CWD, place.path()) {
            Err(error) if !since(6, 5) => skip!("this kernel: {error}"),
            result => result.unwrap(),
        }
        assert!(!place.path().join("below").exists());
        top.unmount().unwrap();
        assert!(place.path().join("below").exists());
    });
}

#[test]
fn a_bad_parameter_is_an_error_with_the_words_of_the_kernel() {
    require_root_of_a_namespace!();
    in_private_mounts(|| {
        let filesystem = Filesystem::open("tmpfs").unwrap();
        let error = filesystem.string("no-such", "thing").unwrap_err();
        let Error::Call { call, on, log, .. } = &error else { panic!("{error:?}") };
        assert_eq!((*call, on.as_str()), ("fsconfig", "tmpfs no-such=thing"));
        assert_eq!(log.as_slice(), ["e tmpfs: Unknown parameter 'no-such'"]);
        assert_eq!(
            error.to_string(),
            "fsconfig tmpfs no-such=thing: EINVAL (Invalid argument); e tmpfs: Unknown parameter 'no-such'"
        );
        assert_eq!(filesystem.log(), [] as [String; 0]);
        assert!(filesystem.flag("no-flag").unwrap_err().to_string().contains("no-flag"));
        assert_eq!(
            Filesystem::open("no-such").unwrap_err().to_string().split(':').next(),
            Some("fsopen no-such")
        );
    });
}

#[test]
fn attributes_that_fsmount_cannot_take() {
    require_root_of_a_namespace!();
    in_private_mounts(|| {
        let filesystem = Filesystem::open("tmpfs").unwrap();
        filesystem.create().unwrap();
        let error = filesystem.mount(MountFlags::from_bits(1 << 40)).unwrap_err();
        assert!(matches!(error, Error::Invalid { what: "mount attributes", .. }), "{error}");
    });
}

#[test]
fn one_mount_is_cloned_without_those_below() {
    require_root_of_a_namespace!();
    in_private_mounts(|| {
        let place = common::scratch();
        tmpfs(MountFlags::empty()).attach(CWD, place.path()).unwrap();
        let inner = directory(place.path(), "inner", &[]);
        tmpfs(MountFlags::empty()).attach(CWD, &inner).unwrap();
        fs::write(inner.join("file"), "text").unwrap();
        let tree = Mount::clone_tree(CWD, place.path()).unwrap();
        assert_eq!(read(&tree, "inner/file"), "text");
        let open = fs::File::open(place.path()).unwrap();
        let one = Mount::clone_mount(&open, "").unwrap();
        assert_eq!(names(&one).len(), 1);
        assert!(write(&one, "inner/other", "").is_ok() && !inner.join("other").exists());
    });
}

#[test]
fn a_tree_is_made_read_only_as_a_whole() {
    require_root_of_a_namespace!();
    in_private_mounts(|| {
        let place = common::scratch();
        tmpfs(MountFlags::empty()).attach(CWD, place.path()).unwrap();
        let inner = directory(place.path(), "inner", &[]);
        tmpfs(MountFlags::empty()).attach(CWD, &inner).unwrap();
        let tree = Mount::clone_tree(CWD, place.path()).unwrap();
        tree.change(&Attributes::new().set(MountFlags::RDONLY)).unwrap();
        assert_eq!(write(&tree, "file", ""), Err(Errno::ROFS));
        assert_eq!(write(&tree, "inner/file", ""), Ok(()));
        tree.change(&Attributes::new().set(MountFlags::RDONLY).recursive()).unwrap();
        assert_eq!(write(&tree, "inner/file", ""), Err(Errno::ROFS));
        assert!(fs::write(inner.join("other"), "").is_ok(), "the original is writable still");
        tree.change(&Attributes::new().clear(MountFlags::RDONLY).recursive()).unwrap();
        assert_eq!(write(&tree, "inner/file", ""), Ok(()));
    });
}

#[test]
fn nothing_is_read_only_if_a_part_cannot_be() {
    require_root_of_a_namespace!();
    in_private_mounts(|| {
        let place = common::scratch();
        let outer = tmpfs(MountFlags::empty());
        outer.attach(CWD, place.path()).unwrap();
        let inner = directory(place.path(), "inner", &[]);
        tmpfs(MountFlags::empty()).attach(CWD, &inner).unwrap();
        let _open = fs::File::create(inner.join("file")).unwrap();
        let error = outer.change(&Attributes::new().set(MountFlags::RDONLY).recursive()).unwrap_err();
        assert_eq!(error.to_string(), "mount_setattr set ro recursively: EBUSY (Device or resource busy)");
        assert_eq!(write(&outer, "file", ""), Ok(()));
    });
}

#[test]
fn access_times_and_other_attributes_change() {
    require_root_of_a_namespace!();
    in_private_mounts(|| {
        let place = common::scratch();
        let mount = tmpfs(MountFlags::NOATIME | MountFlags::NOSUID);
        mount.attach(CWD, place.path()).unwrap();
        let line = |change: Attributes| {
            mount.change(&change).unwrap();
            mounted_at(place.path()).unwrap().split(' ').nth(5).unwrap().to_owned()
        };
        assert_eq!(line(Attributes::new().clear(MountFlags::NOATIME)), "rw,nosuid,relatime");
        let flags = MountFlags::STRICTATIME | MountFlags::NODEV;
        assert_eq!(line(Attributes::new().set(flags).clear(MountFlags::NOSUID)), "rw,nodev");
        assert_eq!(line(Attributes::new().set(MountFlags::NOATIME)), "rw,nodev,noatime");
    });
}

#[test]
fn propagation() {
    require_root_of_a_namespace!();
    in_private_mounts(|| {
        let place = common::scratch();
        let mount = tmpfs(MountFlags::empty());
        mount.attach(CWD, place.path()).unwrap();
        let words = |propagation| {
            mount.change(&Attributes::new().propagation(propagation)).unwrap();
            let line = mounted_at(place.path()).unwrap();
            line.split(' ').skip(6).take_while(|word| *word != "-").map(str::to_owned).collect::<Vec<_>>()
        };
        assert!(words(Propagation::Shared)[0].starts_with("shared:"));
        let peer = Mount::clone_mount(&mount, "").unwrap();
        assert!(words(Propagation::Slave)[0].starts_with("master:"));
        drop(peer);
        assert_eq!(words(Propagation::Private), [] as [String; 0]);
        assert_eq!(words(Propagation::Unbindable), ["unbindable"]);
        let error = Mount::clone_mount(&mount, "").unwrap_err();
        assert_eq!(error.to_string(), "open_tree (descriptor): EINVAL (Invalid argument)");
    });
}

#[test]
fn a_file_system_is_reconfigured_for_all_its_mounts() {
    require_root_of_a_namespace!();
    in_private_mounts(|| {
        let mount = tmpfs(MountFlags::empty());
        let place = scratch();
        mount.attach(CWD, place.path()).unwrap();
        let other = Mount::clone_mount(&mount, "").unwrap();
        let picked = Filesystem::pick(&mount, "").unwrap();
        picked.flag("ro").unwrap();
        picked.reconfigure().unwrap();
        assert_eq!(write(&other, "file", ""), Err(Errno::ROFS));
        assert!(Filesystem::pick(CWD, "/proc/self/fd").is_err(), "not the root of a mount");
    });
}

#[test]
fn a_link_at_the_end_is_not_a_place() {
    require_root_of_a_namespace!();
    in_private_mounts(|| {
        let place = common::scratch();
        let target = directory(place.path(), "target", &[]);
        std::os::unix::fs::symlink(&target, place.path().join("link")).unwrap();
        assert!(tmpfs(MountFlags::empty()).attach(CWD, place.path().join("link")).is_err());
        assert_eq!(mounted_at(&target), None);
    });
}

#[test]
fn without_privileges_it_is_refused() {
    if common::is_root() {
        eprintln!("skipped: needs an ordinary user");
        return;
    }
    let error = Filesystem::open("tmpfs").unwrap_err();
    assert_eq!(error.to_string(), "fsopen tmpfs: EPERM (Operation not permitted)");
    assert!(Mount::clone_mount(CWD, "/").is_err());
    assert!(Mount::open(CWD, "/").is_ok());
}

#[test]
fn descriptors_are_closed_on_exec() {
    require_root_of_a_namespace!();
    in_private_mounts(|| {
        let filesystem = Filesystem::open("tmpfs").unwrap();
        filesystem.create().unwrap();
        let mount = filesystem.mount(MountFlags::empty()).unwrap();
        let place = scratch();
        mount.attach(CWD, place.path()).unwrap();
        let (clone, open) = (Mount::clone_tree(&mount, "").unwrap(), Mount::open(&mount, "").unwrap());
        for fd in [filesystem.as_fd(), mount.as_fd(), clone.as_fd(), open.as_fd()] {
            assert!(rustix::io::fcntl_getfd(fd).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
        }
    });
}

fn since(major: u32, minor: u32) -> bool {
    let uname = rustix::system::uname();
    let release = uname.release().to_string_lossy();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (major, minor)
}
