//! Any profile means the same before and after it was compiled.

mod common;

use cofferdam_seccomp::{Action, Architecture, Comparison, Condition, Profile, Rule};
use common::{Meaning, interesting_calls, run};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

const NAMES: [&str; 24] = [
    "read",
    "write",
    "open",
    "openat",
    "close",
    "socket",
    "socketcall",
    "bind",
    "sendmmsg",
    "ipc",
    "shmat",
    "clone",
    "clone3",
    "personality",
    "mmap2",
    "set_tls",
    "breakpoint",
    "restart_syscall",
    "execve",
    "file_setattr",
    "getpid",
    "frobnicate",
    "lseek",
    "stat",
];

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        1 => Just(Action::KillProcess),
        1 => Just(Action::KillThread),
        1 => Just(Action::Trap),
        1 => (0..4096_u16).prop_map(Action::Errno),
        1 => Just(Action::Notify),
        1 => any::<u16>().prop_map(Action::Trace),
        1 => Just(Action::Log),
        4 => Just(Action::Allow),
    ]
}

/// Few values, so that conditions meet; high halves that are all zero, all ones, or something.
fn value() -> impl Strategy<Value = u64> {
    let half = || prop_oneof![Just(0), Just(1), Just(38), Just(u32::MAX), Just(0x7e02_0000), any::<u32>()];
    (half(), half()).prop_map(|(high, low)| u64::from(high) << 32 | u64::from(low))
}

fn condition() -> impl Strategy<Value = Condition> {
    let comparison = prop_oneof![
        value().prop_map(Comparison::Ne),
        value().prop_map(Comparison::Lt),
        value().prop_map(Comparison::Le),
        value().prop_map(Comparison::Eq),
        value().prop_map(Comparison::Ge),
        value().prop_map(Comparison::Gt),
        (value(), value()).prop_map(|(mask, value)| Comparison::MaskedEq { mask, value }),
        (value(), value()).prop_map(|(mask, value)| Comparison::MaskedEq { mask, value: value & mask }),
    ];
    (0..6_u8, comparison).prop_map(|(argument, comparison)| Condition::new(argument, comparison))
}

fn rule() -> impl Strategy<Value = Rule> {
    let conditions = prop_oneof![Just(Vec::new()), vec(condition(), 1..4)];
    (vec(select(&NAMES[..]), 1..6), action(), conditions).prop_map(|(names, action, conditions)| {
        let names = names.into_iter().map(str::to_owned).collect();
        Rule { names, action, conditions }
    })
}

fn architectures() -> impl Strategy<Value = Vec<Architecture>> {
    let of_order = |big| Architecture::all().filter(|of| of.is_big_endian() == big).collect::<Vec<_>>();
    prop_oneof![4 => subsequence(of_order(false), 1..4), 1 => subsequence(of_order(true), 1..4)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if std::env::var_os("SLOW_MACHINE").is_some() { 10 } else { 100 }))]

    #[test]
    fn a_filter_decides_as_its_profile_says(
        default in action(),
        architectures in architectures(),
        rules in vec(rule(), 0..12),
    ) {
        let mut profile = Profile::new(default);
        profile.architectures = architectures;
        profile.rules = rules;
        let filter = profile.compile().expect("a filter");
        let meaning = Meaning::new(&profile);
        for call in interesting_calls(&profile) {
            let (code, _) = run(filter.instructions(), &call);
            prop_assert_eq!(Action::from_code(code), Some(meaning.of(&call)), "{:x?}\n{}", call, filter.explain());
        }
    }
}
