//! A peer that does not do its work is found out: it hangs, it fails, or it claims success without running anything.

#![cfg(target_arch = "x86_64")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;
use std::time::{Duration, Instant};

use cofferdam_benches::case::Shape;
use cofferdam_benches::peers::{Found, find};
use cofferdam_benches::probe;
use cofferdam_benches::stage::Stage;
use cofferdam_benches::subjects::Skip;
use cofferdam_benches::workload::install;

/// Looks for `name` in a folder where it is this shell script.
fn fake(stage: &Stage, name: &str, script: &str) -> Found {
    let folder = stage.folder("fake").unwrap();
    install(&folder.join(name), format!("#!/bin/sh\n{script}\n").as_bytes()).unwrap();
    find(folder.as_os_str(), stage, Duration::from_millis(300), |wanted| wanted == name).pop().unwrap()
}

fn proof(stage: &Stage, found: Found) -> Result<Vec<String>, Skip> {
    probe::prove(found.subject?.as_ref(), stage, Shape::USER)
}

/// One test, as a script that is being written cannot be executed while another thread forks.
#[test]
fn peers_that_did_not_run_the_program_are_found_out() {
    let stage = Stage::new().unwrap();
    let start = Instant::now();
    let hung = fake(&stage, "youki", "sleep 60 & sleep 60").subject.unwrap_err();
    assert!(hung.hung && hung.reason.contains("was killed"), "{hung}");
    assert!(start.elapsed() < Duration::from_secs(10));

    let failed = fake(&stage, "crun", "echo no cgroup here >&2; exit 1").subject.unwrap_err();
    assert!(failed.reason.ends_with("status 1; no cgroup here"), "{failed}");

    let mute = proof(&stage, fake(&stage, "bwrap", "exit 42")).unwrap_err();
    assert!(mute.reason.contains("no proof"), "{mute}");

    // Runs the program, its last argument, but makes no namespace.
    let plain = proof(&stage, fake(&stage, "unshare", "for last; do :; done; exec \"$last\"")).unwrap();
    assert_eq!(plain.len(), Shape::USER.kinds.len(), "{plain:?}");
}

#[test]
fn a_peer_that_is_not_installed_is_reported_as_absent() {
    let stage = Stage::new().unwrap();
    let found = find(Path::new("/nonexistent").as_os_str(), &stage, Duration::from_secs(1), |_| true);
    assert_eq!(found.len(), 5);
    assert!(found.iter().all(|found| found.subject.as_ref().is_err_and(|skip| skip.reason == "not on PATH")));
}
