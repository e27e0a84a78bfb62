//! What happens at each number of a call.

use std::borrow::Cow;
use std::rc::Rc;

use super::FOREIGN;
use crate::architecture::X32_BIT;
use crate::profile::{Comparison, Condition, Rule};
use crate::syscalls::Call;
use crate::{Action, Architecture, Profile};

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

/// A profile, with its names looked up.
pub(super) struct Rules<'p> {
    profile: &'p Profile,
    calls: Vec<(Call, &'p Rule)>,
}

impl<'p> Rules<'p> {
    pub(super) fn new(profile: &'p Profile) -> Self {
        let named =
            |rule: &'p Rule| rule.names.iter().filter_map(move |name| Some((Call::find(name)?, rule)));
        Self { profile, calls: profile.rules.iter().flat_map(named).collect() }
    }
}

/// The ranges of all numbers that come under one number of an architecture: x86_64 and x32 share theirs.
pub(super) fn ranges(rules: &Rules<'_>, ways: &[Architecture]) -> Vec<Range> {
    let mut ranges = Vec::new();
    let shared = ways.iter().any(|way| matches!(way, Architecture::X86_64 | Architecture::X32));
    if !shared {
        ways.iter().take(1).for_each(|way| of_architecture(&mut ranges, rules, *way));
        return ranges;
    }
    for (way, start) in [(Architecture::X86_64, 0), (Architecture::X32, X32_BIT)] {
        if ways.contains(&way) {
            of_architecture(&mut ranges, rules, way);
        } else {
            push(&mut ranges, start, Outcome::Always(FOREIGN));
        }
    }
    // A tracer that takes a call back makes its number -1: that is no call of another architecture.
    push(&mut ranges, u32::MAX, Outcome::Always(beyond(rules.profile, Architecture::X86_64)));
    ranges
}

/// What happens at numbers above all that the profile names.
fn beyond(profile: &Profile, way: Architecture) -> Action {
    let limited = profile.default_action.refuses() && !profile.rules.is_empty();
    if limited { way.enosys() } else { profile.default_action }
}

fn of_architecture(ranges: &mut Vec<Range>, rules: &Rules<'_>, way: Architecture) {
    let default = rules.profile.default_action;
    let matches = matches(rules, way);
    let newest = matches.iter().map(|of| of.number).rfind(|number| *number <= way.highest());
    push(ranges, way.lowest(), Outcome::Always(default));
    for matches in matches.chunk_by(|one, other| one.number == other.number) {
        let number = matches[0].number;
        push(ranges, number, outcome(default, way, matches));
        let Some(next) = number.checked_add(1) else { continue };
        if Some(number) != newest {
            push(ranges, next, Outcome::Always(default));
            continue;
        }
        push(ranges, next, Outcome::Always(beyond(rules.profile, way)));
        if let Some(private) = way.highest().checked_add(1).filter(|_| way == Architecture::Arm) {
            push(ranges, private, Outcome::Always(default));
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

/// A rule for one number.
struct Match<'p> {
    number: u32,
    conditions: Cow<'p, [Condition]>,
    action: Action,
}

/// The rules for each number, in the order of the numbers, and the strictest first.
fn matches<'p>(rules: &Rules<'p>, way: Architecture) -> Vec<Match<'p>> {
    let mut matches = Vec::with_capacity(rules.calls.len());
    for (call, rule) in &rules.calls {
        let (conditions, action) = (&rule.conditions, rule.action);
        if let Some(number) = call.number(way) {
            matches.push(Match { number, conditions: Cow::Borrowed(conditions), action });
        }
        let Some(multiplexer) = call.multiplexer(way) else { continue };
        // The arguments are behind a pointer. What cannot be told apart is refused.
        if conditions.is_empty() || action.rank() < rules.profile.default_action.rank() {
            let comparison = Comparison::MaskedEq { mask: multiplexer.mask, value: multiplexer.value };
            let conditions = Cow::Owned(vec![Condition::new(0, comparison)]);
            matches.push(Match { number: multiplexer.number, conditions, action });
        }
    }
    // Stable: of two with the same action the first of the profile comes first.
    matches.sort_by_key(|of| (of.number, of.action.rank()));
    matches
}

/// What the rules for one number come to: all up to one that always holds.
fn outcome(default: Action, way: Architecture, matches: &[Match<'_>]) -> Outcome {
    let always = matches.iter().position(|of| of.conditions.is_empty());
    let otherwise = always.map_or(default, |always| matches[always].action);
    let mut before = &matches[..always.unwrap_or(matches.len())];
    while let [rest @ .., last] = before
        && last.action == otherwise
    {
        before = rest;
    }
    if before.is_empty() {
        return Outcome::Always(otherwise);
    }
    let alternatives = before.iter().map(|of| (of.conditions.to_vec(), of.action)).collect();
    let (wide, big_endian) = (way.is_64_bit(), way.is_big_endian());
    Outcome::Depends(Rc::new(Choice { alternatives, otherwise, wide, big_endian }))
}
