//! Working directories that not everybody may enter.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{DirBuilderExt, chown};
use std::path::Path;

use cofferdam::oci::{Container, Error, ExecOptions};
use cofferdam::{LimitPolicy, Stdio};
use rustix::thread::{CapabilitySet, capabilities, remove_capability_from_bounding_set, set_capabilities};
use serde_json::json;

use crate::common::bundle::{Bundle, busybox, wait};
use crate::common::is_root;
use crate::fixture::{Before, Outside, turn};
use crate::require;

/// Acts as a root who may not read everything, as on a file system of another host.
fn restricted<T: Send>(act: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let act = || {
            for one in [CapabilitySet::DAC_OVERRIDE, CapabilitySet::DAC_READ_SEARCH] {
                remove_capability_from_bounding_set(one).unwrap();
                let mut sets = capabilities(None).unwrap();
                for set in [&mut sets.effective, &mut sets.permitted, &mut sets.inheritable] {
                    set.remove(one);
                }
                set_capabilities(None, sets).unwrap();
            }
            act()
        };
        scope.spawn(act).join().unwrap()
    })
}

fn private(path: &Path, owner: u32) {
    fs::DirBuilder::new().mode(0o700).create(path).unwrap();
    chown(path, Some(owner), Some(owner)).unwrap();
}

/// A container of user 1000, with a directory of its own and one of another user.
fn of_user(script: &str) -> Bundle {
    let mut bundle = Bundle::new(script);
    let root = bundle.path().join("rootfs");
    private(&root.join("own"), 1000);
    private(&root.join("others"), 1001);
    bundle.config["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
    bundle.config["process"]["cwd"] = json!("/own");
    bundle
}

/// Without a cgroup, which such a root may not make.
fn create(bundle: &Bundle) -> Result<Container, Error> {
    let spec = bundle.spec();
    let mut options = bundle.options("box", &spec);
    (options.stdout, options.cgroup) = (Stdio::piped(), LimitPolicy::None);
    bundle.runtime.create(options)
}

/// What it writes.
fn run(bundle: &Bundle) -> Result<String, Error> {
    let mut container = create(bundle)?;
    container.start().unwrap_or_else(|error| panic!("{error}"));
    let mut text = String::new();
    container.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(wait(&mut container), 0);
    container.delete(false).unwrap();
    Ok(text)
}

#[test]
fn a_directory_that_only_the_user_may_enter_is_entered_as_the_user() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    let _turn = turn();
    let mut bundle = of_user("pwd");
    let (before, outside) = (Before::look(), Outside::new());
    assert_eq!(run(&bundle).unwrap(), "/own\n");
    restricted(|| {
        assert_eq!(run(&bundle).unwrap(), "/own\n");
        before.assert_same(&bundle, &outside, "own");
    });
    // Who made the container may enter it all the same, and so the container is there.
    bundle.config["process"]["cwd"] = json!("/others");
    assert_eq!(run(&bundle).unwrap(), "/others\n");
    restricted(|| {
        let error = run(&bundle).unwrap_err().to_string();
        assert_eq!(error, "change directory to /others: EACCES (Permission denied), by chdir");
        before.assert_same(&bundle, &outside, "others");
    });
}

#[test]
fn a_further_process_enters_it_as_the_user_too() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    let _turn = turn();
    let mut bundle = of_user("exec sleep 60");
    bundle.config["process"]["cwd"] = json!("/");
    restricted(|| {
        let mut container = create(&bundle).unwrap_or_else(|error| panic!("{error}"));
        container.start().unwrap_or_else(|error| panic!("{error}"));
        let exec = |cwd: &str| {
            let mut process = container.process_template();
            process.set_args(Some(["sh", "-c", "pwd"].map(str::to_owned).to_vec()));
            process.set_cwd(cwd.into());
            let mut options = ExecOptions::new(&process);
            options.stdout = Stdio::piped();
            let mut process = container.exec(options).map_err(|error| error.to_string())?;
            let mut text = String::new();
            process.stdout.take().unwrap().read_to_string(&mut text).unwrap();
            process.wait().unwrap();
            Ok::<_, String>(text)
        };
        assert_eq!(exec("/own"), Ok("/own\n".into()));
        let refused = "change directory to /others: EACCES (Permission denied), by chdir";
        assert_eq!(exec("/others"), Err(refused.into()));
        container.delete(true).unwrap();
    });
}

/// The second attempt is looked at as the first one is.
#[test]
fn cve_2024_21626_a_directory_of_the_host_is_refused_to_the_user_who_may_enter_it() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    let _turn = turn();
    let outside = tempfile::tempdir().unwrap();
    let path = outside.path().join("host");
    private(&path, 1000);
    let host = fs::File::open(&path).unwrap();
    let mut bundle = of_user("exec sleep 60");
    bundle.config["process"]["cwd"] = json!("/");
    let mut refusals = Vec::new();
    restricted(|| {
        let mut container = create(&bundle).unwrap_or_else(|error| panic!("{error}"));
        container.start().unwrap_or_else(|error| panic!("{error}"));
        for number in 3..30 {
            let cwd = format!("/proc/self/fd/{number}");
            let mut process = container.process_template();
            process.set_cwd(cwd.clone().into());
            let mut options = ExecOptions::new(&process);
            options.descriptors = vec![host.try_clone().unwrap().into(), host.try_clone().unwrap().into()];
            let error = container.exec(options).unwrap_err().to_string();
            assert!(error.contains(&cwd), "{error}");
            refusals.push(error);
        }
        container.delete(true).unwrap();
    });
    // Among them is one that only the user may enter, and that so came to the second look.
    let looked = |error: &String| error.starts_with("change directory to /proc/") && error.contains("XDEV");
    assert!(refusals.iter().any(looked), "{refusals:?}");
}
