//! Filters do what their profiles mean.

mod common;

use cofferdam_seccomp::{Action, Architecture, Comparison, Condition, Error, Filter, Profile};
use common::{Call, Meaning, interesting_calls, run};

const EPERM: Action = Action::Errno(1);
const ENOSYS: Action = Action::Errno(38);

fn on(architectures: &[Architecture], mut profile: Profile) -> Profile {
    profile.architectures = architectures.to_vec();
    profile
}

fn filter(profile: &Profile) -> Filter {
    profile.compile().expect("a profile that compiles")
}

/// The filter, after comparing it with the meaning of its profile.
fn agrees(profile: &Profile) -> Filter {
    let filter = filter(profile);
    let meaning = Meaning::new(profile);
    for call in interesting_calls(profile) {
        let (code, _) = run(filter.instructions(), &call);
        assert_eq!(Action::from_code(code), Some(meaning.of(&call)), "{call:x?}\n{}", filter.explain());
        let known = profile.architectures.iter().find(|of| of.audit_number() == call.architecture);
        if let Some(architecture) = known {
            assert_eq!(
                Some(filter.decide(*architecture, call.number, call.arguments)),
                Action::from_code(code)
            );
        }
    }
    filter
}

fn decides(filter: &Filter, architecture: Architecture, name: &str, arguments: [u64; 6]) -> Action {
    let number = architecture.syscall_number(name).unwrap_or_else(|| panic!("{architecture} has no {name}"));
    decides_number(filter, architecture, number, arguments)
}

fn decides_number(filter: &Filter, architecture: Architecture, number: u32, arguments: [u64; 6]) -> Action {
    let (code, _) = run(filter.instructions(), &Call::new(architecture, number, arguments));
    Action::from_code(code).expect("an action")
}

#[test]
fn the_default_profile_means_on_every_architecture_what_its_rules_say() {
    for architecture in Architecture::all() {
        for capabilities in [0, u64::MAX, 1 << 21, 1 << 39] {
            let filter = agrees(&Profile::default_on(architecture, capabilities));
            assert!(filter.len() < 900, "{architecture}: {}", filter.len());
        }
    }
}

#[test]
fn a_common_call_is_found_in_a_dozen_steps() {
    let filter = filter(&Profile::default_on(Architecture::X86_64, 0));
    for name in ["read", "write", "openat", "mmap", "futex", "clock_gettime", "epoll_pwait2"] {
        let number = Architecture::X86_64.syscall_number(name).expect("a call");
        let (code, steps) = run(filter.instructions(), &Call::new(Architecture::X86_64, number, [0; 6]));
        assert_eq!(Action::from_code(code), Some(Action::Allow));
        assert!(steps <= 12, "{name}: {steps} steps");
    }
}

#[test]
fn each_comparison_looks_at_all_64_bits() {
    let value = 0x1_0000_0002;
    let cases = [
        (Comparison::Eq(value), [false, false, true, false, false]),
        (Comparison::Ne(value), [true, true, false, true, true]),
        (Comparison::Lt(value), [true, true, false, false, false]),
        (Comparison::Le(value), [true, true, true, false, false]),
        (Comparison::Ge(value), [false, false, true, true, true]),
        (Comparison::Gt(value), [false, false, false, true, true]),
        (
            Comparison::MaskedEq { mask: 0x1_0000_0001, value: 0x1_0000_0000 },
            [false, false, true, false, false],
        ),
    ];
    for (comparison, expected) in cases {
        let profile = Profile::new(Action::Allow).rule_if(EPERM, ["read"], [Condition::new(3, comparison)]);
        let profile = on(&[Architecture::X86_64], profile);
        let filter = agrees(&profile);
        let arguments = [2, 0x1_0000_0001, value, 0x1_0000_0003, 0x2_0000_0001];
        let found = arguments.map(|argument| {
            decides(&filter, Architecture::X86_64, "read", [7, 7, 7, argument, 7, 7]) == EPERM
        });
        assert_eq!(found, expected, "{comparison:?}");
        agrees(&on(&[Architecture::S390x, Architecture::S390], profile.clone()));
        agrees(&on(&[Architecture::Aarch64, Architecture::Arm], profile));
    }
}

#[test]
fn the_strictest_of_the_matching_rules_holds_whatever_their_order() {
    let low = Condition::new(0, Comparison::Lt(10));
    let even = Condition::new(0, Comparison::MaskedEq { mask: 1, value: 0 });
    let rules =
        [(Action::Allow, None), (EPERM, Some(low)), (Action::Log, Some(even)), (Action::Errno(2), Some(low))];
    for rotation in 0..rules.len() {
        let mut profile = on(&[Architecture::X86_64], Profile::new(Action::Trap));
        for (action, condition) in rules.iter().cycle().skip(rotation).take(rules.len()) {
            profile = profile.rule_if(*action, ["read"], *condition);
        }
        let filter = agrees(&profile);
        let of = |argument| decides(&filter, Architecture::X86_64, "read", [argument; 6]);
        // Of two errnos that of the first rule.
        assert_eq!(of(4), if rotation == 2 || rotation == 3 { Action::Errno(2) } else { EPERM });
        assert_eq!((of(12), of(13)), (Action::Log, Action::Allow));
    }
}

#[test]
fn calls_newer_than_the_profile_get_enosys_where_it_refuses() {
    for (default, expected) in [
        (EPERM, ENOSYS),
        (Action::KillProcess, ENOSYS),
        (Action::KillThread, ENOSYS),
        (Action::Trap, ENOSYS),
        (Action::Notify, Action::Notify),
        (Action::Trace(5), Action::Trace(5)),
        (Action::Log, Action::Log),
        (Action::Allow, Action::Allow),
    ] {
        let both = [Architecture::X86_64, Architecture::X86, Architecture::X32];
        let profile = on(&both, Profile::new(default).rule(Action::Allow, ["read", "openat2", "frobnicate"]));
        let filter = agrees(&profile);
        for architecture in both {
            assert_eq!(decides(&filter, architecture, "openat2", [0; 6]), Action::Allow);
            assert_eq!(decides(&filter, architecture, "write", [0; 6]), default);
            assert_eq!(decides(&filter, architecture, "file_getattr", [0; 6]), expected, "{architecture}");
        }
        // A call that a tracer took back.
        assert_eq!(decides_number(&filter, Architecture::X86_64, u32::MAX, [0; 6]), expected);
    }
    let nothing = agrees(&on(&[Architecture::X86_64], Profile::new(EPERM)));
    assert_eq!(decides(&nothing, Architecture::X86_64, "file_getattr", [0; 6]), EPERM);
    assert_eq!(nothing.len(), 7, "{}", nothing.explain());
}

#[test]
fn other_architectures_and_x32_without_being_asked_for_are_killed() {
    let filter = agrees(&on(&[Architecture::X86_64], Profile::new(Action::Allow)));
    assert_eq!(decides(&filter, Architecture::X86, "read", [0; 6]), Action::KillProcess);
    assert_eq!(decides(&filter, Architecture::X32, "read", [0; 6]), Action::KillProcess);
    assert_eq!(decides(&filter, Architecture::X86_64, "read", [0; 6]), Action::Allow);
    let filter = agrees(&on(&[Architecture::X32], Profile::new(Action::Allow)));
    assert_eq!(decides(&filter, Architecture::X86_64, "read", [0; 6]), Action::KillProcess);
    assert_eq!(decides(&filter, Architecture::X32, "read", [0; 6]), Action::Allow);
}

#[test]
fn architectures_with_another_order_of_bytes_do_not_fit_into_one_filter() {
    let error = on(&[Architecture::X86_64, Architecture::S390x], Profile::new(EPERM))
        .compile()
        .expect_err("an error");
    let text =
        "SCMP_ARCH_X86_64 and SCMP_ARCH_S390X differ in the order of bytes and cannot be in one filter";
    assert_eq!(error.to_string(), text);
    let bytes = filter(&on(&[Architecture::S390x], Profile::new(Action::Allow))).to_bytes();
    assert_eq!(&bytes[..8], [0, 0x20, 0, 0, 0, 0, 0, 4]);
    let bytes = filter(&on(&[Architecture::X86_64], Profile::new(Action::Allow))).to_bytes();
    assert_eq!(&bytes[..8], [0x20, 0, 0, 0, 4, 0, 0, 0]);
}

#[test]
fn jumps_may_be_long_and_a_filter_too_long_is_an_error() {
    let profile = |alternatives: u64| {
        let mut profile = on(&[Architecture::X86_64, Architecture::X86], Profile::new(EPERM));
        for value in 0..alternatives {
            let conditions = [0, 5].map(|index| Condition::new(index, Comparison::Eq(value << 32 | value)));
            profile = profile.rule_if(Action::Allow, ["read", "openat", "clone3"], conditions);
        }
        profile.rule(Action::Trap, ["write", "close", "clone"])
    };
    let filter = agrees(&profile(60));
    assert!(filter.len() > 700, "{}", filter.len());
    let error = profile(500).compile().expect_err("an error");
    assert!(matches!(error, Error::TooLong { instructions } if instructions > 4096), "{error:?}");
    assert!(error.to_string().ends_with("instructions, the kernel takes 4096"), "{error}");
}

#[test]
fn a_second_way_into_the_kernel_is_closed_but_not_opened_by_conditions() {
    let alg = Condition::new(0, Comparison::Eq(38));
    let closed =
        on(&[Architecture::X86], Profile::new(Action::Allow).rule_if(EPERM, ["socket", "shmat"], [alg]));
    let filter = agrees(&closed);
    let of = |filter: &Filter, name, first| decides(filter, Architecture::X86, name, [first, 0, 0, 0, 0, 0]);
    assert_eq!((of(&filter, "socket", 38), of(&filter, "socket", 2)), (EPERM, Action::Allow));
    assert_eq!((of(&filter, "socketcall", 1), of(&filter, "socketcall", 2)), (EPERM, Action::Allow));
    // The version above the number of the call does not count.
    assert_eq!((of(&filter, "ipc", 1 << 16 | 21), of(&filter, "ipc", 22)), (EPERM, Action::Allow));
    let open = on(&[Architecture::X86], Profile::new(EPERM).rule_if(Action::Allow, ["socket"], [alg]));
    assert_eq!(of(&agrees(&open), "socketcall", 1), EPERM);
}

#[test]
fn wrong_values_are_named_by_their_place() {
    let error = |profile: Profile| profile.compile().expect_err("an error").to_string();
    assert_eq!(error(Profile::new(Action::Errno(4096))), "defaultErrnoRet: 4096 is above 4095");
    let profile = Profile::new(EPERM).rule(Action::Allow, ["read"]).rule(Action::Errno(5000), ["write"]);
    assert_eq!(error(profile), "syscalls[1].errnoRet: 5000 is above 4095");
    let condition = Condition::new(6, Comparison::Eq(1));
    let profile = Profile::new(EPERM).rule_if(Action::Allow, ["read"], [condition]);
    assert_eq!(error(profile), "syscalls[0].args[0].index: 6 is above 5, the last argument");
}

#[test]
fn names_that_are_no_calls_are_told_and_do_nothing() {
    let names = ["read", "frobnicate", "set_tls", "swapcontext", "frobnicate", "", "READ"];
    let profile = on(&[Architecture::X86_64], Profile::new(EPERM).rule(Action::Allow, names));
    assert_eq!(profile.unknown_names(), ["frobnicate", "", "READ"]);
    let known = on(&[Architecture::X86_64], Profile::new(EPERM).rule(Action::Allow, ["read"]));
    assert_eq!(filter(&profile), filter(&known));
    assert_eq!(Profile::default_for(u64::MAX).unknown_names(), Vec::<&str>::new());
}

#[test]
fn flags_are_the_kernels_and_a_listener_follows_from_the_rules() {
    let mut profile = Profile::new(Action::Allow);
    assert_eq!((filter(&profile).flags(), filter(&profile).notifies()), (0, false));
    profile.flags.log = true;
    profile.flags.spec_allow = true;
    profile.flags.tsync = true;
    profile.flags.wait_killable_recv = true;
    assert_eq!(filter(&profile).flags(), 0b111);
    let notifies = filter(&profile.rule(Action::Notify, ["mkdir"]));
    assert_eq!((notifies.flags(), notifies.notifies()), (0b11_1111, true));
    assert_eq!(notifies.to_bytes().len(), 8 * notifies.len());
}

#[test]
fn the_words_name_calls_by_the_architecture_they_are_reached_on() {
    let masked = Condition::new(2, Comparison::MaskedEq { mask: 0xf_0000_0000, value: 0x1_0000_0000 });
    let profile =
        Profile::new(Action::Allow).rule_if(EPERM, ["reboot"], [masked]).rule(Action::Trap, ["mount"]);
    let words = filter(&on(&[Architecture::Aarch64, Architecture::Arm], profile)).explain().to_string();
    let expected = [
        "load architecture",
        "if architecture == 0xc00000b7 (SCMP_ARCH_AARCH64) go to ",
        "if architecture == 0x40000028 (SCMP_ARCH_ARM) go to ",
        "if number >= 142 (reboot) go to ",
        "if number == 40 (mount) go to ",
        "load argument 2, high half",
        "and 0xf",
        "if it == 0x1 go to ",
        "if number == 21 (mount) go to ",
        "if number >= 88 (reboot) go to ",
        "return errno 1",
        "return trap",
        "return kill process",
        "return allow",
    ];
    for text in expected {
        assert!(words.contains(&format!(": {text}")), "{text}:\n{words}");
    }
    // On arm only the low half counts, of the mask and the value too: nothing is left to compare.
    assert_eq!(words.matches("load argument").count(), 1, "{words}");
}
