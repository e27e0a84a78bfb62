//! The default profile refuses what the README says, and lets programs run.

use cofferdam_seccomp::{Action, Architecture, Comparison, Profile, install, set_no_new_privs};
use std::collections::BTreeSet;
use std::process::Command;

const EVERYTHING: u64 = u64::MAX;

/// The calls of x86_64 that a profile never allows.
fn refused(capabilities: u64) -> BTreeSet<&'static str> {
    let profile = Profile::default_on(Architecture::X86_64, capabilities);
    let allow = profile.rules.iter().filter(|rule| rule.action == Action::Allow);
    let allowed: BTreeSet<&str> = allow.flat_map(|rule| &rule.names).map(String::as_str).collect();
    let all = (0..1024).filter_map(|number| Architecture::X86_64.syscall_name(number));
    all.filter(|name| !allowed.contains(name)).collect()
}

/// The calls that the README's table has, by whether a capability gives them back.
fn told() -> (BTreeSet<&'static str>, BTreeSet<&'static str>) {
    let (mut with, mut never) = (BTreeSet::new(), BTreeSet::new());
    for row in include_str!("../README.md").lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split('|').collect();
        let set = if cells[3].trim() == "nothing" { &mut never } else { &mut with };
        let words = cells[1].split('`').skip(1).step_by(2);
        set.extend(words.filter(|word| *word == word.to_lowercase()));
    }
    (with, never)
}

#[test]
fn the_readme_tells_each_call_that_is_refused() {
    let (with, never) = told();
    // Only some of their arguments are refused.
    let some = BTreeSet::from(["clone", "personality", "socket"]);
    let told: BTreeSet<&str> = with.union(&never).copied().collect();
    assert_eq!(refused(0), told.difference(&some).copied().collect());
    assert_eq!(refused(EVERYTHING), never.difference(&some).copied().collect());
}

#[test]
fn each_capability_gives_its_calls_and_no_others() {
    let gives = |capability: u32, expected: &[&str]| {
        let given: BTreeSet<&str> = refused(0).difference(&refused(1 << capability)).copied().collect();
        assert_eq!(given, expected.iter().copied().collect(), "capability {capability}");
    };
    gives(2, &["open_by_handle_at"]);
    gives(16, &["delete_module", "finit_module", "init_module"]);
    gives(18, &["chroot"]);
    gives(19, &["kcmp", "pidfd_getfd", "process_madvise"]);
    gives(25, &["clock_settime", "settimeofday"]);
    gives(34, &["syslog"]);
    gives(38, &["perf_event_open"]);
    gives(39, &["bpf"]);
    for nothing in [0, 1, 7, 12, 13, 24, 27, 40, 63] {
        gives(nothing, &[]);
    }
}

#[test]
fn new_namespaces_take_the_capability() {
    let clone = |architecture, capabilities| {
        let profile = Profile::default_on(architecture, capabilities);
        let rules = profile.rules.into_iter().filter(|rule| rule.names.iter().any(|name| name == "clone"));
        rules.map(|rule| rule.conditions).collect::<Vec<_>>()
    };
    for (architecture, argument) in
        [(Architecture::X86_64, 0), (Architecture::Aarch64, 0), (Architecture::S390x, 1)]
    {
        let [conditions] = &clone(architecture, 0)[..] else { panic!("one rule") };
        assert_eq!(conditions.len(), 1);
        assert_eq!(conditions[0].argument, argument, "{architecture}");
        assert_eq!(conditions[0].comparison, Comparison::MaskedEq { mask: 0x7e02_0000, value: 0 });
        assert_eq!(clone(architecture, 1 << 21), [vec![]]);
    }
}

#[test]
fn programs_run_under_the_default_profile() {
    let filter = Profile::default_for(0).compile().expect("a filter");
    let script = "cd /tmp && ls / | sort | head -n 1 >/dev/null && (sleep 0 & wait) && cat /proc/self/status";
    let child = std::thread::spawn(move || {
        set_no_new_privs().and_then(|()| install(&filter)).expect("installed");
        Command::new("sh").args(["-c", script]).output().expect("a program that starts")
    });
    let output = child.join().expect("a thread that ends");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(text.contains("Seccomp:\t2\n") && text.contains("NoNewPrivs:\t1\n"), "{text}");
}
