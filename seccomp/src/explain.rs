//! A filter in words.

use std::fmt;

use crate::compile::opcode;
use crate::{Action, Architecture, Filter, Instruction};

/// Displays a filter.
pub(crate) struct Explanation<'f>(pub(crate) &'f Filter);

/// What is loaded where an instruction is reached.
#[derive(Clone, Copy)]
enum Loaded {
    Architecture,
    Number(Option<Architecture>),
    Argument,
}

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Jumps lead forward only, so what comes before an instruction is known when it is reached.
        let length = self.0.instructions.len();
        let mut states = vec![Loaded::Argument; length];
        // The architecture whose number a comparison was equal to.
        let mut sections = vec![None; length];
        for (index, instruction) in self.0.instructions.iter().enumerate() {
            let Instruction { code, jt, jf, k } = *instruction;
            let (mut state, mut section) = (states[index], sections[index]);
            match (code, k) {
                (opcode::LOAD, opcode::NUMBER) => state = Loaded::Number(section),
                (opcode::LOAD, opcode::ARCHITECTURE) => state = Loaded::Architecture,
                (opcode::LOAD, _) => state = Loaded::Argument,
                _ => {}
            }
            let skipped = match code {
                opcode::JUMP => vec![usize::try_from(k).unwrap_or(0)],
                opcode::JUMP_EQ | opcode::JUMP_GT | opcode::JUMP_GE => vec![usize::from(jt), usize::from(jf)],
                opcode::RETURN => Vec::new(),
                _ => vec![0],
            };
            if let (Loaded::Architecture, opcode::JUMP_EQ) = (state, code) {
                section = self.0.architectures.iter().find(|of| of.audit_number() == k).copied();
            }
            for target in skipped.iter().map(|skipped| index + 1 + skipped).filter(|at| *at < length) {
                (states[target], sections[target]) = (state, section);
                section = sections[index];
            }
            write!(f, "{index:4}: ")?;
            self.line(f, index, instruction, state)?;
        }
        Ok(())
    }
}

impl Explanation<'_> {
    fn line(
        &self,
        f: &mut fmt::Formatter<'_>,
        index: usize,
        instruction: &Instruction,
        loaded: Loaded,
    ) -> fmt::Result {
        let Instruction { code, jt, jf, k } = *instruction;
        let to = |skipped: u8| index + 1 + usize::from(skipped);
        let comparison = match code {
            opcode::LOAD => return writeln!(f, "load {}", self.place(k)),
            opcode::AND => return writeln!(f, "and {k:#x}"),
            opcode::RETURN => return writeln!(f, "return {}", words(k)),
            opcode::JUMP => {
                return writeln!(f, "go to {}", index + 1 + usize::try_from(k).unwrap_or(usize::MAX >> 1));
            }
            opcode::JUMP_EQ => "==",
            opcode::JUMP_GT => ">",
            opcode::JUMP_GE => ">=",
            _ => return writeln!(f, "{code:#06x} {k:#x} {jt} {jf}"),
        };
        match loaded {
            Loaded::Architecture => {
                let names: Vec<&str> = self
                    .0
                    .architectures
                    .iter()
                    .filter(|of| of.audit_number() == k)
                    .map(|of| of.name())
                    .collect();
                write!(f, "if architecture {comparison} {k:#x} ({})", names.join(", "))?;
            }
            Loaded::Number(of) => {
                let of = of.map(|of| {
                    if of == Architecture::X86_64 && k >= of.highest() { Architecture::X32 } else { of }
                });
                write!(f, "if number {comparison} {k}")?;
                if let Some(name) = of.and_then(|of| of.syscall_name(k)) {
                    write!(f, " ({name})")?;
                }
            }
            Loaded::Argument => write!(f, "if it {comparison} {k:#x}")?,
        }
        writeln!(f, " go to {}, else {}", to(jt), to(jf))
    }

    fn place(&self, offset: u32) -> String {
        match offset {
            opcode::NUMBER => "number".to_owned(),
            opcode::ARCHITECTURE => "architecture".to_owned(),
            _ => {
                let big = self.0.architectures.first().is_some_and(|first| first.is_big_endian());
                let place = offset.saturating_sub(opcode::ARGUMENTS);
                let half = if place.is_multiple_of(8) == big { "high" } else { "low" };
                format!("argument {}, {half} half", place / 8)
            }
        }
    }
}

fn words(code: u32) -> String {
    match Action::from_code(code) {
        Some(Action::KillProcess) => "kill process".to_owned(),
        Some(Action::KillThread) => "kill thread".to_owned(),
        Some(Action::Trap) => "trap".to_owned(),
        Some(Action::Errno(errno)) => format!("errno {errno}"),
        Some(Action::Notify) => "notify".to_owned(),
        Some(Action::Trace(message)) => format!("trace {message}"),
        Some(Action::Log) => "log".to_owned(),
        Some(Action::Allow) => "allow".to_owned(),
        None => format!("{code:#x}"),
    }
}
