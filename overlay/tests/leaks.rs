//! Nothing is left behind: no descriptor, no child, no mount. One test, so that nothing else of this process is
//! counted.

mod common;

use cofferdam_overlay::{CWD, IdMapping, MappedRange, Method, Mount, Stack, Support, UserNamespace};
use common::{belongings, directory, in_private_mounts, is_root_of_the_host, mounts};
use std::fs;

#[test]
fn nothing_is_left_behind() {
    require_root_of_a_namespace!();
    in_private_mounts(|| {
        let parent = common::scratch();
        let make = |name| directory(parent.path(), name, &[name]);
        let place = make("place");
        let lowers = Stack::new().lower(make("a")).lower(make("b"));
        let missing = lowers.clone().lower("/missing");
        let stack = lowers.upper(make("upper"), make("work"));
        fs::remove_file(parent.path().join("work/work")).unwrap();
        let stack = if is_root_of_the_host() { stack } else { stack.userxattr() };
        let own = IdMapping::new(vec![MappedRange::new(0, 0, 1)], vec![MappedRange::new(0, 0, 1)]).unwrap();
        let best = Support::probe().method();
        let before = (belongings(), mounts());
        for method in [Method::OptionString, Method::Append, Method::Descriptors] {
            for _ in 0..20 {
                missing.mount_with(method).unwrap_err();
                missing.mount_at_with(method, CWD, &place).unwrap_err();
                stack.mount_at_with(method, CWD, "/missing").unwrap_err();
                if method <= best {
                    drop(stack.mount_with(method).unwrap());
                    stack.mount_at_with(method, CWD, &place).unwrap();
                    Mount::open(CWD, &place).unwrap().unmount().unwrap();
                }
                drop(UserNamespace::for_mapping(&own).unwrap());
                Mount::clone_mount(CWD, "/missing").unwrap_err();
            }
        }
        assert_eq!((belongings(), mounts()), before);
        with_descriptors_of_its_own(&stack, &place);
    });
}

/// A thread that does not share its descriptors with the others of the process mounts like any other.
fn with_descriptors_of_its_own(stack: &Stack, place: &std::path::Path) {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_FILES).expect("descriptors of its own");
    let best = Support::probe().method();
    for method in [Method::OptionString, Method::Append, Method::Descriptors] {
        if method <= best {
            drop(stack.mount_with(method).expect("mounted"));
            stack.mount_at_with(method, CWD, place).expect("mounted");
            Mount::open(CWD, place).and_then(|mount| mount.unmount()).expect("unmounted");
        }
    }
}
