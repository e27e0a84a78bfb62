//! What happens at each number of a call.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::profile::Comparison;
use crate::syscalls::{self, multiplexed};
use crate::{Action, Architecture, Condition, Profile, architecture::X32_BIT};

use super::FOREIGN;

/// What happens at the calls of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Always the same.
    Always(Action),
    /// It depends on arguments.
    Depends(Rc<Choice>),
}

/// The first alternative whose conditions all hold, or what happens otherwise.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Choice {
    /// Conditions and what happens where they hold.
    pub(super) alternatives: Vec<(Vec<Condition>, Action)>,
    /// What happens where none does.
    pub(super) otherwise: Action,
    /// Whether arguments have 64 bits.
    pub(super) wide: bool,
    /// Whether their high half comes first.
    pub(super) big_endian: bool,
}

/// A number, and what happens from there to the next range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Range {
    /// The first number.
    pub(super) start: u32,
    /// What happens.
    pub(super) outcome: Outcome,
}

/// The ranges of all numbers that come under one number of an architecture: x86_64 and x32 share theirs.
pub(super) fn ranges(profile: &Profile, ways: &[Architecture]) -> Vec<Range> {
    let mut ranges = Vec::new();
    let shared = ways.iter().any(|way| matches!(way, Architecture::X86_64 | Architecture::X32));
    if !shared {
        ways.iter().take(1).for_each(|way| of_architecture(&mut ranges, profile, *way));
        return ranges;
    }
    for (way, start) in [(Architecture::X86_64, 0), (Architecture::X32, X32_BIT)] {
        if ways.contains(&way) {
            of_architecture(&mut ranges, profile, way);
        } else {
            push(&mut ranges, start, Outcome::Always(FOREIGN));
        }
    }
    // A tracer that takes a call back makes its number -1: that is no call of another architecture.
    push(&mut ranges, u32::MAX, Outcome::Always(beyond(profile, Architecture::X86_64)));
    ranges
}

/// What happens at numbers above all that the profile names.
fn beyond(profile: &Profile, way: Architecture) -> Action {
    let limited = profile.default_action.refuses() && !profile.rules.is_empty();
    if limited { way.enosys() } else { profile.default_action }
}

fn of_architecture(ranges: &mut Vec<Range>, profile: &Profile, way: Architecture) {
    let calls = calls(profile, way);
    let ordinary = |number: &u32| *number <= way.highest();
    let newest = calls.keys().copied().rfind(ordinary);
    let default = Outcome::Always(profile.default_action);
    push(ranges, if way == Architecture::X32 { X32_BIT } else { 0 }, default.clone());
    for (number, alternatives) in calls {
        push(ranges, number, outcome(profile, way, alternatives));
        let Some(next) = number.checked_add(1) else { continue };
        if Some(number) == newest {
            push(ranges, next, Outcome::Always(beyond(profile, way)));
            if let Some(private) = way.highest().checked_add(1).filter(|_| way == Architecture::Arm) {
                push(ranges, private, default.clone());
            }
        } else {
            push(ranges, next, default.clone());
        }
    }
}

/// The last range ends where this one begins. Numbers come in order; the same one again replaces what was there.
fn push(ranges: &mut Vec<Range>, start: u32, outcome: Outcome) {
    ranges.pop_if(|last| last.start == start);
    if ranges.last().is_none_or(|last| last.outcome != outcome) {
        ranges.push(Range { start, outcome });
    }
}

/// The rules for each number, in the profile's order.
fn calls(profile: &Profile, way: Architecture) -> BTreeMap<u32, Vec<(Vec<Condition>, Action)>> {
    let mut calls: BTreeMap<u32, Vec<(Vec<Condition>, Action)>> = BTreeMap::new();
    for rule in &profile.rules {
        for name in &rule.names {
            if let Some(number) = syscalls::number(way, name) {
                calls.entry(number).or_default().push((rule.conditions.clone(), rule.action));
            }
            let Some(multiplexer) = multiplexed(way, name) else { continue };
            // The arguments are behind a pointer. What cannot be told apart is refused.
            if rule.conditions.is_empty() || rule.action.rank() < profile.default_action.rank() {
                let comparison = Comparison::MaskedEq { mask: multiplexer.mask, value: multiplexer.value };
                let conditions = vec![Condition::new(0, comparison)];
                calls.entry(multiplexer.number).or_default().push((conditions, rule.action));
            }
        }
    }
    calls
}

/// What the rules for one call come to: the strictest first, up to one that always holds.
fn outcome(profile: &Profile, way: Architecture, mut rules: Vec<(Vec<Condition>, Action)>) -> Outcome {
    rules.sort_by_key(|(_, action)| action.rank());
    let mut otherwise = profile.default_action;
    if let Some(always) = rules.iter().position(|(conditions, _)| conditions.is_empty()) {
        otherwise = rules[always].1;
        rules.truncate(always);
    }
    while rules.pop_if(|(_, action)| *action == otherwise).is_some() {}
    if rules.is_empty() {
        return Outcome::Always(otherwise);
    }
    let (wide, big_endian) = (way.is_64_bit(), way.is_big_endian());
    Outcome::Depends(Rc::new(Choice { alternatives: rules, otherwise, wide, big_endian }))
}
