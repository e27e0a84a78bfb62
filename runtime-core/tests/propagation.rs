//! On a host whose mounts are shared, what is mounted for a program does not appear outside.

mod common;

use std::path::Path;

use cofferdam::process::{Attributes, Location, Propagation, Step};
use cofferdam::{Capability, CapabilitySet, DEFAULT_CAPABILITIES, Namespaces, Plan, Root};
use common::{Box, can_isolate, is_root, own, shell, success};

/// Runs where all mounts are shared.
#[test]
#[ignore = "started by the other test"]
fn inner() {
    assert!(own("mountinfo").lines().all(|line| line.contains(" shared:")), "mounts are shared here");
    let root = Box::with_mount_points();
    let before = own("mountinfo");
    // The template is used, or not, or the host's files are the root.
    let sets: [CapabilitySet; 2] = [DEFAULT_CAPABILITIES, DEFAULT_CAPABILITIES.with(Capability::SYS_ADMIN)];
    for capabilities in sets {
        let mut command =
            root.shell("grep -c . /proc/self/mountinfo; mount -t tmpfs none /tmp 2>/dev/null; true");
        command.bind("/etc", "/tmp/bound").tmpfs("/tmp/fresh", None).capabilities(capabilities);
        success(&command.output().expect("a directory as the root"));
        assert_eq!(own("mountinfo"), before, "directory, {capabilities}");
        let mut command = shell("true");
        command.bind("/etc", "/tmp/bound").tmpfs("/tmp/fresh", None).capabilities(capabilities);
        success(&command.output().expect("the host's files as the root"));
        assert_eq!(own("mountinfo"), before, "host, {capabilities}");
        let mut command = root.shell("true");
        command.share(Namespaces::USER).capabilities(capabilities).root(Root::directory(root.path()));
        success(&command.output().expect("without a user namespace"));
        assert_eq!(own("mountinfo"), before, "no user namespace, {capabilities}");
    }
}

#[test]
fn nothing_appears_outside() {
    require!(can_isolate() && is_root(), "root, to make the mounts of a namespace shared");
    let mut plan = Plan::new(std::env::current_exe().expect("a path"));
    plan.args.extend(["--exact", "inner", "--ignored"].map(Into::into));
    plan.env = std::env::vars_os().collect();
    plan.namespaces = Namespaces::MNT;
    for propagation in [Propagation::Private, Propagation::Shared] {
        let attributes =
            Attributes { recursive: true, propagation: Some(propagation), ..Attributes::default() };
        plan.steps.push(Step::MountAttributes { mount: Location::path(Path::new("/")), attributes });
    }
    plan.stdout = cofferdam::process::Stdio::Pipe;
    let output = plan.spawn(&[]).expect("start").wait_with_output().expect("wait");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}
