//! Rules for devices hold for processes, on either version.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use cofferdam_cgroups::{DeviceRules, DeviceState, Version};
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// A directory for one test, in the v1 hierarchy of the device controller or in that of v2, whether or not the other
/// one is there too. It is removed in the end.
struct Place(PathBuf);

impl Place {
    fn new(version: Version) -> Option<Self> {
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let mounted = table.lines().find_map(|line| {
            let (mount, file_system) = line.split_once(" - ").unwrap();
            let mut words = file_system.split(' ');
            let fits = match version {
                Version::V1 => {
                    words.next() == Some("cgroup") && words.nth(1)?.split(',').any(|o| o == "devices")
                }
                Version::V2 => words.next() == Some("cgroup2"),
            };
            fits.then(|| PathBuf::from(mount.split(' ').nth(4).unwrap()))
        })?;
        Some(Self::below(&mounted))
    }

    fn below(path: &Path) -> Self {
        let path = path.join(common::unique_name());
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn apply(&self, rules: &str) -> cofferdam_cgroups::Result<()> {
        rules.parse::<DeviceRules>().unwrap().apply_to(File::open(&self.0).unwrap().as_fd())
    }

    fn state(&self) -> DeviceState {
        DeviceState::read(File::open(&self.0).unwrap().as_fd()).unwrap()
    }

    /// Starts a script in it, with an argument.
    fn start(&self, script: &str, argument: &Path) -> Child {
        let script = format!("echo $$ > \"$1/cgroup.procs\" || exit 99; {script}");
        let mut command = Command::new("sh");
        command.args(["-c", &script, "sh"]).arg(&self.0).arg(argument);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// What came of it, where being refused is the only failure.
    fn may(&self, script: &str, argument: impl AsRef<Path>) -> bool {
        let Output { status, stderr, .. } = self.start(script, argument.as_ref()).wait_with_output().unwrap();
        let said = String::from_utf8(stderr).unwrap();
        assert!(status.success() || said.contains("Operation not permitted"), "{status}: {said}");
        status.success()
    }

    fn may_read(&self, path: &str) -> bool {
        self.may("exec 3< \"$2\"", path)
    }

    fn may_write(&self, path: &str) -> bool {
        self.may("exec 3> \"$2\"", path)
    }

    fn may_make(&self, minor: u32) -> bool {
        let scratch = tempfile::tempdir().unwrap();
        self.may(&format!("exec mknod \"$2\" c 1 {minor}"), scratch.path().join("node"))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Each process has been waited for; it may still be on its way out.
        let removed = common::eventually(|| fs::remove_dir(&self.0).is_ok());
        assert!(removed || std::thread::panicking(), "{} stays", self.0.display());
    }
}

macro_rules! place {
    ($version:expr) => {{
        require_root!();
        match Place::new($version) {
            Some(place) => place,
            None => absent!("the host has no cgroup {} with device control", $version),
        }
    }};
}

const NULL_ONLY: &str = "deny a\nallow c 1:3 rwm";

/// 1:3 is `/dev/null`, 1:5 `/dev/zero`, 1:7 `/dev/full`.
fn rules_hold_and_can_be_replaced(place: &Place) {
    assert!(place.may_read("/dev/zero") && place.may_make(5));
    place.apply(NULL_ONLY).unwrap();
    assert!(place.may_read("/dev/null") && place.may_write("/dev/null") && place.may_make(3));
    assert!(!place.may_read("/dev/zero") && !place.may_write("/dev/zero") && !place.may_make(5));
    place.apply("deny a\nallow c 1:3 rwm\nallow c 1:* r\nallow c *:5 w").unwrap();
    assert!(place.may_read("/dev/full") && !place.may_write("/dev/full") && !place.may_make(7));
    assert!(place.may_read("/dev/zero") && place.may_write("/dev/zero") && !place.may_make(5));
    place.apply("allow a\ndeny c 1:5 w").unwrap();
    assert!(place.may_read("/dev/zero") && !place.may_write("/dev/zero") && place.may_make(5));
    place.apply("").unwrap();
    assert!(!place.may_read("/dev/null"));
    DeviceRules::remove_from(File::open(&place.0).unwrap().as_fd()).unwrap();
    assert!(place.may_read("/dev/zero") && place.may_write("/dev/zero") && place.may_make(5));
}

#[test]
fn rules_hold_on_v1_and_can_be_replaced() {
    let place = place!(Version::V1);
    rules_hold_and_can_be_replaced(&place);
}

#[test]
fn rules_hold_on_v2_and_can_be_replaced() {
    let place = place!(Version::V2);
    rules_hold_and_can_be_replaced(&place);
}

/// A process opens `/dev/null` again and again while the rules about other devices change.
fn what_stays_allowed_is_never_denied(place: &Place) {
    place.apply(NULL_ONLY).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let stop = scratch.path().join("stop");
    let ready = scratch.path().join("stop.ready");
    let script = "true > \"$2.ready\"; while [ ! -e \"$2\" ]; do true < /dev/null || exit 7; done";
    let child = place.start(script, &stop);
    assert!(common::eventually(|| ready.exists()));
    for round in 0..200 {
        let device = if round % 2 == 0 { "c 1:5 rwm" } else { "c 1:* r" };
        place.apply(&format!("{device}\n{NULL_ONLY}\n{device}")).unwrap();
    }
    File::create(&stop).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn what_stays_allowed_on_v1_is_never_denied() {
    let place = place!(Version::V1);
    what_stays_allowed_is_never_denied(&place);
}

#[test]
fn what_stays_allowed_on_v2_is_never_denied() {
    let place = place!(Version::V2);
    what_stays_allowed_is_never_denied(&place);
}

#[test]
fn the_list_of_v1_is_read_as_rules() {
    let place = place!(Version::V1);
    assert_eq!(place.state(), DeviceState::List(DeviceRules::allow_all()));
    place.apply("c 1:* r\nc 1:3 rwm\nb *:* m").unwrap();
    let lines = "allow c 1:* r\nallow c 1:3 rwm\nallow b *:* m";
    assert_eq!(place.state(), DeviceState::List(lines.parse().unwrap()));
}

#[test]
fn what_v1_cannot_say_changes_nothing() {
    let place = place!(Version::V1);
    place.apply(NULL_ONLY).unwrap();
    let error = place.apply("allow c 1:* rwm\ndeny c 1:5 rwm").unwrap_err();
    let text = "device rules: cgroup v1 cannot allow exactly \"\" for c 1:5 within what is set for the devices around it";
    assert_eq!(error.to_string(), text);
    assert_eq!(place.state(), DeviceState::List("c 1:3 rwm".parse().unwrap()));
}

#[test]
fn what_the_cgroup_above_denies_is_refused_and_undone() {
    let above = place!(Version::V1);
    above.apply(NULL_ONLY).unwrap();
    let place = Place::below(&above.0);
    place.apply("").unwrap();
    let error = place.apply("c 1:3 r\nc 1:5 r").unwrap_err().to_string();
    let file = place.0.join("devices.allow");
    let end = "EPERM (Operation not permitted)";
    assert_eq!(error, format!("write \"c 1:5 r\" to {}: {end}", file.display()));
    assert_eq!(place.state(), DeviceState::List(DeviceRules::deny_all()));
    let error = place.apply("a").unwrap_err().to_string();
    assert_eq!(error, format!("write \"a\" to {}: {end}", file.display()));
}

#[test]
fn with_cgroups_below_only_the_exceptions_can_change_on_v1() {
    let place = place!(Version::V1);
    place.apply(NULL_ONLY).unwrap();
    let below = Place::below(&place.0);
    place.apply("c 1:3 r\nc 1:5 r").unwrap();
    assert_eq!(below.state(), DeviceState::List("c 1:3 r".parse().unwrap()));
    let error = place.apply("a").unwrap_err().to_string();
    assert!(error.ends_with("devices.allow: EINVAL (Invalid argument)"), "{error}");
    assert_eq!(place.state(), DeviceState::List("c 1:3 r\nc 1:5 r".parse().unwrap()));
}

#[test]
fn a_program_is_replaced_and_taken_away() {
    let place = place!(Version::V2);
    let none = DeviceState::Programs { ours: Vec::new(), others: Vec::new() };
    assert_eq!(place.state(), none);
    let mut seen = Vec::new();
    for rules in ["", NULL_ONLY, "allow a"] {
        place.apply(rules).unwrap();
        let DeviceState::Programs { ours, others } = place.state() else { panic!("a list on v2") };
        assert_eq!((ours.len(), others.len()), (1, 0));
        assert!(!seen.contains(&ours[0]));
        seen.extend(ours);
    }
    DeviceRules::remove_from(File::open(&place.0).unwrap().as_fd()).unwrap();
    assert_eq!(place.state(), none);
}

#[test]
fn what_is_denied_above_on_v2_stays_denied_below() {
    let above = place!(Version::V2);
    let place = Place::below(&above.0);
    place.apply("allow a").unwrap();
    above.apply(NULL_ONLY).unwrap();
    assert!(place.may_read("/dev/null") && !place.may_read("/dev/zero"));
}

#[test]
fn the_kernel_takes_the_longest_programs() {
    let place = place!(Version::V2);
    let majors = |i: u32| format!("a {i}:9 r");
    let minors = |i: u32| format!("c 4095:{i} {}", ["r", "rw", "w", "m", "rwm"][(i % 5) as usize]);
    let stars = |i: u32| format!("c {}:* r\nc *:{} w", 7 * i, 5 * i);
    let crossed: Vec<_> = (0..100).map(stars).collect();
    for rules in [(0..4000).map(majors).collect(), (0..4096).map(minors).collect(), crossed] {
        let rules: Vec<String> = rules;
        place.apply(&rules.join("\n")).unwrap();
        assert!(!place.may_read("/dev/null"));
    }
}

#[test]
fn a_directory_that_is_no_cgroup_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let error = DeviceRules::deny_all().apply_to(File::open(directory.path()).unwrap().as_fd()).unwrap_err();
    let text = format!("{} is not on a cgroup file system", directory.path().display());
    assert_eq!(error.to_string(), text);
}

#[test]
fn an_ordinary_user_hears_what_is_missing() {
    if common::is_root() {
        return;
    }
    let Ok(mounts) = fs::read_to_string("/proc/self/mountinfo") else { absent!("no /proc") };
    let Some(line) = mounts.lines().find(|line| line.contains(" - cgroup2 ")) else { absent!("no cgroup2") };
    let path = line.split(' ').nth(4).unwrap();
    let error = DeviceRules::deny_all().apply_to(File::open(path).unwrap().as_fd()).unwrap_err().to_string();
    let what = "needs CAP_BPF and CAP_NET_ADMIN of the host, and CAP_SYS_ADMIN to replace a program";
    let text = format!("load the device program of {path}: EPERM (Operation not permitted): {what}");
    assert_eq!(error, text);
}
