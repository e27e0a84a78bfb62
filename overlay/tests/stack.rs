//! Union mounts, in each form in which layers can be given.

mod common;

use cofferdam_overlay::{
    Attributes, CWD, Errno, Error, Filesystem, Layer, Method, Mount, MountFlags, Parameter, RedirectDir,
    Stack, Support, Uuid, Value, Xino,
};
use common::{directory, in_private_mounts, is_root_of_the_host, mounted_at, names, read, write};
use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

const METHODS: [Method; 3] = [Method::OptionString, Method::Append, Method::Descriptors];

/// The forms that this kernel knows.
fn methods() -> impl Iterator<Item = Method> {
    let best = Support::probe().method();
    METHODS.into_iter().filter(move |method| *method <= best)
}

/// Three lower directories, and an upper and work directory.
struct Dirs {
    parent: common::Scratch,
    lowers: Vec<PathBuf>,
}

impl Dirs {
    fn new() -> Self {
        let parent = common::scratch();
        let make = |name, files: &[&str]| directory(parent.path(), name, files);
        let lowers = vec![
            make("top", &["all", "top"]),
            make("middle", &["all", "two"]),
            make("bottom", &["all", "two", "one"]),
        ];
        Self { parent, lowers }
    }

    fn stack(&self) -> Stack {
        Stack::new().lowers(&self.lowers)
    }

    /// New upper and work directories.
    fn upper(&self, name: &str) -> (PathBuf, PathBuf) {
        let parent = directory(self.parent.path(), name, &[]);
        (directory(&parent, "upper", &[]), directory(&parent, "work", &[]))
    }

    fn writable(&self, name: &str) -> (Stack, PathBuf) {
        let (upper, work) = self.upper(name);
        let stack = self.stack().upper(&upper, work);
        (if is_root_of_the_host() { stack } else { stack.userxattr() }, upper)
    }
}

fn has(names_of: &Mount, expected: &[&str]) {
    assert_eq!(names(names_of).into_iter().collect::<Vec<_>>(), expected);
}

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
            has(&stack.mount_with(method).unwrap(), &["all", "new", "one", "top"]);
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
            skip!("detached layers need Linux 6.15");
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
            let error = stack.mount_with(method).unwrap_err();
            assert_eq!(error.errno(), Some(Errno::from_raw(libc::EINVAL)), "volatile before: {error}");
            let work = stack.work_layer().and_then(Layer::as_path).unwrap();
            fs::remove_dir_all(work.join("work/incompat")).unwrap();
            drop(stack.mount_with(method).unwrap());
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
        skip!("detached layers need Linux 6.15");
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
