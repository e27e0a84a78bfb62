//! The search for the range that a number is in.

use std::rc::Rc;

use super::assemble::{Assembler, Target};
use super::outcome::{Choice, Outcome, Range};
use super::{argument, opcode};

/// Emits the search, for a number that is loaded.
pub(super) fn emit(assembler: &mut Assembler, ranges: &[Range]) -> Target {
    Search { assembler, ranges, known: Vec::new() }.between(0, ranges.len())
}

struct Search<'s> {
    assembler: &'s mut Assembler,
    ranges: &'s [Range],
    /// Where choices are that more than one range leads to.
    known: Vec<(Rc<Choice>, Target)>,
}

impl Search<'_> {
    /// The search among the ranges from one to before another.
    fn between(&mut self, first: usize, end: usize) -> Target {
        let Some(range) = self.ranges.get(first) else {
            return Target::Return(super::FOREIGN);
        };
        if end <= first + 1 {
            return self.outcome(&range.outcome);
        }
        if let Some(number) = self.exception(first, end) {
            let then = self.outcome(&self.ranges[first + 1].outcome);
            let otherwise = self.outcome(&range.outcome);
            return self.assembler.branch(opcode::JUMP_EQ, number, then, otherwise);
        }
        let middle = first + (end - first).div_ceil(2);
        let above = self.between(middle, end);
        let below = self.between(first, middle);
        self.assembler.branch(opcode::JUMP_GE, self.ranges[middle].start, above, below)
    }

    /// The number that is the only one in three ranges with another outcome.
    fn exception(&self, first: usize, end: usize) -> Option<u32> {
        let [before, only, after] = self.ranges.get(first..end)? else { return None };
        let alone = only.start.checked_add(1) == Some(after.start);
        (alone && before.outcome == after.outcome).then_some(only.start)
    }

    fn outcome(&mut self, outcome: &Outcome) -> Target {
        let choice = match outcome {
            Outcome::Always(action) => return Target::Return(*action),
            Outcome::Depends(choice) => choice,
        };
        if let Some((_, target)) = self.known.iter().find(|(known, _)| known == choice) {
            return *target;
        }
        let target = argument::emit(self.assembler, choice);
        self.known.push((Rc::clone(choice), target));
        target
    }
}
