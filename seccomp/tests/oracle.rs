//! The C library libseccomp, which other runtimes use, decides about every call as the filters made here.
//!
//! Where the two differ by intent, the profiles and calls of these tests stay away from it: calls newer than the profile,
//! rules that contradict each other, conditions on calls that have a second way into the kernel.

mod common;
mod oracle_library;

use cofferdam_seccomp::{Action, Architecture, Comparison, Condition, Profile};
use common::{Call, interesting_calls, run};
use oracle_library::Library;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::{Config, TestRunner};

const NAMES: [&str; 14] = [
    "read",
    "write",
    "open",
    "openat",
    "close",
    "clone",
    "clone3",
    "personality",
    "mmap2",
    "execve",
    "getpid",
    "lseek",
    "set_tls",
    "stat",
];

/// With x32 beside x86_64 and few rules, version 2.5.4 of the library makes filters that compare the number of the
/// architecture where that of the call should be: x32 is part of the default profile's test only.
const TOGETHER: [Architecture; 2] = [Architecture::X86_64, Architecture::X86];

/// Compares the decisions about all calls but those that are newer than the profile.
fn same(library: &Library, profile: &Profile) -> Result<(), TestCaseError> {
    let (ours, theirs) = (profile.compile().expect("a filter"), library.compile(profile));
    for call in interesting_calls(profile) {
        let multiplexed = |outer: &str, mask: u64| {
            Architecture::X86.syscall_number(outer) == Some(call.number) && call.arguments[0] & !mask != 0
        };
        if is_newer(profile, &call) || multiplexed("ipc", 0xffff) || multiplexed("socketcall", 0xffff_ffff) {
            continue;
        }
        let (our, their) = (run(ours.instructions(), &call).0, run(&theirs, &call).0);
        prop_assert_eq!(Action::from_code(our), Action::from_code(their), "{:x?}\n{:?}", call, profile.rules);
    }
    Ok(())
}

fn is_newer(profile: &Profile, call: &Call) -> bool {
    if call.number == u32::MAX {
        return true;
    }
    let of_call = |architecture: &&Architecture| {
        let x32 = **architecture == Architecture::X32;
        architecture.audit_number() == call.architecture
            && (!matches!(architecture, Architecture::X86_64 | Architecture::X32)
                || x32 == (call.number >= 1 << 30))
    };
    let Some(architecture) = profile.architectures.iter().find(of_call) else { return false };
    let names = profile.rules.iter().flat_map(|rule| &rule.names);
    let numbers = names.filter_map(|name| architecture.syscall_number(name));
    let newest = numbers.filter(|number| *number < 0xf_0000 || *architecture != Architecture::Arm).max();
    newest.is_some_and(|newest| call.number > newest)
}

fn known(library: &Library, mut profile: Profile) -> Profile {
    for rule in &mut profile.rules {
        rule.names.retain(|name| library.number(Architecture::NATIVE, name).is_some());
    }
    profile
}

#[test]
fn the_numbers_of_calls_are_those_of_libseccomp() {
    let Some(library) = Library::open() else { skip!("no libseccomp.so.2") };
    let mut compared = 0;
    let mut differ = Vec::new();
    let names =
        Architecture::all().flat_map(|of| (0..7000).filter_map(move |number| of.syscall_name(number)));
    let names: std::collections::BTreeSet<&str> = names.collect();
    for architecture in Architecture::all() {
        for name in &names {
            let Some(theirs) = library.number(architecture, name) else { continue };
            // The library has numbers of its own for calls with a second way into the kernel.
            let multiplexed =
                common::is_multiplexed(name) && architecture.syscall_number("socketcall").is_some();
            if multiplexed {
                continue;
            }
            let theirs = u32::try_from(theirs).ok();
            let ours = architecture.syscall_number(name);
            compared += 1;
            if ours != theirs {
                differ.push(format!("{architecture} {name}: {ours:?}, {theirs:?}"));
            }
        }
    }
    assert!(compared > 5_000, "{compared}");
    // A second name for the same call; two calls that one of the kernel's headers has and another not.
    let known = [
        "SCMP_ARCH_X32 map_shadow_stack: Some(1073742277), None",
        "SCMP_ARCH_ARM sync_file_range2: Some(341), None",
        "SCMP_ARCH_S390 memfd_secret: None, Some(447)",
    ];
    differ.retain(|difference| !known.contains(&difference.as_str()));
    assert_eq!(differ, Vec::<String>::new());
}

#[test]
fn the_default_profile_decides_as_libseccomp_would() {
    let Some(library) = Library::open() else { skip!("no libseccomp.so.2") };
    if Architecture::NATIVE != Architecture::X86_64 {
        skip!("not x86_64");
    }
    for capabilities in [0, 1 << 21, u64::MAX] {
        let mut profile = known(&library, Profile::default_on(Architecture::X86_64, capabilities));
        // The library opens the second way for each of these conditions.
        profile.rules.retain(|rule| rule.names != ["socket"]);
        // Not a call of x32 in the library.
        profile.rules.iter_mut().for_each(|rule| rule.names.retain(|name| name != "map_shadow_stack"));
        same(&library, &profile).expect("the same decisions");
    }
}

fn value() -> impl Strategy<Value = u64> {
    let half = || select(vec![0_u64, 1, 2, 38, 0x7e02_0000, 0xffff_fffe, 0xffff_ffff]);
    (half(), half()).prop_map(|(high, low)| high << 32 | low)
}

fn comparison() -> impl Strategy<Value = Comparison> {
    prop_oneof![
        value().prop_map(Comparison::Ne),
        value().prop_map(Comparison::Lt),
        value().prop_map(Comparison::Le),
        value().prop_map(Comparison::Eq),
        value().prop_map(Comparison::Ge),
        value().prop_map(Comparison::Gt),
        (value(), value()).prop_map(|(mask, value)| Comparison::MaskedEq { mask, value: value & mask }),
    ]
}

/// Rules for one call with one action: conditions that must all hold, or values of one argument.
///
/// Version 2.5.4 of the library merges other alternatives wrongly: with `<= 0` and `>= 1 << 32` it takes 1 for a match.
fn rules() -> impl Strategy<Value = (Action, Vec<Vec<Condition>>)> {
    let action =
        select(vec![Action::Errno(13), Action::Log, Action::KillProcess, Action::Trace(3), Action::Notify]);
    let all_of = btree_map(0..6_u8, comparison(), 0..4);
    let all_of =
        all_of.prop_map(|of| vec![of.into_iter().map(|(index, of)| Condition::new(index, of)).collect()]);
    let one_of = (0..6_u8, vec(value(), 2..6)).prop_map(|(index, values)| {
        values.into_iter().map(|value| vec![Condition::new(index, Comparison::Eq(value))]).collect()
    });
    (action, prop_oneof![all_of, one_of])
}

#[test]
fn any_profile_without_contradictions_decides_as_libseccomp_would() {
    let Some(library) = Library::open() else { skip!("no libseccomp.so.2") };
    if Architecture::NATIVE != Architecture::X86_64 {
        skip!("not x86_64");
    }
    let cases = if std::env::var_os("SLOW_MACHINE").is_some() { 20 } else { 200 };
    let strategy = (
        select(vec![Action::Allow, Action::Errno(1), Action::KillThread]),
        subsequence(TOGETHER.to_vec(), 1..=2),
        btree_map(select(&NAMES[..]), rules(), 1..6),
    );
    let test = |(default, architectures, calls): (_, _, std::collections::BTreeMap<&str, _>)| {
        let mut profile = Profile::new(default);
        profile.architectures = architectures;
        for (name, (action, alternatives)) in calls {
            for conditions in alternatives {
                profile = profile.rule_if(action, [name], conditions);
            }
        }
        same(&library, &profile)
    };
    TestRunner::new(Config::with_cases(cases)).run(&strategy, test).expect("the same decisions");
}
