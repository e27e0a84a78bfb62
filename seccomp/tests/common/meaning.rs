//! What a profile means, without any compiler: rule by rule, for one call.

use std::collections::{BTreeSet, HashMap};

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

/// Whether a call can have a second way into the kernel.
pub fn is_multiplexed(name: &str) -> bool {
    SOCKETS.contains(&name) || IPC.iter().any(|(call, _)| *call == name)
}

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

/// How a rule gets at a call: by its own number, or behind another with these bits of the first argument.
#[derive(Clone, Copy)]
enum Way {
    Direct,
    Behind { mask: u64, value: u64 },
}

/// What a profile means.
pub struct Meaning<'p> {
    profile: &'p Profile,
    architectures: Vec<Architecture>,
    /// In the profile's order.
    rules: HashMap<(Architecture, u32), Vec<(&'p Rule, Way)>>,
}

impl<'p> Meaning<'p> {
    pub fn new(profile: &'p Profile) -> Self {
        let mut architectures = profile.architectures.clone();
        if architectures.is_empty() {
            architectures.push(Architecture::NATIVE);
        }
        let mut rules: HashMap<_, Vec<_>> = HashMap::new();
        for (architecture, rule) in
            architectures.iter().flat_map(|a| profile.rules.iter().map(move |r| (*a, r)))
        {
            for name in &rule.names {
                if let Some(number) = architecture.syscall_number(name) {
                    rules.entry((architecture, number)).or_default().push((rule, Way::Direct));
                }
                let reaches = rule.conditions.is_empty() || rank(rule.action) < rank(profile.default_action);
                let socket = SOCKETS
                    .iter()
                    .position(|call| call == name)
                    .map(|at| ("socketcall", u32::MAX, at as u64 + 1));
                let ipc = IPC.iter().find(|(call, _)| call == name).map(|(_, value)| ("ipc", 0xffff, *value));
                for (outer, mask, value) in socket.into_iter().chain(ipc).filter(|_| reaches) {
                    let way = Way::Behind { mask: mask.into(), value };
                    let Some(number) = architecture.syscall_number(outer) else { continue };
                    rules.entry((architecture, number)).or_default().push((rule, way));
                }
            }
        }
        Self { profile, architectures, rules }
    }

    /// The action for a call.
    pub fn of(&self, call: &Call) -> Action {
        let default = self.profile.default_action;
        let x86_64 = Architecture::X86_64.audit_number();
        let limited = rank(default) <= rank(Action::Errno(0));
        let ours = |architecture: &Architecture| architecture.audit_number() == call.architecture;
        if call.architecture == x86_64 && call.number == u32::MAX && self.architectures.iter().any(ours) {
            return if limited && !self.profile.rules.is_empty() { Action::Errno(38) } else { default };
        }
        let is_x32 = |a: &Architecture| (*a == Architecture::X32) == (call.number >= 0x4000_0000);
        let of_call = |a: &&Architecture| ours(a) && (call.architecture != x86_64 || is_x32(a));
        let Some(architecture) = self.architectures.iter().find(of_call).copied() else {
            return Action::KillProcess;
        };
        let narrow = is_narrow(architecture);
        let holds = |(rule, way): &&(&Rule, Way)| match way {
            Way::Direct => rule.conditions.iter().all(|condition| holds(condition, call, narrow)),
            Way::Behind { mask, value } => call.arguments[0] & mask == *value,
        };
        // The first of the strictest.
        let rules = self.rules.get(&(architecture, call.number)).into_iter().flatten();
        if let Some((rule, _)) = rules.filter(holds).min_by_key(|(rule, _)| rank(rule.action)) {
            return rule.action;
        }
        let private = |number: u32| architecture == Architecture::Arm && number >= 0xf_0000;
        let numbers = self.rules.keys().filter(|(of, number)| *of == architecture && !private(*number));
        match numbers.map(|(_, number)| *number).max() {
            Some(newest) if limited && call.number > newest && !private(call.number) => {
                Action::Errno(if architecture.name().contains("MIPS") { 89 } else { 38 })
            }
            _ => default,
        }
    }
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
    let foreign = Architecture::all().filter(|architecture| !profile.architectures.contains(architecture));
    calls.extend(foreign.map(|architecture| Call::new(architecture, 0, [0; 6])));
    for architecture in profile.architectures.iter().copied() {
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
