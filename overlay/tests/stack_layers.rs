//! What layers can be: one or hundreds, with any name, descriptors, detached, with mapped ids.

mod common;

use cofferdam_overlay::{
    CWD, Error, Filesystem, Layer, Method, Mount, MountFlags, Parameter, Stack, Support, Value,
};
use common::{
    Dirs, METHODS, directory, has, in_private_mounts, is_root_of_the_host, methods, mounted_at, names, read,
    write,
};
use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

#[test]
fn a_single_lower_directory_with_an_upper_one() {
    require_root_of_a_namespace!();
    in_private_mounts(|| {
        let dirs = Dirs::new();
        for method in methods() {
            let (upper, work) = dirs.upper(&format!("{method:?}"));
            let stack = Stack::new().lower(&dirs.lowers[0]).upper(&upper, work);
            let mount = stack.mount_with(method).unwrap();
            write(&mount, "new", "").unwrap();
            assert!(upper.join("new").exists() && read(&mount, "top") == "top");
        }
    });
}

#[test]
fn a_single_lower_directory_is_a_read_only_clone() {
    require_root_of_a_namespace!();
    in_private_mounts(|| {
        let dirs = Dirs::new();
        let stack = Stack::new().lower(&dirs.lowers[0]).flags(MountFlags::NODEV);
        assert_eq!(stack.sole(), Some(&Layer::from(&dirs.lowers[0])));
        for method in METHODS {
            let place = directory(dirs.parent.path(), &format!("{method:?}"), &[]);
            stack.mount_at_with(method, CWD, &place).unwrap();
            let line = mounted_at(&place).unwrap();
            assert!(line.split(' ').nth(5).unwrap().starts_with("ro,") && line.contains("nodev"), "{line}");
            assert_eq!(fs::read_to_string(place.join("top")).unwrap(), "top");
            assert!(
                fs::write(place.join("new"), "").is_err()
                    && fs::write(dirs.lowers[0].join("old"), "").is_ok()
            );
        }
    });
}

#[test]
fn five_hundred_layers() {
    require_root_of_a_namespace!();
    in_private_mounts(|| {
        let parent = common::scratch();
        let layers: Vec<_> = (0..500)
            .map(|n| directory(parent.path(), &n.to_string(), &[&format!("file{n}"), "all"]))
            .collect();
        let stack = Stack::new().lowers(&layers);
        for method in methods().filter(|method| *method != Method::OptionString) {
            let mount = stack.mount_with(method).unwrap();
            assert_eq!((names(&mount).len(), read(&mount, "all")), (501, "0".to_owned()));
            assert_eq!(read(&mount, "file499"), "499");
        }
        let error = stack.clone().lower(directory(parent.path(), "more", &[])).mount().unwrap_err();
        assert_eq!(error.to_string(), "501 layers are too many: 500 fit one union mount");
        one_string(&stack, &layers);
    });
}

/// How many layers fit is said right: so many do, and one more does not.
fn one_string(stack: &Stack, layers: &[PathBuf]) {
    let place = common::scratch();
    let at = |stack: &Stack| stack.mount_at_with(Method::OptionString, CWD, place.path());
    for (result, mount) in [(stack.mount_with(Method::OptionString).map(drop), None), (at(stack), Some(&at))]
    {
        let Err(Error::TooManyLayers { layers: 500, fit, .. }) = result else { panic!("{result:?}") };
        let of = |n: usize| Stack::new().lowers(&layers[..n]);
        match mount {
            None => {
                assert!((8..12).contains(&fit), "{fit}");
                assert_eq!(names(of(fit).mount_with(Method::OptionString).expect("fits")).len(), fit + 1);
                assert!(of(fit + 1).mount_with(Method::OptionString).is_err());
            }
            Some(at) => {
                assert!((150..190).contains(&fit), "{fit}");
                assert!(at(&of(fit + 1)).is_err());
                at(&of(fit)).expect("fits");
                assert_eq!(fs::read_dir(place.path()).expect("mounted").count(), fit + 1);
                Mount::open(CWD, place.path()).and_then(|mount| mount.unmount()).expect("unmounted");
            }
        }
    }
}

#[test]
fn odd_names() {
    require_root_of_a_namespace!();
    in_private_mounts(|| {
        let parent = common::scratch();
        let odd = ["a:b", "a,b", r"a\b", "a b", r"a\:b", "a=b", r"tail\", "new\nline", "ümlaut", ":", ","];
        for (n, name) in odd.iter().enumerate() {
            let lower = directory(parent.path(), &format!("lower{n}/{name}"), &["lower"]);
            let upper = directory(parent.path(), &format!("upper{n}/{name}"), &["upper"]);
            let work = directory(parent.path(), &format!("work{n}/{name}"), &[]);
            let other = directory(parent.path(), &format!("other{n}"), &["other"]);
            let stack = Stack::new().lower(&lower).lower(&other).upper(&upper, &work);
            for method in methods() {
                has(&stack.mount_with(method).unwrap(), &["lower", "other", "upper"]);
                by_path(&stack, method, &["lower", "other", "upper"], name);
                let place = directory(parent.path(), &format!("place{n}{method:?}"), &[]);
                stack.mount_at_with(method, CWD, &place).unwrap();
                assert_eq!(fs::read_dir(&place).unwrap().count(), 3, "{name:?}");
                Mount::open(CWD, &place).unwrap().unmount().unwrap();
            }
        }
    });
}

/// The parameters by path say the same; a comma is refused where all layers are one string.
fn by_path(stack: &Stack, method: Method, expected: &[&str], name: &str) {
    let parameters = match stack.parameters_by_path(method) {
        Ok(parameters) => parameters,
        Err(error) => {
            assert!(method == Method::OptionString && name.contains(','), "{error}");
            return;
        }
    };
    let filesystem = Filesystem::open("overlay").expect("context");
    for Parameter { key, value, .. } in parameters {
        match value {
            Value::Flag => filesystem.flag(key).expect("flag"),
            Value::Text(text) => filesystem.string(key, &text).expect("text"),
            other => panic!("{key} {other:?}"),
        }
    }
    filesystem.create().expect("created");
    has(&filesystem.mount(MountFlags::empty()).expect("mounted"), expected);
}

#[test]
fn layers_by_descriptor_and_detached() {
    require_root_of_a_namespace!();
    in_private_mounts(|| {
        let dirs = Dirs::new();
        let open = |path: &Path| OwnedFd::from(fs::File::open(path).expect("layer"));
        for method in methods() {
            let stack = Stack::new().lower(open(&dirs.lowers[0])).lower(&dirs.lowers[1]);
            has(&stack.mount_with(method).unwrap(), &["all", "top", "two"]);
            has(&stack.clone().mount_with(method).unwrap(), &["all", "top", "two"]);
            let twice = stack.lower(open(&dirs.lowers[0])).mount_with(method).unwrap_err();
            assert!(twice.to_string().ends_with("is used twice"), "{twice}");
        }
        if !Support::probe().detached_layers() {
            skip_on_this_kernel!("detached layers need Linux 6.15");
        }
        let tmpfs = Filesystem::open("tmpfs").unwrap();
        tmpfs.create().unwrap();
        let tmpfs = tmpfs.mount(MountFlags::empty()).unwrap();
        write(&tmpfs, "file", "detached").unwrap();
        let mount = Stack::new().lower(tmpfs).lower(&dirs.lowers[0]).mount().unwrap();
        assert_eq!(read(&mount, "file"), "detached");
    });
}

#[test]
fn the_work_directory_is_beside_the_upper_one() {
    require_root_of_a_namespace!();
    in_private_mounts(|| {
        let dirs = Dirs::new();
        let (upper, work) = dirs.upper("a");
        let clone = Mount::clone_mount(CWD, &work).unwrap();
        clone.attach(CWD, &work).unwrap();
        let stack = dirs.stack().upper(&upper, &work);
        for method in methods() {
            let reason = "is not on the upper directory's mount";
            assert!(stack.mount_with(method).unwrap_err().to_string().ends_with(reason));
            let error = stack.mount_at_with(method, CWD, &dirs.lowers[0]).unwrap_err();
            assert!(error.to_string().ends_with(reason), "{error}");
        }
    });
}

#[test]
fn an_upper_directory_on_top_of_the_whole_file_system() {
    require_root_of_a_namespace!();
    in_private_mounts(|| {
        let dirs = Dirs::new();
        let (upper, work) = dirs.upper("a");
        let mut stack = Stack::new().lower("/").upper(&upper, work);
        if !is_root_of_the_host() {
            stack = stack.userxattr();
        }
        match stack.mount() {
            Ok(mount) => {
                write(&mount, "tmp-of-a-test", "").unwrap();
                assert!(upper.join("tmp-of-a-test").exists() && !Path::new("/tmp-of-a-test").exists());
            }
            // In a less privileged mount namespace a mount with others below it is not cloned alone.
            Err(error) => assert!(!is_root_of_the_host(), "{error}"),
        }
    });
}

#[test]
fn mapped_ids_of_a_layer() {
    require_root!();
    if !Support::probe().detached_layers() {
        skip_on_this_kernel!("detached layers need Linux 6.15");
    }
    in_private_mounts(|| {
        use cofferdam_overlay::{IdMapping, UserNamespace};
        let dirs = Dirs::new();
        let namespace = UserNamespace::for_mapping(&IdMapping::shift(0, 100_000, 65536).unwrap()).unwrap();
        let mapped = |path: &Path| {
            let mount = Mount::clone_mount(CWD, path).expect("clone");
            mount.map_ids(&namespace, false).expect("mapped");
            mount
        };
        let mut stack = Stack::new();
        for lower in &dirs.lowers {
            stack = stack.lower(mapped(lower));
        }
        let mount = stack.mount().unwrap();
        let stat = rustix::fs::statat(&mount, "one", rustix::fs::AtFlags::empty()).unwrap();
        assert_eq!((stat.st_uid, stat.st_gid), (100_000, 100_000));
    });
}
