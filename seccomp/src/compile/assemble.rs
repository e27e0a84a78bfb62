//! Instructions, made from the last to the first: so where a jump leads to is always known.

use super::opcode;
use crate::{Action, Instruction};

/// The farthest that a comparison can skip.
const FARTHEST: usize = 255;

/// Where to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// The filter ends.
    Return(Action),
    /// An instruction, counted from the end.
    At(usize),
}

/// A program that grows at its beginning.
#[derive(Default)]
pub(super) struct Assembler {
    /// The last instruction comes first.
    reversed: Vec<Instruction>,
    /// Where each action was returned last.
    returns: Vec<(u32, usize)>,
}

impl Assembler {
    /// A comparison of what is loaded.
    pub(super) fn branch(&mut self, code: u16, k: u32, then: Target, otherwise: Target) -> Target {
        if then == otherwise {
            return then;
        }
        // Making the second near may put one instruction before the first.
        let then = self.near(then, FARTHEST - 1);
        let otherwise = self.near(otherwise, FARTHEST);
        let (jt, jf) = (self.skipped(then), self.skipped(otherwise));
        self.push(Instruction { code, jt, jf, k })
    }

    /// Loads a word, and goes on with what comes next.
    pub(super) fn load(&mut self, offset: u32, next: Target) -> Target {
        self.then(opcode::LOAD, offset, next)
    }

    /// Keeps the bits of a mask, and goes on with what comes next.
    pub(super) fn and(&mut self, mask: u32, next: Target) -> Target {
        self.then(opcode::AND, mask, next)
    }

    /// The program from its first instruction.
    pub(super) fn finish(mut self) -> Vec<Instruction> {
        self.reversed.reverse();
        self.reversed
    }

    fn then(&mut self, code: u16, k: u32, next: Target) -> Target {
        self.near(next, 0);
        self.push(Instruction { code, jt: 0, jf: 0, k })
    }

    /// A place at most so far from the next instruction, from where the target is reached.
    fn near(&mut self, target: Target, farthest: usize) -> usize {
        let here = self.reversed.len();
        match target {
            Target::At(at) if here - at <= farthest => at,
            Target::At(at) => self.jump(at),
            Target::Return(action) => {
                let code = action.code();
                let known = self.returns.iter_mut().find(|(returned, _)| *returned == code);
                if let Some((_, at)) = known.as_ref()
                    && here - at <= farthest
                {
                    return *at;
                }
                match known {
                    Some((_, at)) => *at = here + 1,
                    None => self.returns.push((code, here + 1)),
                }
                self.reversed.push(Instruction { code: opcode::RETURN, jt: 0, jf: 0, k: code });
                here + 1
            }
        }
    }

    fn jump(&mut self, at: usize) -> usize {
        let skipped = u32::try_from(self.reversed.len() - at).unwrap_or(u32::MAX);
        self.reversed.push(Instruction { code: opcode::JUMP, jt: 0, jf: 0, k: skipped });
        self.reversed.len()
    }

    fn skipped(&self, at: usize) -> u8 {
        u8::try_from(self.reversed.len() - at).unwrap_or(u8::MAX)
    }

    fn push(&mut self, instruction: Instruction) -> Target {
        self.reversed.push(instruction);
        Target::At(self.reversed.len())
    }
}
