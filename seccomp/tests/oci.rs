//! Profiles from the seccomp section of the OCI runtime-spec.
#![cfg(feature = "oci")]

use cofferdam_seccomp::{Action, Architecture, Comparison, Condition, Profile, Result};
use oci_spec::runtime::LinuxSeccomp;
use serde_json::json;

fn profile(of: serde_json::Value) -> Result<Profile> {
    let seccomp: LinuxSeccomp = serde_json::from_value(of).expect("a seccomp section");
    Profile::from_oci(&seccomp)
}

fn error(of: serde_json::Value) -> (String, Option<String>) {
    let error = profile(of).expect_err("an error");
    (error.to_string(), error.path().map(str::to_owned))
}

#[test]
fn a_section_becomes_rules_with_actions_flags_and_architectures() {
    let profile = profile(json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 38,
        "architectures": ["SCMP_ARCH_NATIVE", "SCMP_ARCH_X86", "SCMP_ARCH_X86"],
        "flags": ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"],
        "syscalls": [
            {"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"},
            {"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"},
            {"names": ["ptrace"], "action": "SCMP_ACT_TRACE", "errnoRet": 65535},
            {"names": ["reboot"], "action": "SCMP_ACT_ERRNO"},
            {"names": ["clone"], "action": "SCMP_ACT_LOG",
             "args": [{"index": 0, "value": 2_114_060_288, "op": "SCMP_CMP_MASKED_EQ"},
                      {"index": 5, "value": 3, "valueTwo": 9, "op": "SCMP_CMP_GE"}]}
        ]
    }))
    .expect("a profile");
    assert_eq!(profile.default_action, Action::Errno(38));
    let x86 = if Architecture::NATIVE == Architecture::X86 { None } else { Some(Architecture::X86) };
    assert!(profile.architectures.iter().eq([Architecture::NATIVE].iter().chain(x86.as_ref())));
    assert!(profile.flags.log && profile.flags.wait_killable_recv && !profile.flags.tsync);
    assert!(!profile.flags.spec_allow);
    let actions: Vec<Action> = profile.rules.iter().map(|rule| rule.action).collect();
    assert_eq!(actions, [Action::Allow, Action::Notify, Action::Trace(65535), Action::Errno(1), Action::Log]);
    // Engines leave a zero out.
    let masked = Comparison::MaskedEq { mask: 0x7e02_0000, value: 0 };
    assert_eq!(
        profile.rules[4].conditions,
        [Condition::new(0, masked), Condition::new(5, Comparison::Ge(3))]
    );
    assert!(profile.compile().expect("a filter").notifies());
}

#[test]
fn conditions_on_one_argument_are_rules_of_their_own() {
    let profile = profile(json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "syscalls": [{"names": ["socket"], "action": "SCMP_ACT_ALLOW",
            "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 2, "value": 0, "op": "SCMP_CMP_NE"},
                     {"index": 0, "value": 2, "op": "SCMP_CMP_EQ"}]}]
    }))
    .expect("a profile");
    let conditions: Vec<_> = profile.rules.iter().map(|rule| rule.conditions.as_slice()).collect();
    let alone = [(0, Comparison::Eq(1)), (2, Comparison::Ne(0)), (0, Comparison::Eq(2))];
    let alone = alone.map(|(argument, comparison)| [Condition::new(argument, comparison)]);
    assert_eq!(conditions, [&alone[0], &alone[1], &alone[2]]);
}

#[test]
fn every_action_and_architecture_of_the_runtime_spec_is_read_or_named() {
    let action = |name: &str| profile(json!({"defaultAction": name})).expect("a profile").default_action;
    assert_eq!(action("SCMP_ACT_KILL"), Action::KillThread);
    assert_eq!(action("SCMP_ACT_KILL_THREAD"), Action::KillThread);
    assert_eq!(action("SCMP_ACT_KILL_PROCESS"), Action::KillProcess);
    assert_eq!(action("SCMP_ACT_TRAP"), Action::Trap);
    assert_eq!(action("SCMP_ACT_ERRNO"), Action::Errno(1));
    assert_eq!(action("SCMP_ACT_TRACE"), Action::Trace(1));
    assert_eq!(action("SCMP_ACT_NOTIFY"), Action::Notify);
    assert_eq!(action("SCMP_ACT_LOG"), Action::Log);
    assert_eq!(action("SCMP_ACT_ALLOW"), Action::Allow);
    for architecture in Architecture::all() {
        let name = architecture.name();
        let found = profile(json!({"defaultAction": "SCMP_ACT_ALLOW", "architectures": [name]})).expect(name);
        assert!(found.architectures.contains(&architecture), "{name}");
    }
    for name in ["SCMP_ARCH_PARISC", "SCMP_ARCH_PARISC64", "SCMP_ARCH_M68K", "SCMP_ARCH_SH", "SCMP_ARCH_SHEB"]
    {
        let found =
            error(json!({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", name]}));
        let expected = (format!("architecture {name} is not supported"), Some("architectures".to_owned()));
        assert_eq!(found, expected);
    }
}

#[test]
fn a_wrong_value_is_named_with_its_path() {
    let rule = |rule: serde_json::Value| {
        let fine = json!({"names": ["read"], "action": "SCMP_ACT_ALLOW"});
        error(json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [fine, rule]}))
    };
    let is = |text: &str, path: &str| (format!("{path}: {text}"), Some(path.to_owned()));
    assert_eq!(
        error(json!({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 4096})),
        is("4096 is above 4095", "defaultErrnoRet")
    );
    assert_eq!(
        error(json!({"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1})),
        is("SCMP_ACT_ALLOW takes no errno", "defaultErrnoRet")
    );
    assert_eq!(
        rule(json!({"names": ["read"], "action": "SCMP_ACT_TRACE", "errnoRet": 65536})),
        is("65536 is above 65535", "syscalls[1].errnoRet")
    );
    assert_eq!(
        rule(json!({"names": ["read"], "action": "SCMP_ACT_KILL_PROCESS", "errnoRet": 0})),
        is("SCMP_ACT_KILL_PROCESS takes no errno", "syscalls[1].errnoRet")
    );
    assert_eq!(
        rule(json!({"names": [], "action": "SCMP_ACT_LOG"})),
        is("at least one name is needed", "syscalls[1].names")
    );
    let argument =
        json!([{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 6, "value": 1, "op": "SCMP_CMP_EQ"}]);
    assert_eq!(
        rule(json!({"names": ["read"], "action": "SCMP_ACT_LOG", "args": argument})),
        is("6 is above 5, the last argument", "syscalls[1].args[1].index")
    );
}
