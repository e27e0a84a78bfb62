//! Mounts of the type `cgroup`.

use std::path::Path;

use serde_json::{Value, json};

use super::super::{super::build, Request};
use super::{add, boxed, has_busybox, is_root};
use crate::oci::plan::testing::{request, run};
use crate::oci::plan::{CgroupHierarchy, CgroupView};

const HOSTS: &str = "/sys/fs/cgroup";

/// The hierarchies of this host, each with its top as the container's cgroup: nothing is made for the test.
fn hierarchies() -> Vec<CgroupHierarchy> {
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mut found = Vec::new();
    for line in table.lines() {
        let (before, after) = line.split_once(" - ").unwrap();
        let point = before.split(' ').nth(4).unwrap();
        let mut after = after.split(' ');
        let (kind, options) = (after.next().unwrap(), after.nth(1).unwrap());
        if !point.starts_with(HOSTS) || !kind.starts_with("cgroup") {
            continue;
        }
        let general = ["rw", "ro", "xattr", "release_agent"];
        let words = options.split(',').filter(|word| !general.contains(&word.split('=').next().unwrap()));
        let v1_options = (kind == "cgroup").then(|| words.collect::<Vec<_>>().join(","));
        found.push(CgroupHierarchy { mount_point: point.into(), directory: point.into(), v1_options });
    }
    found
}

fn seen(own_namespace: bool, options: &[&str], hierarchies: Vec<CgroupHierarchy>, command: &str) -> String {
    let root = tempfile::tempdir().unwrap();
    let spec = boxed(root.path(), command, |value: &mut Value| {
        if own_namespace {
            value["linux"]["namespaces"].as_array_mut().unwrap().push(json!({ "type": "cgroup" }));
        }
        let sys = json!({ "destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro"] });
        add(
            value,
            json!([sys, { "destination": HOSTS, "type": "cgroup", "source": "cgroup", "options": options }]),
        );
    });
    let cgroup = CgroupView { hierarchies, ..CgroupView::default() };
    let request = Request { cgroup, ..request(&spec) };
    let prepared = build(&request).unwrap();
    run(&prepared).unwrap_or_else(|error| panic!("{error}\n{}", prepared.plan.explain())).0
}

const TABLE: &str = "grep ' /sys/fs/cgroup' /proc/self/mountinfo | cut -d' ' -f5,6";

#[test]
fn each_hierarchy_of_the_host_is_there_and_read_only() {
    if !has_busybox() {
        return;
    }
    let all = hierarchies();
    if !is_root() || all.is_empty() {
        return;
    }
    for own_namespace in [true, false] {
        let options = ["nosuid", "noexec", "nodev", "relatime", "ro"];
        let text = seen(own_namespace, &options, all.clone(), TABLE);
        let mut expected: Vec<String> = all.iter().map(|one| one.mount_point.display().to_string()).collect();
        if !expected.contains(&HOSTS.to_owned()) {
            expected.push(HOSTS.into());
        }
        let mut found: Vec<&str> = Vec::new();
        for line in text.lines() {
            let (place, options) = line.split_once(' ').unwrap();
            assert_eq!(options, "ro,nosuid,nodev,noexec,relatime", "{place}");
            found.push(place);
        }
        found.sort_unstable();
        expected.sort();
        assert_eq!(found, expected);
    }
}

#[test]
fn without_a_cgroup_namespace_writing_has_to_be_asked_for() {
    if !has_busybox() {
        return;
    }
    let all = hierarchies();
    if !is_root() || all.is_empty() {
        return;
    }
    for (own_namespace, options, writable) in
        [(true, vec![], true), (false, vec![], false), (false, vec!["rw"], true), (true, vec!["ro"], false)]
    {
        let text = seen(own_namespace, &options, all.clone(), TABLE);
        let words: Vec<&str> = text.lines().map(|line| line.split(' ').nth(1).unwrap()).collect();
        let expected = if writable { "rw" } else { "ro" };
        let right = words.iter().all(|word| word.starts_with(expected));
        assert!(right && !words.is_empty(), "{own_namespace} {options:?}: {text}");
    }
}

#[test]
fn controllers_that_share_a_hierarchy_have_links() {
    if !has_busybox() {
        return;
    }
    let Some(mut one) = hierarchies().into_iter().find(|one| one.v1_options.is_some()) else { return };
    if !is_root() {
        return;
    }
    one.mount_point = Path::new(HOSTS).join("cpu,cpuacct");
    let command =
        format!("cd {HOSTS}; for l in cpu cpuacct; do readlink $l; done; test -e cpu/tasks && echo there");
    assert_eq!(seen(false, &[], vec![one], &command), "cpu,cpuacct\ncpu,cpuacct\nthere\n");
}

#[test]
fn without_a_cgroup_the_hosts_are_shown_and_cannot_be_changed() {
    if !has_busybox() {
        return;
    }
    if !is_root() {
        return;
    }
    let command = format!(
        "{TABLE} | cut -d' ' -f2 | cut -d, -f1 | sort -u; ls {HOSTS} | grep -c .; mkdir {HOSTS}/cofferdam-test-x"
    );
    let text = seen(false, &["rw"], Vec::new(), &command);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "ro", "{text}");
    assert!(lines[1].parse::<u32>().unwrap() > 0, "{text}");
    assert!(lines[2].ends_with("Read-only file system"), "{text}");
}
