//! Properties of the runtime-spec, each seen from inside of a container or on its process. The table in the readme of the command
//! line tells which test shows which property; what other files of tests show is not repeated here.
#![cfg(feature = "oci")]

#[path = "../common/mod.rs"]
mod common;

mod cgroup;
mod mounts;
mod process;
mod schedule;
mod seccomp;
mod spaces;

use std::os::unix::fs::symlink;

use common::bundle::Bundle;
use serde_json::{Value, json};

/// A container that runs a shell script, with all programs of busybox that the tests need.
fn bundle(script: &str, change: impl FnOnce(&mut Value)) -> Bundle {
    let mut bundle = Bundle::new(script);
    let bin = bundle.path().join("rootfs/bin");
    for name in [
        "chrt", "cut", "grep", "head", "ionice", "mkdir", "mount", "readlink", "sed", "stat", "touch",
        "umask",
    ] {
        symlink("busybox", bin.join(name)).expect("symlink");
    }
    bundle.config["process"]["env"] = json!(["PATH=/bin"]);
    change(&mut bundle.config);
    bundle
}

/// What a shell script writes in a container with this change of the default configuration.
fn inside(script: &str, change: impl FnOnce(&mut Value)) -> String {
    let (text, code) = bundle(script, change).run("box");
    assert_eq!(code, 0, "{text}");
    text
}

/// Lets the process have exactly these capabilities.
fn capabilities(config: &mut Value, names: &[&str]) {
    config["process"]["capabilities"] = json!({ "bounding": names, "effective": names, "permitted": names });
}
