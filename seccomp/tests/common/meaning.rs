//! What a profile means, without any compiler: rule by rule, for one call.

use std::collections::BTreeSet;

use cofferdam_seccomp::{Action, Architecture, Comparison, Condition, Profile, Rule};

use super::Call;

const SOCKETS: [&str; 20] = [
    "socket",
    "bind",
    "connect",
    "listen",
    "accept",
    "getsockname",
    "getpeername",
    "socketpair",
    "send",
    "recv",
    "sendto",
    "recvfrom",
    "shutdown",
    "setsockopt",
    "getsockopt",
    "sendmsg",
    "recvmsg",
    "accept4",
    "recvmmsg",
    "sendmmsg",
];
const IPC: [(&str, u64); 12] = [
    ("semop", 1),
    ("semget", 2),
    ("semctl", 3),
    ("semtimedop", 4),
    ("msgsnd", 11),
    ("msgrcv", 12),
    ("msgget", 13),
    ("msgctl", 14),
    ("shmat", 21),
    ("shmdt", 22),
    ("shmget", 23),
    ("shmctl", 24),
];

fn rank(action: Action) -> i32 {
    i32::from_ne_bytes(action.code().to_ne_bytes()) >> 16
}

fn is_narrow(architecture: Architecture) -> bool {
    use Architecture as A;
    [A::X86, A::X32, A::Arm, A::Ppc, A::S390, A::Mips, A::MipsEl, A::Mips64N32, A::MipsEl64N32]
        .contains(&architecture)
}

fn holds(condition: &Condition, call: &Call, narrow: bool) -> bool {
    let bits = if narrow { 0xffff_ffff } else { u64::MAX };
    let argument = call.arguments[usize::from(condition.argument)] & bits;
    match condition.comparison {
        Comparison::Ne(value) => argument != value & bits,
        Comparison::Lt(value) => argument < value & bits,
        Comparison::Le(value) => argument <= value & bits,
        Comparison::Eq(value) => argument == value & bits,
        Comparison::Ge(value) => argument >= value & bits,
        Comparison::Gt(value) => argument > value & bits,
        Comparison::MaskedEq { mask, value } => argument & mask & bits == value & bits,
        _ => panic!("{condition:?}"),
    }
}

fn matches(rule: &Rule, profile: &Profile, architecture: Architecture, call: &Call) -> bool {
    let narrow = is_narrow(architecture);
    rule.names.iter().any(|name| {
        let direct = architecture.syscall_number(name) == Some(call.number)
            && rule.conditions.iter().all(|condition| holds(condition, call, narrow));
        let is = |outer: &str, mask: u64, value: u64| {
            architecture.syscall_number(outer) == Some(call.number) && call.arguments[0] & mask == value
        };
        let socket = SOCKETS.iter().position(|call| call == name);
        let ipc = IPC.iter().find(|(call, _)| call == name);
        let behind = socket.is_some_and(|index| is("socketcall", 0xffff_ffff, index as u64 + 1))
            || ipc.is_some_and(|(_, value)| is("ipc", 0xffff, *value));
        let reaches = rule.conditions.is_empty() || rank(rule.action) < rank(profile.default_action);
        direct || (behind && reaches)
    })
}

/// The action for a call.
pub fn meaning(profile: &Profile, call: &Call) -> Action {
    let natives = [Architecture::NATIVE];
    let architectures = if profile.architectures.is_empty() { &natives[..] } else { &profile.architectures };
    let x86_64 = Architecture::X86_64.audit_number();
    let limited = rank(profile.default_action) <= rank(Action::Errno(0));
    if call.architecture == x86_64
        && call.number == u32::MAX
        && architectures.iter().any(|a| a.audit_number() == x86_64)
    {
        return if limited && !profile.rules.is_empty() { Action::Errno(38) } else { profile.default_action };
    }
    let of_call = |architecture: &&Architecture| {
        architecture.audit_number() == call.architecture
            && (call.architecture != x86_64
                || (**architecture == Architecture::X32) == (call.number >= 0x4000_0000))
    };
    let Some(architecture) = architectures.iter().find(of_call).copied() else {
        return Action::KillProcess;
    };
    // The first of the strictest.
    let matching = profile.rules.iter().filter(|rule| matches(rule, profile, architecture, call));
    if let Some(rule) = matching.min_by_key(|rule| rank(rule.action)) {
        return rule.action;
    }
    let private = |number: &u32| architecture == Architecture::Arm && *number >= 0xf_0000;
    let newest = numbers(profile, architecture).into_iter().filter(|number| !private(number)).max();
    match newest {
        Some(newest) if limited && call.number > newest && !private(&call.number) => {
            Action::Errno(if architecture.name().contains("MIPS") { 89 } else { 38 })
        }
        _ => profile.default_action,
    }
}

/// The numbers that the rules of a profile are about.
fn numbers(profile: &Profile, architecture: Architecture) -> BTreeSet<u32> {
    let mut numbers = BTreeSet::new();
    for rule in &profile.rules {
        for name in &rule.names {
            numbers.extend(architecture.syscall_number(name));
            let reaches = rule.conditions.is_empty() || rank(rule.action) < rank(profile.default_action);
            if reaches && SOCKETS.contains(&name.as_str()) {
                numbers.extend(architecture.syscall_number("socketcall"));
            }
            if reaches && IPC.iter().any(|(call, _)| call == name) {
                numbers.extend(architecture.syscall_number("ipc"));
            }
        }
    }
    numbers
}

/// All numbers of all architectures and those beside them, with arguments around the values that conditions name.
pub fn interesting_calls(profile: &Profile) -> Vec<Call> {
    let mut values = BTreeSet::from([0, 1, 38, u64::MAX, 0xffff_ffff]);
    for condition in profile.rules.iter().flat_map(|rule| &rule.conditions) {
        let (mask, value) = match condition.comparison {
            Comparison::MaskedEq { mask, value } => (mask, value),
            Comparison::Ne(v) | Comparison::Lt(v) | Comparison::Le(v) => (0, v),
            Comparison::Eq(v) | Comparison::Ge(v) | Comparison::Gt(v) => (0, v),
            _ => panic!("{condition:?}"),
        };
        values.extend([
            value,
            value.wrapping_add(1),
            value.wrapping_sub(1),
            value ^ 1 << 32,
            value | 1 << 63,
        ]);
        values.extend([mask, !mask, value | !mask, value ^ (mask & mask.wrapping_neg())]);
    }
    let mut calls = Vec::new();
    let of_rules = |architecture: Architecture, number: u32| {
        let names = architecture.syscall_name(number);
        names.is_some_and(|name| {
            matches!(name, "socketcall" | "ipc")
                || profile
                    .rules
                    .iter()
                    .any(|rule| !rule.conditions.is_empty() && rule.names.iter().any(|n| n == name))
        })
    };
    for architecture in Architecture::all() {
        let known = (0..1024).chain(4000..4512).chain(5000..5512).chain(6000..6512).chain(0xf_0000..0xf_0010);
        for number in
            known.chain(0x4000_0000..0x4000_0400).chain([0xffff_fffe, u32::MAX, 0x3fff_ffff, 0x7fff_ffff])
        {
            calls.push(Call::new(architecture, number, [0; 6]));
            if of_rules(architecture, number) {
                let spread = |(index, value): (u32, &u64)| {
                    let mut arguments = [*value; 6];
                    arguments[(index % 6) as usize] = value.rotate_left(index);
                    Call::new(architecture, number, arguments)
                };
                calls.extend((0_u32..).zip(&values).map(spread));
                let ipc = (0..30_u64).map(|value| Call::new(architecture, number, [value, 0, 1, 2, 3, 4]));
                calls.extend(ipc);
            }
        }
    }
    calls
}
