//! Cgroups made of the files in `tests/data`, which real kernels wrote.
#![allow(dead_code, reason = "each test binary uses a part of this")]

use crate::common::FakeTree;
use cofferdam_cgroups::{Cgroup, CgroupPath, Controller, Version};
use std::path::Path;

const CONTROLLERS: &str = "cpuset cpu io memory hugetlb pids rdma misc";

/// The names of the files of a version, and what they contain.
pub fn files(version: &str) -> Vec<(String, String)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(version);
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .expect("recorded files")
        .map(|entry| {
            let entry = entry.expect("recorded file");
            let content = std::fs::read_to_string(entry.path()).expect("recorded file");
            (entry.file_name().into_string().expect("a name"), content)
        })
        .collect();
    files.sort();
    files
}

/// Where a file of v1 would be.
pub fn v1_path(name: &str) -> String {
    let controller = name.split('.').next().expect("a controller");
    format!("/sys/fs/cgroup/{controller}/job/{name}")
}

pub fn recorded_v1() -> (FakeTree, Cgroup) {
    let mut tree = FakeTree::new();
    for controller in Controller::ALL {
        let name = controller.name(Version::V1).expect("a name on v1");
        let point = format!("/sys/fs/cgroup/{name}");
        tree = tree.v1(&point, name).file(&format!("{point}/job/cgroup.procs"), "");
    }
    for (name, content) in files("v1") {
        tree = tree.file(&v1_path(&name), &content);
    }
    open(tree)
}

pub fn recorded_v2() -> (FakeTree, Cgroup) {
    let mut tree = FakeTree::new().v2("/sys/fs/cgroup", CONTROLLERS).own("0::/");
    tree = tree.cgroup2("/sys/fs/cgroup/job", CONTROLLERS);
    for (name, content) in files("v2") {
        tree = tree.file(&format!("/sys/fs/cgroup/job/{name}"), &content);
    }
    open(tree)
}

fn open(tree: FakeTree) -> (FakeTree, Cgroup) {
    let cgroup = tree.hierarchies().open(&CgroupPath::new("job").expect("a path")).expect("a made-up cgroup");
    (tree, cgroup)
}
