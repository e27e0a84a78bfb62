//! Roots that change while a container is made in them.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde_json::json;

use super::{Outside, add, boxed, has_busybox, is_root};
use crate::oci::plan::build;
use crate::oci::plan::testing::{request, run};
use crate::prepare::Prepared;
use crate::{Location, Step};

/// How often a container is made.
const TIMES: usize = 300;

/// Exchanges a directory of a root and a link to the host all the time, while containers are made that mount below it. With
/// `unsafely`, mount points are made by their path on the host. Whether the host was reached.
fn is_reached(unsafely: bool) -> bool {
    let outside = Outside::new();
    let root = tempfile::tempdir().unwrap();
    let (volume, link) = (root.path().join("volume"), root.path().join("link"));
    fs::create_dir(&volume).unwrap();
    std::os::unix::fs::symlink(outside.path(), &link).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                renameat_with(CWD, &volume, CWD, &link, RenameFlags::EXCHANGE).unwrap();
            }
        });
        for round in 0..TIMES {
            let name = format!("made-{round}");
            let spec = boxed(root.path(), "true", |value| {
                add(
                    value,
                    json!([
                        { "destination": format!("/volume/{name}/below"), "type": "tmpfs" },
                        { "destination": format!("/volume/{name}-file"), "source": "/etc/passwd", "options": ["bind"] },
                    ]),
                );
                value["linux"]["devices"] = json!([{ "path": format!("/volume/{name}-node"), "type": "p" }]);
                value["linux"]["maskedPaths"] = json!(["/volume/keep"]);
            });
            let request = request(&spec);
            let Ok(mut prepared) = build(&request) else { continue };
            if unsafely {
                make_by_path(&mut prepared, &volume.join(&name));
            }
            // It may fail, but must not reach the host.
            drop(run(&prepared));
            if outside.is_touched() {
                break;
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    outside.is_touched()
}

/// What those did who looked at the path, and then used it.
fn make_by_path(prepared: &mut Prepared<'_>, path: &Path) {
    let step = Step::Directory { location: Location::path(path), mode: 0o755 };
    let at = prepared.plan.steps.iter().position(|step| matches!(step, Step::MakeTarget { .. })).unwrap();
    prepared.plan.steps.insert(at, step);
}

#[test]
fn cve_2021_30465_and_2024_45310_a_root_that_changes_does_not_reach_the_host() {
    if !is_root() || !has_busybox() {
        return;
    }
    assert!(!is_reached(false));
    // The same with a step that goes by a path is caught.
    assert!(is_reached(true));
}
