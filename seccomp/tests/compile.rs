//! Filters do what their profiles mean.

mod common;

use cofferdam_seccomp::{Action, Architecture, Filter, Profile};
use common::{Call, interesting_calls, meaning, run};

fn agrees(profile: &Profile) -> Filter {
    let filter = profile.compile().expect("a profile that compiles");
    for call in interesting_calls(profile) {
        let (code, _) = run(filter.instructions(), &call);
        assert_eq!(Action::from_code(code), Some(meaning(profile, &call)), "{call:?}\n{}", filter.explain());
    }
    filter
}

#[test]
fn the_default_profile_means_on_every_architecture_what_its_rules_say() {
    for architecture in [Architecture::X86_64, Architecture::S390x] {
        for capabilities in [0, 1 << 21] {
            let filter = agrees(&Profile::default_on(architecture, capabilities));
            assert!(filter.len() < 900, "{architecture}: {}", filter.len());
        }
    }
}

#[test]
fn a_common_call_is_found_in_a_dozen_steps() {
    let filter = Profile::default_on(Architecture::X86_64, 0).compile().unwrap();
    for name in ["read", "write", "openat", "mmap", "futex", "clock_gettime", "epoll_pwait2"] {
        let number = Architecture::X86_64.syscall_number(name).unwrap();
        let (code, steps) = run(filter.instructions(), &Call::new(Architecture::X86_64, number, [0; 6]));
        assert_eq!(Action::from_code(code), Some(Action::Allow));
        assert!(steps <= 12, "{name}: {steps} steps");
    }
}
