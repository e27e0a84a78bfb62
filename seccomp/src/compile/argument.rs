//! Comparisons of arguments: 64 bits, but a filter has words of 32.

use super::assemble::{Assembler, Target};
use super::opcode;
use super::outcome::Choice;
use crate::profile::{Comparison, Condition};

/// Emits a choice. What was loaded before is lost.
pub(super) fn emit(assembler: &mut Assembler, choice: &Choice) -> Target {
    let mut next = Target::Return(choice.otherwise);
    for (conditions, action) in choice.alternatives.iter().rev() {
        let mut target = Target::Return(*action);
        for condition in conditions.iter().rev() {
            target = Words { assembler, condition, choice }.emit(target, next);
        }
        next = target;
    }
    next
}

struct Words<'w> {
    assembler: &'w mut Assembler,
    condition: &'w Condition,
    choice: &'w Choice,
}

impl Words<'_> {
    fn emit(&mut self, then: Target, otherwise: Target) -> Target {
        match self.condition.comparison {
            Comparison::Eq(value) => self.equal(u64::MAX, value, then, otherwise),
            Comparison::Ne(value) => self.equal(u64::MAX, value, otherwise, then),
            Comparison::MaskedEq { mask, value } => self.equal(mask, value, then, otherwise),
            Comparison::Ge(value) => self.greater(opcode::JUMP_GE, value, then, otherwise),
            Comparison::Lt(value) => self.greater(opcode::JUMP_GE, value, otherwise, then),
            Comparison::Gt(value) => self.greater(opcode::JUMP_GT, value, then, otherwise),
            Comparison::Le(value) => self.greater(opcode::JUMP_GT, value, otherwise, then),
        }
    }

    fn equal(&mut self, mask: u64, value: u64, then: Target, otherwise: Target) -> Target {
        let low = self.word_equal(self.low(), low(mask), low(value), then, otherwise);
        if !self.choice.wide {
            return low;
        }
        self.word_equal(self.high(), high(mask), high(value), low, otherwise)
    }

    fn word_equal(&mut self, offset: u32, mask: u32, value: u32, then: Target, otherwise: Target) -> Target {
        if value & !mask != 0 {
            return otherwise;
        }
        if mask == 0 {
            return then;
        }
        let compared = self.assembler.branch(opcode::JUMP_EQ, value, then, otherwise);
        if then == otherwise {
            return then;
        }
        let masked = if mask == u32::MAX { compared } else { self.assembler.and(mask, compared) };
        self.assembler.load(offset, masked)
    }

    fn greater(&mut self, code: u16, value: u64, then: Target, otherwise: Target) -> Target {
        let value = if self.choice.wide { value } else { value & 0xffff_ffff };
        if then == otherwise || (code == opcode::JUMP_GE && value == 0) {
            return then;
        }
        let compared = self.assembler.branch(code, low(value), then, otherwise);
        let low = self.assembler.load(self.low(), compared);
        if !self.choice.wide {
            return low;
        }
        let equal = self.assembler.branch(opcode::JUMP_EQ, high(value), low, otherwise);
        let above = self.assembler.branch(opcode::JUMP_GT, high(value), then, equal);
        self.assembler.load(self.high(), above)
    }

    fn low(&self) -> u32 {
        self.offset() + if self.choice.big_endian { 4 } else { 0 }
    }

    fn high(&self) -> u32 {
        self.offset() + if self.choice.big_endian { 0 } else { 4 }
    }

    fn offset(&self) -> u32 {
        opcode::ARGUMENTS + 8 * u32::from(self.condition.argument)
    }
}

fn low(value: u64) -> u32 {
    u32::try_from(value & 0xffff_ffff).unwrap_or(0)
}

fn high(value: u64) -> u32 {
    u32::try_from(value >> 32).unwrap_or(0)
}
