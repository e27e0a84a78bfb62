//! Two siblings: a cgroup for this crate and one for cgroups-rs, to be compared by what their files say.
#![allow(dead_code, unused_macros, reason = "each test binary uses a part of this")]

use crate::common::{TestCgroup, directory_of};
use cgroups_rs::fs as theirs;
use cofferdam_cgroups::{Cgroup, Controller, Require, Resources, Version};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use theirs::hierarchies::auto;

/// Three cgroups in one: for this crate, for cgroups-rs, and one that stays as it was made.
pub struct Pair {
    pub ours: Cgroup,
    pub theirs: theirs::Cgroup,
    controllers: Vec<Controller>,
    /// Removed last, with all that is in it.
    pub parent: TestCgroup,
}

/// Ends the test where cgroups-rs does not look for a controller on the version that has it.
#[macro_export]
macro_rules! pair {
    ($($controller:expr),* $(,)?) => {{
        $crate::require_root!();
        let parent = $crate::test_cgroup!($($controller),*);
        let controllers = vec![$($controller),*];
        if !controllers.iter().copied().all($crate::pair::is_found_by_theirs) {
            $crate::absent!("cgroups-rs does not find {controllers:?} on this host");
        }
        $crate::pair::Pair::new(parent, controllers)
    }};
}

/// It uses one version, by what is mounted at `/sys/fs/cgroup`.
pub fn version_of_theirs() -> Version {
    if auto().v2() { Version::V2 } else { Version::V1 }
}

/// Whether it looks for a controller where this host has it.
pub fn is_found_by_theirs(controller: Controller) -> bool {
    let version = version_of_theirs();
    controller.name(version).is_some() && crate::common::version_of(controller) == Some(version)
}

impl Pair {
    pub fn new(parent: TestCgroup, controllers: Vec<Controller>) -> Self {
        let all = controllers.iter().copied().collect();
        parent.enable(all).unwrap();
        let ours = parent.create("ours", all).unwrap();
        parent.create("untouched", all).unwrap();
        let path = path_of(&parent, &controllers).join("theirs");
        let names = controllers.iter().map(|controller| controller.name(version_of_theirs()));
        let names = names.map(|name| name.expect("a controller of this version").to_owned()).collect();
        let made = theirs::Cgroup::new_with_specified_controllers(auto(), &path, Some(names)).unwrap();
        // On v2 it makes the cgroup for `io`, and then looks for its controller as `blkio`: only without a list of
        // controllers it has that one.
        let theirs = if made.v2() { theirs::Cgroup::load(auto(), &path) } else { made };
        Self { ours, theirs, controllers, parent }
    }

    pub fn directory(&self, controller: Controller, name: &str) -> PathBuf {
        directory_of(&self.parent, controller).join(name)
    }

    /// What differs from a cgroup that nobody wrote to.
    pub fn changed(&self, name: &str) -> BTreeMap<String, String> {
        let mut changed = BTreeMap::new();
        for controller in &self.controllers {
            let untouched = settings_in(&self.directory(*controller, "untouched"));
            let found = settings_in(&self.directory(*controller, name));
            assert!(!untouched.is_empty() && found.keys().eq(untouched.keys()), "{found:?} {untouched:?}");
            changed.extend(found.into_iter().filter(|(file, value)| untouched.get(file) != Some(value)));
        }
        changed
    }

    pub fn has(&self, controller: Controller, file: &str) -> bool {
        self.directory(controller, "untouched").join(file).exists()
    }

    pub fn apply(&self, resources: &theirs::Resources) {
        self.theirs.apply(resources).unwrap();
        self.apply_ours(resources).unwrap();
    }

    pub fn apply_ours(&self, resources: &theirs::Resources) -> cofferdam_cgroups::Result<()> {
        let plan = Resources::from_cgroups_rs(resources, Require::Must)?;
        self.ours.apply(&plan).map(|_| ())
    }

    /// Both wrote the same values, to these files and no others.
    #[track_caller]
    pub fn agree_on(&self, files: &[&str]) {
        let (ours, theirs) = (self.changed("ours"), self.changed("theirs"));
        assert_eq!(ours, theirs);
        assert_eq!(Vec::from_iter(ours.keys()), files);
    }
}

/// The path of a cgroup that is the same for all controllers.
pub fn path_of(cgroup: &Cgroup, controllers: &[Controller]) -> PathBuf {
    let path = |controller: &Controller| {
        let mount = cgroup.hierarchies().hierarchy_of(*controller).unwrap().mount_point();
        directory_of(cgroup, *controller).strip_prefix(mount).unwrap().to_owned()
    };
    let path_of_first = path(&controllers[0]);
    assert!(controllers.iter().all(|controller| path(controller) == path_of_first));
    path_of_first
}

/// All files that can be read and written, but for those that move processes, count, or reset counts.
fn settings_in(directory: &Path) -> BTreeMap<String, String> {
    use std::os::unix::fs::PermissionsExt;
    const NONE: [&str; 11] = [
        "cgroup.",
        "tasks",
        "release",
        "usage",
        "failcnt",
        "peak",
        "pressure",
        "reclaim",
        "empty",
        "stat",
        "clone_children",
    ];
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        let setting = mode & 0o200 != 0 && mode & 0o400 != 0 && entry.file_type().unwrap().is_file();
        if setting && !NONE.iter().any(|part| name.contains(part)) {
            // A deprecated one is there and cannot be read.
            found.extend(
                std::fs::read_to_string(entry.path()).ok().map(|text| (name, text.trim().to_owned())),
            );
        }
    }
    found
}
