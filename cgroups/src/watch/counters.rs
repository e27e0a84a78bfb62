//! Files of counters and states: what they said last, and what is new.

use super::{Count, Event, Scope};
use crate::stats::parse::{Field, Keyed, Parsed, flat};
use std::collections::VecDeque;

/// The numbers of the files that are watched; a file has some of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    low: Option<u64>,
    high: Option<u64>,
    max: Option<u64>,
    oom: Option<u64>,
    oom_kill: Option<u64>,
    oom_group_kill: Option<u64>,
    populated: Option<bool>,
    frozen: Option<bool>,
}

impl Keyed for Counters {
    fn field(&mut self, key: &[u8]) -> Option<Field<'_>> {
        Some(match key {
            b"low" => Field::Count(&mut self.low),
            b"high" => Field::Count(&mut self.high),
            b"max" => Field::Count(&mut self.max),
            b"oom" => Field::Count(&mut self.oom),
            b"oom_kill" => Field::Count(&mut self.oom_kill),
            b"oom_group_kill" => Field::Count(&mut self.oom_group_kill),
            b"populated" => Field::Flag(&mut self.populated),
            b"frozen" => Field::Flag(&mut self.frozen),
            _ => return None,
        })
    }
}

/// Which file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// `memory.events`, `memory.events.local`, and `memory.oom_control` of v1.
    Memory,
    /// `pids.events`.
    Pids,
    /// `cgroup.events`.
    Cgroup,
}

impl Counters {
    pub(crate) fn parse(content: &[u8]) -> Parsed<'_, Self> {
        let mut counters = Self::default();
        flat(content, &mut counters)?;
        Ok(counters)
    }

    /// Takes new numbers, and tells what happened since the old ones.
    pub(crate) fn advance(
        &mut self,
        now: Self,
        subject: Subject,
        scope: Scope,
        events: &mut VecDeque<Event>,
    ) {
        let old = std::mem::replace(self, now);
        let mut count = |old: Option<u64>, now: Option<u64>, event: fn(Count) -> Event| {
            let (Some(old), Some(total)) = (old, now) else { return };
            if total > old {
                events.push_back(event(Count { scope, total, new: total - old }));
            }
        };
        match subject {
            Subject::Memory => {
                count(old.low, now.low, Event::MemoryLow);
                count(old.high, now.high, Event::MemoryHigh);
                count(old.max, now.max, Event::MemoryMax);
                count(old.oom, now.oom, Event::Oom);
                count(old.oom_kill, now.oom_kill, Event::OomKill);
                count(old.oom_group_kill, now.oom_group_kill, Event::OomGroupKill);
            }
            Subject::Pids => count(old.max, now.max, Event::PidsMax),
            Subject::Cgroup => {
                let mut state = |old: Option<bool>, now: Option<bool>, event: fn(bool) -> Event| {
                    if let Some(state) = now.filter(|_| old.is_some() && old != now) {
                        events.push_back(event(state));
                    }
                };
                state(old.populated, now.populated, Event::Populated);
                state(old.frozen, now.frozen, Event::Frozen);
            }
        }
    }

    /// Only an empty cgroup can be removed, so what was populated is so no more.
    pub(crate) fn removed(&mut self, events: &mut VecDeque<Event>) {
        if self.populated == Some(true) {
            self.populated = Some(false);
            events.push_back(Event::Populated(false));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_grew_is_an_event() {
        let mut counters = Counters::parse(b"low 0\nhigh 1\nmax 2\noom 3\noom_kill 4\n").unwrap();
        let mut events = VecDeque::new();
        let now = Counters::parse(b"low 0\nhigh 1\nmax 9\noom 3\noom_kill 5\noom_group_kill 1\n").unwrap();
        counters.advance(now, Subject::Memory, Scope::Subtree, &mut events);
        let count = |total, new| Count { scope: Scope::Subtree, total, new };
        assert_eq!(events, [Event::MemoryMax(count(9, 7)), Event::OomKill(count(5, 1))]);
        events.clear();
        counters.advance(now, Subject::Memory, Scope::Subtree, &mut events);
        assert_eq!(events, []);
    }

    #[test]
    fn states_are_told_when_they_change() {
        let mut counters = Counters::parse(b"populated 0\nfrozen 0\n").unwrap();
        let mut events = VecDeque::new();
        let now = Counters::parse(b"populated 1\nfrozen 0\n").unwrap();
        counters.advance(now, Subject::Cgroup, Scope::Subtree, &mut events);
        counters.removed(&mut events);
        counters.removed(&mut events);
        assert_eq!(events, [Event::Populated(true), Event::Populated(false)]);
        assert!(Counters::parse(b"populated x\n").is_err());
    }
}
