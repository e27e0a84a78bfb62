//! Limits in words.

use cofferdam::Child;
use cofferdam::cgroups::{
    Bytes, Cgroup, Controller, Cpu, Hierarchies, Limit, Memory, Outcome, Resources, Setting,
};

use crate::args::Policy;
use crate::facts::Fact;

/// Says which limits do not hold.
pub fn warn(outcome: Option<&Outcome>) {
    for left_out in outcome.map(Outcome::left_out).unwrap_or_default() {
        // Where swap is not accounted it is not there.
        if left_out.setting != Setting::Memory(Memory::Swap(Limit::Value(Bytes(0)))) {
            eprintln!("isolate: without the limit {}: {}", left_out.setting, left_out.reason);
        }
    }
}

/// A line for each limit that would be set.
pub fn lines(limits: &Resources, policy: Policy) -> String {
    let line = |setting: &Setting| match policy {
        Policy::None => format!("do not limit {setting}\n"),
        Policy::Required | Policy::IfAvailable => format!("limit {setting}\n"),
    };
    limits.settings().map(line).collect()
}

/// The caller's own cgroup.
pub fn own() -> Option<Cgroup> {
    Hierarchies::discover().and_then(|host| host.own()).ok()
}

/// What limits a child has, beside those of the caller.
pub fn of_child(child: &Child) -> Vec<Fact> {
    match child.cgroup() {
        Some(cgroup) => facts(Some(cgroup)),
        None => facts(own().as_ref()),
    }
}

/// The limits of a cgroup. What cannot be read does not limit.
pub fn facts(cgroup: Option<&Cgroup>) -> Vec<Fact> {
    let find = |controller, text: fn(&Setting) -> Option<String>| {
        let settings = cgroup.and_then(|cgroup| cgroup.settings(controller).ok()).unwrap_or_default();
        settings.iter().find_map(text).unwrap_or_else(|| "not limited".to_owned())
    };
    vec![
        ("memory at most".to_owned(), find(Controller::Memory, memory)),
        ("processes at most".to_owned(), find(Controller::Pids, processes)),
        ("processors at most".to_owned(), find(Controller::Cpu, processors)),
    ]
}

fn memory(setting: &Setting) -> Option<String> {
    match setting {
        Setting::Memory(Memory::Max(Limit::Value(bytes))) => Some(format!("{} MiB", bytes.0 >> 20)),
        _ => None,
    }
}

fn processes(setting: &Setting) -> Option<String> {
    match setting {
        Setting::Pids(Limit::Value(count)) => Some(count.to_string()),
        _ => None,
    }
}

fn processors(setting: &Setting) -> Option<String> {
    match setting {
        Setting::Cpu(Cpu::Max { quota: Some(Limit::Value(quota)), period: Some(period) }) => {
            Some(format!("{:.2}", quota.as_secs_f64() / period.as_secs_f64()))
        }
        _ => None,
    }
}
