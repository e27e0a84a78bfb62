//! Union mounts, in each form in which layers can be given.

mod common;

use cofferdam_overlay::{
    Attributes, CWD, Errno, Filesystem, Layer, Method, Mount, MountFlags, RedirectDir, Support, Uuid, Xino,
};
use common::{
    Dirs, directory, has, in_private_mounts, is_root_of_the_host, methods, mount_again, mounted_at, names,
    read, write,
};
use std::fs;

#[test]
fn lower_directories_in_their_order() {
    require_root_of_a_namespace!();
    in_private_mounts(|| {
        let dirs = Dirs::new();
        for method in methods() {
            let mount = dirs.stack().mount_with(method).unwrap();
            has(&mount, &["all", "one", "top", "two"]);
            let content = ["all", "top", "two", "one"].map(|name| read(&mount, name));
            assert_eq!(content, ["top", "top", "middle", "bottom"], "{method}");
            assert_eq!(write(&mount, "new", ""), Err(rustix::io::Errno::ROFS), "{method}");
        }
    });
}

#[test]
fn the_upper_directory_takes_what_is_written() {
    require_root_of_a_namespace!();
    in_private_mounts(|| {
        let dirs = Dirs::new();
        for method in methods() {
            let (stack, upper) = dirs.writable(&format!("{method:?}"));
            let mount = stack.mount_with(method).unwrap();
            write(&mount, "new", "new").unwrap();
            write(&mount, "one", "changed").unwrap();
            rustix::fs::unlinkat(&mount, "two", rustix::fs::AtFlags::empty()).unwrap();
            has(&mount, &["all", "new", "one", "top"]);
            drop(mount);
            assert_eq!(fs::read_to_string(upper.join("new")).unwrap(), "new");
            assert_eq!(fs::read_to_string(upper.join("one")).unwrap(), "changed");
            assert_eq!(fs::read_to_string(dirs.lowers[2].join("one")).unwrap(), "bottom");
            assert!(upper.join("two").symlink_metadata().is_ok(), "a whiteout");
            has(&mount_again(&stack, method).unwrap(), &["all", "new", "one", "top"]);
        }
    });
}

#[test]
fn the_same_in_a_user_namespace() {
    require_user_namespace!();
    in_private_mounts(|| {
        assert!(!is_root_of_the_host());
        let dirs = Dirs::new();
        fs::create_dir(dirs.lowers[2].join("dir")).unwrap();
        fs::write(dirs.lowers[2].join("dir/old"), "").unwrap();
        for method in methods() {
            let (stack, upper) = dirs.writable(&format!("{method:?}"));
            let mount = stack.mount_with(method).unwrap();
            write(&mount, "new", "new").unwrap();
            assert_eq!(fs::read_to_string(upper.join("new")).unwrap(), "new");
            rustix::fs::unlinkat(&mount, "dir/old", rustix::fs::AtFlags::empty()).unwrap();
            rustix::fs::unlinkat(&mount, "dir", rustix::fs::AtFlags::REMOVEDIR).unwrap();
            rustix::fs::mkdirat(&mount, "dir", rustix::fs::Mode::from_raw_mode(0o755)).unwrap();
            let opened = rustix::fs::openat(
                &mount,
                "dir",
                rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC,
                rustix::fs::Mode::empty(),
            );
            assert!(names(opened.unwrap()).is_empty(), "{method}");
            let mut value = [0_u8; 4];
            let length = rustix::fs::getxattr(upper.join("dir"), "user.overlay.opaque", &mut value).unwrap();
            assert_eq!(&value[..length], b"y", "{method}");
        }
    });
}

#[test]
fn attached_with_its_attributes() {
    require_root_of_a_namespace!();
    in_private_mounts(|| {
        let dirs = Dirs::new();
        for method in methods() {
            let place = directory(dirs.parent.path(), &format!("place{method:?}"), &[]);
            let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOATIME;
            let (stack, _) = dirs.writable(&format!("{method:?}"));
            let stack = stack.flags(flags).source("box").xino(Xino::Off);
            stack.mount_at_with(method, fs::File::open(&place).unwrap(), "").unwrap();
            let line = mounted_at(&place).unwrap();
            assert!(line.contains(" rw,nosuid,nodev,noatime "), "{line}");
            assert!(line.contains(" - overlay box "), "{line}");
            fs::write(place.join("new"), "").unwrap();
            std::os::unix::fs::symlink(&place, dirs.parent.path().join(format!("{method:?}link"))).unwrap();
            let link = dirs.parent.path().join(format!("{method:?}link"));
            assert!(dirs.stack().mount_at_with(method, CWD, link).is_err(), "a link is not followed");
        }
        let unknown = dirs.stack().flags(MountFlags::from_bits(1 << 30));
        let error = unknown.mount_at_with(Method::OptionString, CWD, &dirs.lowers[0]).unwrap_err();
        assert_eq!(error.to_string(), "mount attributes \"0x40000000\" are unknown to mount(2)");
    });
}

#[test]
fn options_reach_the_kernel() {
    require_root!();
    in_private_mounts(|| {
        let dirs = Dirs::new();
        for method in methods() {
            let (stack, _) = dirs.writable(&format!("{method:?}"));
            let stack = stack
                .index(true)
                .metacopy(true)
                .redirect_dir(RedirectDir::On)
                .xino(Xino::On)
                .uuid(Uuid::Off)
                .volatile();
            let place = directory(dirs.parent.path(), &format!("place{method:?}"), &[]);
            stack.mount_at_with(method, CWD, &place).unwrap();
            let line = mounted_at(&place).unwrap();
            let options: Vec<&str> = line.split(' ').next_back().unwrap().split(',').collect();
            for option in ["redirect_dir=on", "index=on", "uuid=off", "metacopy=on"] {
                assert!(options.contains(&option), "{option} in {line}");
            }
            assert!(options.iter().any(|option| ["volatile", "fsync=volatile"].contains(option)), "{line}");
            Mount::open(CWD, &place).unwrap().unmount().unwrap();
            let error = mount_again(&stack, method).unwrap_err();
            assert_eq!(error.errno(), Some(Errno::from_raw(libc::EINVAL)), "volatile before: {error}");
            let work = stack.work_layer().and_then(Layer::as_path).unwrap();
            fs::remove_dir_all(work.join("work/incompat")).unwrap();
            drop(mount_again(&stack, method).unwrap());
        }
    });
}

#[test]
fn errors_name_the_layer() {
    require_root_of_a_namespace!();
    in_private_mounts(|| {
        let dirs = Dirs::new();
        let missing = dirs.parent.path().join("missing");
        let file = directory(dirs.parent.path(), "other", &["file"]).join("file");
        for method in methods() {
            let error = dirs.stack().lower(&missing).mount_with(method).unwrap_err();
            let expected =
                format!("open the layer {}: ENOENT (No such file or directory)", missing.display());
            assert_eq!(error.to_string(), expected);
            let error = dirs.stack().lower(&file).mount_with(method).unwrap_err();
            assert!(error.to_string().contains("ENOTDIR"), "{error}");
            std::fs::create_dir_all(dirs.lowers[1].join("inner")).unwrap();
            let inner = dirs.parent.path().join("top/../middle/inner");
            let error = dirs.stack().lower(inner).mount_with(method).unwrap_err();
            assert_eq!(error.errno(), Some(Errno::from_raw(libc::ELOOP)), "{error}");
            let again = dirs.stack().lower(dirs.parent.path().join("top/../middle"));
            assert!(again.mount_with(method).unwrap_err().to_string().ends_with("is used twice"));
        }
    });
}

#[test]
fn the_kernel_says_why_an_option_is_bad() {
    require_root_of_a_namespace!();
    in_private_mounts(|| {
        let filesystem = Filesystem::open("overlay").unwrap();
        let error = filesystem.string("redirect_dir", "sideways").unwrap_err();
        assert_eq!(
            error.to_string(),
            "fsconfig overlay redirect_dir=sideways: EINVAL (Invalid argument); \
             e overlay: Bad value for 'redirect_dir'"
        );
    });
}

#[test]
fn without_privileges_it_is_refused() {
    if common::is_root() {
        eprintln!("skipped: needs an ordinary user");
        return;
    }
    let support = Support::probe();
    assert!(!support.asked() && support.to_string().ends_with("by version alone"), "{support}");
    let dirs = Dirs::new();
    let error = dirs.stack().mount().unwrap_err();
    assert_eq!(error.to_string(), "fsopen overlay: EPERM (Operation not permitted)");
}

#[test]
fn a_mount_is_changed_after_it_is_made() {
    require_root_of_a_namespace!();
    in_private_mounts(|| {
        let dirs = Dirs::new();
        let (stack, _) = dirs.writable("a");
        let mount = stack.mount().unwrap();
        write(&mount, "new", "").unwrap();
        mount.change(&Attributes::new().set(MountFlags::RDONLY)).unwrap();
        assert_eq!(write(&mount, "newer", ""), Err(rustix::io::Errno::ROFS));
    });
}
