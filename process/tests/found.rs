//! What depends on what is found in a root: targets behind links, steps under a condition.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use cofferdam_process::{Expected, FileKind, Location, Open, Spawner, Step, TargetKind, Test};
use common::{require, rooted, run_in_user_namespace, shell, user_namespaces};

#[test]
fn what_links_lead_to_is_made_in_the_root() {
    require!(user_namespaces(), "user namespaces");
    let outside = tempfile::tempdir().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let link = |to: &Path, name: &str| symlink(to, directory.path().join(name)).unwrap();
    fs::create_dir(directory.path().join("etc")).unwrap();
    link(outside.path(), "absolute");
    link(Path::new("../run/./resolve/../stub/file"), "etc/resolv.conf");
    link(Path::new("../../../../../../../top"), "etc/up");
    link(Path::new("etc/up"), "chain");
    link(Path::new("loop"), "loop");
    let mut plan = shell("true");
    let root = rooted(&mut plan, directory.path());
    for (path, kind) in [
        ("/absolute/a/b", TargetKind::Directory),
        ("/etc/resolv.conf", TargetKind::File),
        ("chain", TargetKind::Directory),
        ("chain/../other/", TargetKind::Directory),
    ] {
        let into = plan.slot(path);
        plan.steps.push(Step::MakeTarget { root, path: path.into(), kind, into });
        let wanted = match kind {
            TargetKind::File => FileKind::Regular,
            _ => FileKind::Directory,
        };
        let expected = Expected { kind: Some(wanted), ..Expected::default() };
        plan.steps.push(Step::Verify { file: into, expected });
    }
    run_in_user_namespace(plan.clone()).unwrap();
    let inside = |path: &str| directory.path().join(path);
    assert!(inside("run/stub/file").is_file());
    assert!(inside("run/resolve").is_dir(), "what is left again has to exist");
    assert!(inside("top").is_dir() && inside("other").is_dir());
    assert!(inside(outside.path().strip_prefix("/").unwrap().join("a/b").to_str().unwrap()).is_dir());
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);

    let into = plan.slot("loop");
    let kind = TargetKind::Directory;
    plan.steps.push(Step::MakeTarget { root, path: "loop/x".into(), kind, into });
    let error = run_in_user_namespace(plan).unwrap_err().to_string();
    assert!(error.contains("ELOOP"), "{error}");
}

#[test]
fn steps_depend_on_what_is_there() {
    require!(user_namespaces(), "user namespaces");
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("kept")).unwrap();
    fs::write(directory.path().join("file"), "").unwrap();
    let mut plan = shell("ls -d /seen/* | tr '\\n' ' '");
    let root = rooted(&mut plan, directory.path());
    plan.steps.push(Step::Directory { location: Location::at(root, "seen"), mode: 0o755 });
    for name in ["kept", "file", "missing"] {
        let slot = plan.slot(name);
        let note = |text: &str| Step::Directory {
            location: Location::at(root, format!("seen/{name}-{text}")),
            mode: 0o755,
        };
        let kind = Step::If {
            test: Test::IsDirectory(slot),
            then: vec![note("directory"), Step::Close(slot)],
            otherwise: vec![Step::Close(slot), note("other")],
        };
        let location = Location::at(root, name);
        let test = Test::Exists { location, how: Open::PATH_IN_ROOT, into: slot };
        plan.steps.push(Step::If { test, then: vec![kind], otherwise: vec![note("absent")] });
    }
    plan.steps.push(Step::PivotRoot { root });
    let expected = "/seen/file-other /seen/kept-directory /seen/missing-absent";
    assert_eq!(run_in_user_namespace(plan).unwrap().trim(), expected);
}

#[test]
fn a_conditional_step_is_about_files_only() {
    let mut plan = shell("true");
    let slot = plan.slot("file");
    let hostname = Step::Hostname("x".into());
    plan.steps.push(Step::If { test: Test::IsDirectory(slot), then: vec![hostname], otherwise: Vec::new() });
    let error = Spawner::new(&plan, &[]).spawn().unwrap_err();
    assert_eq!(error.to_string(), "conditional step \"set hostname x\" is not about files or mounts");
}
