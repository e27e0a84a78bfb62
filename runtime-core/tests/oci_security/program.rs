//! What runs: the init, and never a program of the host or, on the host, one of the container.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::time::Duration;

use cofferdam::oci::ExecOptions;
use rustix::fs::{SealFlags, fcntl_get_seals};
use serde_json::json;

use crate::common::bundle::{Bundle, busybox, wait};
use crate::common::{can_isolate, is_root};
use crate::fixture::{Before, Outside, attempt, for_everybody, turn, until};
use crate::require;

#[test]
fn cve_2019_5736_the_init_is_no_program_of_the_host() {
    require!(busybox().is_some(), "a static busybox");
    require!(can_isolate(), "namespaces");
    for_everybody("program::cve_2019_5736_the_init_is_no_program_of_the_host", || {
        let bundle = Bundle::new("exit 0");
        let container = bundle.create("box").unwrap_or_else(|error| panic!("{error}"));
        let link = format!("/proc/{}/exe", container.pid().unwrap());
        let init = fs::File::open(&link).unwrap_or_else(|error| panic!("{link}: {error}"));
        let own = fs::metadata("/proc/self/exe").unwrap();
        let its = init.metadata().unwrap();
        assert_ne!((own.dev(), own.ino()), (its.dev(), its.ino()));
        let sealed = SealFlags::SEAL | SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK;
        assert!(fcntl_get_seals(&init).unwrap().contains(sealed));
        let written = fs::OpenOptions::new().write(true).open(&link).map(drop);
        assert_eq!(written.unwrap_err().raw_os_error(), Some(libc::ETXTBSY));
        container.delete(true).unwrap();
    });
}

/// Takes hold of the program of every process that comes, and writes to it when it has ended.
const THIEF: &str = "echo ready > /ready; while :; do for p in /proc/[0-9]*; do \
    [ $p/exe -ef /bin/busybox ] || ( exec 3<$p/exe; echo held >> /held; n=0; while [ $n -lt 200 ]; do n=$((n+1)); \
    { echo x > /proc/self/fd/3; } && echo written >> /written; done ) ; done; done 2>/dev/null";

#[test]
fn cve_2019_5736_who_holds_the_init_cannot_write_to_it() {
    require!(busybox().is_some(), "a static busybox");
    require!(is_root(), "root");
    let _turn = turn();
    let mut bundle = Bundle::new(THIEF);
    bundle.config["root"]["readonly"] = json!(false);
    let all = json!(["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE"]);
    bundle.config["process"]["capabilities"] = json!({ "bounding": all, "effective": all, "permitted": all });
    let mut thief = bundle.create("thief").unwrap_or_else(|error| panic!("{error}"));
    let root = bundle.path().join("rootfs");
    thief.start().unwrap();
    until("the thief is ready", || root.join("ready").exists());

    // It is a process of the thief's pid namespace, whose program is the init itself.
    let mut victim = Bundle::new("");
    victim.config["process"]["args"] = json!(["/proc/self/exe"]);
    let joined = format!("/proc/{}/ns/pid", thief.pid().unwrap());
    let list = victim.config["linux"]["namespaces"].as_array_mut().unwrap();
    list.iter_mut().find(|entry| entry["type"] == "pid").unwrap()["path"] = json!(joined);
    let content = |bundle: &Bundle| {
        let container = bundle.create("victim").unwrap_or_else(|error| panic!("{error}"));
        let init = fs::read(format!("/proc/{}/exe", container.pid().unwrap())).unwrap();
        (container, init)
    };
    let (mut container, before) = content(&victim);
    until("the init is held", || root.join("held").exists());
    // Whatever comes of the init as a program.
    drop(container.start());
    drop(container.wait_timeout(Duration::from_secs(5)));
    container.delete(true).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let (container, after) = content(&victim);
    container.delete(true).unwrap();
    thief.kill(9, false).unwrap();
    wait(&mut thief);
    assert!(thief.delete(true).unwrap().is_empty());
    assert!(!root.join("written").exists(), "the init was written to");
    assert_eq!(before, after);
}

#[test]
fn cve_2019_14271_nothing_of_the_root_runs_on_the_host() {
    require!(busybox().is_some(), "a static busybox");
    require!(can_isolate(), "namespaces");
    for_everybody("program::cve_2019_14271_nothing_of_the_root_runs_on_the_host", || {
        let (before, outside) = (Before::look(), Outside::new());
        let bundle = Bundle::new("echo $0 runs");
        let root = bundle.path().join("rootfs");
        let canary = format!("#!/bin/sh\necho ran > {}/keep\n", outside.path().display());
        let mut canaries: Vec<PathBuf> = Vec::new();
        for directory in ["bin", "sbin", "usr/bin", "lib", "lib64", "lib/x86_64-linux-gnu"] {
            fs::create_dir_all(root.join(directory)).unwrap();
            for name in
                ["newuidmap", "newgidmap", "nsenter", "ps", "unpigz", "xz", "libnss_files.so.2", "libc.so.6"]
            {
                canaries.push(root.join(directory).join(name));
            }
        }
        for path in &canaries {
            fs::write(path, &canary).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::write(root.join("etc/nsswitch.conf"), "passwd: files\n").unwrap();
        fs::write(root.join("etc/ld.so.preload"), "/lib/libc.so.6\n").unwrap();
        assert_eq!(attempt(&bundle).unwrap(), "/bin/sh runs\n");
        before.assert_same(&bundle, &outside, "canaries");
        // The control: one that runs is seen.
        assert!(std::process::Command::new("/bin/sh").arg(&canaries[0]).status().unwrap().success());
        assert!(outside.is_touched());
    });
}

#[test]
fn cve_2024_21626_no_descriptor_of_the_host_is_a_working_directory() {
    require!(busybox().is_some(), "a static busybox");
    require!(can_isolate(), "namespaces");
    for_everybody("program::cve_2024_21626_no_descriptor_of_the_host_is_a_working_directory", || {
        let host = fs::File::open("/").unwrap();
        let passed = || vec![host.try_clone().unwrap().into(), host.try_clone().unwrap().into()];
        let mut other = Bundle::new("ls");
        let bundle = Bundle::new("exec sleep 60");
        let mut container = bundle.create("box").unwrap_or_else(|error| panic!("{error}"));
        container.start().unwrap();
        for number in 3..30 {
            let cwd = format!("/proc/self/fd/{number}");
            other.config["process"]["cwd"] = json!(cwd);
            let spec = other.spec();
            let mut options = other.options("other", &spec);
            options.descriptors = passed();
            let text = other.runtime.create(options).unwrap_err().to_string();
            assert!(text.contains(&cwd), "{text}");

            let mut options = ExecOptions::new(spec.process().as_ref().unwrap());
            options.descriptors = passed();
            let text = container.exec(options).unwrap_err().to_string();
            assert!(text.contains(&cwd), "{text}");
        }
        assert!(container.delete(true).unwrap().is_empty());
    });
}
